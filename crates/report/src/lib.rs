//! Records, the report model and its renderings.
//!
//! A tool turns each result into a [`Record`] and never formats it twice: text, Markdown, JSON, annotations and the exit code
//! are all derived from the [`Report`] that the records add up to. The plan is a promise: what was planned and did not end is
//! missing, a run that did not finish is unfinished, and both make the report incomplete. Nothing else counts as passed.
//!
//! ```text
//! let mut recorder = Recorder::new(run_key, shard, Timestamp::now);
//! recorder.record(Event::RunStarted { … });                   // one line of `--format jsonl` each
//! let report = recorder.report();
//! report::text(&report, Style::of(environment, Screen::Other)) // or markdown(&report, room), json(&report)
//! ```

mod check;
mod claims;
mod compare;
mod comparison;
mod count;
mod diff;
mod evidence;
mod finding;
mod fold;
mod legs;
mod merge;
mod model;
mod origin;
mod record;
mod recorder;
pub mod render;
mod status;
mod texts;
pub mod verdict;

pub use check::{Check, Details, Leg};
pub use compare::Digest;
pub use comparison::Comparison;
pub use diff::{Diff, Nearness};
pub use evidence::{Changes, Evidence, Nature, Slow, Tests, Totals};
pub use finding::Finding;
pub use merge::Merger;
pub use model::{Counts, Report, ReportedShard, Stage};
pub use origin::{CodeOrigin, Producer};
pub use record::{Event, Record, neutral};
pub use recorder::Recorder;
pub use render::SCHEMA;
pub use render::agent::agent;
pub use render::annotations::{Annotations, Hidden, annotations};
pub use render::changes::changes;
pub use render::ctrf::ctrf;
pub use render::format::bytes;
pub use render::html::{HTML_LIMIT, html};
pub use render::json::{json, json_pieces, json_text};
pub use render::junit::junit;
pub use render::markdown::{self, markdown, section};
pub use render::sarif::sarif;
pub use render::style::{Charset, Colour, Screen, Style};
pub use render::text::text;
pub use runner::command::Level;
pub use status::{Reason, Status, Verdict};
pub use verdict::{FailOn, Flaky, Judgement, Pattern, Policy};
