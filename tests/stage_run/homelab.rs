//! The example of a homelab, with the real Terraform, Ansible, task, just and webhook.

use std::path::Path;

use super::Project;
use crate::support::{Seen, peer, program_path};

/// The example in a fresh folder; `None`, with a word, if a program is absent.
fn example(peers: &[&str]) -> Option<(Project, String)> {
    let mut folders = vec![program_path("stage-run").parent().unwrap().display().to_string()];
    for name in peers {
        folders.push(peer(name)?.parent().unwrap().display().to_string());
    }
    let project = Project::new("");
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/homelab"), project.path());
    Some((project, format!("{}:/usr/local/bin:/usr/bin:/bin", folders.join(":"))))
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

const PROGRAMS: [&str; 2] = ["terraform", "ansible-playbook"];

fn call(project: &Project, path: &str, arguments: &[&str]) -> Seen {
    project.step(arguments).env("PATH", path).env("DEPLOY_TARGET", "lab").run()
}

#[test]
fn it_is_deployed_dry_whole_and_undone() {
    let Some((project, path)) = example(&PROGRAMS) else { return };
    let seen = call(&project, &path, &["--dry-run"]).exits(0);
    assert!(seen.stdout.contains("1 to create") && seen.stdout.contains("no plan"), "{}", seen.stdout);
    assert!(!project.path().join("infra/terraform.tfstate").exists());
    call(&project, &path, &[]).exits(0);
    assert_eq!(project.read("deployed"), "configured\n");
    assert!(project.read("infra/terraform.tfstate").contains("terraform_data"));
    let seen = call(&project, &path, &["--undo"]).exits(2);
    assert!(seen.stdout.contains("(destroys)"), "{}", seen.stdout);
    call(&project, &path, &["--undo", "--yes"]).exits(0);
    assert!(!project.read("infra/terraform.tfstate").contains("\"type\": \"terraform_data\""));
}

#[test]
fn a_failure_in_each_stage_is_resumed() {
    let Some((project, path)) = example(&PROGRAMS) else { return };
    let break_and_mend = |file: &str, broken: &str| {
        let whole = project.read(file);
        std::fs::write(project.path().join(file), broken).unwrap();
        whole
    };
    let whole = break_and_mend("infra/main.tf", "variable \"target\" {}\nresource \"no_such\" \"x\" {}\n");
    call(&project, &path, &[]).exits(1);
    std::fs::write(project.path().join("infra/main.tf"), whole).unwrap();
    let whole =
        break_and_mend("site.yml", "- hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.fail:\n");
    let seen = call(&project, &path, &["--resume"]).exits(1);
    assert!(seen.stdout.contains("failed     configure"), "{}", seen.stdout);
    std::fs::write(project.path().join("site.yml"), whole).unwrap();
    let whole = break_and_mend("apps/main.tf", "resource \"terraform_data\" \"app\" {\n  nonsense = 1\n}\n");
    let seen = call(&project, &path, &["--resume"]).exits(1);
    assert!(!seen.stderr.contains("infra | "), "a stage that passed does not run again: {}", seen.stderr);
    std::fs::write(project.path().join("apps/main.tf"), whole).unwrap();
    call(&project, &path, &["--resume"]).exits(0);
    call(&project, &path, &["--status"]).exits(0);
}

#[test]
fn task_and_just_start_it() {
    let Some((project, path)) = example(&["terraform", "ansible-playbook", "task", "just"]) else { return };
    let run = |program: &str, recipe: &str| {
        let output = std::process::Command::new(peer(program).unwrap())
            .arg(recipe)
            .current_dir(project.path())
            .env_clear()
            .envs([("PATH", path.as_str()), ("DEPLOY_TARGET", "lab"), ("LANG", "C.UTF-8")])
            .env("XDG_STATE_HOME", project.path().join("state"))
            .env("HOME", project.path())
            .output()
            .unwrap();
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr),
        )
    };
    for (program, recipe, expected) in [
        ("task", "deploy", "passed     configure"),
        ("just", "status", "apps       passed"),
        ("just", "undo", "undone"),
    ] {
        let (code, printed) = run(program, recipe);
        assert_eq!(code, Some(0), "{program} {recipe}: {printed}");
        assert!(printed.contains(expected), "{program} {recipe}: {printed}");
    }
}
