//! The real OpenSSH `sshd` on a loopback port, with throw-away keys, behind a proxy that can fail.

mod proxy;

use std::fs::{self, File};
use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use proxy::Proxy;
pub use proxy::Trouble;
use tempfile::TempDir;

use crate::http::Secrets;

const PROGRAMS: [&str; 4] = ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/bin/sshd", "/opt/homebrew/sbin/sshd"];
/// From 9.8 on, failed logins lock their address out: every test has the same one.
const PENALTIES: &str = "PerSourcePenalties=no";
/// The message of a test that is skipped because the machine has no `sshd`.
pub const ABSENT: &str = "no sshd on this machine: install openssh-server";

/// A running server; dropping it ends the server and every session.
#[derive(Debug)]
pub struct Sshd {
    folder: TempDir,
    daemon: Child,
    proxy: Proxy,
    user: String,
    secrets: Secrets,
}

impl Sshd {
    /// The server, or `None` when the machine has none: then the caller's test is skipped, with a message on stderr.
    ///
    /// # Panics
    /// With `CI=true`, where nothing may be skipped silently, and when the server does not come up.
    #[must_use]
    pub fn start() -> Option<Self> {
        Self::start_with("", &[])
    }

    /// The same, with `lines` in front of its configuration, and `variables` in the environment of its sessions.
    ///
    /// # Panics
    /// As [`Sshd::start`].
    #[must_use]
    #[expect(clippy::disallowed_methods, clippy::print_stderr, reason = "speaks for the test that is skipped")]
    pub fn start_with(lines: &str, variables: &[(&str, &str)]) -> Option<Self> {
        let sshd = Self::find_with(lines, variables);
        if sshd.is_none() {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{ABSENT}");
            eprintln!("skipped: {ABSENT}");
        }
        sshd
    }

    /// The server, or `None` when the machine has none.
    #[must_use]
    pub fn find() -> Option<Self> {
        Self::find_with("", &[])
    }

    fn find_with(lines: &str, variables: &[(&str, &str)]) -> Option<Self> {
        let program = PROGRAMS.iter().map(Path::new).find(|path| path.exists())?;
        let folder = TempDir::with_prefix("sshd-").expect("a temporary folder");
        for (name, kind) in [("host_key", "ed25519"), ("user_key", "ed25519")] {
            keygen(&folder.path().join(name), &["-t", kind, "-N", ""]);
        }
        fs::copy(folder.path().join("user_key.pub"), folder.path().join("authorized_keys"))
            .expect("the authorised key");
        for name in ["home", "tmp"] {
            fs::create_dir(folder.path().join(name)).expect("a folder");
        }
        let (daemon, port) = launch(program, folder.path(), lines, variables);
        let secrets = Secrets::default();
        let sshd = Self { proxy: Proxy::start(port), daemon, user: login_name(), secrets, folder };
        sshd.secrets.add(sshd.user_key());
        Some(sshd)
    }

