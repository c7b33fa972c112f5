//! `preflight-report -- COMMAND`: exit code, output and reports judged together.

use super::step;
use crate::support::{Step, peer};

const FAILED: &str = "<testsuite><testcase name=\"a\"><failure message=\"boom\"/></testcase></testsuite>";

fn command(arguments: &[&str], script: &str) -> Step {
    step([]).args(arguments.iter().copied()).args(["--", "sh", "-c", script])
}

#[test]
fn a_command_without_a_report_is_judged_by_its_exit_code() {
    let seen = step(["--", "echo", "hello"]).run().exits(0);
    assert!(seen.stderr.starts_with("hello\n"), "{}", seen.stderr);
    let seen = command(&["--format", "json"], "echo oops; exit 3").run().exits(1);
    let check = &seen.json()["stages"][0]["checks"][0];
    assert_eq!((&check["id"], &check["exit_code"]), (&"checks/sh".into(), &3.into()));
    assert!(check["output"]["tail"].as_str().unwrap().contains("oops"), "{check}");
}

#[test]
fn its_output_is_copied_byte_for_byte_in_the_order_it_came() {
    let seen =
        command(&["--format", "agent"], "printf 'a\\tb\\r'; printf 'c\\n' >&2; printf '\\033[1mx\\n'").plain().run();
    assert!(seen.stderr.contains("a\tb\rc\n\u{1b}[1mx\n"), "{:?}", seen.stderr);
}

#[test]
fn a_report_and_an_exit_code_that_disagree_fail_either_way() {
    let good = "<testsuite><testcase name=\"a\"/></testsuite>";
    let seen = command(&["--report", "r.xml"], &format!("echo '{good}' > r.xml; exit 1")).run().exits(1);
    assert!(seen.stdout.contains("exit code 1, but the reports are clean"), "{}", seen.stdout);
    let seen = command(&["--report", "r.xml"], &format!("echo '{FAILED}' > r.xml")).run().exits(1);
    assert!(seen.stdout.contains("exit code 0, but 1 test failed"), "{}", seen.stdout);
}

#[test]
fn reports_that_were_there_before_are_not_read() {
    let old = |step: Step| (0..30).fold(step, |step, number| step.file(&format!("target/TEST-{number}.xml"), FAILED));
    let seen = old(command(
        &["--report", "target/*.xml"],
        "echo '<testsuite><testcase name=\"a\"/></testsuite>' > target/TEST-3.xml",
    ))
    .run()
    .exits(0);
    assert!(seen.stdout.contains("29 older files not read"), "{}", seen.stdout);
    let seen = old(command(&["--format", "json", "--report", "target/*.xml"], "true")).run().exits(1);
    assert!(seen.stdout.contains("\"stale\""), "{}", seen.stdout);
    let seen = command(&["--format", "json", "--report", "target/*.xml"], "true").run().exits(1);
    assert!(seen.stdout.contains("\"report_absent\""), "{}", seen.stdout);
    let seen = old(command(&["--allow-stale", "--report", "target/*.xml"], "true")).run().exits(1);
    assert!(seen.stdout.contains("--allow-stale"), "{}", seen.stdout);
}

#[test]
fn compilers_in_its_output_give_places_if_it_failed_and_warnings_if_it_did_not() {
    let text = "echo 'src/a.ts(3,4): error TS2322: no'; echo 'src/b.c:1:2: warning: odd'";
    let seen = command(&["--format", "agent"], &format!("{text}; exit 2")).run().exits(1);
    assert!(seen.stdout.starts_with("failed 1/1 checks: checks/sh src/a.ts:3:4 TS2322 no\n"), "{}", seen.stdout);
    assert!(seen.stdout.contains("rerun: sh -c "), "{}", seen.stdout);
    let seen = command(&["--format", "json"], text).run().exits(0);
    let counts = &seen.json()["counts"];
    assert_eq!((&counts["findings_errors"], &counts["findings_warnings"]), (&0.into(), &1.into()));
}

#[test]
fn a_document_in_its_output_is_evidence() {
    let seen = command(&[], &format!("echo noise; echo '{FAILED}'; echo more")).run().exits(1);
    assert!(seen.stdout.contains("exit code 0, but 1 test failed"), "{}", seen.stdout);
}

#[test]
fn a_command_that_cannot_be_started_has_the_code_of_a_shell() {
    let seen = step(["--", "no-such-program"]).run().exits(127);
    assert!(seen.stderr.contains("cannot start `no-such-program`"), "{}", seen.stderr);
    step(["--", "./data"]).file("data", "x").run().exits(126);
}

#[test]
fn a_death_by_signal_is_a_failure_with_its_name() {
    let seen = command(&[], "kill -9 $$").run().exits(1);
    assert!(seen.stdout.contains("SIGKILL, probably out of memory"), "{}", seen.stdout);
    let seen = command(&[], "exit 137").run().exits(1);
    assert!(seen.stdout.contains("exit code 137, probably out of memory"), "{}", seen.stdout);
}

#[test]
fn real_pytest_is_judged_by_its_report_and_by_what_only_its_exit_code_tells() {
    let Some(pytest) = peer("pytest") else { return };
    let run = |test: &str, arguments: &[&str]| {
        let step = step(["--format", "json", "--report", "r.xml", "--"]).arg(pytest.clone());
        step.args(["-q", "--junitxml=r.xml", "-p", "no:cacheprovider"])
            .args(arguments.iter().copied())
            .file("test_a.py", test)
            .run()
    };
    let seen = run("def test_good(): pass\n", &[]).exits(0);
    assert_eq!(seen.json()["counts"]["tests"]["passed"], 1);
    let seen = run("def test_bad():\n    assert 1 == 2\n", &[]).exits(1);
    let finding = &seen.json()["stages"][0]["checks"][0]["findings"][0];
    assert_eq!((&finding["path"], &finding["line"]), (&"test_a.py".into(), &2.into()));
    run("import no_such_module\n", &[]).exits(1);
    run("def test_good(): pass\n", &["no_such_file.py"]).exits(1);
    run("x = 1\n", &[]).exits(1);
}

#[test]
fn a_node_file_that_ends_the_process_is_red() {
    let Some(node) = peer("node") else { return };
    let script = "process.exit(3);\n";
    let test = "import test from 'node:test'; test('a', () => { throw new Error('no'); });\n";
    let run = |contents: &str| {
        let step = step(["--report", "r.xml", "--"]).arg(node.clone());
        step.args(["--test", "--test-reporter=junit", "--test-reporter-destination=r.xml", "a.test.mjs"])
            .file("a.test.mjs", contents)
            .run()
    };
    run(test).exits(1);
    run(&format!("{test}\n{script}")).exits(1);
    run("import test from 'node:test'; test('a', () => {});\n").exits(0);
}
