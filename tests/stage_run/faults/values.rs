//! Values for later stages, and what is kept beside them.

use std::os::unix::fs::PermissionsExt as _;

use super::super::Project;

#[test]
fn no_stages_name_makes_its_file_anothers() {
    let project = Project::new(
        r#"
before = "echo the run >> ran"
[[stage]]
name = "a"
run = "echo X=1 >> $STAGE_RUN_ENV"
[[stage]]
name = "values"
run = "true"
[[stage]]
name = "run"
before = "echo the stage >> ran"
run = "echo $X >> done; test -e go"
"#,
    );
    project.call(&[]).exits(1);
    std::fs::write(project.path().join("go"), "").unwrap();
    project.call(&["--resume"]).exits(0);
    assert_eq!(project.read("done"), "1\n1\n");
}

#[test]
fn a_value_that_is_handed_on_again_takes_the_place_of_the_old_one() {
    let project = Project::new(
        "[[stage]]\nname = \"a\"\nrun = \"echo V=$(printf '%090000d' 0) >> $STAGE_RUN_ENV\"\nundo = \"echo ${#V} >> done\"\n\
         [[stage]]\nname = \"b\"\nrun = \"exit 1\"",
    );
    for _ in 0..13 {
        project.call(&["--from", "a"]).exits(1);
    }
    project.call(&["--undo", "--yes"]).exits(0);
    assert_eq!(project.read("done"), "90000\n");
}

#[test]
fn what_always_runs_gets_the_values_and_knows_the_run() {
    let project = Project::new(
        r#"
after = "echo after $RULE_ID >> done"
[[stage]]
name = "open"
run = "echo RULE_ID=r7 >> $STAGE_RUN_ENV"
[[always]]
name = "close"
run = "echo closing $RULE_ID of $STAGE_RUN_RUN as $STAGE_RUN_STAGE >> done"
"#,
    );
    project.call(&[]).exits(0);
    let run = project.run().file_name().unwrap().to_string_lossy().into_owned();
    assert_eq!(project.read("done"), format!("closing r7 of {run} as close\nafter r7\n"));
}

#[test]
fn every_file_of_a_run_is_its_owners_alone() {
    let project = Project::new(
        "log_limit = \"1K\"\n[[stage]]\nname = \"a\"\nrun = \"echo X=1 >> $STAGE_RUN_ENV; seq 2000\"\nready = \"echo yes\"\nundo = \"echo undo\"\n\
         [[always]]\nname = \"close\"\nrun = \"echo closed\"",
    );
    project.call(&[]).exits(0);
    project.call(&["--undo", "--yes"]).exits(0);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(project.run()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", entry.path());
        names.push(entry.file_name().into_string().unwrap());
    }
    for name in ["a.log", "a.env", "a+ready.log", "a+undo.log", "close+always.log", "+values.env", "journal.jsonl"] {
        assert!(names.iter().any(|found| found == name), "{name}: {names:?}");
    }
}
