//! `pages-deploy-all` beside real wrangler, in one run on one stand-in: `cargo bench --bench pages`.
//!
//! Three workloads, each cold (nothing is stored), warm (everything is), with one file of each site changed, and with 50 ms in front of
//! every response. For wrangler a loop over the sites and four at once. `BENCH_RUNS` (3) is how often each is measured; the median of
//! wall time is shown with the CPU time, peak memory of the largest process and requests of that run. Linux only.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark stops at what it did not expect"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use emulators::Cloudflare;
use emulators::http::Fault;

/// Name, sites, files of each, bytes of each file.
const WORKLOADS: [(&str, usize, usize, usize); 3] = [
    ("20 sites x 50 x 20 KB", 20, 50, 20_000),
    ("1 site x 20,000 x 8 KB", 1, 20_000, 8_000),
    ("1 site x 200 x 5 MB", 1, 200, 5_000_000),
];

#[derive(Clone, Copy, PartialEq)]
enum State {
    Cold,
    Warm,
    OneChanged,
    Slow,
}

#[derive(Clone)]
struct Measured {
    wall: Duration,
    cpu_seconds: f64,
    peak_kib: u64,
    requests: usize,
}

fn main() {
    let only = std::env::var("BENCH_ONLY").unwrap_or_default();
    let wrangler = tools();
    println!(
        "| workload | state | tool | wall s | CPU s | peak MiB | requests |\n| --- | --- | --- | ---: | ---: | ---: | ---: |"
    );
    for (name, sites, files, bytes) in WORKLOADS.into_iter().filter(|workload| workload.0.contains(&only)) {
        let root = tempfile::tempdir().unwrap();
        fill(root.path(), sites, files, bytes);
        for (state, state_name) in [
            (State::Cold, "cold"),
            (State::Warm, "warm"),
            (State::OneChanged, "one changed"),
            (State::Slow, "50 ms, warm"),
        ] {
            let show = |tool: &str, measured: Measured| {
                println!(
                    "| {name} | {state_name} | {tool} | {:.2} | {:.2} | {} | {} |",
                    measured.wall.as_secs_f64(),
                    measured.cpu_seconds,
                    measured.peak_kib / 1024,
                    measured.requests
                );
            };
            show("pages-deploy-all", median(root.path(), sites, state, &ours));
            let Some(programs) = &wrangler else { continue };
            show(
                "wrangler, a loop",
                median(root.path(), sites, state, &|root, cloudflare| theirs(root, cloudflare, programs, "1")),
            );
            if sites > 1 {
                let four = |root: &Path, cloudflare: &Cloudflare| theirs(root, cloudflare, programs, "4");
                show("wrangler, xargs -P4", median(root.path(), sites, state, &four));
            }
        }
    }
}

fn tools() -> Option<PathBuf> {
    let named = std::env::var_os("DEPLOY_ACTION_TOOLS").map(PathBuf::from);
    let tools = named.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools"));
    Some(tools.join("node_modules/.bin")).filter(|programs| programs.join("wrangler").exists())
}

/// Sites whose files all differ; text and numbers, as in real ones.
fn fill(root: &Path, sites: usize, files: usize, bytes: usize) {
    for site in 0..sites {
        let dist = root.join(format!("sites/site-{site}/dist"));
        // The last one is index.html: 20,000 is what a project may have.
        for file in 1..files {
            let folder = dist.join(format!("d{}", file % 50));
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join(format!("f{file}.txt")), text(site * files + file, bytes)).unwrap();
        }
        fs::write(dist.join("index.html"), text(usize::MAX - site, 200)).unwrap();
    }
}

fn text(seed: usize, bytes: usize) -> Vec<u8> {
    let mut state = seed as u64 ^ 0x9e37_79b9_7f4a_7c15;
    let mut text = Vec::with_capacity(bytes + 8);
    while text.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        text.extend_from_slice(&state.to_le_bytes());
    }
    text.truncate(bytes);
    text
}

/// The run with the median wall time, each on a service of its own.
fn median(root: &Path, sites: usize, state: State, run: &dyn Fn(&Path, &Cloudflare) -> Command) -> Measured {
    let runs = std::env::var("BENCH_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(3);
    let mut all: Vec<Measured> = (0..runs)
        .map(|number| {
            let cloudflare = Cloudflare::start();
            for site in 0..sites {
                cloudflare.project(&format!("site-{site}"));
            }
            if state != State::Cold {
                measure(ours(root, &cloudflare), &cloudflare);
            }
            if state == State::OneChanged {
                for site in 0..sites {
                    let path = root.join(format!("sites/site-{site}/dist/index.html"));
                    fs::write(path, text(number + 7, 300 + number)).unwrap();
                }
            }
            if state == State::Slow {
                cloudflare.fail("*", Fault::none().delayed(Duration::from_millis(50)));
            }
            measure(run(root, &cloudflare), &cloudflare)
        })
        .collect();
    all.sort_by_key(|measured| measured.wall);
    all[all.len() / 2].clone()
}

fn ours(root: &Path, cloudflare: &Cloudflare) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pages-deploy-all"));
    command.args(["sites", "--branch", "main"]);
    surround(command, root, cloudflare, "/usr/bin:/bin")
}

fn theirs(root: &Path, cloudflare: &Cloudflare, programs: &Path, at_once: &str) -> Command {
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
    let (requests, cpu) = (cloudflare.requests().len(), children_cpu());
    let began = Instant::now();
    let mut child = command.spawn().unwrap();
    let mut peak_kib = 0;
    let status = loop {
        peak_kib = peak_kib.max(largest(child.id()));
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        std::thread::sleep(Duration::from_millis(4));
    };
    let wall = began.elapsed();
    assert!(status.success(), "{status}");
    let all = cloudflare.requests();
    // What the probes asked of the sites is no request to the API.
    let api = all[requests..].iter().filter(|request| request.path.starts_with("/client/v4")).count();
    Measured { wall, cpu_seconds: children_cpu() - cpu, peak_kib, requests: api }
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

/// Seconds of CPU that children which have ended took (`proc(5)`: `cutime`, `cstime`, in hundredths).
fn children_cpu() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u32 = fields[13].parse::<u32>().unwrap() + fields[14].parse::<u32>().unwrap();
    f64::from(ticks) / 100.0
}
