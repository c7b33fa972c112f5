//! A release, played on loopback: `dist.json`, the download, the tool cache, and what is refused.

use std::fs;

use super::composite::{Job, Outcome};
use super::published::{Release, sha256};
use super::{installed, tools};

/// What an install by download runs besides [`SYSTEM`].
const DOWNLOAD: [&str; 8] = ["curl", "cut", "gzip", "mv", "sha256sum", "sleep", "tar", "cmp"];

fn cargo_was_called(job: &Job) -> bool {
    job.workspace().join("../bin/cargo.called").exists()
}

fn refused(job: &Job, outcome: &Outcome, code: i32, reason: &str) {
    assert_eq!(outcome.code, code, "{}", outcome.log);
    assert!(outcome.log.contains(reason), "{}", outcome.log);
    assert!(!cargo_was_called(job), "a wrong download must not end in a build: {}", outcome.log);
    assert!(outcome.outputs["bin-dir"].is_empty());
}

#[test]
fn the_archive_is_downloaded_checked_and_kept_for_the_next_job() {
    let Some(release) = Release::start() else { return };
    let mut job = release.job(&DOWNLOAD);
    let outcome = job.uses(&[]);
    assert_eq!(outcome.code, 0, "{}", outcome.log);
    assert_eq!(outcome.outputs["version"], "1.2.3");
    assert_eq!(installed(&outcome).len(), tools().len());
    assert_eq!(job.step("ssh-deploy --version").log, "ssh-deploy 1.2.3\n");
    // The next job on the same machine finds them in the tool cache: the server has nothing any more.
    fs::remove_file(release.archive()).unwrap();
    let outcome = job.uses(&[("tools", "stack-output")]);
    assert_eq!(outcome.code, 0, "{}", outcome.log);
    assert!(!cargo_was_called(&job));
}

#[test]
fn wget_serves_where_there_is_no_curl_and_home_may_be_unset() {
    let Some(release) = Release::start() else { return };
    let mut programs = DOWNLOAD.to_vec();
    programs.retain(|name| *name != "curl");
    programs.push("wget");
    let outcome = release.job(&programs).uses(&[]);
    assert_eq!(outcome.code, 0, "{}", outcome.log);
}

#[test]
fn a_wrong_archive_is_refused_and_nothing_is_built_instead() {
    let Some(release) = Release::start() else { return };
    let whole = fs::read(release.archive()).unwrap();
    let half = whole[..whole.len() / 2].to_vec();
    for bytes in [b"<html>".to_vec(), half] {
        fs::write(release.archive(), bytes).unwrap();
        let mut job = release.job(&DOWNLOAD);
        let outcome = job.uses(&[]);
        refused(&job, &outcome, 2, "is not the file that dist.json lists: its SHA-256 differs");
        assert!(!job.tool_cache().exists(), "nothing of it is kept");
    }
}

#[test]
fn a_program_that_is_not_the_listed_one_is_refused() {
    let Some(mut release) = Release::start() else { return };
    let listed = sha256(&release.folder.join("files/bin/ssh-deploy"));
    release.dist = release.dist.replace(&listed, &"f".repeat(64));
    let mut job = release.job(&DOWNLOAD);
    let outcome = job.uses(&[]);
    refused(
        &job,
        &outcome,
        2,
        "`ssh-deploy` in deploy-action-1.2.3-x86_64-unknown-linux-musl.tar.gz is not the program",
    );
}

#[test]
fn a_changed_tool_cache_and_a_changed_path_are_not_used() {
    let Some(release) = Release::start() else { return };
    let mut job = release.job(&DOWNLOAD);
    job.program("secrets-env", "#!/bin/sh\necho 'secrets-env 1.2.3'; echo owned >&2\n");
    let cache = job.tool_cache().join("deploy-action/1.2.3/x86_64-unknown-linux-musl");
    fs::create_dir_all(&cache).unwrap();
    fs::write(cache.with_file_name("x86_64-unknown-linux-musl.complete"), "").unwrap();
    fs::write(cache.join("secrets-env"), "#!/bin/sh\necho 'secrets-env 1.2.3'; echo owned >&2\n").unwrap();
    let outcome = job.uses(&[("tools", "secrets-env")]);
    assert_eq!(outcome.code, 0, "{}", outcome.log);
    assert_eq!(job.step("secrets-env --version").log, "secrets-env 1.2.3\n");
}

#[test]
fn programs_on_path_with_the_listed_hash_need_no_download() {
    let Some(release) = Release::start() else { return };
    let mut job = release.job(&DOWNLOAD);
    fs::remove_file(release.archive()).unwrap();
    for tool in tools() {
        job.program(&tool, &format!("#!/bin/sh\necho '{tool} 1.2.3'\n"));
    }
    let outcome = job.uses(&[]);
    assert_eq!(outcome.code, 0, "{}", outcome.log);
    assert!(!cargo_was_called(&job));
}

