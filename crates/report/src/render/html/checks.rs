//! Every check, stage by stage, on one axis of time.

use std::collections::{HashMap, HashSet};

use super::axis::Axis;
use super::escape::{address, text};
use super::limits::Limits;
use super::parts::{anchor, legs, mark};
use crate::render::critical::critical_path;
use crate::render::format::{cut, details, seconds};
use crate::{Check, Report, Stage, Status};

/// How many checks of the critical path are named.
const NAMED: usize = 6;

/// What the rows need besides their check.
struct Context<'a> {
    axis: Option<Axis>,
    path: HashSet<&'a str>,
    /// The cards of the checks that are in the way.
    cards: HashMap<&'a str, usize>,
    legs: usize,
}

pub(super) fn section(report: &Report, limits: &Limits) -> Option<String> {
    if report.stages.is_empty() || limits.stages == 0 {
        return None;
    }
    let path = critical_path(report);
    let troubles = report.troubles();
    let context = Context {
        axis: Axis::of(report),
        path: path.iter().map(|check| &*check.id).collect(),
        cards: troubles.iter().take(limits.troubles).enumerate().map(|(at, (_, check))| (&*check.id, at)).collect(),
        legs: limits.findings,
    };
    let mut room = limits.rows;
    let mut groups = String::new();
    for stage in report.stages.iter().take(limits.stages) {
        groups.push_str(&group(stage, &mut room, &context));
    }
    let left_out = report.stages.len().saturating_sub(limits.stages);
    let more = (left_out > 0).then(|| format!("<p class=\"more\">… and {left_out} more stages</p>\n"));
    let bar = context.axis.as_ref().map(|axis| {
        format!("<th scope=\"col\" class=\"bar\"><span class=\"sr\">When it ran</span>{}</th>", axis.scale())
    });
    Some(format!(
        "<section aria-labelledby=\"checks\">\n<h2 id=\"checks\">All checks</h2>\n{}<div class=\"card\">\n<table class=\"checks\">\n<thead><tr>\
         <th scope=\"col\">Check</th>{}<th scope=\"col\" class=\"time\">Time</th></tr></thead>\n{groups}</table>\n{}{}</div>\n</section>",
        sentence(report, &path).unwrap_or_default(),
        bar.unwrap_or_default(),
        more.unwrap_or_default(),
        if context.axis.is_some() { legend(report) } else { String::new() },
    ))
}

fn group(stage: &Stage, room: &mut usize, context: &Context<'_>) -> String {
    let time = stage.duration_seconds.filter(|_| stage.status != Status::Skipped).map(seconds).unwrap_or_default();
    let lane = context.axis.as_ref().map(|axis| {
        let span = stage.offset_seconds.zip(stage.duration_seconds);
        format!("<td class=\"bar\">{}</td>", axis.lane(span, "span"))
    });
    let shown = stage.checks.len().min(*room);
    *room -= shown;
    let rows: String = stage.checks.iter().take(shown).map(|check| row(check, context)).collect();
    let rest = &stage.checks[shown..];
    let more = (!rest.is_empty()).then(|| {
        let passed = rest.iter().filter(|check| check.status == Status::Passed).count();
        format!("<tr><td class=\"more\" colspan=\"3\">… and {} more checks, {passed} passed</td></tr>\n", rest.len())
    });
    format!(
        "<tbody>\n<tr class=\"group\"><th scope=\"rowgroup\">{} {}</th>{}<td class=\"time\">{time}</td></tr>\n{rows}{}</tbody>\n",
        mark(stage.status),
        text(&stage.name, 120),
        lane.unwrap_or_default(),
        more.unwrap_or_default()
    )
}

