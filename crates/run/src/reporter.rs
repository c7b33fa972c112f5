//! The records of a run and the streams that they and its status lines go to.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use cli::{Console, Shard};
use report::{Event, Record, Recorder, Report, Status, Verdict};
use serde_json::{Map, Value};

use crate::Progress;

/// What happens to records as they are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Records {
    /// Each is printed to stdout at once: `--format jsonl`.
    Print,
    /// They are kept for the report.
    Keep,
}

/// Records and reports one run. All methods take `&self`: every item of the run may share it (on one thread).
#[derive(Debug)]
pub struct Reporter<'a> {
    console: &'a Console,
    recorder: RefCell<Recorder>,
    /// Whether stdout can still be written.
    prints: Cell<bool>,
    started: Instant,
    progress: Progress<'a>,
}

impl<'a> Reporter<'a> {
    /// Begins the run: records that the checks of `plan` will be reported. `title` is the run's name in reports.
    #[must_use]
    pub fn new(console: &'a Console, records: Records, shard: Option<Shard>, title: &str, plan: Vec<String>) -> Self {
        Self::with_data(console, records, shard, (title, plan), Map::new())
    }

    /// The same for a run whose records hold foreign text: `change` removes secrets from each of them before it is kept or printed.
    #[must_use]
    pub fn changing(
        console: &'a Console,
        records: Records,
        (title, plan): (&str, Vec<String>),
        change: impl Fn(&mut Record) + Send + Sync + 'static,
    ) -> Self {
        Self::begun(console, records, recorder(console, None).changing(change), (title, plan), Map::new())
    }

    /// The same, with `data` of the tool's own in the first record, for those who go on with the run.
    #[must_use]
    pub fn with_data(
        console: &'a Console,
        records: Records,
        shard: Option<Shard>,
        (title, plan): (&str, Vec<String>),
        data: Map<String, Value>,
    ) -> Self {
        Self::begun(console, records, recorder(console, shard), (title, plan), data)
    }

    fn begun(
        console: &'a Console,
        records: Records,
        recorder: Recorder,
        (title, plan): (&str, Vec<String>),
        data: Map<String, Value>,
    ) -> Self {
        let reporter = Self {
            console,
            recorder: RefCell::new(recorder),
            prints: Cell::new(records == Records::Print),
            started: Instant::now(),
            progress: Progress::new(console),
        };
        let tool = Some(console.tool().to_owned());
        let rest =
            if data.is_empty() { Map::new() } else { Map::from_iter([("data".to_owned(), Value::Object(data))]) };
        reporter.record_with(Event::RunStarted { tool, title: Some(title.to_owned()), plan }, rest);
        reporter
    }

    /// Adds a record. If stdout can no longer be written, that is warned about once; the run goes on, and the record is kept for the report.
    pub fn record(&self, event: Event) {
        self.record_with(event, Map::new());
    }

    /// Adds a record with more fields than the event has.
    pub fn record_with(&self, event: Event, rest: Map<String, Value>) {
        let line = self.recorder.borrow_mut().record_with(event, rest).line() + "\n";
        if self.prints.get() {
            self.prints.set(self.progress.suspend(|| self.console.print_or_warn(line)));
        }
    }

    /// Adds a record of another program.
    pub fn pass_on(&self, record: Record) {
        let mut recorder = self.recorder.borrow_mut();
        let record = recorder.pass_on(record);
        if self.prints.get() {
            let line = record.line() + "\n";
            self.prints.set(self.progress.suspend(|| self.console.print_or_warn(line)));
        }
    }

    /// Reports an event of an item.
    pub fn event(&self, item: &str, text: &str) {
        self.progress.event(item, text);
    }

    /// Prints a status line that is not one item's.
    pub fn status(&self, text: &str) {
        self.progress.suspend(|| self.console.status(text));
    }

    /// Prints lines of another program's output, each behind `gutter`.
    pub fn foreign(&self, gutter: &str, lines: &[Vec<u8>]) {
        self.progress.suspend(|| self.console.foreign_lines(gutter, lines));
    }

    /// Warns of something that is not wrong enough to fail.
    pub fn warn(&self, message: &str) {
        self.progress.suspend(|| self.console.warn(message));
    }

    /// The bars of the items.
    pub fn progress(&self) -> &Progress<'a> {
        &self.progress
    }

    /// The streams.
    pub fn console(&self) -> &'a Console {
        self.console
    }

    /// The time since the run began.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Ends the run with a verdict of the caller's: removes the bars, records the verdict and returns all records.
    pub fn end(&self, result: Verdict) -> Vec<Record> {
        self.progress.end();
        self.record(Event::RunFinished { result, duration_seconds: Some(seconds(self.elapsed())) });
        self.recorder.borrow().records().to_vec()
    }

    /// Ends the run: removes the bars and records the verdict, which is failed if a check failed, else incomplete if one was cancelled or
    /// did not end. Returns what all records add up to.
    pub fn finish(&self) -> Report {
        self.progress.end();
        let report = self.recorder.borrow().report();
        let has = |status: &[Status]| report.checks().any(|(_, check)| status.contains(&check.status));
        let result = if has(&[Status::Failed]) {
            Verdict::Failed
        } else if has(&[Status::Cancelled, Status::Missing]) {
            Verdict::Incomplete
        } else {
            Verdict::Passed
        };
        self.record(Event::RunFinished { result, duration_seconds: Some(seconds(self.elapsed())) });
        self.recorder.borrow().report()
    }
}

fn recorder(console: &Console, shard: Option<Shard>) -> Recorder {
    let run = console.context().run_key().unwrap_or_else(|| "local".to_owned());
    Recorder::new(run, shard.map(|shard| shard.to_string()), jiff::Timestamp::now)
}

/// Seconds to the millisecond, as records write them.
fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1000.0).round() / 1000.0
}
