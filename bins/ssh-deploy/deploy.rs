//! The order of a deploy: every host is checked, then all are changed, or none.
//!
//! A host that is reached stays connected and waits, so the check is of the very connection that the deploy uses. A host is never
//! cut off because another failed; only a signal or the time limit ends a command, and then the host ends it itself.

use std::cell::Cell;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use ssh::{Ending, Line, Program, Ready, Refusal, Session as _, Target, Transport, Verdict};
use tokio::sync::Semaphore;

use crate::aftercare::{Aftercare, Side, Unhealthy, Ward, cut_off};
use crate::batches::Batches;
use crate::stop::{Stop, Told};

/// What to do, decided before anything is done.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The hosts, in the order they were given.
    pub(crate) targets: Vec<Target>,
    /// What runs on each.
    pub(crate) program: Program,
    /// How many hosts run it at once.
    pub(crate) jobs: usize,
    /// How long it may take on a host.
    pub(crate) timeout: Option<Duration>,
    /// How long hosts that are not there yet are waited for.
    pub(crate) wait: Option<Wait>,
    /// Which hosts change together.
    pub(crate) batches: Batches,
    /// What follows on each host.
    pub(crate) aftercare: Aftercare,
    /// Whether to change nothing.
    pub(crate) rehearsal: bool,
}

/// Patience with hosts that are booting.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wait {
    /// How long in all.
    pub(crate) limit: Duration,
    /// How long after the n-th try, from 0.
    pub(crate) pause: fn(u32) -> Duration,
}

/// 1, 2, 4, then 5 s.
pub(crate) fn pause(tries: u32) -> Duration {
    Duration::from_secs(1 << tries.min(3)).min(Duration::from_secs(5))
}

/// What became of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It cannot be deployed to; nothing was changed on it.
    Refused(Refusal),
    /// It is ready, but not all hosts are; nothing was changed on it.
    HeldBack,
    /// We were told to stop before its command began; nothing was changed on it.
    NotBegun(Told),
    /// It is ready, but too many hosts of the batches before have failed; nothing was changed on it.
    Spared,
    /// It is ready, and this is a rehearsal.
    Rehearsed,
    /// The command ran.
    Ran(Ending, Option<Cut>),
    /// The command succeeded, and a check did not.
    Unhealthy(Unhealthy),
    /// The command succeeded, and we were told to stop before its checks had passed.
    Unchecked(Told),
    /// It failed, and the way back was gone.
    RolledBack(Box<Self>, Side),
}

impl Outcome {
    /// Whether the command ran and did what it should.
    fn is_success(&self) -> bool {
        matches!(self, Self::Ran(Ending { verdict: Verdict::Exited(0), .. }, None))
    }

    /// Whether the command failed by itself: it may have changed the host, and nobody has told us to stop.
    fn is_failure(&self) -> bool {
        let stopped = matches!(self, Self::Ran(_, Some(Cut::Told(_))));
        let untouched = matches!(self, Self::Ran(Ending { verdict: Verdict::NotStarted(_), .. }, _));
        matches!(self, Self::Ran(..) | Self::Unhealthy(_)) && !self.is_success() && !stopped && !untouched
    }
}

/// Why a command was told to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The time limit.
    Timeout,
    /// A signal.
    Told(Told),
}

/// Sees what happens, while it happens. Hosts are known by their place in the plan.
pub(crate) trait Observer {
    /// A host is not there yet; told once.
    fn waiting(&self, host: usize, refusal: &Refusal);
    /// A host is ready.
    fn ready(&self, host: usize, ready: &Ready);
    /// The command begins on a host.
    fn begun(&self, host: usize);
    /// Something that follows the command begins.
    fn follows(&self, host: usize, what: &str);
    /// A host's command wrote a line.
    fn line(&self, host: usize, line: &Line<'_>);
    /// A host is done with, one way or another, `elapsed` after work on it began.
    fn ended(&self, host: usize, outcome: &Outcome, elapsed: Duration);
}

/// A plan being carried out.
pub(crate) struct Deploy<'a, T, O> {
    /// What to do.
    pub(crate) plan: &'a Plan,
    /// How hosts are reached.
    pub(crate) transport: &'a T,
    /// Whether to stop.
    pub(crate) stop: &'a Stop,
    /// Who watches.
    pub(crate) observer: &'a O,
}

