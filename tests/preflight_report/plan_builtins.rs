//! The builtins of a plan, and `inputs` with the cache of the last pass.

use std::path::Path;

use super::step;
use crate::support::{Seen, Step};

/// Runs git in a folder, as a user without settings.
fn git(folder: &Path, words: &[&str]) {
    let mut command = std::process::Command::new("git");
    command.args(["-c", "user.name=a", "-c", "user.email=a@localhost", "-c", "commit.gpgsign=false"]);
    let output = command.args(words).current_dir(folder).env("HOME", folder).output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A repository in which these files are committed, with a plan of one check.
fn repository(files: &[(&str, &str)], keys: &str) -> Step {
    let plan = format!("[[stage]]\nname = \"gate\"\n[[stage.check]]\nname = \"it\"\n{keys}\n");
    let mut step = step(["--plan", "preflight.toml", "--format", "json"]).file("preflight.toml", plan);
    for (path, text) in files {
        step = step.file(path, text);
    }
    git(step.folder(), &["init", "--quiet"]);
    git(step.folder(), &["add", "--all"]);
    git(step.folder(), &["commit", "--quiet", "--message", "x"]);
    step
}

/// The findings of the check: place and message.
fn findings(seen: &Seen) -> Vec<(String, String)> {
    let document = seen.json();
    let findings = document["stages"][0]["checks"][0]["findings"].as_array().cloned().unwrap_or_default();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let place = |finding: &serde_json::Value| match finding["line"].as_u64() {
        Some(line) => format!("{}:{line}", text(&finding["path"])),
        None => text(&finding["path"]),
    };
    findings.iter().map(|finding| (place(finding), text(&finding["message"]))).collect()
}

#[test]
fn untracked_finds_each_tracked_file_that_matches() {
    let keys = "builtin = \"untracked\"\npaths = [\"*.tfstate*\", \".env\"]";
    let seen =
        repository(&[("infra/terraform.tfstate", "{}"), ("a.txt", "")], keys).file("x.tfstate", "").run().exits(1);
    let found = findings(&seen);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].0, "infra/terraform.tfstate");
    assert!(found[0].1.contains("git rm --cached"), "{found:?}");
    repository(&[("a.txt", "")], keys).run().exits(0);
    // Without a repository nothing is known, and nothing passes.
    let plan = format!("[[stage]]\nname = \"gate\"\n[[stage.check]]\nname = \"it\"\n{keys}\n");
    let seen = step(["--plan", "p.toml"]).file("p.toml", plan).run().exits(1);
    assert!(seen.stdout.contains("untracked: git ls-files failed"), "{}", seen.stdout);
}

#[test]
fn clean_after_finds_what_its_command_changes_with_the_diff() {
    let keys = "builtin = \"clean-after\"\nrun = \"echo new > generated.txt\"\npaths = \"generated.txt\"";
    let seen = repository(&[("generated.txt", "old\n"), ("mine.txt", "a")], keys).file("mine.txt", "b").run().exits(1);
    assert_eq!(
        findings(&seen),
        [(
            "generated.txt:1".to_owned(),
            "generated.txt is not what `echo new > generated.txt` makes: run it and commit the result".to_owned()
        )]
    );
    assert!(seen.stdout.contains("-old\\n+new"), "{}", seen.stdout);
    repository(&[("generated.txt", "new\n")], keys).run().exits(0);
    // A change that was there before is not the command's.
    let keys = "builtin = \"clean-after\"\nrun = \"true\"";
    repository(&[("a.txt", "a")], keys).file("a.txt", "b").run().exits(0);
    let seen = repository(&[("a.txt", "a")], "builtin = \"clean-after\"\nrun = \"touch b.txt; exit 3\"").run().exits(1);
    assert_eq!(findings(&seen)[0].0, "b.txt");
}

#[test]
fn image_tag_finds_images_without_a_fixed_tag_on_their_lines() {
    let chart =
        "image:\n  repository: ghcr.io/acme/web\n  tag: latest\nsidecar:\n  image: docker.io/library/nginx:1.27\n";
    let keys = "builtin = \"image-tag\"\nfiles = \"deploy/*.yaml\"\nrepository = \"ghcr.io/acme\"\ndir = \"app\"";
    let seen = repository(&[("app/deploy/release.yaml", chart)], keys).run().exits(1);
    let found = findings(&seen);
    let places: Vec<&str> = found.iter().map(|(place, _)| place.as_str()).collect();
    assert_eq!(places, ["app/deploy/release.yaml:1", "app/deploy/release.yaml:5"]);
    let seen = repository(&[("a", "")], keys).run().exits(1);
    assert!(seen.stdout.contains("image-tag: `deploy/*.yaml` matches no file"), "{}", seen.stdout);
}

#[test]
fn secrets_are_set_and_not_blank_and_their_values_are_never_shown() {
    let keys = "builtin = \"secrets\"\nnames = [\"DOPPLER_TOKEN\", \"EMPTY\", \"UNSET\"]";
    let step =
        repository(&[("a", "")], keys).env("DOPPLER_TOKEN", "hunter2-value").secret("hunter2-value").env("EMPTY", " ");
    let seen = step.run().exits(1);
    let messages: Vec<_> = findings(&seen).into_iter().map(|(_, message)| message).collect();
    assert_eq!(messages, ["EMPTY is not set, or blank", "UNSET is not set, or blank"]);
}

