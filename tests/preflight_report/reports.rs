//! Reports of many formats in one call: what they amount to, and that none hides another.

use serde_json::{Value, json};

use super::step;
use crate::support::Seen;

const GOOD: &str = "<testsuite name='s'><testcase name='a'/></testsuite>";
const BAD: &str = "<testsuite name='s'><testcase classname='t' name='adds'><failure message='boom'>t.js:3:4</failure></testcase></testsuite>";

fn checks(seen: &Seen) -> Vec<(String, String)> {
    let document = seen.json();
    let stages = document["stages"].as_array().unwrap();
    let checks = stages.iter().flat_map(|stage| stage["checks"].as_array().unwrap());
    checks.map(|check| (text(&check["id"]), text(&check["status"]))).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn pairs<const N: usize>(expected: [(&str, &str); N]) -> Vec<(String, String)> {
    expected.map(|(id, status)| (id.to_owned(), status.to_owned())).into()
}

#[test]
fn mixed_formats_make_one_report_each_told_by_its_content() {
    let sarif = json!({"version":"2.1.0","runs":[{"tool":{"driver":{"name":"ruff"}},"results":[]}]});
    let seen = step(["--format", "json", "a.xml", "q/lint=ruff.sarif", "tsc.txt"])
        .file("a.xml", GOOD)
        .file("ruff.sarif", sarif.to_string())
        .file("tsc.txt", "src/index.ts(45,9): error TS2322: no\n")
        .run()
        .exits(1);
    assert_eq!(checks(&seen), pairs([("checks/junit", "passed"), ("checks/tsc", "failed"), ("q/lint", "passed")]));
}

#[test]
fn a_good_report_beside_an_unknown_file_keeps_its_verdict_and_the_unknown_fails_its_own_check() {
    let seen = step(["--format", "json", "a.xml", "notes.md"]).file("a.xml", GOOD).file("notes.md", "# Notes\n").run();
    assert_eq!(seen.code, 1);
    assert_eq!(checks(&seen), pairs([("checks/junit", "passed"), ("checks/notes.md", "failed")]));
    assert!(seen.stdout.contains("report_unreadable"), "{}", seen.stdout);
}

#[test]
fn both_of_two_failing_legs_are_in_every_rendering() {
    for format in ["text", "json", "markdown", "annotations", "agent", "junit", "ctrf"] {
        let seen = step(["--format", format, "art/r-linux/junit.xml", "art/r-macos/junit.xml", "art/r-win/junit.xml"])
            .file("art/r-linux/junit.xml", BAD)
            .file("art/r-macos/junit.xml", GOOD)
            .file("art/r-win/junit.xml", BAD.replace("boom", "bang"))
            .run()
            .exits(1);
        for leg in ["linux", "win", "boom", "bang"] {
            assert!(seen.stdout.contains(leg), "{format} does not have {leg}:\n{}", seen.stdout);
        }
    }
}

#[test]
fn three_legs_of_a_matrix_are_one_check_whose_numbers_add_up() {
    let seen = step(["--format", "json", "q/unit/py3.11=a.xml", "q/unit/py3.12=b.xml", "q/unit/py3.13=c.xml"])
        .file("a.xml", GOOD)
        .file("b.xml", BAD)
        .file("c.xml", GOOD)
        .run()
        .exits(1);
    let document = seen.json();
    let check = &document["stages"][0]["checks"][0];
    assert_eq!((&check["tests"]["total"], &check["tests"]["failed"]), (&json!(3), &json!(1)));
    let legs: Vec<_> =
        check["legs"].as_array().unwrap().iter().map(|leg| (text(&leg["name"]), text(&leg["status"]))).collect();
    assert_eq!(legs, pairs([("py3.11", "passed"), ("py3.12", "failed"), ("py3.13", "passed")]));
    assert_eq!(check["findings"][0]["leg"], "py3.12");
}

#[test]
fn twenty_files_of_one_runner_are_one_check() {
    let mut step = step(["--format", "json", "target/surefire-reports"]);
    for number in 0..20 {
        let properties = "<properties><property name='surefire.test.class.path' value='x'/></properties>";
        let report = format!(
            "<testsuite name='T{number}' tests='1'>{properties}<testcase name='a' classname='T{number}'/></testsuite>"
        );
        step = step.file(&format!("target/surefire-reports/TEST-T{number}.xml"), report);
    }
    let seen = step.run().exits(0);
    assert_eq!(checks(&seen), pairs([("checks/surefire", "passed")]));
    assert_eq!(seen.json()["counts"]["tests"]["total"], 20);
}

#[test]
fn two_tests_of_one_name_of_which_the_first_fails_are_red() {
    let report = "<testsuites><testcase name='same' file='a.mjs'><failure message='no'/></testcase>\
        <testcase name='same' file='a.mjs'/></testsuites>";
    let seen = step(["--format", "json", "r.xml"]).file("r.xml", report).run().exits(1);
    assert_eq!(seen.json()["counts"]["tests"], json!({"total": 2, "passed": 1, "failed": 1, "skipped": 0, "flaky": 0}));
}

#[test]
fn needs_with_a_skipped_job_are_incomplete_unless_it_may_be_skipped() {
    let needs = r#"{"build":{"result":"success"},"deploy":{"result":"skipped"}}"#;
    let seen = step([]).stdin(needs).run().exits(3);
    assert!(seen.stdout.contains("--may-skip accepts that"), "{}", seen.stdout);
    step(["--may-skip", "deploy"]).stdin(needs).run().exits(0);
    step(["--may-skip", "dep*"]).stdin(needs).run().exits(0);
    step(["--may-skip", "build"]).stdin(needs).run().exits(3);
}

#[test]
fn a_report_document_of_an_earlier_job_is_an_input_and_its_result_is_computed_again() {
    let first = step(["--format", "json", "a.xml"]).file("a.xml", BAD).run().exits(1);
    let again = step(["--format", "json"]).stdin(first.stdout.clone()).run().exits(1);
    assert_eq!(again.json()["counts"], first.json()["counts"]);
    let forged = first.stdout.replacen("\"result\": \"failed\"", "\"result\": \"passed\"", 1);
    step([]).stdin(forged).run().exits(1);
}

#[test]
fn a_sentence_that_names_a_place_has_one() {
    let report = json!({"result":"failed","stages":{"build":{"checks":[
        {"name":"Worker","status":"failed","error":"TypeScript error in src/index.ts:45"}]}}});
    let seen = step(["--format", "json"]).stdin(report.to_string()).run().exits(1);
    let finding = &seen.json()["stages"][0]["checks"][0]["findings"][0];
    assert_eq!((&finding["path"], &finding["line"]), (&json!("src/index.ts"), &json!(45)));
}

#[test]
fn a_title_stays_as_it_was_given() {
    let seen = step(["--title", "CI", "--format", "markdown", "a.xml"]).file("a.xml", BAD).run();
    assert!(seen.stdout.starts_with("## ❌ CI failed"), "{}", seen.stdout);
}

#[test]
fn a_promised_check_that_does_not_report_is_missing() {
    let seen = step(["--format", "json", "--expect", "checks/junit", "--expect", "build/worker", "a.xml"])
        .file("a.xml", GOOD)
        .run()
        .exits(3);
    assert_eq!(checks(&seen), pairs([("checks/junit", "passed"), ("build/worker", "missing")]));
    step(["--expect", "build/*", "a.xml"]).file("a.xml", GOOD).run().exits(3);
    step(["--expect", "ch*/jun*", "a.xml"]).file("a.xml", GOOD).run().exits(0);
}

#[test]
fn what_nothing_means_depends_on_what_the_report_is_about() {
    let step = |name: &str, contents: &str| step([name]).file(name, contents).run();
    assert_eq!(step("a.xml", "<testsuites/>").code, 1);
    assert_eq!(step("a.xml", "<checkstyle/>").code, 0);
    assert_eq!(step("a.xml", "<testsuites name='Biome' tests='0'/>").code, 0);
    assert_eq!(step("a.json", "[]").code, 0);
    assert_eq!(step("a.sarif", r#"{"version":"2.1.0","runs":[]}"#).code, 3);
    assert_eq!(step("flake8.txt", "").code, 3);
    assert_eq!(step("a.xml", "").code, 2);
    assert_eq!(step("a.xml", "<testsuite><testcase name='a'><skipped/></testcase></testsuite>").code, 3);
    assert_eq!(step("a.xml", "<testsuite tests='3' failures='1'/>").code, 1);
    assert_eq!(step("a.xml", "<testsuite tests='3' failures='0'/>").code, 3);
}

#[test]
fn what_is_accepted_is_the_users_to_say() {
    let warned = "a.py:3:1: [warning] odd (rule)\n";
    step(["w.txt"]).file("w.txt", warned).run().exits(0);
    step(["--fail-on", "warning", "w.txt"]).file("w.txt", warned).run().exits(1);
    step(["--fail-on", "text=warning", "w.txt"]).file("w.txt", warned).run().exits(1);
    step(["--fail-on", "other=warning", "w.txt"]).file("w.txt", warned).run().exits(0);
    step(["--fail-on", "none", "w.txt"]).file("w.txt", warned.replace("warning", "error")).run().exits(0);
    step(["--allow-empty", "junit", "a.xml"]).file("a.xml", "<testsuites/>").run().exits(0);
    let flaky = "<testsuite><testcase name='sometimes'><flakyFailure/></testcase></testsuite>";
    let seen = step(["--format", "agent", "a.xml"]).file("a.xml", flaky).run().exits(0);
    assert!(seen.stdout.contains("1 test passed only when repeated: sometimes"), "{}", seen.stdout);
    step(["--flaky", "fail", "a.xml"]).file("a.xml", flaky).run().exits(1);
}

#[test]
fn a_plan_is_counted_and_what_it_destroys_may_fail() {
    let change = |address: &str, actions: Value| json!({"address": address, "change": {"actions": actions, "before": {"password": "hunter2"}}});
    let plan = json!({"format_version": "1.2", "resource_changes": [
        change("a.new", json!(["create"])), change("a.old", json!(["delete"])), change("a.same", json!(["no-op"]))]});
    let seen = step(["--format", "changes", "plan.json"]).file("plan.json", plan.to_string()).run().exits(0);
    assert_eq!(seen.stdout, "checks/terraform-plan: 1 to create, 1 to delete\n  delete a.old\n  create a.new\n");
    let seen =
        step(["--no-destroy", "--format", "json", "plan.json"]).file("plan.json", plan.to_string()).run().exits(1);
    assert!(!seen.stdout.contains("hunter2"), "{}", seen.stdout);
}

#[test]
fn coverage_has_no_verdict() {
    let coverage = "<?xml version='1.0'?><coverage line-rate='1'></coverage>";
    let seen = step(["c.xml"]).file("c.xml", coverage).run().exits(2);
    assert!(seen.stderr.contains("coverage, which has no verdict"), "{}", seen.stderr);
    let seen = step(["c.xml", "a.xml"]).file("c.xml", coverage).file("a.xml", GOOD).run().exits(0);
    assert!(seen.stdout.contains("coverage, which has no verdict: it is left out"), "{}", seen.stdout);
}

#[test]
fn the_text_of_a_test_runner_is_refused_by_name_with_what_to_use() {
    let seen =
        step(["out.txt"]).file("out.txt", "=== test session starts ===\na.py:3: AssertionError\n").run().exits(2);
    assert!(seen.stderr.contains("the text of pytest, which is not read: use --junitxml"), "{}", seen.stderr);
}

#[test]
fn other_formats_are_written_beside_the_result_and_outputs_are_set() {
    let script = "preflight-report --to output --write junit=out.xml --write sarif=out.sarif --write json=out.json a.xml || true; \
        cat out.xml out.sarif; preflight-report out.json || echo \"again $?\"";
    let seen = crate::support::Step::script(script).file("a.xml", BAD).run().exits(0);
    assert!(
        seen.stdout.contains("<testsuites name=\"Checks\"") && seen.stdout.contains("\"version\": \"2.1.0\""),
        "{}",
        seen.stdout
    );
    assert!(seen.stdout.contains("again 1"), "{}", seen.stdout);
    let outputs: Vec<_> =
        ["result", "ready", "exit_code", "failed", "tests_failed"].map(|name| seen.outputs[name].clone()).into();
    assert_eq!(outputs, ["failed", "false", "1", "1", "1"]);
}

#[test]
fn the_document_keeps_to_the_schema_that_the_tool_prints() {
    let Some(validator) = crate::support::peer("check-jsonschema") else { return };
    let script = "preflight-report --generate schema > schema.json; \
        preflight-report --format json a.xml > timeless.json || true; \
        preflight-report --format json < dagger.json > timed.json || true; \
        \"$VALIDATOR\" --schemafile schema.json timeless.json timed.json";
    crate::support::Step::script(script)
        .env("VALIDATOR", validator)
        .file("a.xml", BAD)
        .file("dagger.json", include_str!("../fixtures/reports/dagger-timed-fail.json"))
        .run()
        .exits(0);
}

#[test]
fn the_exit_code_of_the_command_before_a_pipe_can_be_given_for_one_check() {
    step(["--command-exited", "1"]).stdin(GOOD).run().exits(1);
    step(["--command-exited", "0"]).stdin(GOOD).run().exits(0);
    step(["--command-exited", "0", "a=a.xml", "b=b.xml"]).file("a.xml", GOOD).file("b.xml", GOOD).run().exits(2);
}
