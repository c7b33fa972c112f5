//! What this thread waits for, so that a program can report what takes long without each library knowing how to print.

use std::cell::RefCell;
use std::fmt;
use std::time::{Duration, Instant};

use crate::{Deadline, shown};

/// After this time, and again each time this much more has passed, a wait is reported.
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

/// The longest wait of this thread, if it is due to be reported at `now`, and how many others are.
#[must_use]
pub fn long_wait(now: Instant) -> Option<(LongWait, usize)> {
    WAITS.with_borrow_mut(|waits| {
        let mut due: Vec<&mut Entry> = waits.iter_mut().filter(|wait| wait.next_report <= now).collect();
        due.iter_mut().for_each(|wait| wait.next_report = now + AGAIN);
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

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Wait, long_wait};
    use crate::Deadline;

    #[test]
    fn only_a_wait_of_five_seconds_is_reported_and_not_at_every_look() {
        let started = Instant::now();
        let at = |seconds| started + Duration::from_secs(seconds);
        let wait = Wait::begin("GET https://example.org".to_owned(), Deadline::after(Duration::from_hours(1)));
        let _other = Wait::begin("another".to_owned(), Deadline::after(Duration::from_hours(1)));
        assert_eq!(long_wait(at(4)), None);
        let (report, others) = long_wait(at(6)).unwrap();
        assert!(report.to_string().starts_with("waiting for GET https://example.org for "), "{report}");
        assert_eq!(others, 1);
        assert_eq!(long_wait(at(7)), None);
        drop(wait);
        let (report, others) = long_wait(at(60)).unwrap();
        assert!(report.to_string().starts_with("waiting for another for ") && others == 0, "{report}");
    }
}
