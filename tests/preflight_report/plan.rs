//! `preflight-report --plan`: order, limits, retries, signals, logs, what is skipped and why.

use serde_json::Value;

use super::step;
use crate::support::{Seen, Step};

/// A step with this plan and these options.
fn plan(options: &[&str], plan: &str) -> Step {
    step(["--plan", "preflight.toml"]).args(options.iter().copied()).file("preflight.toml", plan)
}

/// One stage with one check of these keys.
fn one(keys: &str) -> String {
    format!("[[stage]]\nname = \"gate\"\n[[stage.check]]\nname = \"it\"\n{keys}\n")
}

fn check<'a>(document: &'a Value, id: &str) -> &'a Value {
    let mut checks =
        document["stages"].as_array().unwrap().iter().flat_map(|stage| stage["checks"].as_array().unwrap());
    checks.find(|check| check["id"] == id).unwrap_or_else(|| panic!("{id}: {document}"))
}

fn ran(keys: &str) -> (Seen, Value) {
    let seen = plan(&["--format", "json"], &one(keys)).run();
    let document = seen.json();
    let check = check(&document, "gate/it").clone();
    (seen, check)
}

#[test]
fn a_plan_runs_its_stages_in_order_and_prints_the_known_layout() {
    let text = r#"
title = "Pre-deploy validation"
[[stage]]
name = "Build"
[[stage.check]]
name = "Worker container"
run = "echo built > built"
[[stage]]
name = "Quality"
[[stage.check]]
name = "uses the build"
run = ["cat", "built"]
"#;
    let seen = plan(&[], text).run().exits(0);
    let times =
        |text: &str| -> String { text.chars().map(|one| if one.is_ascii_digit() { '0' } else { one }).collect() };
    let expected = "\
══════════════════════════════════════════════════════════════
  PRE-DEPLOY VALIDATION
══════════════════════════════════════════════════════════════

Build Stage ✓                                     [0.0s]
  ✓ Worker container                            (0.0s)

Quality Stage ✓                                   [0.0s]
  ✓ uses the build                              (0.0s)

══════════════════════════════════════════════════════════════
  RESULT: PASSED                                Total: 0.0s
══════════════════════════════════════════════════════════════

Ready to deploy!
";
    assert_eq!(times(&seen.stdout), expected);
    assert!(seen.stderr.contains("quality/uses-the-build │ built\n"), "{}", seen.stderr);
    assert!(seen.stderr.contains("build/worker-container: passed (0."), "{}", seen.stderr);
}

#[test]
fn a_failed_check_exits_1_with_its_place_its_log_and_the_line_that_runs_it_again() {
    let text = one("run = \"echo 'src/a.ts(4,2): error TS2322: no' && exit 2\"\ndir = \"web\"");
    let step = plan(&["--format", "agent", "--log-dir", "logs"], &text).file("web/src/a.ts", "").file("src/a.ts", "");
    let seen = step.run().exits(1);
    let first = seen.stdout.lines().next().unwrap();
    assert_eq!(first, "failed 1/1 checks: gate/it web/src/a.ts:4:2 TS2322 no");
    assert!(seen.stdout.contains("rerun: preflight-report --plan preflight.toml --only gate/it\n"), "{}", seen.stdout);
    assert!(seen.stdout.contains("log: logs/gate/it.log\n"), "{}", seen.stdout);
    assert_eq!(seen.read("logs/gate/it.log").as_deref(), Some("src/a.ts(4,2): error TS2322: no\n"));
}

#[test]
fn needs_that_did_not_pass_skip_what_needs_them_and_the_others_run() {
    let text = r#"
[[stage]]
name = "build"
[[stage.check]]
name = "x"
run = "exit 1"
[[stage]]
name = "lint"
needs = []
[[stage.check]]
name = "y"
run = "true"
[[stage]]
name = "E2E"
needs = ["build"]
[[stage.check]]
name = "Z of it"
run = "echo no > deployed"
"#;
    let seen = plan(&["--format", "json"], text).run().exits(1);
    let document = seen.json();
    assert_eq!(check(&document, "lint/y")["status"], "passed");
    let z = check(&document, "e2e/z-of-it");
    assert_eq!((&z["status"], &z["reason"]["code"]), (&"skipped".into(), &"needs_failed".into()));
    assert_eq!(z["reason"]["text"], "needs build, which did not pass");
    assert_eq!((&z["name"], &document["stages"][2]["name"]), (&"Z of it".into(), &"E2E".into()));
    assert_eq!(seen.read("deployed"), None);
    assert_eq!(document["exit_code"], 1);
}

