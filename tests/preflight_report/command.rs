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
fn an_interrupted_command_has_the_same_exit_code_in_the_document_and_of_the_process() {
    let started = command(&["--write", "json=r.json", "--to", "output"], "touch up; sleep 600").spawn();
    while !started.folder().join("up").exists() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let id = rustix::process::Pid::from_child(&started.child);
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    let seen = started.finish().exits(143);
    let document: serde_json::Value = serde_json::from_str(&seen.read("r.json").unwrap()).unwrap();
    assert_eq!(document["exit_code"], 143);
    assert_eq!(seen.outputs["exit_code"], "143");
    assert!(seen.summary.contains("exit code 143"), "{}", seen.summary);
}

#[test]
fn the_deadline_ends_a_command_as_incomplete() {
    let seen = command(&["--deadline", "0.3s", "--format", "json"], "echo begun; sleep 600").run().exits(3);
    let document = seen.json();
    let check = &document["stages"][0]["checks"][0];
    assert_eq!((&document["exit_code"], &check["status"]), (&3.into(), &"cancelled".into()));
    assert_eq!(check["reason"]["code"], "deadline");
}

#[test]
fn a_pipe_that_sends_nothing_is_read_until_the_deadline_and_named() {
    let seen = Step::script(
        "sleep 600 | preflight-report --deadline 0.3s; echo \"${PIPESTATUS[1]}\"; kill %1 2>/dev/null || true",
    );
    let mut started = seen.plain().spawn();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(started.child.stderr.take().unwrap()));
    assert_eq!(lines.next().unwrap().unwrap(), "error: cannot read standard input");
    assert_eq!(lines.next().unwrap().unwrap(), "  caused by: no end before the deadline of 0.3s");
    started.child.kill().unwrap();
    started.child.wait().unwrap();
    let seen = Step::script("mkfifo r.xml; preflight-report --deadline 0.3s r.xml").plain().run().exits(3);
    assert!(seen.stderr.contains("cannot read `r.xml`\n  caused by: no end before the deadline"), "{}", seen.stderr);
}

#[test]
fn the_log_has_all_that_the_command_printed_and_a_failure_names_it() {
    let script = "seq 1 5000; echo last >&2; exit 1";
    let seen = command(&["--log", "out.log"], script).run().exits(1);
    let log = seen.read("out.log").unwrap();
    assert!(log.starts_with("1\n2\n") && log.ends_with("5000\nlast\n"), "{}", log.len());
    assert!(seen.stdout.contains("log: out.log\n"), "{}", seen.stdout);
    let seen = command(&["--log", "out.log", "--format", "agent"], script).run().exits(1);
    assert!(seen.stdout.contains("\nlog: out.log\n"), "{}", seen.stdout);
    let seen = command(&["--log", "no/such/folder.log"], "touch ran").run().exits(2);
    assert!(seen.stderr.contains("cannot write `no/such/folder.log`"), "{}", seen.stderr);
    assert_eq!(seen.read("ran"), None);
}

#[test]
fn the_text_shows_the_end_of_the_log_or_the_lines_around_the_first_finding() {
    let seen = command(&[], "seq 1 300; echo the reason; exit 1").run().exits(1);
    assert!(seen.stdout.contains("the reason\n") && !seen.stdout.contains(" 250\n"), "{}", seen.stdout);
    let text = "seq 1 300; echo \"src/a.ts(3,4): error TS2322: no\"; echo; echo '3 const a: number = \"\";'; seq 1 300; exit 1";
    let seen = command(&[], text).run().exits(1);
    assert!(seen.stdout.contains("3 const a: number") && !seen.stdout.contains(" 250\n"), "{}", seen.stdout);
    // What passed shows nothing of it.
    let seen = command(&[], "echo chatter").run().exits(0);
    assert!(!seen.stdout.contains("chatter"), "{}", seen.stdout);
}

#[test]
fn the_line_that_runs_it_again_is_the_command_or_what_rerun_says_and_never_an_inputs() {
    let seen = command(&[], "exit 1").run().exits(1);
    assert!(seen.stdout.ends_with("Run it again: sh -c 'exit 1'\n"), "{}", seen.stdout);
    let seen = command(&["--rerun", "just test"], "exit 1").run().exits(1);
    assert!(seen.stdout.ends_with("Run it again: just test\n"), "{}", seen.stdout);
    let passed = command(&["--rerun", "just test"], "true").run().exits(0);
    assert!(!passed.stdout.contains("Run it again"), "{}", passed.stdout);
    let document = command(&["--rerun", "rm -rf /", "--format", "json"], "exit 1").run().exits(1).stdout;
    for format in ["text", "agent", "markdown"] {
        let seen = step(["--format", format]).stdin(document.clone()).run().exits(1);
        assert!(!seen.stdout.contains("rm -rf"), "{format}: {}", seen.stdout);
    }
}

