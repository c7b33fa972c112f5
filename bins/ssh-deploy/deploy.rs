//! The order of a deploy: every host is checked, then all are changed, or none.
//!
//! A host that is reached stays connected and waits, so the check is of the very connection that the deploy uses. A host is never
//! cut off because another failed; only a signal or the time limit ends a command, and then the host ends it itself.

use std::cell::Cell;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use ssh::{Ending, Line, Program, Ready, Refusal, Session, Target, Transport, Verdict};
use tokio::sync::Semaphore;

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
}

impl Outcome {
    /// Whether the command ran and did what it should.
    fn is_success(&self) -> bool {
        matches!(self, Self::Ran(Ending { verdict: Verdict::Exited(0), .. }, None))
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
    /// A host's command wrote a line.
    fn line(&self, host: usize, line: &Line<'_>);
    /// A host is done with, one way or another, `elapsed` after work on it began.
    fn ended(&self, host: usize, outcome: &Outcome, elapsed: Duration);
}

/// Carries the plan out. Every host's end is told to `observer`, exactly once.
pub(crate) async fn carry_out<T: Transport>(plan: &Plan, transport: &T, stop: &Stop, observer: &impl Observer) {
    let hosts = plan.targets.iter().enumerate();
    let sessions = join_all(hosts.map(|(host, target)| check(plan, target, host, transport, stop, observer))).await;
    let all_ready = sessions.iter().all(Option::is_some);
    let waiting = sessions.into_iter().enumerate().filter_map(|(host, session)| Some((host, session?)));
    if all_ready && !plan.rehearsal {
        return roll_out(plan, waiting, stop, observer).await;
    }
    for (host, _session) in waiting {
        let outcome = match stop.told() {
            Some(told) => Outcome::NotBegun(told),
            None if all_ready => Outcome::Rehearsed,
            None => Outcome::HeldBack,
        };
        observer.ended(host, &outcome, Duration::ZERO);
    }
}

/// Changes the hosts, batch after batch.
async fn roll_out<S: Session>(
    plan: &Plan,
    mut waiting: impl Iterator<Item = (usize, S)>,
    stop: &Stop,
    observer: &impl Observer,
) {
    let slots = Semaphore::new(plan.jobs);
    let mut failures = 0;
    for (done, size) in plan.batches.sizes.iter().enumerate() {
        if done > 0 {
            tokio::select! { () = tokio::time::sleep(plan.batches.pause) => {}, () = stop.requested() => {} }
        }
        let batch =
            waiting.by_ref().take(*size).map(|(host, session)| change(plan, session, host, &slots, stop, observer));
        let outcomes = join_all(batch).await;
        failures += outcomes.iter().filter(|outcome| !outcome.is_success()).count();
        if !plan.batches.go_on(done + 1, failures) {
            break;
        }
    }
    for (host, _session) in waiting {
        observer.ended(host, &stop.told().map_or(Outcome::Spared, Outcome::NotBegun), Duration::ZERO);
    }
}

/// Gets a host ready; tells of its end if that fails.
async fn check<T: Transport>(
    plan: &Plan,
    target: &Target,
    host: usize,
    transport: &T,
    stop: &Stop,
    observer: &impl Observer,
) -> Option<T::Session> {
    let begun = Instant::now();
    let outcome = tokio::select! {
        session = reach(plan, target, host, transport, observer) => match session {
            Ok(session) => {
                observer.ready(host, session.ready());
                return Some(session);
            }
            Err(refusal) => Outcome::Refused(refusal),
        },
        () = stop.requested() => Outcome::NotBegun(stop.told().unwrap_or(Told::Terminate)),
    };
    observer.ended(host, &outcome, begun.elapsed());
    None
}

/// Connects; again where the failure may pass and there is time to wait.
async fn reach<T: Transport>(
    plan: &Plan,
    target: &Target,
    host: usize,
    transport: &T,
    observer: &impl Observer,
) -> Result<T::Session, Refusal> {
    let begun = Instant::now();
    let mut tries = 0;
    loop {
        let refusal = match transport.connect(target, &plan.program).await {
            Ok(session) => return Ok(session),
            Err(refusal) => refusal,
        };
        let Some(wait) = plan.wait.filter(|_| refusal.cause.may_pass()) else { return Err(refusal) };
        let pause = (wait.pause)(tries);
        if begun.elapsed() + pause > wait.limit {
            return Err(refusal);
        }
        if tries == 0 {
            observer.waiting(host, &refusal);
        }
        tokio::time::sleep(pause).await;
        tries += 1;
    }
}

/// Runs the command on a host that is ready, in its turn.
async fn change<S: Session>(
    plan: &Plan,
    session: S,
    host: usize,
    slots: &Semaphore,
    stop: &Stop,
    observer: &impl Observer,
) -> Outcome {
    let _slot = slots.acquire().await;
    let begun = Instant::now();
    let outcome = match stop.told() {
        Some(told) => Outcome::NotBegun(told),
        None => run(plan, session, host, stop, observer).await,
    };
    observer.ended(host, &outcome, begun.elapsed());
    outcome
}

async fn run<S: Session>(plan: &Plan, session: S, host: usize, stop: &Stop, observer: &impl Observer) -> Outcome {
    observer.begun(host);
    let cut = Cell::new(None);
    let told_to_end = async {
        let why = tokio::select! {
            () = stop.requested() => Cut::Told(stop.told().unwrap_or(Told::Terminate)),
            () = expired(plan.timeout) => Cut::Timeout,
        };
        cut.set(Some(why));
    };
    let ending = session.run(&plan.program, told_to_end, |line| observer.line(host, &line)).await;
    Outcome::Ran(ending, cut.get())
}

async fn expired(timeout: Option<Duration>) {
    match timeout {
        Some(timeout) => tokio::time::sleep(timeout).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
