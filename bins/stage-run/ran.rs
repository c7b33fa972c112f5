//! What a run came to.

use crate::stage::Done;

/// What one run came to.
pub(crate) struct Ran {
    /// The stages, in the order of the plan.
    pub(crate) stages: Vec<Done>,
    /// Undos, the run's hooks and `always` stages, by the ids of their checks.
    pub(crate) others: Vec<Done>,
    /// Stages that a later call has to run.
    pub(crate) pending: Vec<String>,
    /// Why it ended before its end: the journal or a log cannot be written.
    pub(crate) broken: Option<fault::Fault>,
}
