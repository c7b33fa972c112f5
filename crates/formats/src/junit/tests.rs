//! Documents as real programs write them, shortened.

use report::{Evidence, Nature};

use crate::{EvidenceOnly, Kept, Prose, read};

fn junit(text: &str) -> (Evidence, Vec<Kept>) {
    let reading = read(&mut text.as_bytes(), Prose::Noise, &mut EvidenceOnly).unwrap();
    assert_eq!(reading.documents.len(), 1, "{reading:?}");
    reading.documents.into_iter().next().unwrap().tally.finish()
}

/// Total, passed, failed, skipped, flaky.
fn counts(text: &str) -> [u64; 5] {
    let tests = junit(text).0.tests;
    [tests.total, tests.passed, tests.failed, tests.skipped, tests.flaky]
}

#[test]
fn the_elements_of_a_case_decide_and_a_skip_beside_a_failure_is_expected() {
    let text = r#"<testsuites><testsuite tests="8" failures="9">
        <testcase name="a"/><testcase name="b"><failure/><failure/></testcase><testcase name="c"><error/></testcase>
        <testcase name="d"><skipped/></testcase><testcase name="e"><skipped/><failure/></testcase>
        <testcase name="f"><skipped/><error/></testcase><testcase name="g" status="notrun" result="suppressed"/>
        <testcase name="h"><flakyFailure/></testcase></testsuite></testsuites>"#;
    assert_eq!(counts(text), [8, 2, 3, 3, 1]);
}

#[test]
fn cases_outside_of_suites_and_a_root_suite_are_read() {
    assert_eq!(
        counts("<testsuites><testcase name='a'/><testsuite><testcase name='b'/></testsuite></testsuites>")[0],
        2
    );
    assert_eq!(counts("<testsuite><testcase name='a'/></testsuite>")[0], 1);
}

#[test]
fn two_tests_of_one_name_are_two_and_a_pass_does_not_hide_a_failure() {
    let text = "<testsuites><testsuite><testcase name='a' file='x.js'><failure/></testcase><testcase name='a' file='x.js'/>\
        </testsuite></testsuites>";
    assert_eq!(counts(text), [2, 1, 1, 0, 0]);
}

#[test]
fn equal_places_make_attempts_and_the_last_decides() {
    let suite = |cases: &str| counts(&format!("<testsuite>{cases}</testsuite>"));
    let pass = "<testcase name='a' file='x' line='3'/>";
    let fail = "<testcase name='a' file='x' line='3'><failure/></testcase>";
    assert_eq!(suite(&format!("{fail}{pass}")), [1, 1, 0, 0, 1]);
    assert_eq!(suite(&format!("{pass}{fail}")), [1, 0, 1, 0, 0]);
    assert_eq!(suite(&format!("{fail}{}", pass.replace('3', "4")))[0], 2);
}

#[test]
fn a_suite_that_claims_fewer_tests_holds_reruns_as_far_as_the_difference_goes() {
    let case = "<testcase classname='t' name='a'/>";
    let failed = "<testcase classname='t' name='a'><failure/></testcase>";
    assert_eq!(counts(&format!("<testsuite tests='1'>{case}{case}{failed}</testsuite>")), [1, 0, 1, 0, 0]);
    assert_eq!(counts(&format!("<testsuite tests='1'>{case}{case}</testsuite>")), [1, 1, 0, 0, 1]);
    assert_eq!(counts(&format!("<testsuite tests='2'>{case}{case}{case}</testsuite>")), [2, 2, 0, 0, 1]);
    assert_eq!(counts(&format!("<testsuite tests='2'>{case}{case}</testsuite>")), [2, 2, 0, 0, 0]);
}

#[test]
fn reruns_of_go_are_attempts_only_if_their_outcomes_differ() {
    let suite = |cases: &str| {
        counts(&format!(
            "<testsuite tests='9'><properties><property name='go.version'/></properties>{cases}</testsuite>"
        ))
    };
    assert_eq!(suite("<testcase name='a'><failure/></testcase><testcase name='a'/>"), [1, 1, 0, 0, 1]);
    assert_eq!(suite("<testcase name='a'/><testcase name='a'/>"), [2, 2, 0, 0, 0]);
}

