//! `preflight-report --plan` with 100 checks of `true`, beside just, task and GNU make, and a loop of `sh -c true`:
//! `cargo bench --bench preflight_plan`.
//!
//! A number behind `--` is how many checks. Whole processes, best of five, all with two jobs if they can run jobs at once. Peers are
//! looked for in the tools that `./check` installs (`DEPLOY_ACTION_TOOLS`, else `target/tools`) and on the `PATH`; those that are absent
//! are left out with a word.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a benchmark prints numbers, finds its peers in the environment, and stops when it cannot measure"
)]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const OURS: &str = env!("CARGO_BIN_EXE_preflight-report");
const ROUNDS: u32 = 5;

fn main() {
    let checks = std::env::args().find_map(|word| word.parse::<u32>().ok()).unwrap_or(100);
    let folder = tempfile::tempdir().unwrap();
    write_files(folder.path(), checks);
    println!(
        "{checks} checks of `true`, best of {ROUNDS}; per check over the loop of `sh -c true`, and the ratio to it"
    );
    let row = |name: &str, took: Option<Duration>, base: Duration| row(name, took, base, checks);
    let loop_of_sh = format!("i=0; while [ $i -lt {checks} ]; do sh -c true; i=$((i + 1)); done");
    let base = best(Path::new("/bin/sh"), &["-c", &loop_of_sh], folder.path());
    row("sh -c true, in a loop", Some(base), base);
    let plan = |file: &str, jobs: &str| {
        best(Path::new(OURS), &["--plan", file, "--jobs", jobs, "--format", "agent"], folder.path())
    };
    row("preflight-report --plan, scripts, 1 job", Some(plan("scripts.toml", "1")), base);
    row("preflight-report --plan, scripts, 2 jobs", Some(plan("scripts.toml", "2")), base);
    row("preflight-report --plan, no shell, 1 job", Some(plan("programs.toml", "1")), base);
    row("preflight-report --plan, no shell, 2 jobs", Some(plan("programs.toml", "2")), base);
    for (name, program, words) in [
        ("just, dependencies", "just", &["--quiet", "all"][..]),
        ("task, deps (at once)", "task", &["--silent", "all"]),
        ("GNU make -j1", "make", &["--silent", "-j1", "all"]),
        ("GNU make -j2", "make", &["--silent", "-j2", "all"]),
    ] {
        row(name, peer(program).map(|program| best(&program, words, folder.path())), base);
    }
}

fn write_files(folder: &Path, checks: u32) {
    let (mut scripts, mut programs) =
        ("[[stage]]\nname = \"all\"\n".to_owned(), "[[stage]]\nname = \"all\"\n".to_owned());
    let mut justfile = String::new();
    let (mut task, mut makefile) = ("version: '3'\ntasks:\n".to_owned(), ".PHONY: all\n".to_owned());
    let names: Vec<String> = (0..checks).map(|number| format!("c{number}")).collect();
    for name in &names {
        writeln!(scripts, "[[stage.check]]\nname = \"{name}\"\nrun = \"true\"").unwrap();
        writeln!(programs, "[[stage.check]]\nname = \"{name}\"\nrun = [\"true\"]").unwrap();
        writeln!(justfile, "{name}:\n    @true").unwrap();
        writeln!(task, "  {name}:\n    cmds: [\"sh -c true\"]").unwrap();
        // With a character of the shell in it, make runs a shell as the others do.
        writeln!(makefile, "{name}:\n\t@true;").unwrap();
    }
    writeln!(justfile, "all: {}", names.join(" ")).unwrap();
    writeln!(task, "  all:\n    deps: [{}]", names.join(", ")).unwrap();
    writeln!(makefile, "all: {}", names.join(" ")).unwrap();
    for (file, text) in [
        ("scripts.toml", scripts),
        ("programs.toml", programs),
        ("justfile", justfile),
        ("Taskfile.yml", task),
        ("Makefile", makefile),
    ] {
        std::fs::write(folder.join(file), text).unwrap();
    }
}

/// The program, from the tools that `./check` installs or from the `PATH`.
fn peer(name: &str) -> Option<PathBuf> {
    let tools = std::env::var_os("DEPLOY_ACTION_TOOLS").map(PathBuf::from);
    let tools = tools.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = [tools.join("venv/bin")].into_iter().chain(std::env::split_paths(&path));
    folders.map(|folder| folder.join(name)).find(|file| file.is_file())
}

fn best(program: &Path, words: &[&str], folder: &Path) -> Duration {
    (0..ROUNDS).map(|_| once(program, words, folder)).min().unwrap()
}

fn once(program: &Path, words: &[&str], folder: &Path) -> Duration {
    let mut command = Command::new(program);
    command.args(words).current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let begun = Instant::now();
    let status = command.status().unwrap();
    let took = begun.elapsed();
    assert!(status.success(), "{} {words:?} ended with {status}", program.display());
    took
}

fn row(name: &str, took: Option<Duration>, base: Duration, checks: u32) {
    match took {
        Some(took) => {
            let (took, base) = (took.as_secs_f64(), base.as_secs_f64());
            let extra = (took - base) * 1000.0 / f64::from(checks);
            println!("{name:45} {:>8.0} ms {extra:>+7.2} ms per check {:>5.1} x", took * 1000.0, took / base);
        }
        None => println!("{name:45} absent"),
    }
}
