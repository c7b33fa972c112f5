//! `ci/release`, the steps of release.yml, against a repository and a `gh` on this machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::published::executable;

const WORKFLOW: &str = ".github/workflows/deploy.yml";

/// A clone whose `origin` is a folder, and a `gh` that writes down its arguments and what it read.
struct Clone {
    root: TempDir,
    version: &'static str,
}

impl Clone {
    fn new() -> Self {
        let (root, source) = (tempfile::tempdir().unwrap(), Path::new(env!("CARGO_MANIFEST_DIR")));
        let work = root.path().join("work");
        for name in ["ci", ".github/workflows", "dist"] {
            fs::create_dir_all(work.join(name)).unwrap();
        }
        for name in ["ci/release", "Cargo.toml", WORKFLOW] {
            fs::copy(source.join(name), work.join(name)).unwrap();
        }
        let clone = Self { root, version: env!("CARGO_PKG_VERSION") };
        clone.write(
            "CHANGELOG.md",
            &format!("# Changelog\n\n## {}\n\n- First.\n\n## 0.0.1\n\n- Older.\n", clone.version),
        );
        clone.write(".gitignore", "/dist/\n/dist.json\n");
        clone.write(
            "../bin/gh",
            "#!/bin/sh\necho \"gh $*\" >>\"$GH_LOG\"\ncase \"$*\" in *--notes-file*) cat >>\"$GH_LOG\" ;; esac\n",
        );
        executable(&clone.path("../bin/gh"));
        clone.git("init --quiet --initial-branch main");
        clone.git("add --all");
        clone.git("commit --quiet -m source");
        clone.git("init --quiet --bare ../origin");
        clone.git("remote add origin ../origin");
        clone.git("push --quiet origin main");
        let dist = format!(
            "{{\n  \"version\": \"{}\",\n  \"source\": \"{}\"\n}}\n",
            clone.version,
            clone.git("rev-parse HEAD")
        );
        clone.write("dist/dist.json", &dist);
        for name in ["SHA256SUMS", "sbom.json", "attestation.json", "deploy-action-x.tar.gz", "deploy-action-x.zip"] {
            clone.write(&format!("dist/{name}"), "x");
        }
        clone
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join("work").join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), text).unwrap();
    }

    fn git(&self, arguments: &str) -> String {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=a", "-c", "user.email=a@localhost"]).args(arguments.split(' '));
        let output = git.current_dir(self.path("")).output().unwrap();
        assert!(output.status.success(), "git {arguments}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Runs a step; its output, or its error.
    fn step(&self, arguments: &[&str]) -> Result<String, String> {
        let path = format!("{}:/usr/bin:/bin", self.path("../bin").display());
        let mut step = Command::new(self.path("ci/release"));
        step.args(arguments).env("PATH", path).env("GH_LOG", self.path("../gh.log"));
        let output = step.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().trim().to_owned();
        if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
    }

    /// Commits A and B of a release.
    fn commits(&self) -> (String, String) {
        let printed = self.step(&["commits", self.version, "dist"]).unwrap();
        let (a, b) = printed.split_once(' ').unwrap();
        (a.to_owned(), b.to_owned())
    }
}

#[test]
fn a_release_is_its_source_with_the_hashes_and_the_pin_and_nothing_else() {
    let clone = Clone::new();
    let source = clone.git("rev-parse HEAD");
    clone.step(&["check", clone.version]).unwrap();
    let (a, b) = clone.commits();
    clone.step(&["verify", &source, &b]).unwrap();
    let workflow = clone.git(&format!("show {b}:{WORKFLOW}"));
    let pins = workflow.matches(&format!("uses: consult/deploy-action@{a} # v{}", clone.version)).count();
    assert!(pins == 5 && !workflow.contains("deploy-action@v1"), "every job that uses the action is pinned: {pins}");
    assert!(clone.git(&format!("show {a}:dist.json")).contains(&source));

    clone.write("action.yml", "changed after the build\n");
    clone.git("add --all");
    clone.git("commit --quiet --amend --no-edit");
    let error = clone.step(&["verify", &source, "HEAD"]).unwrap_err();
    assert!(error.contains("differs from its source in: .github/workflows/deploy.yml action.yml dist.json"), "{error}");
    clone.git(&format!("reset --quiet --hard {b}"));
    let more = workflow.replace("timeout-minutes: 5", "timeout-minutes: 6");
    clone.write(WORKFLOW, &(more + "\n"));
    clone.git("commit --quiet --all --amend --no-edit");
    let error = clone.step(&["verify", &source, "HEAD"]).unwrap_err();
    assert!(error.contains("differs from its source in more than its own pin"), "{error}");
}

#[test]
fn a_version_that_is_not_stated_not_described_or_already_there_is_refused() {
    let clone = Clone::new();
    let refused = |version: &str| clone.step(&["check", version]).unwrap_err();
    assert!(refused("v1").contains("v1 is no version of three numbers"));
    assert!(refused("9.9.9").contains("Cargo.toml has version"));
    clone.write("CHANGELOG.md", &format!("# Changelog\n\n## {}0\n\n- Another version.\n", clone.version));
    assert!(refused(clone.version).contains("CHANGELOG.md has no section"));
    clone.git("checkout --quiet CHANGELOG.md");
    clone.git(&format!("push --quiet origin HEAD:refs/tags/v{}", clone.version));
    assert!(refused(clone.version).contains("exists already"));
    clone.git(&format!("push --quiet origin :refs/tags/v{}", clone.version));
    clone.write("dist.json", "{}");
    assert!(refused(clone.version).contains("this commit has a dist.json"));
}

#[test]
fn programs_of_another_source_are_not_released() {
    let clone = Clone::new();
    clone.git("commit --quiet --allow-empty -m later");
    let error = clone.step(&["commits", clone.version, "dist"]).unwrap_err();
    assert!(error.contains("dist.json is not of"), "{error}");
}

#[test]
fn the_draft_has_every_file_before_it_is_published_and_v1_moves_last() {
    let clone = Clone::new();
    let (version, (_, b)) = (clone.version, clone.commits());
    let remote = |name: &str| clone.git(&format!("ls-remote origin {name}")).split('\t').next().unwrap().to_owned();
    let log = || fs::read_to_string(clone.path("../gh.log")).unwrap();
    clone.step(&["draft", version, "dist", &b]).unwrap();
    assert_eq!(remote(&format!("refs/heads/release/{version}")), b);
    let drafted = log();
    let create = format!("gh release create v{version} --draft --target {b} --title v{version} --notes-file - ");
    assert!(drafted.starts_with(&create) && drafted.contains("- First.") && !drafted.contains("Older"), "{drafted}");
    for file in ["tar.gz", "zip", "SHA256SUMS", "sbom.json", "attestation.json"] {
        assert!(drafted.lines().next().unwrap().contains(file), "{file} is missing in {drafted}");
    }
    clone.step(&["publish", version, &b]).unwrap();
    assert!(log().ends_with(&format!("gh release edit v{version} --draft=false --target {b}\n")), "{}", log());

    // GitHub makes the tag when the draft is published.
    clone.git(&format!("push --quiet origin {b}:refs/tags/v{version}"));
    let major = format!("refs/tags/v{}", version.split('.').next().unwrap());
    assert_eq!(remote(&major), "");
    clone.step(&["burn", version]).unwrap();
    assert!(log().contains("**Do not use this version.**") && remote(&major).is_empty(), "{}", log());
    clone.git(&format!("push --quiet origin HEAD~2:{major}"));
    clone.step(&["move", version]).unwrap();
    assert_eq!(remote(&major), b);
}

#[test]
fn the_workflow_has_a_step_for_each_step_of_the_script() {
    let workflow = include_str!("../../.github/workflows/release.yml");
    let mut at = 0;
    for step in ["check", "commits", "verify", "draft", "publish", "move", "burn"] {
        let found = workflow[at..].find(&format!("ci/release {step} "));
        at += found.unwrap_or_else(|| panic!("no step runs ci/release {step} after the one before it"));
    }
}