#[test]
fn cases_of_different_suites_without_names_or_skipped_are_no_attempts() {
    let two = "<testsuites><testsuite tests='0'><testcase name='a' file='x' line='1'/></testsuite>\
        <testsuite tests='0'><testcase name='a' file='x' line='1'/></testsuite></testsuites>";
    assert_eq!(counts(two)[0], 2);
    assert_eq!(counts("<testsuite tests='1'><testcase name=''/><testcase name=''/></testsuite>")[0], 2);
    let skipped = "<testcase name='a'><skipped/></testcase>";
    assert_eq!(counts(&format!("<testsuite tests='1'>{skipped}<testcase name='a'/></testsuite>"))[0], 2);
}

#[test]
fn errors_that_no_case_bears_are_findings() {
    let (evidence, kept) =
        junit("<testsuites><testsuite name='x' errors='1'><testcase name='a'/></testsuite></testsuites>");
    assert_eq!(
        (evidence.errors, kept[0].1.message.as_str()),
        (1, "suite x reports 1 failed, but none of its tests failed")
    );
    let (evidence, kept) = junit("<testsuite name='t/a.t'><testcase name='a'/><error message='No plan'/></testsuite>");
    assert_eq!((evidence.errors, kept[0].1.message.as_str()), (1, "t/a.t: No plan"));
}

#[test]
fn a_claim_is_borne_out_by_expected_failures_and_by_attempts() {
    let expected = "<testsuite failures='1'><testcase name='a'><skipped/><failure/></testcase></testsuite>";
    assert_eq!(junit(expected).0.errors, 0);
    let nested = "<testsuites failures='1'><testsuite failures='1'><testcase name='a'><flakyFailure/></testcase>\
        </testsuite></testsuites>";
    assert_eq!(junit(nested).0.errors, 0);
}

#[test]
fn totals_without_cases_are_claims_that_are_told_once() {
    let (evidence, _) = junit("<testsuites tests='4' failures='1'><testsuite tests='4' failures='1'/></testsuites>");
    let totals = evidence.totals.unwrap();
    assert_eq!((evidence.tests.total, totals.tests, totals.failures), (0, 4, 1));
}

#[test]
fn an_empty_suite_beside_others_is_counted_and_a_linter_without_cases_is_one() {
    let (evidence, _) =
        junit("<testsuites><testsuite name='x'/><testsuite><testcase name='a'/></testsuite></testsuites>");
    assert_eq!((evidence.empty, evidence.remarks[0].as_str()), (1, "suite x holds no test"));
    let (evidence, _) = junit("<testsuites name='Biome' tests='0'></testsuites>");
    assert_eq!((evidence.nature, evidence.tool.as_deref()), (Nature::Linter, Some("biome")));
}

#[test]
fn a_failure_keeps_its_message_its_text_and_every_place() {
    let (_, kept) = junit(
        "<testsuite><testcase classname='t' name='a'><failure message='no&#10;x'>at f (/w/lib.js:1:2)\nat g (t.js:3:4)\
         </failure></testcase></testsuite>",
    );
    let (test, diagnostic) = &kept[0];
    assert_eq!((test.as_deref(), diagnostic.message.as_str()), (Some("t > a"), "no\nx"));
    let paths: Vec<_> = diagnostic.locations.iter().map(|place| place.path.as_str()).collect();
    assert_eq!(paths, ["/w/lib.js", "t.js"]);
}

#[test]
fn a_document_that_is_cut_off_counts_what_was_read() {
    let text = "<testsuites><testsuite><testcase name='a'/><testcase name='b'><failure/></testcase><testca";
    let reading = read(&mut text.as_bytes(), Prose::Noise, &mut EvidenceOnly).unwrap();
    let document = reading.documents.into_iter().next().unwrap();
    assert!(document.unreadable.is_some());
    assert_eq!(document.tally.finish().0.tests.failed, 1);
}
