//! The transport that drives the system's `ssh`: one client and one connection per host.
//!
//! Everything that happens on a host goes through that connection. Our end of the client's stdin is the lifeline: however we
//! end, the remote loop notices.

mod master;
mod pipe;
mod progress;
mod route;
mod session;
mod way;

use std::path::PathBuf;
use std::pin::pin;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use deadline::{Deadline, Wait};
use fault::{Fault, Result};
use secrecy::SecretString;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::agent::Agent;
use crate::bootstrap::{CUT_OFF, command_line, program};
use crate::client::{FINGERPRINTS, Files, KeyExchange, Policy, UnknownHosts, arguments, configuration, pins};
use crate::evidence::{CERTIFICATE, host_key, is_logged_in, newly_known, plain_key, read_log, refusal};
use crate::program::{missing, version};
use crate::pulse::Pulse;
use crate::throttle::Throttle;
use crate::wire::nonce;
use crate::{Cause, HostKey, PrivateKey, Ready, Refusal, Target, Transport};
use master::SHOW_KEY;
pub use pipe::Pipe;
use progress::{TOGETHER, stalled};
use session::{OpenSession, Prologue};
use way::{Way, Ways};

/// What all connections of a run share.
#[derive(Debug)]
pub struct Settings {
    /// The environment of `ssh`, `ssh-agent` and `ssh-add`: all of it.
    pub environment: Vec<(String, String)>,
    /// The text of the only known-hosts file beside the system's; the user's own file if `None`.
    pub known_hosts: Option<String>,
    /// The only key to offer, with its passphrase; the user's own agent and files if `None`.
    pub key: Option<(PrivateKey, Option<SecretString>)>,
    /// What becomes of a server whose key is not known.
    pub unknown_hosts: UnknownHosts,
    /// How long reaching a server may take.
    pub connect_timeout: Duration,
    /// How many handshakes run at the same time.
    pub handshakes: usize,
    /// How a connection's keys are agreed on; ssh's own default if `None`.
    pub key_exchange: Option<KeyExchange>,
    /// The user's configuration of ssh; `~/.ssh/config` if `None`.
    pub configuration: Option<PathBuf>,
    /// How the private folders on the servers begin: `.ssh-deploy.LOCK.RUN`, without characters that a shell could take for more.
    pub name: String,
}

/// OpenSSH's client, ready to be called.
#[derive(Debug)]
pub struct OpenSsh {
    folder: TempDir,
    environment: Vec<(String, String)>,
    known_hosts: String,
    agent: Option<Agent>,
    connect_timeout: Duration,
    handshakes: Throttle,
    connections: AtomicU64,
    /// How many logins are under way.
    logins: AtomicU64,
    pulse: Pulse,
    name: String,
    ways: Ways,
}

/// How long to wait after each time that a server drops the connection before the login: it may be at its limit of unfinished
/// logins, and from OpenSSH 9.8 on it locks out an address for a while that comes back too soon.
const PAUSES: [Duration; 3] = [Duration::from_millis(500), Duration::from_secs(3), Duration::from_secs(16)];

/// How long a step's processes have between TERM and KILL.
const GRACE: Duration = Duration::from_secs(5);

/// How long ssh takes to notice that a network swallows everything: only then is a silent login told from a lost connection.
const SILENCE: Duration = Duration::from_secs(27);

/// How long a handshake that makes no progress keeps others waiting.
const HANDSHAKE: Duration = Duration::from_secs(3);

/// How often a login may be dropped while others of ours are under way, before its tries are counted: it may have been one too many.
const CROWDED: u32 = 16;

/// How long a turn stays taken after its handshake was dropped. Without that, the hosts that wait would come one after the other in
/// the moment in which the server is full, and use up their tries.
const REST: Duration = PAUSES[0];

