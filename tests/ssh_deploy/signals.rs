//! SIGKILL, SIGTERM, SIGINT and time limits in each phase: what runs on, what stays on the host, what is reported.

use emulators::Sshd;
use emulators::sshd::Trouble;

use super::fixtures::{
    is_clean, is_staging, is_unlocked, json, large_file, list, only_host, reason_text, side_by_side, until_gone,
    until_true,
};
use super::{reason, signal, step, until};
use crate::support::{Started, Step};

/// What ends a run from outside, and the code it then ends with.
const ENDS: [(&str, Option<i32>); 4] =
    [("-KILL", None), ("-TERM", Some(143)), ("-INT", Some(130)), ("--deadline", Some(3))];

/// The step, which has `seconds` if its end is the deadline.
fn within(step: Step, end: &str, seconds: &str) -> Step {
    if end == "--deadline" { step.args([end, seconds]) } else { step }
}

/// Whether a run has ended by itself: on a machine that is too busy, its deadline may pass before the phase that a test is about.
fn has_ended(started: &Started) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", started.child.id())).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(" Z"))
}

/// Ends the run, unless its deadline does.
fn end(started: &Started, end: &str) {
    if end != "--deadline" {
        signal(started, end);
    }
}

#[test]
fn while_it_connects_nothing_of_it_goes_on() {
    side_by_side(&ENDS, |(name, code)| {
        let Some(sshd) = Sshd::start() else { return };
        sshd.trouble(Trouble::Silence);
        // After SIGKILL, only its own limit ends ssh.
        let limit = if *name == "-KILL" { "5s" } else { "5m" };
        let step = within(json(&sshd).args(["--connect-timeout", limit]), name, "10s");
        let step = step.args(["--", "touch \"$HOME/changed\""]);
        let clients = format!("{}/temp/ssh-deploy-", step.folder().parent().unwrap().display());
        let started = step.spawn();
        until_true(|| sshd.connections() > 0 || has_ended(&started));
        end(&started, name);
        let seen = started.finish();
        if let Some(code) = code {
            assert_eq!(reason(&seen.exits(*code)), "interrupted", "{name}");
        }
        // Neither ssh nor the agent outlives us.
        until_gone(&clients);
        assert!(is_clean(&sshd), "{name}");
    });
}

#[test]
fn while_it_waits_for_a_lock_the_holder_is_not_disturbed() {
    let Some(sshd) = Sshd::start() else { return };
    let locked = || json(&sshd).args(["--lock", "shop"]);
    let mut holder = locked().args(["--", "echo begun; sleep 86421"]).spawn();
    until(&mut holder, "begun");
    for (name, code) in [("-KILL", None), ("-TERM", Some(143)), ("-INT", Some(130))] {
        let mut started = locked().args(["--lock-wait", "600", "--", "echo never"]).spawn();
        until(&mut started, "waiting for the deploy lock");
        signal(&started, name);
        let seen = started.finish();
        if let Some(code) = code {
            assert_eq!(reason(&seen.exits(code)), "interrupted", "{name}");
        }
    }
    let seen = locked().args(["--lock-wait", "0", "--", "true"]).run().exits(75);
    assert_eq!(reason(&seen), "locked");
    signal(&holder, "-TERM");
    holder.finish().exits(143);
}

#[test]
fn while_it_stages_nothing_staged_and_no_lock_stays_even_in_a_partition() {
    side_by_side(&ENDS, |(name, code)| {
        let Some(sshd) = Sshd::start() else { return };
        let large = large_file();
        // So that the upload is under way for sure, and so that no help of the host's is needed.
        sshd.trouble(Trouble::StallAfter(3_000_000));
        let upload = format!("{}:app.bin", large.path().display());
        let step = within(json(&sshd).args(["--lock", "shop", "--upload", &upload]), name, "20s");
        let started = step.args(["--", "touch \"$HOME/changed\""]).spawn();
        until_true(|| is_staging(&sshd) || has_ended(&started));
        end(&started, name);
        let seen = started.finish();
        if let Some(code) = code {
            let seen = seen.exits(*code);
            assert_eq!(reason(&seen), "interrupted", "{name}");
            assert!(reason_text(&seen).contains("not changed"), "{name}: {}", seen.stderr);
        }
        sshd.trouble(None);
        sshd.stall(false);
        until_true(|| is_clean(&sshd));
    });
}

