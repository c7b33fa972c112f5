//! `pages-deploy-all` beside real wrangler, in one run on one stand-in: `cargo bench --bench pages`, about seven minutes.
//!
//! Three workloads, each cold (nothing is stored), warm (everything is), with one file of each site changed, and cold and warm with
//! 50 ms in front of every response. wrangler runs in a loop over the sites and, where there are several, four at once. Words after
//! `--` choose workloads by a part of their names; a fourth one, of 100,000 files, runs only when it is named, and without wrangler.
//! `BENCH_RUNS` (5) is the number of our runs and `BENCH_WRANGLER_RUNS` (1) that of wrangler's: the run with the median wall time
//! is shown, with the mean of the CPU time, the largest process's peak memory, the requests to the API, and the stand-in's own CPU time.
//! Below each workload: what reading, encoding and hashing its bytes costs one core, and where our wall time goes. Linux only.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark stops at what it did not expect"
)]

use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use emulators::Cloudflare;
use emulators::http::{Fault, Request};
use jiff::Timestamp;

struct Workload {
    name: &'static str,
    sites: usize,
    files: usize,
    bytes: usize,
    beside_wrangler: bool,
}

const WORKLOADS: [Workload; 4] = [
    Workload { name: "20 sites x 50 x 20 KB", sites: 20, files: 50, bytes: 20_000, beside_wrangler: true },
    Workload { name: "1 site x 20,000 x 8 KB", sites: 1, files: 20_000, bytes: 8_000, beside_wrangler: true },
    Workload { name: "1 site x 200 x 5 MB", sites: 1, files: 200, bytes: 5_000_000, beside_wrangler: true },
    Workload { name: "1 site x 100,000 x 1 KB", sites: 1, files: 100_000, bytes: 1_000, beside_wrangler: false },
];

#[derive(Clone, Copy, PartialEq)]
enum Store {
    Empty,
    Full,
    OneChanged,
}

/// What the store already holds, and the delay of every response.
#[derive(Clone, Copy)]
struct State {
    name: &'static str,
    store: Store,
    latency: Duration,
}

const STATES: [State; 5] = [
    State { name: "cold", store: Store::Empty, latency: Duration::ZERO },
    State { name: "warm", store: Store::Full, latency: Duration::ZERO },
    State { name: "one changed", store: Store::OneChanged, latency: Duration::ZERO },
    State { name: "cold, 50 ms", store: Store::Empty, latency: Duration::from_millis(50) },
    State { name: "warm, 50 ms", store: Store::Full, latency: Duration::from_millis(50) },
];

#[derive(Clone)]
struct Measured {
    wall: Duration,
    cpu: Duration,
    service_cpu: Duration,
    peak_kib: u64,
    requests: usize,
    stages: String,
}

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let is_wanted = |workload: &Workload| {
        if wanted.is_empty() {
            workload.beside_wrangler
        } else {
            wanted.iter().any(|word| workload.name.contains(word))
        }
    };
    for workload in WORKLOADS.iter().filter(|workload| is_wanted(workload)) {
        compare(workload);
    }
}

fn compare(workload: &Workload) {
    let root = tempfile::tempdir().unwrap();
    fill(root.path(), workload);
    let floor = floor(root.path());
    let programs = tools().filter(|_| workload.beside_wrangler);
    println!("\n| {} | tool | wall s | x | CPU s | peak MiB | requests | stand-in CPU s |", workload.name);
    println!("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |");
    let mut stages = Vec::new();
    for state in STATES {
        let ours = median(root.path(), workload, state, runs("BENCH_RUNS", 5), &ours);
        show(state.name, "pages-deploy-all", &ours, &ours);
        stages.push(format!("{}: {}; CPU {:.1} x the floor", state.name, ours.stages, ratio(ours.cpu, floor)));
        let Some(programs) = &programs else { continue };
        let beside = |name: &str, at_once: &str| {
            let run = |root: &Path, cloudflare: &Cloudflare| wrangler(root, cloudflare, programs, at_once);
            let theirs = median(root.path(), workload, state, runs("BENCH_WRANGLER_RUNS", 1), &run);
            show(state.name, name, &theirs, &ours);
        };
        beside("wrangler, a loop", "1");
        if workload.sites > 1 {
            beside("wrangler, xargs -P4", "4");
        }
    }
    println!("\nreading, base64 and BLAKE3 of all bytes, one core: {:.2} s of CPU", floor.as_secs_f64());
    for line in stages {
        println!("{line}");
    }
}

