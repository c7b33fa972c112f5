//! What all five programs promise: streams, exit codes, the error's form, help.

mod credentials;
mod exit_codes;
mod help;
mod hostile;

use std::path::{Path, PathBuf};

use emulators::Cloudflare;

use crate::support::{Seen, Step};

pub(crate) const TOOLS: [&str; 7] =
    ["secrets-env", "preflight-report", "stack-output", "pages-deploy-all", "ssh-deploy", "live-wait", "stage-run"];

/// Each program with arguments that fail before any service is asked, and the code it fails with.
const FAILURES: [(&str, &[&str], i32); 7] = [
    ("secrets-env", &["--", "true"], 77),
    ("preflight-report", &["no-such-file"], 2),
    ("stack-output", &["--state", "/no/such/file", "name"], 2),
    ("pages-deploy-all", &["no-such-folder"], 2),
    ("ssh-deploy", &["--", "true"], 2),
    ("live-wait", &[], 2),
    ("stage-run", &["--plan", "no-such-plan"], 2),
];

/// Variables that one or more of the programs read.
const VARIABLES: [&str; 24] = [
    "CLICOLOR_FORCE",
    "CLOUDFLARE_ACCOUNT_ID",
    "CLOUDFLARE_API_BASE_URL",
    "CLOUDFLARE_API_TOKEN",
    "DOPPLER_API_HOST",
    "DOPPLER_CONFIG",
    "DOPPLER_IDENTITY_ID",
    "DOPPLER_PROJECT",
    "DOPPLER_TOKEN",
    "GITHUB_ACTIONS",
    "GITHUB_OUTPUT",
    "GITHUB_REF_NAME",
    "GITHUB_SHA",
    "GITHUB_STEP_SUMMARY",
    "NO_COLOR",
    "PREFLIGHT_REPORT_TITLE",
    "PULUMI_BACKEND_URL",
    "PULUMI_CONFIG_PASSPHRASE",
    "PULUMI_HOME",
    "PULUMI_STACK",
    "SSH_KNOWN_HOSTS",
    "SSH_PRIVATE_KEY",
    "TF_WORKSPACE",
    "WRANGLER_OUTPUT_FILE_PATH",
];

fn failing((tool, arguments, _): (&str, &[&str], i32)) -> Step {
    Step::new(tool).args(arguments)
}

/// A Pulumi state whose passphrase is `test-passphrase`.
fn state() -> PathBuf {
    let stacks = "crates/stack/tests/fixtures/file-v1/.pulumi/stacks/shop";
    Path::new(env!("CARGO_MANIFEST_DIR")).join(stacks).join("prod.json")
}

/// Stops the test unless stderr is one error in the contract's form, and nothing else; returns its text.
#[track_caller]
fn error(seen: &Seen) -> String {
    let mut lines = seen.stderr.lines();
    assert!(lines.next().is_some_and(|line| line.starts_with("error: ")), "{}", seen.stderr);
    let is_rest = |line: &str| ["  caused by: ", "  help: ", "    "].iter().any(|start| line.starts_with(start));
    assert!(lines.all(is_rest), "{}", seen.stderr);
    seen.stderr.clone()
}

#[test]
fn outside_actions_an_error_is_text_on_stderr_alone() {
    for failure in FAILURES {
        let seen = failing(failure).plain().run().exits(failure.2);
        assert_eq!(seen.stdout, "", "{}", failure.0);
        let text = error(&seen);
        assert!(text.contains("\n  help: ") || text.contains("\n  caused by: "), "{text}");
    }
}

#[test]
fn in_actions_an_error_is_the_same_text_as_one_annotation() {
    for failure in FAILURES {
        let text = failing(failure).plain().run().stderr;
        let seen = failing(failure).run().exits(failure.2);
        let [annotation] = &seen.annotations[..] else { panic!("{}: {}", failure.0, seen.stderr) };
        assert_eq!((annotation.level.as_str(), annotation.title.as_deref()), ("error", Some(failure.0)));
        assert_eq!(format!("error: {}\n", annotation.message), text);
        assert_eq!(seen.stderr.lines().count(), 1, "{}", seen.stderr);
        assert_eq!(seen.complaints, [""; 0]);
    }
}

