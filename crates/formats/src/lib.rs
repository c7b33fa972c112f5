//! Reads the reports that test runners, linters, compilers and planners write, as evidence of one check.
//!
//! This crate knows no stage, no GitHub and no clock. It decides nothing: whether a check passes is [`report::verdict`]'s
//! business. Reports are tallied while they are read; none is in memory as a whole, but for one JSON value at a time.
//!
//! ```text
//! bytes ── source ──▶ lines, XML events, JSON values ── stream ──▶ Reader ── Sink ──▶ Tally ──▶ (Evidence, Vec<Kept>)
//! ```
//!
//! - [`read`] finds the documents in an input, whatever is around them, and returns one [`Document`] with a [`Tally`] for each.
//! - [`FORMATS`] is the one table of formats. Its order is the order in which they are tried.
//! - `source` deals with everything that is wrong with real bytes. A reader gets clean, decoded [`Item`]s and sees neither
//!   byte order marks nor escape sequences nor a text that is longer than 64 KiB.
//!
//! # How to add a format
//! 1. Write a module with a type that implements [`Reader`]. It gets one kind of [`Item`]:
//!    - XML: [`Item::Open`], [`Item::Text`] (a text may arrive in pieces), [`Item::Close`] (also after an empty element);
//!    - one JSON document: a single [`Item::Json`], usually read with `json.read::<T>()` into types of the module that name
//!      only what is needed, all of it optional unless the format cannot do without;
//!    - JSON lines: an [`Item::Json`] for each value, and an [`Item::Line`] for each line between them;
//!    - text: an [`Item::Line`] for each line.
//! 2. Report with the [`Sink`]: [`Sink::test`] once for each test with its *final* outcome, [`Sink::finding`] for everything that
//!    belongs to no test (a linter's finding, an error of the whole run: an error there fails the check), [`Sink::tool`] with the
//!    name of the program if the report has it (it names the check), [`Sink::change`] for plans, [`Sink::claim`] for what the
//!    report states about itself: its [`report::Nature`] if the row's is wrong for it, totals without tests, empty suites.
//! 3. Add a row to [`FORMATS`], and a sample to `tests/samples/` whose name begins with the row's name: a test reads every row's
//!    sample.
//! 4. Return [`Unreadable`] only for what contradicts the format. What was reported until then counts as a minimum.
//!
//! A failed test gets a [`Diagnostic`] with the message, the detail (stack, output) and the places in the order of likelihood:
//! [`places::in_text`] finds those in a stack or a message. Which one is shown is decided by the caller, who knows the repository.

mod checkstyle;
mod ctrf;
mod dbt;
mod go;
mod javascript;
mod junit;
mod linters;
mod otlp;
pub mod places;
mod pulumi;
mod reader;
mod rust;
mod sarif;
mod sink;
mod source;
mod stream;
mod table;
mod tally;
mod tap;
mod terraform;
mod text;
mod trx;
mod unreadable;

pub use reader::Reader;
pub use sink::{Action, Claim, Diagnostic, Location, Outcome, Sink, Test};
pub use source::{Attributes, Item, Json, without_escapes, without_lone_surrogates};
pub use stream::{Document, Documents, EvidenceOnly, Prose, Reading, read};
pub use table::{FORMATS, Format, Sniff, tried};
pub use tally::{KEPT, Kept, TEXT, Tally};
pub use text::diagnostics;
pub use unreadable::Unreadable;