#[test]
fn output_that_only_looks_like_a_report_is_no_evidence() {
    for printed in [
        "<testsuite><testcase name=\"a\">",
        "{\"result\":\"success\",\"stages\":{}}",
        "ok 1 fetched",
        "{\"numTotalTests\":1,\"testResults\":[",
    ] {
        let seen = command(&[], &format!("echo '{printed}'")).run();
        assert_eq!(seen.code, 0, "{printed}: {}", seen.stdout);
    }
    // What was read before the end is missing still counts.
    command(&[], "echo '<testsuite><testcase name=\"a\"><failure/></testcase>'").run().exits(1);
    command(&[], "echo 'not ok 1 fetched'").run().exits(1);
    command(&[], "printf 'ok 1\\nok 2\\n'").run().exits(1);
}

#[test]
fn reports_in_several_folders_are_judged_together_with_the_exit_code_of_the_command_that_wrote_them() {
    let good = "<testsuite><testcase name=\"a\"/></testsuite>";
    let script = format!("mkdir -p art/x art/y; echo '{good}' | tee art/x/r.xml > art/y/r.xml; exit 1");
    let seen = command(&["--report", "art/*/r.xml", "--name", "t/unit"], &script).run().exits(1);
    assert!(seen.stdout.contains("exit code 1, but the reports are clean"), "{}", seen.stdout);
    assert!(!seen.stdout.contains("legs"), "{}", seen.stdout);
    // A folder and two stars are every report below.
    for report in ["art", "art/**", "art/**/*.xml"] {
        let script = script.replace("exit 1", "echo '# notes' > art/notes.md");
        let seen = command(&["--report", report, "--format", "json"], &script).run().exits(0);
        assert_eq!(seen.json()["counts"]["tests"]["passed"], 2, "{report}: {}", seen.stdout);
    }
}

#[test]
fn a_failed_command_without_a_report_has_the_first_place_that_its_output_names() {
    let run = |printed: &str| {
        let seen = command(&["--format", "agent"], &format!("printf '{printed}'; exit 1"));
        let seen = seen.file("src/lib.rs", "").file("a.test.js", "").run().exits(1);
        seen.stdout.lines().next().unwrap().to_owned()
    };
    let rust = "test bad ... FAILED\\nthread \"bad\" (7) panicked at src/lib.rs:2:19:\\nboom\\ntest result: FAILED. 0 passed\\n";
    let expected = "failed 1/1 checks: checks/sh src/lib.rs:2:19 thread \"bad\" (7) panicked at src/lib.rs:2:19: boom";
    assert_eq!(run(rust), expected);
    let jest = "  expect(received).toBe(expected)\\n\\n    at Object.toBe (a.test.js:1:46)\\n";
    assert_eq!(run(jest), "failed 1/1 checks: checks/sh a.test.js:1:46 expect(received).toBe(expected)");
    assert_eq!(run("see gone.js:3:4 for more\\n"), "failed 1/1 checks: checks/sh exit code 1");
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

#[test]
fn a_warning_in_the_output_does_not_stand_for_the_tests() {
    let skipped = "<testsuite><testcase name=\"a\"><skipped/></testcase></testsuite>";
    for (report, code, why) in [
        ("<testsuite/>", 1, "no test ran"),
        (skipped, 3, "all of 1 test were skipped"),
        ("<testsuite tests=\"5\" failures=\"3\"/>", 1, "the report claims 5 tests, 3 of them failed"),
    ] {
        let script = format!("echo 'a.c:1:2: warning: x'; echo '{report}' > r.xml");
        let seen = command(&["--format", "agent", "--report", "r.xml"], &script).run().exits(code);
        assert!(seen.stdout.contains(why), "{}", seen.stdout);
        let plan = format!(
            "[[stage]]\nname = \"a\"\n[[stage.check]]\nname = \"b\"\nreport = \"r.xml\"\nrun = '''\n{script}\n'''\n"
        );
        let seen = step(["--plan", "p.toml", "--format", "agent"]).file("p.toml", plan).run().exits(code);
        assert!(seen.stdout.contains(why), "{}", seen.stdout);
    }
}

#[test]
fn the_reason_names_what_failed_and_no_report_is_called_clean_that_is_not_there() {
    let warns = command(&["--format", "json", "--fail-on", "warning"], "echo 'a.c:1:2: warning: x'").run().exits(1);
    let reason = &warns.json()["stages"][0]["checks"][0]["reason"];
    assert_eq!(reason["text"], "exit code 0, but 1 warning is reported");
    let text = command(&["--format", "json"], "echo 'a.c:1:2: warning: x'; exit 1").run().exits(1);
    assert_eq!(text.json()["stages"][0]["checks"][0]["reason"]["text"], "exit code 1");
    let empty = command(&["--format", "json", "--report", "r.xml"], "echo '<testsuite/>' > r.xml; exit 5").run();
    assert_eq!(empty.json()["stages"][0]["checks"][0]["reason"]["text"], "exit code 5, and no test ran");
}

#[test]
fn colours_leave_nothing_behind_in_the_agents_text() {
    let script = "printf '\\033[2m Test Files \\033[22m \\033[1m\\033[31m1 failed\\033[39m\\n'; exit 1";
    let seen = command(&["--format", "agent"], script).run().exits(1);
    assert!(seen.stdout.contains("\n  | Test Files 1 failed\n"), "{}", seen.stdout);
}