#[test]
fn without_the_network_cargo_builds_and_with_a_mirror_it_is_an_error() {
    let Some(release) = Release::start() else { return };
    fs::remove_file(release.archive()).unwrap();
    // The waits between the three tries need no time here.
    let mut job = release.job(&DOWNLOAD);
    job.program("sleep", "#!/bin/sh\n");
    let outcome = job.uses(&[]);
    assert!(cargo_was_called(&job), "{}", outcome.log);
    assert!(outcome.log.contains("::warning title=deploy-action::cannot download"), "{}", outcome.log);
    let mut job = release.job(&DOWNLOAD);
    job.program("sleep", "#!/bin/sh\n");
    let mirror = format!("{}/mirror/", release.server.url());
    let outcome = job.uses(&[("base-url", &mirror)]);
    refused(&job, &outcome, 75, "/mirror/deploy-action-1.2.3-x86_64-unknown-linux-musl.tar.gz");
}

#[test]
fn without_a_program_for_sha256_nothing_is_installed() {
    let Some(release) = Release::start() else { return };
    let programs: Vec<&str> = DOWNLOAD.into_iter().filter(|name| *name != "sha256sum").collect();
    let mut job = release.job(&programs);
    let outcome = job.uses(&[]);
    refused(&job, &outcome, 2, "there is no program to check a SHA-256 with");
}

#[test]
fn an_attestation_is_checked_as_the_input_asks() {
    let Some(release) = Release::start() else { return };
    let gh = |answer: &str| format!("#!/bin/sh\n[ \"$2\" = verify ] || exit 0\necho \"$*\" >\"$0.asked\"\n{answer}\n");
    let attested = |answer: Option<&str>, verify: &str| {
        let mut job = release.job(&DOWNLOAD);
        job.variable("GITHUB_TOKEN", "ghs_of_the_job_4711");
        if let Some(answer) = answer {
            job.program("gh", &gh(answer));
        }
        let outcome = job.uses(&[("verify", verify)]);
        assert!(!outcome.log.contains("ghs_of"), "{}", outcome.log);
        (outcome.code, outcome.log)
    };
    assert_eq!(attested(Some("exit 0"), "always").0, 0);
    let (code, log) = attested(Some("echo 'no matching attestations' >&2; exit 1"), "auto");
    assert!(code == 77 && log.contains("has no valid attestation"), "{log}");
    let (code, log) = attested(Some("echo 'HTTP 503: unavailable' >&2; exit 1"), "auto");
    assert!(code == 0 && log.contains("could not be asked"), "{log}");
    assert_eq!(attested(Some("echo 'HTTP 503: unavailable' >&2; exit 1"), "always").0, 75);
    assert_eq!(attested(None, "always").0, 77);
    assert_eq!(attested(None, "auto").0, 0);
    assert_eq!(attested(Some("echo 'no matching attestations' >&2; exit 1"), "never").0, 0);
    assert_eq!(attested(None, "perhaps").0, 2);
    // The release's own bundle spares the question to GitHub, if the server has it.
    let asked = |release: &Release| {
        let mut job = release.job(&DOWNLOAD);
        job.variable("GITHUB_TOKEN", "ghs_of_the_job_4711");
        job.program("gh", &gh("exit 0"));
        assert_eq!(job.uses(&[]).code, 0);
        fs::read_to_string(job.workspace().join("../bin/gh.asked")).unwrap()
    };
    let source = "0".repeat(40);
    let expected =
        format!("--signer-workflow consult/deploy-action/.github/workflows/release.yml --source-digest {source}\n");
    assert!(asked(&release).ends_with(&expected));
    fs::write(release.folder.join("attestation.json"), "{}").unwrap();
    assert!(asked(&release).contains(&format!("--source-digest {source} --bundle ")));
}

#[test]
fn hostile_values_are_refused_or_are_only_values() {
    let Some(release) = Release::start() else { return };
    for value in ["it's \"$(touch owned)\" `touch owned`", "http://127.0.0.1:1/%0A::add-mask::e", "; touch owned #"] {
        for input in ["base-url", "bin-dir", "tools", "verify"] {
            let mut job = release.job(&DOWNLOAD);
            job.program("sleep", "#!/bin/sh\n");
            let outcome = job.uses(&[(input, value)]);
            assert_ne!(outcome.code, 0, "{input}: {}", outcome.log);
            assert!(!cargo_was_called(&job) && !job.workspace().join("owned").exists(), "{input}: {}", outcome.log);
            let begins =
                |line: &str| line.trim_start().starts_with("::") && !line.starts_with("::error title=deploy-action::");
            assert!(!outcome.log.lines().any(begins), "{input}: {}", outcome.log);
        }
    }
}
