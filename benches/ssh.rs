//! `ssh-deploy` beside xargs, pdsh and pssh on a farm of real sshds, all in one run: `cargo bench --bench ssh`.
//!
//! Every tool uses curve25519, the same key, the same servers, and as many connections at a time as there are hosts. `xargs, probe` runs
//! `ssh/probe.sh`, what a deploy does on a host beside its command: the rest is the price of the tool itself. A peer that is not
//! installed is left out.
//!
//! Options, after `--`: `--hosts N` (100), `--times N` (5), `--megabytes N` (1000) of output from one host, and names of sections:
//! `true`, `lines`, `output`, `redaction`, `step`, `memory`, `ends`, `upload`, `bastion`. All sections without a name.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a benchmark prints numbers, and stops when it cannot measure"
)]

#[path = "ssh/farm.rs"]
mod farm;
#[path = "ssh/measure.rs"]
mod measure;

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use farm::{Farm, quiet};
use measure::{Cost, Row, compare, output, peak, rows, verdict};

const LINE: &str = "of a thousand, long enough to look like a log of about eighty bytes";
/// What a host does beside the command.
const PROBE: &str = include_str!("ssh/probe.sh");

type Section = fn(&Farm, &Options);

struct Options {
    hosts: u8,
    times: usize,
    megabytes: u64,
    sections: Vec<String>,
}

fn options() -> Options {
    let mut options = Options { hosts: 100, times: 5, megabytes: 1000, sections: Vec::new() };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().and_then(|text| text.parse::<u64>().ok()).expect("a number");
        match argument.as_str() {
            // Cargo's own.
            "--bench" => {}
            "--hosts" => options.hosts = u8::try_from(number()).expect("at most 250 hosts").min(250),
            "--times" => options.times = usize::try_from(number()).unwrap().max(1),
            "--megabytes" => options.megabytes = number().max(1),
            name => options.sections.push(name.to_owned()),
        }
    }
    options
}

fn main() {
    let options = options();
    let Some(farm) = Farm::new(options.hosts) else {
        println!("no sshd on this machine: install openssh-server");
        return;
    };
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    println!("{} hosts, {cores} cores, load before the first row: {}", options.hosts, load.trim());
    let sections: [(&str, Section); 9] = [
        ("true", nothing),
        ("lines", lines),
        ("output", one_host),
        ("redaction", redaction),
        ("step", further_step),
        ("memory", memory),
        ("ends", ends),
        ("upload", upload),
        ("bastion", bastion),
    ];
    for (name, section) in sections {
        if options.sections.is_empty() || options.sections.iter().any(|wanted| wanted == name) {
            section(&farm, &options);
        }
    }
}

fn nothing(farm: &Farm, options: &Options) {
    let all = farm.names('h');
    let mut with_key = farm.ours(&all, &[], "true");
    with_key.env("SSH_PRIVATE_KEY", farm.key());
    let title = format!("`true` on {} hosts", all.len());
    let costs = rows(
        &title,
        options.times,
        vec![
            Row::ours("ours", farm.ours(&all, &[], "true")),
            Row::peer("xargs", farm.xargs(&all, "true")),
            Row::peer("xargs, probe", farm.xargs(&all, PROBE)),
            Row::peer("pdsh", farm.pdsh(&all, "true")),
            Row::peer("pssh", farm.pssh(&all, "true")),
            Row::ours("ours, with its own agent for the key", with_key),
        ],
    );
    compare(&costs, &[("xargs", 1.5), ("xargs, probe", 1.1)]);
}

fn lines(farm: &Farm, options: &Options) {
    let all = farm.names('h');
    let command = format!("i=0; while [ $i -lt 1000 ]; do i=$((i+1)); echo \"line $i {LINE}\"; done");
    let new = || {
        vec![
            Row::ours("ours", farm.ours(&all, &[], &command)),
            Row::peer("pdsh", farm.pdsh(&all, &command)),
            Row::peer("pssh", farm.pssh(&all, &command)),
            Row::peer("xargs", farm.xargs(&all, &command)),
        ]
    };
    let costs = rows(&format!("1,000 lines from each of {} hosts", all.len()), options.times, new());
    compare(&costs, &[("pdsh", 1.0)]);
    for mut row in new().into_iter().filter(|row| costs.iter().any(|cost| cost.name == row.name)) {
        let text = output(&mut row, &farm.path("output"));
        let separator = if row.name == "ours" { " │ " } else { ": " };
        let whole = whole_lines(&text, &all, separator);
        println!("  {:44} {whole:>9} of {} lines whole and labelled", row.name, all.len() * 1000);
    }
}

