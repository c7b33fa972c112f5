//! One look at a target: what was read, and what it proves.

use std::time::Duration;

/// What one look found. Whether the wait is over is decided over all looks, in [`crate::judge`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// When, since the wait began.
    pub at: Duration,
    /// What it proves.
    pub state: State,
    /// A stable word for programs: `live`, `old_revision`, `crash_loop`, …
    pub code: &'static str,
    /// What was read, and what is missing, in a clause. May quote other programs, so it is foreign text.
    pub what: String,
    /// The identity of what was asked to run when it was read. A proof counts only together with others at the same one.
    pub spec: String,
    /// Whether what is asked to run is ours, proved to run or not: after that, another revision has replaced it.
    pub ours: bool,
    /// Failures of our revision that can be seen now.
    pub failures: Vec<Failure>,
    /// The time without a failure that the target itself asks for.
    pub stable: Duration,
    /// Evidence beside `what`, a line each: foreign text.
    pub evidence: Vec<String>,
    /// What the target is called for good, once it is live: an image's reference with its digest.
    pub result: Option<String>,
}

/// What a look proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Every proof of our revision held.
    Live,
    /// It may still come.
    NotYet,
    /// Another revision is there; the history says how ours was lost, if it ever was there.
    Other(Option<Lost>),
    /// Something is wrong, which ends the wait once it has lasted.
    Trouble(End, Patience),
}

/// How our revision was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// The one before it is back.
    RolledBack,
    /// A later one has taken its place.
    Superseded,
}

/// How a wait ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Our revision is live.
    Live,
    /// It will not come.
    Failed,
    /// The call cannot be understood by the service: an unknown kind of object.
    Usage,
    /// Time ran out on the way.
    Incomplete,
    /// It could not be looked at.
    Unreachable,
    /// Looking is not permitted.
    Denied,
}

/// How long trouble has to last to end the wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// So many looks in a row.
    Looks(u32),
    /// As long as `--grace`.
    Grace,
    /// Until the deadline.
    Deadline,
}

/// A failure of our revision, with an identity that tells two of them apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// A task's id, a pod's with the number of its restarts.
    pub id: String,
    /// What failed and how: foreign text.
    pub text: String,
}

impl Look {
    /// A look that proves `state`.
    pub fn new(state: State, code: &'static str, what: impl Into<String>) -> Self {
        Self {
            at: Duration::ZERO,
            state,
            code,
            what: what.into(),
            spec: String::new(),
            ours: false,
            failures: Vec::new(),
            stable: Duration::ZERO,
            evidence: Vec::new(),
            result: None,
        }
    }

    /// Everything holds.
    pub fn live(what: impl Into<String>) -> Self {
        Self::new(State::Live, "live", what)
    }

    /// It may still come.
    pub fn not_yet(code: &'static str, what: impl Into<String>) -> Self {
        Self::new(State::NotYet, code, what)
    }

    /// It will not come, if that lasts.
    pub fn failed(patience: Patience, code: &'static str, what: impl Into<String>) -> Self {
        Self::new(State::Trouble(End::Failed, patience), code, what)
    }

    /// It cannot be looked at.
    pub fn unreachable(patience: Patience, code: &'static str, what: impl Into<String>) -> Self {
        Self::new(State::Trouble(End::Unreachable, patience), code, what)
    }

    /// Looking is not permitted.
    pub fn denied(patience: Patience, code: &'static str, what: impl Into<String>) -> Self {
        Self::new(State::Trouble(End::Denied, patience), code, what)
    }

    /// Adds lines of evidence.
    #[must_use]
    pub fn evidence(mut self, lines: impl IntoIterator<Item = String>) -> Self {
        self.evidence.extend(lines);
        self
    }

    /// Sets the identity of what was asked to run.
    #[must_use]
    pub fn spec(mut self, spec: impl Into<String>) -> Self {
        self.spec = spec.into();
        self
    }

    /// Whether anything could be read.
    #[must_use]
    pub fn is_reading(&self) -> bool {
        !matches!(self.state, State::Trouble(End::Unreachable, _))
    }
}
