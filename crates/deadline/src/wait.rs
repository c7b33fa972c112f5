//! Keeps a list of what this thread waits for, so that a program can report long waits and libraries need not print.

use std::cell::RefCell;
use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

use crate::{Deadline, shown};

/// A wait is reported after this time, and then again after each `AGAIN`.
const LONG: Duration = Duration::from_secs(5);
const AGAIN: Duration = Duration::from_secs(30);

thread_local! {
    static WAITS: RefCell<Vec<Entry>> = const { RefCell::new(Vec::new()) };
}

struct Entry {
    id: u64,
    what: String,
    since: Instant,
    until: Deadline,
    next_report: Instant,
}

/// A wait that is going on; it ends when this is dropped.
#[derive(Debug)]
pub struct Wait(u64);

impl Wait {
    /// Notes that this thread waits for `what`, until `until` at the latest. No secrets in `what`: it is shown.
    #[must_use]
    pub fn begin(what: String, until: Deadline) -> Self {
        WAITS.with_borrow_mut(|waits| {
            let id = waits.iter().map(|wait| wait.id).max().map_or(0, |id| id + 1);
            let since = Instant::now();
            waits.push(Entry { id, what, since, until, next_report: since + LONG });
            Self(id)
        })
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        // Nothing to remove if the thread is ending.
        let _ = WAITS.try_with(|waits| waits.borrow_mut().retain(|wait| wait.id != self.0));
    }
}

/// A wait that should be reported. Displays as `waiting for GET https://… for 5s, for another 55s at most`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LongWait {
    what: String,
    so_far: Duration,
    left: Duration,
}

/// The longest wait of this thread, if it is due to be reported, and how many others are.
#[must_use]
pub fn long_wait() -> Option<(LongWait, usize)> {
    let now = Instant::now();
    WAITS.with_borrow_mut(|waits| {
        let mut due: Vec<&mut Entry> = waits.iter_mut().filter(|wait| wait.next_report <= now).collect();
        for wait in &mut due {
            wait.next_report = now + AGAIN;
        }
        let others = due.len().saturating_sub(1);
        let longest = due.into_iter().min_by_key(|wait| wait.since)?;
        let so_far = now.saturating_duration_since(longest.since);
        Some((LongWait { what: longest.what.clone(), so_far, left: longest.until.remaining() }, others))
    })
}

impl fmt::Display for LongWait {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = |span: Duration| shown(Duration::from_secs(span.as_secs()));
        write!(out, "waiting for {} for {}, for another {} at most", self.what, whole(self.so_far), whole(self.left))
    }
}
