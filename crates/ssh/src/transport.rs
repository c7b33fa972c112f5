//! The one seam between deciding and connecting: reach a server, then run steps on it.
//!
//! Only an implementation knows how bytes travel, so that the order of a deploy can be tested without a network.

use secrecy::SecretString;

use crate::{Refusal, Step, Target};

/// A way to reach servers.
pub trait Transport {
    /// A server that is reached, verified and logged in to.
    type Session: Session;

    /// Connects to `target` and starts the remote loop there. Nothing on the server is changed.
    fn connect(&self, target: &Target) -> impl Future<Output = Result<Self::Session, Refusal>>;
}

/// A server that waits for steps, one after the other, over one connection. Dropping it closes the connection, at which the
/// server ends what runs, removes its private folder and releases the lock.
pub trait Session {
    /// What was learned on the way here.
    fn ready(&self) -> &Ready;

    /// Hands over environment variables for all later steps: lines of shell, kept in the server's memory.
    fn values(&mut self, exports: &SecretString) -> impl Future<Output = Result<(), Lost>>;

    /// Puts a step's script into the server's private folder. Nothing runs.
    fn stage(&mut self, step: &Step) -> impl Future<Output = Result<(), Lost>>;

    /// Writes `content` to a file that the last fragment has named in `$sd_target`.
    fn upload(&mut self, content: &mut (dyn std::io::Read + Send)) -> impl Future<Output = Result<(), Lost>>;

    /// Runs a fragment of shell text in the remote loop itself. Returns the lines that it reported with `sd_say`.
    fn ask(&mut self, fragment: &str) -> impl Future<Output = Result<Vec<String>, Lost>>;

    /// Runs a staged step to its end. When `until_stop` completes first, the server ends the step's process group: TERM, then KILL.
    /// All output goes to `sink` as it arrives.
    fn run(
        &mut self,
        step: &Step,
        until_stop: impl Future<Output = ()>,
        sink: impl FnMut(Output<'_>),
    ) -> impl Future<Output = Ending>;

    /// Ends the remote loop, which removes its folder and releases the lock, and waits for that.
    fn close(self) -> impl Future<Output = ()>;
}

/// What a connection reported before anything was asked of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ready {
    /// Whether the server has bash.
    pub bash: bool,
    /// The private folder on the server.
    pub folder: String,
    /// The type and fingerprint of the server's key.
    pub host_key: Option<String>,
    /// Whether that key was not known before, and was accepted all the same.
    pub newly_known: bool,
}

/// Where output was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Output of a step, untrusted.
#[derive(Clone, Copy, Debug)]
pub enum Output<'a> {
    /// The next bytes of a stream, cut anywhere.
    Bytes(Source, &'a [u8]),
    /// Nothing has come for 2 s: a line that is still open may be shown.
    Pause,
    /// The step has ended: what follows belongs to another.
    End,
}

/// The connection ended; the client's message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost(pub String);

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// What is known of the script's end.
    pub script: ScriptEnd,
    /// What ended it.
    pub ended_by: EndedBy,
    /// What is known of its process group.
    pub group: Group,
    /// Whether all output that it wrote before its end has arrived.
    pub complete: bool,
    /// The line of the script that failed, and its command, if bash reported it.
    pub line: Option<String>,
}

impl Ending {
    /// The end of a step of which only the end of the script is known.
    #[must_use]
    pub fn of(script: ScriptEnd) -> Self {
        Self { script, ended_by: EndedBy::Itself, group: Group::Unknown, complete: true, line: None }
    }
}

/// What is known of a script's end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScriptEnd {
    /// It ended with this code, 128+n for a signal, as the server reported.
    Exited(u8),
    /// It did not start; the client's message.
    NotStarted(String),
    /// The connection ended first, and its end is not known; the client's message.
    Lost(String),
}

/// What ended a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedBy {
    /// It ended by itself.
    Itself,
    /// We asked the server to end it.
    Stop,
    /// The server heard nothing of us for 20 s.
    PulseLost,
}

/// What is known of a step's process group after its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// No process of it runs.
    Gone,
    /// A process of it still runs, such as a daemon that the script has started.
    Alive,
    /// The server could not tell.
    Unknown,
}