#[test]
fn a_sequence_stops_at_its_first_failure() {
    let text = "[[stage]]\nname = \"s\"\norder = \"sequence\"\n".to_owned()
        + &["a", "b", "c"]
            .map(|name| {
                format!("[[stage.check]]\nname = \"{name}\"\nrun = \"echo {name} >> order; test {name} != b\"\n")
            })
            .concat();
    let seen = plan(&["--jobs", "8"], &text).run().exits(1);
    assert_eq!(seen.read("order").as_deref(), Some("a\nb\n"));
    assert!(seen.stdout.contains("(comes after s/b, which failed)"), "{}", seen.stdout);
}

#[test]
fn jobs_limit_how_many_run_at_once() {
    let check =
        |name: &str| format!("[[stage.check]]\nname = \"{name}\"\nrun = \"mkdir busy && sleep 0.05 && rmdir busy\"\n");
    let text = format!("[[stage]]\nname = \"s\"\n{}{}{}", check("a"), check("b"), check("c"));
    plan(&["--jobs", "1"], &text).run().exits(0);
    plan(&["--jobs", "3"], &text).run().exits(1);
}

#[test]
fn a_timeout_ends_the_group_even_if_it_ignores_sigterm() {
    let (seen, check) = ran("run = \"trap '' TERM; sleep 600 & echo $! > id; wait; sleep 600\"\ntimeout = \"0.3s\"");
    assert_eq!((seen.code, &check["reason"]["code"]), (1, &"timeout".into()));
    assert_eq!(check["reason"]["text"], "no end after 0.3s: stopped with SIGTERM, then SIGKILL");
    let id = seen.read("id").unwrap();
    // A process that has ended may wait for its parent to notice.
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", id.trim()));
    assert!(stat.is_err() || stat.is_ok_and(|stat| stat.contains(") Z ")), "a process of the group still runs");
}

