//! ^C, SIGTERM, timeouts: one signal, every process waited for, never passed.

use std::os::unix::fs::PermissionsExt as _;

use rustix::process::{Pid, Signal, kill_process};

use super::{Project, until};
use crate::support::Started;

fn send(started: &Started, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(started.child.id()).unwrap()).unwrap(), signal).unwrap();
}

#[test]
fn the_first_signal_reaches_the_stage_once_and_a_stage_that_ends_well_has_still_not_passed() {
    for (signal, name, code) in [(Signal::INT, "INT", 130), (Signal::TERM, "TERM", 143), (Signal::HUP, "HUP", 143)] {
        let project = Project::new(&format!(
            "[[stage]]\nname = \"a\"\nrun = \"trap 'echo {name} >> seen; exit 0' {name}; touch started; for i in $(seq 600); do sleep 0.1; done\"\n\
             [[stage]]\nname = \"b\"\nrun = \"touch b\"\n[[always]]\nname = \"close\"\nrun = \"touch closed\""
        ));
        let started = project.step(&[]).spawn();
        until(|| project.path().join("started").exists());
        send(&started, signal);
        let seen = started.finish().exits(code);
        assert_eq!(project.read("seen"), format!("{name}\n"));
        assert!(seen.stdout.contains("failed     a") && seen.stdout.contains("was interrupted"), "{}", seen.stdout);
        assert!(!project.path().join("b").exists() && project.path().join("closed").exists());
        project.call(&["--status"]).exits(1);
    }
}

#[test]
fn every_process_of_the_stage_is_waited_for() {
    // The shell dies of the signal at once; what it started takes a second to save.
    let project = Project::new(
        r#"
[[stage]]
name = "a"
run = "sh -c 'trap \"sleep 1; echo saved >> seen; exit\" INT; touch started; while :; do sleep 0.1; done' & trap - INT; wait; sleep 600"
"#,
    );
    let started = project.step(&[]).spawn();
    until(|| project.path().join("started").exists());
    send(&started, Signal::TERM);
    // The child of a background job ignores SIGINT; SIGTERM ends the shell, and then the child by its grace.
    let _ = started.finish();
    let project = Project::new(
        r#"
[[stage]]
name = "a"
run = "python3 -c 'import signal,time,os\nif os.fork():\n  time.sleep(600)\ndef save(*_):\n  time.sleep(1); open(\"seen\",\"a\").write(\"saved\"); os._exit(0)\nsignal.signal(signal.SIGTERM, save)\nopen(\"started\",\"w\")\nwhile True: time.sleep(1)'"
"#,
    );
    let started = project.step(&[]).spawn();
    until(|| project.path().join("started").exists());
    send(&started, Signal::TERM);
    started.finish().exits(143);
    assert_eq!(project.read("seen"), "saved", "the process that was left saved before we ended");
}

#[test]
fn under_bash_and_a_program_between_one_interrupt_is_seen_and_the_rest_of_the_line_does_not_make_it_pass() {
    for line in ["true && ./save; true", "secrets-env --redact --from values.env -- ./save; true"] {
        let project = Project::new(&format!("[[stage]]\nname = \"a\"\nrun = \"{line}\""));
        let script = "#!/bin/sh\ntrap 'echo INT >> seen; echo saved >> seen; exit 0' INT\ntouch started\nwhile :; do sleep 0.1; done\n";
        std::fs::write(project.path().join("save"), script).unwrap();
        std::fs::write(project.path().join("values.env"), "API_KEY=a-long-secret-value\n").unwrap();
        std::fs::set_permissions(project.path().join("save"), std::fs::Permissions::from_mode(0o755)).unwrap();
        let started = project.step(&[]).spawn();
        until(|| project.path().join("started").exists());
        send(&started, Signal::INT);
        let seen = started.finish().exits(130);
        assert_eq!(project.read("seen"), "INT\nsaved\n", "{line}: {}", seen.stderr);
        assert!(seen.stdout.contains("failed     a"), "{line}: {}", seen.stdout);
    }
}

#[test]
fn a_stage_that_ignores_the_interrupt_is_killed_after_its_grace_and_is_half_done() {
    let project = Project::new(
        "[[stage]]\nname = \"a\"\ngrace = \"1s\"\nrun = \"trap '' INT TERM; touch started; for i in $(seq 600); do sleep 0.1; done\"",
    );
    let started = project.step(&[]).spawn();
    until(|| project.path().join("started").exists());
    send(&started, Signal::INT);
    let seen = started.finish().exits(130);
    assert!(
        seen.stdout.contains("half done  a") && seen.stdout.contains("had to be killed after 1s"),
        "{}",
        seen.stdout
    );
    assert!(seen.stdout.contains("go on: stage-run --from a"), "{}", seen.stdout);
    project.call(&["--resume"]).exits(2);
}

#[test]
fn a_timeout_is_an_interrupt_with_grace_and_is_not_repeated() {
    let project = Project::new(
        "[[stage]]\nname = \"a\"\ntimeout = \"1s\"\nretries = 3\nrun = \"trap 'echo INT >> seen; exit 0' INT; echo try >> seen; for i in $(seq 600); do sleep 0.1; done\"",
    );
    let seen = project.call(&[]).exits(1);
    assert_eq!(project.read("seen"), "try\nINT\n");
    assert!(seen.stdout.contains("did not end in time"), "{}", seen.stdout);
}

#[test]
fn a_stage_has_no_terminal_and_no_input() {
    let project = Project::new(
        "[[stage]]\nname = \"a\"\nrun = \"if read -r x; then exit 1; fi; if : < /dev/tty; then exit 2; fi\"",
    );
    project.call(&[]).exits(0);
}
