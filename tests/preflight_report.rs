//! `preflight-report`, as a workflow's step and as a filter in a shell runs it.

mod attempts;
mod command;
mod docs;
mod hides;
mod hostile;
mod masks;
mod notify;
mod otlp;
mod page;
mod places;
mod plan;
mod plan_builtins;
mod plan_examples;
mod plan_faults;
mod publish;
mod published;
mod reports;
mod terminal;
mod verdict;
mod written;

use serde_json::json;

use crate::support::{Seen, Step};

const PASSED: &str = include_str!("fixtures/reports/dagger-timed-pass.json");
const FAILED: &str = include_str!("fixtures/reports/dagger-timed-fail.json");

fn step<const N: usize>(arguments: [&str; N]) -> Step {
    Step::new("preflight-report").args(arguments)
}

fn filter(text: &str) -> Seen {
    step([]).stdin(text).run()
}

#[test]
fn a_passing_pipeline_prints_the_known_layout_byte_for_byte() {
    let seen = filter(PASSED);
    assert_eq!(seen.code, 0, "{}", seen.stderr);
    assert_eq!(seen.stdout, include_str!("fixtures/reports/dagger-expected.txt"));
    // A check that did nothing passes, and is not hidden.
    let warning = "::warning title=Pre-deploy validation::quality/pytest did nothing: no tests collected\n";
    assert_eq!(seen.stderr, warning);
}

#[test]
fn a_failed_check_exits_1_and_says_where_and_why_everywhere() {
    let seen = step([]).stdin(FAILED).file("src/index.ts", "").run();
    assert_eq!(seen.code, 1);
    assert!(
        seen.stdout
            .contains("  ✗ Worker container                            (0.4s)\n    → src/index.ts:45:9 TS2322\n")
    );
    assert!(seen.stdout.contains("RESULT: FAILED                                Total: 9.3s"));
    assert!(seen.summary.starts_with("## ❌ Pre-deploy validation failed – do not deploy\n"), "{}", seen.summary);
    assert_eq!(
        seen.messages("error"),
        ["TS2322 Type 'string' is not assignable to type 'number'.", "could not connect to server"]
    );
    let first = &seen.annotations[0];
    assert_eq!((first.file.as_deref(), first.line.as_deref()), (Some("src/index.ts"), Some("45")));
    assert_eq!(first.title.as_deref(), Some("Build › Worker container"));
}

#[test]
fn the_noise_of_dagger_around_the_report_changes_nothing() {
    let noise =
        format!("\u{1b}[2m✔ connect 0.2s\u{1b}[0m\r\n{{not: json}}\n{FAILED}\nA new release of dagger is available\n");
    assert_eq!(filter(&noise).stdout, filter(FAILED).stdout);
    // `dagger call --json` prints the answer as a string.
    assert_eq!(filter(&serde_json::to_string(FAILED).unwrap()).stdout, filter(FAILED).stdout);
}

#[test]
fn a_report_that_claims_success_over_a_failed_check_fails_and_shows_it() {
    let seen = filter(&FAILED.replacen("\"failed\"", "\"passed\"", 1));
    assert_eq!(seen.code, 1);
    let said = "Pre-deploy validation reports that it passed, but 2 check(s) failed";
    assert!(seen.stdout.contains(said), "{}", seen.stdout);
    assert!(seen.summary.contains(said), "{}", seen.summary);
}

#[test]
fn shards_and_tools_add_up_and_a_broken_promise_is_incomplete() {
    let lines = |shard: &str, site: &str| {
        format!(
            r#"{{"v":1,"run":"5ae7847.1","shard":"{shard}","seq":0,"at":"2026-11-21T02:40:00.000Z","event":"run_started","tool":"pages-deploy-all","title":"Sites","plan":["sites/{site}"]}}
{{"v":1,"run":"5ae7847.1","shard":"{shard}","seq":1,"at":"2026-11-21T02:40:03.200Z","event":"check_finished","check":"sites/{site}","status":"passed","duration_seconds":3.2,"url":"https://{site}.pages.dev"}}
{{"v":1,"run":"5ae7847.1","shard":"{shard}","seq":2,"at":"2026-11-21T02:40:04.000Z","event":"run_finished","result":"passed","duration_seconds":4.0}}
"#
        )
    };
    let whole = lines("1/2", "shop") + &lines("2/2", "docs");
    let seen = filter(&whole);
    assert_eq!((seen.code, seen.stdout.contains("2 of 2 checks passed.")), (0, true), "{}", seen.stdout);
    assert!(seen.summary.contains("[docs.pages.dev](https://docs.pages.dev)"), "{}", seen.summary);

    let cut: Vec<_> = whole.lines().filter(|line| !line.contains("sites/docs\",\"status\"")).collect();
    let seen = filter(&cut.join("\n"));
    assert_eq!(seen.code, 3, "{}", seen.stdout);
    assert!(seen.stdout.contains("? docs                                        (missing)"), "{}", seen.stdout);
}

