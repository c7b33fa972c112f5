//! What evidence amounts to.

use super::{EXIT_CODE, FailOn, Flaky, Pattern, Policy};
use crate::{Evidence, Nature, Reason, Status, Tests, Totals};

fn tests(passed: u64, failed: u64, skipped: u64) -> Evidence {
    let tests = Tests { total: passed + failed + skipped, passed, failed, skipped, flaky: 0 };
    Evidence { from: "junit".to_owned(), tests, errors: failed, ..Evidence::default() }
}

fn exit(code: i64) -> Evidence {
    let reason = (code != 0).then(|| Reason::new("exit_code", format!("exit code {code}")));
    Evidence { from: EXIT_CODE.to_owned(), nature: Nature::Outcome, reason, ..Evidence::default() }
}

fn judged(policy: &Policy, mut evidence: Vec<Evidence>) -> (Status, String) {
    let judgement = policy.judge("checks/unit", &mut evidence);
    (judgement.status, judgement.reason.map(|reason| format!("{}: {}", reason.code, reason.text)).unwrap_or_default())
}

fn by_default(evidence: Vec<Evidence>) -> (Status, String) {
    judged(&Policy::default(), evidence)
}

#[test]
fn the_worst_evidence_decides() {
    assert_eq!(
        by_default(vec![tests(2, 0, 0), tests(1, 1, 0)]),
        (Status::Failed, "tests_failed: 1 of 2 tests failed".to_owned())
    );
    let absent = Evidence::of_problem("report", None, Reason::new("report_absent", "no r.xml"));
    assert_eq!(by_default(vec![tests(2, 0, 0), absent]).0, Status::Failed);
}

#[test]
fn an_exit_code_and_reports_that_disagree_fail_either_way_and_say_so() {
    let (status, text) = by_default(vec![exit(1), tests(2, 0, 0)]);
    assert_eq!((status, text.as_str()), (Status::Failed, "report_disagrees: exit code 1, but the reports are clean"));
    let (status, text) = by_default(vec![exit(0), tests(2, 1, 0)]);
    assert_eq!((status, text.as_str()), (Status::Failed, "report_disagrees: exit code 0, but 1 test failed"));
    assert_eq!(by_default(vec![exit(0)]).0, Status::Passed);
}

#[test]
fn nothing_is_judged_on_all_the_evidence_together() {
    assert_eq!(by_default(vec![tests(0, 0, 0), tests(1, 0, 0)]).0, Status::Passed);
    assert_eq!(by_default(vec![tests(0, 0, 0)]), (Status::Failed, "nothing_ran: no test ran".to_owned()));
    assert_eq!(by_default(vec![tests(0, 0, 2)]).0, Status::Skipped);
    let allowed = Policy { allow_empty: vec!["unit".parse().unwrap()], ..Policy::default() };
    assert_eq!(judged(&allowed, vec![tests(0, 0, 0)]).0, Status::Passed);
    let linter = Evidence { nature: Nature::Linter, ..tests(0, 0, 0) };
    assert_eq!(by_default(vec![linter]).0, Status::Passed);
}

/// A warning in a command's output.
fn text() -> Evidence {
    Evidence { from: "text".to_owned(), nature: Nature::Outcome, warnings: 1, ..Evidence::default() }
}

#[test]
fn what_stands_beside_empty_reports_of_tests_does_not_fill_them() {
    let claims = Evidence { totals: Some(Totals { tests: 5, failures: 3 }), ..tests(0, 0, 0) };
    let linter = Evidence { from: "sarif".to_owned(), nature: Nature::Linter, ..Evidence::default() };
    let plan = Evidence { from: "terraform-plan".to_owned(), nature: Nature::Changes, ..Evidence::default() };
    for beside in [text(), linter, plan] {
        for (report, status, code) in [
            (tests(0, 0, 0), Status::Failed, "nothing_ran"),
            (tests(0, 0, 2), Status::Skipped, "all_skipped"),
            (claims.clone(), Status::Failed, "claims_only"),
        ] {
            let (found, why) = by_default(vec![exit(0), report, beside.clone()]);
            assert!(found == status && why.starts_with(code), "{beside:?}: {why}");
        }
        assert_eq!(by_default(vec![exit(0), tests(1, 0, 0), beside.clone()]).0, Status::Passed);
        assert_eq!(by_default(vec![exit(0), beside]).0, Status::Passed);
    }
}

#[test]
fn the_reason_of_a_disagreement_is_what_failed() {
    let warns = Policy { fail_on: vec![(Pattern::any(), FailOn::Warning)], ..Policy::default() };
    assert_eq!(judged(&warns, vec![exit(0), text()]).1, "report_disagrees: exit code 0, but 1 warning is reported");
    let flaky = Evidence { tests: Tests { flaky: 1, ..tests(2, 0, 0).tests }, ..tests(2, 0, 0) };
    let strict = Policy { flaky: Flaky::Fail, ..Policy::default() };
    assert_eq!(
        judged(&strict, vec![exit(0), flaky]).1,
        "report_disagrees: exit code 0, but 1 test passed only when repeated"
    );
    let errors = Evidence { from: "sarif".to_owned(), nature: Nature::Linter, errors: 2, ..Evidence::default() };
    assert_eq!(by_default(vec![exit(0), errors]).1, "report_disagrees: exit code 0, but 2 errors are reported");
}

#[test]
fn only_a_report_is_called_clean_and_an_empty_one_is_not() {
    let builtin = Evidence { from: "clean-after".to_owned(), nature: Nature::Linter, ..Evidence::default() };
    for none in [builtin, text()] {
        assert_eq!(by_default(vec![exit(1), none]).1, "exit_code: exit code 1");
    }
    let named = Evidence { path: Some("tsc.txt".to_owned()), ..text() };
    assert_eq!(by_default(vec![exit(1), named]).1, "report_disagrees: exit code 1, but the reports are clean");
    assert_eq!(by_default(vec![exit(5), tests(0, 0, 0)]).1, "nothing_ran: exit code 5, and no test ran");
}

#[test]
fn totals_without_tests_fail_if_they_count_failures_and_prove_nothing_otherwise() {
    let claims = |failures| Evidence { totals: Some(Totals { tests: 4, failures }), ..tests(0, 0, 0) };
    assert_eq!(by_default(vec![claims(1)]).0, Status::Failed);
    assert_eq!(by_default(vec![claims(0)]).0, Status::Missing);
}

#[test]
fn patterns_match_an_id_or_its_name_and_stars_stay_within_a_part() {
    for (pattern, check, matches) in [
        ("unit", "checks/unit", true),
        ("checks/*", "checks/unit", true),
        ("checks*", "checks/unit", false),
        ("**", "checks/unit", true),
        ("ch?cks/u*t", "checks/unit", true),
        ("build/*", "checks/unit", false),
        ("un", "checks/unit", false),
        ("*", "checks/unit", true),
    ] {
        assert_eq!(pattern.parse::<Pattern>().unwrap().matches(check), matches, "{pattern}");
    }
}
