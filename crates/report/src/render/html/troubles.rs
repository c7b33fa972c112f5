//! Why the report is not "passed", and where: one card for each check that is in the way.

use super::escape::{address, escaped, lines, link, text};
use super::limits::Limits;
use super::parts::{anchor, joined, legs, mark};
use crate::render::format::{one_line, seconds};
use crate::render::markdown::place;
use crate::{Check, CodeOrigin, Finding, Report, Stage, Status, Verdict};

/// The most lines of a message.
const MESSAGE: usize = 20;
/// How many findings' messages are looked for in the log.
const LOOKED_FOR: usize = 20;

/// The blocks of the section, made one at a time: the caller may stop when there is no more room.
pub(super) fn section<'a>(report: &'a Report, limits: &'a Limits) -> impl Iterator<Item = String> + 'a {
    let troubles = report.troubles();
    let doubts = doubts(report);
    let title = match report.result() {
        Verdict::Passed => None,
        Verdict::Failed => Some("What failed"),
        Verdict::Incomplete => Some("What is missing"),
    };
    let title = title.filter(|_| !troubles.is_empty() || doubts.is_some());
    let begin = title.map(|title| format!("<section aria-labelledby=\"why\">\n<h2 id=\"why\">{title}</h2>"));
    let end = title.map(|_| "</section>".to_owned());
    let left_out = troubles.len().saturating_sub(limits.troubles);
    let more = (left_out > 0).then(|| format!("<p class=\"more\">… and {left_out} more checks</p>"));
    let cards = troubles.into_iter().take(limits.troubles).enumerate();
    let cards = cards.map(move |(number, (stage, check))| card(number, stage, check, &report.source, limits));
    begin.into_iter().chain(doubts).chain(cards).chain(more).chain(rerun(report)).chain(end)
}

/// What contradicts what, and what did not end.
fn doubts(report: &Report) -> Option<String> {
    let doubts = report.disagreements.iter().chain(&report.gaps).take(20);
    let items = joined(doubts.map(|doubt| format!("<li><span class=\"glyph\">▲</span>{}</li>\n", text(doubt, 600))));
    (!items.is_empty()).then(|| format!("<ul class=\"notes card\">\n{items}</ul>"))
}

fn rerun(report: &Report) -> Option<String> {
    let rerun = report.rerun.as_ref().filter(|_| report.result() != Verdict::Passed)?;
    Some(format!("<h2>Run it again</h2>\n<code class=\"command\">{}</code>", text(rerun, 2000)))
}

fn card(number: usize, stage: &Stage, check: &Check, source: &CodeOrigin, limits: &Limits) -> String {
    let mut parts = vec![
        format!("<article class=\"card trouble {}\" id=\"{}\">", check.status.name(), anchor(number)),
        format!(
            "<h3>{} <span class=\"stage\">{} ›</span> {}</h3>",
            mark(check.status),
            text(&stage.name, 120),
            text(check.name(), 200)
        ),
        format!("<p class=\"how\">{}</p>", how(check)),
    ];
    parts.extend(reason(check));
    parts.extend(findings(check, source, limits));
    if !check.legs.is_empty() {
        parts.push(legs(check, limits.findings));
    }
    parts.extend(check.url.as_deref().map(|url| format!("<p class=\"why\">{}</p>", address(url))));
    parts.extend(log(check, limits, number == 0));
    parts.push("</article>".to_owned());
    parts.join("\n")
}

/// `failed · exit code 2 · 0.4 s · 3 of 12 tests failed`.
fn how(check: &Check) -> String {
    let mut parts = vec![check.status.name().to_owned()];
    parts.extend(check.exit_code.map(|code| format!("exit code {code}")));
    parts.extend(check.duration_seconds.filter(|_| check.status == Status::Failed).map(seconds));
    parts.extend(check.note.as_deref().map(|note| text(note, 200)));
    parts.join(" · ")
}

