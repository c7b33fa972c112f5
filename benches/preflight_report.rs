//! `preflight-report` over a JUnit file of 100 MB and over 200,000 checks as records, beside PyPI's `junitparser` and npm's
//! `junit-to-ctrf`: `cargo bench --bench preflight_report`. A number behind `--` is the size in percent.
//!
//! Whole processes, best of three, with the ratio to ours over the same file; peak memory with GNU time if it is installed. Peers are
//! looked for in the tools that `./check` installs (`DEPLOY_ACTION_TOOLS`, else `target/tools`), then on the `PATH`.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a benchmark prints numbers, finds its peers in the environment, and stops when it cannot measure"
)]

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
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
    println!("{:45} {:>9} {:>9} {:>8}", "", "best", "peak", "ratio");
    let ours = row("preflight-report, JUnit", &[OURS, "--format", "json", text(&junit)], &[0, 1], None);
    let script = "import sys, junitparser; xml = junitparser.JUnitXml.fromfile(sys.argv[1]); print(sum(1 for s in xml for c in s))";
    let python = peer("venv/bin", "python3");
    row("junitparser, the same file", &[text(&python), "-c", script, text(&junit)], &[0], ours);
    let (ctrf, converter) = (folder.path().join("ctrf.json"), peer("node_modules/.bin", "junit-to-ctrf"));
    row("junit-to-ctrf, the same file", &[text(&converter), text(&junit), "-o", text(&ctrf)], &[0], ours);
    let ours = row("preflight-report, checks as records", &[OURS, "--format", "json", text(&records)], &[0], None);
    row("preflight-report, the same as text", &[OURS, text(&records)], &[0], ours);
}

/// A program of the tools that `./check` installs, else its name, for the `PATH`.
fn peer(folder: &str, name: &str) -> PathBuf {
    let tools = std::env::var_os("DEPLOY_ACTION_TOOLS").map(PathBuf::from);
    let tools = tools.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools"));
    let installed = tools.join(folder).join(name);
    if installed.is_file() { installed } else { name.into() }
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

/// Best of three, the peak, and the ratio to `base`, of a program that ends with one of `codes`. Returns the best time.
fn row(name: &str, words: &[&str], codes: &[i32], base: Option<Duration>) -> Option<Duration> {
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
        println!("{name:45} {why:>9}");
        return None;
    };
    let ratio = base.map(|base| format!("{:.1} x", best.as_secs_f64() / base.as_secs_f64())).unwrap_or_default();
    println!("{name:45} {:>9} {:>9} {ratio:>8}", seconds(best), peak(words).unwrap_or_else(|| "-".to_owned()));
    Some(best)
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
