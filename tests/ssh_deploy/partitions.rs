//! A network that swallows every packet from some moment on, in each phase of a deploy: what runs on, what is held, what is claimed.

use emulators::Sshd;
use emulators::sshd::Trouble;

use super::fixtures::{
    is_clean, is_staging, is_unlocked, json, large_file, list, only_host, reason_text, side_by_side, until_gone,
    until_there, until_true,
};
use super::{command, host, reason, signal, step, until};

/// After a partition: no process and no lock of ours is left, and the next deploy finds a usable host.
fn recovers(sshd: &Sshd) {
    until_true(|| is_unlocked(sshd));
    sshd.trouble(None);
    sshd.stall(false);
    json(sshd).args(["--lock", "shop", "--lock-wait", "60", "--", "true"]).run().exits(0);
}

#[test]
fn while_connecting_it_is_75_and_nothing_runs() {
    // Before the banner, within the key exchange, and about when the login is complete.
    side_by_side(&[1, 1500, 3500, 6000], |bytes| {
        let Some(sshd) = Sshd::start() else { return };
        sshd.trouble(Trouble::StallAfter(*bytes));
        let seen = json(&sshd).args(["--lock", "shop", "--", "touch \"$HOME/changed\""]).run().exits(75);
        assert_eq!(reason(&seen), "connection_timed_out", "{bytes}: {}", seen.stderr);
        until_true(|| is_clean(&sshd));
        recovers(&sshd);
    });
}

#[test]
fn while_staging_it_is_75_and_nothing_staged_and_no_lock_stays() {
    let Some(sshd) = Sshd::start() else { return };
    let large = large_file();
    sshd.trouble(Trouble::StallAfter(3_000_000));
    let upload = format!("{}:app.bin", large.path().display());
    let step = json(&sshd).args(["--lock", "shop", "--upload", &upload, "--", "touch \"$HOME/changed\""]);
    let started = step.spawn();
    until_true(|| is_staging(&sshd));
    let seen = started.finish().exits(75);
    assert_eq!(reason(&seen), "connection_lost");
    assert!(reason_text(&seen).contains("before the deploy began"), "{}", seen.stderr);
    until_true(|| is_clean(&sshd));
    recovers(&sshd);
}

#[test]
fn while_the_command_runs_the_report_claims_no_end_and_the_host_ends_it() {
    let Some(sshd) = Sshd::start() else { return };
    let mut started = json(&sshd).args(["--lock", "shop", "--", "echo begun; sleep 86401"]).spawn();
    until(&mut started, "begun");
    sshd.stall(true);
    let seen = started.finish().exits(1);
    assert_eq!(reason(&seen), "connection_lost");
    let text = reason_text(&seen);
    assert!(text.contains("its end was not confirmed; the host ends its process group within 30 s"), "{text}");
    assert!(!text.contains("was ended"), "{text}");
    until_gone("sleep\086401");
    recovers(&sshd);
}

#[test]
fn while_it_checks_the_check_ends_and_the_next_deploy_learns_where_the_last_stopped() {
    let Some(sshd) = Sshd::start() else { return };
    let check = format!("web=echo checking >{}/checking; exec sleep 86411", sshd.home().display());
    let step = json(&sshd).args(["--lock", "shop", "--check", &check, "--rollback", "touch \"$HOME/back\""]);
    let started = step.args(["--", "true"]).spawn();
    until_there(&sshd.home().join("checking"));
    sshd.stall(true);
    let seen = started.finish().exits(1);
    assert_eq!((reason(&seen).as_str(), only_host(&seen)["rolled_back"].as_bool()), ("check_failed", Some(false)));
    assert!(reason_text(&seen).contains("its rollback could not begin"), "{}", seen.stderr);
    let causes = only_host(&seen)["causes"].to_string();
    assert!(causes.contains("web: the connection was lost while it ran, and its end was not confirmed"), "{causes}");
    assert!(causes.contains("rollback: the connection was lost before it began"), "{causes}");
    until_gone("sleep\086411");
    until_true(|| is_unlocked(&sshd));
    sshd.stall(false);
    let next = json(&sshd).args(["--lock", "shop", "--require-clean", "--", "true"]).run().exits(1);
    assert!(reason_text(&next).contains("stopped in `check`"), "{}", next.stderr);
    assert!(!sshd.home().join("back").exists());
}

