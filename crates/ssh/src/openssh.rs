//! The transport that drives the system's `ssh`: one client, one connection a host.
//!
//! A connection waits inside the remote program until the script is sent, so that every host can be checked before the first is
//! changed, over the same connection. Our end of the client's stdin is the lifeline: however we end, the remote side notices.

mod conversation;

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fault::{Fault, Result};
use secrecy::SecretString;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::sync::Semaphore;

use crate::agent::Agent;
use crate::client::{FINGERPRINTS, Files, Policy, UnknownHosts, arguments, configuration, pins};
use crate::evidence::{host_key, newly_known, refusal};
use crate::{Cause, HostKey, PrivateKey, Program, Ready, Refusal, Target, Transport};
use conversation::Conversation;

/// What all connections of a run share.
#[derive(Debug)]
pub struct Settings {
    /// The environment of `ssh`, `ssh-agent` and `ssh-add`: all of it.
    pub environment: Vec<(String, String)>,
    /// The text of the only known-hosts file beside the system's; the user's own where it is `None`.
    pub known_hosts: Option<String>,
    /// The only key to offer, with its passphrase; the user's own agent and files where it is `None`.
    pub key: Option<(PrivateKey, Option<SecretString>)>,
    /// What becomes of a server whose key nobody knows.
    pub unknown_hosts: UnknownHosts,
    /// How long reaching a server may take.
    pub connect_timeout: Duration,
    /// How many servers are shaken hands with at once.
    pub handshakes: usize,
}

/// OpenSSH's client, ready to be called.
#[derive(Debug)]
pub struct OpenSsh {
    folder: TempDir,
    environment: Vec<(String, String)>,
    known_hosts: String,
    agent: Option<Agent>,
    connect_timeout: Duration,
    handshakes: Semaphore,
    connections: AtomicU64,
}

/// How often a server that drops the connection before the login is tried: it may be at its limit of unfinished logins.
const ATTEMPTS: u32 = 3;

/// How long a server may take until the next one's handshake begins beside it.
const HANDSHAKE: Duration = Duration::from_secs(3);

impl OpenSsh {
    /// Writes what the client reads, and starts the agent where there is a key.
    ///
    /// # Errors
    /// A usage fault where the key cannot be loaded or OpenSSH is not installed.
    pub async fn prepare(settings: Settings) -> Result<Self> {
        let failed = |error: std::io::Error| {
            Fault::usage("cannot write ssh's configuration to a temporary folder").cause(error.to_string())
        };
        is_installed(&settings.environment).await?;
        // Only we can enter it. It holds no secret.
        let folder = tempfile::Builder::new().prefix("ssh-deploy-").tempdir().map_err(failed)?;
        let file = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).map_err(failed);
        let agent = match &settings.key {
            Some((key, passphrase)) => {
                Some(Agent::start(folder.path(), key, passphrase.as_ref(), &settings.environment).await?)
            }
            None => None,
        };
        let known_hosts = folder.path().join("known_hosts");
        let policy = Policy {
            known_hosts: settings.known_hosts.as_ref().map(|_| known_hosts.as_path()),
            key: agent.as_ref().map(|agent| (agent.socket.as_path(), agent.public_key.as_path())),
            connect_seconds: settings.connect_timeout.as_secs().max(1),
            unknown: settings.unknown_hosts,
        };
        file("config", &configuration(&policy))?;
        file("fingerprints", FINGERPRINTS)?;
        file("known_hosts", settings.known_hosts.as_deref().unwrap_or_default())?;
        Ok(Self {
            folder,
            environment: settings.environment,
            known_hosts: settings.known_hosts.unwrap_or_default(),
            agent,
            connect_timeout: settings.connect_timeout,
            handshakes: Semaphore::new(settings.handshakes.max(1)),
            connections: AtomicU64::new(0),
        })
    }

    /// Ends the agent and removes the folder.
    pub async fn close(self) {
        if let Some(agent) = self.agent {
            agent.stop().await;
        }
    }

    /// One attempt, in its turn. Who takes long is silent and does not compute: it no longer keeps the others waiting.
    async fn shake_hands(
        &self,
        target: &Target,
        program: &Program,
        unwanted: &[String],
    ) -> Result<Conversation, Refusal> {
        let permit = self.handshakes.acquire().await;
        let mut attempt = pin!(self.attempt(target, program, unwanted));
        if let Ok(result) = tokio::time::timeout(HANDSHAKE, &mut attempt).await {
            return result;
        }
        drop(permit);
        attempt.await
    }

    async fn attempt(&self, target: &Target, program: &Program, unwanted: &[String]) -> Result<Conversation, Refusal> {
        let number = self.connections.fetch_add(1, Ordering::Relaxed);
        let log = self.folder.path().join(format!("log-{number}"));
        let nonce = nonce();
        let stage = program.stage(&nonce);
        let child = self.spawn(target, &Program::command_line(&stage, &nonce), &log, (number, unwanted))?;
        let Some(mut conversation) = Conversation::new(child, nonce) else {
            return Err(unreachable("ssh has no pipes"));
        };
        // ssh's own limit covers each address of a name; this one covers the login too.
        let patience = self.connect_timeout * 2;
        let begun = tokio::time::timeout(patience, conversation.begin(&stage)).await;
        let text = read_log(&log);
        match begun {
            Ok(Ok(interpreter)) => {
                conversation.ready = Ready { interpreter, host_key: host_key(&text), newly_known: newly_known(&text) };
                conversation.log = log;
                Ok(conversation)
            }
            Ok(Err(Some(unusable))) => Err(Refusal { cause: Cause::Unusable, text: unusable, ..refusal(&text, "") }),
            Ok(Err(None)) => Err(refusal(&text, &conversation.said()).of(target)),
            Err(_elapsed) => {
                let words = format!("no login within {} s", patience.as_secs());
                Err(Refusal { cause: Cause::TimedOut, text: words, ..refusal(&text, "") })
            }
        }
    }

    fn spawn(
        &self,
        target: &Target,
        command_line: &str,
        log: &Path,
        (number, unwanted): (u64, &[String]),
    ) -> Result<Child, Refusal> {
        let pin_file = self.folder.path().join(format!("pins-{number}"));
        if !target.host_keys.is_empty() {
            std::fs::write(&pin_file, pins(target, &self.known_hosts))
                .map_err(|error| unreachable(&error.to_string()))?;
        }
        let files = Files {
            configuration: &self.folder.path().join("config"),
            log,
            pins: &pin_file,
            fingerprints: &self.folder.path().join("fingerprints"),
            unwanted,
        };
        let mut command = Command::new("ssh");
        command.args(arguments(target, &files, command_line));
        command.env_clear().envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // A Ctrl-C is ours to pass on, in order.
        command.process_group(0).kill_on_drop(true);
        command
            .spawn()
            .map_err(|error| Refusal { cause: Cause::Configuration, ..unreachable(&missing("ssh", &error).message) })
    }
}

