//! The report as `JUnit` XML: a suite for each stage, a case for each check.

use std::fmt::Write as _;

use crate::{Check, Report, Status};

/// The report as a `JUnit` document.
#[must_use]
pub fn junit(report: &Report) -> String {
    let counts = report.counts();
    let time = report.duration_seconds.map(|seconds| format!(" time=\"{seconds:.3}\"")).unwrap_or_default();
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\"{time}>\n",
        attribute(&report.title),
        counts.checks + report.disagreements.len() + report.gaps.len(),
        counts.failed,
        counts.missing + counts.cancelled + report.disagreements.len() + report.gaps.len(),
        counts.skipped
    );
    for stage in &report.stages {
        let number = |wanted: &[Status]| stage.checks.iter().filter(|check| wanted.contains(&check.status)).count();
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\">",
            attribute(&stage.name),
            stage.checks.len(),
            number(&[Status::Failed]),
            number(&[Status::Missing, Status::Cancelled]),
            number(&[Status::Skipped])
        );
        stage.checks.iter().for_each(|check| case(&stage.id, check, &mut text));
        text.push_str("  </testsuite>\n");
    }
    doubts(report, &mut text);
    text + "</testsuites>\n"
}

/// What keeps the report from passing and is no check: a reader of cases would not see it.
fn doubts(report: &Report, text: &mut String) {
    let doubts: Vec<&String> = report.disagreements.iter().chain(&report.gaps).collect();
    if doubts.is_empty() {
        return;
    }
    let count = doubts.len();
    let _ = writeln!(
        text,
        "  <testsuite name=\"Report\" tests=\"{count}\" failures=\"0\" errors=\"{count}\" skipped=\"0\">"
    );
    for doubt in doubts {
        let doubt = attribute(doubt);
        let _ = writeln!(
            text,
            "    <testcase classname=\"report\" name=\"{doubt}\"><error message=\"{doubt}\"/></testcase>"
        );
    }
    text.push_str("  </testsuite>\n");
}

fn case(stage: &str, check: &Check, text: &mut String) {
    let time = check.duration_seconds.map(|seconds| format!(" time=\"{seconds:.3}\"")).unwrap_or_default();
    let place = check.findings.iter().find(|finding| finding.path.is_some());
    let file = place.and_then(|finding| finding.path.as_deref()).map(|path| format!(" file=\"{}\"", attribute(path)));
    let line = place.and_then(|finding| finding.line).map(|line| format!(" line=\"{line}\""));
    let _ = write!(
        text,
        "    <testcase classname=\"{}\" name=\"{}\"{time}{}{}",
        attribute(stage),
        attribute(check.name()),
        file.unwrap_or_default(),
        line.unwrap_or_default()
    );
    let element = match check.status {
        Status::Passed => return passed(check, text),
        Status::Skipped => "skipped",
        Status::Failed => "failure",
        Status::Missing | Status::Cancelled => "error",
    };
    let why = check.explained();
    let more: Vec<String> = check
        .findings
        .iter()
        .map(|finding| {
            let parts = [finding.place(), finding.rule.clone(), finding.test.clone(), Some(finding.message.clone())];
            parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
        })
        .collect();
    let _ = writeln!(
        text,
        "><{element} message=\"{}\">{}</{element}></testcase>",
        attribute(&why),
        escaped(&more.join("\n"))
    );
}

/// Ends the case of a check that passed; what it warns of is its output.
fn passed(check: &Check, text: &mut String) {
    let warnings = check.warnings();
    if warnings.is_empty() {
        return text.push_str("/>\n");
    }
    let _ = writeln!(text, "><system-out>{}</system-out></testcase>", escaped(&warnings.join("\n")));
}

/// Text in an attribute: on one line.
fn attribute(text: &str) -> String {
    escaped(text).replace('\n', "&#10;").replace('\t', "&#9;")
}

/// Text without what XML cannot hold, and without `##[`, which a runner takes for a command.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            ':' if safe.is_empty() || safe.ends_with('\n') => safe.push_str("&#58;"),
            '\n' | '\t' => safe.push(letter),
            letter if letter.is_control() || matches!(letter, '\u{fffe}' | '\u{ffff}') => safe.push('\u{fffd}'),
            letter => safe.push(letter),
        }
    }
    safe.replace("##[", "#&#35;[")
}

#[cfg(test)]
mod tests {
    use crate::{Record, Report, junit};

    #[test]
    fn checks_are_cases_and_hostile_text_is_escaped() {
        let lines = r#"{"v":1,"event":"run_started","title":"T & <T>","plan":["a/one","a/two"]}
{"v":1,"event":"finding","check":"a/one","level":"error","path":"x.ts","line":4,"message":"\u001b]]> \"no\" ##[x"}
{"v":1,"event":"check_finished","check":"a/one","status":"failed","duration_seconds":0.5}"#;
        let report = Report::of(&lines.lines().map(|line| Record::parse(line).unwrap()).collect::<Vec<_>>());
        insta::assert_snapshot!(junit(&report), @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites name="T &amp; &lt;T&gt;" tests="3" failures="1" errors="2" skipped="0">
          <testsuite name="A" tests="2" failures="1" errors="1" skipped="0">
            <testcase classname="a" name="one" time="0.500" file="x.ts" line="4"><failure message="failed: x.ts:4 �]]&gt; &quot;no&quot; #&#35;[x">x.ts:4 �]]&gt; &quot;no&quot; #&#35;[x</failure></testcase>
            <testcase classname="a" name="two"><error message="missing: planned, but did not report"></error></testcase>
          </testsuite>
          <testsuite name="Report" tests="1" failures="0" errors="1" skipped="0">
            <testcase classname="report" name="T &amp; &lt;T&gt; did not finish"><error message="T &amp; &lt;T&gt; did not finish"/></testcase>
          </testsuite>
        </testsuites>
        "#);
    }
}
