//! The deploy lock on all hosts: all at once, or none.
//!
//! All locks are tried at the same time. If one is held, all are released, and then taken one after the other in the order of the
//! hosts' names: two runs over overlapping hosts cannot each hold what the other waits for.

pub(crate) mod report;

use std::time::{Duration, Instant};

use deadline::{Deadline, Wait};
use futures_util::future::join_all;
use ssh::{EXPIRY, Lock, Locking, Lost, Session, Unready};

use crate::stop::Stop;

/// How often a lock that is held is tried again.
const INTERVAL: Duration = Duration::from_secs(1);

/// The lock of a run.
#[derive(Clone, Debug)]
pub(crate) struct LockPlan {
    /// The lock itself.
    pub(crate) lock: Lock,
    /// How long to wait for it.
    pub(crate) wait: Duration,
}

/// Why a host's lock was not taken, with the host's place among the sessions.
pub(crate) type Failure = (usize, Unready);

impl LockPlan {
    /// Takes the lock on every host. `waiting` is called once, for the first holder we have to wait for.
    ///
    /// # Errors
    /// The hosts whose lock was not taken. The others may be held: they are released when their connections are closed.
    pub(crate) async fn acquire<S: Session>(
        &self,
        sessions: &mut [(&str, &mut S)],
        stop: &Stop,
        waiting: impl Fn(usize, &ssh::Holder),
    ) -> Result<(), Vec<Failure>> {
        let deadline = Instant::now() + self.wait;
        let attempts = join_all(sessions.iter_mut().map(|(_, session)| self.lock.acquire(*session))).await;
        let failures: Vec<Failure> =
            attempts.iter().enumerate().filter_map(|(index, attempt)| failure(index, attempt)).collect();
        if failures.iter().any(|(_, unready)| !matches!(unready, Unready::Locked(_))) || failures.is_empty() {
            return if failures.is_empty() { Ok(()) } else { Err(failures) };
        }
        if let Some((index, Unready::Locked(holder))) = failures.first() {
            waiting(*index, holder);
        }
        join_all(sessions.iter_mut().map(|(_, session)| self.lock.release(*session))).await;
        let mut order: Vec<usize> = (0..sessions.len()).collect();
        order.sort_by_key(|index| sessions[*index].0);
        for index in order {
            if let Err(unready) = self.wait_for((sessions[index].0, sessions[index].1), deadline, stop).await {
                return Err(vec![(index, unready)]);
            }
        }
        Ok(())
    }

    /// Waits for one host's lock until `deadline`. A lease without a sign of life for [`EXPIRY`] is taken over.
    async fn wait_for<S: Session>(
        &self,
        (name, session): (&str, &mut S),
        deadline: Instant,
        stop: &Stop,
    ) -> Result<(), Unready> {
        let mut seen: Option<(String, Instant)> = None;
        let until = Deadline::after(deadline.saturating_duration_since(Instant::now()));
        let _wait = Wait::begin(format!("the deploy lock of {name}"), until);
        loop {
            let expired = seen.as_ref().filter(|(_, since)| since.elapsed() >= EXPIRY);
            let attempt = match expired {
                Some((beat, _)) => self.lock.take_over(session, beat).await,
                None => self.lock.acquire(session).await,
            };
            let Some((_, unready)) = failure(0, &attempt) else { return Ok(()) };
            let out_of_time = Instant::now() + INTERVAL > deadline || stop.reason().is_some();
            if out_of_time || !matches!(unready, Unready::Locked(_)) {
                return Err(unready);
            }
            if let Ok(Locking::Busy { beat: Some(beat), .. }) = attempt
                && seen.as_ref().is_none_or(|(last, _)| *last != beat)
            {
                seen = Some((beat, Instant::now()));
            }
            stop.pause(INTERVAL).await;
        }
    }
}

fn failure(index: usize, attempt: &Result<Locking, Lost>) -> Option<Failure> {
    let unready = match attempt {
        Ok(Locking::Held | Locking::Free) => return None,
        Ok(Locking::Busy { holder, .. }) => Unready::Locked(holder.clone()),
        Ok(Locking::Unwritable) => Unready::LockUnwritable,
        Err(lost) => Unready::from(lost.clone()),
    };
    Some((index, unready))
}
