//! Which run is gone on with, where it is kept, and what its end is called.

use std::process::Command;

use super::super::Project;

#[test]
fn a_relative_journal_serves_stages_with_a_folder_of_their_own() {
    let project = Project::new(
        "[[stage]]\nname = \"a\"\ndir = \"infra\"\nrun = \"mkdir -p deep; cd deep; echo X=7 >> \\\"$STAGE_RUN_ENV\\\"\"\n\
         [[stage]]\nname = \"b\"\nrun = \"echo $X >> done; test -e go\"",
    );
    std::fs::create_dir(project.path().join("infra")).unwrap();
    let seen = project.call(&["--journal", "my state"]).exits(1);
    assert_eq!(project.read("done"), "7\n", "{}{}", seen.stdout, seen.stderr);
    let line = "go on: stage-run --journal 'my state' --resume";
    assert!(seen.stdout.contains(line), "{}", seen.stdout);
    let status = project.call(&["--journal", "my state", "--status"]).exits(1);
    assert!(status.stdout.contains(line), "{}", status.stdout);
    std::fs::write(project.path().join("go"), "").unwrap();
    project.call(&["--journal", "my state", "--resume=anyway"]).exits(0);
    std::fs::rename(project.path().join("stages.toml"), project.path().join("other.toml")).unwrap();
    std::fs::remove_file(project.path().join("go")).unwrap();
    project.call(&["--plan", "other.toml"]).exits(1);
    let status = project.call(&["--plan", "other.toml", "--status"]).exits(1);
    assert!(status.stdout.contains("go on: stage-run --plan other.toml --resume"), "{}", status.stdout);
}

fn git(project: &Project, arguments: &[&str]) {
    let mut git = Command::new("git");
    git.args(["-c", "user.name=t", "-c", "user.email=t@example.com"]).args(arguments).current_dir(project.path());
    assert!(git.output().unwrap().status.success(), "{arguments:?}");
}

/// A repository with a plan; `remote` is where it comes from.
fn repository(name: &str, remote: Option<&str>) -> Project {
    let project = Project::new(&format!(
        "[[stage]]\nname = \"migrate\"\nrun = \"echo {name} >> done\"\n[[stage]]\nname = \"deploy\"\nrun = \"test -e go; echo deploy >> done\""
    ));
    git(&project, &["init", "-q"]);
    std::fs::write(project.path().join("name"), name).unwrap();
    git(&project, &["add", "name"]);
    git(&project, &["commit", "-q", "-m", name]);
    if let Some(remote) = remote {
        git(&project, &["remote", "add", "origin", remote]);
    }
    project
}

#[test]
fn two_repositories_that_share_a_folder_of_journals_have_runs_of_their_own() {
    let volume = tempfile::tempdir().unwrap();
    let shared = volume.path().to_str().unwrap();
    let first = repository("a", None);
    let second = repository("b", None);
    first.call(&["--journal", shared]).exits(1);
    std::fs::write(second.path().join("go"), "").unwrap();
    let seen = second.call(&["--journal", shared, "--resume"]).exits(2);
    assert!(seen.stderr.contains("there is no run to go on with"), "{}", seen.stderr);
    second.call(&["--journal", shared, "--undo", "--yes"]).exits(2);
    assert_eq!(second.read("done"), "");
}

#[test]
fn another_checkout_of_a_repository_goes_on_with_its_run_and_takes_its_lock() {
    let volume = tempfile::tempdir().unwrap();
    let shared = volume.path().to_str().unwrap();
    let first = repository("a", Some("https://token@example.com/acme/shop.git"));
    first.call(&["--journal", shared]).exits(1);
    let second = repository("a", Some("git@example.com:acme/shop"));
    std::fs::write(second.path().join("go"), "").unwrap();
    second.call(&["--journal", shared, "--resume"]).exits(0);
    assert_eq!(second.read("done"), "deploy\n");
    // Both take one lock.
    first.plan("[[stage]]\nname = \"migrate\"\nrun = \"touch started; until test -e go; do sleep 0.1; done\"");
    let held = first.step(&["--journal", shared]).spawn();
    super::super::until(|| first.path().join("started").exists());
    let state = first.path().join("state");
    second.step(&["--journal", shared]).env("XDG_STATE_HOME", state).run().exits(75);
    std::fs::write(first.path().join("go"), "").unwrap();
    held.finish().exits(0);
}

