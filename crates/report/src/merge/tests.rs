//! What records add up to: promises, claims, shards, and the order of lines that must not matter.

use proptest::prelude::*;
use serde_json::json;

use crate::{Record, Report, Status, Verdict};

fn records(lines: &[serde_json::Value]) -> Vec<Record> {
    lines
        .iter()
        .enumerate()
        .map(|(seq, line)| {
            let mut line = line.clone();
            line["v"] = 1.into();
            line["run"] = "r".into();
            if line.get("seq").is_none() {
                line["seq"] = seq.into();
            }
            Record::parse(&line.to_string()).unwrap()
        })
        .collect()
}

fn report(lines: &[serde_json::Value]) -> Report {
    Report::of(&records(lines))
}

#[test]
fn a_planned_check_without_an_end_is_missing() {
    let report = report(&[
        json!({"event":"run_started","title":"T","plan":["a/one","a/two"]}),
        json!({"event":"check_finished","check":"a/one","status":"passed"}),
        json!({"event":"run_finished","result":"passed"}),
    ]);
    assert_eq!(report.result(), Verdict::Incomplete);
    assert_eq!(report.reasons(), ["a/two is missing: planned, but did not report"]);
}

#[test]
fn a_run_that_did_not_finish_is_incomplete_although_every_check_passed() {
    let report = report(&[
        json!({"event":"run_started","title":"Sites","plan":["a/one"]}),
        json!({"event":"check_finished","check":"a/one","status":"passed"}),
    ]);
    assert_eq!(report.result(), Verdict::Incomplete);
    assert_eq!(report.reasons(), ["Sites did not finish"]);
}

#[test]
fn a_run_whose_beginning_was_lost_is_incomplete() {
    let report = report(&[
        json!({"event":"check_finished","check":"a/one","status":"passed"}),
        json!({"event":"run_finished","result":"passed"}),
    ]);
    assert_eq!(report.reasons(), ["the report has no beginning, so its plan is unknown"]);
}

#[test]
fn failed_beats_incomplete() {
    let report = report(&[
        json!({"event":"run_started","plan":["a/one","a/two"]}),
        json!({"event":"check_finished","check":"a/one","status":"failed"}),
    ]);
    assert_eq!(report.result(), Verdict::Failed);
}

#[test]
fn nothing_that_ran_is_incomplete() {
    assert_eq!(report(&[]).result(), Verdict::Incomplete);
    let empty = [json!({"event":"run_started"}), json!({"event":"run_finished","result":"passed"})];
    assert_eq!(report(&empty).reasons(), ["nothing ran"]);
}

#[test]
fn a_claim_of_success_over_a_failed_check_is_shown_and_fails() {
    let report = report(&[
        json!({"event":"run_started","title":"T"}),
        json!({"event":"check_finished","check":"a/one","status":"failed","exit_code":2}),
        json!({"event":"run_finished","result":"passed"}),
    ]);
    assert_eq!(report.result(), Verdict::Failed);
    assert_eq!(report.reasons(), ["a/one failed: exit code 2", "T reports that it passed, but 1 check(s) failed"]);
}

#[test]
fn a_claim_of_failure_without_a_failed_check_fails_too() {
    let report = report(&[
        json!({"event":"run_started","title":"T"}),
        json!({"event":"check_finished","check":"a/one","status":"passed"}),
        json!({"event":"run_finished","result":"failed"}),
    ]);
    assert_eq!(report.result(), Verdict::Failed);
    assert_eq!(report.disagreements, ["T reports that it failed, but no check in it failed"]);
}

#[test]
fn an_error_found_by_a_check_that_passed_makes_it_fail() {
    let report = report(&[
        json!({"event":"run_started"}),
        json!({"event":"finding","check":"a/one","level":"error","message":"no"}),
        json!({"event":"check_finished","check":"a/one","status":"passed"}),
        json!({"event":"run_finished","result":"passed"}),
    ]);
    let check = &report.stages[0].checks[0];
    assert_eq!((check.status, check.reason.as_ref().unwrap().code.as_str()), (Status::Failed, "report_disagrees"));
}

#[test]
fn a_check_that_passed_with_a_failing_exit_code_fails_too() {
    let report = report(&[
        json!({"event":"run_started"}),
        json!({"event":"check_finished","check":"a/one","status":"passed","exit_code":5}),
        json!({"event":"run_finished","result":"passed"}),
    ]);
    let check = &report.stages[0].checks[0];
    assert_eq!(
        (check.status, check.why().as_str()),
        (Status::Failed, "reported as passed, but it ended with exit code 5")
    );
}

