//! What all connections share: the key, the known hosts, the environment of ssh.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use cli::Console;
use fault::{Fault, Result};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use secrecy::ExposeSecret as _;
use ssh::{Lock, PrivateKey, Settings, UnknownHosts};

use crate::args::{Args, KeyExchange};
use crate::gather::{Found, KEY, KNOWN_HOSTS, PASSPHRASE};

/// A client's three pipes and its process.
const FILES_PER_HOST: u64 = 5;

/// What all connections share.
///
/// # Errors
/// A usage fault for a key or a file that cannot be used, and for more hosts than files may be open.
pub(crate) fn settings(args: &Args, console: &Console, found: &Found, hosts: usize) -> Result<Settings> {
    allow_files(hosts as u64 * FILES_PER_HOST + 64)?;
    let name = args.connection.key_env.as_deref().unwrap_or(KEY);
    let key = found.0.get(name).map(|value| PrivateKey::repaired(name, value)).transpose()?;
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    Ok(Settings {
        environment: ssh::environment(console.environment().iter(), &args.connection.ssh_env),
        known_hosts: known_hosts(args, found)?,
        key: key.map(|key| (key, found.0.get(PASSPHRASE).cloned())),
        unknown_hosts: if args.connection.accept_new { UnknownHosts::Accept } else { UnknownHosts::Refuse },
        connect_timeout: args.connection.connect_timeout,
        // More only makes each slower.
        handshakes: cores * 8,
        name: folder_name(args, console),
        key_exchange: args.connection.kex.map(|KeyExchange::Fast| ssh::KeyExchange::Fast),
        configuration: configuration(args)?,
    })
}

/// How the private folders on the hosts begin: with the lock, whose next holder removes what this run may leave, and the run. The
/// random word keeps that holder from taking them for its own.
fn folder_name(args: &Args, console: &Console) -> String {
    let run = console.context().run_key().unwrap_or_else(|| "local".to_owned());
    let plain = |one: char| if one.is_ascii_alphanumeric() || "_-".contains(one) { one } else { '_' };
    let run: String = run.chars().map(plain).collect();
    let name = args.locking.lock.as_deref().filter(|name| !name.trim().is_empty());
    let name = name.or(console.context().repository.as_deref());
    let lock = name.filter(|name| *name != "none").map_or_else(|| "none".to_owned(), Lock::file_name);
    format!(".ssh-deploy.{lock}.{run}-{}", ssh::random_word())
}

/// The user's configuration of ssh. Its path is made absolute: ssh looks for an included file in `~/.ssh`, and finds none without a word.
fn configuration(args: &Args) -> Result<Option<PathBuf>> {
    let Some(path) = &args.connection.ssh_config else { return Ok(None) };
    let found = std::fs::File::open(path).and_then(|_readable| std::path::absolute(path));
    found.map(Some).map_err(|error| {
        Fault::usage(format!("cannot read the configuration of ssh {}", path.display())).cause(error.to_string())
    })
}

fn known_hosts(args: &Args, found: &Found) -> Result<Option<String>> {
    let Some(path) = &args.connection.known_hosts else {
        return Ok(found.0.get(KNOWN_HOSTS).map(|lines| format!("{}\n", lines.expose_secret())));
    };
    let text = match std::fs::read(path) {
        // It is made when there is something to remember.
        Err(error) if error.kind() == ErrorKind::NotFound && args.connection.accept_new => String::new(),
        Err(error) => {
            return Err(
                Fault::usage(format!("cannot read the known hosts {}", path.display())).cause(error.to_string())
            );
        }
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
    };
    Ok(Some(if text.is_empty() || text.ends_with('\n') { text } else { text + "\n" }))
}

/// Prints the keys that were accepted without being known, and adds them to the file of `--known-hosts`.
pub(crate) fn remember(args: &Args, lines: &[String], console: &Console) {
    if lines.is_empty() {
        return;
    }
    let (written, problem) = match &args.connection.known_hosts {
        Some(path) => match append(path, lines) {
            Ok(()) => (format!(", written to {}", path.display()), None),
            Err(error) => (String::new(), Some(format!("cannot write {}: {error}", path.display()))),
        },
        None => (String::new(), None),
    };
    for line in lines {
        console.status(&format!("accepted{written}: {line}"));
    }
    if let Some(problem) = problem {
        console.warn(&problem);
    }
}

/// Adds lines to a file in one write, which no other writer's can divide; a new file is private.
fn append(path: &Path, lines: &[String]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
    let size = file.seek(SeekFrom::End(0))?;
    let mut last = [b'\n'];
    if size > 0 {
        file.read_exact_at(&mut last, size - 1)?;
    }
    let open = if last == *b"\n" { "" } else { "\n" };
    file.write_all(format!("{open}{}\n", lines.join("\n")).as_bytes())
}

/// Raises the limit of open files to `needed`, if the system allows it.
fn allow_files(needed: u64) -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    let raised = Rlimit { current: Some(needed), maximum: limit.maximum };
    setrlimit(Resource::Nofile, raised).map_err(|error| {
        Fault::usage(format!("this many hosts need {needed} open files"))
            .cause(error.to_string())
            .help("raise the limit: ulimit -n")
    })
}
