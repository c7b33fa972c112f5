//! Signals and kills in each phase, and the run after them.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use emulators::Cloudflare;
use emulators::cloudflare::Progress;
use emulators::http::Fault;
use rustix::process::{Pid, Signal, kill_process};

use super::honest::{self, end_of};
use super::{posts, step};
use crate::support::{Seen, Started, Step};

/// What a run can be stopped with, and its exit code then.
const SIGNALS: [(Signal, i32); 3] = [(Signal::INT, 130), (Signal::TERM, 143), (Signal::KILL, 137)];

/// Waits for what another process does; a bound only for when it never does.
pub(super) fn until(mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < end, "it did not come to that in 30 s");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn signal(started: Started, signal: Signal) -> Seen {
    kill_process(Pid::from_child(&started.child), signal).unwrap();
    started.finish()
}

/// A step whose site `shop` builds until it is killed, writing the numbers of its processes.
fn endless(cloudflare: &Cloudflare) -> (Step, PathBuf) {
    let script =
        r#"{"scripts": {"build": "sleep 300 & echo $! $$ > pids.part; mv pids.part pids; wait; touch survived"}}"#;
    let step = step(cloudflare).file("sites/shop/package.json", script);
    let pids = step.folder().join("sites/shop/pids");
    (step, pids)
}

/// Waits until none of the processes runs any more; one that is dead and not waited for by its parent does not (`proc(5)`).
fn until_gone(pids: &str) {
    for pid in pids.split_whitespace() {
        let stat = || std::fs::read_to_string(format!("/proc/{pid}/stat")).ok();
        until(|| stat().is_none_or(|stat| stat.rsplit(')').next().unwrap().trim_start().starts_with('Z')));
    }
}

#[test]
fn whatever_ends_a_run_during_a_build_ends_the_build_and_deploys_nothing() {
    for (one, code) in SIGNALS {
        let cloudflare = Cloudflare::start();
        let (step, pids) = endless(&cloudflare);
        let (before, started) = honest::spawn(&cloudflare, step);
        until(|| pids.exists());
        let pids = std::fs::read_to_string(pids).unwrap();
        let seen = signal(started, one).exits(code);
        until_gone(&pids);
        assert_eq!(posts(&cloudflare, "*/deployments"), 0);
        if one != Signal::KILL {
            before.judge(&cloudflare, &seen);
            let cancelled = |text: &str| ("cancelled".to_owned(), text.to_owned());
            assert_eq!(end_of(&seen, "docs"), cancelled("not deployed: the run was interrupted"));
            let text = "not deployed: the run was interrupted while it was being built";
            assert_eq!(end_of(&seen, "shop"), cancelled(text));
        }
    }
}

#[test]
fn whatever_ends_a_run_while_it_signs_in_is_reported_for_each_site() {
    let (cloudflare, doppler) = (Cloudflare::start(), emulators::Doppler::start());
    doppler.fail("GET *", Fault::hang());
    let signing_in = || step(&cloudflare).without("CLOUDFLARE_API_TOKEN").doppler(&doppler).args(["--format", "json"]);
    let judge = |seen: &Seen, why: &str| {
        assert_eq!(end_of(seen, "docs"), ("cancelled".to_owned(), format!("not begun: {why} while signing in")));
        assert!(seen.json()["error"]["message"].is_string() && seen.summary.contains("docs"), "{}", seen.stdout);
    };
    judge(&signing_in().args(["--deadline", "1"]).run().exits(3), "the --deadline passed");
    let started = signing_in().spawn();
    let asked = doppler.requests().len();
    until(|| doppler.requests().len() > asked);
    judge(&signal(started, Signal::INT).exits(130), "the run was interrupted");
}

#[test]
fn a_deadline_ends_a_build_and_the_run_with_3() {
    let cloudflare = Cloudflare::start();
    let script = r#"{"scripts": {"build": "echo waiting for a lock; echo ::error::forged; sleep 300"}}"#;
    let step = step(&cloudflare).file("sites/shop/package.json", script).args(["--deadline", "2"]);
    let seen = honest::run(&cloudflare, step).exits(3);
    assert_eq!(end_of(&seen, "shop").1, "not deployed: the --deadline passed while it was being built");
    assert!(seen.stderr.contains("shop │ waiting for a lock\n"), "{}", seen.stderr);
    assert_eq!(seen.messages("error"), [""; 0]);
    assert_eq!(posts(&cloudflare, "*/deployments"), 0);
}

#[test]
fn what_a_build_leaves_running_is_left_alone() {
    let cloudflare = Cloudflare::start();
    let script = r#"{"scripts": {"build": "mkdir -p dist; echo x > dist/index.html; sleep 300 >/dev/null 2>&1 & echo $! > pid"}}"#;
    let step = step(&cloudflare).file("sites/shop/package.json", script);
    let pid = step.folder().join("sites/shop/pid");
    let (_, started) = honest::spawn(&cloudflare, step);
    until(|| std::fs::read_to_string(&pid).is_ok_and(|text| text.ends_with('\n')));
    let daemon = std::fs::read_to_string(&pid).unwrap().trim().parse().unwrap();
    started.finish().exits(0);
    // A daemon that serves the next build too; this one is ours to end.
    kill_process(Pid::from_raw(daemon).unwrap(), Signal::KILL).unwrap();
}