/// The reason in words, unless the findings are the reason or the line above has it already.
fn reason(check: &Check) -> Option<String> {
    let reason = check.reason.as_ref()?;
    let is_repeated = check.exit_code.is_some_and(|code| reason.text == format!("exit code {code}"));
    let is_explained = !check.findings.is_empty() && check.legs.is_empty() && reason.code != "report_disagrees";
    let words = if reason.text.trim().is_empty() { &reason.code } else { &reason.text };
    (!is_repeated && !is_explained).then(|| format!("<p class=\"why\">{}</p>", text(words, 2000)))
}

fn findings(check: &Check, source: &CodeOrigin, limits: &Limits) -> Option<String> {
    let shown = check.findings.iter().take(limits.findings);
    let items = joined(shown.map(|finding| item(finding, source, limits)));
    let left_out = check.findings_total().saturating_sub(limits.findings.min(check.findings.len()) as u64);
    let more = (left_out > 0 && !check.findings.is_empty())
        .then(|| format!("\n<p class=\"more\">… and {}</p>", crate::verdict::count(left_out, "more finding")));
    let list = (!items.is_empty()).then(|| format!("<ul class=\"findings\">\n{items}</ul>"));
    (list.is_some() || more.is_some()).then(|| list.unwrap_or_default() + &more.unwrap_or_default())
}

fn item(finding: &Finding, source: &CodeOrigin, limits: &Limits) -> String {
    let level = match finding.level {
        crate::Level::Error => "error",
        crate::Level::Warning => "warning",
        crate::Level::Notice => "notice",
    };
    let mut first = vec![format!("<span class=\"tag {level}\">{level}</span>")];
    first.extend(finding.place().map(|place| {
        let shown = format!("<code>{}</code>", text(&place, 300));
        place::of_finding(source, finding).map_or(shown.clone(), |url| link(&url, &shown))
    }));
    first.extend(finding.rule.as_deref().map(|rule| format!("<span class=\"tag\">{}</span>", text(rule, 100))));
    first.extend(finding.leg.as_deref().map(|leg| format!("<span class=\"tag\">{}</span>", text(leg, 100))));
    let test = finding.test.as_deref().map(|test| format!("<p class=\"test\"><b>{}</b></p>\n", text(test, 400)));
    let message = lines(&finding.message, MESSAGE).join("\n");
    let detail = finding.detail.as_deref().filter(|detail| !detail.trim().is_empty() && limits.lines > 0);
    let detail = detail.map(|detail| {
        let shown = lines(detail, limits.lines);
        format!("<details><summary>Details</summary><pre>{}</pre></details>\n", shown.join("\n"))
    });
    format!(
        "<li>\n<p class=\"where\">{}</p>\n{}<p class=\"message\">{message}</p>\n{}</li>\n",
        first.join(" "),
        test.unwrap_or_default(),
        detail.unwrap_or_default()
    )
}

/// The end of what it printed; the lines that a finding quotes stand out.
fn log(check: &Check, limits: &Limits, is_first: bool) -> Option<String> {
    if check.output.trim().is_empty() || limits.lines == 0 {
        return None;
    }
    let wanted =
        check.findings.iter().take(LOOKED_FOR).map(|finding| finding.message.lines().next().unwrap_or_default());
    // A short line would be found everywhere.
    let wanted: Vec<String> = wanted
        .map(|line| escaped(&one_line(&line.chars().take(200).collect::<String>())))
        .filter(|line| line.len() > 8)
        .collect();
    let shown = lines(&check.output, limits.lines);
    let total = check.output.trim_end().split('\n').count();
    let title = if total > limits.lines {
        format!("The last {} of {total} lines that it printed", limits.lines)
    } else {
        format!("What it printed ({})", crate::verdict::count(total as u64, "line"))
    };
    let text: Vec<String> = shown
        .into_iter()
        .map(|line| if wanted.iter().any(|text| line.contains(text)) { format!("<b>{line}</b>") } else { line })
        .collect();
    let open = if is_first { " open" } else { "" };
    Some(format!("<details class=\"log\"{open}><summary>{title}</summary><pre>{}</pre></details>", text.join("\n")))
}