#[test]
fn disk_needs_so_much_room() {
    repository(&[("a", "")], "builtin = \"disk\"\nfree = \"1M\"").run().exits(0);
    let seen = repository(&[("a", "")], "builtin = \"disk\"\nfree = \"8000T\"\npath = \".\"").run().exits(1);
    assert!(findings(&seen)[0].1.contains("GiB are needed"), "{}", seen.stdout);
}

/// Runs the plan in the folder with the cache; returns the exit code, the reason's code and the note.
fn cached(folder: &Path, options: &[&str], variables: &[(&str, &str)]) -> (i32, String, String) {
    let mut step = step(["--plan", "preflight.toml", "--format", "json"]).args(options.iter().copied()).cwd(folder);
    step = step.env("PREFLIGHT_REPORT_CACHE_DIR", folder.join("cache"));
    for (name, value) in variables {
        step = step.env(name, *value);
    }
    let seen = step.run();
    let document = seen.json();
    let check = &document["stages"][0]["checks"][0];
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    (seen.code, text(&check["reason"]["code"]), text(&check["note"]))
}

#[test]
fn a_check_is_cached_until_a_file_its_definition_or_its_variables_change() {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| std::fs::write(folder.path().join(path), text).unwrap();
    let plan = |keys: &str| {
        write("preflight.toml", &format!("[[stage]]\nname = \"s\"\n[[stage.check]]\nname = \"it\"\n{keys}\n"));
    };
    let keys = "run = \"echo \\\"<testsuite><testcase name='a'/></testsuite>\\\" > r.xml\"\nreport = \"r.xml\"\ninputs = \"*.py\"\nenv = { TOKEN = true }";
    plan(keys);
    write("a.py", "1");
    let run = |options: &[&str], variables: &[(&str, &str)]| cached(folder.path(), options, variables);
    let (fresh, hit) =
        ((0, String::new(), "1 passed".to_owned()), (0, "cached".to_owned(), "1 passed, cached".to_owned()));
    assert_eq!(run(&[], &[]), fresh);
    assert_eq!(run(&[], &[]), hit);
    assert_eq!(run(&["--no-cache"], &[]), fresh);
    write("a.py", "2");
    assert_eq!((run(&[], &[]), run(&[], &[])), (fresh.clone(), hit.clone()));
    write("b.py", "");
    assert_eq!((run(&[], &[]), run(&[], &[])), (fresh.clone(), hit.clone()));
    assert_eq!(run(&[], &[("TOKEN", "x")]), fresh);
    plan(&keys.replace("echo ", "echo  "));
    assert_eq!((run(&[], &[]), run(&[], &[])), (fresh.clone(), hit));
    // A stored result that is damaged is none.
    for file in std::fs::read_dir(folder.path().join("cache")).unwrap() {
        std::fs::write(file.unwrap().path(), "{\"version\":1").unwrap();
    }
    assert_eq!(run(&[], &[]), fresh);
}

#[test]
fn only_a_pass_is_cached_and_without_a_directory_nothing_is() {
    let folder = tempfile::tempdir().unwrap();
    let plan = "[[stage]]\nname = \"s\"\n[[stage.check]]\nname = \"it\"\nrun = \"test -e good\"\ninputs = \"a.py\"\n";
    std::fs::write(folder.path().join("preflight.toml"), plan).unwrap();
    std::fs::write(folder.path().join("a.py"), "").unwrap();
    assert_eq!(cached(folder.path(), &[], &[]).0, 1);
    assert_eq!(cached(folder.path(), &[], &[]).1, "exit_code");
    std::fs::write(folder.path().join("good"), "").unwrap();
    assert_eq!(cached(folder.path(), &[], &[]).1, "");
    assert_eq!(cached(folder.path(), &[], &[]).1, "cached");
    let seen = step(["--plan", "preflight.toml"]).cwd(folder.path()).run().exits(0);
    assert!(seen.stderr.contains("PREFLIGHT_REPORT_CACHE_DIR is not set"), "{}", seen.stderr);
}

#[test]
fn a_command_that_fails_below_clean_after_has_no_report_to_disagree_with() {
    let text =
        "[[stage]]\nname = \"gate\"\n[[stage.check]]\nname = \"it\"\nbuiltin = \"clean-after\"\nrun = \"false\"\n";
    let seen = Step::script("git init -q .; preflight-report --plan p.toml --format agent");
    let seen = seen.file("p.toml", text).run().exits(1);
    assert!(seen.stdout.starts_with("failed 1/1 checks: gate/it exit code 1\n"), "{}", seen.stdout);
}

#[test]
fn the_line_to_run_again_names_what_can_make_the_run_red() {
    let check = |name: &str, more: &str| format!("[[stage.check]]\nname = \"{name}\"\nrun = \"false\"\n{more}");
    let text = format!("[[stage]]\nname = \"q\"\n{}{}", check("must", ""), check("may", "required = false\n"));
    let seen = step(["--plan", "p.toml", "--format", "agent"]).file("p.toml", text).run().exits(1);
    assert!(seen.stdout.contains("\nrerun: preflight-report --plan p.toml --only q/must\n"), "{}", seen.stdout);
}
