//! What is reported while it waits: a line when something changes and every 30 s, records, a line per target on a terminal.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::{Duration, Instant};

use cli::Console;
use live::{End, Item, Look, Observer, State, Tally};
use report::{Event, Reason, Report, Status};
use run::{Records, Reporter};
use serde_json::{Map, json};

use crate::args::{Args, Format};
use crate::gather::Gathered;
use crate::waits::Wait;

/// How often a look that found nothing new is reported all the same.
const AGAIN: Duration = Duration::from_secs(30);

/// The observer of a run.
pub(crate) struct Log<'a> {
    reporter: Reporter<'a>,
    gathered: &'a Gathered,
    begun: Instant,
    /// By the item's name: its URL, the last line and when it was printed.
    items: RefCell<HashMap<String, Shown>>,
}

struct Shown {
    url: Option<String>,
    last: Option<(State, String)>,
    at: Duration,
}

impl<'a> Log<'a> {
    /// A log at the start of a run.
    pub(crate) fn new(
        args: &Args,
        waits: &[Wait],
        gathered: &'a Gathered,
        begun: Instant,
        console: &'a Console,
    ) -> Self {
        let plan = waits.iter().flat_map(|wait| wait.watch.items()).map(|item| check(&item.name)).collect();
        let records = if args.format == Format::Jsonl { Records::Print } else { Records::Keep };
        let reporter = Reporter::new(console, records, None, "Live", plan);
        let mut items = HashMap::new();
        for wait in waits {
            for name in wait.watch.items().iter().map(|item| &item.name) {
                reporter.record(Event::CheckStarted { check: check(name), name: Some(name.clone()) });
                reporter.progress().begin(name);
                let shown = Shown { url: wait.url.clone(), last: None, at: Duration::ZERO };
                items.insert(name.clone(), shown);
            }
        }
        let limit = cli::shown(args.time.deadline);
        for wait in waits {
            let names: Vec<&str> = wait.watch.items().iter().map(|item| item.name.as_str()).collect();
            reporter.status(&format!("waiting for {} on {}, for {limit} at most", wait.wanted, names.join(", ")));
        }
        Self { reporter, gathered, begun, items: RefCell::new(items) }
    }

    /// Hides every credential in text of other programs.
    pub(crate) fn clean(&self, text: &str) -> String {
        self.gathered.clean(text)
    }

    /// The time since the wait began.
    pub(crate) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Ends the run: what all records add up to.
    pub(crate) fn finish(&self) -> Report {
        self.reporter.finish()
    }

    /// Records how the wait for an item ended.
    pub(crate) fn record(&self, item: &Item, end: Option<End>, reason: Option<Reason>) {
        let items = self.items.borrow();
        let Some(shown) = items.get(&item.name) else { return };
        let mut data = Map::new();
        data.insert("looks".to_owned(), json!(item.tally.looks()));
        if let Some((proofs, since)) = item.tally.proofs() {
            data.insert("proofs".to_owned(), json!(proofs));
            data.insert("live_after_seconds".to_owned(), json!(seconds(since)));
        }
        if let Some(result) = item.tally.last().and_then(|look| look.result.as_ref()) {
            data.insert("result".to_owned(), json!(result));
        }
        self.reporter.record(Event::CheckFinished {
            check: check(&item.name),
            status: status(end),
            duration_seconds: Some(seconds(item.over.as_ref().map_or(self.elapsed(), |over| over.at))),
            reason,
            url: shown.url.clone(),
            exit_code: None,
            data,
        });
    }
}

impl Observer for Log<'_> {
    fn looked(&self, item: &str, look: &Look, tally: &Tally) {
        let mut items = self.items.borrow_mut();
        let Some(shown) = items.get_mut(item) else { return };
        let what = self.clean(&look.what);
        let proofs = match tally.proofs() {
            Some((count, _)) if count > 1 => format!(" ({count} times in a row)"),
            _ => String::new(),
        };
        let now = (look.state, what.clone());
        let is_new = shown.last.as_ref() != Some(&now);
        if is_new || look.at.saturating_sub(shown.at) >= AGAIN {
            let still = if is_new { "" } else { "still: " };
            let time = cli::shown(Duration::from_secs(look.at.as_secs()));
            self.reporter.event(item, &format!("{still}{what}{proofs} [{time}]"));
            shown.at = look.at;
        } else {
            self.reporter.progress().show(item, &format!("{what}{proofs}"));
        }
        shown.last = Some(now);
    }

    fn ended(&self, item: &Item) {
        let Some(over) = &item.over else { return };
        let reason = (over.end != End::Live).then(|| Reason::new(over.code, self.clean(&over.why)));
        if over.end == End::Live {
            let (looks, time) = (item.tally.looks(), cli::shown(Duration::from_secs(over.at.as_secs())));
            self.reporter.event(&item.name, &format!("live after {time} and {looks} looks"));
        }
        self.record(item, Some(over.end), reason);
    }
}

/// The id of a target's check.
pub(crate) fn check(name: &str) -> String {
    format!("live/{name}")
}

/// The status of a wait that ended so; `None` for one that was interrupted.
pub(crate) fn status(end: Option<End>) -> Status {
    match end {
        Some(End::Live) => Status::Passed,
        Some(End::Incomplete) | None => Status::Cancelled,
        Some(End::Failed | End::Usage | End::Unreachable | End::Denied) => Status::Failed,
    }
}

/// Seconds to the millisecond, as records write them.
pub(crate) fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1000.0).round() / 1000.0
}
