//! The attempts at one call: how many there are, the pauses between them, and when another one is of no use.

use std::time::Duration;

use crate::failed::FailedAttempt;
use crate::retry::{self, End, Repeat};
use crate::{Client, Error};

/// Too little time before the deadline for an answer.
const LAST_MOMENT: Duration = Duration::from_millis(50);

/// The attempts made so far. For a caller that repeats a call itself, because it paces all its requests together; the rules are those
/// of every request.
#[derive(Clone, Copy, Debug)]
pub struct Attempts {
    made: u32,
    most: u32,
}

impl Attempts {
    /// As many as the deadline leaves room for.
    #[must_use]
    pub fn until_deadline() -> Self {
        Self { made: 0, most: u32::MAX }
    }

    /// At most so many.
    pub(crate) fn at_most(most: u32) -> Self {
        Self { made: 0, most }
    }

    /// Waits until the next attempt may be made.
    ///
    /// # Errors
    /// What failed, if there will be no other attempt: it cannot help, it could do harm, or there is no time for it.
    pub async fn pause(&mut self, client: &Client, repeat: Repeat, failed: FailedAttempt) -> Result<(), Error> {
        if self.most == 1 || !retry::is_worthwhile(failed.end, repeat, failed.advised) {
            return Err(failed.error);
        }
        let pause = retry::pause(self.made, jitter(), failed.asked);
        self.made += 1;
        let most = match failed.end {
            End::NotSent => client.reach.min(self.most),
            End::NoAddress => retry::LOOKUPS.min(self.most),
            End::Lost | End::Hopeless | End::Answered(_) => self.most,
        };
        // An attempt in the last moment would hide what failed behind "gave no answer".
        let has_time = |pause: Duration| pause + LAST_MOMENT < client.deadline.remaining();
        if self.made >= most || !has_time(pause) {
            return Err(failed.gave_up(self.made, self.made < most));
        }
        tokio::time::sleep(pause).await;
        // A busy machine wakes up late.
        if has_time(Duration::ZERO) { Ok(()) } else { Err(failed.gave_up(self.made, true)) }
    }
}

/// From 0 to 1; without random numbers there is no jitter, which is still right.
#[must_use]
pub fn jitter() -> f64 {
    let mut random = [0; 4];
    match getrandom::fill(&mut random) {
        Ok(()) => f64::from(u32::from_ne_bytes(random)) / f64::from(u32::MAX),
        Err(_) => 0.0,
    }
}