#[test]
fn files_and_standard_input_make_one_report() {
    let seen = step(["a.json", "-", "--title", "Deployment"])
        .file("a.json", PASSED)
        .stdin(r#"{"deploy":{"result":"success","outputs":{}}}"#)
        .run();
    assert_eq!(seen.code, 0, "{}", seen.stderr);
    assert!(seen.stdout.contains("  DEPLOYMENT\n"));
    assert!(seen.stdout.contains("Jobs Stage ✓\n  ✓ deploy\n"), "{}", seen.stdout);
    assert!(seen.stdout.contains("11 of 11 checks passed."), "{}", seen.stdout);
}

#[test]
fn json_is_one_document_with_the_verdict() {
    let seen = step(["--format", "json", "--no-summary"]).stdin(FAILED).run();
    let document = seen.json();
    assert_eq!((seen.code, &document["result"], &document["ready"]), (1, &"failed".into(), &false.into()));
    assert_eq!(document["schema_version"], 1);
    assert_eq!(document["next"]["failed"], json!(["build/worker-container", "integration/run-migrations"]));
    assert_eq!(document["stages"][0]["checks"][1]["findings"][0]["line"], 45);
    assert_eq!(seen.summary, "");
}

#[test]
fn records_pass_through_and_make_the_same_report() {
    let lines = step(["--format", "jsonl"]).stdin(FAILED).run();
    assert_eq!(lines.code, 1);
    assert!(lines.stdout.lines().all(|line| line.starts_with(r#"{"v":1,"run":"local","seq":"#)), "{}", lines.stdout);
    assert_eq!(filter(&lines.stdout).stdout, filter(FAILED).stdout);

    let later = r#"{"v":1,"run":"r","seq":0,"by":"x","event":"lock_taken"}"#;
    assert_eq!(step(["--format", "jsonl"]).stdin(later).run().stdout, format!("{later}\n"));
}

#[test]
fn markdown_on_stdout_is_what_the_summary_gets() {
    let seen = step(["--format", "markdown"]).stdin(FAILED).run();
    assert_eq!(seen.stdout.trim_end(), seen.summary.trim_end());
}

#[test]
fn nothing_on_standard_input_is_incomplete_and_says_what_to_check() {
    let seen = filter("");
    assert_eq!((seen.code, seen.stdout.as_str()), (3, ""));
    assert!(seen.stderr.contains("nothing reported: standard input is empty"), "{}", seen.stderr);
    assert!(seen.stderr.contains("help: check that the command before the pipe ran"), "{}", seen.stderr);
}

#[test]
fn a_report_of_nothing_is_incomplete_and_says_what_it_holds() {
    for blank in ["{}", "[]", "null"] {
        let seen = filter(blank);
        assert_eq!((seen.code, seen.stdout.as_str()), (3, ""));
        let said = format!("nothing reported: standard input holds `{blank}`: no check, no job");
        assert!(seen.stderr.contains(&said), "{}", seen.stderr);
    }
}

#[test]
fn an_unknown_format_exits_2_naming_the_file_and_what_was_tried() {
    let seen = step(["report.txt"]).file("report.txt", "RESULT: PASSED\n").run();
    assert_eq!((seen.code, seen.stdout.as_str()), (2, ""));
    for part in ["`report.txt` holds no report in a known format", "tried: a Dagger pipeline's JSON", "--json-output"] {
        assert!(seen.stderr.contains(part), "{}", seen.stderr);
    }
}

#[test]
fn a_report_that_is_cut_off_exits_2_and_json_tells_of_it_too() {
    let seen = step(["--format", "json"]).stdin(&FAILED[..900]).run();
    let document = seen.json();
    assert_eq!(seen.code, 2);
    assert_eq!(document["error"]["message"], "cannot read standard input, line 1");
    assert!(document["error"]["causes"][0].as_str().unwrap().starts_with("it is cut off"));
}

#[test]
fn a_file_that_does_not_exist_and_an_unknown_flag_exit_2() {
    assert_eq!(step(["no-such.json"]).run().code, 2);
    assert_eq!(step(["--no-such-flag"]).stdin(PASSED).run().code, 2);
    assert_eq!(step([]).stdin(r#"{"v":2,"event":"run_started"}"#).run().code, 2);
}

#[test]
fn what_a_check_printed_can_begin_no_workflow_command_on_either_stream() {
    let evil = "::error::e\n##[add-mask]e\r::set-output name=a::b\n   ::stop-commands::x";
    let report = json!({"result": "failed", "stages": {evil: {"status": "failed", "checks": [
        {"name": evil, "status": "failed", "error": evil}]}}});
    for format in ["text", "json", "jsonl", "markdown"] {
        let seen = step(["--format", format, "--title", evil]).stdin(report.to_string()).run();
        assert_eq!(seen.code, 1);
        for line in seen.stdout.lines().chain(seen.stderr.lines()) {
            let own = line.starts_with("::error title=");
            assert!(own || !line.trim_start().starts_with("::"), "{format}: {line}");
            assert!(!line.contains("##["), "{format}: {line}");
        }
    }
}

#[test]
fn more_failures_than_annotations_are_counted() {
    let checks: Vec<_> = (0..40).map(|n| json!({"name": format!("c{n}"), "status": "failed"})).collect();
    let report = json!({"result": "failed", "stages": {"build": {"checks": checks}}});
    let seen = filter(&report.to_string());
    // The runner keeps ten, and a step that fails spends one on its exit code.
    assert_eq!(seen.messages("error").len(), 9, "{}", seen.stderr);
    assert!(seen.messages("error")[8].starts_with("32 more are not shown here"), "{}", seen.stderr);
}

#[test]
fn the_locale_and_no_color_decide_how_the_text_looks() {
    assert!(step([]).env("LC_ALL", "C").stdin(FAILED).run().stdout.is_ascii());
    assert!(step([]).env("CLICOLOR_FORCE", "1").stdin(FAILED).run().stdout.contains("\u{1b}[31m✗\u{1b}[0m"));
    let both = step([]).env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1").stdin(FAILED).run();
    assert!(!both.stdout.contains('\u{1b}'));
}

#[test]
fn a_reader_that_has_left_changes_no_verdict() {
    for (report, code) in [(PASSED, 0), (FAILED, 1)] {
        let mut started = step([]).plain().stdin(report).spawn();
        drop(started.child.stdout.take());
        let seen = started.finish().exits(code);
        assert_eq!(seen.stderr, "");
    }
}

#[test]
fn short_help_fits_a_screen_and_long_help_has_its_parts() {
    let short = step(["-h"]).run();
    assert!(short.code == 0 && short.stdout.lines().count() <= 24, "{}", short.stdout);
    let long = step(["--help"]).run().stdout;
    for part in ["Environment:", "Exit codes:", "Examples:"] {
        assert!(long.contains(part), "{long}");
    }
}

#[test]
fn the_examples_of_the_help_run() {
    let help = step(["--help"]).run().stdout;
    let examples: Vec<&str> = help.split_once("Examples:\n").unwrap().1.lines().map(str::trim).collect();
    assert_eq!(examples.len(), 7, "{help}");
    let records = step(["--format", "jsonl"]).stdin(PASSED).run().stdout;
    for example in examples {
        // Stand-ins for the programs around ours.
        let functions = "dagger() { cat report.json; }; jq() { cat; }";
        let pytest = "#!/bin/sh\necho \"<testsuite><testcase name='a'/></testsuite>\" > junit.xml\n";
        let step = Step::script(&format!(
            "printf '%s' \"$PYTEST\" > pytest; chmod +x pytest; PATH=$PWD:$PATH\n{functions}\n{example}"
        ));
        let step = step.env("PYTEST", pytest);
        let step = step.file("report.json", PASSED).file("shard-1.jsonl", &records);
        let passed = "<testsuite><testcase name='a'/></testsuite>";
        let step = step.file("junit/a.xml", passed).file("reports/a.xml", passed);
        let step = step.file(
            "ruff.sarif",
            "{\"version\":\"2.1.0\",\"runs\":[{\"tool\":{\"driver\":{\"name\":\"ruff\"}},\"results\":[]}]}",
        );
        let plan = "[[stage]]\nname = \"a\"\n[[stage.check]]\nname = \"b\"\nrun = \"true\"\n";
        step.file("tsc.txt", "All checks passed!\n").file("preflight.toml", plan).run().exits(0);
    }
}

#[test]
fn a_script_that_prints_records_as_the_documentation_says_has_a_gate() {
    let (_, block) = include_str!("../docs/preflight-report.md").rsplit_once("```sh\n").unwrap();
    let script = format!("{{ {} }} | preflight-report", block.split_once("```").unwrap().0);
    let seen = Step::script(&script).file("home.html", "").run().exits(1);
    assert!(seen.stdout.contains("  ✓ home\n  ✗ login\n"), "{}", seen.stdout);
    assert!(seen.stdout.contains("Smoke test reports that it passed, but 1 check(s) failed"), "{}", seen.stdout);
    Step::script(&script).file("home.html", "").file("login.html", "").run().exits(0);
}
