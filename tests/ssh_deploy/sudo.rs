//! Steps under sudo, whose processes the login may not signal: they end all the same.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use emulators::Sshd;
use tempfile::TempDir;

use super::fixtures::{json, only_host, reason_text, until_gone, until_there, until_true};
use super::{reason, runs, signal};
use crate::support::{Step, peer, skipped};

/// A host whose login is no root, and may use sudo without a password.
struct SudoHost {
    sshd: Sshd,
    _folders: [TempDir; 2],
}

impl SudoHost {
    /// As root, logins become a user without rights, in a private mount namespace whose sudo knows that user. `defaults` are
    /// lines of sudoers. Any other user must be allowed to use sudo; else the test is skipped.
    fn start(defaults: &str) -> Option<Self> {
        peer("sudo")?;
        let folders = [tempfile::tempdir().unwrap(), open_folder()];
        let succeeds =
            |words: &[&str]| Command::new(words[0]).args(&words[1..]).status().is_ok_and(|status| status.success());
        if Command::new("id").arg("-u").output().unwrap().stdout != b"0\n" {
            if defaults.is_empty() && succeeds(&["sudo", "-n", "true"]) {
                return Some(Self { sshd: Sshd::start()?, _folders: folders });
            }
            skipped("it needs root, or sudo without a password");
            return None;
        }
        if !succeeds(&["unshare", "-m", "true"]) {
            skipped("it needs a mount namespace");
            return None;
        }
        let [rules, home] = &folders;
        let file = rules.path().join("nobody");
        std::fs::write(&file, format!("{defaults}\nnobody ALL=(ALL) NOPASSWD: ALL\n")).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o440)).unwrap();
        let forced = format!(
            "ForceCommand exec unshare -m sh -c 'mount --bind {} /etc/sudoers.d && exec setpriv --reuid=65534 --regid=65534 --clear-groups sh -c \"$SSH_ORIGINAL_COMMAND\"'",
            rules.path().display()
        );
        let home = home.path().display().to_string();
        let sshd = Sshd::start_with(&forced, &[("HOME", &home), ("TMPDIR", &home), ("USER", "nobody")])?;
        Some(Self { sshd, _folders: folders })
    }

    fn step(&self) -> Step {
        json(&self.sshd)
    }
}

/// A folder in which every user may write.
fn open_folder() -> TempDir {
    let folder = tempfile::Builder::new().prefix("open-").tempdir_in("/tmp").unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    folder
}

#[test]
fn a_step_under_sudo_that_ignores_term_is_killed_and_confirmed() {
    let Some(host) = SudoHost::start("") else { return };
    let folder = open_folder();
    let begun = folder.path().join("begun");
    let script = format!("trap '' TERM; id -un; touch {}; sleep 86431", begun.display());
    let started = host.step().args(["--sudo", "--", &script]).spawn();
    until_there(&begun);
    signal(&started, "-TERM");
    let seen = started.finish().exits(143);
    assert!(seen.stderr.contains("│ root\n"), "{}", seen.stderr);
    // On a machine that is too busy for our own limit of 7 s, its end is not claimed.
    let confirmed = only_host(&seen)["group"] == "group_gone";
    assert!(confirmed || reason_text(&seen).contains("was not confirmed"), "{}", seen.stdout);
    until_gone("sleep\086431");
}

#[test]
fn what_a_step_has_started_through_sudo_gets_its_term_and_ends() {
    let Some(host) = SudoHost::start("") else { return };
    let folder = open_folder();
    let (begun, ended) = (folder.path().join("begun"), folder.path().join("ended"));
    // The shell is ours and ends at once; what sudo has started is not ours, and has something to clean up.
    let inner = format!(
        "trap 'touch {1}; exit' TERM; touch {0}; while :; do sleep 0.1; done # 86432",
        begun.display(),
        ended.display()
    );
    let started = host.step().args(["--", &format!("sudo -n sh -c '{}'", inner.replace('\'', "'\\''"))]).spawn();
    until_there(&begun);
    signal(&started, "-TERM");
    let seen = started.finish().exits(143);
    assert_eq!(reason(&seen), "interrupted");
    until_there(&ended);
    until_true(|| !runs("86432"));
}

#[test]
fn what_a_step_has_started_through_sudo_is_killed_when_neither_ends_at_term() {
    let Some(host) = SudoHost::start("") else { return };
    let script = "trap '' TERM; sudo -n sh -c 'trap \"\" TERM; while :; do sleep 0.1; done # 86433'";
    let seen = host.step().args(["--timeout", "1s", "--", script]).run().exits(1);
    assert_eq!(reason(&seen), "timeout");
    until_true(|| !runs("86433"));
}

#[test]
fn a_step_under_sudo_ends_when_its_client_is_killed() {
    let Some(host) = SudoHost::start("") else { return };
    let folder = open_folder();
    let begun = folder.path().join("begun");
    let script = format!("touch {}; exec sleep 86434", begun.display());
    let mut started = host.step().args(["--sudo", "--", &script]).spawn();
    until_there(&begun);
    // Only then is its end the host's work.
    until_true(|| runs("sleep\086434"));
    signal(&started, "-KILL");
    started.child.wait().unwrap();
    until_gone("sleep\086434");
}

#[test]
fn a_sudo_that_wants_a_terminal_is_explained() {
    let Some(host) = SudoHost::start("Defaults requiretty") else { return };
    let seen = host.step().args(["--", "sudo -n true"]).run().exits(1);
    assert!(only_host(&seen)["help"].as_str().unwrap().contains("--pty"), "{}", seen.stderr);
    let seen = host.step().args(["--sudo", "--", "true"]).run().exits(77);
    assert!(reason_text(&seen).contains("sudo does not let us"), "{}", seen.stderr);
}

#[test]
fn a_step_under_sudo_that_was_killed_leaves_no_script_behind() {
    let Some(host) = SudoHost::start("") else { return };
    let script = "trap '' TERM; echo begun; while :; do sleep 0.1; done # 86435";
    let seen = host.step().args(["--sudo", "--timeout", "1s", "--", script]).run().exits(1);
    assert_eq!(reason(&seen), "timeout");
    let homes = host.sshd.temporary();
    let search = format!("grep -rls 86435 /tmp/.ssh-deploy* /tmp/tmp.* {}", homes.display());
    until_true(|| Command::new("sh").args(["-c", &search]).output().unwrap().stdout.is_empty());
}
