//! Changing the hosts, batch after batch: the command, the checks; diagnostics and rollback if one of them fails.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use ssh::{Output, Phase, State, Transport};
use tokio::sync::Semaphore;

use super::{Connected, Deploy, Observer, Outcome};
use crate::host_runner::{HostRunner, StepResult};
use crate::plan::RollbackScope;

impl<T: Transport, O: Observer> Deploy<'_, T, O> {
    /// Changes the hosts, batch after batch.
    pub(super) async fn roll_out(&self, connected: &mut [Connected<T::Session>]) {
        let slots = Semaphore::new(self.plan.jobs.unwrap_or(Semaphore::MAX_PERMITS));
        let batches = &self.plan.batches;
        let mut ends: Vec<(Outcome, Duration)> = Vec::new();
        let mut failures = 0;
        for (done, size) in batches.sizes.iter().enumerate() {
            if done > 0 {
                self.stop.pause(batches.pause).await;
            }
            let batch = connected.iter_mut().skip(ends.len()).take(*size);
            let changed = join_all(batch.map(|one| self.change(one, &slots))).await;
            failures += changed.iter().filter(|(outcome, _)| !outcome.is_success()).count();
            ends.extend(changed);
            if !batches.go_on(done + 1, failures) {
                break;
            }
        }
        let changed = ends.len();
        if failures > 0 && self.plan.post_deploy.scope == RollbackScope::All && self.stop.signal().is_none() {
            self.roll_back_all(&mut connected[..changed], &mut ends).await;
        }
        if self.plan.post_deploy.scope == RollbackScope::All {
            for (one, (outcome, elapsed)) in connected.iter().zip(&ends) {
                self.observer.ended(one.host, outcome, *elapsed);
            }
        }
        for one in &connected[changed..] {
            let outcome = self.stop.signal().map_or(Outcome::NotReached, Outcome::NotBegun);
            self.observer.ended(one.host, &outcome, Duration::ZERO);
        }
    }

    /// Rolls back every host that was changed, the last one first.
    async fn roll_back_all(&self, changed: &mut [Connected<T::Session>], ends: &mut [(Outcome, Duration)]) {
        for (one, (outcome, elapsed)) in changed.iter_mut().zip(ends).rev() {
            if outcome.has_changed() && self.stop.signal().is_none() {
                let begun = Instant::now();
                *outcome = self.roll_back(one, outcome.clone()).await;
                *elapsed += begun.elapsed();
            }
        }
    }

    /// Deploys to a host that could not be reached before.
    pub(super) async fn change_last(&self, one: &mut Connected<T::Session>) {
        let (outcome, elapsed) = self.change(one, &Semaphore::new(1)).await;
        if self.plan.post_deploy.scope == RollbackScope::All {
            self.observer.ended(one.host, &outcome, elapsed);
        }
    }

    /// Deploys to a host that is ready, in its turn. Its end is reported here, unless a later failure may still roll it back.
    async fn change(&self, one: &mut Connected<T::Session>, slots: &Semaphore) -> (Outcome, Duration) {
        let _slot = slots.acquire().await;
        let begun = Instant::now();
        let outcome = match self.stop.signal() {
            Some(signal) => Outcome::NotBegun(signal),
            None => self.run(one).await,
        };
        self.write_end(one, &outcome).await;
        if self.plan.post_deploy.scope == RollbackScope::Failed {
            self.observer.ended(one.host, &outcome, begun.elapsed());
        }
        (outcome, begun.elapsed())
    }

    /// Runs the command and what follows it: checks; diagnostics and rollback if it or a check has failed.
    async fn run(&self, one: &mut Connected<T::Session>) -> Outcome {
        let (host, post) = (one.host, &self.plan.post_deploy);
        self.observer.begun(host);
        self.enter(one, Phase::Command).await;
        let sink = |output: Output<'_>| self.observer.output(host, output);
        let mut runner = HostRunner { session: &mut one.session, stop: self.stop };
        let (ending, reason) = runner.run(&self.plan.command, self.plan.timeout, sink).await;
        let mut outcome = Outcome::Ran(ending, reason);
        if outcome.is_success() && !post.checks.is_empty() {
            self.enter(one, Phase::Check).await;
            let mut runner = HostRunner { session: &mut one.session, stop: self.stop };
            if let Err(unhealthy) = runner.check(post).await {
                outcome = self.stop.signal().map_or(Outcome::Unhealthy(unhealthy), Outcome::Unchecked);
            }
        }
        if !outcome.is_failure() || self.stop.signal().is_some() {
            return outcome;
        }
        let mut runner = HostRunner { session: &mut one.session, stop: self.stop };
        for diagnosis in &post.diagnoses {
            self.observer.follows(host, &format!("diagnosis {}", diagnosis.name));
            // Its output is in the log and the report; how it ends changes nothing.
            let _result = runner.run_aside(&diagnosis.step, Some(post.check_timeout), sink).await;
        }
        match post.scope {
            RollbackScope::Failed => self.roll_back(one, outcome).await,
            RollbackScope::All => outcome,
        }
    }

    /// Runs the rollback, if there is one.
    async fn roll_back(&self, one: &mut Connected<T::Session>, outcome: Outcome) -> Outcome {
        let (host, post) = (one.host, &self.plan.post_deploy);
        let Some(rollback) = &post.rollback else { return outcome };
        self.observer.follows(host, "rollback");
        self.enter(one, Phase::Rollback).await;
        let mut rollback = rollback.clone();
        if let Some(plan) = &self.plan.lock {
            rollback.after = one.state.after_rollback(&plan.lock);
        }
        let sink = |output: Output<'_>| self.observer.output(host, output);
        let mut runner = HostRunner { session: &mut one.session, stop: self.stop };
        let result = runner.run_aside(&rollback, Some(post.rollback_timeout), sink).await;
        let outcome = Outcome::RolledBack(Box::new(outcome), result);
        self.write_end(one, &outcome).await;
        outcome
    }

    /// Writes down that a phase begins. A connection that was lost is noticed by the step that follows.
    async fn enter(&self, one: &mut Connected<T::Session>, phase: Phase) {
        let Some(plan) = &self.plan.lock else { return };
        let run = &self.plan.run;
        let fence = run.fence.into_iter().chain(one.state.fence).max();
        one.state = State { run: run.key.clone(), commit: run.commit.clone(), phase, release: String::new(), fence };
        let _written = one.state.write(&mut one.session, &plan.lock).await;
    }

    /// Writes down how the deploy ended, if the host was changed and the connection still is there.
    async fn write_end(&self, one: &mut Connected<T::Session>, outcome: &Outcome) {
        let Some(phase) = end_phase(outcome) else { return };
        self.enter(one, phase).await;
    }
}

/// The phase in which `outcome` leaves a host; `None` if that is the phase it was in, because its end is not known.
fn end_phase(outcome: &Outcome) -> Option<Phase> {
    match outcome {
        outcome if !outcome.has_changed() => None,
        Outcome::RolledBack(_, StepResult::Stopped(_)) => None,
        Outcome::RolledBack(_, result) if result.is_success() => Some(Phase::RolledBack),
        Outcome::RolledBack(..) => Some(Phase::RollbackFailed),
        outcome if outcome.is_success() => Some(Phase::Done),
        outcome if outcome.is_failure() => Some(Phase::Failed),
        _ => None,
    }
}
