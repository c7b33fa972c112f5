//! The one seam between deciding and connecting: reach a server, then run a program on it.
//!
//! Nothing outside an implementation knows how bytes travel, so that the order of a deploy can be tested without a network.

use crate::{Program, Refusal, Target};

/// A way to reach servers.
pub trait Transport {
    /// A server that is reached, verified, logged in to and ready for the program.
    type Session: Session;

    /// Gets `target` ready to run `program`. Nothing on it is changed; a dropped session leaves nothing behind.
    fn connect(&self, target: &Target, program: &Program) -> impl Future<Output = Result<Self::Session, Refusal>>;
}

/// A server that waits for a program.
pub trait Session {
    /// What was learned on the way here.
    fn ready(&self) -> &Ready;

    /// Runs the program to its end. When `stop` ends first, the server is told to end the program's process group, and has the
    /// program's grace for it. Every line goes to `sink` when it is there.
    fn run(
        self,
        program: &Program,
        stop: impl Future<Output = ()>,
        sink: impl FnMut(Line<'_>),
    ) -> impl Future<Output = Ending>;
}

/// What a connection told before the program was sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ready {
    /// What will run the script, such as `bash -euo pipefail`.
    pub interpreter: String,
    /// The type and fingerprint of the server's key.
    pub host_key: Option<String>,
    /// Whether that key was not known before, and was accepted all the same.
    pub newly_known: bool,
}

/// Where a line was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// One line of a program's output, untrusted, without its end.
#[derive(Debug)]
pub struct Line<'a> {
    /// Where it was written.
    pub source: Source,
    /// Its bytes.
    pub bytes: &'a [u8],
    /// Whether the line is still open: what follows it in the stream belongs to it.
    pub open: bool,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// What is known of the program's end.
    pub verdict: Verdict,
    /// Whether something that the program started still held its output when it ended.
    pub output_held: bool,
}

/// What is known of a program's end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It ended with this code, 128+n for a signal, as the server itself said.
    Exited(u8),
    /// It did not start; the client's words.
    NotStarted(String),
    /// The connection ended first, and nobody knows whether the program finished; the client's words.
    Lost(String),
}