/// The lines that are whole and begin with the right host's name, each counted once.
fn whole_lines(text: &str, hosts: &[String], separator: &str) -> usize {
    let width = hosts.iter().map(String::len).max().unwrap_or(0);
    let labels: Vec<String> = hosts.iter().map(|host| format!("{host:width$}")).collect();
    let parsed = text.lines().filter_map(|line| {
        let (host, rest) = line.split_once(separator)?;
        let known = labels.iter().any(|label| label == host) || hosts.iter().any(|name| name == host);
        let number: u32 = rest.strip_prefix("line ")?.strip_suffix(LINE)?.trim_end().parse().ok()?;
        (known && (1..=1000).contains(&number)).then(|| (host.trim_end().to_owned(), number))
    });
    parsed.collect::<std::collections::BTreeSet<_>>().len()
}

/// Megabytes of lines, as fast as a host can write them.
fn many(megabytes: u64) -> String {
    // The writer dies when its reader has enough, which must not fail the script.
    format!("{{ yes 'a line {LINE}' || true; }} | head -c {}", megabytes * 1_000_000)
}

fn one_host(farm: &Farm, options: &Options) {
    let one = farm.names('h')[..1].to_vec();
    let command = many(options.megabytes);
    let costs = rows(
        &format!("{} MB of lines from one host", options.megabytes),
        options.times.min(3),
        vec![Row::ours("ours", farm.ours(&one, &[], &command)), Row::peer("ssh", farm.ssh("h1", &command))],
    );
    compare(&costs, &[("ssh", 2.0)]);
}

fn redaction(farm: &Farm, options: &Options) {
    let one = farm.names('h')[..1].to_vec();
    let megabytes = options.megabytes.div_ceil(4);
    let command = many(megabytes);
    let with = |count: usize| {
        let names: Vec<String> = (0..count).map(|number| format!("TOKEN{number}")).collect();
        let options: Vec<&str> = names.iter().flat_map(|name| ["--env", name]).collect();
        let mut ours = farm.ours(&one, &options, &command);
        for (number, name) in names.iter().enumerate() {
            ours.env(name, format!("a-secret-{number}-that-never-comes-up"));
        }
        ours
    };
    let plain = Row::ours("without --env", with(0));
    for (name, count) in [("with one --env", 1), ("with twenty --env", 20)] {
        let row = Row::ours(name, with(count));
        let plain = Row::ours(&plain.name, with(0));
        let costs = rows(&format!("{megabytes} MB of lines, {name}"), options.times.min(3), vec![row, plain]);
        compare(&costs, &[("without --env", 1.3)]);
    }
}

fn further_step(farm: &Farm, options: &Options) {
    const STEPS: u32 = 50;
    let one = farm.names('h')[..1].to_vec();
    let names: Vec<String> = (0..STEPS).map(|number| format!("d{number}=true")).collect();
    let diagnoses: Vec<&str> = names.iter().flat_map(|name| ["--diagnose", name]).collect();
    let row = |name: &str, command: Command| Row { code: 1, ..Row::ours(name, command) };
    let costs = rows(
        "a further step on an open connection",
        options.times,
        vec![
            row(&format!("a failed command and {STEPS} steps after it"), farm.ours(&one, &diagnoses, "exit 1")),
            row("a failed command", farm.ours(&one, &[], "exit 1")),
        ],
    );
    if let [many, none] = costs.as_slice() {
        let step = many.wall.saturating_sub(none.wall) / STEPS;
        let met = verdict(step <= Duration::from_millis(15));
        println!("  {:44} {:>6.1} ms   goal 15 ms: {met}", "one step", step.as_secs_f64() * 1000.0);
    }
}

fn memory(farm: &Farm, options: &Options) {
    println!("\npeak of our own memory (the clients of ssh are processes of their own)");
    let (all, one) = (farm.names('h'), farm.names('h')[..1].to_vec());
    let lines = format!("i=0; while [ $i -lt 1000 ]; do i=$((i+1)); echo \"line $i {LINE}\"; done");
    let rows = [
        (format!("{} hosts, true", all.len()), farm.ours(&all, &[], "true"), 15.0),
        (format!("{} hosts, 1,000 lines", all.len()), farm.ours(&all, &[], &lines), 15.0),
        ("a line of 64 MB".to_owned(), farm.ours(&one, &[], "head -c 64000000 /dev/zero | tr '\\0' x; echo"), 20.0),
        (format!("{} MB of lines", options.megabytes), farm.ours(&one, &[], &many(options.megabytes)), 15.0),
    ];
    for (name, command, goal) in rows {
        let peak = peak(command);
        println!("  {name:44} {peak:>6.1} MiB   goal {goal} MB: {}", verdict(peak * 1.048_576 <= goal));
    }
}

