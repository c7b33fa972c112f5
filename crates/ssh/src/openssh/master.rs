//! One connection per bastion, which every client behind it goes through: a bastion drops logins when more than ten are under way.
//!
//! It ends with us, however we end: beside it, a process reads a pipe of ours and kills it at its end.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::{Mutex, Semaphore};

use super::progress::{TOGETHER, stalled};
use crate::bastion::Jump;
use crate::evidence::{read_log, refusal};
use crate::{Cause, Refusal, RefusingBastion};

/// How many handshakes go through a bastion at a time, however many cores there are: what is behind it may be few machines.
const HANDSHAKES: usize = 8;
/// How often to look whether the connection is there.
const INTERVAL: Duration = Duration::from_millis(10);
/// How long a connection may take to end.
const FAREWELL: Duration = Duration::from_secs(2);

/// Makes the shell the client, beside a process that ends it when the pipe ends. As long as that process lives, the number of its
/// process group is no other process's.
const UNTIL_THE_PIPE_ENDS: &str = r#"exec 3<&0 </dev/null
{ cat <&3 >/dev/null; kill "$$"; } >/dev/null 2>&1 &
exec 3<&- "$@""#;

/// ssh's `KnownHostsCommand` for a key that is not known: notes the line of a known-hosts file that would pin it.
pub(super) const SHOW_KEY: &str = "[ \"$3\" = NONE ] || echo \"$2 $3 $4\" >>\"$1\"\n";

/// What a connection to a bastion needs.
pub(super) struct Means<'a> {
    pub(super) folder: &'a Path,
    pub(super) environment: &'a [(String, String)],
    pub(super) limit: Duration,
    /// Options that precede all others.
    pub(super) options: &'a [String],
}

/// A bastion.
#[derive(Debug)]
pub(super) struct Bastion {
    pub(super) jump: Jump,
    /// Its place among the bastions.
    number: usize,
    /// The handshakes that go through it.
    pub(super) handshakes: Semaphore,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    master: Option<Master>,
    tries: u32,
    failed: Option<(Instant, Refusal)>,
}

/// A connection that others go through.
#[derive(Debug)]
struct Master {
    client: Child,
    lifeline: Option<ChildStdin>,
    socket: PathBuf,
}

impl Bastion {
    pub(super) fn new(jump: Jump, number: usize) -> Self {
        Self { jump, number, handshakes: Semaphore::new(HANDSHAKES), state: Mutex::default() }
    }

    /// The socket of the connection, which is made if there is none. Those who wait for a connection that fails fail with it.
    pub(super) async fn socket(&self, means: &Means<'_>) -> Result<PathBuf, Refusal> {
        let asked = Instant::now();
        let mut state = self.state.lock().await;
        if let Some(master) = &mut state.master
            && matches!(master.client.try_wait(), Ok(None))
            && master.socket.exists()
        {
            return Ok(master.socket.clone());
        }
        if let Some((_, refusal)) = state.failed.as_ref().filter(|(at, _)| *at >= asked) {
            return Err(refusal.clone());
        }
        state.master = None;
        let name = format!("m{}.{}", self.number, state.tries);
        state.tries += 1;
        match self.connect(&name, means).await {
            Ok(master) => {
                let socket = master.socket.clone();
                state.master = Some(master);
                Ok(socket)
            }
            Err(refusal) => {
                state.failed = Some((Instant::now(), refusal.clone()));
                Err(refusal)
            }
        }
    }

    async fn connect(&self, name: &str, means: &Means<'_>) -> Result<Master, Refusal> {
        let (log, socket) = (means.folder.join(format!("{name}.log")), means.folder.join(name));
        let said = means.folder.join(format!("{name}.said"));
        let failed = |error: std::io::Error| self.refused(refusal("", &error.to_string()));
        let stderr = std::fs::File::create(&said).map_err(failed)?;
        let mut command = Command::new("sh");
        command.args(["-c", UNTIL_THE_PIPE_ENDS, "ssh-deploy", "ssh"]).args(words(&log, means));
        command.arg("-M").arg("-S").arg(socket.display().to_string().replace('%', "%%")).arg("-N");
        command.args(self.jump.words());
        command.env_clear().envs(means.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(stderr).process_group(0).kill_on_drop(true);
        let mut client = command.spawn().map_err(failed)?;
        let lifeline = client.stdin.take();
        let asked = Instant::now();
        let there = tokio::select! {
            there = until_there(&socket, &mut client) => Some(there),
            () = stalled(&log, means.limit) => None,
            () = tokio::time::sleep(means.limit * TOGETHER) => None,
        };
        let text = || refusal(&read_log(&log), &read_log(&said));
        match there {
            Some(true) => Ok(Master { client, lifeline, socket }),
            Some(false) => Err(self.with_pin(self.refused(text()), means).await),
            None => {
                let text_of_limit = format!("no login within {} s", asked.elapsed().as_secs());
                Err(self.refused(Refusal { cause: Cause::TimedOut, text: text_of_limit, ..text() }))
            }
        }
    }

    fn refused(&self, refusal: Refusal) -> Refusal {
        let bastion = RefusingBastion { name: self.jump.text.clone(), pin: None };
        Refusal { bastion: Some(Box::new(bastion)), ..refusal }
    }

    /// Adds the line that would pin a key that is not known: ssh shows it to a program of ours.
    async fn with_pin(&self, refusal: Refusal, means: &Means<'_>) -> Refusal {
        if refusal.cause != Cause::UnknownHostKey || refusal.host_key.is_none() {
            return refusal;
        }
        let (shown, program) = (means.folder.join("shown"), means.folder.join("show"));
        let quoted = |path: &Path| format!("\"{}\"", path.display().to_string().replace('%', "%%"));
        let option = format!("KnownHostsCommand=/bin/sh {} {} %H %t %K", quoted(&program), quoted(&shown));
        let mut command = Command::new("ssh");
        command.args(words(&means.folder.join("show.log"), means)).args(["-o", &option, "-N"]);
        command.args(self.jump.words());
        command.env_clear().envs(means.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        // Without its answer, the fingerprint has to do.
        let _answered = tokio::time::timeout(means.limit, command.status()).await;
        let pin = std::fs::read_to_string(shown).unwrap_or_default().lines().next_back().map(str::to_owned);
        let bastion = RefusingBastion { name: self.jump.text.clone(), pin };
        Refusal { bastion: Some(Box::new(bastion)), ..refusal }
    }

    /// Ends the connection, and waits for its end.
    pub(super) async fn close(self) {
        if let Some(mut master) = self.state.into_inner().master {
            master.lifeline = None;
            let _ended = tokio::time::timeout(FAREWELL, master.client.wait()).await;
        }
    }
}

/// Waits for the socket of a connection that is made; false if its client ends first.
async fn until_there(socket: &Path, client: &mut Child) -> bool {
    while !socket.exists() {
        if !matches!(client.try_wait(), Ok(None)) {
            return false;
        }
        tokio::time::sleep(INTERVAL).await;
    }
    true
}

fn words(log: &Path, means: &Means<'_>) -> Vec<String> {
    let mut words = vec!["-F".to_owned(), means.folder.join("config").display().to_string()];
    words.extend(["-E".to_owned(), log.display().to_string()]);
    words.extend(["-o", "LogLevel=DEBUG1", "-T", "-x", "-a"].map(str::to_owned));
    words.extend(means.options.iter().cloned());
    words
}