#[test]
fn while_it_rolls_back_the_host_finishes_that_under_the_lock_and_the_report_does_not_say_how_it_ended() {
    let Some(sshd) = Sshd::start() else { return };
    let (rolling, back) = (sshd.home().join("rolling"), sshd.home().join("back"));
    // Longer than a host waits for a pulse otherwise.
    let rollback = format!("touch {}; sleep 27; touch {}", rolling.display(), back.display());
    let started = json(&sshd).args(["--lock", "shop", "--rollback", &rollback, "--", "exit 1"]).spawn();
    until_there(&rolling);
    sshd.stall(true);
    let seen = started.finish().exits(1);
    assert!(only_host(&seen)["rolled_back"].is_null(), "{}", seen.stdout);
    assert!(reason_text(&seen).contains("the host finishes without us"), "{}", seen.stderr);
    let state = sshd.home().join(".ssh-deploy/shop.state");
    until_true(|| std::fs::read_to_string(&state).unwrap().contains("phase=rolled_back"));
    assert!(back.exists());
    recovers(&sshd);
}

#[test]
fn a_host_of_a_later_batch_gives_its_lock_back_and_is_deployed_to_over_a_new_connection() {
    let Some(one) = Sshd::start() else { return };
    let Some(other) = Sshd::start() else { return };
    let (list, go) = (list(&[&one, &other]), one.home().join("go"));
    let script = format!(
        "echo begun; [ \"$HOME\" = {} ] || exit 0; while [ ! -e {} ]; do sleep 0.1; done",
        one.home().display(),
        go.display()
    );
    let mut started = step(&one).args(["--batch", "1", "--lock", "shop", "--", &script]).stdin(list).spawn();
    started.send_stdin();
    until(&mut started, "begun");
    assert!(!is_unlocked(&other));
    other.stall(true);
    until_true(|| is_clean(&other));
    other.stall(false);
    std::fs::write(&go, "").unwrap();
    let seen = started.finish().exits(0);
    assert!(seen.stdout.contains("2 hosts: 2 passed"), "{}", seen.stdout);
    assert_eq!(other.connections(), 2);
}

#[test]
fn while_it_waits_for_a_lock_it_is_75_and_nothing_ran() {
    let Some(one) = Sshd::start() else { return };
    let Some(other) = Sshd::start() else { return };
    let list = list(&[&one, &other]);
    // The lock of the second host is held, so the first waits.
    let holder = step(&other).args([host(&other).as_str(), "--lock", "shop", "--", "echo begun; sleep 86402"]);
    let mut holder = holder.spawn();
    until(&mut holder, "begun");
    let command = "touch \"$HOME/changed\"";
    let mut started = step(&one).args(["--lock", "shop", "--lock-wait", "600", "--", command]).stdin(list).spawn();
    started.send_stdin();
    until(&mut started, "waiting for the deploy lock");
    one.stall(true);
    until_true(|| is_clean(&one));
    signal(&holder, "-TERM");
    holder.finish().exits(143);
    started.finish().exits(75);
    assert!(!one.home().join("changed").exists() && !other.home().join("changed").exists());
}

#[test]
fn a_command_longer_than_the_pulse_allows_silence_is_not_ended() {
    let Some(sshd) = Sshd::start() else { return };
    command(&sshd, "sleep 24; echo end").run().exits(0);
}

#[test]
fn a_program_of_preflight_that_hangs_does_not_keep_the_lock_of_a_run_that_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("df");
    std::fs::write(&program, "#!/bin/sh\n: >\"$HOME/hangs\"\nexec sleep 86403\n").unwrap();
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", folder.path().display());
    let Some(sshd) = Sshd::start_with("", &[("PATH", &path)]) else { return };
    let mut started = json(&sshd).args(["--lock", "shop", "--", "true"]).spawn();
    until_there(&sshd.home().join("hangs"));
    assert!(!is_unlocked(&sshd));
    signal(&started, "-KILL");
    started.child.wait().unwrap();
    until_gone("sleep\086403");
    until_true(|| is_unlocked(&sshd));
}