#[test]
fn an_unknown_flag_is_wrong_usage_that_names_it() {
    for tool in TOOLS {
        let seen = Step::new(tool).plain().arg("--no-such-flag").run().exits(2);
        assert_eq!(seen.stdout, "", "{tool}");
        assert!(seen.stderr.starts_with("error: unexpected argument '--no-such-flag' found\n"), "{}", seen.stderr);
        let seen = Step::new(tool).arg("--no-such-flag").run().exits(2);
        assert_eq!(seen.messages("error").len(), 1, "{}", seen.stderr);
    }
}

/// `secrets-env` and `stack-output` print the user's own names and values, among which no error may stand.
#[test]
fn with_format_json_a_failed_run_prints_its_document() {
    for failure in FAILURES.into_iter().filter(|(tool, ..)| !["secrets-env", "stack-output"].contains(tool)) {
        let (tool, arguments, code) = failure;
        let seen = Step::new(tool).plain().args(["--format", "json"]).args(arguments).run().exits(code);
        let document = seen.json();
        assert_eq!((&document["schema_version"], &document["tool"]), (&1.into(), &tool.into()));
        let message = document["error"]["message"].as_str().unwrap();
        assert!(seen.stderr.starts_with(&format!("error: {message}\n")), "{}", seen.stderr);
        assert!(document["error"]["causes"].is_array(), "{document}");
        assert!(document["error"].get("help").is_some(), "{document}");
    }
}

#[test]
fn a_blank_variable_is_not_given() {
    for failure in FAILURES {
        let without = failing(failure).plain().run();
        for blank in ["", " \n"] {
            let step = VARIABLES.iter().fold(failing(failure).plain(), |step, name| step.env(name, blank));
            let with = step.run();
            assert_eq!((with.code, with.stdout, &with.stderr), (without.code, String::new(), &without.stderr));
        }
    }
    let state = state().display().to_string();
    let step = Step::new("stack-output").args(["--state", &state, "port"]);
    VARIABLES.iter().fold(step.plain(), |step, name| step.env(name, "")).run().exits(0);
}

#[test]
fn a_reader_that_has_left_changes_no_code_and_is_not_mentioned() {
    let report = include_str!("fixtures/reports/dagger-timed-fail.json");
    let state = state().display().to_string();
    for (command, code) in [
        ("preflight-report --no-summary".to_owned(), 1),
        ("preflight-report --no-summary --format jsonl 2>/dev/null".to_owned(), 1),
        ("preflight-report --format json no-such-file 2>/dev/null".to_owned(), 2),
        ("ssh-deploy --format json -- true </dev/null 2>/dev/null".to_owned(), 2),
        (format!("stack-output --state {state} --format json port"), 0),
        ("printf 'A=1\\n' | secrets-env --from - --format json".to_owned(), 0),
        ("pages-deploy-all --format json no-such-folder 2>/dev/null".to_owned(), 2),
    ] {
        for reader in ["true", "head -c1 >/dev/null"] {
            let script = format!("set +e +o pipefail; {{ {command}; echo $? >code; }} | {reader}; cat code");
            let seen = Step::script(&script).plain().stdin(report).run().exits(0);
            assert_eq!(seen.stdout, format!("{code}\n"), "{command} | {reader}: {}", seen.stderr);
            assert_eq!(seen.stderr, "", "{command}");
        }
    }
}

