//! The order of a deploy: every host is made ready, then all are changed, or none.
//!
//! A host that is ready stays connected and waits, so that the very connection that was checked is used. A host is never cut off
//! because another failed; only a signal or the time limit ends a command, and then the host itself ends it.

mod again;
mod ready;
mod releases;
mod rollout;
mod undo;

use std::time::Duration;

use futures_util::future::join_all;
use redact::Redactor;
use ssh::{
    Ending, Holder, InstalledReleases, Output, Ready, Refusal, Remark, ScriptEnd, Session as _, Staged, State, Step,
    Transport, Unready,
};

use crate::host_runner::{StepResult, Unhealthy};
use crate::plan::Plan;
use crate::resume::Action;
use crate::stop::{EndReason, Stop, StopReason};

/// What became of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It cannot be reached or logged in to; nothing was changed on it.
    Refused(Refusal),
    /// It can be reached, but not deployed to; nothing was changed on it.
    Unready(Unready),
    /// It cannot be reached, and the run goes on without it; nothing was changed on it.
    Unreachable(Refusal),
    /// It is ready, but not all hosts are; nothing was changed on it.
    HeldBack,
    /// A signal arrived before its command began; nothing was changed on it.
    NotBegun(StopReason),
    /// It is ready, but too many hosts of the batches before have failed; nothing was changed on it.
    NotReached,
    /// It is ready, and nothing was to be changed.
    DryRun,
    /// The command ran.
    Ran(Ending, Option<EndReason>),
    /// An upload could not be moved to its destination.
    NotPlaced(Unready),
    /// The command succeeded, and a check did not.
    Unhealthy(Unhealthy),
    /// The command succeeded, and a signal arrived before its checks had passed.
    Unchecked(StopReason),
    /// It failed, and the rollback was run; the result is the rollback's.
    RolledBack(Box<Self>, StepResult),
    /// The deploy that is resumed was done there, and its checks ran again.
    Rechecked(Result<(), Unhealthy>),
    /// What the deploy that is resumed had changed there was rolled back, as asked; the result is the rollback's.
    Undone(StepResult),
    /// The deploy that is resumed has left nothing there to roll back.
    NothingToUndo,
}

impl Outcome {
    /// Whether the command ran and succeeded.
    fn is_success(&self) -> bool {
        matches!(self, Self::Ran(Ending { script: ScriptEnd::Exited(0), .. }, None))
    }

    /// Whether the host is as it was to become.
    fn is_done(&self) -> bool {
        match self {
            Self::Rechecked(result) => result.is_ok(),
            Self::Undone(result) => result.is_success(),
            Self::NothingToUndo => true,
            _ => self.is_success(),
        }
    }

    /// Whether the host may have been changed.
    pub(crate) fn has_changed(&self) -> bool {
        match self {
            Self::Refused(_)
            | Self::Unreachable(_)
            | Self::Unready(_)
            | Self::HeldBack
            | Self::NotBegun(_)
            | Self::NotReached
            | Self::Rechecked(_)
            | Self::NothingToUndo
            | Self::DryRun => false,
            Self::Ran(ending, _) => !matches!(ending.script, ScriptEnd::NotStarted(_)),
            Self::NotPlaced(_) | Self::Unhealthy(_) | Self::Unchecked(_) | Self::RolledBack(..) | Self::Undone(_) => {
                true
            }
        }
    }

    /// Whether the host goes on without us, and takes no more steps.
    fn is_left_running(&self) -> bool {
        matches!(self, Self::RolledBack(_, StepResult::LeftRunning(_)) | Self::Undone(StepResult::LeftRunning(_)))
    }

    /// What a run that resumes a deploy did there instead of deploying.
    pub(crate) fn resumed(&self) -> Option<&'static str> {
        match self {
            Self::Rechecked(_) => Some("checked"),
            Self::RolledBack(from, _) => from.resumed(),
            Self::Undone(_) => Some("rolled_back"),
            Self::NothingToUndo => Some("left"),
            _ => None,
        }
    }

    /// Whether the command or a check failed by itself: the host may have been changed, and no signal has ended the run.
    fn is_failure(&self) -> bool {
        let stopped = matches!(self, Self::Ran(_, Some(EndReason::Stopped(_))) | Self::Unchecked(_));
        self.has_changed() && !self.is_done() && !stopped
    }
}

/// Sees what happens while it happens. Hosts are known by their place in the plan.
pub(crate) trait Observer {
    /// A host cannot be reached yet; reported once.
    fn waiting(&self, host: usize, refusal: &Refusal);
    /// Another run holds a host's lock, and we wait for it; reported once.
    fn locked(&self, host: usize, holder: &Holder);
    /// The last deploy of a host did not reach its end.
    fn unfinished(&self, host: usize, state: &State);
    /// A host lacks something without which it can be deployed to.
    fn remark(&self, host: usize, remark: Remark);
    /// A host is ready.
    fn ready(&self, host: usize, ready: &Ready);
    /// A host is about to be changed.
    fn begun(&self, host: usize);
    /// Something that follows the command begins.
    fn follows(&self, host: usize, what: &str);
    /// Hides the values that the hosts are given in one stream, if they are given any.
    fn redactor(&self) -> Option<Redactor>;
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

/// A host that is connected.
struct Connected<S> {
    host: usize,
    session: S,
    /// The state that its last deploy has left; ours once we have begun.
    state: State,
    /// What became of each upload in preflight.
    staged: Vec<Staged>,
    /// What the host has of releases, and the one that becomes current.
    release: Option<(InstalledReleases, String)>,
    /// Whether that one has become current.
    switched: bool,
    /// What this run does there.
    action: Action,
    /// What undoes the command.
    rollback: Option<Step>,
    /// What undoes a release that has become current, and then the command.
    switch_back: Option<Step>,
}

impl<S> Connected<S> {
    fn new(host: usize, session: S) -> Self {
        Self {
            host,
            session,
            state: State::default(),
            staged: Vec::new(),
            release: None,
            switched: false,
            action: Action::Deploy,
            rollback: None,
            switch_back: None,
        }
    }
}

impl<T: Transport, O: Observer> Deploy<'_, T, O> {
    /// Carries the plan out. The end of every host is reported to the observer exactly once. Returns what has stopped the run: what
    /// comes while it closes the connections changes nothing any more.
    pub(crate) async fn carry_out(&self) -> Option<StopReason> {
        let hosts: Vec<usize> = (0..self.plan.targets.len()).collect();
        let (mut connected, unreachable) = self.make_ready(&hosts).await;
        let all_ready = connected.len() + unreachable.len() == hosts.len();
        if all_ready && !self.plan.dry_run && self.stop.reason().is_none() {
            self.roll_out(&mut connected, unreachable).await;
        } else {
            for one in &connected {
                let outcome = match self.stop.reason() {
                    Some(signal) => Outcome::NotBegun(signal),
                    None if all_ready => Outcome::DryRun,
                    None => Outcome::HeldBack,
                };
                self.observer.ended(one.host, &outcome, Duration::ZERO);
            }
            self.leave_out(unreachable);
        }
        let reason = self.stop.reason();
        join_all(connected.into_iter().map(|one| one.session.close())).await;
        reason
    }

    /// Reports the hosts that the run has gone on without.
    fn leave_out(&self, unreachable: Vec<(usize, Refusal)>) {
        for (host, refusal) in unreachable {
            self.observer.ended(host, &Outcome::Unreachable(refusal), Duration::ZERO);
        }
    }
}

#[cfg(test)]
mod tests;