#[test]
fn a_retry_that_passes_is_flaky_and_says_so_everywhere() {
    let keys = "run = \"echo x >> tries; test $(wc -l < tries) = 3\"\nretries = 4";
    let (seen, check) = ran(keys);
    assert_eq!((seen.code, &check["status"], &check["flaky"]), (0, &"passed".into(), &true.into()));
    let attempts = check["attempts"].as_array().unwrap();
    let statuses: Vec<&str> = attempts.iter().map(|attempt| attempt["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["failed", "failed", "passed"]);
    assert!(seen.stderr.contains("gate/it: attempt 1 of 5 failed (exit code 1), trying again"), "{}", seen.stderr);
    let text = plan(&[], &one(keys)).run().exits(0).stdout;
    assert!(text.contains("it (flaky: passed at attempt 3)"), "{text}");
    let agent = plan(&["--format", "agent"], &one(keys)).run().exits(0).stdout;
    assert!(agent.contains("warning: gate/it passed only at attempt 3"), "{agent}");
    let strict = plan(&["--flaky", "fail"], &one(keys)).run().exits(1).stdout;
    assert!(strict.contains("passed only at attempt 3"), "{strict}");
}

#[test]
fn reports_are_looked_for_anew_in_each_attempt() {
    let bad = "<testsuite><testcase name='a'><failure/></testcase></testsuite>";
    let good = "<testsuite><testcase name='a'/></testsuite>";
    let keys = format!(
        "run = \"\"\"if test -e r.xml; then exit 0; fi; echo \"{bad}\" > r.xml; exit 1\"\"\"\nretries = 1\nreport = \"r.xml\""
    );
    let (seen, check) = ran(&keys);
    // The second attempt wrote nothing: the report of the first one is stale.
    assert_eq!((seen.code, &check["reason"]["code"]), (1, &"report_disagrees".into()), "{check}");
    assert!(check.to_string().contains("\"stale\""), "{check}");
    let (seen, check) = ran(&format!("run = \"\"\"echo \"{good}\" > r.xml\"\"\"\nreport = [\"r.xml\"]"));
    assert_eq!((seen.code, &check["note"]), (0, &"1 passed".into()));
    let (seen, check) = ran("run = \"true\"\nreport = \"r.xml\"");
    assert_eq!((seen.code, check.to_string().contains("\"report_absent\"")), (1, true), "{check}");
}

#[test]
fn a_check_without_tests_fails_unless_it_may_be_empty_and_a_level_of_findings_is_its_own() {
    let empty = "run = \"echo '<testsuite/>' > r.xml\"\nreport = \"r.xml\"";
    assert_eq!(ran(empty).1["reason"]["code"], "nothing_ran");
    assert_eq!(ran(&format!("{empty}\nallow_empty = true")).0.code, 0);
    let warning = "run = \"echo 'a.c:1:2: warning: hm'\"";
    assert_eq!(ran(warning).0.code, 0);
    assert_eq!(ran(&format!("{warning}\nfail_on = \"warning\"")).0.code, 1);
    // The command line is stronger than the plan.
    plan(&["--fail-on", "error"], &one(&format!("{warning}\nfail_on = \"warning\""))).run().exits(0);
}

#[test]
fn a_check_that_is_not_required_is_shown_and_fails_nothing() {
    let seen = plan(&[], &one("run = \"exit 3\"\nrequired = false")).run().exits(0);
    assert!(seen.stdout.contains("(not required: exit code 3)"), "{}", seen.stdout);
    let both = one("run = \"exit 3\"\nrequired = false") + "[[stage.check]]\nname = \"other\"\nrun = \"true\"\n";
    let seen = plan(&["--format", "json"], &both).run().exits(0);
    let document = seen.json();
    let it = check(&document, "gate/it");
    assert_eq!((&it["required"], &it["reason"]["code"]), (&false.into(), &"not_required".into()));
    // The records say the same to a later merge.
    let records = plan(&["--format", "jsonl"], &both).run().exits(0).stdout;
    step([]).stdin(records).run().exits(0);
}

#[test]
fn when_leaves_a_check_out_and_a_run_that_left_out_all_is_incomplete() {
    let keys = "run = \"true\"\nwhen = \"branch == main and env.REGION == eu\"";
    plan(&[], &one(keys)).env("GITHUB_REF_NAME", "main").env("REGION", "eu").run().exits(0);
    let seen = plan(&[], &one(keys)).env("GITHUB_REF_NAME", "main").run().exits(3);
    assert!(seen.stdout.contains("(when: branch == main and env.REGION == eu)"), "{}", seen.stdout);
    let pull = plan(&[], &one("run = \"true\"\nwhen = \"branch == feature and event == pull_request\""));
    let pull = pull.env("GITHUB_HEAD_REF", "feature").env("GITHUB_REF_NAME", "7/merge");
    pull.env("GITHUB_EVENT_NAME", "pull_request").run().exits(0);
}

#[test]
fn fail_fast_cancels_what_runs_and_names_the_check_that_failed_first() {
    let text = r#"
[[stage]]
name = "s"
[[stage.check]]
name = "bad"
run = "until test -e up; do sleep 0.01; done; exit 4"
[[stage.check]]
name = "slow"
run = "touch up; sleep 600"
[[stage]]
name = "later"
[[stage.check]]
name = "z"
run = "true"
"#;
    let seen = plan(&["--fail-fast", "--jobs", "2", "--format", "json"], text).run().exits(1);
    let document = seen.json();
    let slow = check(&document, "s/slow");
    assert_eq!((&slow["status"], &slow["reason"]["code"]), (&"cancelled".into(), &"fail_fast".into()));
    assert_eq!(slow["reason"]["text"], "stopped because s/bad failed first");
    assert_eq!(check(&document, "later/z")["reason"]["text"], "not started: s/bad failed first");
}

#[test]
fn the_name_of_a_signal_is_in_the_reason() {
    let (_, check) = ran("run = [\"sh\", \"-c\", \"kill -SEGV $$\"]");
    assert_eq!(check["reason"]["text"], "the command was ended by SIGSEGV");
    assert_eq!(check["signal"], "SIGSEGV");
    let (_, check) = ran("run = \"sh -c 'kill -KILL $$'; exit $?\"");
    assert_eq!(check["reason"]["text"], "exit code 137, probably out of memory (SIGKILL)");
}

#[test]
fn a_text_is_run_by_bash_with_pipefail_a_list_without_a_shell_and_shell_replaces_it() {
    assert_eq!(ran("run = \"false | true\"").0.code, 1);
    assert_eq!(ran("run = \"false; true\"").0.code, 1);
    assert_eq!(ran("run = [\"echo\", \"$HOME && exit 1\"]").0.code, 0);
    assert_eq!(ran("run = \"false | true\"\nshell = \"sh -c\"").0.code, 0);
    assert_eq!(ran("run = \"test \\\"$A-$B\\\" = 1-2\"\nenv = { A = \"1\", B = \"2\" }").0.code, 0);
    let seen = plan(&[], &one("run = \"read x; test -z \\\"$x\\\"\"\nshell = \"sh -c\"")).stdin("text").run();
    assert_eq!(seen.code, 0, "standard input is empty");
}

#[test]
fn without_bash_scripts_run_with_sh_and_that_is_said_once() {
    let text = one("run = \"false | true\"") + "[[stage.check]]\nname = \"b\"\nrun = \"true\"\n";
    let seen = Step::script(
        "mkdir bin; ln -s $(command -v sh) bin/sh; ln -s $(command -v preflight-report) bin/preflight-report
         PATH=$PWD/bin preflight-report --plan preflight.toml",
    );
    let seen = seen.file("preflight.toml", &text).run().exits(0);
    let said = "bash is not on the PATH: scripts run with `sh -e -c`, without pipefail\n";
    assert_eq!(seen.stderr.matches(said).count(), 1, "{}", seen.stderr);
}

#[test]
fn a_missing_program_and_a_missing_directory_fail_their_check_with_what_to_do() {
    let (seen, check) = ran("run = [\"no-such-program\"]\nretries = 5");
    assert_eq!((seen.code, &check["exit_code"]), (1, &127.into()));
    let text = check["reason"]["text"].as_str().unwrap();
    assert!(text.starts_with("cannot start `no-such-program`:") && text.contains("(127); install it"), "{text}");
    assert_eq!(check["attempts"], Value::Null, "a missing program is not tried again");
    let (_, check) = ran("run = \"no-such-program\"");
    assert_eq!(check["reason"]["text"], "exit code 127: a program was not found");
    let (_, check) = ran("run = \"true\"\ndir = \"no/such\"");
    assert_eq!(check["reason"]["text"], "the directory `no/such` does not exist");
}

#[test]
fn records_stream_while_the_run_goes_on() {
    let text = one("run = \"until test -e seen; do sleep 0.01; done\"\ntimeout = \"60s\"");
    let seen = Step::script(
        "preflight-report --plan preflight.toml --format jsonl | while read -r line; do
            case $line in *check_started*) touch seen;; esac; printf '%s\\n' \"$line\"; done",
    );
    let seen = seen.file("preflight.toml", &text).run().exits(0);
    let events: Vec<_> = seen.records().iter().map(|record| record["event"].as_str().unwrap().to_owned()).collect();
    assert_eq!(
        events,
        [
            "run_started",
            "stage_started",
            "check_started",
            "evidence",
            "check_finished",
            "stage_finished",
            "run_finished"
        ]
    );
}

#[test]
fn other_checks_that_a_command_prints_are_part_of_the_report() {
    let text = one("run = \"cat dagger.json\"");
    let seen = plan(&[], &text).file("dagger.json", super::FAILED).run().exits(1);
    assert!(seen.stdout.contains("✗ Worker container") && seen.stdout.contains("✓ it "), "{}", seen.stdout);
}

#[test]
fn list_only_and_dry_run_show_the_plan_and_run_nothing() {
    let text = r#"
[[stage]]
name = "Build"
[[stage.check]]
name = "Worker container"
run = "touch ran"
dir = "worker"
timeout = "5m"
[[stage]]
name = "Quality"
order = "sequence"
needs = ["build/worker-container"]
[[stage.check]]
name = "lint"
run = ["ruff", "check"]
required = false
[[stage.check]]
name = "never"
run = "true"
when = "branch == no-such"
"#;
    let seen = plan(&["--list"], text).run().exits(0);
    assert_eq!(seen.stdout, "build/worker-container\ttouch ran\nquality/lint\truff check\nquality/never\ttrue\n");
    let seen = plan(&["--dry-run", "--only", "Quality/lint", "--only", "*/worker*"], text).run().exits(0);
    assert_eq!(
        seen.stdout,
        "Build: at once\n  build/worker-container: touch ran (in worker, at most 5m)\n\
         Quality: after build/worker-container passed, one check after the other\n  quality/lint: ruff check (not required)\n"
    );
    assert_eq!(seen.read("ran"), None);
    assert_eq!(plan(&["--list", "--format", "json"], text).run().json()["stages"][1]["checks"][1]["runs"], false);
    let seen = plan(&["--only", "build/wroker-container"], text).run().exits(2);
    assert!(seen.stderr.contains("help: write `--only build/worker-container`"), "{}", seen.stderr);
    let seen = plan(&["--only", "quality/never"], text).run().exits(3);
    assert!(!seen.stdout.contains("Build Stage"), "{}", seen.stdout);
}

#[test]
fn a_bad_plan_exits_2_with_line_and_column_and_a_missing_one_with_a_plan_to_copy() {
    let seen = plan(&[], &one("run = \"true\"\ntiemout = \"5m\"")).run().exits(2);
    assert!(
        seen.log.contains("`preflight.toml`, line 6, column 1: unknown key `tiemout` in [[stage.check]]"),
        "{}",
        seen.log
    );
    let circle = "[[stage]]\nname = \"a\"\nneeds = [\"b\"]\n[[stage.check]]\nname = \"x\"\nrun = \"x\"\n\
                  [[stage]]\nname = \"b\"\n[[stage.check]]\nname = \"y\"\nrun = \"y\"\n";
    let seen = plan(&[], circle).plain().run().exits(2);
    assert!(
        seen.stderr.contains("line 1, column 1: stages need each other in a circle: a needs b needs a"),
        "{}",
        seen.stderr
    );
    let seen = step(["--plan", "no-such.toml"]).plain().run().exits(2);
    assert!(seen.stderr.contains("cannot read the plan `no-such.toml`"), "{}", seen.stderr);
    // What it offers to copy is a plan.
    let sample: String =
        seen.stderr.lines().filter_map(|line| line.strip_prefix("    ")).map(|line| line.to_owned() + "\n").collect();
    step(["--plan", "p.toml", "--list"]).file("p.toml", sample.trim_start()).run().exits(0);
    let seen = plan(&[], &one("run = \"true\"\ninputs = \"src/**/*.py\"")).plain().run().exits(2);
    assert!(seen.stderr.contains("`inputs` of `gate/it`: `src/**/*.py` matches no file"), "{}", seen.stderr);
}

#[test]
fn a_check_can_begin_no_workflow_command() {
    let seen = plan(&[], &one("run = \"printf '::error::x\\\\n##[add-mask]e\\\\r::set-output name=a::b\\\\n'\""))
        .run()
        .exits(0);
    for line in seen.stderr.lines() {
        let own = line == "::group::gate/it" || line == "::endgroup::";
        assert!(own || !line.trim_start().starts_with("::") && !line.contains("##["), "{line}");
    }
}