impl Transport for OpenSsh {
    type Session = Conversation;

    async fn connect(&self, target: &Target, program: &Program) -> Result<Conversation, Refusal> {
        let mut attempt = 1;
        let mut unwanted = Vec::new();
        let mut first_key: Option<Refusal> = None;
        loop {
            let refusal = match self.shake_hands(target, program, &unwanted).await {
                Ok(conversation) => return Ok(conversation),
                Err(refusal) => refusal,
            };
            if refusal.cause == Cause::Dropped && attempt < ATTEMPTS {
                tokio::time::sleep(Duration::from_millis(500) * attempt).await;
                attempt += 1;
            } else if let Some(kind) = other_kind(target, &refusal, &unwanted) {
                unwanted.push(kind);
                first_key.get_or_insert(refusal);
            } else {
                return Err(first_key.unwrap_or(refusal));
            }
        }
    }
}

/// The type of key that the server showed, where the given fingerprint may be that of its key of another type: a fingerprint
/// does not tell which type to ask for, so each is asked for in turn.
fn other_kind(target: &Target, refusal: &Refusal, unwanted: &[String]) -> Option<String> {
    let only_fingerprints = target.host_keys.iter().all(|key| matches!(key, HostKey::Fingerprint(_)));
    let (kind, _) = refusal.host_key.as_deref()?.split_once(' ')?;
    let asked = refusal.cause == Cause::ChangedHostKey && only_fingerprints && !target.host_keys.is_empty();
    (asked && !unwanted.iter().any(|one| one == kind)).then(|| kind.to_owned())
}

fn unreachable(text: &str) -> Refusal {
    Refusal { cause: Cause::Unreachable, text: text.to_owned(), host_key: None, offered: Vec::new() }
}

async fn is_installed(environment: &[(String, String)]) -> Result<()> {
    let mut command = Command::new("ssh");
    command.arg("-V").env_clear().envs(environment.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().await.map(drop).map_err(|error| missing("ssh", &error))
}

/// The fault of a program that cannot be started.
pub(crate) fn missing(program: &str, error: &std::io::Error) -> Fault {
    if error.kind() == std::io::ErrorKind::NotFound {
        return Fault::usage(format!("{program} is not installed"))
            .help("install the OpenSSH client: apt-get install openssh-client, apk add openssh-client, dnf install openssh-clients");
    }
    Fault::usage(format!("{program} cannot be started: {error}"))
}

/// 128 random bits: only who reads our stdin can say them.
fn nonce() -> String {
    let mut bytes = [0; 16];
    // Without a source of random bits ssh itself does not work either.
    let _seeded = getrandom::fill(&mut bytes);
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

fn read_log(path: &PathBuf) -> String {
    std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}
