//! `ssh-deploy` against the real `sshd`, as a step of a job.

mod bastions;
mod connections;
mod faults;
mod files;
mod fixtures;
mod input;
mod locks;
mod logins;
mod output;
mod partitions;
mod probes;
mod releases;
mod resume;
mod rollout;
mod running;
mod signals;
mod sudo;
mod trust;
mod undo;
mod usual_causes;

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Command;

use emulators::Sshd;
use emulators::sshd::Trouble;

use crate::support::{Seen, Started, Step};

/// `user@127.0.0.1:port`.
fn host(sshd: &Sshd) -> String {
    format!("{}@127.0.0.1:{}", sshd.user(), sshd.port())
}

/// A step that may log in and knows the server.
fn step(sshd: &Sshd) -> Step {
    Step::new("ssh-deploy").ssh_key(sshd).env("SSH_KNOWN_HOSTS", sshd.known_hosts_line())
}

/// A step that runs `command` on the server.
fn command(sshd: &Sshd, command: &str) -> Step {
    step(sshd).args([host(sshd).as_str(), "--", command])
}

/// The first lines of a step's stderr, up to one with `text`; then the rest is read by whoever waits.
fn until(started: &mut Started, text: &str) -> String {
    let mut lines = String::new();
    let mut stderr = BufReader::new(started.child.stderr.take().unwrap());
    while !lines.contains(text) {
        assert_ne!(stderr.read_line(&mut lines).unwrap(), 0, "{lines}");
    }
    // The pipe has to be read on, or the step would be held up.
    std::thread::spawn(move || stderr.read_to_end(&mut Vec::new()));
    lines
}

fn signal(started: &Started, name: &str) {
    assert!(Command::new("kill").args([name, &started.child.id().to_string()]).status().unwrap().success());
}

/// Whether a process with `word` among its arguments runs.
fn runs(word: &str) -> bool {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let mut lines = processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
    lines.any(|line| String::from_utf8_lossy(&line).contains(word))
}

