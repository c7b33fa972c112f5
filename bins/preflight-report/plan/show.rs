//! What people see while checks run: bars on a terminal, lines in a log, and each check's log when it ends.

use std::io::Read as _;
use std::time::{Duration, Instant};

use child::Log;
use plan::Check;
use run::Reporter;
use runner::foreign::Lines;

use super::shared::Run;

/// A check is reported as running after this time, and then again after each `AGAIN`.
const LONG: Duration = Duration::from_secs(5);
const AGAIN: Duration = Duration::from_secs(30);

/// The bar of what has not started.
const WAITING: &str = "waiting";

/// What runs, and since when.
#[derive(Debug, Default)]
pub(super) struct Waits {
    running: Vec<Running>,
    shown: usize,
}

#[derive(Debug)]
struct Running {
    id: String,
    since: Instant,
    limit: Option<Duration>,
    /// Whether the limit is for each of several attempts.
    repeats: bool,
    next: Instant,
    /// Whether it is new: its bar is still to be made.
    is_new: bool,
}

impl Waits {
    pub(super) fn begin(&mut self, check: &Check) {
        let since = Instant::now();
        let (id, limit, repeats) = (check.id.clone(), check.timeout, check.retries > 0);
        self.running.push(Running { id, since, limit, repeats, next: since + LONG, is_new: true });
    }

    pub(super) fn end(&mut self, check: &Check) {
        self.running.retain(|running| running.id != check.id);
    }

    /// Shows what has begun, and how many checks have not.
    pub(super) fn show(&mut self, reporter: &Reporter<'_>, waiting: usize) {
        let progress = reporter.progress();
        for running in self.running.iter_mut().filter(|running| running.is_new) {
            running.is_new = false;
            progress.begin_timed(&running.id);
        }
        if self.shown != waiting {
            // Last, and so below those that run.
            progress.remove(WAITING);
            if waiting > 0 {
                progress.begin(WAITING);
                progress.show(WAITING, &format!("for {}", report::verdict::count(self.running.len() as u64, "check")));
            }
            self.shown = waiting;
        }
    }

    /// Prints a line for each check that runs for long; bars show the time themselves.
    pub(super) fn tell(&mut self, reporter: &Reporter<'_>) {
        let now = Instant::now();
        for running in self.running.iter_mut().filter(|running| running.next <= now) {
            running.next = now + AGAIN;
            let whole = |span: Duration| cli::shown(Duration::from_secs(span.as_secs()));
            let so_far = now.saturating_duration_since(running.since);
            let limit = match running.limit {
                Some(limit) if running.repeats => format!(", each attempt until {} at most", whole(limit)),
                Some(limit) => format!(", until {} at most", whole(limit)),
                None => String::new(),
            };
            if !reporter.progress().has_bars() {
                reporter.status(&format!("{}: running for {}{limit}", running.id, whole(so_far)));
            }
        }
    }
}

/// Prints a check's log behind its name. In Actions the log of one that passed is folded.
pub(super) fn log(run: &Run<'_>, check: &Check, log: &mut Log, failed: bool) {
    if log.written() == 0 {
        return;
    }
    let mut print = || lines(run, &format!("{} │ ", check.id), log);
    if failed || !run.console.context().in_actions {
        print();
    } else {
        run.console.group(&check.id, print);
    }
}

fn lines(run: &Run<'_>, gutter: &str, log: &mut Log) {
    let (mut reader, mut split, mut buffer) = (log.reader(), Lines::new(), vec![0; 64 * 1024]);
    loop {
        // A log that cannot be read is reported when it is judged.
        let read = reader.read(&mut buffer).unwrap_or_default();
        if read == 0 {
            break;
        }
        run.reporter.foreign(gutter, &split.push(&buffer[..read]));
    }
    run.reporter.foreign(gutter, &Vec::from_iter(split.finish()));
}