    /// `127.0.0.1`.
    #[must_use]
    pub const fn host(&self) -> &'static str {
        "127.0.0.1"
    }

    /// The port of the proxy in front of the server.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.proxy.port()
    }

    /// The only user that may log in: the one that runs the test.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The user's private key (ed25519, no passphrase) as its file's text.
    #[must_use]
    pub fn user_key(&self) -> String {
        fs::read_to_string(self.folder.path().join("user_key")).expect("the user's key")
    }

    /// Another key that may log in: `ed25519`, `rsa` or `ecdsa`, behind `passphrase` unless that is empty.
    #[must_use]
    pub fn another_key(&self, kind: &str, passphrase: &str) -> String {
        let file = self.folder.path().join(format!("key-{}", crate::random::word(8)));
        keygen(&file, &["-t", kind, "-N", passphrase]);
        let list = self.folder.path().join("authorized_keys");
        let public = fs::read_to_string(file.with_extension("pub")).expect("the public key");
        let known = fs::read_to_string(&list).expect("the authorised keys");
        fs::write(&list, known + &public).expect("the authorised keys");
        let key = fs::read_to_string(&file).expect("the new key");
        self.secrets.add(&key);
        key
    }

    /// A good key that this server does not know.
    #[must_use]
    pub fn strangers_key(&self) -> String {
        let file = self.folder.path().join(format!("stranger-{}", crate::random::word(8)));
        keygen(&file, &["-t", "ed25519", "-N", ""]);
        fs::read_to_string(&file).expect("the new key")
    }

    /// The host key as `ssh-ed25519 AAAA…`.
    #[must_use]
    pub fn host_key(&self) -> String {
        let line = fs::read_to_string(self.folder.path().join("host_key.pub")).expect("the host key");
        line.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
    }

    /// The host key's line of a known-hosts file.
    #[must_use]
    pub fn known_hosts_line(&self) -> String {
        format!("[127.0.0.1]:{} {}", self.port(), self.host_key())
    }

    /// A known-hosts file with that one line.
    #[must_use]
    pub fn known_hosts(&self) -> PathBuf {
        let path = self.folder.path().join("known_hosts");
        fs::write(&path, self.known_hosts_line() + "\n").expect("the known hosts");
        path
    }

    /// From now on new connections meet `trouble`; `None` ends it.
    pub fn trouble(&self, trouble: impl Into<Option<Trouble>>) {
        self.proxy.set(trouble.into());
    }

    /// From now on nothing gets through, in either direction, as in a network that swallows packets; or everything again.
    pub fn stall(&self, stalled: bool) {
        self.proxy.stall(stalled);
    }

    /// The file of the keys that may log in.
    #[must_use]
    pub fn authorized_keys(&self) -> PathBuf {
        self.folder.path().join("authorized_keys")
    }

    /// The home folder of its sessions.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// The folder for temporary files of its sessions.
    #[must_use]
    pub fn temporary(&self) -> PathBuf {
        self.folder.path().join("tmp")
    }

    /// Resets every open connection.
    pub fn cut(&self) {
        self.proxy.cut();
    }

    /// Connections so far.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.proxy.connections()
    }

    /// The server's log so far.
    #[must_use]
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.folder.path().join("log")).unwrap_or_default()).into_owned()
    }

    /// The private keys that may log in.
    #[must_use]
    pub fn secrets(&self) -> Secrets {
        self.secrets.clone()
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

/// The name of the user that runs this process.
fn login_name() -> String {
    let output = Command::new("id").arg("-un").output().expect("id");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn keygen(file: &Path, arguments: &[&str]) {
    let output = Command::new("ssh-keygen").args(["-q", "-C", "stand-in", "-f"]).arg(file).args(arguments).output();
    let output = output.expect("ssh-keygen");
    assert!(output.status.success(), "ssh-keygen: {}", String::from_utf8_lossy(&output.stderr));
}

/// Starts the daemon on a port that was free a moment ago; another one if a program took it in between.
fn launch(program: &Path, folder: &Path, lines: &str, variables: &[(&str, &str)]) -> (Child, u16) {
    // As root, sshd insists on its privilege separation folder, which only a service manager makes otherwise.
    let _ = fs::create_dir_all("/run/sshd");
    let mut lenient = Vec::new();
    for _ in 0..5 {
        let port =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| socket.local_addr()).expect("a port").port();
        fs::write(folder.join("config"), config(folder, port, lines, variables)).expect("the configuration");
        if lenient.is_empty() && knows(program, folder, PENALTIES) {
            lenient = vec!["-o", PENALTIES];
        }
        let log = File::create(folder.join("log")).expect("the log");
        let daemon = Command::new(program)
            .args(["-D", "-e", "-f"])
            .arg(folder.join("config"))
            .args(&lenient)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        let mut daemon = daemon.expect("sshd");
        if answers(&mut daemon, port) {
            return (daemon, port);
        }
        let _ = daemon.kill();
        let _ = daemon.wait();
    }
    panic!("sshd does not come up: {}", fs::read_to_string(folder.join("log")).unwrap_or_default());
}

/// Whether this version has the option.
fn knows(program: &Path, folder: &Path, option: &str) -> bool {
    let test = Command::new(program).args(["-t", "-f"]).arg(folder.join("config")).args(["-o", option]).output();
    test.is_ok_and(|output| output.status.success())
}

/// Waits for the banner; false when the daemon ended or stays silent for ten seconds.
fn answers(daemon: &mut Child, port: u16) -> bool {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(10) {
        if daemon.try_wait().is_ok_and(|status| status.is_some()) {
            return false;
        }
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if let Ok(mut stream) = TcpStream::connect(address) {
            let mut banner = [0; 4];
            return stream.read_exact(&mut banner).is_ok() && &banner == b"SSH-";
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    false
}

/// Sessions have their own home and their own folder for temporary files. sshd takes the first value it finds.
fn config(folder: &Path, port: u16, lines: &str, variables: &[(&str, &str)]) -> String {
    let folder = folder.display();
    // Of this option, sshd takes the last value.
    let startups = if lines.contains("MaxStartups") { "" } else { "MaxStartups 1000\n" };
    let own = [("HOME", format!("{folder}/home")), ("TMPDIR", format!("{folder}/tmp"))];
    let own = own.into_iter().filter(|(name, _)| variables.iter().all(|(given, _)| given != name));
    let given = variables.iter().map(|(name, value)| (*name, (*value).to_owned()));
    let environment: String =
        own.chain(given).fold(String::new(), |text, (name, value)| text + &format!(" \"{name}={value}\""));
    format!(
        "{lines}\n\
         SetEnv{environment}\n\
         ListenAddress 127.0.0.1:{port}\n\
         HostKey {folder}/host_key\n\
         PidFile none\n\
         AuthorizedKeysFile {folder}/authorized_keys\n\
         StrictModes no\n\
         UsePAM no\n\
         PermitRootLogin prohibit-password\n\
         PasswordAuthentication no\n\
         KbdInteractiveAuthentication no\n\
         PrintMotd no\n\
         LogLevel VERBOSE\n\
         {startups}\
         MaxSessions 1000\n\
         Subsystem sftp internal-sftp\n\
         "
    )
}
