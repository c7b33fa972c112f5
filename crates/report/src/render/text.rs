//! The report as text: a boxed title, stages with their checks, a boxed verdict.
//!
//! Columns are measured in display width. Every piece of foreign text is one harmless line; the marks in front of it
//! keep it from beginning a workflow command.

use unicode_width::UnicodeWidthStr as _;

use super::format::{self, cut, name, one_line, tail};
use crate::{Check, Finding, Report, Stage, Status, Style, Verdict};

/// Where a stage's time begins.
const STAGE_TIME: usize = 50;
/// Where a check's time begins, and the total.
const CHECK_TIME: usize = 48;
/// How many findings of one check are shown.
const FINDINGS: usize = 10;
/// How many lines of a failed check's output are shown.
const OUTPUT: usize = 20;
/// How many lines of it before and after the first finding.
const BEFORE: usize = 2;
const AFTER: usize = 5;

/// The report as text, its last line ended.
#[must_use]
pub fn text(report: &Report, style: Style) -> String {
    let rule = style.rule();
    let title = cut(&one_line(&report.title), 200).to_uppercase();
    let title = if title.is_empty() { "REPORT".to_owned() } else { style.fit(&title) };
    let mut lines = vec![rule.clone(), format!("  {title}"), rule.clone(), String::new()];
    for stage in &report.stages {
        lines.extend(stage_lines(stage, style));
        lines.push(String::new());
    }
    lines.extend(report.notes.iter().map(|note| style.fit(&format!("{} {}", style.arrow(), one_line(note)))));
    lines.extend([rule.clone(), verdict(report, style), rule, String::new()]);
    lines.extend(closing(report, style));
    lines.join("\n") + "\n"
}

fn stage_lines(stage: &Stage, style: Style) -> Vec<String> {
    let name = style.fit(&one_line(&stage.name));
    let symbol = style.symbol(stage.status);
    let time = match (stage.status, stage.duration_seconds) {
        (Status::Skipped, _) => "[skipped]".to_owned(),
        (_, Some(seconds)) => format!("[{seconds:.1}s]"),
        (_, None) => String::new(),
    };
    let head = format!("{name} Stage {symbol}");
    let painted = format!("{name} Stage {}", style.of_status(stage.status, symbol));
    let mut lines = vec![column(&painted, head.width(), STAGE_TIME, &time)];
    lines.extend(stage.checks.iter().flat_map(|check| check_lines(check, style)));
    lines
}

fn check_lines(check: &Check, style: Style) -> Vec<String> {
    let symbol = style.symbol(check.status);
    let name = style.fit(&name(check));
    let reason = check.reason.as_ref().map(|reason| one_line(&reason.text)).filter(|text| !text.is_empty());
    let short = reason.clone().filter(|text| check.status == Status::Skipped && text.chars().count() <= 60);
    let time = match (check.status, &short, check.duration_seconds) {
        (Status::Skipped, Some(reason), _) => format!("({})", style.fit(reason)),
        (Status::Passed | Status::Failed, _, Some(seconds)) => format!("({seconds:.1}s)"),
        (Status::Passed | Status::Failed, _, None) => String::new(),
        (status, _, _) => format!("({})", status.name()),
    };
    let gap = " ".repeat(style.widest_symbol().saturating_sub(symbol.width()) + 1);
    let head = format!("  {symbol}{gap}{name}");
    let painted = format!("  {}{gap}{name}", style.of_status(check.status, symbol));
    let mut lines = vec![column(&painted, head.width(), CHECK_TIME, &time)];
    for remark in remarks(check, reason.filter(|_| short.is_none())) {
        let mut parts = remark.into_iter().filter(|line| !line.is_empty());
        lines.extend(parts.next().map(|first| format!("    {} {}", style.arrow(), style.fit(&first))));
        lines.extend(parts.map(|next| format!("      {}", style.fit(&next))));
    }
    lines
}