#[test]
fn the_same_check_from_two_shards_is_as_bad_as_the_worse() {
    let lines = [("py3.12", "passed"), ("py3.13", "failed")].map(|(shard, status)| {
        [
            json!({"shard":shard,"event":"run_started","plan":["quality/pytest"]}),
            json!({"shard":shard,"event":"check_finished","check":"quality/pytest","status":status}),
            json!({"shard":shard,"event":"run_finished","result":status}),
        ]
    });
    let report = report(&lines.concat());
    let check = &report.stages[0].checks[0];
    let legs: Vec<_> = check.legs.iter().map(|leg| (leg.name.as_str(), leg.status)).collect();
    assert_eq!(legs, [("py3.12", Status::Passed), ("py3.13", Status::Failed)]);
    assert_eq!(report.counts().checks, 1);
}

#[test]
fn a_stage_is_as_long_as_its_checks_are_apart() {
    let report = report(&[
        json!({"at":"2026-11-21T02:40:00Z","event":"run_started"}),
        json!({"at":"2026-11-21T02:40:00.500Z","event":"check_started","check":"a/one"}),
        json!({"at":"2026-11-21T02:40:03Z","event":"check_finished","check":"a/one","status":"passed","duration_seconds":2.5}),
        json!({"at":"2026-11-21T02:40:04Z","event":"check_finished","check":"a/two","status":"passed","duration_seconds":1.0}),
        json!({"at":"2026-11-21T02:40:05Z","event":"run_finished","result":"passed","duration_seconds":5.0}),
    ]);
    assert_eq!(report.stages[0].duration_seconds, Some(3.5));
    assert_eq!(report.stages[0].checks[1].offset_seconds, Some(3.0));
}

#[test]
fn shards_stand_in_the_order_of_their_numbers() {
    let lines = ["10/12", "2/12", "1/12"].map(|shard| json!({"shard":shard,"event":"run_started"}));
    let ids: Vec<_> = report(&lines).shards.into_iter().filter_map(|shard| shard.id).collect();
    assert_eq!(ids, ["1/12", "2/12", "10/12"]);
}

fn any_record() -> impl Strategy<Value = serde_json::Value> {
    let check = "(a|b)/[xyz]";
    let event = prop_oneof![
        (check, "(passed|failed|skipped|cancelled|missing)", 0.0..9.0f64, "(exit_code|timeout)")
            .prop_map(|(check, status, seconds, code)| json!({"event":"check_finished","check":check,"status":status,
                "duration_seconds":seconds,"reason":{"code":code,"text":"t"}})),
        (check, "[AB]").prop_map(|(check, name)| json!({"event":"check_started","check":check,"name":name})),
        (check, "(notice|warning|error)", "[mn]")
            .prop_map(|(check, level, text)| json!({"event":"finding","check":check,"level":level,"message":text})),
        (check, check).prop_map(|(one, two)| json!({"event":"run_started","title":"T","plan":[one,two]})),
        "(passed|failed|incomplete)".prop_map(|result| json!({"event":"run_finished","result":result})),
        ("(a|b)", "(passed|failed)")
            .prop_map(|(stage, status)| json!({"event":"stage_finished","stage":stage,"status":status})),
        Just(json!({"event":"lock_taken"})),
    ];
    (event, 0u64..3, 0u64..4, prop::option::of("[12]/2")).prop_map(|(mut event, second, seq, shard)| {
        event["at"] = format!("2026-11-21T02:40:0{second}Z").into();
        event["seq"] = seq.into();
        if let Some(shard) = shard {
            event["shard"] = shard.into();
        }
        event
    })
}

proptest! {
    #[test]
    fn the_order_of_the_lines_changes_nothing(
        (lines, shuffled) in prop::collection::vec(any_record(), 0..30)
            .prop_flat_map(|lines| (Just(lines.clone()), Just(lines).prop_shuffle()))
    ) {
        prop_assert_eq!(report(&lines), report(&shuffled));
    }

    #[test]
    fn a_stream_given_twice_counts_once(lines in prop::collection::vec(any_record(), 0..20)) {
        prop_assert_eq!(report(&lines), report(&[lines.clone(), lines.clone()].concat()));
    }

    #[test]
    fn more_records_never_turn_a_failure_into_a_success(
        lines in prop::collection::vec(any_record(), 0..20), more in prop::collection::vec(any_record(), 0..20)
    ) {
        if report(&lines).result() == Verdict::Failed {
            prop_assert_eq!(report(&[lines.clone(), more].concat()).result(), Verdict::Failed);
        }
    }
}
