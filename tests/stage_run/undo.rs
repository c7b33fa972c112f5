//! Undo: shown first, the last stage first, only what began, never guessed.

use super::Project;

const PLAN: &str = r#"
[[stage]]
name = "a"
run = "true"
undo = "echo undo a >> done"
destroys = true
[[stage]]
name = "b"
run = "true"
[[stage]]
name = "c"
run = "test -e go"
undo = "echo undo c >> done; test ! -e stuck"
[[stage]]
name = "d"
run = "true"
undo = "echo undo d >> done"
"#;

#[test]
fn without_yes_it_is_only_shown() {
    let project = Project::new(PLAN);
    project.call(&[]).exits(1);
    let seen = project.call(&["--undo"]).exits(2);
    assert_eq!(project.read("done"), "");
    for part in ["undo run ", "begun ", "  c: echo undo c", "  b: has no `undo`", "(destroys)"] {
        assert!(seen.stdout.contains(part), "{part}: {}", seen.stdout);
    }
    assert!(!seen.stdout.contains("  d:"), "d did not begin: {}", seen.stdout);
}

#[test]
fn what_began_is_undone_the_last_first_and_once() {
    let project = Project::new(PLAN);
    project.call(&[]).exits(1);
    let seen = project.call(&["--undo", "--yes"]).exits(0);
    assert_eq!(project.read("done"), "undo c\nundo a\n");
    assert!(seen.stdout.contains("undo of b") && seen.stdout.contains("it has no `undo`"), "{}", seen.stdout);
    project.call(&["--undo", "--yes"]).exits(0);
    assert_eq!(project.read("done"), "undo c\nundo a\n");
    std::fs::write(project.path().join("go"), "").unwrap();
    project.call(&["--resume"]).exits(0);
}

#[test]
fn one_that_fails_does_not_stop_the_others_and_the_rest_is_named() {
    let project = Project::new(PLAN);
    project.call(&[]).exits(1);
    std::fs::write(project.path().join("stuck"), "").unwrap();
    let seen = project.call(&["--undo", "--yes"]).exits(1);
    assert_eq!(project.read("done"), "undo c\nundo a\n");
    assert!(seen.stdout.contains("failed and not clean: left are c, b"), "{}", seen.stdout);
    std::fs::remove_file(project.path().join("stuck")).unwrap();
    project.call(&["--undo", "--yes"]).exits(0);
    assert_eq!(project.read("done"), "undo c\nundo a\nundo c\n");
}

#[test]
fn on_failure_nothing_is_destroyed() {
    let project = Project::new(PLAN);
    let seen = project.call(&["--undo-on-failure"]).exits(1);
    assert_eq!(project.read("done"), "undo c\n");
    assert!(seen.stdout.contains("its undo destroys"), "{}", seen.stdout);
}

#[test]
fn an_undo_that_is_not_the_one_of_the_run_is_refused() {
    let project = Project::new(PLAN);
    project.call(&[]).exits(1);
    project.plan(&PLAN.replace("echo undo a", "rm -rf everything; echo undo a"));
    let seen = project.call(&["--undo", "--yes"]).exits(2);
    assert!(seen.stderr.contains("stage `a`") && seen.stderr.contains("its undo changed"), "{}", seen.stderr);
    assert_eq!(project.read("done"), "");
    project.call(&["--undo=anyway", "--yes"]).exits(0);
}
