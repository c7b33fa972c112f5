//! Waits when the next read would be refused: every answer of Doppler states how many reads are left, and when there will be more.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use api::Response;
use jiff::Timestamp;

/// When the next read may be made, according to the last answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct RateLimit(Arc<Mutex<Option<Instant>>>);

impl RateLimit {
    /// Remembers what `response` states.
    pub(crate) fn note(&self, response: &Response) {
        let header = |name: &str| response.header(name);
        let wait = wait(header("x-ratelimit-remaining"), header("x-ratelimit-reset"), Timestamp::now());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = wait.map(|wait| Instant::now() + wait);
    }

    /// Waits until the next read may be made, unless that is longer than `remaining`: then the attempt itself shows whether it is refused.
    pub(crate) async fn wait(&self, remaining: Duration) {
        let until = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = until.map(|until| until.saturating_duration_since(Instant::now())).unwrap_or_default();
        if wait < remaining {
            tokio::time::sleep(wait).await;
        }
    }
}

/// How long to wait for the next read; `None` while some are left. `reset` is a second of the epoch.
fn wait(remaining: Option<&str>, reset: Option<&str>, now: Timestamp) -> Option<Duration> {
    let left: u64 = remaining?.trim().parse().ok()?;
    let at = Timestamp::from_second(reset?.trim().parse().ok()?).ok()?;
    (left == 0).then(|| Duration::try_from(now.until(at).ok()?).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::wait;

    #[test]
    fn a_read_waits_for_the_reset_only_if_none_is_left() {
        let now = "2026-11-21T08:00:00.5Z".parse().unwrap();
        assert_eq!(wait(Some("0"), Some("1795248030"), now), Some(Duration::from_millis(29_500)));
        assert_eq!(wait(Some("1"), Some("1795248030"), now), None);
        assert_eq!(wait(Some("0"), Some("1795247000"), now), None);
        assert_eq!(wait(None, Some("1795248030"), now), None);
        assert_eq!(wait(Some("0"), None, now), None);
    }
}
