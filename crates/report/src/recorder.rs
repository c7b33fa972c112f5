//! Keeps a tool's records: numbers them, stamps them, and adds them up.

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::{Event, Record, Report};

/// What changes a record before it is kept.
type Change = Box<dyn Fn(&mut Record) + Send + Sync>;

/// The records of one run of one tool. The clock is passed in, so a test decides the time.
pub struct Recorder {
    run: String,
    shard: Option<String>,
    clock: Box<dyn Fn() -> Timestamp + Send + Sync>,
    records: Vec<Record>,
    /// The number of the next one.
    next: u64,
    change: Option<Change>,
}

impl Recorder {
    /// A recorder without records. `run` is the run's key ([`runner::Context::run_key`], or `local`), `shard` the part of the
    /// work that this process does.
    pub fn new(
        run: impl Into<String>,
        shard: Option<String>,
        clock: impl Fn() -> Timestamp + Send + Sync + 'static,
    ) -> Self {
        Self { run: run.into(), shard, clock: Box::new(clock), records: Vec::new(), next: 0, change: None }
    }

    /// Changes each record before it is kept, such as to remove secrets from it.
    #[must_use]
    pub fn changing(mut self, change: impl Fn(&mut Record) + Send + Sync + 'static) -> Self {
        self.change = Some(Box::new(change));
        self
    }

    /// Adds a record; the answer is for streaming it as a line of `--format jsonl`.
    pub fn record(&mut self, event: Event) -> &Record {
        self.record_with(event, Map::new())
    }

    /// Adds a record with more fields than the event has, such as the `name` of a check that did not start.
    pub fn record_with(&mut self, event: Event, rest: Map<String, Value>) -> &Record {
        let record = Record {
            run: self.run.clone(),
            shard: self.shard.clone(),
            seq: self.next,
            at: Some((self.clock)()),
            event,
            rest,
        };
        self.next += 1;
        self.pass_on(record)
    }

    /// Keeps a record of another program.
    pub fn pass_on(&mut self, mut record: Record) -> &Record {
        if let Some(change) = &self.change {
            change(&mut record);
        }
        let at = self.records.len();
        self.records.push(record);
        &self.records[at]
    }

    /// Everything recorded so far.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// What the records add up to.
    #[must_use]
    pub fn report(&self) -> Report {
        Report::of(&self.records)
    }
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Recorder")
            .field("run", &self.run)
            .field("records", &self.records.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::Recorder;
    use crate::{Event, Status, Verdict};

    #[test]
    fn records_are_numbered_and_stamped_to_the_millisecond() {
        let at: jiff::Timestamp = "2026-11-21T02:40:00.1234567Z".parse().unwrap();
        let mut recorder = Recorder::new("5ae7847.1", Some("2/8".to_owned()), move || at);
        recorder.record(Event::RunStarted { tool: None, title: None, plan: vec!["a/b".to_owned()] });
        let line = recorder.record(Event::CheckStarted { check: "a/b".to_owned(), name: None }).line();
        assert_eq!(
            line,
            r#"{"v":1,"run":"5ae7847.1","shard":"2/8","seq":1,"at":"2026-11-21T02:40:00.123Z","event":"check_started","check":"a/b"}"#
        );
    }

    #[test]
    fn a_recorder_that_was_cut_off_reports_incomplete() {
        let mut recorder = Recorder::new("local", None, || jiff::Timestamp::UNIX_EPOCH);
        recorder.record(Event::RunStarted { tool: None, title: None, plan: vec!["a/b".to_owned()] });
        let report = recorder.report();
        assert_eq!(report.result(), Verdict::Incomplete);
        assert_eq!(report.stages[0].checks[0].status, Status::Missing);
    }
}
