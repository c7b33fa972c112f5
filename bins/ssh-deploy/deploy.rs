//! The order of a deploy: every host is made ready, then all are changed, or none.
//!
//! A host that is ready stays connected and waits, so that the very connection that was checked is used. A host is never cut off
//! because another failed; only a signal or the time limit ends a command, and then the host itself ends it.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use ssh::{Ending, Output, Ready, Refusal, Session, Transport, Unready, Verdict};
use tokio::sync::Semaphore;

use crate::host_runner::{HostRunner, StepResult, Unhealthy};
use crate::plan::Plan;
use crate::stop::{Stop, StopReason, StopSignal};

/// What became of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It cannot be reached or logged in to; nothing was changed on it.
    Refused(Refusal),
    /// It can be reached, but not deployed to; nothing was changed on it.
    Unready(Unready),
    /// It is ready, but not all hosts are; nothing was changed on it.
    HeldBack,
    /// A signal arrived before its command began; nothing was changed on it.
    NotBegun(StopSignal),
    /// It is ready, but too many hosts of the batches before have failed; nothing was changed on it.
    NotReached,
    /// It is ready, and nothing was to be changed.
    DryRun,
    /// The command ran.
    Ran(Ending, Option<StopReason>),
    /// The command succeeded, and a check did not.
    Unhealthy(Unhealthy),
    /// The command succeeded, and a signal arrived before its checks had passed.
    Unchecked(StopSignal),
    /// It failed, and the rollback was run; the result is the rollback's.
    RolledBack(Box<Self>, StepResult),
}

impl Outcome {
    /// Whether the command ran and succeeded.
    fn is_success(&self) -> bool {
        matches!(self, Self::Ran(Ending { verdict: Verdict::Exited(0), .. }, None))
    }

    /// Whether the host may have been changed.
    pub(crate) fn has_changed(&self) -> bool {
        match self {
            Self::Refused(_)
            | Self::Unready(_)
            | Self::HeldBack
            | Self::NotBegun(_)
            | Self::NotReached
            | Self::DryRun => false,
            Self::Ran(ending, _) => !matches!(ending.verdict, Verdict::NotStarted(_)),
            Self::Unhealthy(_) | Self::Unchecked(_) | Self::RolledBack(..) => true,
        }
    }

    /// Whether the command or a check failed by itself: the host may have been changed, and no signal has ended the run.
    fn is_failure(&self) -> bool {
        let stopped = matches!(self, Self::Ran(_, Some(StopReason::Signal(_))) | Self::Unchecked(_));
        self.has_changed() && !self.is_success() && !stopped
    }
}

/// Sees what happens while it happens. Hosts are known by their place in the plan.
pub(crate) trait Observer {
    /// A host cannot be reached yet; reported once.
    fn waiting(&self, host: usize, refusal: &Refusal);
    /// A host is ready.
    fn ready(&self, host: usize, ready: &Ready);
    /// The command begins on a host.
    fn begun(&self, host: usize);
    /// Something that follows the command begins.
    fn follows(&self, host: usize, what: &str);
    /// A step on a host wrote something.
    fn output(&self, host: usize, output: Output<'_>);
    /// Work on a host is over, `elapsed` after it began.
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
    /// What watches.
    pub(crate) observer: &'a O,
}

/// A host that is ready, with its connection.
struct Waiting<S> {
    host: usize,
    session: S,
}

impl<T: Transport, O: Observer> Deploy<'_, T, O> {
    /// Carries the plan out. The end of every host is reported to the observer exactly once.
    pub(crate) async fn carry_out(&self) {
        let ready = join_all((0..self.plan.targets.len()).map(|host| self.make_ready(host))).await;
        let all_ready = ready.iter().all(Option::is_some);
        let mut waiting: Vec<Waiting<T::Session>> = ready.into_iter().flatten().collect();
        if all_ready && !self.plan.dry_run {
            self.roll_out(&mut waiting).await;
        } else {
            for one in &waiting {
                let outcome = match self.stop.signal() {
                    Some(signal) => Outcome::NotBegun(signal),
                    None if all_ready => Outcome::DryRun,
                    None => Outcome::HeldBack,
                };
                self.observer.ended(one.host, &outcome, Duration::ZERO);
            }
        }
        join_all(waiting.into_iter().map(|one| one.session.close())).await;
    }

