//! The report for a language model: the verdict and the first place in one line, then findings, then how to run it again.
//!
//! Every line is short and whole: what a program printed becomes one line without control characters. Nothing that passed is
//! named. The text fits into 4 KiB whatever the report holds, and is usually a quarter of that.

use std::fmt::Write as _;

use super::format::{self, cut, one_line};
use crate::{Check, Finding, Report, Status, Verdict};

/// The most bytes of the text.
const LIMIT: usize = 4096;
/// Kept for what comes last: how to run it again, where the log is.
const RESERVED: usize = 1152;
/// The longest line of a finding.
const LINE: usize = 300;
/// How many files with logs are named.
const LOGS: usize = 3;
/// Lines of context for the first finding.
const CONTEXT: usize = 5;

/// The report, its last line ended.
#[must_use]
pub fn agent(report: &Report) -> String {
    // Writing to a String cannot fail.
    let mut text = first_line(report) + "\n";
    let mut lines: Vec<String> = Vec::new();
    let mut context = first_context(report);
    for (_, check) in report.troubles() {
        lines.extend(check_lines(check));
        // Five lines of context, for the first finding only.
        if let Some(shown) = context.take() {
            let at = usize::from(!lines.is_empty()).min(lines.len());
            lines.splice(at..at, shown);
        }
    }
    lines.extend(report.disagreements.iter().chain(&report.gaps).map(|doubt| harmless(doubt)));
    lines.extend(report.warnings().iter().map(|warning| format!("warning: {}", harmless(warning))));
    let total = lines.len();
    for (shown, line) in lines.into_iter().enumerate() {
        if text.len() + line.len() + 1 > LIMIT - RESERVED {
            let _ = writeln!(text, "… {} more lines", total - shown);
            break;
        }
        text.push_str(&line);
        text.push('\n');
    }
    if report.result() != Verdict::Passed {
        if let Some(rerun) = &report.rerun {
            let _ = writeln!(text, "rerun: {}", cut(&harmless(rerun), 240));
        }
        for log in logs(report) {
            let _ = writeln!(text, "log: {}", cut(&harmless(log), 200));
        }
    }
    text
}

/// Where all of the output is: the logs of the first checks that are in the way, and the page of the run.
fn logs(report: &Report) -> impl Iterator<Item = &str> {
    let files = report.troubles().into_iter().filter_map(|(_, check)| check.log());
    files.take(LOGS).chain(report.source.run_url.as_deref())
}

fn first_line(report: &Report) -> String {
    let counts = report.counts();
    let tests =
        counts.tests.map(|tests| format!(", {}", crate::verdict::count(tests.total, "test"))).unwrap_or_default();
    let (word, number) = match report.result() {
        Verdict::Passed => return format!("passed {}/{} checks{tests}", counts.passed, counts.checks),
        Verdict::Failed => ("failed", counts.failed),
        Verdict::Incomplete => ("incomplete", report.troubles().len()),
    };
    let first = report.troubles().first().map(|(_, check)| format!(": {} {}", check.id, check.why()));
    let doubt = || report.reasons().first().map(|reason| format!(": {reason}"));
    let why = first.or_else(doubt).unwrap_or_default();
    format!("{word} {number}/{} checks{}", counts.checks, cut(&harmless(&why), LINE))
}

/// The findings of a check that is in the way, or its reason.
fn check_lines(check: &Check) -> Vec<String> {
    let mut lines = Vec::new();
    if check.cause().is_none() || !check.legs.is_empty() {
        lines.push(cut(&harmless(&format!("{} {}", check.id, check.explained())), LINE));
    }
    lines.extend(check.findings.iter().map(|finding| cut(&harmless(&line(finding)), LINE)));
    if check.findings_omitted > 0 {
        lines.push(format!("{}: {} more findings", harmless(&check.id), check.findings_omitted));
    }
    lines
}