#[test]
fn a_folder_that_is_used_for_something_else_keeps_its_rules_for_git() {
    let project = Project::new("[[stage]]\nname = \"a\"\nrun = \"true\"");
    project.call(&["--journal", "."]).exits(0);
    assert!(!project.path().join(".gitignore").exists());
    project.call(&["--journal", "fresh"]).exits(0);
    assert_eq!(project.read("fresh/.gitignore"), "*\n");
}

const TWO: &str =
    "[[stage]]\nname = \"a\"\nrun = \"echo a >> done\"\n[[stage]]\nname = \"c\"\nrun = \"test -e b; echo c >> done\"";

#[test]
fn a_stage_that_is_new_in_the_plan_runs_in_its_place() {
    let project = Project::new(TWO);
    project.call(&[]).exits(1);
    project.plan(&TWO.replace(
        "[[stage]]\nname = \"c\"",
        "[[stage]]\nname = \"b\"\nrun = \"touch b; echo b >> done\"\n[[stage]]\nname = \"c\"",
    ));
    project.call(&["--resume"]).exits(0);
    assert_eq!(project.read("done"), "a\nb\nc\n");
    project.call(&["--status"]).exits(0);
}

#[test]
fn a_run_of_one_stage_is_gone_on_with_alone() {
    let project = Project::new(TWO);
    project.call(&["c"]).exits(1);
    std::fs::write(project.path().join("b"), "").unwrap();
    project.call(&["--resume"]).exits(0);
    assert_eq!(project.read("done"), "c\n");
    project.call(&["--status"]).exits(0);
}

#[test]
fn a_command_that_a_signal_ended_below_the_shell_is_not_repeated() {
    let project =
        Project::new("[[stage]]\nname = \"a\"\nretries = 1\nrun = \"echo try >> tries; sh -c 'kill -9 $$'; true\"");
    let seen = project.call(&[]).exits(1);
    assert_eq!(project.read("tries"), "try\n", "{}", seen.stderr);
}

#[test]
fn a_file_that_an_earlier_stage_makes_may_be_an_input() {
    let plan = "[[stage]]\nname = \"build\"\nrun = \"mkdir -p dist; echo 1 > dist/a.tgz\"\n\
        [[stage]]\nname = \"ship\"\nrun = \"true\"\ninputs = [\"dist/*.tgz\"]\n[[stage]]\nname = \"end\"\nrun = \"test -e go\"";
    let project = Project::new(plan);
    project.call(&[]).exits(1);
    std::fs::write(project.path().join("dist/a.tgz"), "2").unwrap();
    let seen = project.call(&["--resume"]).exits(2);
    assert!(seen.stderr.contains("its files changed"), "{}", seen.stderr);
    std::fs::remove_dir_all(project.path().join("dist")).unwrap();
    project.call(&["--resume"]).exits(2);
    let project = Project::new("[[stage]]\nname = \"a\"\nrun = \"true\"\ninputs = [\"typo/*\"]");
    let seen = project.call(&[]).exits(0);
    assert!(seen.stderr.contains("no file matches its input `typo/*`"), "{}", seen.stderr);
}

#[test]
fn a_hook_of_a_stage_has_its_time_too() {
    let project =
        Project::new("[[stage]]\nname = \"a\"\ntimeout = \"1s\"\nbefore = \"sleep 600\"\nrun = \"touch ran\"");
    let seen = project.call(&[]).exits(1);
    assert!(seen.stdout.contains("`before` did not end in time"), "{}", seen.stdout);
    assert!(!project.path().join("ran").exists());
}

#[test]
fn two_commands_of_one_name_that_always_run_are_refused() {
    let always = "[[always]]\nname = \"close\"\nrun = \"true\"\n";
    let project = Project::new(&format!("[[stage]]\nname = \"a\"\nrun = \"true\"\n{always}{always}"));
    let seen = project.call(&[]).exits(2);
    assert!(seen.stderr.contains("two [[always]] have the name `close`"), "{}", seen.stderr);
}

#[test]
fn words_of_the_shell_are_no_missing_programs() {
    let project =
        Project::new("[[stage]]\nname = \"a\"\nrun = \"wait; umask 077\"\n[[stage]]\nname = \"b\"\nrun = \"let x=1\"");
    let seen = project.call(&[]).exits(0);
    assert!(!seen.stderr.contains("no such program"), "{}", seen.stderr);
}
