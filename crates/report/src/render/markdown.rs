//! The report as a section of the job summary: why and where first, then the stages.
//!
//! GitHub drops a summary that is too long whole, so the text gets shorter in named steps until it fits, and names the step that was
//! taken. Foreign text is escaped: in cells and headings everything that Markdown, HTML, mentions and references are made of, in
//! blocks by a fence longer than any run of backticks in it.

mod escape;
pub(super) mod place;
mod timeline;

pub use escape::{cell, code, fence};

use super::format::{self, outcome, seconds};
use crate::{Check, Report, Stage, Status, Verdict};

/// How much is shown.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// Lines of output of a failed check.
    lines: usize,
    /// Failed checks whose output is shown.
    logs: usize,
    /// Checks of a stage that did not fail.
    items: usize,
    /// Checks that failed, are missing or were cancelled.
    troubles: usize,
    /// How the footer describes this step.
    step: &'static str,
}

/// From everything to counts only.
const STEPS: [Limits; 6] = [
    Limits { lines: 200, logs: 50, items: 1000, troubles: 1000, step: "" },
    Limits { lines: 20, logs: 50, items: 1000, troubles: 1000, step: "logs cut to 20 lines" },
    Limits { lines: 10, logs: 10, items: 200, troubles: 200, step: "logs of 10 checks, cut to 10 lines" },
    Limits { lines: 0, logs: 0, items: 50, troubles: 100, step: "no logs" },
    Limits { lines: 0, logs: 0, items: 0, troubles: 20, step: "no logs, 20 failures, passed checks counted" },
    Limits { lines: 0, logs: 0, items: 0, troubles: 0, step: "counts only" },
];

/// The same, for a place that is read beside others: a comment, a check run.
const SHORTER: [Limits; 6] = [
    Limits { lines: 30, logs: 5, items: 100, troubles: 50, step: "" },
    Limits { lines: 10, logs: 5, items: 50, troubles: 50, step: "logs cut to 10 lines" },
    Limits { lines: 0, logs: 0, items: 50, troubles: 50, step: "no logs" },
    Limits { lines: 0, logs: 0, items: 0, troubles: 20, step: "no logs, 20 failures, passed checks counted" },
    Limits { lines: 0, logs: 0, items: 0, troubles: 5, step: "no logs, 5 failures, passed checks counted" },
    Limits { lines: 0, logs: 0, items: 0, troubles: 0, step: "counts only" },
];

/// How many names a cell of the stages table may hold.
const NAMES: usize = 60;

/// The report as Markdown, at most `limit` bytes; the shortest form where even that does not fit.
#[must_use]
pub fn markdown(report: &Report, limit: usize) -> String {
    let mut section = String::new();
    for limits in &STEPS {
        section = render(report, limits);
        if section.len() <= limit {
            break;
        }
    }
    section
}

/// The same text, shorter, for a comment or a check run: at most `limit` as `measure` counts it, or `None` if even the shortest form
/// does not fit.
#[must_use]
pub fn section(report: &Report, limit: usize, measure: impl Fn(&str) -> usize) -> Option<String> {
    SHORTER.iter().map(|limits| render(report, limits)).find(|section| measure(section) <= limit)
}

fn render(report: &Report, limits: &Limits) -> String {
    let mut blocks = vec![heading(report), overview(report)];
    blocks.extend(doubts(report));
    blocks.extend(troubles(report, limits));
    blocks.extend(logs(report, limits));
    // A table of stages repeats what other tables list of a single stage.
    let is_listed = |stage: &Stage| has_results(stage) || stage.checks.iter().all(Check::is_trouble);
    blocks.extend(stages(report, limits).filter(|_| !matches!(report.stages.as_slice(), [one] if is_listed(one))));
    blocks.extend(report.stages.iter().filter(|stage| has_results(stage)).filter_map(|stage| results(stage, limits)));
    blocks.extend(timeline::timeline(report, limits.items));
    if let Some(rerun) = report.rerun.as_ref().filter(|_| report.result() != Verdict::Passed) {
        blocks.push(format!("Run it again: {}", code(rerun)));
    }
    blocks.push(footer(report, limits));
    blocks.join("\n\n") + "\n"
}

fn heading(report: &Report) -> String {
    let mark = match report.result() {
        Verdict::Passed => "✅",
        Verdict::Failed => "❌",
        Verdict::Incomplete => "⚠️",
    };
    format!("## {mark} {} {}", cell(&format::title(&report.title)), outcome(report.result(), report.is_validation()))
}

