//! SIGKILL of `stage-run` and a power cut, in each phase, and what the next call does.

use super::{Project, until};
use crate::support::Started;

pub(super) fn kill(started: Started) {
    let pid = i32::try_from(started.child.id()).unwrap();
    rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), rustix::process::Signal::KILL).unwrap();
    started.finish().exits(137);
}

/// A stage that says what it sees of SIGINT, and takes its time.
const SLOW: &str = r#"
[[stage]]
name = "a"
run = "trap 'echo interrupted >> seen; sleep 1; echo saved >> seen; exit 0' INT; touch started; for i in $(seq 600); do sleep 0.1; done"
[[stage]]
name = "b"
run = "touch b"
"#;

#[test]
fn a_stage_whose_stage_run_is_killed_is_interrupted_once_may_save_and_is_half_done() {
    let project = Project::new(SLOW);
    let started = project.step(&[]).spawn();
    until(|| project.path().join("started").exists());
    kill(started);
    let seen = project.call(&["--resume"]).exits(75);
    assert!(
        seen.stderr.contains("`deploy/a`") && seen.stderr.contains("bash ("),
        "it names the process: {}",
        seen.stderr
    );
    let seen = project.call(&["--status"]).exits(3);
    assert!(seen.stdout.contains("running") && seen.stdout.contains("still running, of `deploy/a`"), "{}", seen.stdout);
    until(|| project.read("seen") == "interrupted\nsaved\n");
    until(|| !project.call(&["--status"]).stdout.contains("still running"));
    let seen = project.call(&["--status"]).exits(3);
    assert!(
        seen.stdout.contains("a  half done") && seen.stdout.contains("go on: stage-run --from a"),
        "{}",
        seen.stdout
    );
    for arguments in [&["--resume"][..], &["--resume=anyway"], &[]] {
        let seen = project.call(arguments).exits(2);
        assert!(seen.stderr.contains("stage `a` of run") && seen.stderr.contains("is half done"), "{}", seen.stderr);
    }
    assert!(!project.path().join("b").exists());
}

#[test]
fn a_stage_that_may_run_again_is_resumed_after_a_kill() {
    let project =
        Project::new("[[stage]]\nname = \"a\"\nagain = true\nrun = \"echo run >> done; test -e go || sleep 600\"");
    let started = project.step(&[]).spawn();
    until(|| project.read("done") == "run\n");
    kill(started);
    std::fs::write(project.path().join("go"), "").unwrap();
    until(|| project.call(&["--resume"]).code != 75);
    assert_eq!(project.read("done"), "run\nrun\n");
    project.call(&["--status"]).exits(0);
}

#[test]
fn a_kill_in_ready_goes_on_at_ready() {
    let project = Project::new(
        "[[stage]]\nname = \"a\"\nrun = \"echo run >> done\"\nready = \"touch asked; test -e go || sleep 600\"",
    );
    let started = project.step(&[]).spawn();
    until(|| project.path().join("asked").exists());
    kill(started);
    std::fs::write(project.path().join("go"), "").unwrap();
    until(|| project.call(&["--status"]).stdout.contains("`ready` did not end"));
    until(|| project.call(&["--resume"]).code != 75);
    assert_eq!(project.read("done"), "run\n");
    project.call(&["--status"]).exits(0);
}

#[test]
fn a_kill_in_an_undo_leaves_the_stage_not_clean_and_a_second_undo_undoes_it() {
    let project = Project::new(
        "[[stage]]\nname = \"a\"\nrun = \"true\"\nundo = \"touch undoing; test -e go || sleep 600; echo undone >> done\"",
    );
    project.call(&[]).exits(0);
    let started = project.step(&["--undo", "--yes"]).spawn();
    until(|| project.path().join("undoing").exists());
    kill(started);
    until(|| project.call(&["--status"]).stdout.contains("not clean"));
    std::fs::write(project.path().join("go"), "").unwrap();
    until(|| project.call(&["--undo", "--yes"]).code != 75);
    assert_eq!(project.read("done"), "undone\n");
}

/// A power cut: the journal of a whole run, cut at every place where a write may have ended or been torn. No stage that was cut off counts
/// as passed, and what is resumed ends as a whole run does.
#[test]
fn after_a_power_cut_anywhere_the_run_is_resumed_or_refused_and_never_passes_by_itself() {
    let plan = |again: bool| {
        let stage =
            |name: &str| format!("[[stage]]\nname = \"{name}\"\nagain = {again}\nrun = \"echo {name} >> done\"\n");
        stage("a") + &stage("b")
    };
    let project = Project::new(&plan(true));
    project.call(&[]).exits(0);
    let (whole, path) = (std::fs::read(project.journal()).unwrap(), project.journal());
    let ends: Vec<usize> = whole.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1).collect();
    for (number, end) in ends.iter().enumerate() {
        for cut in [*end, end - 1, end - 20] {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let status = project.call(&["--status"]);
            let complete = number + 1 == ends.len() && cut == *end;
            assert_eq!(status.code == 0, complete, "cut at {cut}: {}", status.stdout);
            let seen = project.call(&["--resume"]);
            assert_eq!(seen.code, if complete { 2 } else { 0 }, "cut at {cut}: {}{}", seen.stdout, seen.stderr);
            project.call(&["--status"]).exits(0);
        }
    }
    project.plan(&plan(false));
    let begun = |text: &str| text.contains("step_started") && text.contains("deploy/a");
    let text = String::from_utf8(whole.clone()).unwrap();
    let first = text.split_inclusive('\n').scan(0, |at, line| {
        *at += line.len();
        Some((*at, begun(line)))
    });
    let (cut, _) = first.into_iter().find(|(_, begun)| *begun).unwrap();
    std::fs::write(&path, &whole[..cut]).unwrap();
    project.call(&["--resume"]).exits(2);
}
