//! What was read: records, and what could not be read.

use fault::Fault;
use jiff::Timestamp;
use report::{Event, Merger, Record};
use serde_json::{Map, Value};

/// What the inputs reported.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    /// The records, added up.
    pub(crate) merger: Merger,
    /// The records themselves, if a rendering needs them.
    pub(crate) records: Vec<Record>,
    /// What could not be read, one sentence each.
    pub(crate) gaps: Vec<String>,
    /// What was left out on purpose.
    pub(crate) notes: Vec<String>,
    /// How the command is run again.
    pub(crate) rerun: Option<String>,
    /// Whether the records were printed as they came.
    pub(crate) printed: bool,
    /// Why the operands could not be read beside a command.
    pub(crate) unread: Option<Fault>,
    pub(super) keeps_records: bool,
    /// Whether any check was reported.
    pub(super) has_checks: bool,
}

impl Reading {
    /// A run's own records, which were printed as they came or not.
    pub(crate) fn of_run(records: Vec<Record>, printed: bool) -> Self {
        let mut reading = Self { keeps_records: true, printed, ..Self::default() };
        for record in records {
            reading.add(record);
        }
        reading
    }

    pub(super) fn add(&mut self, record: Record) {
        self.has_checks = true;
        if self.keeps_records {
            self.records.push(record.clone());
        }
        self.merger.add(record);
    }
}

/// An event of a foreign document, with what is known beside it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Stamped {
    pub(super) event: Event,
    pub(super) at: Option<Timestamp>,
    pub(super) rest: Map<String, Value>,
}

impl From<Event> for Stamped {
    fn from(event: Event) -> Self {
        Self { event, at: None, rest: Map::new() }
    }
}
