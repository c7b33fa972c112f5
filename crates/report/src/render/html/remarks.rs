//! What fails nothing and is worth knowing: vacuous checks, flaky and slow tests, what plans would change.

use super::escape::text;
use super::limits::Limits;
use super::parts::joined;
use crate::render::format::seconds;
use crate::{Changes, Check, Report};

/// The most remarks, and the most flaky tests of one check.
const REMARKS: usize = 40;
/// The most slow tests of all checks.
const SLOW: usize = 20;

/// The sections, those without content left out.
pub(super) fn sections(report: &Report, limits: &Limits) -> Vec<String> {
    if limits.rows == 0 {
        return remarks(report).into_iter().collect();
    }
    [remarks(report), flaky(report), changes(report, limits)].into_iter().flatten().collect()
}

fn remarks(report: &Report) -> Option<String> {
    let vacuous = report.vacuous().into_iter().chain(report.repeated()).map(|warning| ("glyph", "▲", warning));
    let notes = report.notes.iter().map(|note| ("glyph plain", "•", note.clone()));
    let items = joined(vacuous.chain(notes).take(REMARKS).map(|(class, glyph, words)| {
        format!("<li><span class=\"{class}\">{glyph}</span>{}</li>\n", text(&words, 600))
    }));
    section("remarks", "Worth knowing", &items, |items| format!("<ul class=\"notes card\">\n{items}</ul>"))
}

fn flaky(report: &Report) -> Option<String> {
    let rows = joined(report.flaky().into_iter().take(REMARKS).map(|(check, tests)| {
        let named: Vec<String> = tests.iter().take(REMARKS).map(|test| text(test, 200)).collect();
        let more = tests.len().saturating_sub(named.len());
        let more = if more > 0 { format!("<br>… and {more} more") } else { String::new() };
        format!("<tr><th scope=\"row\">{}</th><td>{}{more}</td></tr>\n", text(&check.id, 200), named.join("<br>"))
    }));
    section("flaky", "Flaky tests", &rows, |rows| {
        format!(
            "<div class=\"card\"><table>\n<caption>Failed, and passed when they were repeated.</caption>\n<thead><tr><th scope=\"col\">Check</th>\
             <th scope=\"col\">Tests</th></tr></thead>\n<tbody>\n{rows}</tbody></table></div>"
        )
    })
}

fn changes(report: &Report, limits: &Limits) -> Option<String> {
    let plans = report
        .checks()
        .flat_map(|(_, check)| check.evidence.iter().filter_map(move |piece| Some((check, piece.changes.as_ref()?))));
    let cards = joined(plans.take(limits.troubles).map(|(check, changes)| plan(check, changes)));
    section("changes", "What would change", &cards, str::to_owned)
}

fn plan(check: &Check, changes: &Changes) -> String {
    let counts = [
        (changes.delete, "delete"),
        (changes.replace, "replace"),
        (changes.update, "update"),
        (changes.create, "create"),
        (changes.forget, "forget"),
    ];
    let total: u64 = counts.iter().map(|(count, _)| count).sum();
    let named: Vec<String> = counts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, action)| format!("<span class=\"{action}\">{count} to {action}</span>"))
        .collect();
    let summary = if named.is_empty() { "no changes".to_owned() } else { named.join(", ") };
    let more = total.saturating_sub(changes.addresses.len() as u64);
    let more =
        (more > 0 && !changes.addresses.is_empty()).then(|| format!("<p class=\"more\">… and {more} more</p>\n"));
    let addresses =
        joined(changes.addresses.iter().map(|address| format!("<li><code>{}</code></li>\n", text(address, 200))));
    let list = if addresses.is_empty() { addresses } else { format!("<ul class=\"addresses\">\n{addresses}</ul>\n") };
    format!(
        "<div class=\"card changes\">\n<h3>{}</h3>\n<p>{summary}</p>\n{list}{}</div>\n",
        text(&check.id, 200),
        more.unwrap_or_default()
    )
}

/// The slowest tests of all checks, folded away.
pub(super) fn slow(report: &Report) -> Option<String> {
    let tests = report.checks().flat_map(|(_, check)| {
        check.evidence.iter().flat_map(move |piece| piece.slowest.iter().map(move |slow| (check, slow)))
    });
    // Times that round to nothing are noise.
    let mut tests: Vec<_> = tests.filter(|(_, slow)| slow.seconds >= 0.05).collect();
    tests.sort_by(|(_, one), (_, other)| other.seconds.total_cmp(&one.seconds));
    let rows = joined(tests.into_iter().take(SLOW).map(|(check, slow)| {
        let (name, id, time) = (text(&slow.name, 200), text(&check.id, 200), seconds(slow.seconds));
        format!("<tr><th scope=\"row\">{name}</th><td>{id}</td><td class=\"time\">{time}</td></tr>\n")
    }));
    (!rows.is_empty()).then(|| {
        format!(
            "<details class=\"card\"><summary>The slowest tests</summary>\n<table><thead><tr><th scope=\"col\">Test</th><th scope=\"col\">Check</th>\
             <th scope=\"col\" class=\"time\">Time</th></tr></thead>\n<tbody>\n{rows}</tbody></table></details>"
        )
    })
}

fn section(id: &str, title: &str, content: &str, whole: impl Fn(&str) -> String) -> Option<String> {
    (!content.is_empty()).then(|| {
        format!("<section aria-labelledby=\"{id}\">\n<h2 id=\"{id}\">{title}</h2>\n{}\n</section>", whole(content))
    })
}
