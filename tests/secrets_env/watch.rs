//! `--watch`: the command gets changed secrets.

use std::path::Path;

use super::{doppler, refused, step};
use crate::support::{Started, Step};

/// Waits until the command has made this file; the test runner's own limit stops a failure.
fn made(step: &mut Started, file: &Path) -> String {
    loop {
        assert!(step.child.try_wait().unwrap().is_none(), "it has ended before {} was made", file.display());
        match std::fs::read_to_string(file) {
            Ok(text) if text.ends_with('\n') => return text,
            _ => std::thread::yield_now(),
        }
    }
}

fn watching(step: Step, options: &[&str], script: &str) -> Step {
    step.args(["--redact", "--watch", "--watch-interval", "0.05s"])
        .args(options)
        .args(["--", "sh", "-c", script])
        .plain()
}

#[test]
fn the_command_is_started_again_with_the_changed_value_and_its_children_are_gone() {
    let doppler = doppler();
    let script = r#"sleep 600 & echo $! ${#API_KEY} >started.${#API_KEY}; echo "it is $API_KEY"; trap "exit 0" TERM; wait; wait"#;
    let step = watching(step(&doppler, &[]), &[], script);
    let folder = step.folder().to_owned();
    let mut started = step.spawn();
    let first = made(&mut started, &folder.join("started.32"));
    doppler.set("dev", "API_KEY", "another-k3y-of-the-shop");
    made(&mut started, &folder.join("started.23"));
    let child = Path::new("/proc").join(first.split(' ').next().unwrap());
    while std::fs::read_to_string(child.join("stat")).is_ok_and(|stat| !stat.contains(") Z ")) {
        std::thread::yield_now();
    }
    super::running::signal("TERM", started.child.id());
    let seen = started.finish().exits(0);
    assert_eq!(seen.stdout, "it is ***\nit is ***\n");
    assert!(seen.stderr.contains("changed: API_KEY; starting `sh` again\n"), "{}", seen.stderr);
}

#[test]
fn with_a_signal_the_command_reads_its_files_again_and_its_output_is_redacted_with_the_new_value() {
    let doppler = doppler();
    let script = r#"trap "echo now \$(cat $API_KEY); wc -c <$API_KEY >again" HUP
        echo first $(cat $API_KEY); echo >ready; until [ -e go ]; do sleep 0.02; done; true"#;
    let step = watching(step(&doppler, &[]), &["--watch-signal", "SIGHUP", "--file", "API_KEY"], script);
    let folder = step.folder().to_owned();
    let mut started = step.spawn();
    made(&mut started, &folder.join("ready"));
    doppler.set("dev", "API_KEY", "another-k3y-of-the-shop");
    assert_eq!(made(&mut started, &folder.join("again")).trim(), "23");
    std::fs::write(folder.join("go"), "").unwrap();
    let seen = started.finish().exits(0);
    assert_eq!(seen.stdout, "first ***\nnow ***\n");
    assert!(seen.stderr.contains("changed: API_KEY; sending SIGHUP to `sh`"), "{}", seen.stderr);
}

#[test]
fn an_outage_is_a_warning_and_the_command_goes_on() {
    let doppler = doppler();
    let script = "echo >ready; until [ -e go ]; do sleep 0.02; done; exit 6";
    let step = watching(step(&doppler, &["--deadline", "1"]), &[], script);
    let folder = step.folder().to_owned();
    let mut started = step.spawn();
    made(&mut started, &folder.join("ready"));
    doppler.fail("/v3/configs*", emulators::Fault::status(401));
    let before = doppler.requests().len();
    while doppler.requests().len() < before + 3 {
        std::thread::yield_now();
    }
    std::fs::write(folder.join("go"), "").unwrap();
    let seen = started.finish().exits(6);
    assert_eq!(seen.stderr.matches("warning: cannot look for changed secrets").count(), 1, "{}", seen.stderr);
}

#[test]
fn options_of_watching_need_it_and_a_command() {
    let doppler = doppler();
    refused(step(&doppler, &["--watch"]), 2, &["COMMAND"]);
    refused(step(&doppler, &["--watch-signal", "HUP", "--", "true"]), 2, &["--watch"]);
    refused(step(&doppler, &["--watch", "--watch-signal", "KILL", "--", "true"]), 2, &["not a signal for this"]);
}
