//! The order in which hosts change, and what stops it.

use std::time::{Duration, SystemTime};

use emulators::Sshd;
use emulators::sshd::Trouble;

use super::fixtures::list;
use super::{host, runs, signal, step, until};
use crate::support::Seen;

/// One server as two hosts.
fn two_names(sshd: &Sshd) -> String {
    let (user, port, key) = (sshd.user(), sshd.port(), sshd.host_key());
    format!("{user}@127.0.0.1:{port} {key}\n{user}@localhost:{port} {key}\n")
}

#[test]
fn batches_stop_at_the_first_failure() {
    let Some(sshd) = Sshd::start() else { return };
    let list = two_names(&sshd);
    let run = |arguments: &[&str]| {
        step(&sshd).args(arguments).args(["--format", "json", "--", "exit 4"]).stdin(list.clone()).run().exits(1)
    };
    let reasons =
        |seen: &Seen| [0, 1].map(|index| seen.json()["hosts"][index]["reason"]["code"].as_str().unwrap().to_owned());
    assert_eq!(reasons(&run(&["--batch", "1"])), ["exit_code", "not_reached"]);
    assert_eq!(reasons(&run(&[])), ["exit_code", "exit_code"]);
}

#[test]
fn with_rollback_all_every_changed_host_is_rolled_back_the_last_one_first() {
    let Some(one) = Sshd::start() else { return };
    let Some(other) = Sshd::start() else { return };
    let list = list(&[&one, &other]);
    let log = one.home().join("order");
    let command = format!("[ \"$HOME\" = {} ]", one.home().display());
    let seen = step(&one)
        .args(["--batch", "1", "--format", "json", "--rollback-all", "--rollback"])
        .args([format!("echo $HOME >>{}", log.display()).as_str(), "--", &command])
        .stdin(list)
        .run()
        .exits(1);
    assert_eq!([0, 1].map(|index| seen.json()["hosts"][index]["rolled_back"].as_bool()), [Some(true), Some(true)]);
    let order = std::fs::read_to_string(log).unwrap();
    assert_eq!(order, format!("{}\n{}\n", other.home().display(), one.home().display()));
}

#[test]
fn after_a_change_every_failure_is_1_and_the_summary_has_the_process_s_own_code() {
    let Some(one) = Sshd::start() else { return };
    let Some(other) = Sshd::start() else { return };
    let list = list(&[&one, &other]);
    let go = one.home().join("go");
    let script = format!(
        "echo begun; [ \"$HOME\" = {} ] || exit 0; while [ ! -e {} ]; do sleep 0.1; done",
        one.home().display(),
        go.display()
    );
    let mut started = step(&one).args(["--batch", "1", "--format", "json", "--", &script]).stdin(list).spawn();
    started.send_stdin();
    until(&mut started, "begun");
    other.trouble(Trouble::ResetAfter(0));
    other.cut();
    std::fs::write(&go, "").unwrap();
    let seen = started.finish().exits(1);
    assert_eq!(seen.json()["exit_code"], 1);
}

#[test]
fn a_host_that_cannot_be_reached_may_be_left_out_and_is_reported() {
    let Some(sshd) = Sshd::start() else { return };
    let run = |option: &[&str]| {
        step(&sshd).args([host(&sshd).as_str(), "127.0.0.1:1"]).args(option.iter().copied()).args(["--", "true"]).run()
    };
    for option in [&["--allow-unreachable", "1"][..], &["--retry-unreachable"]] {
        let seen = run(option).exits(0);
        assert!(seen.stdout.contains("1 not deployed") && seen.stdout.contains("1 passed"), "{}", seen.stdout);
    }
    run(&["--allow-unreachable", "0"]).exits(75);
}

#[test]
fn the_whole_run_has_a_deadline_and_the_same_output_of_two_hosts_is_reported_once() {
    let Some(one) = Sshd::start() else { return };
    let Some(other) = Sshd::start() else { return };
    let list = list(&[&one, &other]);
    let run = |arguments: &[&str]| step(&one).args(arguments.iter().copied()).stdin(list.clone()).run();
    let seen = run(&["--deadline", "15s", "--", "sleep 86394"]).exits(3);
    // The second on a machine that is too busy to begin within that time.
    let texts = ["interrupted by the --deadline and was ended", "the --deadline arrived first"];
    assert!(texts.iter().any(|text| seen.stdout.contains(text)), "{}", seen.stdout);
    assert!(!runs("sleep\086394"));
    let seen = run(&["--", "for i in 1 2 3; do echo line $i; done; exit 1"]).exits(1);
    assert_eq!(seen.summary.matches("line 2").count(), 1, "{}", seen.summary);
    assert!(seen.summary.contains("the same 3 lines as 127.0.0.1:"), "{}", seen.summary);
}

