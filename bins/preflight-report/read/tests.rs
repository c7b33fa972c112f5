//! What documents become, and which inputs are refused.

use fault::Kind;
use report::{Policy, Report, Status, Verdict};

use super::{Reading, Setting, all};
use crate::gather::{Input, Repository};

fn read_with(policy: &Policy, texts: &[&str]) -> fault::Result<Reading> {
    let folder = tempfile::tempdir().unwrap();
    let file = |(number, text): (usize, &&str)| {
        let path = folder.path().join(number.to_string());
        std::fs::write(&path, text).unwrap();
        Input { name: None, path: Some(path), is_incidental: false }
    };
    let setting = Setting {
        run: "local".to_owned(),
        workflow: None,
        read_at: "2026-11-21T02:40:09.31Z".parse().unwrap(),
        repository: Repository::default(),
        policy: std::sync::Arc::new(policy.clone()),
        command_exited: None,
        keeps_records: true,
        masks: crate::publish::Masks::default(),
        patience: crate::gather::Patience::default(),
    };
    let mut read = all(texts.iter().enumerate().map(file).collect(), None, &setting);
    // The folder has a new name each time.
    let place = format!("`{}/", folder.path().display());
    let shorten = |text: &mut String| *text = text.replace(&place, "`");
    match &mut read {
        Ok(reading) => reading.gaps.iter_mut().for_each(shorten),
        Err(fault) => shorten(&mut fault.message),
    }
    read
}

fn read(texts: &[&str]) -> fault::Result<Reading> {
    read_with(&Policy::default(), texts)
}

fn report(text: &str) -> Report {
    read(&[text]).unwrap().merger.finish(&Policy::default())
}

const TIMED_FAIL: &str = include_str!("../../../tests/fixtures/reports/dagger-timed-fail.json");

#[test]
fn a_timed_document_keeps_its_stages_in_order_and_its_times() {
    let report = report(TIMED_FAIL);
    let stages: Vec<_> = report.stages.iter().map(|stage| (stage.id.as_str(), stage.duration_seconds)).collect();
    assert_eq!(stages, [("build", Some(5.9)), ("quality", Some(3.2)), ("integration", Some(0.21))]);
    assert_eq!(report.duration_seconds, Some(9.31));
    assert_eq!(report.stages[1].offset_seconds, Some(5.9));
    assert_eq!(report.started_at.unwrap().to_string(), "2026-11-21T02:40:00Z");
}

#[test]
fn an_error_that_says_skipped_is_a_skip_and_no_failure() {
    let report = report(TIMED_FAIL);
    let check = &report.stages[2].checks[1];
    assert_eq!((&*check.id, check.status), ("integration/django-health", Status::Skipped));
    assert_eq!(check.reason.as_ref().unwrap().text, "migrations failed");
    assert_eq!(report.counts().failed, 2);
    assert_eq!(report.disagreements, Vec::<String>::new());
}

#[test]
fn a_compilers_place_is_found_in_the_error() {
    let report = report(TIMED_FAIL);
    let check = &report.stages[0].checks[1];
    assert_eq!(check.exit_code, Some(2));
    assert_eq!(check.why(), "src/index.ts:45:9 TS2322 Type 'string' is not assignable to type 'number'.");
}

#[test]
fn brackets_behind_a_name_are_a_note_and_no_part_of_the_id() {
    let report = report(TIMED_FAIL);
    let check = &report.stages[1].checks[2];
    assert_eq!((&*check.id, check.note.as_deref()), ("quality/pytest", Some("no tests collected")));
}

#[test]
fn the_untimed_and_the_planned_form_are_read_too() {
    let untimed = report(include_str!("../../../tests/fixtures/reports/dagger-untimed-fail.json"));
    assert_eq!((untimed.result(), untimed.duration_seconds), (Verdict::Failed, None));
    assert_eq!(untimed.reasons(), ["quality/mypy failed: exit code 1"]);
    let planned = report(include_str!("../../../tests/fixtures/reports/dagger-planned.json"));
    let check = &planned.stages[0].checks[0];
    assert_eq!((planned.result(), check.duration_seconds), (Verdict::Passed, Some(7.0)));
    assert_eq!(check.data["tests_passed"], 24);
}

#[test]
fn a_claim_of_success_over_a_failed_check_is_no_success() {
    let report = report(
        r#"{"result":"passed","stages":{"build":{"status":"passed","checks":[{"name":"a","status":"failed"}]}}}"#,
    );
    assert_eq!(report.result(), Verdict::Failed);
    assert_eq!(report.disagreements.len(), 2);
}

#[test]
fn a_claim_of_failure_over_passed_checks_is_a_failure() {
    let report = report(
        r#"{"result":"failed","stages":{"build":{"status":"passed","checks":[{"name":"a","status":"passed"}]}}}"#,
    );
    assert_eq!(report.result(), Verdict::Failed);
}

#[test]
fn an_error_beside_a_status_of_passed_is_evidence_against_it() {
    for error in ["connection refused", "process \\\"x\\\" did not complete successfully: exit code: 5"] {
        let report = report(&format!(
            r#"{{"result":"passed","stages":{{"build":{{"checks":[{{"name":"a","status":"passed","error":"{error}"}}]}}}}}}"#
        ));
        assert_eq!(report.result(), Verdict::Failed, "{error}");
    }
}

#[test]
fn two_checks_of_one_name_stay_two() {
    let report = report(
        r#"{"result":"failed","stages":{"build":{"checks":[{"name":"a","status":"failed"},{"name":"a","status":"passed"}]}}}"#,
    );
    assert_eq!(report.counts().checks, 2);
}

