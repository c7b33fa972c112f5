//! Brings together what several shards reported about one check, such as the jobs of a matrix.
//!
//! The check is as bad as its worst leg, every leg that did not pass is named, and no finding is lost.

use std::collections::HashMap;

use crate::fold::longest;
use crate::{Check, Finding, Leg, Reason, Status, Tests};

/// How many legs that did not pass are named in a sentence.
const NAMED: usize = 5;

/// The checks, each once, in the order of their first mention.
pub(crate) fn merge<'a>(checks: impl Iterator<Item = (Option<&'a str>, Check)>, several: bool) -> Vec<Check> {
    if !several {
        return checks.map(|(_, check)| check).collect();
    }
    let mut together: Vec<Option<(Option<&str>, Check)>> = checks.map(Some).collect();
    let mut places: HashMap<Box<str>, Vec<usize>> = HashMap::new();
    for (at, (_, check)) in together.iter().flatten().enumerate() {
        places.entry(check.id.clone()).or_default().push(at);
    }
    for taken in places.into_values().filter(|taken| taken.len() > 1) {
        let checks: Vec<_> = taken.iter().filter_map(|at| together[*at].take()).collect();
        let legs = (1..).zip(&checks).map(|(number, (shard, check))| leg(*shard, check, number)).collect();
        let checks = checks.into_iter().map(|(_, check)| check).collect();
        together[taken[0]] = one(checks, legs).map(|check| (None, check));
    }
    together.into_iter().flatten().map(|(_, check)| check).collect()
}

fn leg(shard: Option<&str>, check: &Check, number: usize) -> Leg {
    let name = shard.map_or_else(|| if number == 1 { "main".to_owned() } else { number.to_string() }, str::to_owned);
    let why = if check.is_trouble() { check.why() } else { String::new() };
    Leg { name, status: check.status, why, tests: check.tests(), duration_seconds: check.duration_seconds }
}

/// One check of several.
fn one(checks: Vec<Check>, legs: Vec<Leg>) -> Option<Check> {
    let worst = legs.iter().map(|leg| leg.status).max()?;
    let mut whole: Option<Check> = None;
    for (mut check, leg) in checks.into_iter().zip(&legs) {
        check.findings.iter_mut().for_each(|finding| finding.leg = Some(leg.name.clone()));
        whole = Some(match whole {
            None => check,
            Some(whole) => absorb(whole, check),
        });
    }
    let mut whole = whole?;
    whole.findings.sort_by_key(|finding| std::cmp::Reverse(finding.level));
    whole.status = worst;
    if worst > Status::Passed {
        let code = whole.reason.as_ref().map_or_else(|| worst.name().to_owned(), |reason| reason.code.clone());
        whole.reason = Some(Reason::new(code, sentence(&legs)));
    }
    let tests = Tests::of(&whole.evidence);
    whole.note = tests.map_or_else(|| whole.note.take(), |tests| Some(crate::verdict::note_of_tests(tests)));
    whole.legs = legs;
    Some(whole)
}

/// Takes in what another leg reported: the worse of the two gives status, reason and exit code, both keep the rest.
fn absorb(mut whole: Check, mut other: Check) -> Check {
    let mut findings: Vec<Finding> = std::mem::take(&mut whole.findings);
    findings.append(&mut other.findings);
    let mut evidence = std::mem::take(&mut whole.evidence);
    evidence.append(&mut other.evidence);
    let output = std::mem::take(&mut whole.output) + &other.output;
    let omitted = whole.findings_omitted + other.findings_omitted;
    let duration = longest(whole.duration_seconds, other.duration_seconds);
    let (mut worse, mut better) = if other.status > whole.status { (other, whole) } else { (whole, other) };
    worse.duration_seconds = duration;
    worse.findings = findings;
    worse.findings_omitted = omitted;
    worse.evidence = evidence;
    worse.output = output;
    worse.url = worse.url.take().or_else(|| better.url.take());
    worse.title = worse.title.take().or_else(|| better.title.take());
    worse
}

/// `2 of 3 legs did not pass: py3.12 failed (1 of 5 tests failed), py3.13 is missing`.
fn sentence(legs: &[Leg]) -> String {
    let bad: Vec<&Leg> = legs.iter().filter(|leg| leg.status != Status::Passed).collect();
    let mut named: Vec<String> = bad.iter().take(NAMED).map(|leg| named(leg)).collect();
    if bad.len() > NAMED {
        named.push(format!("and {} more", bad.len() - NAMED));
    }
    let did = if bad.iter().all(|leg| leg.status == Status::Failed) { "failed" } else { "did not pass" };
    format!("{} of {} legs {did}: {}", bad.len(), legs.len(), named.join(", "))
}

fn named(leg: &Leg) -> String {
    let status = if leg.status == Status::Failed { String::new() } else { format!(" {}", leg.status.name()) };
    if leg.why.is_empty() || leg.why == leg.status.name() {
        return format!("{}{status}", leg.name);
    }
    format!("{}{status} ({})", leg.name, crate::render::format::cut(&leg.why, 120))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::{Record, Report, Status};

    fn report(lines: &[serde_json::Value]) -> Report {
        let line = |line: &serde_json::Value| Record::parse(&line.to_string()).unwrap();
        Report::of(&lines.iter().map(line).collect::<Vec<_>>())
    }

    fn leg(shard: &str, status: &str, message: &str) -> Vec<serde_json::Value> {
        vec![
            json!({"v":1,"run":"r","shard":shard,"event":"run_started"}),
            json!({"v":1,"run":"r","shard":shard,"event":"finding","check":"a/unit","level":"notice","message":message}),
            json!({"v":1,"run":"r","shard":shard,"event":"check_finished","check":"a/unit","status":status,
                   "reason":{"code":"x","text":message}}),
            json!({"v":1,"run":"r","shard":shard,"event":"run_finished","result":status}),
        ]
    }

    #[test]
    fn every_leg_that_did_not_pass_is_named_with_its_reason_and_no_finding_is_lost() {
        let lines = [leg("py3.11", "passed", "fine"), leg("py3.12", "failed", "one"), leg("py3.13", "failed", "two")];
        let report = report(&lines.concat());
        let check = &report.stages[0].checks[0];
        assert_eq!(check.status, Status::Failed);
        assert_eq!(check.reason.as_ref().unwrap().text, "2 of 3 legs failed: py3.12 (one), py3.13 (two)");
        let legs: Vec<_> = check.findings.iter().map(|finding| finding.leg.as_deref().unwrap()).collect();
        assert_eq!(legs, ["py3.11", "py3.12", "py3.13"]);
        assert_eq!(report.reasons()[0], "a/unit failed: 2 of 3 legs failed: py3.12 (one), py3.13 (two)");
    }

    #[test]
    fn many_failing_legs_are_counted_after_the_first_five() {
        let lines: Vec<_> = (0..8).flat_map(|number| leg(&format!("s{number}"), "failed", "no")).collect();
        let report = report(&lines);
        assert!(report.reasons()[0].ends_with("s4 (no), and 3 more"), "{:?}", report.reasons());
    }
}
