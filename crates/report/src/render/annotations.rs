//! The report as annotations, the most useful first: a runner shows only the first few.

use runner::command::Annotation;

use super::format::{cut, one_line};
use crate::{Check, Finding, Level, Report, Stage, Status};

/// The runner cuts a message at 4,096 characters.
const MESSAGE: usize = 4000;

/// One annotation for each check that keeps the report from passing, then for what the report as a whole lacks, then the other
/// findings.
#[must_use]
pub fn annotations(report: &Report) -> Vec<Annotation> {
    let mut first = Vec::new();
    let mut others = Vec::new();
    for (stage, check) in report.troubles() {
        // The sentence about all legs comes before what one of them found.
        if !check.legs.is_empty() {
            first.push(of_check(stage, check));
        }
        let mut findings = check.findings.iter().map(|finding| of_finding(stage, check, finding));
        first.extend(findings.next().or_else(|| check.legs.is_empty().then(|| of_check(stage, check))));
        others.extend(findings);
    }
    for (stage, check) in report.checks().filter(|(_, check)| check.status <= Status::Skipped) {
        others.extend(check.findings.iter().map(|finding| of_finding(stage, check, finding)));
    }
    let doubts = report.disagreements.iter().chain(&report.gaps);
    first.extend(doubts.map(|doubt| Annotation::new(Level::Error, title(&report.title), message(doubt))));
    let warned = report.warnings();
    first.extend(warned.iter().map(|warning| Annotation::new(Level::Warning, title(&report.title), message(warning))));
    first.extend(others);
    first
}

fn of_check(stage: &Stage, check: &Check) -> Annotation {
    Annotation::new(Level::Error, title(&format!("{} › {}", stage.name, check.name())), message(&check.explained()))
}

fn of_finding(stage: &Stage, check: &Check, finding: &Finding) -> Annotation {
    let leg = finding.leg.as_ref().map(|leg| format!("[{leg}]"));
    let test_name = finding.test.as_ref().map(|name| format!("{name}:"));
    let parts = [leg, finding.rule.clone(), test_name, Some(finding.message.clone())];
    let text = parts.into_iter().flatten().collect::<Vec<_>>().join(" ");
    Annotation {
        level: finding.level,
        title: title(&format!("{} › {}", stage.name, check.name())),
        message: message(&text),
        path: finding.path.as_deref().filter(|_| !finding.outside).map(one_line),
        line: finding.line.filter(|_| !finding.outside),
        column: finding.column.filter(|_| !finding.outside),
    }
}

fn title(text: &str) -> String {
    cut(&one_line(text), 200)
}

fn message(text: &str) -> String {
    cut(&runner::foreign::lines(text), MESSAGE)
}

#[cfg(test)]
mod tests {
    use runner::command;

    use super::annotations;
    use crate::{Record, Report};

    fn report(lines: &str) -> Report {
        Report::of(&lines.lines().map(|line| Record::parse(line).unwrap()).collect::<Vec<_>>())
    }

    #[test]
    fn every_failed_check_speaks_before_any_speaks_twice() {
        let report = report(
            r#"{"v":1,"event":"run_started","title":"T","plan":["a/one","a/two"]}
{"v":1,"event":"finding","check":"a/one","level":"error","path":"x.ts","line":4,"rule":"R1","message":"first"}
{"v":1,"event":"finding","check":"a/one","level":"error","path":"x.ts","line":9,"rule":"R2","message":"second"}
{"v":1,"event":"check_finished","check":"a/one","status":"failed"}"#,
        );
        let all = annotations(&report);
        let lines: Vec<_> = all.iter().map(command::annotation).collect();
        assert_eq!(
            lines,
            [
                "::error file=x.ts,line=4,title=A › one::R1 first",
                "::error title=A › two::missing: planned, but did not report",
                "::error title=T::T did not finish",
                "::error file=x.ts,line=9,title=A › one::R2 second",
            ]
        );
    }
}
