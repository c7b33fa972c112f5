//! `secrets-env` beside `curl` of the same URL and the real Doppler CLI, in one run: `cargo bench --bench secrets_env`.
//!
//! Whole processes against the stand-in on loopback; CPU from /proc, peak memory with GNU time if it is installed. The Doppler CLI is left
//! out if it is not on `PATH` (`./check` installs it under `target/tools/venv/bin`). Then the time that a line takes through the redactor
//! and back, beside a bare `cat`.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints numbers, and stops when it cannot measure"
)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use emulators::Doppler;

const OURS: &str = env!("CARGO_BIN_EXE_secrets-env");

fn main() {
    let doppler = Doppler::start();
    for number in 0..60u64 {
        let value = format!("{:032x}", u128::from(number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835));
        doppler.set("dev", &format!("SECRET_{number:02}"), &value);
    }
    println!("{:44} {:>9} {:>9} {:>9} {:>9}", "60 secrets", "best", "middle", "CPU", "peak");
    let url = format!("{}/v3/configs/config/secrets/download?format=json", doppler.url());
    let bearer = format!("Authorization: Bearer {}", doppler.token());
    let curl = row("curl of the same URL", Command::new("curl").args(["-sf", "-H", &bearer, &url]));
    let script = format!("curl -sf -H '{bearer}' '{url}' >/dev/null && exec true");
    row("curl, then exec true", Command::new("sh").args(["-c", &script]));
    let ours = |arguments: &[&str]| {
        let mut command = Command::new(OURS);
        command.args(arguments).env("DOPPLER_API_HOST", doppler.url()).env("DOPPLER_TOKEN", doppler.token());
        command.env_remove("GITHUB_ACTIONS").env_remove("RUNNER_TEMP");
        command
    };
    let exec = row("secrets-env -- true", &mut ours(&["--", "true"]));
    row("secrets-env --format json", &mut ours(&["--format", "json"]));
    row("secrets-env --redact -- true", &mut ours(&["--redact", "--", "true"]));
    row("doppler run -- true", &mut doppler_cli(&doppler));
    row("secrets-env --version", &mut ours(&["--version"]));
    row("true", &mut Command::new("true"));
    if let (Some(curl), Some(exec)) = (curl, exec) {
        println!("fetch and exec: {:.2} x curl", exec.as_secs_f64() / curl.as_secs_f64());
    }
    let large = Doppler::start();
    for number in 0..1_190u64 {
        // 480 KiB in all, nearly Doppler's limits.
        large.set("dev", &format!("SECRET_{number:04}"), &base64_like(number));
    }
    println!("{:44} {:>9} {:>9} {:>9} {:>9}", "1,190 secrets", "best", "middle", "CPU", "peak");
    let ours_at = |arguments: &[&str]| {
        let mut command = ours(arguments);
        command.env("DOPPLER_API_HOST", large.url()).env("DOPPLER_TOKEN", large.token());
        command
    };
    row("secrets-env -- true", &mut ours_at(&["--", "true"]));
    let redacted = row("secrets-env --redact -- true", &mut ours_at(&["--redact", "--", "true"]));
    row("secrets-env --redact -- echo x", &mut ours_at(&["--redact", "--", "echo", "x"]));
    let cli = row("doppler run -- true", &mut doppler_cli(&large));
    row("  … as a step of a job", ours_at(&["--", "true"]).env("GITHUB_ACTIONS", "true"));
    if let (Some(redacted), Some(cli)) = (redacted, cli) {
        println!("fetch, exec and redact: {:.2} x doppler run", redacted.as_secs_f64() / cli.as_secs_f64());
    }
    let redacted = round_trip(&mut ours(&["--redact", "--", "cat"]));
    let plain = round_trip(&mut Command::new("cat"));
    println!("a line there and back: {redacted:.0?} redacted, {plain:.0?} through cat alone (middle of 500)");
}

/// The Doppler CLI with what it would do by default and we do not (a fallback file, a look for a newer version) switched off.
fn doppler_cli(doppler: &Doppler) -> Command {
    let mut cli = Command::new("doppler");
    cli.args(["run", "--no-fallback", "--no-check-version", "--", "true"]);
    cli.env("DOPPLER_API_HOST", doppler.url()).env("DOPPLER_TOKEN", doppler.token());
    cli
}

/// 408 characters that look like a key.
fn base64_like(seed: u64) -> String {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut state = seed + 1;
    let character = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(alphabet[usize::from(state.to_be_bytes()[0] % 64)])
    };
    (0..408).map(character).collect()
}

/// Runs `command` several times and prints a line; the middle time, or nothing when it cannot run.
fn row(what: &str, command: &mut Command) -> Option<Duration> {
    const TIMES: u32 = 31;
    let mut spans = Vec::new();
    let before = children_cpu();
    for _ in 0..TIMES {
        let start = Instant::now();
        let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().ok()?;
        spans.push(start.elapsed());
        assert!(status.success(), "{what}: {status}");
    }
    spans.sort_unstable();
    let middle = spans[spans.len() / 2];
    let cpu = (children_cpu() - before) * 1000.0 / f64::from(TIMES);
    let cpu = format!("{cpu:.1} ms");
    let peak = peak(command).unwrap_or_default();
    let shown = |span: Duration| format!("{:.2} ms", span.as_secs_f64() * 1000.0);
    println!("{what:44} {:>9} {:>9} {cpu:>9} {peak:>9}", shown(spans[0]), shown(middle));
    Some(middle)
}

/// Seconds of CPU that children which have ended took (`proc(5)`: `cutime`, `cstime`, in hundredths).
fn children_cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields = stat.rsplit(')').next().unwrap().split_whitespace();
    let ticks: u32 = fields.skip(13).take(2).map(|field| field.parse::<u32>().unwrap()).sum();
    f64::from(ticks) / 100.0
}

/// The peak of memory of ten runs.
fn peak(command: &Command) -> Option<String> {
    let mut peak = 0.0_f64;
    for _ in 0..10 {
        let mut timed = Command::new("/usr/bin/time");
        timed.args(["-q", "-f", "%M"]).arg(command.get_program()).args(command.get_args()).stdout(Stdio::null());
        timed.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let output = timed.output().ok()?;
        let kib: f64 = String::from_utf8(output.stderr).ok()?.lines().last()?.trim().parse().ok()?;
        peak = peak.max(kib);
    }
    Some(format!("{:.1} MiB", peak / 1024.0))
}

/// The middle time from writing a line to reading it back.
fn round_trip(command: &mut Command) -> Duration {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut there, mut back) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    let mut spans = Vec::new();
    for number in 0..500 {
        let start = Instant::now();
        writeln!(there, "compiled module {number} of 500").unwrap();
        back.read_line(&mut String::new()).unwrap();
        spans.push(start.elapsed());
    }
    drop(there);
    child.wait().unwrap();
    spans.sort_unstable();
    spans[250]
}