    /// Gets a host ready; reports its end if that fails.
    async fn make_ready(&self, host: usize) -> Option<Waiting<T::Session>> {
        let begun = Instant::now();
        let outcome = tokio::select! {
            session = self.prepare(host) => match session {
                Ok(session) => {
                    self.observer.ready(host, session.ready());
                    return Some(Waiting { host, session });
                }
                Err(outcome) => outcome,
            },
            signal = self.stop.requested() => Outcome::NotBegun(signal),
        };
        self.observer.ended(host, &outcome, begun.elapsed());
        None
    }

    /// Connects, hands over the values, stages every step and looks whether the host can take the deploy.
    async fn prepare(&self, host: usize) -> Result<T::Session, Outcome> {
        let mut session = self.reach(host).await.map_err(Outcome::Refused)?;
        match self.stage(&mut session).await {
            Ok(()) => Ok(session),
            Err(unready) => {
                session.close().await;
                Err(Outcome::Unready(unready))
            }
        }
    }

    async fn stage(&self, session: &mut T::Session) -> Result<(), Unready> {
        session.values(&self.plan.values).await?;
        for step in self.plan.steps() {
            session.stage(step).await?;
        }
        self.plan.preflight.look(session, self.plan.steps()).await
    }

    /// Connects; again if the failure may pass and there is time to wait.
    async fn reach(&self, host: usize) -> Result<T::Session, Refusal> {
        let begun = Instant::now();
        let mut tries = 0;
        loop {
            let refusal = match self.transport.connect(&self.plan.targets[host]).await {
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
    async fn roll_out(&self, waiting: &mut [Waiting<T::Session>]) {
        let slots = Semaphore::new(self.plan.jobs.unwrap_or(Semaphore::MAX_PERMITS));
        let batches = &self.plan.batches;
        let mut failures = 0;
        let mut rest = waiting;
        for (done, size) in batches.sizes.iter().enumerate() {
            if done > 0 {
                self.stop.pause(batches.pause).await;
            }
            let (batch, after) = rest.split_at_mut((*size).min(rest.len()));
            rest = after;
            let outcomes = join_all(batch.iter_mut().map(|one| self.change(one, &slots))).await;
            failures += outcomes.iter().filter(|outcome| !outcome.is_success()).count();
            if !batches.go_on(done + 1, failures) {
                break;
            }
        }
        for one in rest.iter() {
            let outcome = self.stop.signal().map_or(Outcome::NotReached, Outcome::NotBegun);
            self.observer.ended(one.host, &outcome, Duration::ZERO);
        }
    }

    /// Deploys to a host that is ready, in its turn.
    async fn change(&self, one: &mut Waiting<T::Session>, slots: &Semaphore) -> Outcome {
        let _slot = slots.acquire().await;
        let begun = Instant::now();
        let outcome = match self.stop.signal() {
            Some(signal) => Outcome::NotBegun(signal),
            None => self.run(one).await,
        };
        self.observer.ended(one.host, &outcome, begun.elapsed());
        outcome
    }

    /// Runs the command and what follows it: checks; diagnostics and rollback if it or a check has failed.
    async fn run(&self, one: &mut Waiting<T::Session>) -> Outcome {
        let (host, post) = (one.host, &self.plan.post_deploy);
        self.observer.begun(host);
        let mut runner = HostRunner { session: &mut one.session, stop: self.stop };
        let sink = |output: Output<'_>| self.observer.output(host, output);
        let (ending, reason) = runner.run(&self.plan.command, self.plan.timeout, sink).await;
        let mut outcome = Outcome::Ran(ending, reason);
        if outcome.is_success()
            && let Err(unhealthy) = runner.check(post).await
        {
            outcome = self.stop.signal().map_or(Outcome::Unhealthy(unhealthy), Outcome::Unchecked);
        }
        if !outcome.is_failure() || self.stop.signal().is_some() {
            return outcome;
        }
        for diagnosis in &post.diagnoses {
            self.observer.follows(host, &format!("diagnosis {}", diagnosis.name));
            // Its output is in the log and the report; how it ends changes nothing.
            let _result = runner.run_aside(&diagnosis.step, Some(post.check_timeout), sink).await;
        }
        let Some(rollback) = &post.rollback else { return outcome };
        self.observer.follows(host, "rollback");
        let result = runner.run_aside(rollback, self.plan.timeout, sink).await;
        Outcome::RolledBack(Box::new(outcome), result)
    }
}

#[cfg(test)]
mod tests;
