//! Real sshds, one for each loopback address, each with its host key and home; and how each tool reaches them.

use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const OURS: &str = env!("CARGO_BIN_EXE_ssh-deploy");
const PROGRAMS: [&str; 3] = ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/bin/sshd"];

/// The servers, and a configuration of ssh that names them `h1`, `h2`, …; behind the bastion `b` they are `j1`, `j2`, ….
pub(crate) struct Farm {
    folder: tempfile::TempDir,
    daemons: Vec<Child>,
    count: u8,
    port: u16,
    user: String,
}

impl Farm {
    /// Starts `count` servers; `None` if this machine has no sshd.
    pub(crate) fn new(count: u8) -> Option<Self> {
        let program = PROGRAMS.iter().map(Path::new).find(|path| path.exists())?;
        let _needed_by_root = fs::create_dir_all("/run/sshd");
        let folder = tempfile::tempdir().unwrap();
        keygen(&folder.path().join("key"));
        fs::copy(folder.path().join("key.pub"), folder.path().join("authorized_keys")).unwrap();
        let id = Command::new("id").arg("-un").output().unwrap();
        let user = String::from_utf8(id.stdout).unwrap().trim().to_owned();
        let mut farm = Self { folder, daemons: Vec::new(), count, port: free_port(), user };
        // The last one is the bastion, with the limit on logins that Debian ships.
        for number in 1..=count + 1 {
            farm.start(program, number);
        }
        farm.write_client_files();
        (1..=count + 1).for_each(|number| farm.wait_for(number));
        Some(farm)
    }

    fn start(&mut self, program: &Path, number: u8) {
        let own = self.path(&format!("host-{number}"));
        fs::create_dir_all(own.join("home")).unwrap();
        keygen(&own.join("host_key"));
        let startups = if number > self.count { "10:30:100" } else { "1000" };
        let config = format!(
            "SetEnv HOME={0}/home TMPDIR={0}\nListenAddress 127.0.1.{number}:{1}\nHostKey {0}/host_key\nPidFile none\n\
             AuthorizedKeysFile {2}\nStrictModes no\nUsePAM no\nPermitRootLogin prohibit-password\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\nPrintMotd no\nMaxStartups {startups}\n\
             MaxSessions 1000\n",
            own.display(),
            self.port,
            self.path("authorized_keys").display(),
        );
        let file = own.join("config");
        fs::write(&file, config).unwrap();
        // From 9.8 on, dropped logins lock their address out: every row has the same one.
        let lenient = ["-o", "PerSourcePenalties=no"];
        let knows =
            Command::new(program).args(["-t", "-f"]).arg(&file).args(lenient).output().unwrap().status.success();
        let mut daemon = Command::new(program);
        daemon.args(["-D", "-e", "-f"]).arg(&file).args(if knows { &lenient[..] } else { &[] });
        self.daemons.push(quiet(&mut daemon).spawn().unwrap());
    }

    fn wait_for(&self, number: u8) {
        let address = SocketAddr::from((Ipv4Addr::new(127, 0, 1, number), self.port));
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(begun.elapsed() < Duration::from_mins(1), "sshd does not listen on {address}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn write_client_files(&self) {
        let (mut config, mut known) = (String::new(), String::new());
        for number in 1..=self.count + 1 {
            let name = if number > self.count { "b".to_owned() } else { format!("h{number}") };
            writeln!(config, "Host {name}\nHostName 127.0.1.{number}").unwrap();
            writeln!(config, "Host j{number}\nHostName 127.0.1.{number}\nProxyJump b").unwrap();
            let key = fs::read_to_string(self.path(&format!("host-{number}/host_key.pub"))).unwrap();
            let key: Vec<&str> = key.split(' ').take(2).collect();
            writeln!(known, "[127.0.1.{number}]:{} {}", self.port, key.join(" ")).unwrap();
        }
        let folder = self.folder.path().display();
        write!(
            config,
            "Host *\nPort {}\nUser {}\nIdentityFile {folder}/key\nIdentitiesOnly yes\nUserKnownHostsFile {folder}/known\n\
             StrictHostKeyChecking yes\nBatchMode yes\nLogLevel ERROR\nKexAlgorithms curve25519-sha256\n",
            self.port, self.user
        )
        .unwrap();
        fs::write(self.config(), config).unwrap();
        fs::write(self.path("known"), known).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The home of a host.
    pub(crate) fn home(&self, number: u8) -> PathBuf {
        self.path(&format!("host-{number}/home"))
    }

    fn config(&self) -> PathBuf {
        self.path("config")
    }

    pub(crate) fn key(&self) -> String {
        fs::read_to_string(self.path("key")).unwrap()
    }

    /// All hosts, directly (`h`) or through the bastion (`j`).
    pub(crate) fn names(&self, letter: char) -> Vec<String> {
        (1..=self.count).map(|number| format!("{letter}{number}")).collect()
    }

    /// Our tool with everything it does by default in a workflow: preflight, staging, lock, labels.
    pub(crate) fn ours(&self, hosts: &[String], options: &[&str], command: &str) -> Command {
        let mut ours = Command::new(OURS);
        ours.args(["--lock", "bench", "--connect-timeout", "60s", "--ssh-config"]).arg(self.config());
        ours.arg("--known-hosts").arg(self.path("known")).args(options).args(hosts).args(["--", command]);
        ours.env_clear().env("HOME", self.folder.path()).env("PATH", "/usr/local/bin:/usr/bin:/bin");
        ours
    }

    /// `xargs -P N ssh`.
    pub(crate) fn xargs(&self, hosts: &[String], command: &str) -> Command {
        let list = self.path("hosts");
        fs::write(&list, hosts.join("\n") + "\n").unwrap();
        let mut xargs = Command::new("xargs");
        xargs.arg("-a").arg(list).args(["-P", &hosts.len().to_string(), "-I", "{}", "ssh", "-n", "-F"]);
        xargs.arg(self.config()).args(["{}", command]);
        xargs
    }

    pub(crate) fn pdsh(&self, hosts: &[String], command: &str) -> Command {
        let mut pdsh = Command::new("pdsh");
        pdsh.args(["-R", "ssh", "-f", &hosts.len().to_string(), "-w", &hosts.join(","), command]);
        pdsh.env("PDSH_SSH_ARGS", format!("-F {} %h", self.config().display()));
        pdsh
    }

    pub(crate) fn pssh(&self, hosts: &[String], command: &str) -> Command {
        let mut pssh = Command::new("parallel-ssh");
        pssh.args(["-p", &hosts.len().to_string(), "-t", "0", "-P", "-H", &hosts.join(" "), "-x"]);
        pssh.arg(format!("-F {}", self.config().display())).arg(command);
        pssh
    }

    /// Plain `ssh`.
    pub(crate) fn ssh(&self, host: &str, command: &str) -> Command {
        let mut ssh = Command::new("ssh");
        ssh.args(["-n", "-F"]).arg(self.config()).args([host, command]);
        ssh
    }
}

impl Drop for Farm {
    fn drop(&mut self) {
        for daemon in &mut self.daemons {
            let _gone = daemon.kill();
            let _ended = daemon.wait();
        }
    }
}

pub(crate) fn quiet(command: &mut Command) -> &mut Command {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null())
}

fn keygen(file: &Path) {
    let status = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(file).status();
    assert!(status.unwrap().success());
}

/// A port that was free on the first address a moment ago.
fn free_port() -> u16 {
    let socket = TcpListener::bind((Ipv4Addr::new(127, 0, 1, 1), 0)).expect("this system has no 127.0.1.1");
    socket.local_addr().unwrap().port()
}
