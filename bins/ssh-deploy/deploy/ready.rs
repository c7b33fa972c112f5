//! Getting every host ready, before the first is changed: connect, lock, look at the last deploy, stage, look at the host.

use std::time::{Duration, Instant};

use deadline::{Deadline, Wait};
use futures_util::future::join_all;
use secrecy::ExposeSecret as _;
use ssh::{Clean, Guard, Preflight, Refusal, Session as _, State, Step, Transport, Unready};

use super::{Connected, Deploy, Observer, Outcome};
use crate::plan::Becomes;
use crate::resume::{Action, decide};

/// What connecting to a host came to.
enum Reached<S> {
    Connected(Box<Connected<S>>),
    Refused(usize, Refusal, Duration),
    Stopped,
}

impl<T: Transport, O: Observer> Deploy<'_, T, O> {
    /// Gets `hosts` ready. Returns those that are, and those that the run may go on without. The ends of the others are reported;
    /// if there are any, or if the run has to stop, nothing may be changed.
    pub(super) async fn make_ready(&self, hosts: &[usize]) -> (Vec<Connected<T::Session>>, Vec<(usize, Refusal)>) {
        let (mut connected, unreachable) = self.connect_all(hosts).await;
        let complete = |connected: &Vec<_>| connected.len() + unreachable.len() == hosts.len();
        let lock_and_prepare = async {
            if complete(&connected) {
                self.lock_all(&mut connected).await;
            }
            if complete(&connected) {
                self.prepare_all(&mut connected).await;
            }
        };
        // A large upload, or a host that has just become unreachable, must not keep a run that has to stop.
        tokio::select! { () = lock_and_prepare => {}, _ = self.stop.requested() => {} }
        (connected, unreachable)
    }

    /// Connects to a host, locks it and prepares it, after its connection was lost.
    pub(super) async fn make_one_ready(&self, host: usize) -> Result<Connected<T::Session>, Outcome> {
        let session = tokio::select! {
            session = self.reach(host) => session.map_err(Outcome::Refused)?,
            signal = self.stop.requested() => return Err(Outcome::NotBegun(signal)),
        };
        let mut one = Connected::new(host, session);
        if let Some(plan) = &self.plan.lock {
            let name = self.plan.targets[host].name.as_str();
            let waiting = |_, holder: &ssh::Holder| self.observer.locked(host, holder);
            let result = plan.acquire(&mut [(name, &mut one.session)], self.stop, waiting).await;
            if let Some((_, unready)) = result.err().and_then(|failures| failures.into_iter().next()) {
                return Err(Outcome::Unready(unready));
            }
        }
        let prepared = tokio::select! {
            prepared = self.prepare(&mut one) => prepared,
            signal = self.stop.requested() => {
                one.session.close().await;
                return Err(Outcome::NotBegun(signal));
            }
        };
        prepared.map_err(Outcome::Unready)?;
        Ok(one)
    }

    async fn connect_all(&self, hosts: &[usize]) -> (Vec<Connected<T::Session>>, Vec<(usize, Refusal)>) {
        let (mut connected, mut refused) = (Vec::new(), Vec::new());
        for reached in join_all(hosts.iter().map(|host| self.connect(*host))).await {
            match reached {
                Reached::Connected(one) => connected.push(*one),
                Reached::Refused(host, refusal, elapsed) => refused.push((host, refusal, elapsed)),
                Reached::Stopped => {}
            }
        }
        let unreachable =
            refused.iter().filter(|(_, refusal, _)| refusal.cause.kind() == fault::Kind::Temporary).count();
        // A deploy to no host at all is no success.
        let reaches_others = !connected.is_empty() || hosts.len() < self.plan.targets.len();
        let allowed = unreachable == refused.len() && self.plan.unreachable.allows(unreachable) && reaches_others;
        if allowed {
            return (connected, refused.into_iter().map(|(host, refusal, _)| (host, refusal)).collect());
        }
        for (host, refusal, elapsed) in refused {
            self.observer.ended(host, &Outcome::Refused(refusal), elapsed);
        }
        (connected, Vec::new())
    }

    async fn connect(&self, host: usize) -> Reached<T::Session> {
        let begun = Instant::now();
        tokio::select! {
            session = self.reach(host) => match session {
                Ok(session) => Reached::Connected(Box::new(Connected::new(host, session))),
                Err(refusal) => Reached::Refused(host, refusal, begun.elapsed()),
            },
            signal = self.stop.requested() => {
                self.observer.ended(host, &Outcome::NotBegun(signal), begun.elapsed());
                Reached::Stopped
            }
        }
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
            let until = Deadline::after(wait.limit.saturating_sub(begun.elapsed()));
            let _wait = Wait::begin(format!("{} to come up", self.plan.targets[host].name), until);
            tokio::time::sleep(pause).await;
            tries += 1;
        }
    }

    /// Takes the lock on all hosts, or reports why not.
    async fn lock_all(&self, connected: &mut Vec<Connected<T::Session>>) {
        let Some(plan) = &self.plan.lock else { return };
        let hosts: Vec<usize> = connected.iter().map(|one| one.host).collect();
        let mut sessions: Vec<(&str, &mut T::Session)> =
            connected.iter_mut().map(|one| (self.plan.targets[one.host].name.as_str(), &mut one.session)).collect();
        let waiting = |index: usize, holder: &ssh::Holder| self.observer.locked(hosts[index], holder);
        let Err(failures) = plan.acquire(&mut sessions, self.stop, waiting).await else { return };
        let failures = failures.into_iter().map(|(index, unready)| (hosts[index], unready)).collect();
        self.give_up(connected, failures).await;
    }

    /// Looks at every host and stages what it needs; all are looked at, so that one run reports every fault.
    async fn prepare_all(&self, connected: &mut Vec<Connected<T::Session>>) {
        let results = join_all(connected.iter_mut().map(|one| self.prepare(one))).await;
        let failures = connected.iter().zip(results).filter_map(|(one, result)| Some((one.host, result.err()?)));
        let failures: Vec<(usize, Unready)> = failures.collect();
        self.give_up(connected, failures).await;
        let failures = self.check_releases(connected);
        self.give_up(connected, failures).await;
        for one in connected {
            self.observer.ready(one.host, one.session.ready());
        }
    }

    /// Looks at the last deploy, hands over the values, stages every step and looks whether the host can take the deploy.
    async fn prepare(&self, one: &mut Connected<T::Session>) -> Result<(), Unready> {
        if let Some(plan) = &self.plan.lock {
            plan.lock.remove_leftovers(&mut one.session).await?;
            if let Some(state) = State::read(&mut one.session, &plan.lock).await? {
                self.admit(one.host, &state)?;
                one.state = state;
            }
        }
        if let (Some(resume), Some(resumed)) = (&self.plan.resume, self.plan.resumed(one.host)) {
            let ours = one.state.deploy == self.plan.run.deploy;
            one.action = decide(resume.mode, resumed.progress, ours.then_some(one.state.phase));
        }
        if !self.plan.values.expose_secret().is_empty() {
            one.session.values(&self.plan.values).await?;
        }
        if self.may_be_undone(one) {
            self.find_release(one).await?;
        }
        self.find_ways_back(one);
        let steps = self.steps(one);
        for step in &steps {
            one.session.stage(step).await?;
        }
        if one.action != Action::Deploy {
            let nothing = Preflight { writes: Vec::new(), ..self.plan.preflight.clone() };
            return nothing.look(&mut one.session, steps.iter()).await.map(drop);
        }
        for remark in self.plan.preflight.look(&mut one.session, steps.iter()).await? {
            self.observer.remark(one.host, remark);
        }
        self.plan.destinations().look(&mut one.session, self.plan.authority()).await?;
        for upload in &self.plan.uploads {
            one.staged.push(upload.stage(&mut one.session, self.plan.authority()).await?);
        }
        self.stage_release(one).await
    }

    /// Every step that may run on a host.
    fn steps(&self, one: &Connected<T::Session>) -> Vec<Step> {
        let planned: Vec<&Step> = match one.action {
            Action::Deploy => self.plan.steps().collect(),
            Action::Check => self.plan.post_deploy.steps().collect(),
            Action::RollBack | Action::Leave => Vec::new(),
        };
        planned.into_iter().chain(&one.rollback).chain(&one.switch_back).cloned().collect()
    }

    /// Whether this run may follow the last deploy of a host, which is named if it has left more or less than a deploy.
    fn admit(&self, host: usize, state: &State) -> Result<(), Unready> {
        let run = &self.plan.run;
        let resumed = self.plan.resumed(host);
        let ours = resumed.is_some() && state.deploy == run.deploy;
        let clean = if ours { Clean::Any } else { run.clean };
        // The way back is open whatever the number of the run that takes it.
        let goes_back = self.plan.release.as_ref().is_some_and(|plan| !matches!(plan.becomes, Becomes::New(_)));
        state.admit(run.fence.filter(|_| !goes_back), clean).map_err(Unready::Guarded)?;
        if !ours && resumed.is_some_and(|resumed| resumed.progress.has_changed()) {
            return Err(Unready::Guarded(Guard::Superseded(Box::new(state.clone()))));
        }
        if !ours && state.notice().is_some() {
            self.observer.unfinished(host, state);
        }
        Ok(())
    }

    /// Ends the hosts that are not ready: reports why, and closes their connections.
    async fn give_up(&self, connected: &mut Vec<Connected<T::Session>>, failures: Vec<(usize, Unready)>) {
        for (host, unready) in failures {
            if let Some(index) = connected.iter().position(|one| one.host == host) {
                let signal = self.stop.reason().filter(|_| matches!(unready, Unready::Locked(_)));
                let outcome = signal.map_or(Outcome::Unready(unready), Outcome::NotBegun);
                self.observer.ended(host, &outcome, Duration::ZERO);
                connected.remove(index).session.close().await;
            }
        }
    }
}
