//! When to try again, and after how long: pure decisions.

use std::io;
use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;

use crate::resolve::NoAddress;

/// The most attempts of one request; the deadline usually ends it before.
pub(crate) const ATTEMPTS: u32 = 12;

const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// What an attempt ended in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// No connection was made: the service never saw the request.
    NotSent,
    /// The service's name has no address. A resolver that has just started may find it a moment later; nothing else will.
    NoAddress,
    /// No connection can be made, and waiting changes nothing: no program listens on this machine's port, or what listens does not
    /// speak TLS.
    Hopeless,
    /// The connection broke or timed out: the service may have seen it.
    Lost,
    /// The service answered with this status.
    Answered(u16),
}

/// The most attempts at looking up a name, in about a second.
pub(crate) const LOOKUPS: u32 = 3;

/// What a failed attempt at connecting means for the next.
#[must_use]
pub fn connecting(error: &(dyn std::error::Error + 'static), is_loopback: bool) -> End {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<NoAddress>() {
            return End::NoAddress;
        }
        if let Some(rustls::Error::InvalidMessage(_) | rustls::Error::InvalidCertificate(_)) = error.downcast_ref() {
            return End::Hopeless;
        }
        if let Some(error) = error.downcast_ref::<io::Error>() {
            if error.kind() == io::ErrorKind::ConnectionRefused && is_loopback {
                return End::Hopeless;
            }
            // `source` skips the error that an `io::Error` wraps, and one may wrap another.
            if let Some(inner) = error.get_ref() {
                next = Some(inner);
                continue;
            }
        }
        next = error.source();
    }
    End::NotSent
}

/// Whether repeating the request can do harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// A read, or a write that is the same twice.
    Harmless,
    /// A write that must not happen twice.
    Harmful,
}

/// Whether another attempt may succeed and does no harm. What the service `advised` in an answer counts more than its status.
#[must_use]
pub fn is_worthwhile(end: End, repeat: Repeat, advised: Option<bool>) -> bool {
    match end {
        End::Answered(_) if advised == Some(false) => false,
        End::Answered(_) if advised == Some(true) && repeat == Repeat::Harmless => true,
        // A 429 was turned away before it was acted on.
        End::NotSent | End::NoAddress | End::Answered(429) => true,
        End::Lost | End::Answered(408 | 500..=599) => repeat == Repeat::Harmless,
        End::Hopeless | End::Answered(_) => false,
    }
}

/// The pause before the attempt after the `attempt`th (from 0): doubling, with up to half of it added by `jitter` (0 to 1), or what
/// the service asked for, if that is longer.
#[must_use]
pub fn pause(attempt: u32, jitter: f64, asked: Option<Duration>) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(1 << attempt.min(10)).min(LONGEST_PAUSE);
    let ours = doubled.mul_f64(1.0 + jitter.clamp(0.0, 1.0) / 2.0);
    // Spread the crowd that waits for the same moment, without coming early.
    asked.map_or(ours, |asked| asked + FIRST_PAUSE.mul_f64(jitter.clamp(0.0, 1.0)))
}

/// `Retry-After`: seconds, or an HTTP date (RFC 9110 §10.2.3) seen from `now`.
#[must_use]
pub fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let date = rfc2822::DateTimeParser::new().parse_timestamp(value).ok()?;
    Some(Duration::try_from(now.until(date).ok()?).unwrap_or_default())
}

/// `x-ratelimit-reset`: the second of the epoch, or the seconds from `now`, at which the limit ends.
#[must_use]
pub fn reset(value: &str, now: Timestamp) -> Option<Duration> {
    let seconds: u64 = value.trim().parse().ok()?;
    // A limit of thirty years would be an instant instead.
    if seconds < 1_000_000_000 {
        return Some(Duration::from_secs(seconds));
    }
    let at = Timestamp::from_second(i64::try_from(seconds).ok()?).ok()?;
    Some(Duration::try_from(now.until(at).ok()?).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::time::Duration;

    use super::{End, Repeat, connecting, is_worthwhile, pause, reset, retry_after};

    #[test]
    fn a_write_is_repeated_only_if_it_did_not_take_effect() {
        for end in [End::NotSent, End::Answered(429)] {
            assert!(is_worthwhile(end, Repeat::Harmful, None), "{end:?}");
        }
        for end in [End::Lost, End::Answered(500), End::Answered(503), End::Answered(408)] {
            assert!(!is_worthwhile(end, Repeat::Harmful, None), "{end:?}");
            assert!(is_worthwhile(end, Repeat::Harmless, None), "{end:?}");
        }
        assert!(!is_worthwhile(End::Answered(403), Repeat::Harmless, None));
        assert!(!is_worthwhile(End::Hopeless, Repeat::Harmless, None));
    }

    #[test]
    fn only_an_error_that_may_go_away_is_retried() {
        let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
        assert_eq!(connecting(&refused(), true), End::Hopeless);
        assert_eq!(connecting(&refused(), false), End::NotSent);
        let not_tls = rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType);
        let not_tls = io::Error::new(io::ErrorKind::InvalidData, not_tls);
        assert_eq!(connecting(&not_tls, false), End::Hopeless);
        // As hyper-rustls wraps it.
        assert_eq!(connecting(&io::Error::other(not_tls), false), End::Hopeless);
        assert_eq!(connecting(&io::Error::from(io::ErrorKind::TimedOut), true), End::NotSent);
    }

    #[test]
    fn the_service_s_advice_counts_more_than_the_status() {
        assert!(!is_worthwhile(End::Answered(503), Repeat::Harmless, Some(false)));
        assert!(is_worthwhile(End::Answered(409), Repeat::Harmless, Some(true)));
        assert!(!is_worthwhile(End::Answered(409), Repeat::Harmful, Some(true)));
        assert!(is_worthwhile(End::Answered(429), Repeat::Harmful, Some(true)));
    }

    #[test]
    fn a_reset_is_a_second_of_the_epoch_or_a_span() {
        let now = "2026-11-21T08:00:00.5Z".parse().unwrap();
        assert_eq!(reset("1795248030", now), Some(Duration::from_millis(29_500)));
        assert_eq!(reset("1795248000", now), Some(Duration::ZERO));
        assert_eq!(reset("30", now), Some(Duration::from_secs(30)));
        assert_eq!(reset("soon", now), None);
    }

    #[test]
    fn pauses_double_up_to_a_bound_and_never_undercut_retry_after() {
        assert_eq!(pause(0, 0.0, None), Duration::from_millis(250));
        assert_eq!(pause(2, 0.0, None), Duration::from_secs(1));
        assert_eq!(pause(40, 1.0, None), Duration::from_secs(12));
        assert!(pause(0, 0.5, Some(Duration::from_secs(3))) >= Duration::from_secs(3));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = "1994-11-06T08:49:30Z".parse().unwrap();
        assert_eq!(retry_after("120", now), Some(Duration::from_mins(2)));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:37 GMT", now), Some(Duration::from_secs(7)));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(retry_after("soon", now), None);
    }
}
