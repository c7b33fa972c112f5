//! The deploy lock, fences, and what the next deploy learns of the last.

use std::path::Path;

use emulators::Sshd;

use super::{command, host, reason, runs, signal, step, until};
use crate::support::Step;

/// A step under the lock `shop`.
fn locked(sshd: &Sshd) -> Step {
    step(sshd).args([host(sshd).as_str(), "--lock", "shop", "--format", "json"])
}

/// A session without flock: its `PATH` has everything else.
fn without_flock() -> Option<(tempfile::TempDir, Sshd)> {
    let folder = tempfile::tempdir().unwrap();
    for programs in ["/usr/bin", "/bin"] {
        for entry in std::fs::read_dir(programs).unwrap().flatten() {
            if entry.file_name() != "flock" {
                // The second folder may be a link to the first.
                let _there = std::os::unix::fs::symlink(entry.path(), folder.path().join(entry.file_name()));
            }
        }
    }
    let sshd = Sshd::start_with("", &[("PATH", &folder.path().display().to_string())])?;
    Some((folder, sshd))
}

fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_second_deploy_while_the_lock_is_held_is_75_and_names_the_holder() {
    let Some(sshd) = Sshd::start() else { return };
    let mut first = locked(&sshd).env("GITHUB_ACTOR", "anna").args(["--", "echo begun; sleep 86301"]).spawn();
    until(&mut first, "begun");
    let seen = locked(&sshd).args(["--lock-wait", "0", "--", "echo never"]).run().exits(75);
    assert_eq!(reason(&seen), "locked");
    assert!(seen.stderr.contains("held by anna") && !seen.stderr.contains("never"), "{}", seen.stderr);
    let status = step(&sshd).args([host(&sshd).as_str(), "--lock", "shop", "--lock-status"]).run().exits(0);
    assert!(status.stdout.contains("held") && status.stdout.contains("anna"), "{}", status.stdout);
    let unlock = step(&sshd).args([host(&sshd).as_str(), "--lock", "shop", "--unlock"]).run().exits(75);
    assert!(unlock.stdout.contains("held"), "{}", unlock.stdout);
    // Another lock is free.
    command(&sshd, "true").args::<&str>([]).run().exits(0);
    signal(&first, "-TERM");
    first.finish().exits(143);
    locked(&sshd).args(["--lock-wait", "0", "--", "true"]).run().exits(0);
}

#[test]
fn a_lock_is_waited_for_and_is_free_when_its_holder_is_killed() {
    let Some(sshd) = Sshd::start() else { return };
    let mut first = locked(&sshd).args(["--", "echo begun; sleep 86302"]).spawn();
    until(&mut first, "begun");
    let mut second = step(&sshd)
        .args([host(&sshd).as_str(), "--lock", "shop", "--lock-wait", "60", "--format", "jsonl", "--", "true"])
        .spawn();
    until(&mut second, "waiting for the deploy lock");
    signal(&first, "-KILL");
    first.child.wait().unwrap();
    let seen = second.finish().exits(0);
    assert!(!runs("sleep\086302"));
    // The half-done deploy is named by the next.
    let finding = seen.records().into_iter().find(|record| record["event"] == "finding").unwrap();
    assert!(finding["message"].as_str().unwrap().contains("stopped in `command`"), "{finding}");
}

#[test]
fn a_lease_keeps_others_out_and_ends_with_its_holder() {
    let Some((_folder, sshd)) = without_flock() else { return };
    let mut first = locked(&sshd).env("GITHUB_ACTOR", "anna").args(["--", "echo begun; sleep 86303"]).spawn();
    until(&mut first, "begun");
    assert_eq!(files(&sshd.home().join(".ssh-deploy")), ["shop.lease", "shop.lock", "shop.state"]);
    let seen = locked(&sshd).args(["--lock-wait", "0", "--", "true"]).run().exits(75);
    assert!(seen.stderr.contains("held by anna"), "{}", seen.stderr);
    signal(&first, "-KILL");
    first.child.wait().unwrap();
    locked(&sshd).args(["--lock-wait", "30", "--", "true"]).run().exits(0);
    assert_eq!(files(&sshd.home().join(".ssh-deploy")), ["shop.lock", "shop.state"]);
}

#[test]
fn a_lease_without_a_sign_of_life_is_taken_over_or_unlocked() {
    let Some((_folder, sshd)) = without_flock() else { return };
    let lease = sshd.home().join(".ssh-deploy/shop.lease");
    let stale = || {
        std::fs::create_dir_all(&lease).unwrap();
        std::fs::write(lease.join("holder"), "7-x berta\trun 7\t\t\n").unwrap();
        std::fs::write(lease.join("beat"), "gone.running.7\n").unwrap();
    };
    stale();
    let unlocked = step(&sshd).args([host(&sshd).as_str(), "--lock", "shop", "--unlock"]).run().exits(0);
    assert!(unlocked.stdout.contains("unlocked") && unlocked.stdout.contains("berta"), "{}", unlocked.stdout);
    assert!(!lease.exists());
    stale();
    let seen = locked(&sshd).args(["--lock-wait", "80", "--", "true"]).run().exits(0);
    assert!(seen.stderr.contains("held by berta"), "{}", seen.stderr);
    assert!(!lease.exists());
}

