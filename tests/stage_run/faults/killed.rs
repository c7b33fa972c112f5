//! A supervisor, a stage's shell or `stage-run` is killed: nothing runs beside what lives on.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

use super::super::{Project, until};
use crate::support::{Started, Step};

fn kill(process: u32, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(process).unwrap()).unwrap(), signal).unwrap();
}

fn number(path: &Path) -> u32 {
    std::fs::read_to_string(path).unwrap().trim().parse().unwrap()
}

/// The supervisor that `started` has.
fn supervisor(started: &Started) -> u32 {
    let parent = started.child.id().to_string();
    let is_child = |id: &str| {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, after)| after.split(' ').nth(1) == Some(parent.as_str()))
    };
    let is_supervisor = |id: &str| {
        let words = std::fs::read_to_string(format!("/proc/{id}/cmdline")).unwrap_or_default();
        words.starts_with("stage-run: supervises")
    };
    let ids = std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().into_string().ok());
    ids.filter(|id| is_child(id) && is_supervisor(id)).find_map(|id| id.parse().ok()).unwrap()
}

/// Takes a second to save when it is interrupted. Its undo notes whether the stage still runs.
const SAVES: &str = r#"
[[stage]]
name = "a"
run = "echo $$ > pid; trap 'sleep 1; echo saved >> seen; exit 0' INT; touch started; for i in $(seq 600); do sleep 0.1; done"
undo = "if grep -q 'State:.[RSDT]' /proc/$(cat pid)/status; then echo beside >> seen; fi; echo undone >> seen"
"#;

#[test]
fn a_stage_whose_supervisor_dies_is_ended_before_its_undo_runs() {
    let project = Project::new(SAVES);
    let started = project.step(&["--undo-on-failure"]).spawn();
    until(|| project.path().join("started").exists());
    kill(supervisor(&started), Signal::KILL);
    let seen = started.finish().exits(1);
    assert_eq!(project.read("seen"), "saved\nundone\n", "{}", seen.stderr);
    assert!(seen.stdout.contains("half done  a"), "{}", seen.stdout);
}

#[test]
fn a_stage_without_a_supervisor_that_ignores_the_interrupt_is_killed_after_its_grace() {
    let project = Project::new(
        "[[stage]]\nname = \"a\"\ngrace = \"1s\"\nrun = \"trap '' INT; echo $$ > pid; echo start >> seen; for i in $(seq 600); do sleep 0.1; done\"",
    );
    let started = project.step(&[]).spawn();
    until(|| project.read("seen") == "start\n");
    kill(supervisor(&started), Signal::KILL);
    let seen = started.finish().exits(1);
    assert!(seen.stdout.contains("half done  a"), "{}", seen.stdout);
    // Its end may be waiting to be collected by a parent that is not ours.
    let stat =
        std::fs::read_to_string(format!("/proc/{}/stat", number(&project.path().join("pid")))).unwrap_or_default();
    assert!(stat.is_empty() || stat.contains(") Z "), "it still runs: {stat}");
    project.call(&["--resume"]).exits(2);
    assert_eq!(project.read("seen"), "start\n");
}

/// The shell is killed; the program that it started takes a second to save.
const PROGRAM: &str = r#"
[[stage]]
name = "a"
retries = 2
run = "echo $$ > pid; sh -c 'trap \"sleep 1; echo saved >> seen; exit\" INT; echo start >> seen; while :; do sleep 0.1; done'; true"
undo = "echo undone >> seen"
"#;

#[test]
fn a_stage_whose_shell_is_killed_has_ended_when_all_its_processes_have_and_is_half_done() {
    for (arguments, after) in [(&[][..], "start\nsaved\n"), (&["--undo-on-failure"], "start\nsaved\nundone\n")] {
        let project = Project::new(PROGRAM);
        let started = project.step(arguments).spawn();
        until(|| project.read("seen") == "start\n");
        kill(number(&project.path().join("pid")), Signal::KILL);
        let seen = started.finish().exits(1);
        assert_eq!(project.read("seen"), after, "{}", seen.stderr);
        assert!(seen.stdout.contains("half done  a") && seen.stdout.contains("SIGKILL"), "{}", seen.stdout);
        if arguments.is_empty() {
            assert!(seen.stdout.contains("go on: stage-run --from a"), "{}", seen.stdout);
            project.call(&["--resume"]).exits(2);
        }
    }
}

