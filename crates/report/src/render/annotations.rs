//! The report as annotations, the most useful first: a runner shows only the first few.

use std::collections::HashSet;

use runner::command::Annotation;

use super::format::{cut, one_line, straight};
use crate::{Check, Diff, Finding, Level, Report, Stage, Status};

/// The runner cuts a message at 4,096 characters.
const MESSAGE: usize = 4000;

/// The annotations of a report, and how many of its findings have none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Annotations {
    /// The most useful first.
    pub shown: Vec<Annotation>,
    /// How many further errors, warnings and notices there are.
    pub hidden: Hidden,
}

/// Findings without an annotation, by level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names of the levels")]
pub struct Hidden {
    pub errors: u64,
    pub warnings: u64,
    pub notices: u64,
}

impl Hidden {
    /// Those of this level.
    #[must_use]
    pub fn of(self, level: Level) -> u64 {
        match level {
            Level::Error => self.errors,
            Level::Warning => self.warnings,
            Level::Notice => self.notices,
        }
    }

    fn add(&mut self, level: Level, count: u64) {
        *match level {
            Level::Error => &mut self.errors,
            Level::Warning => &mut self.warnings,
            Level::Notice => &mut self.notices,
        } += count;
    }
}

/// One annotation for each check that keeps the report from passing, then for what the report as a whole lacks, then the other
/// findings. Findings that are new come before those that are known, and those on a line of the change before those in its
/// files and elsewhere. One finding per rule and file is enough: the others are hidden.
#[must_use]
pub fn annotations(report: &Report, diff: &Diff) -> Annotations {
    let (mut first, mut others, mut hidden) = (Vec::new(), Vec::new(), Hidden::default());
    for (stage, check) in report.troubles() {
        // The sentence about all legs comes before what one of them found, and a reason before warnings beside it.
        let is_told = !check.legs.is_empty() || check.cause().is_none();
        if is_told {
            first.push(of_check(stage, check));
        }
        let mut findings = chosen(stage, check, diff, &mut hidden).into_iter();
        if check.cause().is_some() {
            first.extend(findings.next().map(|(_, found)| found));
        }
        others.extend(findings);
    }
    for (stage, check) in report.checks().filter(|(_, check)| check.status <= Status::Skipped && !check.is_trouble()) {
        others.extend(chosen(stage, check, diff, &mut hidden));
    }
    others.sort_by_key(|(rank, _)| *rank);
    let doubts = report.disagreements.iter().chain(&report.gaps);
    first.extend(doubts.map(|doubt| Annotation::new(Level::Error, title(&report.title), message(doubt))));
    let warned = report.warnings();
    first.extend(warned.iter().map(|warning| Annotation::new(Level::Warning, title(&report.title), message(warning))));
    first.extend(others.into_iter().map(|(_, found)| found));
    Annotations { shown: first, hidden }
}

/// What orders findings: worse ones first, then new ones, then those near the change.
type Rank = (std::cmp::Reverse<Level>, bool, crate::Nearness);

/// The findings of a check that are worth an annotation, the most useful first.
fn chosen(stage: &Stage, check: &Check, diff: &Diff, hidden: &mut Hidden) -> Vec<(Rank, Annotation)> {
    let mut ranked: Vec<(Rank, &Finding)> =
        check.findings.iter().map(|finding| (rank(finding, diff), finding)).collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    let mut seen: HashSet<(Option<&str>, &str, &str)> = HashSet::new();
    ranked.retain(|(_, finding)| {
        let key = finding.rule.as_deref().zip(finding.path.as_deref());
        let is_first = key.is_none_or(|(rule, path)| seen.insert((finding.leg.as_deref(), rule, path)));
        if !is_first {
            hidden.add(finding.level, 1);
        }
        is_first
    });
    omitted(check, hidden);
    ranked.into_iter().map(|(rank, finding)| (rank, of_finding(stage, check, finding))).collect()
}

fn rank(finding: &Finding, diff: &Diff) -> Rank {
    (std::cmp::Reverse(finding.level), finding.new == Some(false), diff.nearness(finding))
}

