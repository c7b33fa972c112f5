//! Changing the hosts, batch after batch: the command, the checks; diagnostics and rollback if one of them fails.

use std::time::{Duration, Instant};

use deadline::{Deadline, Wait};
use futures_util::future::join_all;
use ssh::{Ending, Lost, Output, Phase, Refusal, ScriptEnd, Session as _, Staged, State, Transport, Unready};
use tokio::sync::Semaphore;

use super::releases::{in_release, nothing_ran};
use super::{Connected, Deploy, Observer, Outcome};
use crate::host_runner::{HostRunner, StepResult, Unhealthy};
use crate::plan::RollbackScope;
use crate::resume::Action;

impl<T: Transport, O: Observer> Deploy<'_, T, O> {
    /// Changes the hosts, batch after batch; at the end those that could not be reached before, if that was asked for.
    pub(super) async fn roll_out(
        &self,
        connected: &mut Vec<Connected<T::Session>>,
        mut unreachable: Vec<(usize, Refusal)>,
    ) {
        let slots = Semaphore::new(self.plan.jobs.unwrap_or(Semaphore::MAX_PERMITS));
        let batches = &self.plan.batches;
        let mut ends: Vec<(Outcome, Duration)> = Vec::new();
        let mut failures = 0;
        for (done, size) in batches.sizes.iter().enumerate() {
            if done > 0 {
                let _wait = Wait::begin("the end of the --pause".to_owned(), Deadline::after(batches.pause));
                self.stop.pause(batches.pause).await;
            }
            let batch = connected.iter_mut().skip(ends.len()).take(*size);
            let changed = join_all(batch.map(|one| self.change(one, &slots))).await;
            failures += changed.iter().filter(|(outcome, _)| !outcome.is_done()).count();
            ends.extend(changed);
            if !batches.go_on(done + 1, failures) {
                break;
            }
        }
        if self.plan.unreachable.retry && ends.len() == connected.len() {
            for (host, refusal) in std::mem::take(&mut unreachable) {
                if !batches.go_on(batches.sizes.len(), failures) || self.stop.reason().is_some() {
                    unreachable.push((host, refusal));
                } else if let Err(still) = self.try_again(host, connected).await {
                    unreachable.extend(still);
                } else if let Some(one) = connected.last_mut() {
                    let (outcome, elapsed) = self.change(one, &slots).await;
                    failures += usize::from(!outcome.is_done());
                    ends.push((outcome, elapsed));
                }
            }
        }
        self.leave_out(unreachable);
        let changed = ends.len();
        if failures > 0 && self.plan.post_deploy.scope == RollbackScope::All && self.stop.reason().is_none() {
            self.roll_back_all(&mut connected[..changed], &mut ends).await;
        }
        if self.plan.post_deploy.scope == RollbackScope::All {
            for (one, (outcome, elapsed)) in connected.iter().zip(&ends) {
                self.observer.ended(one.host, outcome, *elapsed);
            }
        }
        for one in &connected[changed..] {
            let outcome = self.stop.reason().map_or(Outcome::NotReached, Outcome::NotBegun);
            self.observer.ended(one.host, &outcome, Duration::ZERO);
        }
    }

    /// Rolls back every host that was changed, the last one first.
    async fn roll_back_all(&self, changed: &mut [Connected<T::Session>], ends: &mut [(Outcome, Duration)]) {
        for (one, (outcome, elapsed)) in changed.iter_mut().zip(ends).rev() {
            // What an earlier attempt of this deploy has changed, too.
            let changed = outcome.has_changed() || matches!(outcome, Outcome::Rechecked(_));
            if changed && self.stop.reason().is_none() {
                let begun = Instant::now();
                *outcome = self.roll_back(one, outcome.clone()).await;
                self.mark_release(one, outcome).await;
                *elapsed += begun.elapsed();
            }
        }
    }

    /// Makes a host ready that could not be reached before, and puts it behind the others; else returns it, unless its end is reported.
    async fn try_again(
        &self,
        host: usize,
        connected: &mut Vec<Connected<T::Session>>,
    ) -> Result<(), Option<(usize, Refusal)>> {
        let (mut found, mut still) = self.make_ready(&[host]).await;
        let Some(one) = found.pop() else { return Err(still.pop()) };
        connected.push(one);
        // It may not become another release than those before it.
        let failure = self.check_releases(connected).into_iter().find(|(other, _)| *other == host);
        let Some((_, unready)) = failure else { return Ok(()) };
        self.observer.ended(host, &Outcome::Unready(unready), Duration::ZERO);
        if let Some(one) = connected.pop() {
            one.session.close().await;
        }
        Err(None)
    }

    /// Deploys to a host that is ready, in its turn. Its end is reported here, unless a later failure may still roll it back.
    async fn change(&self, one: &mut Connected<T::Session>, slots: &Semaphore) -> (Outcome, Duration) {
        let _slot = slots.acquire().await;
        let begun = Instant::now();
        let outcome = match (self.stop.reason(), one.action) {
            (Some(signal), _) => Outcome::NotBegun(signal),
            (None, Action::Deploy) => self.run_or_reconnect(one).await,
            (None, Action::Check) => self.check_again(one).await,
            (None, Action::RollBack) => self.undo(one).await,
            (None, Action::Leave) => Outcome::NothingToUndo,
        };
        self.mark_release(one, &outcome).await;
        self.write_end(one, &outcome).await;
        if self.plan.post_deploy.scope == RollbackScope::Failed {
            self.observer.ended(one.host, &outcome, begun.elapsed());
        }
        (outcome, begun.elapsed())
    }

    /// Deploys to a host; if its idle connection was lost before the command began, over a new one, once.
    async fn run_or_reconnect(&self, one: &mut Connected<T::Session>) -> Outcome {
        let before = one.state.clone();
        let outcome = self.run(one).await;
        let lost = matches!(&outcome, Outcome::Ran(ending, None) if matches!(ending.script, ScriptEnd::NotStarted(_)));
        if !lost || self.stop.reason().is_some() {
            return outcome;
        }
        self.observer.follows(one.host, "connecting again");
        match self.make_one_ready(one.host).await {
            Ok(again) if again.state == before && again.action == Action::Deploy => {
                *one = again;
                self.run(one).await
            }
            // Another run has deployed to it in the meantime.
            Ok(again) => {
                again.session.close().await;
                outcome
            }
            Err(outcome) => outcome,
        }
    }

    /// Runs the command and what follows it: checks; diagnostics and rollback if it or a check has failed.
    async fn run(&self, one: &mut Connected<T::Session>) -> Outcome {
        let post = &self.plan.post_deploy;
        self.observer.begun(one.host);
        // A connection that was lost while it was idle is noticed before the command is sent, and not after.
        if let Err(Lost(text)) = self.enter(one, Phase::Command).await {
            return Outcome::Ran(Ending::of(ScriptEnd::NotStarted(text)), None);
        }
        let mut outcome = self.run_command(one).await;
        if outcome.is_success()
            && let Err(unhealthy) = self.make_healthy(one).await
        {
            outcome = self.stop.reason().map_or(Outcome::Unhealthy(unhealthy), Outcome::Unchecked);
        }
        if !outcome.is_failure() || self.stop.reason().is_some() {
            return outcome;
        }
        self.diagnose(one).await;
        match post.scope {
            RollbackScope::Failed => self.roll_back(one, outcome).await,
            RollbackScope::All => outcome,
        }
    }

    /// What runs steps on a host.
    pub(super) fn runner<'a>(&'a self, one: &'a mut Connected<T::Session>) -> HostRunner<'a, T::Session> {
        let redactor = Box::new(move || self.observer.redactor());
        HostRunner { session: &mut one.session, stop: self.stop, target: &self.plan.targets[one.host], redactor }
    }

    /// Moves the uploads into place and runs the command.
    async fn run_command(&self, one: &mut Connected<T::Session>) -> Outcome {
        if let Err(unready) = self.place(one).await {
            return Outcome::NotPlaced(unready);
        }
        let Some(command) = &self.plan.command else { return Outcome::Ran(nothing_ran(), None) };
        let (host, step) = (one.host, in_release(one, command));
        let what = format!("the command on {}", self.plan.targets[host].name);
        let _wait = self.plan.timeout.map(|limit| Wait::begin(what, Deadline::after(limit)));
        let mut runner = self.runner(one);
        let sink = |output: Output<'_>| self.observer.output(host, output);
        let (ending, reason) = runner.run(&step, self.plan.timeout, sink).await;
        Outcome::Ran(ending, reason)
    }

    /// Makes a release current, and waits until the checks pass.
    async fn make_healthy(&self, one: &mut Connected<T::Session>) -> Result<(), Unhealthy> {
        self.make_current(one).await?;
        if self.plan.post_deploy.has_no_checks() {
            return Ok(());
        }
        let _noticed_by_the_check = self.enter(one, Phase::Check).await;
        self.runner(one).check(&self.plan.post_deploy).await
    }

    /// Moves the uploads into place.
    async fn place(&self, one: &mut Connected<T::Session>) -> Result<(), Unready> {
        for (upload, staged) in self.plan.uploads.iter().zip(&one.staged) {
            if *staged == Staged::Ready {
                upload.place(&mut one.session, self.plan.authority()).await?;
            }
        }
        Ok(())
    }

    /// Runs the rollback of a host whose deploy has failed, if there is one.
    async fn roll_back(&self, one: &mut Connected<T::Session>, outcome: Outcome) -> Outcome {
        let Some(result) = self.go_back(one).await else { return outcome };
        let outcome = Outcome::RolledBack(Box::new(outcome), result);
        self.write_end(one, &outcome).await;
        outcome
    }

    /// Writes down that a phase begins; without a lock, there is no state, and this only asks whether the host still is there.
    pub(super) async fn enter(&self, one: &mut Connected<T::Session>, phase: Phase) -> Result<(), Lost> {
        let Some(plan) = &self.plan.lock else {
            // In a single batch no connection was idle.
            let was_idle = phase == Phase::Command && self.plan.batches.sizes.len() > 1;
            let ask = was_idle || phase == Phase::Rollback;
            return if ask { one.session.ask("").await.map(drop) } else { Ok(()) };
        };
        one.state = self.state(one, phase);
        one.state.write(&mut one.session, &plan.lock).await
    }

    /// Our state of a host, after the one that was there.
    pub(super) fn state(&self, one: &Connected<T::Session>, phase: Phase) -> State {
        let run = &self.plan.run;
        State {
            run: run.key.clone(),
            commit: run.commit.clone(),
            deploy: run.deploy.clone(),
            phase,
            alone: false,
            release: one.release.as_ref().map(|(_, id)| id.clone()).unwrap_or_default(),
            fence: run.fence.into_iter().chain(one.state.fence).max(),
        }
    }

    /// Writes down how the deploy ended, if the host was changed and the connection still is there.
    async fn write_end(&self, one: &mut Connected<T::Session>, outcome: &Outcome) {
        if let Some(phase) = end_phase(outcome).filter(|_| self.plan.lock.is_some()) {
            let _the_end_is_known = self.enter(one, phase).await;
        }
    }
}

/// The phase in which `outcome` leaves a host; `None` if that is the phase it was in, because its end is not known.
fn end_phase(outcome: &Outcome) -> Option<Phase> {
    match outcome {
        outcome if !outcome.has_changed() => None,
        Outcome::RolledBack(_, StepResult::LeftRunning(_)) | Outcome::Undone(StepResult::LeftRunning(_)) => None,
        Outcome::RolledBack(_, result) | Outcome::Undone(result) if result.is_success() => Some(Phase::RolledBack),
        Outcome::RolledBack(..) | Outcome::Undone(_) => Some(Phase::RollbackFailed),
        outcome if outcome.is_success() => Some(Phase::Done),
        outcome if outcome.is_failure() => Some(Phase::Failed),
        _ => None,
    }
}