#[test]
fn a_daemon_that_was_started_under_the_lock_does_not_hold_it() {
    let Some(sshd) = Sshd::start() else { return };
    locked(&sshd).args(["--", "sleep 8 & echo started"]).run().exits(0);
    locked(&sshd).args(["--lock-wait", "0", "--", "true"]).run().exits(0);
}

#[test]
fn two_hosts_with_one_home_are_one_lock_of_one_run() {
    let Some(one) = Sshd::start() else { return };
    let home = one.home().display().to_string();
    let Some(other) = Sshd::start_with("", &[("HOME", &home)]) else { return };
    let list = [&one, &other].map(|sshd| format!("{} {}\n", host(sshd), sshd.host_key())).concat();
    let step = step(&one).args(["--lock", "shop", "--lock-wait", "0", "--", "true"]).stdin(list);
    // The second server trusts another key.
    let key = std::fs::read_to_string(one.authorized_keys()).unwrap();
    std::fs::write(other.authorized_keys(), key).unwrap();
    step.run().exits(0);
}

#[test]
fn an_older_deploy_does_not_follow_a_newer_one() {
    let Some(sshd) = Sshd::start() else { return };
    let fenced = |fence: &str| locked(&sshd).args(["--fence", fence, "--", "echo run"]).run();
    fenced("7").exits(0);
    fenced("7").exits(0);
    let refused = fenced("6").exits(75);
    assert_eq!(reason(&refused), "fenced");
    assert!(
        !refused.stderr.contains("│ run") && refused.stderr.contains("its fence is 7, ours 6"),
        "{}",
        refused.stderr
    );
    fenced("none").exits(0);
    // A deploy without a fence forgets none.
    locked(&sshd).args(["--", "true"]).run().exits(0);
    fenced("6").exits(75);
    let run = locked(&sshd).env("GITHUB_RUN_ID", "9").args(["--fence", "run", "--", "true"]).run().exits(0);
    assert!(run.stderr.contains("ready"), "{}", run.stderr);
    fenced("8").exits(75);
    step(&sshd).args([host(&sshd).as_str(), "--fence", "7", "--", "true"]).run().exits(2);
}

#[test]
fn one_fenced_host_refuses_the_run_before_any_change() {
    let Some(one) = Sshd::start() else { return };
    let Some(other) = Sshd::start() else { return };
    let key = std::fs::read_to_string(one.authorized_keys()).unwrap();
    std::fs::write(other.authorized_keys(), key).unwrap();
    locked(&one).args(["--fence", "7", "--", "true"]).run().exits(0);
    let list = [&one, &other].map(|sshd| format!("{} {}\n", host(sshd), sshd.host_key())).concat();
    let mark = other.home().join("changed");
    let seen = step(&one)
        .args(["--lock", "shop", "--fence", "6", "--format", "json", "--", &format!("touch {}", mark.display())])
        .stdin(list)
        .run()
        .exits(75);
    assert_eq!(seen.json()["hosts"][1]["reason"]["code"], "held_back");
    assert!(!mark.exists());
}

#[test]
fn a_deploy_that_was_killed_half_way_is_named_and_refused_with_require_clean() {
    let Some(sshd) = Sshd::start() else { return };
    let sha = "0123456789abcdef0123456789abcdef01234567";
    let mut first = locked(&sshd).env("GITHUB_SHA", sha).args(["--", "echo begun; sleep 86304"]).spawn();
    until(&mut first, "begun");
    signal(&first, "-KILL");
    first.child.wait().unwrap();
    let refused = locked(&sshd).args(["--require-clean", "--", "true"]).run().exits(1);
    assert_eq!(reason(&refused), "unfinished");
    assert!(refused.stderr.contains("(commit 0123456789ab) stopped in `command`"), "{}", refused.stderr);
    locked(&sshd).args(["--", "true"]).run().exits(0);
    locked(&sshd).args(["--require-clean", "--", "false"]).run().exits(1);
    // A deploy that failed and reported so is finished.
    locked(&sshd).args(["--require-clean", "--", "true"]).run().exits(0);
}

#[test]
fn what_a_killed_run_has_left_is_removed_by_the_next_under_its_lock() {
    let Some(sshd) = Sshd::start() else { return };
    let (ours, others) = (".ssh-deploy.shop.local.0123456789ab", ".ssh-deploy.other.local.0123456789ab");
    for name in [ours, others] {
        std::fs::create_dir(sshd.temporary().join(name)).unwrap();
    }
    locked(&sshd).args(["--", "true"]).run().exits(0);
    assert_eq!(files(&sshd.temporary()), [others]);
}

#[test]
fn a_home_that_cannot_be_written_is_1_and_names_the_option() {
    let Some(sshd) = Sshd::start_with("", &[("HOME", "/proc")]) else { return };
    let seen = locked(&sshd).args(["--", "true"]).run().exits(1);
    assert_eq!(reason(&seen), "lock_unwritable");
    assert!(seen.stderr.contains("--lock-dir"), "{}", seen.stderr);
    let folder = sshd.temporary().display().to_string();
    locked(&sshd).args(["--lock-dir", &folder, "--", "true"]).run().exits(0);
    assert!(sshd.temporary().join("shop.state").exists());
}
