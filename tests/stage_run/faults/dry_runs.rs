//! Dry runs that must not look green.

use super::super::Project;

fn call(plan: &str, arguments: &[&str]) -> crate::support::Seen {
    let project = Project::new(&format!("[[stage]]\nname = \"infra\"\nrun = \"touch ran\"\nplan = {plan}"));
    std::fs::write(project.path().join("a.json"), document("create", 1)).unwrap();
    std::fs::write(project.path().join("b.json"), document("delete", 2)).unwrap();
    let arguments: Vec<&str> = ["--dry-run"].iter().chain(arguments).copied().collect();
    let seen = project.call(&arguments);
    assert!(!project.path().join("ran").exists());
    seen
}

/// What `terraform show -json` prints of a plan with `count` changes.
fn document(action: &str, count: usize) -> String {
    let change = |number| serde_json::json!({ "address": format!("x.y{number}"), "mode": "managed", "type": "x", "name": "y", "change": { "actions": [action] } });
    let changes: Vec<_> = (0..count).map(change).collect();
    serde_json::json!({ "format_version": "1.2", "terraform_version": "1.9.8", "resource_changes": changes })
        .to_string()
}

const GUARD: [&str; 1] = ["--no-destroy"];

#[test]
fn deletes_are_found_in_the_sentence_that_terraform_prints() {
    let sentence = r#""echo 'Plan: 0 to add, 0 to change, 5 to destroy.'""#;
    let seen = call(sentence, &GUARD).exits(1);
    assert!(seen.stdout.contains("would delete or replace 5"), "{}", seen.stdout);
    let seen = call(sentence, &[]).exits(0);
    assert!(seen.stdout.contains("5 to delete") && seen.stderr.contains("would delete"), "{}", seen.stdout);
    call(r#""echo 'No changes. Your infrastructure matches the configuration.'""#, &GUARD).exits(0);
}

#[test]
fn all_plans_in_the_output_are_added_up() {
    let seen = call(r#""cat a.json; echo; cat b.json""#, &GUARD).exits(1);
    assert!(seen.stdout.contains("would delete or replace 2"), "{}", seen.stdout);
    let seen = call(r#""cat a.json; echo; cat b.json""#, &[]).exits(0);
    assert!(seen.stdout.contains("1 to create, 2 to delete"), "{}", seen.stdout);
    call(r#""cat a.json""#, &GUARD).exits(0);
}

#[test]
fn the_summary_of_a_plan_that_was_cut_off_counts() {
    let line = r#"{"@level":"info","@message":"Plan: 0 to add, 0 to change, 3 to destroy.","@module":"terraform.ui","changes":{"add":0,"change":0,"remove":3,"operation":"plan"},"type":"change_summary"}"#;
    let seen = call(&format!("'''echo '{line}' '''"), &GUARD).exits(1);
    assert!(seen.stdout.contains("would delete or replace 3"), "{}", seen.stdout);
}

#[test]
fn a_plan_that_cannot_be_read_is_no_proof_that_nothing_is_deleted() {
    let seen = call(r#""echo everything is fine""#, &GUARD).exits(1);
    assert!(seen.stdout.contains("its plan cannot be read"), "{}", seen.stdout);
    call(r#""echo everything is fine""#, &[]).exits(0);
}

#[test]
fn a_dry_run_that_runs_nothing_is_incomplete_and_conditions_hold_for_it() {
    let project = Project::new("[[stage]]\nname = \"a\"\nrun = \"true\"\n[[stage]]\nname = \"b\"\nrun = \"true\"");
    project.call(&["--dry-run"]).exits(3);
    let project =
        Project::new("[[stage]]\nname = \"a\"\nrun = \"true\"\nplan = \"touch planned\"\nwhen = \"env.TIER == prod\"");
    let seen = project.step(&["--dry-run"]).env("TIER", "dev").run().exits(3);
    assert!(seen.stdout.contains("`when = env.TIER == prod` does not hold"), "{}", seen.stdout);
    assert!(!project.path().join("planned").exists());
    project.step(&["--dry-run"]).env("TIER", "prod").run().exits(0);
    assert!(project.path().join("planned").exists());
}

#[test]
fn the_log_of_a_dry_run_is_not_offered_when_it_is_gone() {
    let seen = call(r#""echo no; exit 1""#, &[]).exits(1);
    assert!(seen.stdout.contains("infra | no") && !seen.stdout.contains("log:"), "{}", seen.stdout);
}
