//! How many handshakes run at the same time: fewer after a server has dropped one.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{AcquireError, Semaphore, SemaphorePermit};

/// A limit on concurrent handshakes that a drop halves.
#[derive(Debug)]
pub(crate) struct Throttle {
    slots: Semaphore,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    limit: usize,
    /// Slots that are in use, and are not given back.
    owed: usize,
    /// How often the limit was halved.
    halvings: u64,
}

/// The right to one handshake.
#[derive(Debug)]
pub(crate) struct Slot<'a> {
    throttle: &'a Throttle,
    permit: Option<SemaphorePermit<'a>>,
    halvings: u64,
}

impl Throttle {
    /// At first, `limit` handshakes at a time, and at least one.
    pub(crate) fn new(limit: usize) -> Self {
        let limit = limit.max(1);
        Self { slots: Semaphore::new(limit), state: Mutex::new(State { limit, owed: 0, halvings: 0 }) }
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// Never: the semaphore is not closed.
    pub(crate) async fn acquire(&self) -> Result<Slot<'_>, AcquireError> {
        let permit = self.slots.acquire().await?;
        let halvings = self.state().halvings;
        Ok(Slot { throttle: self, permit: Some(permit), halvings })
    }

    /// Halves the limit, once for all handshakes that ran together: a server that has too many drops several of them.
    pub(crate) fn slow_down(&self, halvings: u64) {
        let mut state = self.state();
        if state.halvings != halvings || state.limit == 1 {
            return;
        }
        let less = state.limit / 2;
        state.limit -= less;
        state.halvings += 1;
        state.owed += less - self.slots.forget_permits(less);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot<'_> {
    /// What [`Throttle::slow_down`] needs to know which handshakes ran together.
    pub(crate) fn halvings(&self) -> u64 {
        self.halvings
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let mut state = self.throttle.state();
        if state.owed > 0 {
            state.owed -= 1;
            if let Some(permit) = self.permit.take() {
                permit.forget();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Throttle;

    fn free(throttle: &Throttle) -> usize {
        throttle.slots.available_permits()
    }

    #[tokio::test]
    async fn a_drop_halves_what_runs_at_a_time_once_for_all_that_ran_together() {
        let throttle = Throttle::new(16);
        let mut slots = Vec::new();
        for _ in 0..16 {
            slots.push(throttle.acquire().await.unwrap());
        }
        // All sixteen are dropped by the server: the half of them does not come back.
        for slot in &slots {
            throttle.slow_down(slot.halvings());
        }
        drop(slots);
        assert_eq!(free(&throttle), 8);
        // The next drop, of one that began since, halves again, and at once as far as slots are free.
        let slot = throttle.acquire().await.unwrap();
        throttle.slow_down(slot.halvings());
        drop(slot);
        assert_eq!(free(&throttle), 4);
    }

    #[tokio::test]
    async fn one_at_a_time_stays() {
        let throttle = Throttle::new(0);
        for _ in 0..3 {
            let slot = throttle.acquire().await.unwrap();
            throttle.slow_down(slot.halvings());
        }
        assert_eq!(free(&throttle), 1);
    }
}
