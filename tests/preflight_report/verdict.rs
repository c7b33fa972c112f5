//! Reports that look better than what they are about: each line of "The verdict" held against small inputs that lie.

use serde_json::json;

use super::step;
use crate::support::Seen;

/// An input, and the exit code it has to end with.
struct Lie {
    what: &'static str,
    file: &'static str,
    text: &'static str,
    code: i32,
}

const fn lie(what: &'static str, file: &'static str, text: &'static str, code: i32) -> Lie {
    Lie { what, file, text, code }
}

const LIES: &[Lie] = &[
    // JUnit: cases decide, and claims that nothing bears out fail.
    lie(
        "a root that counts a failure no case has",
        "a.xml",
        "<testsuites failures='1'><testsuite><testcase name='a'/></testsuite></testsuites>",
        1,
    ),
    lie(
        "a suite that counts an error no case has",
        "a.xml",
        "<testsuite errors='1'><testcase name='a'/></testsuite>",
        1,
    ),
    lie(
        "an error that stands in no case",
        "a.xml",
        "<testsuite><error message='setup'/><testcase name='a'/></testsuite>",
        1,
    ),
    lie("a status without an element", "a.xml", "<testsuite><testcase name='a' status='failed'/></testsuite>", 1),
    lie("a result without an element", "a.xml", "<testsuite><testcase name='a' result='Failure'/></testsuite>", 1),
    lie(
        "an error beside a skip",
        "a.xml",
        "<testsuite><testcase name='a'><skipped/><error/></testcase></testsuite>",
        1,
    ),
    lie(
        "an expected failure",
        "a.xml",
        "<testsuite><testcase name='a'><skipped/><failure/></testcase><testcase name='b'/></testsuite>",
        0,
    ),
    lie(
        "a failure behind a pass of its name",
        "a.xml",
        "<testsuite><testcase name='a'/><testcase name='a'><failure/></testcase></testsuite>",
        1,
    ),
    lie(
        "a pass behind a failure of its name",
        "a.xml",
        "<testsuite><testcase name='a'><failure/></testcase><testcase name='a'/></testsuite>",
        1,
    ),
    lie(
        "a case without a name twice",
        "a.xml",
        "<testsuite><testcase file='a' line='1'><failure/></testcase><testcase file='a' line='1'/></testsuite>",
        1,
    ),
    lie(
        "a failure behind a skip at its place",
        "a.xml",
        "<testsuite><testcase name='a' file='f' line='1'><failure/></testcase><testcase name='a' file='f' line='1'><skipped/></testcase></testsuite>",
        1,
    ),
    lie("totals of failures without a case", "a.xml", "<testsuite tests='9' failures='1'/>", 1),
    lie("totals without a case", "a.xml", "<testsuite tests='9' failures='0'/>", 3),
    lie("no suite", "a.xml", "<testsuites/>", 1),
    lie("skips only", "a.xml", "<testsuite><testcase name='a'><skipped/></testcase></testsuite>", 3),
    lie("an end tag that is missing", "a.xml", "<testsuites><testsuite><testcase name='a'/></testsuite>", 1),
    lie(
        "end tags that are crossed",
        "a.xml",
        "<testsuites><testsuite><testcase name='a'/></testsuites></testsuite>",
        1,
    ),
    lie(
        "control characters, `<` and `&` as programs write them",
        "a.xml",
        "<testsuite><testcase name='a < b & c \u{1}'/></testsuite>",
        0,
    ),
    lie("a page of an error", "a.xml", "<html><body>502 Bad Gateway</body></html>", 2),
    lie("blank XML", "a.xml", " \n", 2),
    // TAP.
    lie("a plan that is not kept", "a.tap", "1..3\nok 1\nok 2\n", 1),
    lie("no plan", "a.tap", "TAP version 13\nok 1\n", 1),
    lie("a number twice", "a.tap", "1..2\nok 1\nok 1\n", 1),
    lie("a second stream that is cut off", "a.tap", "1..1\nok 1\nTAP version 13\n1..2\nok 1\n", 1),
    lie("a todo that fails", "a.tap", "1..2\nok 1\nnot ok 2 # TODO later\n", 0),
    // JSON of test runners.
    lie(
        "go test, cut off",
        "a.jsonl",
        "{\"Action\":\"run\",\"Package\":\"p\",\"Test\":\"A\"}\n{\"Action\":\"pass\",\"Package\":\"p\",\"Test\":\"A\"}\n",
        1,
    ),
    lie(
        "a go package that fails without a test",
        "a.jsonl",
        "{\"Action\":\"pass\",\"Package\":\"p\",\"Test\":\"A\"}\n{\"Action\":\"fail\",\"Package\":\"p\"}\n",
        1,
    ),
    lie(
        "libtest, cut off",
        "a.jsonl",
        "{\"type\":\"suite\",\"event\":\"started\",\"test_count\":2}\n{\"type\":\"test\",\"event\":\"ok\",\"name\":\"a\"}\n",
        1,
    ),
    lie(
        "cargo, cut off",
        "a.jsonl",
        "{\"reason\":\"compiler-artifact\",\"package_id\":\"a\",\"success\":null}\n{\"reason\":\"compiler-message\",\"package_id\":\"a\",\"message\":{\"message\":\"odd\",\"level\":\"warning\",\"spans\":[{\"file_name\":\"a.rs\",\"line_start\":1,\"column_start\":1}]}}\n",
        1,
    ),
    lie(
        "a jest run that was interrupted",
        "a.json",
        "{\"success\":true,\"wasInterrupted\":true,\"numTotalTests\":1,\"testResults\":[{\"name\":\"a\",\"status\":\"passed\",\"assertionResults\":[{\"status\":\"passed\",\"title\":\"a\"}]}]}",
        1,
    ),
    lie(
        "a jest run that states it failed",
        "a.json",
        "{\"success\":false,\"numTotalTests\":1,\"testResults\":[{\"name\":\"a\",\"status\":\"passed\",\"assertionResults\":[{\"status\":\"passed\",\"title\":\"a\"}]}]}",
        1,
    ),
    lie(
        "a jest file that failed without a test",
        "a.json",
        "{\"success\":true,\"numTotalTests\":0,\"testResults\":[{\"name\":\"a\",\"status\":\"failed\",\"message\":\"cannot load\",\"assertionResults\":[]}]}",
        1,
    ),
    lie(
        "mocha's counts without a failure",
        "a.json",
        "{\"stats\":{\"failures\":2},\"tests\":[{\"title\":\"a\"}],\"failures\":[],\"pending\":[]}",
        1,
    ),
    lie(
        "Playwright's error of no test",
        "a.json",
        "{\"config\":{},\"suites\":[{\"title\":\"a\",\"specs\":[{\"title\":\"b\",\"tests\":[{\"status\":\"expected\",\"results\":[]}]}]}],\"errors\":[{\"message\":\"setup\"}]}",
        1,
    ),
    lie(
        "a Playwright test that was interrupted",
        "a.json",
        "{\"config\":{},\"suites\":[{\"title\":\"a\",\"specs\":[{\"title\":\"b\",\"tests\":[{\"status\":\"skipped\",\"results\":[{\"status\":\"interrupted\"}]}]}]}],\"errors\":[]}",
        1,
    ),
    lie(
        "a CTRF summary of failures",
        "a.json",
        "{\"reportFormat\":\"CTRF\",\"results\":{\"tool\":{\"name\":\"x\"},\"summary\":{\"tests\":1,\"failed\":1},\"tests\":[{\"name\":\"a\",\"status\":\"passed\"}]}}",
        1,
    ),
    // Linters and plans.
    lie(
        "SARIF of a run that did not end well",
        "a.sarif",
        "{\"version\":\"2.1.0\",\"runs\":[{\"tool\":{\"driver\":{\"name\":\"x\"}},\"results\":[],\"invocations\":[{\"executionSuccessful\":false}]}]}",
        1,
    ),
    lie(
        "SARIF that did not look",
        "a.sarif",
        "{\"version\":\"2.1.0\",\"runs\":[{\"tool\":{\"driver\":{\"name\":\"x\"}}}]}",
        3,
    ),
    lie("SARIF without a run", "a.sarif", "{\"version\":\"2.1.0\",\"runs\":[]}", 3),
    lie(
        "SARIF of suppressed results",
        "a.sarif",
        "{\"version\":\"2.1.0\",\"runs\":[{\"tool\":{\"driver\":{\"name\":\"x\"}},\"results\":[{\"level\":\"error\",\"message\":{\"text\":\"m\"},\"suppressions\":[{\"kind\":\"inSource\"}]}]}]}",
        0,
    ),
    lie(
        "Checkstyle that crashed on a file",
        "a.xml",
        "<checkstyle><file name='A.java'><exception>NullPointerException</exception></file></checkstyle>",
        1,
    ),
    lie("golangci-lint that could not run", "a.json", "{\"Issues\":null,\"Report\":{\"Error\":\"typecheck\"}}", 1),
    lie("marks in prose that look like an empty list", "a.txt", "[ ] not done\n[x] done\n", 2),
    lie("a text of a test runner", "a.txt", "test result: ok. 1 passed; 0 failed\n", 2),
    lie("blank text", "a.txt", "", 3),
    lie(
        "Terraform's lines, cut off",
        "a.jsonl",
        "{\"@level\":\"info\",\"@message\":\"x\",\"type\":\"planned_change\",\"change\":{\"resource\":{\"addr\":\"a.b\"},\"action\":\"create\"}}\n",
        1,
    ),
    lie(
        "a plan that ended with an error",
        "a.json",
        "{\"format_version\":\"1.2\",\"errored\":true,\"resource_changes\":[]}",
        1,
    ),
    lie(
        "a preview that failed",
        "a.json",
        "{\"diagnostics\":[{\"prefix\":\"error: \",\"message\":\"no\",\"severity\":\"error\"}],\"duration\":1}",
        1,
    ),
    lie(
        "a TRX run that was aborted",
        "a.trx",
        "<TestRun><Results><UnitTestResult testName='a' outcome='Passed'/></Results><ResultSummary outcome='Aborted'/></TestRun>",
        1,
    ),
    lie("an answer of an API", "a.json", "{\"message\":\"Not Found\",\"status\":\"404\"}", 2),
    // About checks.
    lie(
        "a pipeline whose result contradicts its checks",
        "a.json",
        "{\"result\":\"passed\",\"stages\":{\"b\":{\"checks\":[{\"name\":\"x\",\"status\":\"failed\"}]}}}",
        1,
    ),
    lie(
        "a pipeline that failed without a check",
        "a.json",
        "{\"result\":\"failed\",\"stages\":{\"b\":{\"checks\":[{\"name\":\"x\",\"status\":\"passed\"}]}}}",
        1,
    ),
    lie("a stage without a check", "a.json", "{\"result\":\"passed\",\"stages\":{\"b\":{\"checks\":[]}}}", 3),
    lie(
        "records whose run did not finish",
        "a.jsonl",
        "{\"v\":1,\"event\":\"run_started\",\"plan\":[\"a/b\"]}\n{\"v\":1,\"event\":\"check_finished\",\"check\":\"a/b\",\"status\":\"passed\"}\n",
        3,
    ),
    lie(
        "a pass with an exit code that is none",
        "a.jsonl",
        "{\"v\":1,\"event\":\"run_started\"}\n{\"v\":1,\"event\":\"check_finished\",\"check\":\"a/b\",\"status\":\"passed\",\"exit_code\":2}\n{\"v\":1,\"event\":\"run_finished\",\"result\":\"passed\"}\n",
        1,
    ),
    lie("needs with a result that is no word of GitHub's", "a.json", "{\"build\":{\"result\":\"great\"}}", 2),
];

