//! Undo: what the next line says, what is refused, and what an undo leaves of the run.

use super::super::Project;

#[test]
fn after_an_undo_no_line_deploys_again() {
    let project = Project::new("[[stage]]\nname = \"a\"\nrun = \"echo deploy >> done\"\nundo = \"test -e go\"");
    project.call(&[]).exits(0);
    let seen = project.call(&["--undo", "--yes"]).exits(1);
    assert!(seen.stdout.contains("go on: stage-run --undo --yes"), "{}", seen.stdout);
    let seen = project.call(&["--status"]).exits(1);
    assert!(seen.stdout.contains("go on: stage-run --undo --yes"), "{}", seen.stdout);
    std::fs::write(project.path().join("go"), "").unwrap();
    project.call(&["--undo", "--yes"]).exits(0);
    let seen = project.call(&["--status"]).exits(1);
    assert!(seen.stdout.contains("undone") && !seen.stdout.contains("go on"), "{}", seen.stdout);
    assert_eq!(project.read("done"), "deploy\n");
}

#[test]
fn an_undo_on_failure_that_failed_is_what_goes_on() {
    let project = Project::new("[[stage]]\nname = \"a\"\nrun = \"exit 1\"\nundo = \"exit 1\"");
    let seen = project.call(&["--undo-on-failure"]).exits(1);
    assert!(seen.stdout.contains("go on: stage-run --undo --yes"), "{}", seen.stdout);
    let seen = project.call(&["--status"]).exits(1);
    assert!(seen.stdout.contains("go on: stage-run --undo --yes"), "{}", seen.stdout);
}

#[test]
fn an_undo_that_would_run_elsewhere_or_with_other_variables_is_refused() {
    let plan = |rest: &str| format!("[[stage]]\nname = \"a\"\nrun = \"true\"\nundo = \"touch destroyed\"\n{rest}");
    for (before, after) in [
        ("dir = \"dev\"", "dir = \"prod\""),
        ("", "dir = \"prod\""),
        ("env = { TF_WORKSPACE = \"dev\" }", "env = { TF_WORKSPACE = \"prod\" }"),
    ] {
        let project = Project::new(&plan(before));
        for folder in ["dev", "prod"] {
            std::fs::create_dir(project.path().join(folder)).unwrap();
        }
        project.call(&[]).exits(0);
        project.plan(&plan(after));
        let seen = project.call(&["--undo", "--yes"]).exits(2);
        assert!(seen.stderr.contains("its undo changed"), "{}", seen.stderr);
        for place in ["destroyed", "prod/destroyed"] {
            assert!(!project.path().join(place).exists(), "{after}: {place}");
        }
        project.call(&["--undo=anyway", "--yes"]).exits(0);
    }
}

#[test]
fn an_undo_without_anything_to_undo_says_so_and_leaves_the_run_as_it_is() {
    let project = Project::new("[[stage]]\nname = \"a\"\nrun = \"true\"");
    project.call(&[]).exits(0);
    let seen = project.call(&["--undo", "--yes"]).exits(3);
    assert!(seen.stdout.contains("no stage that ran in run"), "{}", seen.stdout);
    project.call(&["--status"]).exits(0);
    let project = Project::new("[[stage]]\nname = \"a\"\nrun = \"true\"\nundo = \"true\"");
    project.call(&[]).exits(0);
    project.call(&["--undo", "--yes"]).exits(0);
    let seen = project.call(&["--undo", "--yes"]).exits(0);
    assert!(seen.stdout.contains("nothing is left to undo"), "{}", seen.stdout);
    let document = project.call(&["--undo", "--yes", "--format", "json"]).exits(0).json();
    assert_eq!(document["exit_code"], 0);
}

#[test]
fn an_undo_does_not_need_the_files_that_stages_depended_on() {
    let project = Project::new(
        "[[stage]]\nname = \"build\"\nrun = \"mkdir -p dist; touch dist/a.tgz\"\n\
         [[stage]]\nname = \"ship\"\nrun = \"true\"\nundo = \"echo undone >> done\"\ninputs = [\"dist/*.tgz\"]",
    );
    project.call(&[]).exits(0);
    std::fs::remove_dir_all(project.path().join("dist")).unwrap();
    project.call(&["--undo", "--yes"]).exits(0);
    assert_eq!(project.read("done"), "undone\n");
}
