//! Streams as producers write them, shortened.

use report::Evidence;

use crate::{EvidenceOnly, Kept, Prose, read};

fn tap(text: &str) -> (Evidence, Vec<Kept>) {
    let reading = read(&mut text.as_bytes(), Prose::Noise, &mut EvidenceOnly).unwrap();
    reading.documents.into_iter().next().unwrap().tally.finish()
}

fn counts(text: &str) -> [u64; 5] {
    let (evidence, _) = tap(text);
    let tests = evidence.tests;
    [tests.total, tests.passed, tests.failed, tests.skipped, evidence.errors - tests.failed]
}

#[test]
fn points_directives_and_names_are_read_as_loosely_as_they_are_written() {
    let text = "TAP version 13\n1..8\nok 1 - a\nok 2-b\nok-c\nnot ok\nok 5 # SKIP no\nnot ok 6 # todo x\nok-# skip y\nnot ok 8 d\n";
    assert_eq!(counts(text), [8, 3, 2, 3, 0]);
}

#[test]
fn a_plan_that_is_not_kept_missing_or_bailed_out_of_fails() {
    assert_eq!(counts("1..3\nok 1\n"), [1, 1, 0, 0, 1]);
    assert_eq!(counts("TAP version 13\nok 1\n"), [1, 1, 0, 0, 1]);
    assert_eq!(counts("ok 1\nBail out!  no database\n"), [1, 1, 0, 0, 1]);
    assert_eq!(counts("1..1\nok 1\nok 2\n")[4], 1);
}

#[test]
fn streams_behind_each_other_are_held_against_their_own_plans() {
    assert_eq!(counts("1..2\nok 1\nok 2\n1..1\nnot ok 1\n"), [3, 2, 1, 0, 0]);
    assert_eq!(counts("TAP version 13\n1..3\nok 1\nTAP version 13\n1..1\nok 1\n"), [2, 2, 0, 0, 1]);
    assert_eq!(counts("ok 1\n1..1\nok 1\nok 2\n1..2\n"), [3, 3, 0, 0, 0]);
}

#[test]
fn a_number_that_is_there_twice_hides_one_that_is_missing() {
    assert_eq!(counts("1..2\nok 1\nok 1\n"), [2, 2, 0, 0, 1]);
}

#[test]
fn a_nested_failure_explains_its_parent_or_contradicts_it() {
    let (evidence, kept) = tap(
        "1..1\n# Subtest: a\n    not ok 1 - inner\n      ---\n      error: 'boom'\n      at: 'x.js:3:4'\n      ...\n    1..1\nnot ok 1 - a\n",
    );
    assert_eq!((evidence.tests.failed, kept[0].1.message.as_str()), (1, "inner: boom"));
    assert_eq!(kept[0].1.locations[0].path, "x.js");
    assert_eq!(counts("1..1\nok 1 - a {\n    1..1\n    not ok - no\n}\n"), [1, 1, 0, 0, 1]);
}

#[test]
fn diagnostics_give_message_and_place() {
    let (_, kept) = tap(
        "1..2\nnot ok 1 x # in 22 ms\n# (in test file a.bats, line 4)\n#   `[ 1 -eq 2 ]' failed\nnot ok 2 - y\n  ---\n  {\"message\":\"no\",\"at\":{\"file\":\"./s.ts\",\"line\":2}}\n  ...\n",
    );
    assert_eq!((kept[0].1.locations[0].path.as_str(), kept[0].1.locations[0].line), ("a.bats", Some(4)));
    assert_eq!((kept[1].1.message.as_str(), kept[1].1.locations[0].path.as_str()), ("no", "s.ts"));
}