fn show(state: &str, tool: &str, measured: &Measured, ours: &Measured) {
    println!(
        "| {state} | {tool} | {:.2} | {:.1} | {:.2} | {} | {} | {:.2} |",
        measured.wall.as_secs_f64(),
        ratio(measured.wall, ours.wall),
        measured.cpu.as_secs_f64(),
        measured.peak_kib / 1024,
        measured.requests,
        measured.service_cpu.as_secs_f64(),
    );
}

fn ratio(one: Duration, other: Duration) -> f64 {
    one.as_secs_f64() / other.as_secs_f64()
}

fn runs(variable: &str, default: usize) -> usize {
    std::env::var(variable).ok().and_then(|runs| runs.parse().ok()).unwrap_or(default)
}

fn tools() -> Option<PathBuf> {
    let named = std::env::var_os("DEPLOY_ACTION_TOOLS").map(PathBuf::from);
    let tools = named.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools"));
    Some(tools.join("node_modules/.bin")).filter(|programs| programs.join("wrangler").exists())
}

/// Sites whose files all differ; bytes that do not repeat, as in images.
fn fill(root: &Path, workload: &Workload) {
    for site in 0..workload.sites {
        let dist = root.join(format!("sites/site-{site}/dist"));
        // The last one is index.html: 20,000 is what a project may have.
        for file in 1..workload.files {
            let folder = dist.join(format!("d{}", file % 50));
            fs::create_dir_all(&folder).unwrap();
            let seed = site * workload.files + file;
            fs::write(folder.join(format!("f{file}.txt")), noise(seed, workload.bytes)).unwrap();
        }
        fs::write(dist.join("index.html"), noise(usize::MAX - site, 200)).unwrap();
    }
}

fn noise(seed: usize, bytes: usize) -> Vec<u8> {
    let mut state = seed as u64 ^ 0x9e37_79b9_7f4a_7c15;
    let mut noise = Vec::with_capacity(bytes + 8);
    while noise.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        noise.extend_from_slice(&state.to_le_bytes());
    }
    noise.truncate(bytes);
    noise
}

/// What the work itself costs: every file read, encoded with the usual crate, hashed with the tool's own, on one thread.
fn floor(root: &Path) -> Duration {
    let began = thread_cpu();
    let mut waiting = vec![root.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                waiting.push(entry.path());
            } else {
                black_box(blake3::hash(STANDARD.encode(fs::read(entry.path()).unwrap()).as_bytes()));
            }
        }
    }
    thread_cpu().saturating_sub(began)
}

/// The run with the median wall time, each on a separate service; the CPU times are means, since the system counts hundredths.
fn median(
    root: &Path,
    workload: &Workload,
    state: State,
    runs: usize,
    run: &dyn Fn(&Path, &Cloudflare) -> Command,
) -> Measured {
    let mut all: Vec<Measured> = (0..runs)
        .map(|number| {
            let cloudflare = Cloudflare::start();
            cloudflare.upload_tokens_will(Duration::from_mins(5), 100_000);
            (0..workload.sites).for_each(|site| cloudflare.project(&format!("site-{site}")));
            if state.store != Store::Empty {
                measure(ours(root, &cloudflare), &cloudflare);
            }
            if state.store == Store::OneChanged {
                for site in 0..workload.sites {
                    let path = root.join(format!("sites/site-{site}/dist/index.html"));
                    fs::write(path, noise(number + 7, 300 + number)).unwrap();
                }
            }
            if !state.latency.is_zero() {
                cloudflare.fail("*", Fault::none().delayed(state.latency));
            }
            measure(run(root, &cloudflare), &cloudflare)
        })
        .collect();
    let count = u32::try_from(all.len()).unwrap();
    let mean = |of: fn(&Measured) -> Duration| all.iter().map(of).sum::<Duration>() / count;
    let (cpu, service_cpu) = (mean(|one| one.cpu), mean(|one| one.service_cpu));
    all.sort_by_key(|measured| measured.wall);
    Measured { cpu, service_cpu, ..all[all.len() / 2].clone() }
}

