//! A journal of a run: records on disk that outlive a crash.
//!
//! A step's beginning is on the disk before the step begins ([`Journal::append`] flushes), and so is its end. After a crash or a power
//! cut, what began and has no end is known to be half done. A last line that was cut short is left out, and reported as torn.
//!
//! The lines are records as every tool writes them (`report::Record`), with three events more: `step_started`, `step_running` and
//! `step_finished`.
//! [`rounds`] folds them, without any effect, into what happened to each check.

mod file;
mod fold;
mod step;

pub use file::{History, Journal, history};
pub use fold::{Round, StepRound, rounds};
pub use step::{Step, StepEnd, facts, step_finished, step_running, step_started, with_facts};
