//! `stage-run` beside `task`, `just`, `make` and plain shells in one run: `cargo bench --bench stage_run`.
//!
//! First 50 stages of `true`, with the journal on the disk and in memory: the difference is what fsync costs. Then 1 GB of output beside
//! `cat` and `tee` into a file; `STAGE_RUN_BENCH_BYTES` makes it shorter. Peers come from `PATH` (`./check` installs them under
//! `target/tools/venv/bin`) and are left out if they are not there.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a benchmark prints numbers, stops when it cannot measure, and is told its length by a variable"
)]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

const OURS: &str = env!("CARGO_BIN_EXE_stage-run");
const STAGES: u32 = 50;

fn main() {
    stages();
    output();
}

/// 50 stages of `true`, each tool with its kind of file.
fn stages() {
    let folder = project();
    println!("{:44} {:>9} {:>9} {:>9}", "50 stages of true", "best", "middle", "peak");
    let plain = row("sh -c, 50 times", folder.path(), 7, &["sh", "-c", "for i in $(seq 50); do sh -c true; done"]);
    row("bash -c, 50 times", folder.path(), 7, &["sh", "-c", "for i in $(seq 50); do bash -c true; done"]);
    let disk = row("stage-run", folder.path(), 7, &[OURS, "--journal", "journal"]);
    let memory = TempDir::new_in("/dev/shm").ok();
    let memory = memory.as_ref().and_then(|memory| {
        row("stage-run, journal in memory", folder.path(), 7, &[OURS, "--journal", memory.path().to_str()?])
    });
    row("task", folder.path(), 7, &["task", "--silent", "all"]);
    row("just", folder.path(), 7, &["just", "--quiet", "all"]);
    row("make", folder.path(), 7, &["make", "--silent", "all"]);
    if let (Some(plain), Some(disk), Some(memory)) = (plain, disk, memory) {
        let each = |span: Duration| span.saturating_sub(plain).as_secs_f64() * 1000.0 / f64::from(STAGES);
        println!("over sh -c, per stage: {:.2} ms without fsync, {:.2} ms with it", each(memory), each(disk));
    }
}

/// A folder with the same 50 stages as a plan, a Taskfile, a justfile and a Makefile, each stage after the one before.
fn project() -> TempDir {
    let folder = TempDir::new().unwrap();
    let write = |name: &str, text: String| std::fs::write(folder.path().join(name), text).unwrap();
    let all = |line: &dyn Fn(u32) -> String| (1..=STAGES).map(line).collect::<String>();
    write("stages.toml", all(&|number| format!("[[stage]]\nname = \"s{number}\"\nrun = \"true\"\n")));
    let tasks = all(&|number| format!("  s{number}: {{cmds: ['sh -c true']}}\n"));
    let calls = all(&|number| format!("      - task: s{number}\n"));
    write("Taskfile.yml", format!("version: '3'\ntasks:\n{tasks}  all:\n    cmds:\n{calls}"));
    let recipes = all(&|number| format!("s{number}:\n    @true\n"));
    write("justfile", format!("{recipes}all: {}\n", all(&|number| format!("s{number} "))));
    let rules = all(&|number| {
        let before = if number > 1 { format!("s{}", number - 1) } else { String::new() };
        // With `;` make starts a shell, as the others do.
        format!("s{number}: {before}\n\t@true;\n")
    });
    write("Makefile", format!(".PHONY: all\n{rules}all: s{STAGES}\n"));
    folder
}

/// A stage that prints 1 GB of lines of 100 bytes.
fn output() {
    let bytes = std::env::var("STAGE_RUN_BENCH_BYTES").unwrap_or_else(|_| "1000000000".to_owned());
    let folder = TempDir::new().unwrap();
    let source = format!("yes {} | head -c {bytes}", "0123456789".repeat(10).split_off(1));
    let plan = format!("log_limit = \"100M\"\n[[stage]]\nname = \"a\"\nrun = \"set +o pipefail; {source}\"\n");
    std::fs::write(folder.path().join("stages.toml"), plan).unwrap();
    println!("{:44} {:>9} {:>9} {:>9}", format!("{bytes} bytes of output"), "best", "middle", "peak");
    row("cat", folder.path(), 3, &["sh", "-c", &format!("{source} | cat >/dev/null")]);
    let tee = row("tee into a file", folder.path(), 3, &["sh", "-c", &format!("{source} | tee log >/dev/null")]);
    let ours = row("stage-run", folder.path(), 3, &["sh", "-c", &format!("{OURS} --journal journal 2>/dev/null")]);
    if let (Some(tee), Some(ours)) = (tee, ours) {
        println!("{:.2} x tee", ours.as_secs_f64() / tee.as_secs_f64());
    }
}

/// Runs a command line several times and prints a line; the middle time, or nothing when it cannot run.
fn row(what: &str, folder: &Path, times: usize, words: &[&str]) -> Option<Duration> {
    let mut spans = Vec::new();
    let mut peak = 0.0_f64;
    for _ in 0..times {
        // GNU time adds its own start, which is below a millisecond.
        let mut command = Command::new("/usr/bin/time");
        command.args(["-q", "-f", "%M"]).args(words).current_dir(folder).env("XDG_STATE_HOME", folder.join("state"));
        let start = Instant::now();
        let output = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).output().ok()?;
        spans.push(start.elapsed());
        if !output.status.success() {
            println!("{what:44} left out: {}", output.status);
            return None;
        }
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        peak = peak.max(text.lines().last()?.trim().parse().unwrap_or_default());
    }
    spans.sort_unstable();
    let middle = spans[spans.len() / 2];
    let shown = |span: Duration| format!("{:.1} ms", span.as_secs_f64() * 1000.0);
    println!("{what:44} {:>9} {:>9} {:>5.1} MiB", shown(spans[0]), shown(middle), peak / 1024.0);
    Some(middle)
}