#[test]
fn no_input_is_greener_than_what_it_reports() {
    let mut wrong = Vec::new();
    for lie in LIES {
        let seen = step(["--format", "json", lie.file]).file(lie.file, lie.text).run();
        if seen.code != lie.code {
            wrong.push(format!("{}: exit {}, not {}", lie.what, seen.code, lie.code));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn piped(format: &str, text: &str) -> Seen {
    step(["--format", format]).stdin(text).run()
}

#[test]
fn an_input_that_is_cut_off_shows_what_was_read_and_fails_its_own_check_only() {
    let cut = "<testsuite><testcase name='a'><failure message='boom'/></testcase><testcase name='b'/>";
    let seen = step(["--format", "json", "cut=cut.xml", "good=good.xml"])
        .file("cut.xml", cut)
        .file("good.xml", "<testsuite><testcase name='a'/></testsuite>")
        .run()
        .exits(1);
    let document = seen.json();
    let checks = document["stages"][0]["checks"].as_array().unwrap();
    assert_eq!((&checks[0]["status"], &checks[1]["status"]), (&json!("failed"), &json!("passed")));
    assert_eq!((&checks[0]["tests"]["total"], &checks[0]["findings"][0]["message"]), (&json!(2), &json!("boom")));
    assert_eq!(checks[0]["reason"]["code"], "report_unreadable");
}

#[test]
fn a_vacuous_check_of_a_pipeline_is_a_warning_where_there_is_room_and_strict_fails_it() {
    let pipeline = include_str!("../fixtures/reports/dagger-timed-pass.json");
    assert!(pipeline.contains("no tests collected"), "{pipeline}");
    for format in ["json", "markdown", "annotations", "agent"] {
        let seen = piped(format, pipeline).exits(0);
        let words = if format == "json" { "nothing_ran" } else { "no tests collected" };
        assert!(seen.stdout.contains(words), "{format}: {}", seen.stdout);
    }
    assert!(!piped("text", pipeline).stdout.contains("did nothing"));
    step(["--strict"]).stdin(pipeline).run().exits(1);
    let counted =
        r#"{"result":"passed","stages":{"q":{"checks":[{"name":"pytest","status":"passed","tests_passed":0}]}}}"#;
    step(["--strict"]).stdin(counted).run().exits(1);
}

#[test]
fn flaky_tests_are_named_in_every_rendering() {
    let report = "<testsuite><testcase name='sometimes'><flakyFailure/></testcase></testsuite>";
    for format in ["text", "json", "jsonl", "junit", "ctrf", "sarif", "markdown", "annotations", "agent"] {
        let seen = piped(format, report).exits(0);
        assert!(seen.stdout.contains("sometimes"), "{format}: {}", seen.stdout);
    }
}

#[test]
fn an_empty_part_beside_others_is_told_and_strict_fails_it() {
    let (good, empty) = ("<testsuite><testcase name='a'/></testsuite>", "<testsuites/>");
    let with = |arguments: &[&str]| {
        let step = step([]).args(arguments.iter().copied()).args(["unit=a.xml", "unit=b.xml"]);
        step.file("a.xml", good).file("b.xml", empty).run()
    };
    let seen = with(&[]).exits(0);
    assert!(seen.stdout.contains("b.xml holds no test"), "{}", seen.stdout);
    with(&["--strict"]).exits(1);
    let suites = format!("<testsuites><testsuite name='hollow'/>{good}</testsuites>");
    let seen = piped("text", &suites).exits(0);
    assert!(seen.stdout.contains("suite hollow holds no test"), "{}", seen.stdout);
}

#[test]
fn a_list_of_nothing_is_told_for_a_file_and_no_report_on_standard_input() {
    let seen = step(["a.json"]).file("a.json", "[]\n").run().exits(0);
    assert!(seen.stdout.contains("[]: no finding, tool not named"), "{}", seen.stdout);
    piped("text", "[]").exits(3);
    piped("text", "{}").exits(3);
}

#[test]
fn exit_code_0_makes_blank_text_clean_and_a_blank_report_of_another_kind_stays_unreadable() {
    step(["--report", "f.txt", "--", "sh", "-c", ": > f.txt"]).run().exits(0);
    step(["--report", "f.xml", "--", "sh", "-c", ": > f.xml"]).run().exits(1);
    step(["--report", "f.txt", "--", "sh", "-c", ": > f.txt; exit 1"]).run().exits(1);
}

#[test]
fn a_plan_that_destroys_warns_by_name() {
    let plan = json!({"format_version": "1.2", "resource_changes": [
        {"address": "a.old", "change": {"actions": ["delete"]}}, {"address": "a.big", "change": {"actions": ["delete", "create"]}}]});
    let seen = piped("agent", &plan.to_string()).exits(0);
    assert!(seen.stdout.contains("destroys 2 resources: delete a.old, replace a.big"), "{}", seen.stdout);
}

#[test]
fn a_report_that_does_not_pass_is_not_green_in_the_formats_of_others() {
    // Every check passed, but the run did not finish.
    let records = "{\"v\":1,\"event\":\"run_started\",\"title\":\"T\"}\n{\"v\":1,\"event\":\"check_finished\",\"check\":\"a/b\",\"status\":\"passed\"}\n";
    for format in ["junit", "ctrf", "sarif"] {
        let seen = piped(format, records).exits(3);
        let again = piped("text", &seen.stdout);
        assert_eq!(again.code, 1, "{format}: {}", seen.stdout);
    }
    let missing = "{\"v\":1,\"event\":\"run_started\",\"plan\":[\"a/b\",\"a/c\"]}\n{\"v\":1,\"event\":\"check_finished\",\"check\":\"a/b\",\"status\":\"passed\"}\n{\"v\":1,\"event\":\"run_finished\",\"result\":\"passed\"}\n";
    for format in ["junit", "ctrf", "sarif"] {
        let seen = piped(format, missing).exits(3);
        assert_eq!(piped("text", &seen.stdout).code, 1, "{format}: {}", seen.stdout);
    }
}
