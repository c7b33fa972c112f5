//! What happens, as it happens: records, and a line on stderr for people.

use std::cell::{Cell, RefCell};
use std::time::Instant;

use cli::{Console, Shard};
use report::{Event, Recorder, Report};

use crate::args::Format;
use crate::progress::Progress;

/// The run's records and the streams they are told on.
pub(crate) struct Journal<'a> {
    console: &'a Console,
    recorder: RefCell<Recorder>,
    /// Whether records go to stdout as they happen: `--format jsonl`, as long as stdout takes them.
    prints: Cell<bool>,
    started: Instant,
    progress: Progress<'a>,
}

impl<'a> Journal<'a> {
    /// A journal without records.
    pub(crate) fn new(console: &'a Console, format: Format, shard: Option<Shard>) -> Self {
        let run = console.context().run_key().unwrap_or_else(|| "local".to_owned());
        let recorder = RefCell::new(Recorder::new(run, shard.map(|shard| shard.to_string()), jiff::Timestamp::now));
        let prints = Cell::new(format == Format::Jsonl);
        Self { console, recorder, prints, started: Instant::now(), progress: Progress::new(console) }
    }

    /// Records `event`.
    pub(crate) fn record(&self, event: Event) {
        let mut recorder = self.recorder.borrow_mut();
        let record = recorder.record(event);
        if self.prints.get() {
            let line = record.line() + "\n";
            self.prints.set(self.progress.suspend(|| self.console.narrate(line)));
        }
    }

    /// An event of one site.
    pub(crate) fn say(&self, site: &str, text: &str) {
        self.progress.say(site, text);
    }

    /// A line of what another program wrote for a site.
    pub(crate) fn foreign(&self, site: &str, line: &[u8]) {
        self.progress.suspend(|| self.console.foreign(&format!("{site} │ "), line));
    }

    /// Something that is not wrong enough to fail.
    pub(crate) fn warn(&self, message: &str) {
        self.progress.suspend(|| self.console.warn(message));
    }

    /// What people see while it goes on.
    pub(crate) fn progress(&self) -> &Progress<'a> {
        &self.progress
    }

    /// The streams.
    pub(crate) fn console(&self) -> &Console {
        self.console
    }

    /// What the records add up to.
    pub(crate) fn report(&self) -> Report {
        self.recorder.borrow().report()
    }

    /// Seconds since the start.
    pub(crate) fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }
}