#[test]
fn whatever_ends_a_run_during_an_upload_deploys_nothing_and_the_next_one_sends_the_rest() {
    for (one, code) in SIGNALS {
        let cloudflare = Cloudflare::start();
        cloudflare.fail("POST */assets/upload", Fault::hang().after(1));
        let (before, started) = honest::spawn(&cloudflare, step(&cloudflare));
        until(|| posts(&cloudflare, "*/assets/upload") == 2 && posts(&cloudflare, "*/assets/upsert-hashes") == 1);
        let seen = signal(started, one).exits(code);
        assert_eq!(posts(&cloudflare, "*/deployments"), 0);
        if one != Signal::KILL {
            before.judge(&cloudflare, &seen);
        }
        cloudflare.recover();
        honest::run(&cloudflare, step(&cloudflare)).exits(0);
        assert_eq!(posts(&cloudflare, "*/assets/upload"), 3);
    }
}

#[test]
fn a_signal_while_deployments_proceed_says_what_was_created() {
    for (one, code) in SIGNALS {
        let cloudflare = Cloudflare::start();
        cloudflare.deployments_will(Progress::SucceedAfter(1000));
        let (before, started) = honest::spawn(&cloudflare, step(&cloudflare));
        let looks = |site: &str| {
            let pattern = format!("GET */{site}/deployments/*");
            cloudflare.requests().iter().filter(|request| request.matches(&pattern)).count()
        };
        until(|| looks("docs") > 0 && looks("shop") > 0);
        let seen = signal(started, one).exits(code);
        if one != Signal::KILL {
            before.judge(&cloudflare, &seen);
            let (status, text) = end_of(&seen, "docs");
            assert!(status == "cancelled" && text.contains("was created and not seen to be live"), "{text}");
        }
        cloudflare.settle();
        cloudflare.deployments_will(Progress::SucceedAfter(1));
        honest::run(&cloudflare, step(&cloudflare)).exits(0);
        assert_eq!(posts(&cloudflare, "*/assets/upload"), 2, "the first run's");
    }
}

#[test]
fn a_signal_between_two_deployments_says_which_one_is_unknown() {
    for (one, code) in SIGNALS {
        let cloudflare = Cloudflare::start();
        // It is made, and its answer does not come: the other one is live.
        cloudflare.fail("POST */projects/shop/deployments", Fault::hang());
        let (before, started) = honest::spawn(&cloudflare, step(&cloudflare));
        until(|| cloudflare.live("docs").is_some() && posts(&cloudflare, "*/shop/deployments") == 1);
        let seen = signal(started, one).exits(code);
        if one != Signal::KILL {
            before.judge(&cloudflare, &seen);
            assert!(end_of(&seen, "shop").1.starts_with("it is unknown whether it was deployed"), "{}", seen.stdout);
        }
        cloudflare.recover();
        honest::run(&cloudflare, step(&cloudflare)).exits(0);
    }
}

#[test]
fn a_signal_under_atomic_puts_production_back() {
    let cloudflare = Cloudflare::start();
    step(&cloudflare).run().exits(0);
    let before_live = [cloudflare.live("docs"), cloudflare.live("shop")];
    cloudflare.fail("GET */deployments/*", Fault::status(503).carried_out());
    let (before, started) = honest::spawn(&cloudflare, step(&cloudflare).arg("--atomic"));
    until(|| cloudflare.live("docs") != before_live[0] && cloudflare.live("shop") != before_live[1]);
    let seen = signal(started, Signal::INT).exits(130);
    before.judge(&cloudflare, &seen);
    assert_eq!([cloudflare.live("docs"), cloudflare.live("shop")], before_live);
}

#[test]
fn a_signal_during_a_rollback_does_not_stop_it() {
    for (one, code) in SIGNALS {
        let cloudflare = Cloudflare::start();
        step(&cloudflare).run().exits(0);
        let live = |cloudflare: &Cloudflare| [cloudflare.live("docs"), cloudflare.live("shop")];
        let before_live = live(&cloudflare);
        cloudflare.deployments_will(Progress::SucceedBroken);
        cloudflare.fail("POST */rollback", Fault::none().delayed(Duration::from_secs(1)).times(2));
        let arguments = ["--atomic", "--timeout", "2"];
        let (before, started) = honest::spawn(&cloudflare, step(&cloudflare).args(arguments));
        until(|| posts(&cloudflare, "*/rollback") == 2);
        let seen = signal(started, one).exits(code);
        if one == Signal::KILL {
            // Asked for is asked for: the next run begins from whatever is live then.
            cloudflare.recover();
            cloudflare.deployments_will(Progress::SucceedAfter(1));
            honest::run(&cloudflare, step(&cloudflare).arg("--atomic")).exits(0);
        } else {
            before.judge(&cloudflare, &seen);
            assert_eq!(live(&cloudflare), before_live);
        }
    }
}
