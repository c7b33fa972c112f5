//! `preflight-report` over a JUnit file of 100 MB and over 200,000 checks as records, beside PyPI's `junitparser` if it is installed:
//! `cargo bench --bench preflight_report`.
//!
//! Whole processes, best of three; peak memory with GNU time if it is installed.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints numbers, and stops when it cannot measure"
)]

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const OURS: &str = env!("CARGO_BIN_EXE_preflight-report");

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let (junit, records) = (folder.path().join("junit.xml"), folder.path().join("records.jsonl"));
    write_junit(&junit);
    write_records(&records);
    println!("{:60} {:>9} {:>12}", "", "best", "peak");
    row("preflight-report, JUnit of 100 MB, 1 million cases", &[OURS, "--format", "json", text(&junit)]);
    let script = "import sys, junitparser; xml = junitparser.JUnitXml.fromfile(sys.argv[1]); print(sum(1 for s in xml for c in s))";
    row("junitparser, the same file", &["python3", "-c", script, text(&junit)]);
    row("preflight-report, 200,000 checks as records", &[OURS, "--format", "json", text(&records)]);
    row("preflight-report, the same as text", &[OURS, text(&records)]);
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn write_junit(path: &Path) {
    let mut out = BufWriter::new(File::create(path).unwrap());
    write!(out, "<testsuites>").unwrap();
    for suite in 0..100 {
        write!(out, "<testsuite name=\"suite{suite}\" tests=\"10000\" failures=\"1\">").unwrap();
        for case in 0..10_000 {
            let failure = if case == 7 { "<failure message=\"no\">src/a.js:3:4</failure>" } else { "" };
            writeln!(
                out,
                "<testcase classname=\"shop.cart.Suite{suite}\" name=\"adds the prices of item number {case}\" time=\"0.00{}\">{failure}</testcase>",
                case % 10
            )
            .unwrap();
        }
        write!(out, "</testsuite>").unwrap();
    }
    write!(out, "</testsuites>").unwrap();
}

fn write_records(path: &Path) {
    let mut out = BufWriter::new(File::create(path).unwrap());
    let head = "\"v\":1,\"run\":\"5ae7847.1\"";
    writeln!(out, "{{{head},\"seq\":0,\"event\":\"run_started\",\"title\":\"T\"}}").unwrap();
    for check in 0..200_000 {
        let at = format!("2026-11-21T02:40:{:02}.000Z", check % 60);
        writeln!(
            out,
            "{{{head},\"seq\":{},\"at\":\"{at}\",\"event\":\"check_started\",\"check\":\"build/item-{check}\"}}",
            2 * check + 1
        )
        .unwrap();
        writeln!(
            out,
            "{{{head},\"seq\":{},\"at\":\"{at}\",\"event\":\"check_finished\",\"check\":\"build/item-{check}\",\"status\":\"passed\",\"duration_seconds\":0.5}}",
            2 * check + 2
        )
        .unwrap();
    }
    writeln!(out, "{{{head},\"seq\":900000,\"event\":\"run_finished\",\"result\":\"passed\"}}").unwrap();
}

/// Best of three, and the peak.
fn row(name: &str, words: &[&str]) {
    let run = |words: &[&str]| {
        let begun = Instant::now();
        let status = Command::new(words[0]).args(&words[1..]).stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.ok().filter(|status| status.code() != Some(127)).map(|_| begun.elapsed())
    };
    let Some(best) = (0..3).filter_map(|_| run(words)).min() else {
        println!("{name:60} {:>9}", "absent");
        return;
    };
    println!("{name:60} {:>9} {:>12}", seconds(best), peak(words).unwrap_or_else(|| "-".to_owned()));
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

/// The peak of its memory, as GNU time reports it.
fn peak(words: &[&str]) -> Option<String> {
    let output = Command::new("/usr/bin/time").args(["-f", "%M"]).args(words).stdout(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let kilobytes: u64 = text.lines().rev().find_map(|line| line.trim().parse().ok())?;
    Some(format!("{} MB", kilobytes / 1000))
}