fn reason(seen: &Seen) -> String {
    seen.json()["hosts"][0]["reason"]["code"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_deploy_runs_on_the_host_and_its_lines_are_labelled() {
    let Some(sshd) = Sshd::start() else { return };
    let seen = command(&sshd, "echo out; echo err >&2").run().exits(0);
    let name = format!("127.0.0.1:{}", sshd.port());
    assert!(
        seen.stderr.contains(&format!("{name} │ out\n")) && seen.stderr.contains(&format!("{name} │ err\n")),
        "{}",
        seen.stderr
    );
    assert!(seen.stdout.starts_with(&format!("{name}  passed")), "{}", seen.stdout);
    assert!(!seen.stdout.contains("out\n"), "{}", seen.stdout);
    assert!(seen.summary.contains("Servers"), "{}", seen.summary);
}

#[test]
fn a_command_that_fails_exits_1_with_its_code_in_the_result() {
    let Some(sshd) = Sshd::start() else { return };
    let seen = step(&sshd).args([&host(&sshd), "--format", "json", "--", "echo last words; exit 255"]).run().exits(1);
    let result = seen.json();
    assert_eq!((result["hosts"][0]["exit_code"].as_i64(), reason(&seen).as_str()), (Some(255), "exit_code"));
    assert_eq!(seen.messages("error"), [format!("127.0.0.1:{}: the command failed with exit code 255", sshd.port())]);
    assert!(seen.summary.contains("last words"), "{}", seen.summary);
}

#[test]
fn a_command_killed_by_a_signal_is_not_success() {
    let Some(sshd) = Sshd::start() else { return };
    let seen = step(&sshd).args([&host(&sshd), "--format", "json", "--", "kill -KILL $$"]).run().exits(1);
    assert_eq!((reason(&seen).as_str(), seen.json()["hosts"][0]["exit_code"].as_i64()), ("signal", Some(137)));
}

#[test]
fn a_host_that_refuses_and_one_that_is_silent_are_75() {
    let Some(sshd) = Sshd::start() else { return };
    for (trouble, code) in [(Trouble::Refuse, "connection_dropped"), (Trouble::Silence, "connection_timed_out")] {
        sshd.trouble(trouble);
        let seen = step(&sshd)
            .args([&host(&sshd), "--connect-timeout", "1", "--format", "json", "--", "true"])
            .run()
            .exits(75);
        assert_eq!(reason(&seen), code, "{}", seen.stderr);
    }
    let closed = step(&sshd).args(["127.0.0.1:1", "--format", "json", "--", "true"]).run().exits(75);
    assert_eq!(reason(&closed), "connection_refused");
}

#[test]
fn no_host_is_changed_when_another_cannot_be_reached() {
    let Some(sshd) = Sshd::start() else { return };
    let step = step(&sshd);
    let mark = step.folder().join("changed");
    let seen = step
        .args([&host(&sshd), "127.0.0.1:1", "--format", "jsonl", "--", &format!("touch {}", mark.display())])
        .run()
        .exits(75);
    assert!(!mark.exists());
    let ends: Vec<(String, String)> = seen
        .records()
        .iter()
        .filter(|record| record["event"] == "check_finished")
        .map(|record| {
            (record["status"].as_str().unwrap().to_owned(), record["reason"]["code"].as_str().unwrap().to_owned())
        })
        .collect();
    assert!(ends.contains(&("skipped".to_owned(), "held_back".to_owned())), "{ends:?}");
    assert!(ends.contains(&("failed".to_owned(), "connection_refused".to_owned())), "{ends:?}");
}

#[test]
fn a_dry_run_changes_nothing_and_passes() {
    let Some(sshd) = Sshd::start() else { return };
    let step = step(&sshd);
    let mark = step.folder().join("changed");
    step.args([&host(&sshd), "--dry-run", "--", &format!("touch {}", mark.display())]).run().exits(0);
    assert!(!mark.exists());
}

#[test]
fn what_a_host_prints_starts_no_workflow_command() {
    let Some(sshd) = Sshd::start() else { return };
    let hostile = r"printf '::set-output name=a::b\n##[add-mask]e\nx ##[error]no\nprogress\r::error::no\n\377\376 \033[31mred\n  ::stop-commands::x\n'; printf '::warning::open'; exit 3";
    let seen = command(&sshd, hostile).run().exits(1);
    assert!(seen.outputs.is_empty() && !seen.masks.contains(&"e".to_owned()));
    assert_eq!(seen.messages("error"), [format!("127.0.0.1:{}: the command failed with exit code 3", sshd.port())]);
    assert!(seen.messages("warning").is_empty());
    assert!(seen.stderr.contains("│ \u{fffd}\u{fffd} red\n"), "{}", seen.stderr);
    assert!(seen.stderr.contains("│ ::warning::open\n"), "{}", seen.stderr);
}

#[test]
fn a_value_reaches_the_command_and_is_nowhere_else() {
    let Some(sshd) = Sshd::start() else { return };
    // Step looks for the value in both streams, the summary, the files and every argument list.
    let secret = "it's a \"quoted\" t0psecret";
    let check =
        r#"[ "${#API_TOKEN}" -eq 25 ] && echo "got $API_TOKEN" && ! tr '\0' ' ' </proc/$$/cmdline | grep t0psecret"#;
    let seen = step(&sshd)
        .workflow_secret("API_TOKEN", secret)
        .args([&host(&sshd), "--env", "API_TOKEN", "--", check])
        .run()
        .exits(0);
    assert!(seen.stderr.contains("got ***"), "{}", seen.stderr);
    let missing = step(&sshd).args([&host(&sshd), "--env", "NOT_THERE", "--", "true"]).run().exits(77);
    assert!(missing.log.contains("NOT_THERE"), "{}", missing.log);
    // An empty value is a value, and more often a mistake.
    let empty =
        step(&sshd).env("EMPTY", "").args([&host(&sshd), "--env", "EMPTY", "--", "echo \"is${EMPTY-unset}empty\""]);
    let seen = empty.run().exits(0);
    assert!(seen.stderr.contains("│ isempty\n"), "{}", seen.stderr);
    assert_eq!(seen.messages("warning"), ["EMPTY is empty, and the hosts get it so"]);
}

#[test]
fn a_script_runs_under_its_interpreter_and_whole() {
    let Some(sshd) = Sshd::start() else { return };
    let script = format!(
        "#!/bin/sh\n{}\ncat\necho end\n",
        "# padding that makes this longer than an argument may be\n".repeat(4000)
    );
    let seen = step(&sshd).file("deploy.sh", script).args([&host(&sshd), "--script", "deploy.sh"]).run().exits(0);
    assert!(seen.stderr.contains("│ end\n"), "{}", seen.stderr);
    let empty = step(&sshd).file("deploy.sh", "\n").args([&host(&sshd), "--script", "deploy.sh"]).run().exits(2);
    assert!(empty.log.contains("is empty"), "{}", empty.log);
}

#[test]
fn a_script_of_a_shell_that_goes_on_after_errors_is_warned_about_once() {
    let Some(sshd) = Sshd::start() else { return };
    for (script, warnings) in [
        ("#!/bin/sh\nfalse\necho end\n", 1),
        ("#!/bin/sh -e\necho end\n", 0),
        ("#!/usr/bin/env bash\nset -euo pipefail\necho end\n", 0),
        ("#!/usr/bin/env bash\nset -o errexit\necho end\n", 0),
        ("echo end\n", 0),
    ] {
        let step = step(&sshd).file("deploy.sh", script);
        let seen = step.args([&host(&sshd), "--script", "deploy.sh"]).run().exits(0);
        assert!(seen.stderr.contains("│ end\n"), "{}", seen.stderr);
        assert_eq!(seen.messages("warning").len(), warnings, "{script}: {}", seen.stderr);
    }
}

#[test]
fn a_command_that_fails_of_a_well_known_cause_comes_with_its_cure() {
    let Some(sshd) = Sshd::start() else { return };
    for (command, cure) in [
        ("not-a-program", "a non-interactive shell reads no .bashrc"),
        ("touch x; ./x", "chmod +x"),
        ("head -c 100000000 /dev/zero | head -c 1 >/dev/null", "pipefail"),
        ("dd if=/dev/zero of=/dev/full bs=1 count=1", "make room"),
    ] {
        let seen =
            step(&sshd).args([&host(&sshd), "--format", "json", "--", &format!("cd $HOME; {command}")]).run().exits(1);
        let help = seen.json()["hosts"][0]["help"].as_str().unwrap_or_default().to_owned();
        assert!(help.contains(cure), "{command}: {help} {}", seen.stdout);
    }
}

#[test]
fn a_command_with_a_terminal_sees_one() {
    let Some(sshd) = Sshd::start() else { return };
    if crate::support::peer("script").is_none() {
        return;
    }
    let seen =
        step(&sshd).args([&host(&sshd), "--pty", "--", "test -t 1 && echo \"it's a terminal\"; exit 6"]).run().exits(1);
    assert!(
        seen.stderr.contains("it's a terminal") && seen.stdout.contains("exit code 6"),
        "{} {}",
        seen.stderr,
        seen.stdout
    );
}

#[test]
fn another_shell_can_be_named_and_nothing_after_the_dashes_is_2() {
    let Some(sshd) = Sshd::start() else { return };
    let seen = step(&sshd).args([&host(&sshd), "--shell", "sh -u", "--", "false; echo went on"]).run().exits(0);
    assert!(seen.stderr.contains("went on"), "{}", seen.stderr);
    Step::new("ssh-deploy").args(["web1", "--"]).run().exits(2);
    Step::new("ssh-deploy").args(["web1", "--", ""]).run().exits(2);
}

#[test]
fn a_connection_that_drops_in_the_middle_is_1_and_says_that_the_end_is_unknown() {
    let Some(sshd) = Sshd::start() else { return };
    let step = step(&sshd).args([&host(&sshd), "--format", "json", "--", "echo begun; sleep 86399"]);
    let mut started = step.spawn();
    until(&mut started, "begun");
    sshd.cut();
    let seen = started.finish().exits(1);
    assert_eq!(reason(&seen), "connection_lost");
}

#[test]
fn what_ran_on_the_host_has_ended_when_an_interrupted_deploy_has() {
    let Some(sshd) = Sshd::start() else { return };
    for (name, code, time) in [("-INT", 130, "86397"), ("-TERM", 143, "86396")] {
        let mut started = command(&sshd, &format!("sleep {time} & echo begun; sleep {time}")).spawn();
        until(&mut started, "begun");
        signal(&started, name);
        let seen = started.finish().exits(code);
        assert!(seen.stdout.contains("cancelled  interrupted by SIG"), "{}", seen.stdout);
        assert!(!runs(&format!("sleep\0{time}")), "{name}");
    }
}

#[test]
fn a_time_limit_ends_the_command_on_the_host() {
    let Some(sshd) = Sshd::start() else { return };
    let seen =
        step(&sshd).args([&host(&sshd), "--timeout", "1", "--format", "json", "--", "sleep 86395"]).run().exits(1);
    assert_eq!(reason(&seen), "timeout");
    assert!(!runs("sleep\086395"));
}

#[test]
fn a_daemon_that_keeps_the_output_does_not_hold_the_deploy_and_is_warned_about() {
    let Some(sshd) = Sshd::start() else { return };
    let seen = command(&sshd, "sleep 5 & echo started").run().exits(0);
    assert!(seen.messages("warning")[0].contains("still run"), "{}", seen.stderr);
}

#[test]
fn records_add_up_to_a_report() {
    let Some(sshd) = Sshd::start() else { return };
    let seen = step(&sshd).args([&host(&sshd), "--format", "jsonl", "--", "true"]).run().exits(0);
    let events: Vec<String> =
        seen.records().iter().map(|record| record["event"].as_str().unwrap().to_owned()).collect();
    assert_eq!(events, ["run_started", "check_started", "check_finished", "run_finished"]);
    Step::new("preflight-report").stdin(seen.stdout).run().exits(0);
}

#[test]
fn a_host_whose_check_fails_is_diagnosed_and_rolled_back() {
    let Some(sshd) = Sshd::start() else { return };
    let step = step(&sshd);
    let state = step.folder().join("state").display().to_string();
    // The second try has no time to say anything: the first one's words are the evidence.
    let check = format!("web=mkdir {state}.tried 2>/dev/null || exec sleep 60; echo connection refused >&2; false");
    let seen = step
        .args([&host(&sshd), "--format", "json", "--check-timeout", "6", "--check-interval", "1"])
        .args(["--check", &check, "--diagnose", "logs=echo last log line"])
        .args(["--rollback", &format!("echo old > {state}"), "--", &format!("echo new > {state}")])
        .run()
        .exits(1);
    let host = &seen.json()["hosts"][0];
    assert_eq!((reason(&seen).as_str(), host["rolled_back"].as_bool()), ("check_failed", Some(true)));
    assert_eq!(host["causes"][0], "web: connection refused");
    assert!(seen.stderr.contains("│ last log line\n") && seen.summary.contains("last log line"), "{}", seen.stderr);
    assert_eq!(std::fs::read_to_string(state).unwrap(), "old\n");
}

#[test]
fn a_host_whose_checks_pass_is_done() {
    let Some(sshd) = Sshd::start() else { return };
    let arguments = ["--check", "web=true", "--check-interval", "1", "--rollback", "false", "--", "true"];
    step(&sshd).arg(host(&sshd)).args(arguments).run().exits(0);
}
