//! Arguments, files and streams made to do harm.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

use emulators::Sshd;

use super::{FAILURES, TOOLS, error, failing};
use crate::support::{Seen, Step};

/// Begins commands of both grammars at each of its lines.
const COMMANDS: &str = "x\n::set-output name=a::b\r::add-mask::e\n##[add-mask]e\n  ::error::no";

/// Stops the test unless the runner saw one error and nothing else of a command.
#[track_caller]
fn one_error(seen: &Seen) {
    assert_eq!(seen.annotations.len(), 1, "{}", seen.stderr);
    assert!(seen.outputs.is_empty() && seen.masks.is_empty(), "{}", seen.stderr);
    assert_eq!(seen.complaints, [""; 0]);
}

#[test]
fn an_argument_starts_no_workflow_command() {
    for tool in TOOLS {
        one_error(&Step::new(tool).args(["--format", COMMANDS]).run().exits(2));
        one_error(&Step::new(tool).arg(format!("--{COMMANDS}")).run().exits(2));
    }
    one_error(&Step::new("preflight-report").arg(COMMANDS).run().exits(2));
    one_error(&Step::new("stack-output").args(["--state", COMMANDS]).run().exits(2));
    one_error(&Step::new("stack-output").args(["--state", "-", COMMANDS]).stdin("{\"a\":1}").run().exits(2));
    one_error(&Step::new("pages-deploy-all").arg(COMMANDS).run().exits(2));
    one_error(&Step::new("ssh-deploy").args([COMMANDS, "--", "true"]).run().exits(2));
    one_error(&Step::new("secrets-env").args(["--from", COMMANDS]).run().exits(2));
}

#[test]
fn the_text_of_an_input_starts_no_workflow_command() {
    one_error(&Step::new("preflight-report").stdin(COMMANDS).run().exits(2));
    one_error(&Step::new("stack-output").args(["--state", "-", "a"]).stdin(COMMANDS).run().exits(2));
    one_error(&Step::new("ssh-deploy").args(["--", "true"]).stdin(COMMANDS).run().exits(2));
    one_error(&Step::new("secrets-env").args(["--from", "-"]).stdin(COMMANDS).run().exits(2));
    let names = serde_json::json!({ COMMANDS: 1 }).to_string();
    one_error(&Step::new("stack-output").args(["--state", "-", "a"]).stdin(names).run().exits(1));
}

#[test]
fn bytes_that_are_no_text_are_an_error_and_no_crash() {
    let bytes = OsString::from_vec(vec![b'x', 0xff, 0xfe]);
    for failure @ (tool, _, code) in FAILURES {
        let seen = Step::new(tool).plain().arg("--format").arg(bytes.clone()).run().exits(2);
        assert!(seen.stderr.starts_with("error: "), "{}", seen.stderr);
        failing(failure).plain().env("DOPPLER_PROJECT", bytes.clone()).env("ODD", bytes.clone()).run().exits(code);
    }
    let folder = Step::new("pages-deploy-all").plain().args(["--branch", "main"]);
    std::fs::create_dir_all(folder.folder().join("sites").join(&bytes).join("dist")).unwrap();
    let seen = folder.file("sites/docs/dist/index.html", "x").run().exits(2);
    assert!(error(&seen).contains("is not UTF-8"), "{}", seen.stderr);
}

#[test]
fn an_argument_of_the_greatest_length_is_an_error_and_no_crash() {
    // Linux takes 128 KiB for one.
    let long = "x".repeat(130_000);
    for tool in TOOLS {
        Step::new(tool).args(["--format", &long]).run().exits(2);
    }
    Step::new("ssh-deploy").args([long.as_str(), "--", "true"]).run().exits(2);
}

/// Inputs read from stdin: the program, its arguments.
const READERS: [(&str, &[&str]); 4] = [
    ("preflight-report", &[]),
    ("stack-output", &["--state", "-", "a"]),
    ("ssh-deploy", &["--", "true"]),
    ("secrets-env", &["--from", "-"]),
];

#[test]
fn an_input_that_nests_without_end_is_an_error_and_no_crash() {
    for open in ["[", "{\"a\":", "[{\"a\":", "{\"stages\":", "- ", "a: [", "\"\\\""] {
        for (tool, arguments) in READERS {
            let seen = Step::new(tool).plain().args(arguments).stdin(open.repeat(50_000)).run().exits(2);
            assert!(seen.stderr.starts_with("error: "), "{tool} {open}: {}", seen.stderr);
            assert!(seen.stderr.len() < 2000, "{tool} {open}: {}", seen.stderr);
        }
    }
}

#[test]
fn an_input_of_random_bytes_is_an_error_and_no_crash() {
    let mut state = 1_u32;
    let bytes: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    })
    .take(100_000)
    .collect();
    for (tool, arguments) in READERS {
        let seen = Step::new(tool).plain().args(arguments).stdin(bytes.clone()).run().exits(2);
        let text = error(&seen);
        assert!(!text.contains(|odd: char| odd.is_control() && odd != '\n'), "{text:?}");
    }
}

#[test]
fn a_folder_in_place_of_a_file_is_named() {
    for arguments in [
        &["preflight-report", "/"][..],
        &["stack-output", "--state", "/"],
        &["ssh-deploy", "web1", "--script", "/"],
        &["ssh-deploy", "web1", "--known-hosts", "/", "--", "true"],
        &["secrets-env", "--from", "/"],
        &["secrets-env", "--token-file", "/"],
    ] {
        let seen = Step::new(arguments[0]).plain().args(&arguments[1..]).run().exits(2);
        assert!(error(&seen).contains("directory"), "{}", seen.stderr);
    }
    let seen = Step::new("pages-deploy-all").plain().arg("file").file("file", "").run().exits(2);
    assert!(error(&seen).contains("`file` is a file"), "{}", seen.stderr);
}

#[test]
fn a_pipe_in_place_of_a_file_is_read() {
    let report = include_str!("../fixtures/reports/dagger-timed-pass.json");
    Step::script("preflight-report <(cat)").stdin(report).run().exits(0);
    let seen = Step::script("stack-output --state <(cat) a").stdin("{\"a\":\"b\"}").run().exits(0);
    assert_eq!(seen.stdout, "b\n");
    let seen = Step::script("secrets-env --from <(cat) --format names").stdin("A=1\n").run().exits(0);
    assert_eq!(seen.stdout, "A\n");
}

#[test]
fn an_empty_command_is_no_green_deploy() {
    for command in ["", " \n"] {
        let seen = Step::new("ssh-deploy").plain().args(["web1", "--", command]).run().exits(2);
        assert!(error(&seen).contains("the command is empty"), "{}", seen.stderr);
    }
}

#[test]
fn a_refused_host_key_and_a_failed_command_have_the_form_of_an_error() {
    let Some(sshd) = Sshd::start() else { return };
    let host = format!("{}@127.0.0.1:{}", sshd.user(), sshd.port());
    let step = |key: &str| Step::new("ssh-deploy").plain().ssh_key(&sshd).arg(format!("{host} {key}"));
    let seen = step(&format!("SHA256:{}", "A".repeat(43))).args(["--", "true"]).run().exits(77);
    let text = error(&seen);
    assert!(text.contains("the host key is not the one given") && text.contains("  help: compare it"), "{text}");
    let seen = step(&sshd.host_key()).args(["--", "exit 9"]).run().exits(1);
    assert!(seen.stderr.contains("\nerror: 127.0.0.1"), "{}", seen.stderr);
    assert!(seen.stderr.contains("the command failed with exit code 9"), "{}", seen.stderr);
}