#[test]
fn while_it_checks_nothing_of_the_deploy_goes_on() {
    let times = ["86404", "86405", "86406", "86407"];
    let cases: Vec<_> = ENDS.into_iter().zip(times).collect();
    side_by_side(&cases, |((name, code), time)| {
        let Some(sshd) = Sshd::start() else { return };
        let checking = sshd.home().join("checking");
        let check = format!("web=echo checking >{}; exec sleep {time}", checking.display());
        let step = within(json(&sshd).args(["--lock", "shop", "--check", &check]), name, "20s");
        let started = step.args(["--rollback", "false", "--", "true"]).spawn();
        until_true(|| checking.exists() || has_ended(&started));
        end(&started, name);
        let seen = started.finish();
        if let Some(code) = code {
            let seen = seen.exits(*code);
            assert_eq!(reason(&seen), "interrupted", "{name}");
            let text = reason_text(&seen);
            assert!(text.contains("before its checks had passed") || !checking.exists(), "{name}: {}", seen.stderr);
        }
        until_gone(&format!("sleep\0{time}"));
        until_true(|| is_unlocked(&sshd));
    });
}

#[test]
fn while_it_rolls_back_the_host_finishes_that_under_the_lock_and_the_next_deploy_learns_its_end() {
    let cases = [("-KILL", None), ("-TERM", Some(143)), ("-INT", Some(130))];
    side_by_side(&cases, |(name, code)| {
        let Some(sshd) = Sshd::start() else { return };
        let (mark, go) = (sshd.home().join("mark"), sshd.home().join("go"));
        let rollback =
            format!("echo rolling; while [ ! -e {} ]; do sleep 0.1; done; echo back >{}", go.display(), mark.display());
        let mut started =
            json(&sshd).args(["--lock", "shop", "--rollback", &rollback, "--", "echo changed; exit 1"]).spawn();
        until(&mut started, "rolling");
        signal(&started, name);
        let seen = started.finish();
        if let Some(code) = code {
            assert_eq!(reason(&seen.exits(*code)), "rolling_back", "{name}");
        }
        // It keeps the lock until its end.
        assert!(!is_unlocked(&sshd) && !mark.exists(), "{name}");
        std::fs::write(&go, "").unwrap();
        json(&sshd).args(["--lock", "shop", "--lock-wait", "60", "--", "true"]).run().exits(0);
        assert!(mark.exists(), "{name}");
    });
}

#[test]
fn a_rollback_without_a_client_writes_its_result_into_the_state() {
    let Some(sshd) = Sshd::start() else { return };
    let state = sshd.home().join(".ssh-deploy/shop.state");
    let mut started =
        json(&sshd).args(["--lock", "shop", "--rollback", "echo rolling; sleep 2", "--", "exit 1"]).spawn();
    until(&mut started, "rolling");
    signal(&started, "-KILL");
    started.child.wait().unwrap();
    until_true(|| std::fs::read_to_string(&state).unwrap_or_default().contains("phase=rolled_back"));
}

#[test]
fn a_rollback_that_takes_too_long_is_ended_and_has_failed() {
    let Some(sshd) = Sshd::start() else { return };
    let step = json(&sshd).args(["--lock", "shop", "--rollback", "exec sleep 86422", "--rollback-timeout", "1s"]);
    let seen = step.args(["--", "exit 3"]).run().exits(1);
    assert_eq!(only_host(&seen)["rolled_back"].as_bool(), Some(false));
    assert!(only_host(&seen)["causes"].to_string().contains("did not finish in time"), "{}", seen.stdout);
    until_gone("sleep\086422");
    assert!(is_unlocked(&sshd));
}

#[test]
fn a_client_that_is_stopped_for_half_a_minute_finds_its_command_ended_by_the_host() {
    let Some(sshd) = Sshd::start() else { return };
    let mut started = json(&sshd).args(["--", "echo begun; sleep 86403"]).spawn();
    until(&mut started, "begun");
    signal(&started, "-STOP");
    until_gone("sleep\086403");
    signal(&started, "-CONT");
    let seen = started.finish().exits(1);
    assert_eq!((reason(&seen).as_str(), only_host(&seen)["group"].as_str()), ("pulse_lost", Some("group_gone")));
}

#[test]
fn the_idle_host_of_a_later_batch_is_not_changed_and_gives_its_lock_back() {
    let Some(one) = Sshd::start() else { return };
    let Some(other) = Sshd::start() else { return };
    let list = list(&[&one, &other]);
    let home = one.home();
    let script =
        format!("echo begun; [ \"$HOME\" != {} ] || exec sleep 86423; touch \"$HOME/changed\"", home.display());
    let step = step(&one).args(["--batch", "1", "--lock", "shop", "--format", "json", "--", &script]);
    let mut started = step.stdin(list).spawn();
    started.send_stdin();
    until(&mut started, "begun");
    signal(&started, "-TERM");
    let seen = started.finish().exits(143);
    assert!(seen.json()["hosts"][1]["reason"]["text"].as_str().unwrap().contains("not changed"), "{}", seen.stdout);
    until_gone("sleep\086423");
    until_true(|| is_clean(&one) && is_clean(&other));
}
