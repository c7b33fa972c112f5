//! The real programs that tests hold ours against.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The program, from the tools that `./check` installs or else from `PATH`. Without it the test has nothing to say: it is
/// skipped, which is printed on stderr; with `CI=true`, where nothing may be left out unseen, it fails.
#[expect(clippy::disallowed_methods, reason = "the tests find their peers in the environment")]
pub(crate) fn peer(name: &str) -> Option<PathBuf> {
    let named = std::env::var_os("DEPLOY_ACTION_TOOLS").map(PathBuf::from);
    let tools = named.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = ["node_modules/.bin", "venv/bin", "debian/usr/bin", "debian/usr/sbin", "debian/bin"];
    let folders = folders.map(|folder| tools.join(folder));
    let found = folders.into_iter().chain(std::env::split_paths(&path)).map(|folder| folder.join(name));
    let found = found.into_iter().find(|file| file.is_file());
    if found.is_none() {
        absent(name);
    }
    found
}

/// Whether a library of the system is there, by a file or folder of its package; without it as for [`peer`].
pub(crate) fn library(package: &str, file: &str) -> bool {
    let is_there = Path::new(file).exists();
    if !is_there {
        absent(package);
    }
    is_there
}

#[expect(
    clippy::disallowed_methods,
    reason = "the tests find out in the environment whether they may leave anything out"
)]
fn absent(name: &str) {
    assert!(std::env::var_os("CI").is_none_or(|value| value != "true"), "{name} is absent");
    skipped(&format!("{name} is absent"));
}

/// Prints that a test is skipped, since the machine does not allow what it needs (root, a namespace).
#[expect(clippy::print_stderr, reason = "speaks for the test that is skipped")]
pub(crate) fn skipped(why: &str) {
    eprintln!("skipped: {why}");
}

/// A peer that serves on loopback, ended when dropped.
pub(crate) struct Served {
    child: Child,
    /// The address it listens on.
    pub(crate) address: SocketAddr,
    folder: tempfile::TempDir,
}

impl Served {
    /// Starts a peer in a new folder; `{port}` among the arguments becomes the port to listen on. Returns once it listens.
    pub(crate) fn start(name: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Option<Self> {
        let program = peer(name)?;
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(program);
        command
            .args(arguments.iter().map(|argument| argument.replace("{port}", &address.port().to_string())))
            .envs(variables.iter().copied())
            .current_dir(folder.path());
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut served = Self { child, address, folder };
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(begun.elapsed() < Duration::from_mins(2), "{name} does not answer");
            assert!(served.child.try_wait().unwrap().is_none(), "{name} has ended");
            std::thread::yield_now();
        }
        Some(served)
    }

    /// The folder it runs in.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its address as a URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}