#[test]
fn the_needs_of_a_workflow_are_jobs() {
    let failed = report(
        r#"{"validate":{"result":"success","outputs":{}},"deploy":{"result":"failure"},"notify":{"result":"skipped"}}"#,
    );
    let jobs: Vec<_> = failed.stages[0].checks.iter().map(|check| (&*check.id, check.status)).collect();
    assert_eq!(
        jobs,
        [("jobs/validate", Status::Passed), ("jobs/deploy", Status::Failed), ("jobs/notify", Status::Skipped)]
    );
    assert_eq!(failed.result(), Verdict::Failed);
    let skipped = report(r#"{"a":{"result":"success"},"b":{"result":"skipped"}}"#);
    assert_eq!(skipped.result(), Verdict::Incomplete);
    assert!(skipped.reasons()[0].starts_with("jobs/b proves nothing: the job was skipped"), "{:?}", skipped.reasons());
    let policy = Policy { may_skip: vec!["b".parse().unwrap()], ..Policy::default() };
    let text = r#"{"a":{"result":"success"},"b":{"result":"skipped"}}"#;
    assert_eq!(read_with(&policy, &[text]).unwrap().merger.finish(&policy).result(), Verdict::Passed);
    assert_eq!(report(r#"{"a":{"result":"success"},"b":{"result":"cancelled"}}"#).reasons(), ["jobs/b was cancelled"]);
}

#[test]
fn a_document_without_any_check_is_incomplete() {
    assert_eq!(report(r#"{"result":"passed","stages":{}}"#).result(), Verdict::Incomplete);
}

#[test]
fn blanks_are_incomplete_and_words_are_no_report() {
    assert_eq!(read(&[" \n"]).unwrap_err().kind, Kind::Incomplete);
    let fault = read(&["RESULT: FAILED\n"]).unwrap_err();
    assert_eq!((fault.kind, fault.message.as_str()), (Kind::Usage, "`0` holds no report in a known format"));
    assert_eq!(fault.causes[1], "it begins with: RESULT: FAILED");
}

#[test]
fn a_report_that_is_cut_off_is_refused_with_its_line() {
    let fault = read(&[&format!("noise\n{}", &TIMED_FAIL[..700])]).unwrap_err();
    assert_eq!((fault.kind, fault.message.as_str()), (Kind::Usage, "cannot read `0`, line 2"));
}

#[test]
fn a_record_that_is_cut_off_leaves_a_gap_and_the_rest_counts() {
    let reading =
        read(&["{\"v\":1,\"event\":\"run_started\",\"plan\":[\"a/b\"]}\n{\"v\":1,\"event\":\"check_fin"]).unwrap();
    assert_eq!(reading.records.len(), 1);
    assert!(reading.gaps[0].starts_with("line 2 of `0` is broken: it is cut off"), "{:?}", reading.gaps);
}

#[test]
fn an_empty_file_among_others_is_a_check_that_reported_nothing() {
    let report = read(&[TIMED_FAIL, ""]).unwrap().merger.finish(&Policy::default());
    let check = &report.stages.iter().find(|stage| stage.id == "checks").unwrap().checks[0];
    assert_eq!((check.status, check.reason.as_ref().unwrap().code.as_str()), (Status::Missing, "nothing_reported"));
}

#[test]
fn a_vacuous_pass_of_a_pipeline_is_said_and_fails_only_if_that_is_strict() {
    let text =
        r#"{"result":"passed","stages":{"q":{"checks":[{"name":"pytest (no tests collected)","status":"passed"}]}}}"#;
    let lenient = report(text);
    let check = &lenient.stages[0].checks[0];
    assert_eq!((check.status, check.reason.as_ref().unwrap().code.as_str()), (Status::Passed, "nothing_ran"));
    let policy = Policy { strict: true, ..Policy::default() };
    let strict = read_with(&policy, &[text]).unwrap().merger.finish(&policy);
    assert_eq!(strict.result(), Verdict::Failed);
}

#[test]
fn one_unknown_input_hides_no_other() {
    let reading = read(&["<testsuite><testcase name='a'/></testsuite>", "hello"]).unwrap();
    let report = reading.merger.finish(&Policy::default());
    let checks: Vec<_> = report.checks().map(|(_, check)| (&*check.id, check.status)).collect();
    assert_eq!(checks, [("checks/junit", Status::Passed), ("checks/1", Status::Failed)]);
}

#[test]
fn the_second_document_is_held_against_its_own_claims() {
    let passed = r#"{"result":"passed","stages":{"build":{"checks":[{"name":"a","status":"failed"}]}}}"#;
    let report = report(&format!("{TIMED_FAIL}\n{passed}"));
    assert_eq!(report.disagreements, ["Pre-deploy validation (shard 2) reports that it passed, but 1 check(s) failed"]);
}

#[test]
fn a_byte_that_was_no_utf8_does_not_hide_the_failure_it_stands_in() {
    let report = report(
        r#"{"result":"failed","stages":{"build":{"checks":[{"name":"a","status":"failed","error":"x \udcff"}]}}}"#,
    );
    assert_eq!(report.reasons(), ["build/a failed: x \u{fffd}"]);
}

#[test]
fn a_document_that_cannot_be_a_value_is_refused_rather_than_passed_over() {
    assert_eq!(read(&[r#"{"stages":{},"duration_seconds":1e999}"#]).unwrap_err().kind, Kind::Usage);
}

#[test]
fn a_job_that_needs_no_other_reports_nothing() {
    assert_eq!(read(&["{}\n"]).unwrap_err().kind, Kind::Incomplete);
}
