//! `ci/package`: what it packs, that the action installs from it, and that its Linux programs need nothing of the system.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::published::{executable, sha256};
use super::tools;
use crate::support::{Served, peer, skipped};

const TARGET: &str = "x86_64-unknown-linux-musl";

/// A repository that `ci/package` can pack from, with programs that start those that Cargo built.
fn repository() -> TempDir {
    let (folder, source) = (tempfile::tempdir().unwrap(), Path::new(env!("CARGO_MANIFEST_DIR")));
    fs::create_dir(folder.path().join("ci")).unwrap();
    for name in ["ci/package", "Cargo.toml", "LICENSE-APACHE", "LICENSE-MIT"] {
        fs::copy(source.join(name), folder.path().join(name)).unwrap();
    }
    fs::write(folder.path().join(".gitignore"), "dist/\n").unwrap();
    let commit = "git init --quiet && git add --all && \
                  git -c user.name=a -c user.email=a@localhost commit --quiet --date 2026-01-01T00:00:00Z -mx";
    let mut git = Command::new("sh");
    git.args(["-c", commit]).env("GIT_COMMITTER_DATE", "2026-01-01T00:00:00Z").current_dir(folder.path());
    assert!(git.status().unwrap().success());
    let programs = folder.path().join("dist/programs").join(TARGET);
    fs::create_dir_all(&programs).unwrap();
    let built = Path::new(env!("CARGO_BIN_EXE_secrets-env")).parent().unwrap();
    for tool in tools() {
        let text = format!("#!/bin/sh\nexec '{}' \"$@\"\n", built.join(&tool).display());
        fs::write(programs.join(&tool), text).unwrap();
        executable(&programs.join(tool));
    }
    folder
}

/// Packs; returns the archive.
fn pack(repository: &Path, umask: &str) -> PathBuf {
    let script = format!("umask {umask} && exec ci/package --only pack {TARGET}");
    let output = Command::new("bash").args(["-c", &script]).current_dir(repository).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    repository.join(format!("dist/deploy-action-{}-{TARGET}.tar.gz", env!("CARGO_PKG_VERSION")))
}

#[test]
fn a_package_has_the_programs_their_pages_and_the_same_bytes_each_time() {
    let (first, second) = (repository(), repository());
    let (one, other) = (pack(first.path(), "022"), pack(second.path(), "077"));
    assert_eq!(sha256(&one), sha256(&other), "the same commit gives the same bytes");
    let listed = Command::new("tar").arg("-tzf").arg(&one).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    for tool in tools() {
        for file in [format!("./bin/{tool}"), format!("./man/man1/{tool}.1"), format!("./completions/{tool}.fish")] {
            assert!(listed.lines().any(|line| line == file), "{file} is missing in {listed}");
        }
    }
    assert!(listed.contains("./LICENSE-MIT") && listed.contains("./LICENSE-APACHE"));
    let dist = fs::read_to_string(first.path().join("dist/dist.json")).unwrap();
    let dist: serde_json::Value = serde_json::from_str(&dist).unwrap();
    let entry = &dist["targets"][TARGET];
    assert_eq!(entry["sha256"], sha256(&one));
    assert_eq!(entry["size_bytes"], fs::metadata(&one).unwrap().len());
    let programs: BTreeMap<String, String> = serde_json::from_value(entry["programs"].clone()).unwrap();
    assert_eq!(programs.len(), tools().len());
    assert_eq!(programs["ssh-deploy"], sha256(&first.path().join("dist/programs").join(TARGET).join("ssh-deploy")));
    let mut sums = Command::new("sha256sum");
    sums.args(["--check", "--quiet", "SHA256SUMS"]).current_dir(first.path().join("dist"));
    assert!(sums.status().unwrap().success());
}

