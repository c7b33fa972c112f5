//! The way back of a release, which the host finishes when nobody is there to see it.

use std::os::unix::fs::PermissionsExt as _;

use emulators::Sshd;

use super::{host, reason, signal, step, until};
use crate::support::Step;

/// A release with this page; its check fails for pages that are not good.
fn release(sshd: &Sshd, page: &str, more: &[&str]) -> Step {
    step(sshd)
        .file("site/index.html", page)
        .args([host(sshd).as_str(), "--format", "json", "--lock", "shop", "--release", "site:app"])
        .args(["--check", "web=cd $HOME/app/current; echo checking >>$HOME/checks; grep -q good index.html"])
        .args(["--check-timeout", "6s", "--check-interval", "1s"])
        .args(["--activate", "echo activating $DEPLOY_RELEASE; cat index.html >>$HOME/active; sleep 2"])
        .args(more.iter().copied())
}

fn state(sshd: &Sshd) -> String {
    std::fs::read_to_string(sshd.home().join(".ssh-deploy/shop.state")).unwrap_or_default()
}

fn read(sshd: &Sshd, file: &str) -> String {
    std::fs::read_to_string(sshd.home().join(file)).unwrap_or_default()
}

/// The warning of the next run, which waits for the lock.
fn warning(sshd: &Sshd, more: &[&str]) -> String {
    let next = step(sshd).args([host(sshd).as_str(), "--lock", "shop", "--lock-wait", "2m", "--dry-run"]);
    let seen = next.args(more.iter().copied()).args(["--", "true"]).run();
    seen.log.lines().filter(|line| line.contains("the deploy of")).collect()
}

#[test]
fn a_switch_back_goes_on_when_its_client_is_killed_or_interrupted_and_the_next_deploy_learns_its_end() {
    let Some(sshd) = Sshd::start() else { return };
    release(&sshd, "good one\n", &["--", "true"]).run().exits(0);
    for (name, code) in [("-KILL", None), ("-INT", Some(130))] {
        let rollback = ["--rollback", "echo also >>$HOME/rolled", "--", "true"];
        let mut started = release(&sshd, "bad\n", &rollback).spawn();
        until(&mut started, "switch back to");
        // The activation of the good release has begun.
        super::fixtures::until_true(|| read(&sshd, "active").ends_with("bad\ngood one\n"));
        signal(&started, name);
        let seen = started.finish();
        if let Some(code) = code {
            assert_eq!(reason(&seen.exits(code)), "rolling_back");
        }
        let text = warning(&sshd, &[]);
        assert!(text.contains("was rolled back by the host, after its run had ended"), "{text}");
        assert!(text.contains("release 20"), "{text}");
        assert!(
            state(&sshd).contains("phase=rolled_back\n") && state(&sshd).contains("alone=yes\n"),
            "{}",
            state(&sshd)
        );
        assert_eq!(read(&sshd, "app/current/index.html"), "good one\n");
        // Link, activation, the checks and the command: all of it ran.
        assert_eq!(read(&sshd, "rolled"), "also\n");
        std::fs::remove_file(sshd.home().join("rolled")).unwrap();
    }
}

#[test]
fn a_switch_back_that_fails_without_a_client_is_named_and_refused_with_require_clean() {
    let Some(sshd) = Sshd::start() else { return };
    release(&sshd, "good one\n", &["--", "true"]).run().exits(0);
    let mut started = release(&sshd, "bad\n", &["--rollback", "exit 7", "--", "true"]).spawn();
    until(&mut started, "switch back to");
    super::fixtures::until_true(|| read(&sshd, "active").ends_with("bad\ngood one\n"));
    signal(&started, "-KILL");
    started.child.wait().unwrap();
    let text = warning(&sshd, &["--require-clean"]);
    assert!(text.contains("and that failed"), "{text}");
    assert!(state(&sshd).contains("phase=rollback_failed\n"), "{}", state(&sshd));
}

#[test]
fn what_only_a_client_can_check_is_reported_as_unchecked() {
    let Some(sshd) = Sshd::start() else { return };
    let probe = format!("port={}", sshd.port());
    release(&sshd, "good one\n", &["--check-tcp", &probe, "--", "true"]).run().exits(0);
    // With a client, the port is checked, and the state is complete.
    release(&sshd, "bad\n", &["--check-tcp", &probe, "--", "true"]).run().exits(1);
    assert!(state(&sshd).contains("phase=rolled_back\n") && state(&sshd).contains("alone=no\n"), "{}", state(&sshd));
    let mut started = release(&sshd, "bad\n", &["--check-tcp", &probe, "--", "true"]).spawn();
    until(&mut started, "switch back to");
    // It was activated once, then two bad ones, each with its way back.
    super::fixtures::until_true(|| read(&sshd, "active").lines().count() == 5);
    signal(&started, "-KILL");
    started.child.wait().unwrap();
    let text = warning(&sshd, &[]);
    assert!(text.contains("--check-http and --check-tcp did not run"), "{text}");
}

#[test]
fn a_switch_back_names_the_part_that_failed() {
    let Some(sshd) = Sshd::start() else { return };
    release(&sshd, "good one\n", &["--", "true"]).run().exits(0);
    let causes = |more: &[&str]| {
        let seen = release(&sshd, "bad\n", more).args(["--", "true"]).run().exits(1);
        assert_eq!(seen.json()["hosts"][0]["rolled_back"].as_bool(), Some(false));
        seen.json()["hosts"][0]["causes"].to_string()
    };
    assert!(causes(&["--rollback", "echo why >&2; exit 7"]).contains("rollback: rollback: exit code 7"));
    std::fs::write(sshd.home().join("broken"), "").unwrap();
    let text = causes(&["--check", "late=[ ! -e $HOME/broken ]"]);
    assert!(text.contains("rollback: late: exit code 1"), "{text}");
}

#[test]
fn a_switch_back_runs_through_sudo_as_its_user() {
    let Some(sshd) = Sshd::start() else { return };
    if crate::support::peer("sudo").is_none() {
        return;
    }
    let folder = tempfile::Builder::new().prefix("app-").tempdir_in("/tmp").unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let base = folder.path().join("app").display().to_string();
    let run = |page: &str, code: i32| {
        step(&sshd)
            .file("site/index.html", page)
            .args([host(&sshd).as_str(), "--format", "json", "--sudo=nobody", "--release", &format!("site:{base}")])
            .args(["--activate", "grep -q good index.html", "--", "true"])
            .run()
            .exits(code)
    };
    run("good one\n", 0);
    let seen = run("bad\n", 1);
    assert_eq!(seen.json()["hosts"][0]["rolled_back"].as_bool(), Some(true), "{}", seen.stderr);
    let read = |file: &str| std::fs::read_to_string(format!("{base}/{file}")).unwrap();
    assert_eq!(read("current/index.html"), "good one\n");
}