#[test]
fn between_two_batches_is_the_pause_which_a_signal_ends() {
    let Some(sshd) = Sshd::start() else { return };
    let run = |pause: &str| {
        let step =
            step(&sshd).args(["--batch", "1", "--pause", pause, "--format", "json", "--", "echo ran >>$HOME/log"]);
        step.stdin(two_names(&sshd))
    };
    let changed = || std::fs::metadata(sshd.home().join("log")).and_then(|file| file.modified());
    let mut started = run("3s").spawn();
    started.send_stdin();
    super::fixtures::until_there(&sshd.home().join("log"));
    let first = changed().unwrap();
    started.finish().exits(0);
    assert!(changed().unwrap().duration_since(first).unwrap() >= Duration::from_millis(2900));
    std::fs::remove_file(sshd.home().join("log")).unwrap();
    let mut started = run("1h").spawn();
    started.send_stdin();
    let begun = SystemTime::now();
    // After five seconds a wait is reported, with its end.
    let lines = until(&mut started, "waiting for the end of the --pause");
    assert!(lines.contains("for another 59m"), "{lines}");
    signal(&started, "-INT");
    let seen = started.finish().exits(130);
    assert!(begun.elapsed().unwrap() < Duration::from_mins(10));
    let statuses = [0, 1].map(|index| seen.json()["hosts"][index]["status"].as_str().unwrap().to_owned());
    assert_eq!(statuses, ["passed", "cancelled"]);
    assert_eq!(std::fs::read_to_string(sshd.home().join("log")).unwrap(), "ran\n");
}

/// Three hosts, of which the second comes up once the first is at work, which then ends with `code`.
fn with_one_that_is_late(code: i32, more: &[&str]) -> Option<(Seen, [Sshd; 3])> {
    let servers = [Sshd::start()?, Sshd::start()?, Sshd::start()?];
    let list = list(&servers.iter().collect::<Vec<_>>());
    let first = servers[0].home();
    let script = format!(
        "touch $HOME/ran; [ $HOME = {0} ] || exit 0; echo begun; while [ ! -e {0}/go ]; do sleep 0.1; done; exit {code}",
        first.display()
    );
    servers[1].trouble(Trouble::Refuse);
    let step = step(&servers[0]).args(["--retry-unreachable", "--batch", "1", "--format", "json"]);
    let mut started = step.args(more.iter().copied()).args(["--", &script]).stdin(list).spawn();
    started.send_stdin();
    until(&mut started, "begun");
    servers[1].trouble(None);
    std::fs::write(first.join("go"), "").unwrap();
    Some((started.finish().exits(code), servers))
}

#[test]
fn a_host_that_is_reached_late_gets_no_deploy_that_has_failed_elsewhere() {
    let ran = |sshd: &Sshd| sshd.home().join("ran").exists();
    let Some((seen, [one, late, other])) = with_one_that_is_late(0, &[]) else { return };
    assert!(ran(&one) && ran(&late) && ran(&other), "{}", seen.stdout);
    let back = ["--rollback", "rm -f $HOME/ran"];
    for more in [&[][..], &back, &[&back[..], &["--rollback-all"]].concat()] {
        let Some((seen, [_, late, other])) = with_one_that_is_late(1, more) else { return };
        assert!(!ran(&late) && !ran(&other), "{}", seen.stdout);
        assert_eq!(seen.json()["hosts"][1]["reason"]["code"], "unreachable");
    }
}

#[test]
fn a_deploy_that_reaches_no_host_at_all_is_75() {
    let Some(sshd) = Sshd::start() else { return };
    for options in [&["--retry-unreachable"][..], &["--allow-unreachable", "2"]] {
        step(&sshd).args(["127.0.0.1:1", "127.0.0.1:2"]).args(options).args(["--", "true"]).run().exits(75);
    }
}

#[test]
fn a_deadline_or_a_signal_that_comes_after_the_last_host_has_ended_changes_no_result() {
    let Some(sshd) = Sshd::start() else { return };
    // A daemon that keeps the output keeps us for 2 s while we say goodbye.
    let daemon = "sleep 30 & echo $! >$HOME/pid; exit ";
    for code in [0, 1] {
        let step = step(&sshd).args([&host(&sshd), "--format", "json", "--", &format!("{daemon}{code}")]);
        let mut started = step.spawn();
        let text = if code == 0 { ": done in " } else { ": failed after " };
        until(&mut started, text);
        signal(&started, "-TERM");
        let seen = started.finish().exits(code);
        let result = seen.json();
        assert_eq!(
            (result["exit_code"].as_i64(), result["hosts"][0]["exit_code"].as_i64()),
            (Some(code.into()), Some(code.into()))
        );
        let pid = std::fs::read_to_string(sshd.home().join("pid")).unwrap();
        assert!(std::process::Command::new("kill").arg(pid.trim()).status().unwrap().success());
    }
}
