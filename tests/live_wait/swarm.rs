//! A real Docker Swarm of one node: Debian's packages, unpacked; root, and nothing of the host's network is changed.
//!
//! One daemon serves all cases of a test, because it takes seconds to start.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use emulators::Sshd;
use serde_json::Value;

use super::{evidence, target};
use crate::support::{Seen, Started, Step, peer, skipped};

const RUN: &str = "trap \\\"exit 0\\\" TERM; while :; do sleep 1; done";

/// A daemon that manages a swarm; ended when dropped.
struct Docker {
    daemon: Child,
    folder: tempfile::TempDir,
    client: PathBuf,
}

impl Docker {
    fn start() -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            skipped("a Docker daemon needs root");
            return None;
        }
        let (program, client) = (peer("dockerd")?, peer("docker")?);
        let busybox = peer("busybox")?;
        let folder = tempfile::Builder::new().prefix("swarm-").tempdir_in("/tmp").unwrap();
        let path = folder.path().display().to_string();
        let tools = program.parent().unwrap().parent().unwrap();
        let search = format!("{0}/bin:{0}/sbin:/usr/sbin:/usr/bin:/sbin:/bin", tools.display());
        let mut command = Command::new(&program);
        command.args(["--host", &format!("unix://{path}/docker.sock"), "--data-root", &format!("{path}/data")]);
        command.args(["--exec-root", &format!("{path}/exec"), "--pidfile", &format!("{path}/pid")]);
        command.args([
            "--iptables=false",
            "--ip6tables=false",
            "--bridge=none",
            "--ip-forward=false",
            "--ip-masq=false",
        ]);
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        command.env("PATH", search).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let mut daemon = command.spawn().unwrap();
        let begun = Instant::now();
        let docker = loop {
            if daemon.try_wait().unwrap().is_some() || begun.elapsed() > Duration::from_mins(2) {
                let log = std::fs::read_to_string(folder.path().join("log")).unwrap_or_default();
                let last = log.lines().last().unwrap_or_default().to_owned();
                let _ended = daemon.kill();
                // A container without the kernel's help cannot run a daemon of containers.
                skipped(&format!("dockerd does not run here: {last}"));
                return None;
            }
            let answers = Command::new(&client)
                .args(["--host", &format!("unix://{path}/docker.sock"), "version"])
                .output()
                .unwrap();
            if answers.status.success() {
                break Self { daemon, folder, client };
            }
            std::thread::sleep(Duration::from_millis(100));
        };
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        docker.ok(&["swarm", "init", "--advertise-addr", "127.0.0.1", "--listen-addr", &format!("127.0.0.1:{port}")]);
        docker.images(&busybox);
        Some(docker)
    }

    /// demo:v1 and v2 run, crash ends with 7 at once, late after some seconds, sick is never healthy.
    fn images(&self, busybox: &Path) {
        let root = self.folder.path().join("image");
        std::fs::create_dir_all(root.join("bin")).unwrap();
        std::fs::copy(busybox, root.join("bin/busybox")).unwrap();
        for link in ["sh", "sleep", "true", "false"] {
            std::os::unix::fs::symlink("busybox", root.join("bin").join(link)).unwrap();
        }
        let plays = [
            ("v1", RUN.to_owned(), ""),
            ("v2", format!("echo two; {RUN}"), ""),
            ("crash", "echo boom; exit 7".to_owned(), ""),
            ("late", "sleep 5; exit 7".to_owned(), ""),
            ("sick", RUN.to_owned(), "HEALTHCHECK --interval=1s --timeout=1s --retries=2 CMD false"),
            ("done", "exit 0".to_owned(), ""),
        ];
        for (tag, script, more) in plays {
            let more = if more.is_empty() { String::new() } else { format!("--change '{more}'") };
            let text = format!(
                "tar -C {} -c . | {} --host unix://{}/docker.sock import --change 'ENTRYPOINT [\"/bin/sh\",\"-c\"]' --change 'CMD [\"{script}\"]' {more} - demo:{tag}",
                root.display(),
                self.client.display(),
                self.folder.path().display()
            );
            assert!(Command::new("sh").args(["-c", &text]).output().unwrap().status.success(), "{text}");
        }
    }

    fn host(&self) -> String {
        format!("unix://{}/docker.sock", self.folder.path().display())
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(&self.client).args(["--host", &self.host()]).args(arguments).stdin(Stdio::null()).output().unwrap()
    }

    #[track_caller]
    fn ok(&self, arguments: &[&str]) {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Creates a service that runs `image`; does not wait for it.
    fn create(&self, name: &str, image: &str, options: &[&str]) {
        let common = ["service", "create", "--detach", "--name", name, "--network", "host", "--no-resolve-image"];
        let quick = [
            "--update-monitor",
            "2s",
            "--restart-delay",
            "500ms",
            "--stop-grace-period",
            "1s",
            "--rollback-monitor",
            "1s",
        ];
        self.ok(&[&common[..], &quick, options, &[image]].concat());
    }

    /// Creates a job: jobs take no options of updates.
    fn job(&self, name: &str, image: &str, options: &[&str]) {
        let common = ["service", "create", "--detach", "--name", name, "--network", "host", "--no-resolve-image"];
        self.ok(&[&common[..], &["--mode", "replicated-job"], options, &[image]].concat());
    }

    fn update(&self, name: &str, options: &[&str]) {
        self.ok(&[&["service", "update", "--detach", "--no-resolve-image"][..], options, &[name]].concat());
    }

    fn wait(&self, arguments: &[&str]) -> Step {
        let quick = ["--interval", "0.5s", "--stable", "3s", "--grace", "3s", "--deadline", "2m", "--format", "json"];
        Step::new("live-wait").plain().arg("swarm").args(["--host", &self.host()]).args(quick).args(arguments.to_vec())
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        let services = self.run(&["service", "ls", "-q"]);
        for id in String::from_utf8_lossy(&services.stdout).lines() {
            self.run(&["service", "rm", id]);
        }
        self.run(&["swarm", "leave", "--force"]);
        let _told = Command::new("kill").args(["-TERM", &self.daemon.id().to_string()]).status();
        let _ended = self.daemon.wait();
    }
}

