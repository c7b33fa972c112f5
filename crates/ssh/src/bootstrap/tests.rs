//! The remote program run for real, under the login shells that are installed here.

use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};

use secrecy::SecretString;

use super::{Interpreter, PROGRAM, Program, Record, record, shebang};

const NONCE: &str = "0123456789abcdef";

/// The login shells of this machine among those that the command line must pass through unchanged.
fn login_shells() -> Vec<&'static str> {
    let known = ["sh", "bash", "dash", "zsh", "mksh", "tcsh", "fish", "busybox"];
    known.into_iter().filter(|shell| Command::new(shell).arg("-c").arg("true").output().is_ok()).collect()
}

fn begin(shell: &str, program: &Program) -> Child {
    let stage = program.stage(NONCE);
    let mut command = Command::new(shell);
    if shell == "busybox" {
        command.arg("sh");
    }
    command.arg("-c").arg(Program::command_line(&stage, NONCE));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.as_mut().unwrap().write_all(stage.as_bytes()).unwrap();
    child
}

struct Seen {
    stdout: String,
    stderr: String,
    records: Vec<Record>,
}

fn end(mut child: Child) -> Seen {
    let (mut stdout, mut stderr) = (String::new(), String::new());
    child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    child.wait().unwrap();
    let records = stderr.lines().filter_map(|line| record(line.as_bytes(), NONCE)).collect();
    Seen { stdout, stderr, records }
}

fn run(shell: &str, program: &Program) -> Seen {
    let mut child = begin(shell, program);
    child.stdin.as_mut().unwrap().write_all(&program.payload()).unwrap();
    // The lifeline stays open until the program has ended.
    let lifeline = child.stdin.take();
    let seen = end(child);
    drop(lifeline);
    seen
}

fn script(text: &str) -> Program {
    Program::new(text.as_bytes().to_vec())
}

#[test]
fn every_login_shell_passes_the_script_on_and_its_exit_code_back() {
    for shell in login_shells() {
        let seen = run(shell, &script("echo out; printf open >&2; exit 7\n"));
        assert_eq!(seen.stdout, "out\n", "{shell}");
        assert_eq!(seen.records[1..], [Record::Started, Record::Exit(7)], "{shell}: {}", seen.stderr);
    }
}

#[test]
fn values_with_quotes_spaces_and_line_ends_arrive_and_stand_in_no_argument_list() {
    let value = "it's a \"secret\" $HOME \\n\nsecond line";
    let list = "for process in /proc/[0-9]*; do tr '\\0' ' ' <$process/cmdline || true; done 2>/dev/null\n";
    for shell in login_shells() {
        let program =
            script(&format!("printf %s \"$VALUE\"\n{list}")).with_value("VALUE", SecretString::from(value)).unwrap();
        let seen = run(shell, &program);
        let processes = seen.stdout.strip_prefix(value).unwrap_or_else(|| panic!("{shell}: {}", seen.stdout));
        assert!(!processes.contains("second line"), "{shell}");
    }
}

#[test]
fn a_command_that_reads_stdin_gets_its_end_and_the_rest_runs() {
    assert_eq!(run("sh", &script("cat; echo after\n")).stdout, "after\n");
}

#[test]
fn the_shell_stops_at_the_first_error() {
    let seen = run("sh", &script("false | true\necho after\n"));
    assert_eq!((seen.stdout.as_str(), seen.records.last()), ("", Some(&Record::Exit(1))));
}

#[test]
fn a_signal_is_128_and_its_number() {
    assert_eq!(run("sh", &script("kill -TERM $$\n")).records.last(), Some(&Record::Exit(143)));
}

#[test]
fn a_script_can_catch_sigint_and_keeps_the_logins_umask() {
    // Bit 1 is SIGINT.
    let seen = run("sh", &script("grep SigIgn /proc/self/status; umask\n"));
    let ignored = seen
        .stdout
        .lines()
        .next()
        .and_then(|line| line.split_once('\t'))
        .map(|(_, mask)| u64::from_str_radix(mask, 16));
    assert_eq!(ignored.unwrap().unwrap() & 0b10, 0, "{}", seen.stdout);
    assert_ne!(seen.stdout.lines().last(), Some("0077"));
}

