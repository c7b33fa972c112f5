//! A check that has come to its end.

use std::path::PathBuf;

use report::{Event, Judgement, Reason, Status};

/// What the attempts of a check amount to.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) judgement: Judgement,
    /// Findings and evidence of the last attempt.
    pub(super) events: Vec<Event>,
    /// The last lines that it printed.
    pub(super) output: String,
    pub(super) attempts: Vec<Try>,
    /// Why it was stopped.
    pub(super) cancelled: Option<Reason>,
    /// Whether it was not run, because nothing has changed.
    pub(super) cached_at: Option<String>,
    pub(super) log: Option<PathBuf>,
    pub(super) seconds: f64,
}

/// One attempt, for the report.
#[derive(Clone, Debug)]
pub(super) struct Try {
    pub(super) status: Status,
    pub(super) exit_code: Option<i64>,
    pub(super) signal: Option<&'static str>,
    pub(super) seconds: f64,
}
