//! `secrets-env -- COMMAND`: what the command gets, what becomes of its output, how it ends.

use std::process::Command;

use super::{API_KEY, DB_URL, doppler, refused, step};
use crate::support::{Started, Step};

/// A command in a shell, after the options.
fn shell(options: &[&str], script: &str) -> Step {
    // The stand-in has to outlive the step that this returns.
    step(Box::leak(Box::new(doppler())), options).args(["--", "sh", "-c", script])
}

#[test]
fn the_command_gets_the_secrets_and_nothing_to_sign_in_with() {
    let seen = shell(&[], "test ${#API_KEY} = 32 && env | cut -d= -f1")
        .env("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "t")
        .env("ACTIONS_ID_TOKEN_REQUEST_URL", "u")
        .env("DOPPLER_PASSPHRASE", "p")
        .run()
        .exits(0);
    for name in
        ["DOPPLER_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_URL", "DOPPLER_PASSPHRASE"]
    {
        assert!(!seen.stdout.lines().any(|line| line == name), "{name} in {}", seen.stdout);
    }
    assert!(seen.stdout.contains("DOPPLER_CONFIG\n") && seen.stdout.contains("GITHUB_ENV\n"));
    let seen = shell(&["--keep-token"], "test -n \"$DOPPLER_TOKEN\"").run();
    assert_eq!(seen.code, 0);
    let seen = shell(&["--pristine", "--only", "API_KEY"], "env | cut -d= -f1 | sort | tr '\\n' ' '").run().exits(0);
    assert_eq!(seen.stdout, "API_KEY PATH PWD ");
}

#[test]
fn the_commands_end_is_ours() {
    for options in [&["--no-redact"][..], &["--redact"]] {
        assert_eq!(shell(options, "exit 7").run().code, 7);
        assert_eq!(shell(options, "kill -TERM $$").run().code, 143);
        assert_eq!(shell(options, "kill -KILL $$").run().code, 137);
        assert_eq!(shell(options, "cat; exit 3").stdin("through").run().exits(3).stdout, "through");
        let doppler = doppler();
        let at = |command: &str| step(&doppler, options).args(["--", command]);
        refused(at("no-such-program"), 127, &["cannot run `no-such-program`"]);
        refused(at("./no/such/program"), 127, &["cannot run"]);
        refused(at("/etc/passwd"), 126, &["cannot run `/etc/passwd`"]);
        refused(at("/"), 126, &["cannot run"]);
    }
}

#[test]
fn a_separator_without_a_command_is_wrong_usage_and_so_are_options_that_need_one() {
    let doppler = doppler();
    refused(step(&doppler, &["--"]), 2, &["nothing follows `--`"]);
    refused(step(&doppler, &["-c", "dev", "--only", "API_KEY", "--"]), 2, &["nothing follows `--`"]);
    for option in ["--redact", "--no-redact", "--pristine", "--keep-token"] {
        refused(step(&doppler, &[option]), 2, &["COMMAND"]);
    }
    assert!(doppler.requests().is_empty());
    assert_eq!(step(&doppler, &["echo", "--"]).run().exits(0).stdout, "--\n");
    refused(step(&doppler, &["--", ""]), 127, &["cannot run ``"]);
}

#[test]
fn a_separator_with_nothing_after_it_is_wrong_usage_in_every_tool() {
    // `-- $CMD` with an empty variable: another tool would deploy the wrong thing, or nothing, and succeed.
    for (tool, arguments) in [
        ("ssh-deploy", &["host.example", "--"][..]),
        ("preflight-report", &["--"]),
        ("stack-output", &["--"]),
        ("pages-deploy-all", &["--"]),
    ] {
        let why = if tool == "ssh-deploy" { "<COMMAND>" } else { "nothing follows `--`" };
        refused(Step::new(tool).args(arguments), 2, &[why]);
    }
}

#[test]
fn a_command_that_cannot_be_started_is_125() {
    // Each variable fits, all of them do not: the system refuses the start.
    let doppler = doppler();
    for number in 0..40 {
        doppler.set("dev", &format!("BIG_{number}"), &format!("{number:03}").repeat(34_000));
    }
    let seen = refused(step(&doppler, &["--no-redact", "--", "true"]).plain(), 125, &["cannot run `true`", "--only"]);
    assert!(!seen.stderr.contains("000000"));
}

#[test]
fn both_streams_are_redacted_in_every_encoding_and_keep_their_identity() {
    let script = "echo \"key $API_KEY\"; echo \"url $DB_URL\" >&2; echo $API_KEY | base64; printf $API_KEY | od -An -tx1 >&2; echo plain";
    let seen = shell(&[], script).run().exits(0);
    assert_eq!(seen.stdout.lines().next(), Some("key ***"));
    assert_eq!(seen.stdout.lines().last(), Some("plain"));
    assert!(seen.stderr.contains("url ***"));
    // In the log of a step only: locally the command's output is its own.
    let seen = shell(&[], "echo $API_KEY").plain().may_print(API_KEY).run().exits(0);
    assert_eq!(seen.stdout, format!("{API_KEY}\n"));
    let seen = shell(&["--redact"], "echo $DB_URL; echo shop").plain().run().exits(0);
    assert_eq!(seen.stdout, "***\nshop\n");
    assert!(!seen.stdout.contains(DB_URL));
}

#[test]
fn a_secret_in_pieces_is_redacted_and_a_prompt_is_not_held_back() {
    let halves = "printf sk_live_4eC39Hq; sleep 0.05; echo LyjWDarjtT1zdp7dc";
    assert_eq!(shell(&["--redact"], halves).plain().run().exits(0).stdout, "***\n");
    // The reader answers only once it has seen all of the prompt.
    let script = "secrets-env --redact -- sh -c 'printf \"Go on? [y/N] \"; read answer <fifo; echo $answer' | { \
                  read -rN13 prompt; echo y >fifo; echo \"<$prompt>\"; cat; }";
    let seen = Step::script(&format!("mkfifo fifo; {script}")).doppler(&doppler()).plain().run().exits(0);
    assert_eq!(seen.stdout, "<Go on? [y/N] >\ny\n");
}

#[test]
fn a_closed_stdout_ends_the_command_as_a_pipe_would() {
    let seen =
        Step::script("set +o pipefail; secrets-env --redact -- yes | head -n1").doppler(&doppler()).run().exits(0);
    assert_eq!(seen.stdout, "y\n");
}

#[test]
fn output_that_cannot_be_written_is_told_and_is_no_success() {
    for script in ["echo $API_KEY", "seq 1 100000"] {
        let full = format!("secrets-env --redact -- sh -c '{script}' >/dev/full");
        let seen = Step::script(&full).doppler(&doppler()).plain().run().exits(125);
        assert!(
            seen.stderr.contains("error: cannot write all that `sh` printed\n  caused by: No space"),
            "{}",
            seen.stderr
        );
    }
}

#[test]
fn a_file_is_read_again_and_again_and_leaves_nothing() {
    let script = "cat $DB_URL; wc -c <$DB_URL; cat $DB_URL | base64 -w0; echo x >$DB_URL || echo sealed";
    let seen = shell(&["--file", "DB_URL", "--no-redact"], script).plain().may_print_secrets().run().exits(0);
    assert!(seen.stdout.starts_with(&format!("{DB_URL}{}\n", DB_URL.len())), "{}", seen.stdout);
    assert!(seen.stdout.ends_with("sealed\n"));
    let large = "k3y-".repeat(50_000);
    let doppler = doppler();
    doppler.set("dev", "LARGE", &large);
    refused(step(&doppler, &["--", "true"]).plain(), 2, &["LARGE is too large", "--file LARGE"]);
    let seen =
        step(&doppler, &["--file", "LARGE", "--redact", "--", "sh", "-c", "wc -c <$LARGE"]).plain().run().exits(0);
    assert_eq!(seen.stdout, "200000\n");
    refused(step(&doppler, &["--file", "NOPE", "--", "true"]), 1, &["not among the secrets: NOPE"]);
}

#[test]
fn names_and_values_that_no_variable_can_hold_are_refused_by_name() {
    for (name, value, words) in [
        ("a-b", "plain-value", &["`a-b` cannot name a variable", "--rename"][..]),
        ("x=y", "plain-value", &["`x=y` cannot name a variable"]),
        ("NUL", "plain\0value", &["the value of NUL contains a NUL", "--file NUL"]),
    ] {
        let doppler = doppler();
        doppler.set("dev", name, value);
        refused(step(&doppler, &["--", "true"]), 2, words);
        step(&doppler, &["--except", name, "--", "true"]).run().exits(0);
    }
}

pub(super) fn signal(name: &str, id: u32) {
    assert!(Command::new("kill").args(["-s", name, &id.to_string()]).status().unwrap().success());
}

/// Waits until the command has made this file to show that it is ready.
fn ready(step: &mut Started, file: &std::path::Path) {
    while !file.exists() {
        assert!(step.child.try_wait().unwrap().is_none(), "it has ended before it was ready");
        std::thread::yield_now();
    }
}

#[test]
fn signals_reach_the_whole_process_group() {
    for (options, name, code) in
        [(&["--redact"][..], "TERM", 5), (&["--redact"], "INT", 6), (&["--no-redact"], "TERM", 5)]
    {
        // The shell's own child keeps the output open; where there is a supervisor, only a signal to the group ends it at once.
        let script = match options {
            ["--redact"] if name == "TERM" => "trap 'exit 5' TERM; sleep 60 & touch ready; wait",
            _ => "trap 'exit 5' TERM; trap 'exit 6' INT; sleep 60 >/dev/null 2>&1 & touch ready; wait",
        };
        let started = shell(options, script).plain();
        let file = started.folder().join("ready");
        let mut started = started.spawn();
        ready(&mut started, &file);
        signal(name, started.child.id());
        assert_eq!(started.finish().code, code, "{options:?} {name}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_killed_supervisor_leaves_no_command_behind() {
    let started = shell(&["--redact"], "echo $$ >ready.new; mv ready.new ready; exec sleep 60").plain();
    let file = started.folder().join("ready");
    let mut started = started.spawn();
    ready(&mut started, &file);
    let id = std::fs::read_to_string(&file).unwrap();
    signal("KILL", started.child.id());
    started.child.wait().unwrap();
    let process = std::path::PathBuf::from(format!("/proc/{}", id.trim()));
    // Ends when the kernel has carried it out; the test runner's own limit stops a failure.
    while std::fs::read_to_string(process.join("stat")).is_ok_and(|stat| !stat.contains(") Z ")) {
        std::thread::yield_now();
    }
}
