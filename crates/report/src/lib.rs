//! Records, the report model and its renderings.
//!
//! A tool turns each result into a [`Record`] and never formats it twice: text, Markdown, JSON, annotations and the exit code
//! are all derived from the [`Report`] that the records add up to. The plan is a promise: what was planned and did not end is
//! missing, a run that did not finish is unfinished, and both make the report incomplete. Nothing else counts as passed.

mod merge;
mod model;
mod part;
mod record;
mod recorder;

pub use model::{Check, Counts, Finding, Producer, Report, Shard, Source, Stage, Verdict};
pub use record::{Event, Level, Reason, Record, Status};
pub use recorder::Recorder;
