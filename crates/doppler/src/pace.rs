//! Waits where the next read would be refused: Doppler tells with every answer how many reads are left, and when there will be more.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use api::Response;
use jiff::Timestamp;

/// When the next read may be made, as far as the last answer told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pace(Arc<Mutex<Option<Instant>>>);

impl Pace {
    /// Remembers what `response` tells.
    pub(crate) fn note(&self, response: &Response) {
        let header = |name: &str| response.header(name);
        let wait = wait(header("x-ratelimit-remaining"), header("x-ratelimit-reset"), Timestamp::now());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = wait.map(|wait| Instant::now() + wait);
    }

    /// Waits until the next read may be made, unless that is longer than `remaining`: then the attempt itself has to tell.
    pub(crate) async fn wait(&self, remaining: Duration) {
        let until = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = until.map(|until| until.saturating_duration_since(Instant::now())).unwrap_or_default();
        if wait < remaining {
            tokio::time::sleep(wait).await;
        }
    }
}

/// How long no read is left; `None` while some are. `reset` is a second of the epoch.
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
    fn only_where_no_read_is_left_is_there_a_wait_until_the_reset() {
        let now = "2026-11-21T08:00:00.5Z".parse().unwrap();
        assert_eq!(wait(Some("0"), Some("1795248030"), now), Some(Duration::from_millis(29_500)));
        assert_eq!(wait(Some("1"), Some("1795248030"), now), None);
        assert_eq!(wait(Some("0"), Some("1795247000"), now), None);
        assert_eq!(wait(None, Some("1795248030"), now), None);
        assert_eq!(wait(Some("0"), None, now), None);
    }
}
