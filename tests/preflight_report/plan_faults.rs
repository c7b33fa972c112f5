//! `preflight-report --plan` when something goes wrong: interrupts, endless output, daemons, a full disk.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::step;
use crate::support::{Seen, Started, Step, skipped};

fn plan(options: &[&str], plan: &str) -> Step {
    step(["--plan", "preflight.toml"]).args(options.iter().copied()).file("preflight.toml", plan)
}

fn one(keys: &str) -> String {
    format!("[[stage]]\nname = \"gate\"\n[[stage.check]]\nname = \"it\"\n{keys}\n")
}

/// Waits until the check has made the file.
fn until_there(started: &Started, file: &str) {
    let path = started.folder().join(file);
    let give_up = Instant::now() + Duration::from_mins(1);
    while !path.exists() {
        assert!(Instant::now() < give_up, "{file} is not there");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn send(started: &Started, signal: Signal) {
    kill_process(Pid::from_child(&started.child), signal).unwrap();
}

/// Whether the process whose id is in the file still runs.
fn runs(seen: &Seen, file: &str) -> bool {
    let id = seen.read(file).unwrap();
    std::fs::read_to_string(format!("/proc/{}/stat", id.trim())).is_ok_and(|stat| !stat.contains(") Z "))
}

const DEAF: &str = "trap '' TERM INT; echo $$ > id; echo begun; touch up; while :; do sleep 0.05; done";

#[test]
fn ctrl_c_ends_every_group_within_two_seconds_and_still_writes_the_report() {
    let text = one(&format!("run = \"{DEAF}\""))
        + "[[stage]]\nname = \"later\"\n[[stage.check]]\nname = \"z\"\nrun = \"true\"\n";
    let options = ["--write", "json=report.json", "--write", "junit=report.xml", "--to", "output"];
    let started = plan(&options, &text).spawn();
    until_there(&started, "up");
    let begun = Instant::now();
    send(&started, Signal::INT);
    let seen = started.finish().exits(130);
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert!(!runs(&seen, "id"));
    let document: serde_json::Value = serde_json::from_str(&seen.read("report.json").unwrap()).unwrap();
    // Document, step output, summary and process agree.
    assert_eq!((&document["exit_code"], &document["result"]), (&130.into(), &"incomplete".into()));
    assert_eq!(seen.outputs["exit_code"], "130");
    assert!(seen.summary.contains("exit code 130"), "{}", seen.summary);
    assert_eq!(document["stages"][0]["checks"][0]["reason"]["code"], "interrupted");
    assert_eq!(document["stages"][1]["checks"][0]["reason"]["text"], "not started: the run was interrupted");
    assert!(seen.read("report.xml").unwrap().contains("<testsuites"));
    assert!(seen.stdout.contains("RESULT: INCOMPLETE"), "{}", seen.stdout);
    assert!(seen.summary.contains("gate/it") || seen.summary.contains("incomplete"), "{}", seen.summary);
}

#[test]
fn a_second_ctrl_c_kills_at_once_and_sigterm_ends_with_143() {
    let started = plan(&[], &one(&format!("run = \"{DEAF}\""))).spawn();
    until_there(&started, "up");
    let begun = Instant::now();
    send(&started, Signal::INT);
    // Two signals of one kind that arrive together are one.
    std::thread::sleep(Duration::from_millis(200));
    send(&started, Signal::INT);
    let seen = started.finish().exits(130);
    assert!(begun.elapsed() < Duration::from_millis(1400), "{:?}", begun.elapsed());
    assert!(!runs(&seen, "id"));
    let started = plan(&[], &one("run = \"touch up; sleep 600\"\nretries = 3")).spawn();
    until_there(&started, "up");
    send(&started, Signal::TERM);
    let seen = started.finish().exits(143);
    assert!(!seen.stderr.contains("trying again"), "{}", seen.stderr);
    assert!(seen.summary.contains("exit code 143"), "{}", seen.summary);
}

#[test]
fn the_deadline_of_the_run_cancels_what_runs_and_the_exit_code_is_3_everywhere() {
    let text = one("run = \"trap '' TERM; sleep 600 & wait; sleep 600\"")
        + "[[stage]]\nname = \"later\"\n[[stage.check]]\nname = \"z\"\nrun = \"true\"\n";
    let seen = plan(&["--deadline", "0.4s", "--format", "json"], &text).run().exits(3);
    let document = seen.json();
    assert_eq!(document["exit_code"], 3);
    let reasons = |stage: usize| document["stages"][stage]["checks"][0]["reason"].clone();
    assert_eq!((&reasons(0)["code"], &reasons(0)["text"]), (&"deadline".into(), &"the --deadline passed".into()));
    assert_eq!(reasons(1)["text"], "not started: the --deadline passed");
    // A failure before it is worse.
    let both = one("run = \"exit 2\"") + "[[stage.check]]\nname = \"slow\"\nrun = \"sleep 600\"\n";
    let seen = plan(&["--deadline", "2s", "--jobs", "2", "--format", "json"], &both).run().exits(1);
    assert_eq!(seen.json()["exit_code"], 1);
}

#[test]
fn the_time_limit_of_a_check_holds_while_a_long_report_of_another_is_read() {
    // Compiler text that takes seconds to read in a build for tests.
    let line = "src/a.ts(4,2): error TS2322: this line is one of very many, and each of them is a finding of its own";
    let text = format!(
        "[[stage]]\nname = \"s\"\n[[stage.check]]\nname = \"long\"\nrun = \"\"\"yes '{line}' | head -c 3000000; touch printed; exit 1\"\"\"\n\
         [[stage.check]]\nname = \"late\"\nrun = \"until test -e printed; do sleep 0.01; done; sleep 600\"\ntimeout = \"1s\"\n"
    );
    let seen = plan(&["--jobs", "2", "--format", "json", "--log-dir", "logs"], &text).plain().run().exits(1);
    let document = seen.json();
    let checks = document["stages"][0]["checks"].as_array().unwrap();
    let late = checks.iter().find(|check| check["id"] == "s/late").unwrap();
    assert_eq!(late["reason"]["code"], "timeout");
    assert!(
        seen.stderr.find("s/late: failed").unwrap() < seen.stderr.find("s/long: failed").unwrap(),
        "{}",
        &seen.stderr[seen.stderr.len() - 2000..]
    );
}

#[test]
fn a_check_that_prints_a_gigabyte_keeps_its_beginning_and_end_in_bounded_memory() {
    let text =
        one("run = \"echo first; yes $(printf '%0999d' 7) | head -c 1000000000 || true; echo; echo last; exit 1\"");
    let mut started = plan(&["--log-dir", "logs"], &text).plain().spawn();
    let id = started.child.id();
    let stderr = started.child.stderr.take().unwrap();
    let lines = std::thread::spawn(move || {
        let (mut first, mut last, mut bytes) = (None, String::new(), 0);
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            bytes += line.len();
            if line.contains('│') {
                first.get_or_insert_with(|| line.clone());
                last = line;
            }
        }
        (first, last, bytes)
    });
    let mut most = 0;
    while started.child.try_wait().unwrap().is_none() {
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        let peak =
            status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
        most = most.max(peak.unwrap_or(0_u64));
        std::thread::sleep(Duration::from_millis(20));
    }
    let folder = started.folder().to_owned();
    let size = std::fs::metadata(folder.join("logs/gate/it.log")).unwrap().len();
    let (first, last, bytes) = lines.join().unwrap();
    let log = std::fs::read_to_string(folder.join("logs/gate/it.log")).unwrap();
    started.finish().exits(1);
    assert_eq!(first.as_deref(), Some("gate/it │ first"));
    assert_eq!(last, "gate/it │ last");
    assert!(size < 17_000_000, "{size} bytes of log");
    assert!(log.starts_with("first\n") && log.ends_with("last\n") && log.contains("bytes left out"));
    assert!(bytes < 60_000_000, "{bytes} bytes on stderr");
    assert!(most < 100_000, "{most} KiB of memory");
}

#[test]
fn options_of_a_plan_without_a_plan_are_refused() {
    for option in ["--list", "--dry-run", "--fail-fast", "--no-cache", "--jobs=2", "--only=a/b", "--log-dir=logs"] {
        let seen = step([option, "r.xml"]).file("r.xml", "<testsuite><testcase name='a'/></testsuite>").run().exits(2);
        assert!(seen.stderr.contains("is about a plan") || seen.stderr.contains("--plan"), "{}", seen.stderr);
    }
}

#[test]
fn a_check_that_closes_its_output_is_waited_for() {
    let seen = plan(&[], &one("run = \"exec >&- 2>&-; sleep 0.3; touch done; exit 6\"")).run().exits(1);
    assert!(seen.stdout.contains("exit code 6"), "{}", seen.stdout);
    assert!(seen.read("done").is_some());
}

#[test]
fn a_daemon_that_a_check_leaves_is_named_and_left_alone() {
    let seen = plan(&[], &one("run = \"sleep 30 & echo $! > id\"")).run().exits(0);
    let said = "gate/it: a process that it left running holds its output open";
    assert!(seen.stderr.contains(said), "{}", seen.stderr);
    assert!(runs(&seen, "id"));
    let id = Pid::from_raw(seen.read("id").unwrap().trim().parse().unwrap()).unwrap();
    kill_process(id, Signal::KILL).unwrap();
}

#[test]
fn a_full_disk_fails_the_check_whose_output_cannot_be_kept() {
    let step = plan(&["--format", "json"], &one("run = \"head -c 3000000 /dev/zero | tr '\\\\0' x\""));
    let full = step.folder().join("full");
    std::fs::create_dir(&full).unwrap();
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(&full).status();
    if !mounted.is_ok_and(|status| status.success()) {
        skipped("no file system can be mounted here");
        return;
    }
    let seen = step.env("TMPDIR", full.as_os_str()).spawn();
    let seen = seen.finish();
    let unmounted = Command::new("umount").arg(&full).status();
    assert!(unmounted.is_ok_and(|status| status.success()));
    let document = seen.exits(1).json();
    let reason = &document["stages"][0]["checks"][0]["reason"];
    assert!(document.to_string().contains("output_lost"), "{document}");
    assert!(reason["text"].as_str().unwrap().contains("No space left on device"), "{reason}");
}

#[test]
fn a_log_that_cannot_be_made_fails_its_check_alone() {
    let text =
        one("run = \"true\"") + "[[stage]]\nname = \"other\"\n[[stage.check]]\nname = \"fine\"\nrun = \"true\"\n";
    let seen = plan(&["--log-dir", "logs"], &text).file("logs/gate", "a file").run().exits(1);
    assert!(seen.stdout.contains("cannot keep the output of `gate/it` in `logs/gate/it.log`"), "{}", seen.stdout);
    assert!(seen.stdout.contains("✓ fine"), "{}", seen.stdout);
}

#[test]
fn a_long_check_is_reported_while_it_runs() {
    let mut started =
        plan(&[], &one("run = \"while ! test -e go; do sleep 0.05; done\"\ntimeout = \"10m\"")).plain().spawn();
    let mut stderr = BufReader::new(started.child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("running for") {
        line.clear();
        assert!(stderr.read_line(&mut line).unwrap() > 0, "it ended");
    }
    assert!(line.starts_with("gate/it: running for ") && line.ends_with(", until 10m at most\n"), "{line}");
    std::fs::write(started.folder().join("go"), "").unwrap();
    let drained = std::thread::spawn(move || stderr.read_to_end(&mut Vec::new()));
    started.finish().exits(0);
    drained.join().unwrap().unwrap();
}

#[test]
fn on_a_terminal_each_running_check_has_a_line_with_its_time_and_what_it_printed_last() {
    let text = one("run = \"echo compiling part 7; sleep 600\"")
        + "[[stage]]\nname = \"later\"\n[[stage.check]]\nname = \"z\"\nrun = \"true\"\n";
    // Interrupted once its line has been seen.
    let steps = serde_json::json!([["compiling part 7", {"signal": "SIGINT"}]]);
    let with = |step: Step| step.file("preflight.toml", text);
    let Some(watched) = Step::watch(with, (30, 90), &steps, "exec preflight-report --plan preflight.toml") else {
        return;
    };
    let text = watched.raw;
    let bar =
        text.split(['\r', '\n']).find(|line| line.contains("compiling part 7")).unwrap_or_else(|| panic!("{text}"));
    assert!(bar.contains("gate/it") && bar.contains('s'), "{bar:?}");
    assert!(text.contains("waiting for 1 check") && text.contains("INCOMPLETE"), "{text}");
    assert_eq!((watched.code, watched.restored), (130, true));
}