#[test]
fn a_full_disk_under_stdout_is_told() {
    let report = include_str!("fixtures/reports/dagger-timed-pass.json");
    let state = state().display().to_string();
    for command in [
        "preflight-report".to_owned(),
        "preflight-report --format json".to_owned(),
        format!("stack-output --state {state} port"),
        "ssh-deploy --help".to_owned(),
        "pages-deploy-all --version".to_owned(),
        "secrets-env --generate bash".to_owned(),
        "printf 'A=1\\n' | secrets-env --from - --format json".to_owned(),
    ] {
        let seen = Step::script(&format!("{command} >/dev/full")).plain().stdin(report).run().exits(2);
        assert!(seen.stderr.contains("error: cannot write to stdout\n  caused by: No space left"), "{}", seen.stderr);
    }
}

#[test]
fn a_full_disk_under_stdout_undoes_no_deploy() {
    let cloudflare = Cloudflare::start();
    cloudflare.project("docs");
    for format in ["text", "json", "jsonl"] {
        let seen = Step::script(&format!("pages-deploy-all --format {format} >/dev/full"))
            .cloudflare(&cloudflare)
            .cloudflare_token(&cloudflare)
            .env("GITHUB_REF_NAME", "main")
            .file("sites/docs/dist/index.html", format)
            .run()
            .exits(0);
        assert_eq!(seen.stderr.matches("cannot write to stdout: No space left").count(), 1, "{}", seen.stderr);
    }
    assert_eq!(cloudflare.deployments("docs").len(), 3);
}

#[test]
fn closed_streams_and_a_missing_home_change_no_code() {
    for failure @ (tool, arguments, code) in FAILURES {
        let script = format!("set +e; {tool} {} <&- >&- 2>&-; exit $?", arguments.join(" "));
        Step::script(&script).run().exits(code);
        failing(failure).plain().without("HOME").without("PATH").without("TMPDIR").run().exits(code);
    }
}

#[test]
fn a_summary_that_cannot_be_written_changes_no_code() {
    for (report, code) in [
        (include_str!("fixtures/reports/dagger-timed-pass.json"), 0),
        (include_str!("fixtures/reports/dagger-timed-fail.json"), 1),
    ] {
        let step = Step::new("preflight-report").env("GITHUB_STEP_SUMMARY", "/no/such/summary").stdin(report);
        let seen = step.run().exits(code);
        let warnings = seen.messages("warning");
        assert!(warnings.iter().any(|text| text.contains("/no/such/summary")), "{}", seen.stderr);
    }
}

#[test]
fn no_colour_reaches_a_pipe() {
    for failure @ (tool, ..) in FAILURES {
        for step in [Step::new(tool).arg("-h"), Step::new(tool).arg("--help"), Step::new(tool).arg("--no-such-flag")] {
            let seen = step.plain().env("TERM", "xterm-256color").run();
            assert!(!seen.stdout.contains('\u{1b}') && !seen.stderr.contains('\u{1b}'), "{tool}");
        }
        let seen = failing(failure).env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1").run();
        assert!(!seen.stdout.contains('\u{1b}') && !seen.stderr.contains('\u{1b}'), "{tool}");
    }
}

#[test]
fn a_failed_run_leaves_nothing_behind() {
    for (tool, arguments, _) in FAILURES {
        let command = format!("{tool} {}", arguments.join(" "));
        let script = format!("set +e; {command} >/dev/null 2>&1; find . \"$HOME\" \"$TMPDIR\" -mindepth 1");
        assert_eq!(Step::script(&script).run().exits(0).stdout, "", "{tool}");
    }
}

#[test]
fn a_service_that_does_not_answer_is_named() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", silent.local_addr().unwrap());
    let step = Step::new("secrets-env").plain().args(["--deadline", "1s", "--format", "names"]);
    let step = step.env("DOPPLER_API_HOST", &address).workflow_secret("DOPPLER_TOKEN", "dp.st.dev.hunter2token");
    let seen = step.run().exits(75);
    assert!(seen.stderr.contains(&format!("GET {address}/v3/configs/config/secrets")), "{}", seen.stderr);
    assert_eq!(seen.stdout, "");
}