fn ours(root: &Path, cloudflare: &Cloudflare) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pages-deploy-all"));
    command.args(["sites", "--branch", "main"]);
    surround(command, root, cloudflare, "/usr/bin:/bin")
}

fn wrangler(root: &Path, cloudflare: &Cloudflare, programs: &Path, at_once: &str) -> Command {
    let script = "ls sites | xargs -P \"$1\" -I{} sh -c 'cd sites/{} && wrangler pages deploy dist --branch main --project-name {}'";
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh", at_once]);
    surround(command, root, cloudflare, &format!("{}:/usr/bin:/bin", programs.display()))
}

fn surround(mut command: Command, root: &Path, cloudflare: &Cloudflare, path: &str) -> Command {
    command
        .current_dir(root)
        .env_clear()
        .env("PATH", path)
        .env("HOME", root)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.env("CLOUDFLARE_API_BASE_URL", cloudflare.url()).env("CLOUDFLARE_ACCOUNT_ID", cloudflare.account());
    command.env("CLOUDFLARE_API_TOKEN", cloudflare.token()).env("WRANGLER_SEND_METRICS", "false").env("CI", "true");
    command
}

fn measure(mut command: Command, cloudflare: &Cloudflare) -> Measured {
    let before = cloudflare.requests().len();
    let (cpu, service_cpu) = (process_cpu(Of::Children), process_cpu(Of::Itself));
    let (began, start) = (Instant::now(), Timestamp::now());
    let mut child = command.spawn().unwrap();
    let mut peak_kib = 0;
    let status = loop {
        peak_kib = peak_kib.max(largest(child.id()));
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let wall = began.elapsed();
    assert!(status.success(), "{status}");
    let cpu = process_cpu(Of::Children).saturating_sub(cpu);
    let service_cpu = process_cpu(Of::Itself).saturating_sub(service_cpu);
    let mut requests = cloudflare.requests().split_off(before);
    let stages = stages(&requests, start, wall);
    // What the probes asked of the sites is no request to the API.
    requests.retain(|request| request.path.starts_with("/client/v4"));
    Measured { wall, cpu, service_cpu, peak_kib, requests: requests.len(), stages }
}

/// Where the wall time went, by when the last request of each kind arrived.
fn stages(requests: &[Request], start: Timestamp, wall: Duration) -> String {
    const MARKS: [(&str, &str); 5] = [
        ("start", "GET */pages/projects/*"),
        ("look up, read and hash", "POST */check-missing"),
        ("ask and upload", "POST */upsert-hashes"),
        ("mark as used", "POST */deployments"),
        ("create, and wait 0.2 s", "GET */deployments/*"),
    ];
    let mut told = Vec::new();
    let mut from = start;
    for (name, pattern) in MARKS {
        let mut of_kind = requests.iter().filter(|request| request.matches(pattern));
        let mark = if name == "start" { of_kind.next() } else { of_kind.next_back() };
        let Some(mark) = mark else { continue };
        told.push(format!("{name} {:.2}", mark.at.duration_since(from).as_secs_f64()));
        from = mark.at;
    }
    let rest = wall.as_secs_f64() - from.duration_since(start).as_secs_f64();
    told.push(format!("answer, look at the sites, tell {rest:.2}"));
    told.join(", ")
}

/// The peak memory of the largest process below `root`, itself included.
fn largest(root: u32) -> u64 {
    let mut peak = 0;
    let mut waiting = vec![root];
    while let Some(process) = waiting.pop() {
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak = peak.max(line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0));
        let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
        waiting.extend(children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
    }
    peak
}

#[derive(Clone, Copy)]
enum Of {
    Itself,
    /// Those that have ended.
    Children,
}

/// CPU time, in the hundredths of a second that `proc(5)` counts: `utime` and `stime`, `cutime` and `cstime`.
fn process_cpu(of: Of) -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let first = match of {
        Of::Itself => 11,
        Of::Children => 13,
    };
    let ticks: u64 = fields[first].parse::<u64>().unwrap() + fields[first + 1].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

/// CPU time of this thread alone.
fn thread_cpu() -> Duration {
    let schedule = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(schedule.split_whitespace().next().unwrap().parse().unwrap())
}