impl OpenSsh {
    /// Writes the files that the client reads, and starts the agent if there is a key.
    ///
    /// # Errors
    /// A usage fault if the key cannot be loaded or OpenSSH is not installed.
    pub async fn prepare(settings: Settings) -> Result<Self> {
        let failed = |error: std::io::Error| {
            Fault::usage("cannot write ssh's configuration to a temporary folder").cause(error.to_string())
        };
        let version = version(&settings.environment).await?;
        let folder = private_folder().map_err(failed)?;
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
            key_exchange: settings.key_exchange,
            user_configuration: settings.configuration.as_deref(),
            version,
        };
        file("config", &configuration(&policy))?;
        file("fingerprints", FINGERPRINTS)?;
        file("show", SHOW_KEY)?;
        file("known_hosts", settings.known_hosts.as_deref().unwrap_or_default())?;
        let spares_own_files = settings.unknown_hosts == UnknownHosts::Accept && settings.known_hosts.is_none();
        let ways = Ways::new(&settings.environment, settings.configuration.as_deref(), spares_own_files);
        Ok(Self {
            ways,
            folder,
            environment: settings.environment,
            known_hosts: settings.known_hosts.unwrap_or_default(),
            agent,
            connect_timeout: settings.connect_timeout,
            handshakes: Throttle::new(settings.handshakes),
            connections: AtomicU64::new(0),
            logins: AtomicU64::new(0),
            pulse: Pulse::start().map_err(|error| Fault::usage("cannot start a thread").cause(error.to_string()))?,
            name: settings.name,
        })
    }

    /// The lines of a known-hosts file for the keys that were accepted without being known.
    #[must_use]
    pub fn learnt(&self) -> Vec<String> {
        let text = read_log(&self.folder.path().join("known_hosts"));
        let new = text.strip_prefix(self.known_hosts.as_str()).unwrap_or_default();
        new.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect()
    }

    /// Ends the connections to bastions and the agent, and removes the folder.
    pub async fn close(self) {
        self.ways.close().await;
        if let Some(agent) = self.agent {
            agent.stop().await;
        }
    }

    /// One attempt, in its turn. A server that is silent does not compute: others need not wait for it. One that goes on slowly does,
    /// or this machine is busy, and more logins at the same time would only make all of them too slow.
    /// A refusal comes with whether other logins of ours were under way.
    async fn shake_hands(&self, target: &Target, unwanted: &[String]) -> Result<OpenSession, (Refusal, bool)> {
        let way = self.way(target).await.map_err(|refusal| (refusal, true))?;
        // Held to the end: what is behind a bastion may be few machines, with limits of their own.
        let _behind = match &way.bastion {
            Some(bastion) => Some(bastion.handshakes.acquire().await),
            None => None,
        };
        let Ok(slot) = self.handshakes.acquire().await else { return Err((unreachable("the run is over"), false)) };
        let together = slot.halvings();
        let number = self.connections.fetch_add(1, Ordering::Relaxed);
        let log = self.folder.path().join(format!("log-{number}"));
        self.logins.fetch_add(1, Ordering::Relaxed);
        let mut attempt = pin!(self.attempt(target, unwanted, &way, number));
        let (result, slot) = tokio::select! {
            result = &mut attempt => (result, Some(slot)),
            () = stalled(&log, HANDSHAKE) => {
                drop(slot);
                (attempt.await, None)
            }
        };
        let others = self.logins.fetch_sub(1, Ordering::Relaxed) > 1;
        let refusal = match result {
            Ok(session) => return Ok(session),
            Err(refusal) => refusal,
        };
        if refusal.cause == Cause::Dropped {
            // A server, or a bastion before it, has had too many.
            self.handshakes.slow_down(together);
            tokio::time::sleep(REST).await;
        }
        drop(slot);
        Err((refusal, others))
    }

    async fn attempt(
        &self,
        target: &Target,
        unwanted: &[String],
        way: &Way,
        number: u64,
    ) -> Result<OpenSession, Refusal> {
        let log = self.folder.path().join(format!("log-{number}"));
        let nonce = nonce();
        let program = program(&nonce, &format!("{}.{}", self.name, &nonce[..12]), tenths(GRACE));
        let mut child = self.spawn(target, &command_line(&program), number, (unwanted, &way.options))?;
        let writer =
            child.stdin.take().and_then(|stdin| stdin.into_owned_fd().ok()).map(|pipe| self.pulse.attach(pipe));
        let Some(mut session) = writer.and_then(|writer| OpenSession::new(child, writer, &nonce, GRACE)) else {
            return Err(unreachable("ssh has no pipes"));
        };
        // ssh's own limit covers each address of a name; this one covers the login too.
        let (limit, asked) = (self.connect_timeout * 2, Instant::now());
        let _wait = Wait::begin(format!("the login to {}", target.name), Deadline::after(limit * TOGETHER));
        let begun = tokio::select! {
            begun = session.begin(program) => Some(begun),
            () = stalled(&log, limit) => None,
            () = tokio::time::sleep(limit * TOGETHER) => None,
        };
        let text = read_log(&log);
        match begun {
            Some(Ok(ready)) => {
                session.ready = Ready {
                    host_key: host_key(&text).as_deref().map(plain_key),
                    newly_known: newly_known(&text),
                    ..ready
                };
                session.log = log;
                Ok(session)
            }
            Some(Err(Prologue { unusable: Some(text_of_host), .. })) => {
                Err(Refusal { cause: Cause::Unusable, text: text_of_host, ..refusal(&text, "") })
            }
            Some(Err(prologue)) => Err(refusal(&text, &prologue.text).of(target).of_ended_login(prologue.code)),
            None => {
                let took = asked.elapsed();
                let patience = if is_logged_in(&text) { SILENCE } else { Duration::ZERO };
                let code = session.hang_up(patience).await;
                Err(no_answer(&read_log(&log), code, took))
            }
        }
    }

    fn spawn(
        &self,
        target: &Target,
        command_line: &str,
        number: u64,
        (unwanted, options): (&[String], &[String]),
    ) -> Result<Child, Refusal> {
        let pin_file = self.folder.path().join(format!("pins-{number}"));
        if !target.host_keys.is_empty() {
            std::fs::write(&pin_file, pins(target, &self.known_hosts))
                .map_err(|error| unreachable(&error.to_string()))?;
        }
        let files = Files {
            configuration: &self.folder.path().join("config"),
            log: &self.folder.path().join(format!("log-{number}")),
            pins: &pin_file,
            fingerprints: &self.folder.path().join("fingerprints"),
            unwanted,
            options,
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
    type Session = OpenSession;

    async fn connect(&self, target: &Target) -> Result<OpenSession, Refusal> {
        let (mut pauses, mut crowded) = (PAUSES.into_iter(), 0);
        let mut unwanted = Vec::new();
        let mut first_key: Option<Refusal> = None;
        loop {
            let (refusal, others) = match self.shake_hands(target, &unwanted).await {
                Ok(session) => return Ok(session),
                Err(refused) => refused,
            };
            if refusal.cause == Cause::Dropped && others && crowded < CROWDED {
                crowded += 1;
                tokio::time::sleep(REST).await;
            } else if refusal.cause == Cause::Dropped
                && let Some(pause) = pauses.next()
            {
                tokio::time::sleep(pause.saturating_sub(REST)).await;
            } else if let Some(kind) = other_kind(target, &refusal, &unwanted) {
                unwanted.push(kind);
                first_key.get_or_insert(refusal);
            } else {
                let refusal = first_key.unwrap_or(refusal);
                return Err(Refusal { host_key: refusal.host_key.as_deref().map(plain_key), ..refusal });
            }
        }
    }
}

/// The type of key that the server showed, if the given fingerprint may be that of its key of another type, or of the key in the
/// certificate that it showed. A fingerprint does not include the type, so each type is asked for in turn.
fn other_kind(target: &Target, refusal: &Refusal, unwanted: &[String]) -> Option<String> {
    let only_fingerprints = target.host_keys.iter().all(|key| matches!(key, HostKey::Fingerprint(_)));
    let (kind, _) = refusal.host_key.as_deref()?.split_once(' ')?;
    let asked = refusal.cause == Cause::ChangedHostKey && only_fingerprints && !target.host_keys.is_empty();
    let kind = if kind.ends_with(CERTIFICATE) { CERTIFICATE } else { kind };
    (asked && !unwanted.iter().any(|one| one == kind)).then(|| kind.to_owned())
}

/// A folder that only we can enter, whatever the umask. It holds no secret. The path of a socket in it must be shorter than 108 bytes,
/// so a long `TMPDIR` is not used.
fn private_folder() -> std::io::Result<TempDir> {
    use std::os::unix::fs::PermissionsExt as _;
    let mut parent = std::env::temp_dir();
    // With room for ssh's own ending of a temporary name.
    if parent.as_os_str().len() > 50 {
        parent = PathBuf::from("/tmp");
    }
    let private = std::fs::Permissions::from_mode(0o700);
    tempfile::Builder::new().prefix("ssh-deploy-").permissions(private).tempdir_in(parent)
}

fn tenths(time: Duration) -> u32 {
    u32::try_from(time.as_millis() / 100).unwrap_or(u32::MAX)
}

/// A server that never let us in, or one that did and whose login has not started our program; `code` is how that login ended when
/// its input did.
fn no_answer(log: &str, code: Option<i32>, took: Duration) -> Refusal {
    let cause = match code {
        _ if !is_logged_in(log) || refusal(log, "").cause == Cause::TimedOut => Cause::TimedOut,
        Some(code) if code == CUT_OFF => Cause::LoginReads,
        _ => Cause::LoginHangs,
    };
    let what = if cause == Cause::TimedOut { "no login" } else { "the login shell did not start our program" };
    Refusal { cause, text: format!("{what} within {} s", took.as_secs()), ..refusal(log, "") }
}

fn unreachable(text: &str) -> Refusal {
    Refusal { cause: Cause::Unreachable, text: text.to_owned(), host_key: None, offered: Vec::new(), bastion: None }
}
