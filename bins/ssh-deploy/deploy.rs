//! The order of a deploy: every host is made ready, then all are changed, or none.
//!
//! A host that is ready stays connected and waits, so that the very connection that was checked is used. A host is never cut off
//! because another failed; only a signal or the time limit ends a command, and then the host itself ends it.

mod ready;
mod releases;
mod rollout;

use std::time::Duration;

use futures_util::future::join_all;
use ssh::{
    Ending, Holder, InstalledReleases, Output, Ready, Refusal, Session as _, Staged, State, Transport, Unready, Verdict,
};

use crate::host_runner::{StepResult, Unhealthy};
use crate::plan::Plan;
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
            | Self::Unreachable(_)
            | Self::Unready(_)
            | Self::HeldBack
            | Self::NotBegun(_)
            | Self::NotReached
            | Self::DryRun => false,
            Self::Ran(ending, _) => !matches!(ending.verdict, Verdict::NotStarted(_)),
            Self::NotPlaced(_) | Self::Unhealthy(_) | Self::Unchecked(_) | Self::RolledBack(..) => true,
        }
    }

    /// Whether the command or a check failed by itself: the host may have been changed, and no signal has ended the run.
    fn is_failure(&self) -> bool {
        let stopped = matches!(self, Self::Ran(_, Some(EndReason::Stopped(_))) | Self::Unchecked(_));
        self.has_changed() && !self.is_success() && !stopped
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
}

impl<S> Connected<S> {
    fn new(host: usize, session: S) -> Self {
        Self { host, session, state: State::default(), staged: Vec::new(), release: None, switched: false }
    }
}

impl<T: Transport, O: Observer> Deploy<'_, T, O> {
    /// Carries the plan out. The end of every host is reported to the observer exactly once.
    pub(crate) async fn carry_out(&self) {
        let hosts: Vec<usize> = (0..self.plan.targets.len()).collect();
        let (mut connected, unreachable) = self.make_ready(&hosts).await;
        let all_ready = connected.len() + unreachable.len() == hosts.len();
        if all_ready && !self.plan.dry_run && self.stop.reason().is_none() {
            self.roll_out(&mut connected).await;
        } else {
            for one in &connected {
                let outcome = match self.stop.reason() {
                    Some(signal) => Outcome::NotBegun(signal),
                    None if all_ready => Outcome::DryRun,
                    None => Outcome::HeldBack,
                };
                self.observer.ended(one.host, &outcome, Duration::ZERO);
            }
        }
        self.retry(unreachable, all_ready).await;
        join_all(connected.into_iter().map(|one| one.session.close())).await;
    }

    /// Tries the hosts that could not be reached once more, if that was asked for; reports the ends of the others.
    async fn retry(&self, unreachable: Vec<(usize, Refusal)>, all_ready: bool) {
        let again = self.plan.unreachable.retry && all_ready && !self.plan.dry_run && self.stop.reason().is_none();
        for (host, refusal) in unreachable {
            let (mut connected, still) =
                if again { self.make_ready(&[host]).await } else { (Vec::new(), vec![(host, refusal)]) };
            for one in &mut connected {
                self.change_last(one).await;
            }
            for (host, refusal) in still {
                self.observer.ended(host, &Outcome::Unreachable(refusal), Duration::ZERO);
            }
            join_all(connected.into_iter().map(|one| one.session.close())).await;
        }
    }
}

#[cfg(test)]
mod tests;