fn overview(report: &Report) -> String {
    let counts = report.counts();
    let mut parts = format::counted(&counts);
    parts[0] = format!("**{}**", parts[0]);
    let mut line = parts.join(", ");
    let commit = report.source.commit.as_deref().map(|commit| commit.get(..7).unwrap_or(commit));
    let tests = counts.tests.map(|tests| crate::verdict::count(tests.total, "test"));
    let comparison = report.comparison.as_ref().map(|comparison| cell(&comparison.sentence()));
    let commit = commit.map(|commit| format!("commit {}", code(commit)));
    let more = [tests, report.duration_seconds.map(seconds), commit, comparison];
    for part in more.into_iter().flatten() {
        line.push_str(" · ");
        line.push_str(&part);
    }
    line
}

fn doubts(report: &Report) -> Option<String> {
    let doubts = report.disagreements.iter().chain(&report.gaps).take(20);
    let warnings = report.warnings();
    let warnings = warnings.iter().take(20).map(|warning| format!("- ⚠️ {}", cell(&format::cut(warning, 400))));
    let lines: Vec<_> = doubts.map(|doubt| format!("- {}", cell(doubt))).chain(warnings).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// Why and where.
fn troubles(report: &Report, limits: &Limits) -> Option<String> {
    let troubles = report.troubles();
    let mut rows = vec!["| | Check | Why | Where |".to_owned(), "|:-:|:--|:--|:--|".to_owned()];
    for (stage, check) in troubles.iter().take(limits.troubles) {
        let (why, place) = match check.findings.first().filter(|_| check.legs.is_empty()) {
            Some(finding) => {
                let test = finding
                    .test
                    .as_ref()
                    .map(|test| format!("{}: ", cell(&format::cut(test, 200))))
                    .unwrap_or_default();
                let rule = finding.rule.as_deref().map(|rule| format!("{} ", code(rule))).unwrap_or_default();
                let why = format!("{rule}{test}{}", cell(&format::cut(&finding.message, 300)));
                (why, place::link(&report.source, finding).unwrap_or_default())
            }
            None => (cell(&format::cut(&check.why(), 300)), String::new()),
        };
        rows.push(format!(
            "| {} | **{}** › {} | {why} | {place} |",
            mark(check.status),
            cell(&stage.name),
            title(check)
        ));
    }
    let left_out = troubles.len().saturating_sub(limits.troubles);
    if left_out > 0 {
        rows.push(format!("| | … and {left_out} more | | |"));
    }
    (!troubles.is_empty()).then(|| rows.join("\n"))
}

/// What the failed checks printed, and their further findings.
fn logs(report: &Report, limits: &Limits) -> Vec<String> {
    let with_log = report.troubles().into_iter().filter_map(|(stage, check)| log(stage, check, limits));
    with_log.take(limits.logs).collect()
}

fn log(stage: &Stage, check: &Check, limits: &Limits) -> Option<String> {
    let mut text: Vec<String> = Vec::new();
    if check.findings.len() > 1 {
        text.extend(check.findings.iter().take(limits.lines).map(|finding| {
            let leg = finding.leg.as_ref().map(|leg| format!("[{leg}]"));
            let (place, name) = (finding.place(), finding.test.clone());
            let parts = [leg, place, finding.rule.clone(), name, Some(finding.message.clone())];
            parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
        }));
    } else if let Some(detail) = check.findings.first().and_then(|finding| finding.detail.as_deref()) {
        text.extend(format::tail(detail, limits.lines));
    }
    if !check.output.trim().is_empty() {
        text.extend(format::tail(&check.output, limits.lines));
    }
    if text.is_empty() || limits.lines == 0 {
        return None;
    }
    let after = check.duration_seconds.map(|time| format!(" after {}", seconds(time))).unwrap_or_default();
    let how = check.exit_code.map_or_else(|| check.status.name().to_owned(), |code| format!("exit code {code}"));
    Some(format!(
        "<details open><summary>{} {} › {} – {how}{after}</summary>\n\n{}\n\n</details>",
        mark(check.status),
        cell(&stage.name),
        title(check),
        fence(&text.join("\n"))
    ))
}

fn stages(report: &Report, limits: &Limits) -> Option<String> {
    let mut rows = vec!["| Stage | | Time | Checks |".to_owned(), "|:--|:-:|--:|:--|".to_owned()];
    for stage in &report.stages {
        let time = stage.duration_seconds.filter(|_| stage.status != Status::Skipped).map_or("–".to_owned(), seconds);
        let checks = if has_results(stage) { tally(&stage.checks) } else { names(stage, limits) };
        rows.push(format!("| {} | {} | {time} | {checks} |", cell(&stage.name), mark(stage.status)));
    }
    (!report.stages.is_empty()).then(|| rows.join("\n"))
}

fn names(stage: &Stage, limits: &Limits) -> String {
    if limits.items == 0 || stage.checks.len() > NAMES {
        return tally(&stage.checks);
    }
    let all_passed = stage.checks.iter().all(|check| check.status == Status::Passed);
    let name = |check: &Check| {
        // Times that round to nothing are noise.
        let time = check.duration_seconds.filter(|time| *time >= 0.05).map(|time| format!(" {}", seconds(time)));
        let text = format!("{}{}", title(check), time.unwrap_or_default());
        match check.status {
            Status::Passed if all_passed => text,
            Status::Passed | Status::Skipped => format!("{} {text}", mark(check.status)),
            _ => format!("{} **{text}**", mark(check.status)),
        }
    };
    let mut line = stage.checks.iter().map(name).collect::<Vec<_>>().join(" · ");
    let skipped = stage.checks.iter().filter(|check| check.status == Status::Skipped);
    let mut reasons: Vec<_> =
        skipped.filter_map(|check| check.reason.as_ref()).map(|reason| cell(&reason.text)).collect();
    reasons.dedup();
    if let ([reason], false) = (reasons.as_slice(), reasons.is_empty()) {
        line = format!("{line} ({reason})");
    }
    line
}

fn tally(checks: &[Check]) -> String {
    let statuses = [Status::Failed, Status::Missing, Status::Cancelled, Status::Skipped, Status::Passed];
    let counted = statuses.map(|status| (checks.iter().filter(|check| check.status == status).count(), status));
    let parts =
        counted.iter().filter(|(count, _)| *count > 0).map(|(count, status)| format!("{count} {}", status.name()));
    parts.collect::<Vec<_>>().join(", ")
}

/// Whether its checks made something that can be visited or counted: those get another table.
fn has_results(stage: &Stage) -> bool {
    let is_result = |check: &Check| check.url.is_some() || !format::details(&check.data).is_empty();
    stage.checks.iter().any(|check| is_result_row(check) && is_result(check))
}

/// Whether the table of results lists the check. What failed is listed with its reason already, so it is listed again only for the
/// address it can be visited at.
fn is_result_row(check: &Check) -> bool {
    check.url.is_some() || !check.is_trouble()
}

fn results(stage: &Stage, limits: &Limits) -> Option<String> {
    let mut rows =
        vec![format!("| | {} | Time | Result | Details |", cell(&stage.name)), "|:-:|:--|--:|:--|:--|".to_owned()];
    let checks: Vec<&Check> = stage.checks.iter().filter(|check| is_result_row(check)).collect();
    for check in checks.iter().take(limits.items) {
        let time = check.duration_seconds.map(seconds).unwrap_or_default();
        let addresses = [check.url.as_deref(), word(check, "alias")].map(|url| url.map(place::address));
        let url = addresses.into_iter().flatten().collect::<Vec<_>>().join("<br>");
        let environment = word(check, "environment").map(str::to_owned);
        let note = environment.into_iter().chain(check.note.clone());
        let note = note.chain(format::details(&check.data)).chain(shown_reason(check));
        let details = note.map(|detail| cell(&detail)).collect::<Vec<_>>().join(", ");
        rows.push(format!("| {} | {} | {time} | {url} | {details} |", mark(check.status), cell(check.name())));
    }
    let left_out = checks.len().saturating_sub(limits.items);
    if left_out > 0 {
        rows.push(format!("| | … and {left_out} more | | | |"));
    }
    (limits.items > 0).then(|| rows.join("\n"))
}

/// A word of the tool's data that a deployment has: `alias`, the address of its branch, and `environment`.
fn word<'a>(check: &'a Check, name: &str) -> Option<&'a str> {
    check.data.get(name).and_then(serde_json::Value::as_str).filter(|word| !word.is_empty())
}

fn shown_reason(check: &Check) -> Option<String> {
    (check.status != Status::Passed).then(|| format::cut(&check.why(), 120))
}

fn footer(report: &Report, limits: &Limits) -> String {
    let mut parts: Vec<String> =
        report.producer.iter().map(|by| format!("{} {}", cell(&by.name), cell(&by.version))).collect();
    parts.extend(report.source.run_url.as_deref().map(|url| format!("[run]({})", place::encode(url))));
    parts.push(format!("exit code {}", report.exit_code()));
    if !limits.step.is_empty() {
        parts.push(format!("shortened to fit: {}", limits.step));
    }
    format!("<sub>{}</sub>", parts.join(" · "))
}

fn title(check: &Check) -> String {
    let mut title = cell(check.name());
    if let Some(note) = &check.note {
        title = format!("{title} ({})", cell(note));
    }
    title
}

fn mark(status: Status) -> &'static str {
    match status {
        Status::Passed => "✅",
        Status::Failed => "❌",
        Status::Skipped => "⚪",
        Status::Cancelled => "🚫",
        Status::Missing => "❓",
    }
}

#[cfg(test)]
mod tests;
