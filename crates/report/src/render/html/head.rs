//! The verdict, and what it rests on in numbers.

use std::fmt::Write as _;

use super::escape::{link, text};
use super::parts::joined;
use crate::render::format::{self, counted, seconds};
use crate::render::markdown::place;
use crate::verdict::count;
use crate::{Counts, Report, Verdict};

/// The title of the browser's window: the outcome first, because a tab has little room.
pub(super) fn window(report: &Report) -> String {
    let mark = match report.result() {
        Verdict::Passed => "✓",
        Verdict::Failed => "✗",
        Verdict::Incomplete => "?",
    };
    let first = counted(&report.counts()).into_iter().next().unwrap_or_default();
    format!("{mark} {first} · {}", name(report))
}

pub(super) fn head(report: &Report) -> String {
    let counts = report.counts();
    let counted = counted(&counts);
    let rest = joined(counted[1..].iter().map(|part| format!(", {part}")));
    format!(
        "<p class=\"name\">{}</p>\n<h1>{}{}</h1>\n<p class=\"outcome\"><strong>{}</strong>{rest}</p>\n{}{}",
        name(report),
        seal(report.result()),
        outcome(report),
        counted[0],
        share(&counts),
        facts(report, &counts),
    )
}

fn name(report: &Report) -> String {
    text(&format::title(&report.title), 200)
}

fn outcome(report: &Report) -> &'static str {
    match (report.result(), report.is_validation()) {
        (Verdict::Passed, true) => "Ready to deploy",
        (Verdict::Passed, false) => "Passed",
        (Verdict::Failed, true) => "Failed: do not deploy",
        (Verdict::Failed, false) => "Failed",
        (Verdict::Incomplete, true) => "Incomplete: do not deploy",
        (Verdict::Incomplete, false) => "Incomplete",
    }
}

/// A tick, a cross or a question mark in a disc.
fn seal(verdict: Verdict) -> String {
    let path = match verdict {
        Verdict::Passed => "M7 12.5l3.5 3.5L17 8.8",
        Verdict::Failed => "M8 8l8 8M16 8l-8 8",
        Verdict::Incomplete => "M9 9.2c.3-3.6 6.2-3.4 6 .2-.1 2.2-3 2.2-3 4.6M12 17.3v.1",
    };
    format!(
        "<svg class=\"seal\" viewBox=\"0 0 24 24\" aria-hidden=\"true\"><circle cx=\"12\" cy=\"12\" r=\"12\"/><path d=\"{path}\"/></svg>"
    )
}

/// How many checks ended how, as a bar.
fn share(counts: &Counts) -> String {
    let parts = [
        ("failed", counts.failed),
        ("missing", counts.missing),
        ("cancelled", counts.cancelled),
        ("skipped", counts.skipped),
        ("passed", counts.passed),
    ];
    if counts.checks == 0 {
        return String::new();
    }
    let (mut bar, mut at) = (String::new(), 0);
    for (class, part) in parts.into_iter().filter(|(_, part)| *part > 0) {
        // Writing to a String cannot fail.
        let (x, width) = (percent(at, counts.checks), percent(part, counts.checks));
        let _ = write!(bar, "<rect class=\"{class}\" x=\"{x:.2}%\" width=\"{width:.2}%\" height=\"8\"/>");
        at += part;
    }
    format!("<svg class=\"share\" aria-hidden=\"true\">{bar}</svg>\n")
}

#[expect(clippy::cast_precision_loss, reason = "a bar has a thousand pixels")]
fn percent(part: usize, whole: usize) -> f64 {
    100.0 * part as f64 / whole as f64
}

fn facts(report: &Report, counts: &Counts) -> String {
    let mut facts: Vec<(&str, String)> = Vec::new();
    let mut add = |name, value: Option<String>| facts.extend(value.map(|value| (name, value)));
    add("Duration", report.duration_seconds.map(seconds));
    add("Tests", counts.tests.map(crate::verdict::note_of_tests));
    let (errors, warnings) = (counts.findings_errors, counts.findings_warnings);
    let levels = [(errors, "error"), (warnings, "warning")].into_iter().filter(|(number, _)| *number > 0);
    let findings = levels.map(|(number, word)| count(number, word)).collect::<Vec<_>>().join(", ");
    add("Findings", Some(findings).filter(|findings| !findings.is_empty()));
    add("Commit", commit(report));
    add("Workflow run", run(report));
    // The minute is what a reader compares; more digits would only be longer.
    add("Started", report.started_at.map(|at| at.strftime("%Y-%m-%d %H:%M UTC").to_string()));
    let items = joined(facts.iter().map(|(name, value)| format!("<div><dt>{name}</dt><dd>{value}</dd></div>\n")));
    if items.is_empty() { items } else { format!("<dl class=\"facts\">\n{items}</dl>") }
}

fn commit(report: &Report) -> Option<String> {
    let commit = report.source.commit.as_deref()?;
    let shown = format!("<code>{}</code>", text(commit.get(..7).unwrap_or(commit), 40));
    let Some(repository) = &report.source.repository else { return Some(shown) };
    let server = report.source.server_url.as_deref().unwrap_or(place::SERVER);
    Some(link(&format!("{server}/{repository}/commit/{commit}"), &shown))
}

fn run(report: &Report) -> Option<String> {
    let url = report.source.run_url.as_deref()?;
    let workflow = report.source.workflow.as_deref().map_or_else(|| "log".to_owned(), |name| text(name, 80));
    let job = report.source.job.as_deref().map(|job| format!(" / {}", text(job, 80))).unwrap_or_default();
    Some(link(url, &format!("{workflow}{job}")))
}
