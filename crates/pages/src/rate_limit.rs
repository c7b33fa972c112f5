//! One rate limit for all sites: requests at once, requests in five minutes, and pauses that all of them keep.
//!
//! Cloudflare allows 1,200 requests in five minutes for all clients of a user together, and then blocks that user for as long. So a
//! 429 stops all sites until `Retry-After`, not only the site that received it.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, SemaphorePermit};

/// Requests in a [`WINDOW`]; the rest is left for other clients of the account.
const BUDGET: usize = 1100;
const WINDOW: Duration = Duration::from_mins(5);

/// The shortest pause, even if the service asks for none.
const LEAST: Duration = Duration::from_millis(500);

/// The pause after a 429 that does not name one; it doubles each time.
const UNSAID: Duration = Duration::from_secs(2);
const LONGEST_UNSAID: Duration = Duration::from_mins(1);

/// The rate limit of one account, shared by all its calls.
#[derive(Debug)]
pub struct RateLimit {
    slots: Semaphore,
    ledger: Mutex<Ledger>,
}

/// What was sent, and until when nothing may be sent.
#[derive(Debug, Default)]
struct Ledger {
    sent: VecDeque<Instant>,
    stopped_until: Option<Instant>,
    /// How many 429s without `Retry-After` came since the last other answer.
    unsaid: u32,
}

impl RateLimit {
    /// Allows `at_once` requests at a time.
    #[must_use]
    pub fn new(at_once: usize) -> Self {
        Self { slots: Semaphore::new(at_once.max(1)), ledger: Mutex::default() }
    }

    /// Waits until a request may be sent, and counts it.
    ///
    /// # Errors
    /// The wait, if it would end after `patience`.
    pub async fn turn(&self, patience: Duration) -> Result<SemaphorePermit<'_>, Duration> {
        let until = Instant::now() + patience;
        // Never closed: this struct alone owns the semaphore.
        let slot = self.slots.acquire().await.map_err(|_closed| Duration::ZERO)?;
        loop {
            let now = Instant::now();
            let wait = self.ledger().admit(now);
            match wait {
                None => return Ok(slot),
                Some(wait) if now + wait >= until => return Err(wait),
                Some(wait) => tokio::time::sleep(wait).await,
            }
        }
    }

    /// Notes a 429: nothing is sent until the service's pause is over.
    pub fn stop(&self, retry_after: Option<Duration>) {
        self.ledger().stop(Instant::now(), retry_after);
    }

    /// An answer that was no 429.
    pub fn answered(&self) {
        self.ledger().unsaid = 0;
    }

    /// How long until requests are sent again; zero when nothing stops them.
    #[must_use]
    pub(crate) fn stopped_for(&self) -> Duration {
        let until = self.ledger().stopped_until;
        until.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()))
    }

    fn ledger(&self) -> std::sync::MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ledger {
    /// Counts a request at `now`, or returns how long to wait before asking again.
    fn admit(&mut self, now: Instant) -> Option<Duration> {
        if let Some(until) = self.stopped_until {
            if until > now {
                return Some(until - now);
            }
            self.stopped_until = None;
        }
        while self.sent.front().is_some_and(|&first| now.duration_since(first) >= WINDOW) {
            self.sent.pop_front();
        }
        if self.sent.len() >= BUDGET {
            return self.sent.front().map(|&first| (first + WINDOW).saturating_duration_since(now));
        }
        self.sent.push_back(now);
        None
    }

    fn stop(&mut self, now: Instant, retry_after: Option<Duration>) {
        let asked = retry_after.map(|wait| wait.max(LEAST));
        let pause = asked.unwrap_or_else(|| {
            self.unsaid += 1;
            UNSAID.saturating_mul(1 << (self.unsaid - 1).min(10)).min(LONGEST_UNSAID)
        });
        let until = now + pause;
        self.stopped_until = Some(self.stopped_until.map_or(until, |earlier| earlier.max(until)));
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{BUDGET, Ledger, UNSAID, WINDOW};

    #[test]
    fn a_stop_holds_all_requests_until_its_end_and_the_later_end_wins() {
        let (mut ledger, now) = (Ledger::default(), Instant::now());
        ledger.stop(now, Some(Duration::from_secs(9)));
        ledger.stop(now, Some(Duration::from_secs(2)));
        assert_eq!(ledger.admit(now + Duration::from_secs(3)), Some(Duration::from_secs(6)));
        assert_eq!(ledger.admit(now + Duration::from_secs(9)), None);
    }

    #[test]
    fn a_429_that_names_no_time_waits_longer_each_time() {
        let (mut ledger, now) = (Ledger::default(), Instant::now());
        ledger.stop(now, None);
        assert_eq!(ledger.admit(now), Some(UNSAID));
        ledger.stop(now, None);
        assert_eq!(ledger.admit(now), Some(UNSAID * 2));
    }

    #[test]
    fn no_window_of_five_minutes_holds_more_than_the_budget() {
        let (mut ledger, start) = (Ledger::default(), Instant::now());
        for at in 0..BUDGET {
            assert_eq!(ledger.admit(start + Duration::from_millis(at as u64)), None);
        }
        let now = start + Duration::from_secs(100);
        assert_eq!(ledger.admit(now), Some(Duration::from_secs(200)));
        assert_eq!(ledger.admit(start + WINDOW), None);
        assert!(ledger.admit(start + WINDOW).is_some());
    }
}