/// How long after our end the host's process group is gone, and after a holder's SIGKILL its lock is free.
fn ends(farm: &Farm, options: &Options) {
    println!("\nfrom a signal until the host's process group is gone, and its lock is free");
    let one = farm.names('h')[..1].to_vec();
    let lock = farm.home(1).join(".ssh-deploy/bench.lock");
    for signal in ["KILL", "TERM", "INT"] {
        let mut spans = Vec::new();
        for _ in 0..options.times {
            let mark = farm.path("begun");
            let _absent = fs::remove_file(&mark);
            let mut command = farm.ours(&one, &[], &format!("touch {}; exec sleep 86451", mark.display()));
            let mut child = quiet(&mut command).spawn().unwrap();
            until(|| mark.exists() && is_running("sleep\086451"));
            let begun = Instant::now();
            assert!(Command::new("kill").args(["-s", signal, &child.id().to_string()]).status().unwrap().success());
            until(|| !is_running("sleep\086451"));
            let gone = begun.elapsed();
            until(|| Command::new("flock").arg("-n").arg(&lock).arg("true").status().unwrap().success());
            spans.push((gone, begun.elapsed()));
            child.wait().unwrap();
        }
        spans.sort_unstable();
        let (gone, free) = spans[spans.len() / 2];
        let met = verdict(gone <= Duration::from_millis(500) && free <= Duration::from_millis(1500));
        println!(
            "  {:44} {:>7.3} s {:>7.3} s   goals 0.5 s, 1.5 s: {met}",
            format!("SIG{signal}"),
            gone.as_secs_f64(),
            free.as_secs_f64()
        );
    }
}

fn until(holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_mins(1), "not within a minute");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn is_running(word: &str) -> bool {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let mut lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    lines.any(|line| line.windows(word.len()).any(|window| window == word.as_bytes()))
}

/// An upload to a host with GNU's programs, and to one whose `head` and `dd` are `BusyBox`'s.
fn upload(farm: &Farm, options: &Options) {
    let one = farm.names('h')[..1].to_vec();
    let megabytes = options.megabytes.min(200);
    let (source, tree) = (farm.path("upload"), farm.path("busybox"));
    fs::write(&source, vec![7; usize::try_from(megabytes * 1_000_000).unwrap()]).unwrap();
    fs::create_dir_all(&tree).unwrap();
    let upload = format!("{}:app.bin", source.display());
    // Equal content is skipped, so each run removes what it has sent.
    let options_of_ours = ["--upload", upload.as_str()];
    let ours = || Row::ours("GNU", farm.ours(&one, &options_of_ours, "rm \"$HOME/app.bin\""));
    let costs = rows(&format!("an upload of {megabytes} MB"), options.times.min(3), vec![ours()]);
    if !Command::new("busybox").arg("true").stdout(Stdio::null()).status().is_ok_and(|status| status.success()) {
        println!("  {:44} not installed, left out", "BusyBox");
        return;
    }
    for applet in ["head", "dd", "sh", "wc", "cat", "tee", "mkfifo", "sleep", "mv", "sha256sum"] {
        let _there = std::os::unix::fs::symlink("/bin/busybox", tree.join(applet));
    }
    // What a login shell reads: bash as sshd starts it.
    let profile = farm.home(1).join(".bashrc");
    fs::write(&profile, format!("PATH={}:$PATH\n", tree.display())).unwrap();
    let found = farm.ssh("h1", "command -v sh dd").stderr(Stdio::null()).output().unwrap();
    let found = String::from_utf8_lossy(&found.stdout).into_owned();
    assert_eq!(found.matches(&tree.display().to_string()).count(), 2, "the host does not use BusyBox: {found}");
    let busybox = Row::ours("BusyBox", farm.ours(&one, &options_of_ours, "rm \"$HOME/app.bin\""));
    let slow = rows(&format!("an upload of {megabytes} MB, BusyBox"), options.times.min(3), vec![busybox]);
    fs::remove_file(profile).unwrap();
    let both: Vec<Cost> = slow.into_iter().chain(costs).collect();
    compare(&both, &[("GNU", 2.0)]);
}

/// All hosts through one bastion with sshd's own limit on logins; a peer's failures are counted, not fatal.
fn bastion(farm: &Farm, options: &Options) {
    println!("\nall hosts through one bastion with MaxStartups 10:30:100");
    let all = farm.names('j');
    let mark = |name: &str| {
        let count = (1..=options.hosts).filter(|number| farm.home(*number).join(name).exists()).count();
        println!("  {name:44} {count:>9} of {} hosts", options.hosts);
    };
    let runs =
        [("ours", farm.ours(&all, &[], "touch \"$HOME/ours\"")), ("xargs", farm.xargs(&all, "touch \"$HOME/xargs\""))];
    for (name, mut command) in runs {
        let begun = Instant::now();
        let _some_may_fail = quiet(&mut command).status().unwrap();
        let time = begun.elapsed().as_secs_f64();
        mark(name);
        println!("  {:44} {time:>7.3} s", "");
    }
}
