//! What a resumed deploy does on hosts that it does not deploy to, and the way back of every other.

use std::cell::RefCell;

use ssh::{Lost, Output, Phase, ScriptEnd, Source, Step, Transport};

use super::undo::switch_back;
use super::{Connected, Deploy, Observer, Outcome};
use crate::host_runner::{LastLine, StepResult};
use crate::plan::RollbackScope;
use crate::resume::Action;

impl<T: Transport, O: Observer> Deploy<'_, T, O> {
    /// Whether the deploy may have to be undone on a host.
    pub(super) fn may_be_undone(&self, one: &Connected<T::Session>) -> bool {
        match one.action {
            Action::Deploy | Action::RollBack => true,
            Action::Check => self.plan.post_deploy.scope == RollbackScope::All,
            Action::Leave => false,
        }
    }

    /// What may undo the deploy on a host. Each writes its result into the state itself, because it may outlive us.
    pub(super) fn find_ways_back(&self, one: &mut Connected<T::Session>) {
        if !self.may_be_undone(one) {
            return;
        }
        let post = &self.plan.post_deploy;
        let with_end = |step: Step, success: Phase| {
            let after = self.plan.lock.as_ref().map(|plan| {
                let state = self.state(one, Phase::Rollback);
                state.after_rollback(&plan.lock, success)
            });
            Step { after: after.unwrap_or_default(), ..step }
        };
        let success = if post.probes.is_empty() { Phase::RolledBack } else { Phase::RolledBackUnchecked };
        let release = one
            .release
            .as_ref()
            .and_then(|(found, _)| Some(with_end(switch_back(self.plan, found, found.good.as_deref()?), success)));
        let rollback = post.rollback.clone().map(|step| with_end(step, Phase::RolledBack));
        (one.rollback, one.switch_back) = (rollback, release);
    }

    /// Undoes the deploy on a host. Of a release that is reported done only when the link, the activation and the checks all
    /// succeeded there.
    pub(super) async fn go_back(&self, one: &mut Connected<T::Session>) -> Option<StepResult> {
        let (host, post) = (one.host, &self.plan.post_deploy);
        let switch_back = one.switch_back.clone().filter(|_| one.switched);
        let good = one.release.as_ref().filter(|_| switch_back.is_some()).and_then(|(found, _)| found.good.clone());
        let Some(step) = switch_back.or_else(|| one.rollback.clone()) else {
            let (found, _) = one.release.as_ref().filter(|_| one.switched)?;
            let text =
                format!("there is no earlier good release: {}/current still leads to the one that failed", found.base);
            return Some(StepResult::Failed(text));
        };
        let title = good.as_ref().map_or_else(|| "rollback".to_owned(), |good| format!("switch back to {good}"));
        self.observer.follows(host, &title);
        // A connection that is lost by now is noticed before the step is sent, so that it is known not to have begun.
        if let Err(Lost(text)) = self.enter(one, Phase::Rollback).await {
            return Some(StepResult::Ended(ScriptEnd::NotStarted(text)));
        }
        let last = RefCell::new(LastLine::new(|| self.observer.redactor()));
        let sink = |output: Output<'_>| {
            if matches!(output, Output::Bytes(Source::Stderr, _)) {
                last.borrow_mut().take(output);
            }
            self.observer.output(host, output);
        };
        let mut runner = self.runner(one);
        let result = runner.roll_back(&step, post.rollback_timeout, sink).await;
        if good.is_none() {
            return Some(result);
        }
        Some(match result {
            // Its last line names the part of it that failed.
            StepResult::Ended(ScriptEnd::Exited(code)) if code != 0 => StepResult::Failed(last.into_inner().finish()),
            result if result.is_success() => match runner.check_from_here(post).await {
                Ok(()) => result,
                Err(_) if self.stop.reason().is_some() => self.stop.reason().map_or(result, StepResult::LeftRunning),
                Err(unhealthy) => StepResult::Failed(format!("{}: {}", unhealthy.check, unhealthy.text)),
            },
            result => result,
        })
    }

    /// Runs the checks of a host whose deploy an earlier attempt has done.
    pub(super) async fn check_again(&self, one: &mut Connected<T::Session>) -> Outcome {
        let post = &self.plan.post_deploy;
        self.observer.follows(one.host, "checking again: it is done");
        let result = self.runner(one).check(post).await;
        match (result, self.stop.reason()) {
            (Err(_), Some(signal)) => Outcome::NotBegun(signal),
            (Err(unhealthy), None) => {
                self.diagnose(one).await;
                Outcome::Rechecked(Err(unhealthy))
            }
            (Ok(()), _) => Outcome::Rechecked(Ok(())),
        }
    }

    /// Undoes what an earlier attempt has done on a host.
    pub(super) async fn undo(&self, one: &mut Connected<T::Session>) -> Outcome {
        self.observer.begun(one.host);
        self.go_back(one).await.map_or(Outcome::NothingToUndo, Outcome::Undone)
    }

    /// Runs what explains a failure, for the log and the report. How it ends changes nothing.
    pub(super) async fn diagnose(&self, one: &mut Connected<T::Session>) {
        let (host, post) = (one.host, &self.plan.post_deploy);
        let sink = |output: Output<'_>| self.observer.output(host, output);
        let mut runner = self.runner(one);
        for diagnosis in &post.diagnoses {
            self.observer.follows(host, &format!("diagnosis {}", diagnosis.name));
            let _result = runner.run_aside(&diagnosis.step, Some(post.check_timeout), sink).await;
        }
    }
}