/// What Alpine has: the shell and the programs of busybox, and neither bash nor curl. Its paths are absolute, HOME is unset.
#[test]
fn a_package_installs_with_the_programs_of_busybox_alone() {
    let Some(busybox) = peer("busybox") else { return };
    let Some(server) = Served::start("python3", &["-m", "http.server", "{port}", "--bind", "127.0.0.1"], &[]) else {
        return;
    };
    let repository = repository();
    let archive = pack(repository.path(), "022");
    fs::copy(&archive, server.folder().join(archive.file_name().unwrap())).unwrap();
    let root = tempfile::tempdir().unwrap();
    let action = root.path().join("action");
    fs::create_dir_all(action.join("action")).unwrap();
    fs::create_dir(root.path().join("bin")).unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::copy(source.join("action/install.sh"), action.join("action/install.sh")).unwrap();
    fs::copy(source.join("Cargo.toml"), action.join("Cargo.toml")).unwrap();
    fs::copy(repository.path().join("dist/dist.json"), action.join("dist.json")).unwrap();
    for applet in [
        "cat",
        "chmod",
        "cp",
        "cut",
        "head",
        "mkdir",
        "mv",
        "rm",
        "sed",
        "sha256sum",
        "sleep",
        "tail",
        "tar",
        "gzip",
        "timeout",
        "tr",
        "wget",
        "sh",
    ] {
        std::os::unix::fs::symlink(&busybox, root.path().join("bin").join(applet)).unwrap();
    }
    let file = |name: &str| root.path().join(name);
    let mut install = Command::new(&busybox);
    install.arg("sh").arg(action.join("action/install.sh")).current_dir(root.path()).env_clear();
    for (name, value) in [
        ("PATH", file("bin")),
        ("GITHUB_ACTION_PATH", action.clone()),
        ("RUNNER_TEMP", file("temp")),
        ("RUNNER_TOOL_CACHE", file("cache")),
        ("GITHUB_PATH", file("path")),
        ("GITHUB_OUTPUT", file("output")),
    ] {
        install.env(name, value);
    }
    install.env("RUNNER_OS", "Linux").env("RUNNER_ARCH", "X64").env("INPUT_BASE_URL", server.url());
    let output = install.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    let bin = fs::read_to_string(file("path")).unwrap();
    let printed = Command::new(Path::new(bin.trim()).join("stack-output")).arg("--version").output().unwrap();
    assert_eq!(String::from_utf8(printed.stdout).unwrap(), concat!("stack-output ", env!("CARGO_PKG_VERSION"), "\n"));
}

/// `./check` builds them with `ci/package --profile dev --only build`.
#[test]
fn the_linux_programs_run_where_there_is_nothing_else() {
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("dist/programs").join(TARGET);
    if !programs.exists() {
        skipped("no static programs here: the standard library of x86_64-unknown-linux-musl is not installed");
        return;
    }
    let root = tempfile::tempdir().unwrap();
    for tool in tools() {
        fs::copy(programs.join(&tool), root.path().join(&tool)).unwrap();
    }
    fs::copy(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/preflight/failing.json"),
        root.path().join("report.json"),
    )
    .unwrap();
    let run = |arguments: &[&str]| {
        let mut chroot = Command::new("chroot");
        // Without a PATH the program itself is not found where it is in /usr/sbin.
        chroot.arg(root.path()).args(arguments).env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        let output = chroot.output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    let (_, text) = run(&["/secrets-env", "--version"]);
    if text.contains("Operation not permitted") {
        skipped("only root may run a program in a directory of its own");
        return;
    }
    for tool in tools() {
        let expected = format!("{tool} {}\n", env!("CARGO_PKG_VERSION"));
        assert_eq!(run(&[&format!("/{tool}"), "--version"]), (Some(0), expected));
    }
    let (code, text) = run(&["/preflight-report", "/report.json"]);
    assert!(code == Some(1) && text.contains("src/index.ts"), "{code:?} {text}");
    // A request, with threads, a resolver and TLS: no certificate authority and no network are here, and that is reported.
    let (code, text) = run(&["/pages-deploy-all", "/"]);
    assert!(code.is_some_and(|code| code < 100) && text.contains("error:"), "{code:?} {text}");
}
