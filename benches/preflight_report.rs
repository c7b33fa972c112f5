//! `preflight-report` over a JUnit file of 100 MB and over 200,000 checks as records, beside PyPI's `junitparser` and npm's
//! `junit-to-ctrf` if they are on `PATH`: `cargo bench --bench preflight_report`. A number behind `--` is the size in percent.
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
    let percent = std::env::args().find_map(|word| word.parse::<usize>().ok()).unwrap_or(100);
    let folder = tempfile::tempdir().unwrap();
    let (junit, records) = (folder.path().join("junit.xml"), folder.path().join("records.jsonl"));
    write_junit(&junit, percent);
    write_records(&records, 2000 * percent);
    let size = std::fs::metadata(&junit).unwrap().len() / 1_000_000;
    println!("JUnit of {size} MB with {} cases; {} checks as records", 10_000 * percent, 2000 * percent);
    println!("{:60} {:>9} {:>12}", "", "best", "peak");
    row("preflight-report, JUnit", &[OURS, "--format", "json", text(&junit)], &[0, 1]);
    let script = "import sys, junitparser; xml = junitparser.JUnitXml.fromfile(sys.argv[1]); print(sum(1 for s in xml for c in s))";
    row("junitparser, the same file", &["python3", "-c", script, text(&junit)], &[0]);
    let ctrf = folder.path().join("ctrf.json");
    row("junit-to-ctrf, the same file", &["junit-to-ctrf", text(&junit), "-o", text(&ctrf)], &[0]);
    row("preflight-report, checks as records", &[OURS, "--format", "json", text(&records)], &[0]);
    row("preflight-report, the same as text", &[OURS, text(&records)], &[0]);
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn write_junit(path: &Path, suites: usize) {
    let mut out = BufWriter::new(File::create(path).unwrap());
    write!(out, "<testsuites>").unwrap();
    for suite in 0..suites {
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

fn write_records(path: &Path, checks: usize) {
    let mut out = BufWriter::new(File::create(path).unwrap());
    let head = "\"v\":1,\"run\":\"5ae7847.1\"";
    writeln!(out, "{{{head},\"seq\":0,\"event\":\"run_started\",\"title\":\"T\"}}").unwrap();
    for check in 0..checks {
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

/// Best of three, and the peak, of a program that ends with one of `codes`.
fn row(name: &str, words: &[&str], codes: &[i32]) {
    let run = |words: &[&str]| {
        let begun = Instant::now();
        let status = Command::new(words[0]).args(&words[1..]).stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.map(|status| (status.code(), begun.elapsed()))
    };
    let runs: Vec<_> = (0..3).filter_map(|_| run(words).ok()).collect();
    let good = runs.iter().filter(|(code, _)| code.is_some_and(|code| codes.contains(&code)));
    let Some(best) = good.map(|(_, time)| *time).min() else {
        // A peer that is not there, or that does not come to its end, has no time.
        let why = runs.first().map_or("absent".to_owned(), |(code, _)| format!("failed {}", code.unwrap_or(-1)));
        println!("{name:60} {why:>9}");
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