fn line(finding: &Finding) -> String {
    let leg = finding.leg.as_ref().map(|leg| format!("[{leg}]"));
    let test = finding.test.as_ref().map(|test| format!("{test}:"));
    let parts = [leg, finding.place(), finding.rule.clone(), test, Some(finding.message.clone())];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// What is around the first finding: its own detail, else the lines of the log that mention it.
fn first_context(report: &Report) -> Option<Vec<String>> {
    let (_, check) = report.troubles().into_iter().next()?;
    let quoted = |line: &str| format!("  | {}", cut(&harmless(line), 160));
    let finding = check.findings.first();
    let detail = finding.and_then(|finding| finding.detail.as_deref()).unwrap_or_default();
    let own: Vec<String> = detail.lines().filter(|line| !line.trim().is_empty()).take(CONTEXT).map(quoted).collect();
    if !own.is_empty() {
        return Some(own);
    }
    let found = finding.and_then(|finding| format::around(&check.output, finding, 1, CONTEXT - 2));
    let shown = found.unwrap_or_else(|| {
        let printed: Vec<&str> = check.output.lines().filter(|line| !line.trim().is_empty()).collect();
        printed[printed.len().saturating_sub(CONTEXT)..].iter().map(|line| (*line).to_owned()).collect()
    });
    let shown: Vec<String> = shown.iter().map(|line| quoted(line)).collect();
    (!shown.is_empty() && check.status == Status::Failed).then_some(shown)
}

/// One line without control characters, escape sequences and characters that turn the direction of writing.
fn harmless(text: &str) -> String {
    // What a sequence begins and ends with has to stay until the sequence is taken out as a whole.
    let is_kept = |letter: char| matches!(letter, '\u{1b}' | '\u{7}' | '\n' | '\r');
    let is_bad = |letter: char| letter.is_control() || format::turns_writing(letter);
    let plain: String =
        text.chars().map(|letter| if is_bad(letter) && !is_kept(letter) { ' ' } else { letter }).collect();
    let line = one_line(&plain);
    // A bell outside of a sequence.
    if line.contains('␇') { one_line(&line.replace('␇', " ")) } else { line }
}

#[cfg(test)]
mod tests {
    use crate::{Record, Report, agent};

    fn report(lines: &str) -> Report {
        Report::of(&lines.lines().map(|line| Record::parse(line).unwrap()).collect::<Vec<_>>())
    }

    #[test]
    fn the_first_line_has_the_verdict_and_the_first_place() {
        let mut report = report(include_str!("../../tests/events.jsonl"));
        report.rerun = Some("just check".to_owned());
        insta::assert_snapshot!(agent(&report), @r"
        failed 1/3 checks: build/worker workers/intake/src/index.ts:45:9 TS2322 Type 'string' is not assignable to type 'number'.
        workers/intake/src/index.ts:45:9 TS2322 Type 'string' is not assignable to type 'number'.
          | src/index.ts(45,9): error TS2322: Type 'string' is not assignable to type 'number'.
        rerun: just check
        ");
    }

    #[test]
    fn a_failure_between_logs_of_four_hundred_lines_fits_into_a_kilobyte() {
        let log = |at: &str| "compiling a module\n".repeat(400) + at;
        let mut lines = vec![r#"{"v":1,"event":"run_started","title":"T"}"#.to_owned()];
        for (check, status, at) in [("a/one", "passed", ""), ("a/two", "failed", "src/index.ts(45,9): error\n")] {
            lines.push(serde_json::json!({"v":1,"event":"output","check":check,"text":log(at)}).to_string());
            lines.push(serde_json::json!({"v":1,"event":"check_finished","check":check,"status":status}).to_string());
        }
        lines.push(r#"{"v":1,"event":"finding","check":"a/two","level":"error","path":"src/index.ts","line":45,"message":"no"}"#.to_owned());
        lines.push(r#"{"v":1,"event":"run_finished","result":"failed"}"#.to_owned());
        let text = agent(&report(&lines.join("\n")));
        assert!(text.len() < 1024 && text.lines().next().unwrap().contains("src/index.ts:45"), "{text}");
    }

    #[test]
    fn escape_sequences_leave_nothing_behind() {
        let printed =
            "\u{1b}[2m Test Files \u{1b}[22m \u{1b}[1m\u{1b}[31m1 failed\u{1b}[39m\u{7}\u{1b}]0;title\u{7} end\n";
        let report = report(&format!(
            "{}\n{}\n{}",
            r#"{"v":1,"event":"run_started","title":"T"}"#,
            serde_json::json!({"v":1,"event":"output","check":"a/b","text":printed}),
            r#"{"v":1,"event":"check_finished","check":"a/b","status":"failed"}"#,
        ));
        assert!(agent(&report).contains("\n  | Test Files 1 failed end\n"), "{}", agent(&report));
    }

    #[test]
    fn whatever_a_report_holds_the_text_is_short_and_its_lines_are_harmless() {
        let evil = "x\n::error::y\u{202e}\u{1b}[31m##[error]".repeat(200);
        let mut lines = vec![r#"{"v":1,"event":"run_started","title":"T"}"#.to_owned()];
        for number in 0..500 {
            let finding = serde_json::json!({"v":1,"seq":number,"event":"finding","check":"a/b","level":"error","message":evil,"detail":evil});
            lines.push(finding.to_string());
        }
        lines.push(r#"{"v":1,"event":"check_finished","check":"a/b","status":"failed"}"#.to_owned());
        let text = agent(&report(&lines.join("\n")));
        assert!(text.len() <= 4096, "{}", text.len());
        for line in text.lines() {
            assert!(
                !line.trim_start().starts_with("::") && !line.contains("##[") && !line.contains(['\u{1b}', '\u{202e}']),
                "{line}"
            );
        }
    }
}