impl<T: Transport, O: Observer> Deploy<'_, T, O> {
    /// Carries the plan out. Every host's end is told to the observer, exactly once.
    pub(crate) async fn carry_out(&self) {
        let sessions = join_all((0..self.plan.targets.len()).map(|host| self.check(host))).await;
        let all_ready = sessions.iter().all(Option::is_some);
        let waiting = sessions.into_iter().enumerate().filter_map(|(host, session)| Some((host, session?)));
        if all_ready && !self.plan.rehearsal {
            return self.roll_out(waiting).await;
        }
        for (host, _session) in waiting {
            let outcome = match self.stop.told() {
                Some(told) => Outcome::NotBegun(told),
                None if all_ready => Outcome::Rehearsed,
                None => Outcome::HeldBack,
            };
            self.observer.ended(host, &outcome, Duration::ZERO);
        }
    }

    /// Gets a host ready; tells of its end if that fails.
    async fn check(&self, host: usize) -> Option<T::Session> {
        let begun = Instant::now();
        let outcome = tokio::select! {
            session = self.reach(host) => match session {
                Ok(session) => {
                    self.observer.ready(host, session.ready());
                    return Some(session);
                }
                Err(refusal) => Outcome::Refused(refusal),
            },
            () = self.stop.requested() => Outcome::NotBegun(self.stop.told().unwrap_or(Told::Terminate)),
        };
        self.observer.ended(host, &outcome, begun.elapsed());
        None
    }

    /// Connects; again where the failure may pass and there is time to wait.
    async fn reach(&self, host: usize) -> Result<T::Session, Refusal> {
        let begun = Instant::now();
        let mut tries = 0;
        loop {
            let refusal = match self.transport.connect(&self.plan.targets[host], &self.plan.program).await {
                Ok(session) => return Ok(session),
                Err(refusal) => refusal,
            };
            let Some(wait) = self.plan.wait.filter(|_| refusal.cause.may_pass()) else { return Err(refusal) };
            let pause = (wait.pause)(tries);
            if begun.elapsed() + pause > wait.limit {
                return Err(refusal);
            }
            if tries == 0 {
                self.observer.waiting(host, &refusal);
            }
            tokio::time::sleep(pause).await;
            tries += 1;
        }
    }

    /// Changes the hosts, batch after batch.
    async fn roll_out(&self, mut waiting: impl Iterator<Item = (usize, T::Session)>) {
        let slots = Semaphore::new(self.plan.jobs);
        let batches = &self.plan.batches;
        let mut failures = 0;
        for (done, size) in batches.sizes.iter().enumerate() {
            if done > 0 {
                tokio::select! { () = tokio::time::sleep(batches.pause) => {}, () = self.stop.requested() => {} }
            }
            let batch = waiting.by_ref().take(*size).map(|(host, session)| self.change(session, host, &slots));
            failures += join_all(batch).await.iter().filter(|outcome| !outcome.is_success()).count();
            if !batches.go_on(done + 1, failures) {
                break;
            }
        }
        for (host, _session) in waiting {
            self.observer.ended(host, &self.stop.told().map_or(Outcome::Spared, Outcome::NotBegun), Duration::ZERO);
        }
    }

    /// Deploys to a host that is ready, in its turn.
    async fn change(&self, session: T::Session, host: usize, slots: &Semaphore) -> Outcome {
        let _slot = slots.acquire().await;
        let begun = Instant::now();
        let outcome = match self.stop.told() {
            Some(told) => Outcome::NotBegun(told),
            None => self.follow_up(self.run(session, host).await, host).await,
        };
        self.observer.ended(host, &outcome, begun.elapsed());
        outcome
    }

    async fn run(&self, session: T::Session, host: usize) -> Outcome {
        self.observer.begun(host);
        let cut = Cell::new(None);
        let told_to_end = async { cut.set(Some(cut_off(self.stop, self.plan.timeout).await)) };
        let ending = session.run(&self.plan.program, told_to_end, |line| self.observer.line(host, &line)).await;
        Outcome::Ran(ending, cut.get())
    }

    /// Checks a host that has been changed; where it has failed, looks into it and goes back.
    async fn follow_up(&self, ran: Outcome, host: usize) -> Outcome {
        let care = &self.plan.aftercare;
        let ward = Ward { target: &self.plan.targets[host], transport: self.transport, stop: self.stop };
        let outcome = match &ran {
            ran if ran.is_success() => ward.recovers(care).await.map_or_else(Outcome::Unhealthy, |()| ran.clone()),
            _ => ran,
        };
        match (&outcome, self.stop.told()) {
            (Outcome::Unhealthy(_), Some(told)) => return Outcome::Unchecked(told),
            (_, Some(_)) => return outcome,
            (_, None) if !outcome.is_failure() => return outcome,
            (_, None) => {}
        }
        for diagnosis in &care.diagnoses {
            self.observer.follows(host, &format!("diagnosis {}", diagnosis.name));
            // What it says is in the log and the report; how it ends changes nothing.
            let _side = ward.run(&diagnosis.program, Some(care.patience), |line| self.observer.line(host, &line)).await;
        }
        let Some(rollback) = &care.rollback else { return outcome };
        self.observer.follows(host, "rollback");
        let side = ward.run(rollback, self.plan.timeout, |line| self.observer.line(host, &line)).await;
        Outcome::RolledBack(Box::new(outcome), side)
    }
}

/// Ends after `timeout`; never without one.
pub(crate) async fn expired(timeout: Option<Duration>) {
    match timeout {
        Some(timeout) => tokio::time::sleep(timeout).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
