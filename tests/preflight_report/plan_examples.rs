//! The plans in `examples/`: what they print, and that each check of the gate finds what it is for.

use std::path::Path;
use std::process::Command;

use super::step;
use crate::support::{Seen, Step, peer};

/// Copies a folder of `examples/` and commits it.
fn repository(name: &str) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let run = |program: &str, words: &[&str]| {
        let output =
            Command::new(program).args(words).current_dir(root.path()).env("HOME", root.path()).output().unwrap();
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name).join(".");
    run("cp", &["-R", from.to_str().unwrap(), "."]);
    run("git", &["init", "--quiet"]);
    run("git", &["add", "--all"]);
    let user = ["-c", "user.name=a", "-c", "user.email=a@localhost", "-c", "commit.gpgsign=false"];
    run("git", &[user.as_slice(), &["commit", "--quiet", "--message", "x"]].concat());
    root
}

fn validate(folder: &Path) -> Step {
    step(["--plan", "preflight.toml"]).cwd(folder)
}

/// The kinds of a report's lines, runs of checks as one; a time has to be in its column.
fn layout(text: &str) -> Vec<&'static str> {
    let time = |line: &str, at: usize, open: char| {
        let line: Vec<char> = line.chars().collect();
        let rest: String = line.get(at..).unwrap_or_default().iter().collect();
        let inner = rest.strip_prefix(open).and_then(|rest| rest.strip_suffix(['s', ')', ']']));
        assert!(inner.is_some_and(|inner| inner.trim_end_matches('s').parse::<f64>().is_ok()), "{rest:?} at {at}");
    };
    let mut kinds: Vec<&str> = text
        .lines()
        .map(|line| {
            if line.chars().all(|letter| letter == '═') && !line.is_empty() {
                assert_eq!(line.chars().count(), 62);
                "rule"
            } else if line.contains(" Stage ✓") {
                time(line, 50, '[');
                "stage"
            } else if line.starts_with("  ✓ ") {
                time(line, 48, '(');
                "check"
            } else if line.starts_with("  RESULT: PASSED") {
                assert_eq!(line.find("Total: "), Some(48), "{line}");
                "result"
            } else if line == "Ready to deploy!" {
                "ready"
            } else if line.is_empty() {
                ""
            } else {
                assert_eq!(line, "  PRE-DEPLOY VALIDATION");
                "title"
            }
        })
        .collect();
    kinds.dedup();
    kinds
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the example's programs are where the test's are")]
fn the_example_runs_build_quality_and_integration_in_the_known_layout() {
    let (Some(_), Some(pytest)) = (peer("node"), peer("pytest")) else { return };
    let folder = repository("");
    // The Python beside pytest has it.
    let path = format!("{}:{}", pytest.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let seen = validate(folder.path()).env("PATH", path).run().exits(0);
    let founding = include_str!("../fixtures/reports/dagger-expected.txt");
    assert_eq!(layout(&seen.stdout), layout(founding), "{}", seen.stdout);
    let stages: Vec<&str> = seen.stdout.lines().filter_map(|line| Some(line.split_once(" Stage ")?.0)).collect();
    assert_eq!(stages, ["Build", "Quality", "Integration"]);
    assert!(seen.stdout.contains("pytest (2 passed)"), "{}", seen.stdout);
}

fn gate(folder: &Path) -> Seen {
    validate(folder).args(["--format", "agent"]).run()
}

#[test]
fn the_gate_of_a_gitops_repository_finds_each_mistake_it_is_for() {
    if peer("terraform").is_none() {
        return;
    }
    let folder = repository("gitops");
    let at = |path: &str| folder.path().join(path);
    let write = |path: &str, text: &str| std::fs::write(at(path), text).unwrap();
    let git = |words: &[&str]| {
        assert!(Command::new("git").args(words).current_dir(folder.path()).status().unwrap().success());
    };
    assert_eq!(gate(folder.path()).exits(0).stdout, "passed 5/5 checks\n");

    let replaced = |path: &str, from: &str, to: &str, found: &str| {
        let before = std::fs::read_to_string(at(path)).unwrap();
        assert!(before.contains(from), "{path} holds no {from}");
        write(path, &before.replace(from, to));
        let seen = gate(folder.path()).exits(1);
        assert!(seen.stdout.lines().next().unwrap().contains(found), "{found}: {}\n{}", seen.stdout, seen.stderr);
        write(path, &before);
    };
    replaced("terraform/main.tf", "var.interval", "var.intervall", "validate/terraform-validate terraform/main.tf:7");
    replaced("dbt/models/drinks.sql", "stg_orders", "stg_order", "validate/dbt-parse dbt/models/drinks.sql:1");
    replaced(
        "deploy/release.yaml",
        "tag: 5ae7847",
        "tag: latest",
        "validate/image-paths-and-tags deploy/release.yaml:11",
    );
    replaced("deploy/release.yaml", "acme/lake-cube", "acne/lake-cube", "deploy/release.yaml:16");
    replaced("cube/drinks.yml", "lake.drinks", "lake.drink", "validate/generated-files-are-current cube/drinks.yml");

    write("terraform/terraform.tfstate", "{}");
    git(&["add", "--force", "terraform/terraform.tfstate"]);
    let seen = gate(folder.path()).exits(1);
    assert!(seen.stdout.contains("terraform/terraform.tfstate is tracked, and must not be"), "{}", seen.stdout);
    let text = validate(folder.path()).run().exits(1).stdout;
    assert!(text.contains("prevents: state drift: the state is in the cluster"), "{text}");
}