/// The remarks under a check, a few lines each: findings, else why it failed and what it printed; its address.
fn remarks(check: &Check, reason: Option<String>) -> Vec<Vec<String>> {
    let mut remarks = Vec::new();
    let bad = check.status > Status::Skipped;
    if !check.legs.is_empty() && bad {
        remarks.extend(reason.clone().map(|reason| vec![reason]));
    }
    remarks.extend(check.findings.iter().take(FINDINGS).map(finding_lines));
    let more = check.findings_total().saturating_sub(FINDINGS as u64);
    if more > 0 && !check.findings.is_empty() {
        remarks.push(vec![format!("{more} more findings")]);
    }
    if !check.legs.is_empty() {
        // Said already.
    } else if bad
        && !check.findings.is_empty()
        && check.reason.as_ref().is_some_and(|reason| reason.code == "report_disagrees")
    {
        remarks.extend(reason.map(|reason| vec![reason]));
    } else if check.findings.is_empty() {
        let code = check.exit_code.filter(|code| *code != 0).map(|code| format!("exit code {code}"));
        let shown = reason.filter(|_| check.status != Status::Passed).or(code.filter(|_| bad));
        remarks.extend(shown.map(|reason| vec![reason]));
    }
    if bad {
        remarks.extend(log_lines(check));
        remarks.extend(check.log().map(|log| vec![format!("log: {}", one_line(log))]));
    }
    let prevents = check.data.get("prevents").and_then(serde_json::Value::as_str).filter(|_| bad);
    remarks.extend(prevents.map(|prevents| vec![one_line(&format!("prevents: {prevents}"))]));
    remarks.extend(check.url.as_ref().map(|url| vec![one_line(url)]));
    remarks
}

/// What its program printed: the lines around the first finding if that has a place, else the end.
fn log_lines(check: &Check) -> Option<Vec<String>> {
    if check.output.trim().is_empty() {
        return None;
    }
    let Some(placed) = check.findings.iter().find(|finding| finding.path.is_some()) else {
        return Some(tail(&check.output, OUTPUT));
    };
    let shown = format::around(&check.output, placed, BEFORE, AFTER)?;
    // The finding itself is shown already.
    (shown.len() > placed.message.lines().count()).then_some(shown)
}

/// Where and which rule on the first line, unless the message has it; then the test and the message.
fn finding_lines(finding: &Finding) -> Vec<String> {
    let place = finding.place().filter(|place| !finding.message.contains(place.as_str()));
    let leg = finding.leg.as_ref().map(|leg| format!("[{leg}]"));
    let head = [leg, place, finding.rule.clone()].into_iter().flatten().collect::<Vec<_>>().join(" ");
    let test: Vec<String> = finding.test.iter().map(|test| one_line(test)).collect();
    [vec![one_line(&head)], test, tail(&finding.message, OUTPUT)].concat()
}

fn verdict(report: &Report, style: Style) -> String {
    let word = report.result().name().to_uppercase();
    let painted = format!("  RESULT: {}", style.of_verdict(report.result(), &word));
    let total = report.duration_seconds.map(|seconds| format!("Total: {seconds:.1}s")).unwrap_or_default();
    column(&painted, "  RESULT: ".len() + word.len(), CHECK_TIME, &total)
}

fn closing(report: &Report, style: Style) -> Vec<String> {
    let counts = report.counts();
    let doubts = report.disagreements.iter().chain(&report.gaps);
    let mut lines: Vec<_> = doubts.map(|doubt| style.fit(&format!("{} {}", style.arrow(), one_line(doubt)))).collect();
    let warnings = report.warnings_of_evidence();
    lines.extend(
        warnings.iter().map(|warning| style.fit(&format!("{} {}", style.arrow(), cut(&one_line(warning), 400)))),
    );
    lines.push(match report.result() {
        Verdict::Passed if report.is_validation() => "Ready to deploy!".to_owned(),
        Verdict::Passed => format!("{} of {} checks passed.", counts.passed, counts.checks),
        Verdict::Failed if counts.failed > 0 => format!("{} check(s) failed. Fix issues and retry.", counts.failed),
        Verdict::Failed => "The run failed. Fix issues and retry.".to_owned(),
        Verdict::Incomplete => "Incomplete: nothing is proven until everything reports.".to_owned(),
    });
    let rerun = report.rerun.as_ref().filter(|_| report.result() != Verdict::Passed);
    lines.extend(rerun.map(|rerun| style.fit(&format!("Run it again: {}", one_line(rerun)))));
    lines
}

/// `left`, of the given display width, and `right` from the given column on.
fn column(left: &str, width: usize, at: usize, right: &str) -> String {
    if right.is_empty() {
        return left.to_owned();
    }
    format!("{left}{}{right}", " ".repeat(at.saturating_sub(width).max(1)))
}

#[cfg(test)]
mod tests;