#[test]
fn a_shared_lock_is_held_as_long_as_a_stage_lives_whose_stage_run_was_killed() {
    let slow =
        "trap 'sleep 3; echo end >> seen; exit 0' INT; echo start >> seen; for i in $(seq 600); do sleep 0.1; done";
    let one = Project::new(&format!("lock = \"shared\"\n[[stage]]\nname = \"a\"\nrun = \"{slow}\"\nplan = \"true\""));
    let other = Project::new("lock = \"shared\"\n[[stage]]\nname = \"b\"\nrun = \"true\"");
    let call = |arguments: &[&str]| other.step(arguments).env("XDG_STATE_HOME", one.path().join("state"));
    let started = one.step(&[]).spawn();
    until(|| one.read("seen") == "start\n");
    kill(started.child.id(), Signal::KILL);
    started.finish().exits(137);
    let seen = call(&[]).run().exits(75);
    assert!(seen.stderr.contains("held by process"), "{}", seen.stderr);
    one.call(&["--dry-run"]).exits(75);
    assert_eq!(one.read("seen"), "start\n", "the stage had ended before it was looked at");
    let seen = call(&["--lock-wait", "60s"]).run().exits(0);
    assert_eq!(one.read("seen"), "start\nend\n", "{}", seen.stderr);
}

#[test]
fn what_a_stage_leaves_in_the_background_does_not_keep_the_lock() {
    let project = Project::new("[[stage]]\nname = \"a\"\nrun = \"setsid sleep 20 > /dev/null 2>&1 &\"");
    project.call(&[]).exits(0);
    project.call(&[]).exits(0);
}

#[test]
fn a_signal_ends_the_wait_for_a_lock_and_makes_no_run() {
    let project = Project::new(
        "[[stage]]\nname = \"a\"\nrun = \"touch started; until test -e go; do sleep 0.1; done\"\nundo = \"echo undone >> done\"",
    );
    let first = project.step(&[]).spawn();
    until(|| project.path().join("started").exists());
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let waiting = project.step(&["--lock-wait", "10m"]).spawn();
        until(|| catches(waiting.child.id(), signal));
        kill(waiting.child.id(), signal);
        let seen = waiting.finish().exits(code);
        assert!(seen.stderr.contains("interrupted before it began"), "{}", seen.stderr);
    }
    std::fs::write(project.path().join("go"), "").unwrap();
    first.finish().exits(0);
    project.call(&["--status"]).exits(0);
    project.call(&["--undo", "--yes"]).exits(0);
    assert_eq!(project.read("done"), "undone\n");
}

/// Whether the process has a handler for the signal: before that the signal would just end it.
fn catches(process: u32, signal: Signal) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
    u64::from_str_radix(mask.trim(), 16).unwrap() & (1 << (signal.as_raw() - 1)) != 0
}

#[test]
fn a_deploy_that_replaces_the_program_itself_goes_on() {
    let project = Project::new(
        "[[stage]]\nname = \"update\"\nrun = \"cp sr sr.new; mv sr.new sr\"\n[[stage]]\nname = \"next\"\nrun = \"touch next\"\n\
         [[always]]\nname = \"close\"\nrun = \"touch closed\"",
    );
    let copy = project.path().join("sr");
    let program = std::path::PathBuf::from(env!("CARGO_BIN_EXE_stage-run"));
    std::fs::copy(program, &copy).unwrap();
    std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(0o755)).unwrap();
    let state = project.path().join("state");
    Step::script("exec ./sr").plain().cwd(project.path()).env("XDG_STATE_HOME", state).run().exits(0);
    assert!(project.path().join("next").exists() && project.path().join("closed").exists());
}

#[test]
fn after_a_kill_status_names_what_always_runs_and_did_not() {
    let project = Project::new(
        "[[stage]]\nname = \"a\"\ngrace = \"1s\"\nrun = \"touch started; sleep 600\"\n[[always]]\nname = \"close the firewall\"\nrun = \"true\"",
    );
    let started = project.step(&[]).spawn();
    until(|| project.path().join("started").exists());
    kill(started.child.id(), Signal::KILL);
    started.finish().exits(137);
    until(|| !project.call(&["--status"]).stdout.contains("running"));
    let seen = project.call(&["--status"]).exits(3);
    let line = "did not run, though it always runs at the end: close the firewall";
    assert!(seen.stdout.contains(line), "{}", seen.stdout);
}

#[test]
fn a_stream_that_nobody_reads_does_not_keep_a_signal_from_the_stage_nor_what_always_runs_from_running() {
    for streams in ["2> pipe", "--format jsonl > pipe 2> /dev/null"] {
        let project = Project::new(
            "[[stage]]\nname = \"a\"\ngrace = \"1s\"\nrun = \"touch started; yes blah\"\n[[always]]\nname = \"close\"\nrun = \"touch closed\"",
        );
        let script =
            format!("mkfifo pipe; sleep 100 < pipe > /dev/null 2>&1 & stage-run {streams} & echo $! > pid; wait $!");
        let state = project.path().join("state");
        let started = Step::script(&script).plain().cwd(project.path()).env("XDG_STATE_HOME", state).spawn();
        until(|| project.path().join("started").exists() && !project.read("pid").is_empty());
        // Until the pipe is full and nothing moves.
        std::thread::sleep(std::time::Duration::from_secs(1));
        kill(number(&project.path().join("pid")), Signal::TERM);
        started.finish().exits(143);
        assert!(project.path().join("closed").exists(), "{streams}");
    }
}
