//! Releases: unpacked in preflight, made current after the command, activated, and switched back if a check fails.

use ssh::{Ending, Good, Output, Phase, Step, Transport, Unready, Verdict};

use super::{Connected, Deploy, Observer, Outcome};
use crate::host_runner::{StepResult, Unhealthy};
use crate::plan::{Becomes, ReleasePlan};

impl<T: Transport, O: Observer> Deploy<'_, T, O> {
    /// Looks what releases the host has, and unpacks the new one.
    pub(super) async fn stage_release(&self, one: &mut Connected<T::Session>) -> Result<(), Unready> {
        let Some(plan) = &self.plan.release else { return Ok(()) };
        let authority = self.plan.authority();
        let found = plan.release.look(&mut one.session, authority).await?;
        let id = match &plan.becomes {
            Becomes::New(id) | Becomes::Earlier(id) => id.clone(),
            Becomes::Previous => match &found.other {
                Some(other) => other.clone(),
                None => return Err(refused(plan, "", "no_previous")),
            },
        };
        plan.release.stage(&mut one.session, authority, &found, &id).await?;
        one.release = Some((found, id));
        Ok(())
    }

    /// All hosts become the same release; if the previous ones differ, none does.
    pub(super) fn check_releases(&self, connected: &[Connected<T::Session>]) -> Vec<(usize, Unready)> {
        let Some(plan) = &self.plan.release else { return Vec::new() };
        let ids: Vec<(usize, &str)> =
            connected.iter().filter_map(|one| Some((one.host, one.release.as_ref()?.1.as_str()))).collect();
        if ids.windows(2).all(|two| two[0].1 == two[1].1) {
            return Vec::new();
        }
        let row = |(host, id): &(usize, &str)| format!("{} → {id}", self.plan.targets[*host].name);
        let table = ids.iter().map(row).collect::<Vec<_>>().join(", ");
        ids.iter().map(|(host, _)| (*host, refused(plan, &table, "differs"))).collect()
    }

    /// Makes the host's release current, and activates it. A failure is a failed check.
    pub(super) async fn make_current(&self, one: &mut Connected<T::Session>) -> Result<(), Unhealthy> {
        let Some(plan) = &self.plan.release else { return Ok(()) };
        let Some((found, id)) = one.release.clone() else { return Ok(()) };
        let _noticed_by_the_switch = self.enter(one, Phase::Activate).await;
        one.switched = true;
        self.switch(one, plan, &found, &id).await
    }

    /// Switches to `id` and activates it.
    async fn switch(
        &self,
        one: &mut Connected<T::Session>,
        plan: &ReleasePlan,
        found: &ssh::InstalledReleases,
        id: &str,
    ) -> Result<(), Unhealthy> {
        let failed = |check: &str, text: String| Unhealthy { check: check.to_owned(), text, relapsed: false };
        let switched = plan.release.switch(&mut one.session, self.plan.authority(), found, id).await;
        switched.map_err(|unready| failed("switch", unready.text()))?;
        let Some(activate) = &plan.activate else { return Ok(()) };
        let (host, mut step) = (one.host, activate.clone());
        step.folder = Some(format!("{}/current", found.base));
        step.environment = variables(id, found.good.as_deref());
        self.observer.follows(host, "activate");
        let mut runner = self.runner(one);
        let sink = |output: Output<'_>| self.observer.output(host, output);
        let result = runner.run_aside(&step, self.plan.timeout, sink).await;
        if result.is_success() { Ok(()) } else { Err(failed("activate", result.text())) }
    }

    /// Switches back to the newest good release. Done only if link, activation and checks all succeeded there.
    pub(super) async fn switch_back(&self, one: &mut Connected<T::Session>) -> Option<StepResult> {
        let plan = self.plan.release.as_ref().filter(|_| one.switched)?;
        let (found, _) = one.release.clone()?;
        let good = found.good.clone()?;
        self.observer.follows(one.host, &format!("switch back to {good}"));
        let _noticed_by_the_switch = self.enter(one, Phase::Rollback).await;
        if let Err(unhealthy) = self.switch(one, plan, &found, &good).await {
            return Some(failed(&unhealthy));
        }
        let mut runner = self.runner(one);
        match runner.check(&self.plan.post_deploy).await {
            Ok(()) => Some(StepResult::Ended(Verdict::Exited(0))),
            Err(unhealthy) => Some(failed(&unhealthy)),
        }
    }

    /// Marks the release as good or bad; after a good one, old ones are removed.
    pub(super) async fn mark_release(&self, one: &mut Connected<T::Session>, outcome: &Outcome) {
        let (Some(plan), Some((found, id))) = (&self.plan.release, one.release.clone()) else { return };
        if !outcome.has_changed() {
            return;
        }
        let good = if outcome.is_success() { Good::Yes } else { Good::No };
        // An earlier release was marked by its own deploy.
        if good == Good::Yes || matches!(plan.becomes, Becomes::New(_)) {
            let finished = plan.release.finish(&mut one.session, self.plan.authority(), &found, (&id, good));
            let _marked = finished.await;
        }
    }
}

/// The command as it runs on a host: in the new release, knowing its name and the one before.
pub(super) fn in_release<S>(one: &Connected<S>, command: &Step) -> Step {
    let mut step = command.clone();
    if let Some((found, id)) = &one.release {
        step.folder = Some(format!("{}/releases/{id}", found.base));
        step.environment = variables(id, found.good.as_deref());
    }
    step
}

fn failed(unhealthy: &Unhealthy) -> StepResult {
    StepResult::Failed(format!("{}: {}", unhealthy.check, unhealthy.text))
}

fn refused(plan: &ReleasePlan, id: &str, why: &str) -> Unready {
    Unready::Release { base: plan.release.base.clone(), id: id.to_owned(), why: why.to_owned() }
}

fn variables(release: &str, previous: Option<&str>) -> Vec<(String, String)> {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    vec![pair("DEPLOY_RELEASE", release), pair("DEPLOY_PREVIOUS", previous.unwrap_or_default())]
}

/// The end of a run without a command.
pub(super) fn nothing_ran() -> Ending {
    Ending { group: ssh::Group::Gone, ..Ending::of(Verdict::Exited(0)) }
}
