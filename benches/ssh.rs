//! `ssh-deploy` beside xargs, pdsh and pssh on a farm of real sshds, in one run: `cargo bench --bench ssh`.
//!
//! Whole processes, from start to exit, the best and the middle of several; every tool uses curve25519, the same key and the same
//! servers. `xargs, same work` runs what our preflight and staging do on a host, so that the price of the tool itself is seen.
//! A peer that is not installed is left out.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints numbers, and stops when it cannot measure"
)]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use emulators::Sshd;

const OURS: &str = env!("CARGO_BIN_EXE_ssh-deploy");
const HOSTS: usize = 100;
const LINES: &str = "i=0; while [ $i -lt 1000 ]; do i=$((i+1)); echo \"line $i of a thousand, long enough to look like a log of eighty bytes\"; done";
/// What a host does for us before, beside and after the command.
const SAME_WORK: &str =
    "d=$(mktemp -d); echo true >$d/s; wc -c <$d/s; sha256sum $d/s; df -Pk $d; bash -eo pipefail $d/s; rm -rf $d";

/// Servers, and a configuration of ssh that names them `h1` to `h100`.
struct Farm {
    folder: tempfile::TempDir,
    servers: Vec<Sshd>,
}

impl Farm {
    fn new() -> Option<Self> {
        let servers: Vec<Sshd> = (0..HOSTS).map_while(|_| Sshd::start()).collect();
        let first = servers.first()?;
        let keys = fs::read(first.authorized_keys()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("key");
        fs::write(&key, first.user_key()).unwrap();
        assert!(Command::new("chmod").arg("600").arg(&key).status().unwrap().success());
        let mut config = String::new();
        let mut known = String::new();
        for (index, server) in servers.iter().enumerate() {
            fs::write(server.authorized_keys(), &keys).unwrap();
            let name = index + 1;
            writeln!(config, "Host h{name}\nHostName 127.0.0.1\nPort {}\nUser {}", server.port(), server.user())
                .unwrap();
            writeln!(known, "{}", server.known_hosts_line()).unwrap();
        }
        let folder_path = folder.path().display();
        write!(
            config,
            "Host *\nIdentityFile {folder_path}/key\nIdentitiesOnly yes\nUserKnownHostsFile {folder_path}/known\nStrictHostKeyChecking yes\nBatchMode yes\nLogLevel ERROR\nKexAlgorithms curve25519-sha256\n"
        )
        .unwrap();
        fs::write(folder.path().join("config"), config).unwrap();
        fs::write(folder.path().join("known"), known).unwrap();
        Some(Self { folder, servers })
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("config")
    }

    fn names(&self) -> Vec<String> {
        (1..=self.servers.len()).map(|number| format!("h{number}")).collect()
    }

    fn ours(&self, hosts: &[String], command: &str) -> Command {
        self.ours_with(&[], hosts, command)
    }

    fn ours_with(&self, options: &[&str], hosts: &[String], command: &str) -> Command {
        let mut ours = Command::new(OURS);
        ours.args(options);
        ours.args(["--kex", "fast", "--connect-timeout", "60s", "--ssh-config"]).arg(self.config());
        ours.arg("--known-hosts").arg(self.folder.path().join("known")).args(hosts).args(["--", command]);
        ours.env("HOME", self.folder.path());
        ours
    }

    fn xargs(&self, hosts: &[String], command: &str) -> Command {
        let list = self.folder.path().join("hosts");
        fs::write(&list, hosts.join("\n") + "\n").unwrap();
        let mut xargs = Command::new("xargs");
        xargs.args(["-a"]).arg(list).args(["-P", "100", "-I", "{}", "ssh", "-n", "-F"]).arg(self.config());
        xargs.args(["{}", command]);
        xargs
    }

    fn pdsh(&self, hosts: &[String], command: &str) -> Command {
        let mut pdsh = Command::new("pdsh");
        pdsh.args(["-R", "ssh", "-f", "100", "-w", &hosts.join(","), command]);
        pdsh.env("PDSH_SSH_ARGS", format!("-F {} %h", self.config().display()));
        pdsh
    }

    fn pssh(&self, hosts: &[String], command: &str) -> Command {
        let mut pssh = Command::new("parallel-ssh");
        pssh.args(["-p", "100", "-P", "-H", &hosts.join(" "), "-x"]);
        pssh.arg(format!("-F {}", self.config().display())).arg(command);
        pssh
    }
}

fn main() {
    let Some(farm) = Farm::new() else { return };
    let (all, one) = (farm.names(), farm.names()[..1].to_vec());
    println!("{:54} {:>9} {:>9}", "", "best", "middle");
    for (what, command, times) in [("true", "true", 5), ("1,000 lines each", LINES, 5)] {
        let ours = row(&format!("{HOSTS} hosts, {what}: ours"), &mut farm.ours(&all, command), times);
        let peers = [
            ("xargs", row(&format!("{HOSTS} hosts, {what}: xargs -P 100 ssh"), &mut farm.xargs(&all, command), times)),
            ("pdsh", row(&format!("{HOSTS} hosts, {what}: pdsh"), &mut farm.pdsh(&all, command), times)),
            ("pssh", row(&format!("{HOSTS} hosts, {what}: pssh"), &mut farm.pssh(&all, command), times)),
        ];
        for (name, peer) in peers {
            compare(&format!("ours / {name}"), ours, peer);
        }
        if command == "true" {
            let same = row(&format!("{HOSTS} hosts, true: xargs, same work"), &mut farm.xargs(&all, SAME_WORK), times);
            compare("ours / xargs, same work", ours, same);
        }
    }
    let gigabyte = "head -c 1000000000 /dev/zero | tr '\\0' x | fold -w 80";
    let ours = row("1 GB of lines from one host: ours", &mut farm.ours(&one, gigabyte), 1);
    let mut ssh = Command::new("ssh");
    ssh.args(["-n", "-F"]).arg(farm.config()).args(["h1", gigabyte]);
    compare("ours / ssh", ours, row("1 GB of lines from one host: ssh", &mut ssh, 1));
    let lines = "head -c 100000000 /dev/zero | tr '\\0' x | fold -w 80";
    let plain = row("100 MB of lines: ours", &mut farm.ours(&one, lines), 3);
    let mut redacted = farm.ours_with(&["--env", "TOKEN"], &one, lines);
    redacted.env("TOKEN", "a-secret-that-never-comes");
    compare("with --env / without", row("100 MB of lines, --env: ours", &mut redacted, 3), plain);
    memory(&farm, &all, Path::new("/usr/bin/time"));
}

fn compare(what: &str, ours: Option<Duration>, peer: Option<Duration>) {
    if let (Some(ours), Some(peer)) = (ours, peer) {
        println!("  {what:52} {:>8.2}x", ours.as_secs_f64() / peer.as_secs_f64());
    }
}

/// Runs `command` several times and prints a line; the middle time, or nothing when it cannot run.
fn row(what: &str, command: &mut Command, times: usize) -> Option<Duration> {
    let mut spans = Vec::new();
    for _ in 0..times {
        let start = Instant::now();
        let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().ok()?;
        spans.push(start.elapsed());
        assert!(status.success(), "{what}: {status}");
    }
    spans.sort_unstable();
    let middle = spans[spans.len() / 2];
    println!("{what:54} {:>7.2} s {:>7.2} s", spans[0].as_secs_f64(), middle.as_secs_f64());
    Some(middle)
}

/// Our own peak of memory, without that of the clients.
fn memory(farm: &Farm, all: &[String], time: &Path) {
    let hosts = farm.ours(all, "true");
    let line = farm.ours(&all[..1], "head -c 64000000 /dev/zero | tr '\\0' x");
    for (what, command) in [("100 hosts, true", hosts), ("a line of 64 MB", line)] {
        let mut timed = Command::new(time);
        timed.args(["-q", "-f", "%M"]).arg(command.get_program()).args(command.get_args());
        timed.env("HOME", farm.folder.path()).stdin(Stdio::null()).stdout(Stdio::null());
        let Ok(output) = timed.output() else { return };
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let peak = text.lines().last().and_then(|line| line.trim().parse::<f64>().ok());
        println!("{what:54} {:>7.1} MiB", peak.unwrap_or_default() / 1024.0);
    }
}
