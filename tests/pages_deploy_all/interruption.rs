//! Signals in each phase, and the run after them.

use std::time::{Duration, Instant};

use emulators::Cloudflare;
use emulators::cloudflare::Progress;
use emulators::http::Fault;
use rustix::process::{Pid, Signal, kill_process};

use super::{posts, step};
use crate::support::Seen;
use crate::support::Started;

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

#[test]
fn a_signal_during_a_build_ends_the_build_and_deploys_nothing() {
    for (one, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let cloudflare = Cloudflare::start();
        let script = r#"{"scripts": {"build": "touch started; sleep 300 & wait; touch survived"}}"#;
        let step = step(&cloudflare).file("sites/shop/package.json", script);
        let folder = step.folder().to_path_buf();
        let started = step.spawn();
        until(|| folder.join("sites/shop/started").exists());
        let began = Instant::now();
        let seen = signal(started, one).exits(code);
        assert!(began.elapsed() < Duration::from_secs(20), "it waited for the build");
        assert!(seen.stdout.contains("cancelled  shop  not deployed"), "{}", seen.stdout);
        assert_eq!(posts(&cloudflare, "*/deployments"), 0);
    }
}

#[test]
fn a_signal_while_deployments_proceed_says_what_was_created() {
    let cloudflare = Cloudflare::start();
    cloudflare.deployments_will(Progress::Hang);
    let started = step(&cloudflare).args(["--format", "json"]).spawn();
    until(|| cloudflare.requests().iter().filter(|request| request.matches("GET */deployments/*")).count() >= 2);
    let document = signal(started, Signal::TERM).exits(143).json();
    for site in document["sites"].as_array().unwrap() {
        assert_eq!(site["status"], "cancelled");
        let project = site["project"].as_str().unwrap();
        assert_eq!(site["deployment_id"], cloudflare.deployments(project)[0].id);
    }
}

#[test]
fn a_signal_under_atomic_puts_production_back() {
    let cloudflare = Cloudflare::start();
    step(&cloudflare).run().exits(0);
    let before = [cloudflare.live("docs"), cloudflare.live("shop")];
    cloudflare.fail("GET */deployments/*", Fault::status(503).carried_out());
    let started = step(&cloudflare).arg("--atomic").spawn();
    until(|| {
        posts(&cloudflare, "*/deployments") == 4
            && cloudflare.live("docs") != before[0]
            && cloudflare.live("shop") != before[1]
    });
    signal(started, Signal::INT).exits(130);
    assert_eq!([cloudflare.live("docs"), cloudflare.live("shop")], before);
}

#[test]
fn a_run_after_a_kill_uploads_only_the_rest() {
    let cloudflare = Cloudflare::start();
    cloudflare.fail("POST */assets/upload", Fault::hang().after(1));
    let started = step(&cloudflare).spawn();
    until(|| posts(&cloudflare, "*/assets/upload") == 2 && posts(&cloudflare, "*/assets/upsert-hashes") == 1);
    let seen = signal(started, Signal::KILL);
    assert_eq!(seen.code, 137);
    assert_eq!(posts(&cloudflare, "*/deployments"), 0);
    cloudflare.recover();
    step(&cloudflare).run().exits(0);
    assert_eq!(posts(&cloudflare, "*/assets/upload"), 3);
    assert_eq!(cloudflare.deployments("docs").len(), 1);
}
