//! Whole processes, from start to exit: wall time, processor time with all their children, and their own peak of memory.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::farm::quiet;

/// What is measured in turn.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) command: Command,
    /// The exit code that it must have.
    pub(crate) code: i32,
    /// Whether it is a peer: left out if it is not installed.
    pub(crate) is_peer: bool,
}

impl Row {
    pub(crate) fn ours(name: &str, command: Command) -> Self {
        Self { name: name.to_owned(), command, code: 0, is_peer: false }
    }

    pub(crate) fn peer(name: &str, command: Command) -> Self {
        Self { is_peer: true, ..Self::ours(name, command) }
    }
}

/// The middle of what a row took.
#[derive(Clone, Debug)]
pub(crate) struct Cost {
    pub(crate) name: String,
    pub(crate) wall: Duration,
}

/// Runs the rows in turn, `times` times, so that a change of the machine's mood meets all of them. Prints a table.
pub(crate) fn rows(title: &str, times: usize, mut rows: Vec<Row>) -> Vec<Cost> {
    println!("\n{title}");
    println!("  {:44} {:>9} {:>9} {:>9}", "", "best", "middle", "cpu");
    rows.retain(|row| !row.is_peer || is_installed(&row.command));
    let mut taken: Vec<Vec<(Duration, Duration)>> = vec![Vec::new(); rows.len()];
    for _ in 0..times {
        for (row, taken) in rows.iter_mut().zip(&mut taken) {
            let before = children();
            let begun = Instant::now();
            let status = quiet(&mut row.command).status().unwrap();
            let wall = begun.elapsed();
            check(row, status);
            taken.push((wall, children().saturating_sub(before)));
        }
    }
    let mut costs = Vec::new();
    for (row, mut taken) in rows.into_iter().zip(taken) {
        taken.sort_unstable();
        let (wall, cpu) = taken[taken.len() / 2];
        println!(
            "  {:44} {:>7.3} s {:>7.3} s {:>7.2} s",
            row.name,
            taken[0].0.as_secs_f64(),
            wall.as_secs_f64(),
            cpu.as_secs_f64()
        );
        costs.push(Cost { name: row.name, wall });
    }
    costs
}

/// Prints how many times as long the first row takes as each of the others, and the goal where the specification has one.
pub(crate) fn compare(costs: &[Cost], goals: &[(&str, f64)]) {
    let Some((ours, others)) = costs.split_first() else { return };
    for other in others {
        let ratio = ours.wall.as_secs_f64() / other.wall.as_secs_f64();
        let goal = goals.iter().find(|(name, _)| *name == other.name);
        let goal = goal.map(|(_, goal)| format!("goal {goal:.1} x: {}", verdict(ratio <= *goal))).unwrap_or_default();
        println!("  {:44} {ratio:>7.2} x   {goal}", format!("{} / {}", ours.name, other.name));
    }
}

pub(crate) fn verdict(holds: bool) -> &'static str {
    if holds { "met" } else { "MISSED" }
}

/// Runs a command with its streams in `file`; its text.
pub(crate) fn output(row: &mut Row, file: &Path) -> String {
    let sink = File::create(file).unwrap();
    let both = sink.try_clone().unwrap();
    let status = row.command.stdin(Stdio::null()).stdout(sink).stderr(both).status().unwrap();
    check(row, status);
    String::from_utf8_lossy(&fs::read(file).unwrap()).into_owned()
}

/// The peak of a process's own memory, in MiB: the kernel's high-water mark, read until the process ends.
pub(crate) fn peak(mut command: Command) -> f64 {
    let mut child = quiet(&mut command).spawn().unwrap();
    let mut peak = 0.0;
    while child.try_wait().unwrap().is_none() {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        if let Some(kilobytes) = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok()) {
            peak = kilobytes / 1024.0;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    peak
}

fn check(row: &Row, status: ExitStatus) {
    assert_eq!(status.code(), Some(row.code), "{}: {status}", row.name);
}

fn is_installed(command: &Command) -> bool {
    let name = command.get_program();
    let found = Command::new("sh").args(["-c", "command -v \"$1\"", "sh"]).arg(name).stdout(Stdio::null()).status();
    let found = found.unwrap().success();
    if !found {
        println!("  {:44} not installed, left out", name.display());
    }
    found
}

/// The processor time of all children that have ended, and of theirs.
fn children() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    // After the name, which may hold blanks: fields 16 and 17, in hundredths of a second.
    let after = stat.rsplit_once(')').unwrap().1;
    let fields: Vec<&str> = after.split_ascii_whitespace().collect();
    Duration::from_millis(fields[13..15].iter().map(|field| field.parse::<u64>().unwrap() * 10).sum())
}