#[test]
fn a_script_that_arrives_cut_off_does_not_run() {
    let program = script("echo ran; rm -rf /nowhere/at/all\n");
    let mut child = begin("sh", &program);
    child.stdin.take().unwrap().write_all(&program.payload()[..9]).unwrap();
    let seen = end(child);
    assert_eq!(seen.stdout, "");
    assert_eq!(seen.records.last(), Some(&Record::Truncated));
}

#[test]
fn a_remote_program_that_arrives_cut_off_does_not_run() {
    let stage = script("echo ran\n").stage(NONCE);
    let mut child =
        Command::new("sh").arg("-c").arg(Program::command_line(&stage, NONCE)).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&stage.as_bytes()[..stage.len() - 1]).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(98));
}

#[test]
fn when_our_stdin_ends_the_scripts_whole_process_group_ends() {
    for (text, code) in [
        ("trap '' HUP; sleep 600 & echo $!; sleep 600\n", 143),
        ("trap '' TERM; echo $$; while :; do sleep 1; done\n", 137),
    ] {
        let program = Program { grace: std::time::Duration::from_millis(300), ..script(text) };
        let mut child = begin("sh", &program);
        child.stdin.as_mut().unwrap().write_all(&program.payload()).unwrap();
        let mut pid = Vec::new();
        let stdout = child.stdout.as_mut().unwrap();
        while pid.last() != Some(&b'\n') {
            let mut byte = [0];
            stdout.read_exact(&mut byte).unwrap();
            pid.push(byte[0]);
        }
        drop(child.stdin.take());
        assert_eq!(end(child).records.last(), Some(&Record::Exit(code)));
        let pid = String::from_utf8(pid).unwrap();
        let state = std::fs::read_to_string(format!("/proc/{}/status", pid.trim())).unwrap_or_default();
        assert!(state.is_empty() || state.contains("State:\tZ"), "{state}");
    }
}

#[test]
fn a_shebang_names_the_interpreter_and_its_one_argument() {
    assert_eq!(
        shebang(b"#!/usr/bin/env  python3 -u\nx"),
        Some(vec!["/usr/bin/env".to_owned(), "python3 -u".to_owned()])
    );
    assert_eq!(shebang(b"#! /bin/sh"), Some(vec!["/bin/sh".to_owned()]));
    assert_eq!(shebang(b"echo"), None);
    assert_eq!(run("sh", &script("#!/usr/bin/env dash\nfalse\necho \"$0\" | grep -c script\n")).stdout, "1\n");
}

#[test]
fn several_words_are_a_program_and_its_arguments() {
    let words = ["printf", "%s|", "a b", "$HOME", "it's"].map(str::to_owned);
    assert_eq!(run("sh", &Program::command(&words)).stdout, "a b|$HOME|it's|");
    let text = ["cd / && pwd".to_owned()];
    assert_eq!(run("sh", &Program::command(&text)).stdout, "/\n");
    assert_eq!(Program::command(&["#!/bin/true".to_owned()]).interpreter, Interpreter::Shell);
}

#[test]
fn what_runs_the_script_is_said() {
    assert_eq!(run("sh", &script("true\n")).records[0], Record::Ready("bash -euo pipefail".to_owned()));
}

#[test]
fn the_command_line_holds_nothing_on_which_login_shells_differ() {
    let line = Program::command_line("x", NONCE);
    assert_eq!(line.matches('\'').count(), 2);
    assert!(!line.contains(['\\', '!', '\n', '`']));
}

#[test]
fn a_name_that_no_shell_exports_is_refused() {
    for name in ["", "1A", "A-B", "A=B", "A B", "Ä"] {
        assert!(script("true").with_value(name, SecretString::from("x")).is_err(), "{name}");
    }
    assert!(script("true").with_value("A", SecretString::from("x\0")).is_err());
}

#[test]
fn shellcheck_has_nothing_to_say_about_the_remote_program() {
    let set = "sd_nonce=x sd_script_bytes=1 sd_values_bytes=1 sd_grace_tenths=1\nsd_interpreter() { :; }\n";
    let Ok(mut child) =
        Command::new("shellcheck").args(["-s", "sh", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()
    else {
        return;
    };
    child.stdin.take().unwrap().write_all(format!("{set}{PROGRAM}").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
