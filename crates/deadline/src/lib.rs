//! Spans of time on a command line, and the one instant by which a run must end.
//!
//! A tool's `--deadline` has the type [`Deadline`]: clap parses it once, when the program starts, so it is one instant for the whole
//! run and no later step can begin it anew. Pass the value down. [`Deadline::limit`] covers a future, [`Deadline::limit_blocking`] a
//! read that may never return (a pipe or FIFO whose writer sends nothing).

mod span;
mod wait;

use std::fmt;
use std::str::FromStr;
use std::sync::mpsc;
use std::time::Duration;

use tokio::time::Instant;

pub use span::{shown, time};
pub use wait::{LongWait, Wait, long_wait};

/// The instant by which something must have ended, retries included. Displays as the span it was made of: `1m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    at: Instant,
    span: Duration,
}

/// The deadline passed first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed;

impl Deadline {
    /// The instant `span` from now.
    #[must_use]
    pub fn after(span: Duration) -> Self {
        Self { at: Instant::now() + span, span }
    }

    /// An instant `margin` before this one, for work that others have to follow in time.
    #[must_use]
    pub fn before(self, margin: Duration) -> Self {
        Self { at: self.at.checked_sub(margin).unwrap_or(self.at), ..self }
    }

    /// How much time is left; zero once it has passed.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }

    /// Runs `work` until it is done or the deadline passes, and then drops it.
    ///
    /// # Errors
    /// The deadline passed first.
    pub async fn limit<F: Future>(self, work: F) -> Result<F::Output, Elapsed> {
        tokio::time::timeout_at(self.at, work).await.map_err(|_late| Elapsed)
    }

    /// Waits until the deadline has passed.
    pub async fn passed(self) {
        tokio::time::sleep_until(self.at).await;
    }

    /// Runs blocking `work` on another thread until it is done or the deadline passes. After that the thread is left behind: a
    /// read from a pipe cannot be cancelled, and it ends with the process.
    ///
    /// # Errors
    /// The deadline passed first.
    pub fn limit_blocking<T: Send + 'static>(self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Elapsed> {
        let (send, receive) = mpsc::sync_channel(1);
        std::thread::spawn(move || {
            // The receiver may have given up; that is not an error.
            let _ = send.send(work());
        });
        receive.recv_timeout(self.remaining()).map_err(|_late| Elapsed)
    }
}

impl FromStr for Deadline {
    type Err = String;

    /// The instant that far from now, in the form of [`time`].
    fn from_str(text: &str) -> Result<Self, String> {
        time(text).map(Self::after)
    }
}

impl fmt::Display for Deadline {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&shown(self.span))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::time::Duration;

    use super::{Deadline, Elapsed};

    #[test]
    fn a_pipe_that_sends_nothing_is_read_until_the_deadline() {
        let (mut reader, _writer) = std::io::pipe().unwrap();
        let read = Deadline::after(Duration::from_millis(1)).limit_blocking(move || reader.read(&mut [0]).is_ok());
        assert_eq!(read, Err(Elapsed));
        assert_eq!(Deadline::after(Duration::from_mins(10)).limit_blocking(|| 7), Ok(7));
    }

    #[test]
    fn an_earlier_instant_is_displayed_as_the_span_of_the_whole_run() {
        let whole = Deadline::after(Duration::from_mins(10));
        let earlier = whole.before(Duration::from_mins(9));
        assert!(earlier.remaining() < Duration::from_mins(2), "{:?}", earlier.remaining());
        assert_eq!(earlier.to_string(), "10m");
    }

    #[test]
    fn a_deadline_is_displayed_as_it_was_written() {
        assert_eq!("1m".parse::<Deadline>().unwrap().to_string(), "1m");
    }
}