fn row(check: &Check, context: &Context<'_>) -> String {
    let is_critical = context.path.contains(&*check.id);
    let class = if is_critical { " critical" } else { "" };
    let name = format!("<span class=\"label\">{}</span>", text(check.name(), 200));
    let name = match context.cards.get(&*check.id) {
        Some(number) => format!("<a href=\"#{}\">{name}</a>", anchor(*number)),
        None => name,
    };
    let lane = context.axis.as_ref().map(|axis| {
        let ran = !matches!(check.status, Status::Skipped | Status::Missing);
        let span = check.offset_seconds.zip(check.duration_seconds).filter(|_| ran);
        format!("<td class=\"bar\">{}</td>", axis.lane(span, &format!("{}{class}", check.status.name())))
    });
    let time = check.duration_seconds.filter(|_| check.status != Status::Skipped).map(seconds).unwrap_or_default();
    format!(
        "<tr class=\"check{class}\"><th scope=\"row\">{} {name}{}</th>{}<td class=\"time\">{time}</td></tr>\n",
        mark(check.status),
        extra(check, context.legs),
        lane.unwrap_or_default()
    )
}

/// The numbers of the tool, the address of the result, why it did not run, its legs.
fn extra(check: &Check, limit: usize) -> String {
    let word = |name: &str| check.data.get(name).and_then(serde_json::Value::as_str).filter(|word| !word.is_empty());
    let mut parts: Vec<String> = word("environment").into_iter().map(|name| text(name, 80)).collect();
    parts.extend(check.note.as_deref().map(|note| text(note, 200)));
    parts.extend(details(&check.data).iter().map(|detail| text(detail, 80)));
    if matches!(check.status, Status::Skipped | Status::Cancelled | Status::Missing) {
        parts.push(text(&cut(&check.why(), 160), 160));
    }
    parts.extend([check.url.as_deref(), word("alias")].into_iter().flatten().map(address));
    let line =
        if parts.is_empty() { String::new() } else { format!(" <span class=\"extra\">{}</span>", parts.join(" · ")) };
    let legs = if check.legs.is_empty() || check.is_trouble() { String::new() } else { legs(check, limit) };
    line + &legs
}

/// `Critical path, 9.2 s of 9.3 s: coffee-shop site 5.9 s → mypy 3.1 s → Run migrations 0.2 s.`
fn sentence(report: &Report, path: &[&Check]) -> Option<String> {
    let time = |check: &Check| check.duration_seconds.unwrap_or_default();
    let longest = path.iter().copied().max_by(|one, other| time(one).total_cmp(&time(other)))?;
    let whole: f64 = path.iter().map(|check| time(check)).sum();
    if whole <= 0.0 {
        return None;
    }
    // Of a long path those count that took longest; they are named in the order of time.
    let mut times: Vec<f64> = path.iter().map(|check| time(check)).collect();
    times.sort_by(|one, other| other.total_cmp(one));
    let least = times.get(NAMED - 1).copied().unwrap_or(0.0);
    let named = path.iter().filter(|check| time(check) >= least && time(check) >= 0.05).take(NAMED);
    let named: Vec<String> =
        named.map(|check| format!("<b>{}</b> {}", text(check.name(), 80), seconds(time(check)))).collect();
    let of = report.duration_seconds.map(|total| format!(" of {}", seconds(total))).unwrap_or_default();
    let left_out = if path.len() > named.len() && path.len() > NAMED { " → …" } else { "" };
    let advice = if path.len() > 1 {
        format!(" The longest part is {}: {:.0} % of it.", text(longest.name(), 80), 100.0 * time(longest) / whole)
    } else {
        String::new()
    };
    Some(format!(
        "<p class=\"path\">Critical path, {}{of}: {}{left_out}.{advice}</p>\n",
        seconds(whole),
        named.join(" → ")
    ))
}

fn legend(report: &Report) -> String {
    let sample = |class: &str, words: &str| {
        format!(
            "<span><svg aria-hidden=\"true\"><rect class=\"{class}\" width=\"100%\" height=\"100%\" rx=\"2\"/></svg>{words}</span>"
        )
    };
    let failed = report.checks().any(|(_, check)| check.status == Status::Failed);
    let failed = if failed { sample("failed", "failed") } else { String::new() };
    let (critical, other) = (sample("critical", "on the critical path"), sample("passed", "other"));
    format!("<p class=\"legend\">{critical}{other}{failed}</p>\n")
}