/// Counts the findings that were never kept.
fn omitted(check: &Check, hidden: &mut Hidden) {
    if check.findings_omitted == 0 {
        return;
    }
    for level in [Level::Error, Level::Warning, Level::Notice] {
        let counted: u64 = check.evidence.iter().map(|piece| piece.of_level(level)).sum();
        let kept = check.findings.iter().filter(|finding| finding.level == level).count() as u64;
        hidden.add(level, counted.saturating_sub(kept));
    }
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
    cut(&straight(&runner::foreign::lines(text)), MESSAGE)
}

#[cfg(test)]
mod tests {
    use runner::command;

    use super::annotations;
    use crate::{Diff, Record, Report};

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
        let all = annotations(&report, &Diff::default());
        let lines: Vec<_> = all.shown.iter().map(command::annotation).collect();
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

    #[test]
    fn a_check_that_failed_for_another_reason_than_its_warnings_has_an_error() {
        let report = report(
            r#"{"v":1,"event":"run_started","title":"T"}
{"v":1,"event":"finding","check":"a/one","level":"warning","path":"x.ts","line":4,"message":"odd"}
{"v":1,"event":"check_finished","check":"a/one","status":"failed","reason":{"code":"nothing_ran","text":"no test ran"}}
{"v":1,"event":"run_finished","result":"failed"}"#,
        );
        let all = annotations(&report, &Diff::default());
        let lines: Vec<_> = all.shown.iter().map(command::annotation).collect();
        let expected = ["::error title=A › one::failed: no test ran", "::warning file=x.ts,line=4,title=A › one::odd"];
        assert_eq!(lines, expected);
        assert_eq!(report.reasons(), ["a/one failed: no test ran"]);
        assert!(crate::agent(&report).starts_with("failed 1/1 checks: a/one no test ran\na/one failed: no test ran\n"));
    }

    #[test]
    fn new_findings_come_first_then_those_on_lines_of_the_change_and_one_per_rule_and_file() {
        let report = report(
            r#"{"v":1,"event":"run_started","title":"T"}
{"v":1,"seq":1,"event":"finding","check":"a/lint","level":"error","path":"old.ts","line":1,"rule":"R","message":"known","new":false}
{"v":1,"seq":2,"event":"finding","check":"a/lint","level":"error","path":"other.ts","line":1,"rule":"R","message":"elsewhere"}
{"v":1,"seq":3,"event":"finding","check":"a/lint","level":"error","path":"x.ts","line":9,"rule":"R","message":"in the file"}
{"v":1,"seq":4,"event":"finding","check":"a/lint","level":"error","path":"x.ts","line":4,"rule":"R","message":"on the line"}
{"v":1,"seq":5,"event":"finding","check":"a/lint","level":"error","path":"x.ts","line":5,"rule":"Q","message":"another rule"}
{"v":1,"seq":6,"event":"check_finished","check":"a/lint","status":"failed"}
{"v":1,"seq":7,"event":"run_finished","result":"failed"}"#,
        );
        let diff = Diff::parse("+++ b/x.ts\n@@ -4 +4 @@\n-a\n+b\n");
        let all = annotations(&report, &diff);
        let messages: Vec<_> = all.shown.iter().map(|one| one.message.as_str()).collect();
        assert_eq!(messages, ["R on the line", "Q another rule", "R elsewhere", "R known"]);
        assert_eq!(all.hidden.errors, 1);
    }

    #[test]
    fn findings_that_were_only_counted_are_hidden_and_not_forgotten() {
        let report = report(
            r#"{"v":1,"event":"run_started","title":"T"}
{"v":1,"seq":1,"event":"finding","check":"a/lint","level":"error","message":"one"}
{"v":1,"seq":2,"event":"evidence","check":"a/lint","from":"sarif","nature":"linter","errors":3,"warnings":5,"findings_omitted":7}
{"v":1,"seq":3,"event":"check_finished","check":"a/lint","status":"failed"}
{"v":1,"seq":4,"event":"run_finished","result":"failed"}"#,
        );
        let hidden = annotations(&report, &Diff::default()).hidden;
        assert_eq!((hidden.errors, hidden.warnings), (2, 5));
    }
}