/// What a wait must end with.
struct Expected {
    started: Started,
    case: &'static str,
    exit: i32,
    /// The reason; several, separated by `|`, where it depends on how fast the machine is.
    code: &'static str,
    text: &'static str,
}

fn check(all: Vec<Expected>) {
    let mut wrong = String::new();
    for one in all {
        let seen: Seen = one.started.finish();
        let found = if seen.stdout.is_empty() { Value::Null } else { target(&seen) };
        let code = found["reason"]["code"].as_str().unwrap_or("live");
        if seen.code != one.exit
            || !one.code.split('|').any(|expected| expected == code)
            || !found.to_string().contains(one.text)
        {
            writeln!(wrong, "{}: {} {code}\n{}\n{found}", one.case, seen.code, seen.stderr).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn what_a_real_swarm_does_after_an_update_is_judged_by_its_spec_and_its_tasks() {
    let Some(docker) = Docker::start() else { return };
    let two = ["--replicas", "2"];
    for name in ["good", "rolled", "paused", "loops", "late", "placed", "passed", "sick", "none", "label"] {
        docker.create(name, "demo:v1", &two);
    }
    docker.create("everywhere", "demo:v1", &["--mode", "global", "--update-order", "start-first"]);
    docker.create("once", "demo:done", &["--restart-condition", "none"]);
    docker.create("zero", "demo:v1", &["--replicas", "0"]);
    docker.job("job", "demo:done", &[]);
    docker.job("bad-job", "demo:crash", &["--restart-condition", "none"]);
    docker.wait(&["good", "--image", "demo:v1"]).run().exits(0);
    docker.wait(&["passed", "--image", "demo:v1"]).run().exits(0);
    docker.update("good", &["--image", "demo:v2"]);
    docker.update("rolled", &["--image", "demo:crash", "--restart-delay", "5s", "--update-failure-action", "rollback"]);
    docker.update("paused", &["--image", "demo:crash", "--restart-delay", "5s"]);
    docker.update("loops", &["--image", "demo:crash", "--update-failure-action", "continue"]);
    docker.update("late", &["--image", "demo:late", "--update-parallelism", "2"]);
    docker.update("placed", &["--image", "demo:v2", "--constraint-add", "node.labels.disk==ssd"]);
    docker.update("sick", &["--image", "demo:sick"]);
    docker.update("none", &["--image", "demo:none"]);
    docker.update("label", &["--label-add", "rev=8f4e2a91c0de8f4e2a91c0de8f4e2a91c0de8f4e"]);
    docker.update("everywhere", &["--image", "demo:v2"]);
    docker.update("passed", &["--image", "demo:v2"]);
    let mut all = Vec::new();
    let mut expect = |case: &'static str, arguments: &[&str], exit: i32, code: &'static str, text: &'static str| {
        let started = docker.wait(&[&[case], arguments].concat()).spawn();
        all.push(Expected { started, case, exit, code, text });
    };
    expect("good", &["--image", "demo:v2"], 0, "live", "2 of 2 tasks");
    expect("rolled", &["--image", "demo:crash"], 1, "rolled_back|crash_loop", "non-zero exit (7)");
    expect("paused", &["--image", "demo:crash"], 1, "paused|crash_loop", "non-zero exit (7)");
    expect("loops", &["--image", "demo:crash"], 1, "crash_loop", "its log: boom");
    expect("late", &["--image", "demo:late", "--stable", "20s"], 1, "crash_loop", "non-zero exit (7)");
    expect("placed", &["--image", "demo:v2", "--deadline", "10s"], 3, "deadline", "no suitable node");
    expect("sick", &["--image", "demo:sick"], 1, "paused|crash_loop", "");
    expect("none", &["--image", "demo:none"], 1, "paused|crash_loop|rejected", "No such image");
    expect("label", &["--label", "rev=8f4e2a9"], 0, "live", "by its label");
    expect("everywhere", &["--image", "demo:v2"], 0, "live", "1 of 1 tasks");
    expect("once", &["--image", "demo:done"], 0, "live", "completed once");
    expect("zero", &["--image", "demo:v1"], 1, "nothing_to_be_live", "it has 0 replicas");
    expect("job", &["--image", "demo:done"], 0, "live", "completed 1 of 1 times");
    expect("bad-job", &["--image", "demo:crash"], 1, "job_failed", "non-zero exit (7)");
    expect("absent", &["--image", "demo:v1"], 1, "absent", "no such service `absent`");
    expect("good", &["--image", "other:v1"], 1, "no_such_container", "not of the repository");
    // This one is replaced once its wait has seen it.
    std::thread::sleep(Duration::from_secs(2));
    expect("passed", &["--image", "demo:v2", "--stable", "60s"], 1, "superseded", "it is to run demo:v1");
    std::thread::sleep(Duration::from_secs(2));
    docker.update("passed", &["--image", "demo:v1", "--env-add", "A=1"]);
    check(all);
}

#[test]
fn a_stack_is_live_when_all_its_services_are_and_an_engine_is_reached_over_ssh() {
    let Some(docker) = Docker::start() else { return };
    let stack = ["--label", "com.docker.stack.namespace=shop", "--container-label", "com.docker.stack.namespace=shop"];
    docker.create("shop_web", "demo:v1", &[&stack[..], &["--label", "rev=abc1234"]].concat());
    docker.create("shop_db", "demo:v2", &stack);
    let seen = docker.wait(&["--stack", "shop", "--label", "rev=abc1234", "--deadline", "6s"]).run().exits(3);
    let found = target(&seen);
    assert!(found["reason"]["text"].as_str().unwrap().contains("shop_db: its label rev is absent"), "{found}");
    docker.wait(&["--stack", "shop", "--label", "rev=abc1234", "--except", "db"]).run().exits(0);
    let Some(sshd) =
        Sshd::start_with("", &[("PATH", &format!("{}:/usr/bin:/bin", docker.client.parent().unwrap().display()))])
    else {
        return;
    };
    let url = format!("ssh://{}@127.0.0.1:{}{}/docker.sock", sshd.user(), sshd.port(), docker.folder.path().display());
    let over_ssh = |step: Step| {
        step.args(["--image", "demo:v1", "--stable", "3s", "--format", "json", "--deadline", "1m", "--grace", "2s"])
    };
    let known = sshd.known_hosts().display().to_string();
    let step = Step::new("live-wait").plain().args(["swarm", "shop_web", "--host", &url, "--known-hosts", &known]);
    let found = target(&over_ssh(step.ssh_key(&sshd)).run().exits(0));
    assert!(evidence(&found).contains("1 of 1 tasks"), "{found}");
    let step = Step::new("live-wait").plain().args(["swarm", "shop_web", "--host", &url, "--known-hosts", "/dev/null"]);
    let found = target(&over_ssh(step.ssh_key(&sshd)).run().exits(77));
    assert_eq!(found["reason"]["code"], "ssh_denied");
}
