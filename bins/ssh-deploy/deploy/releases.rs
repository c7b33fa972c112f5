//! Releases: unpacked in preflight, made current after the command, and activated.

use ssh::{Ending, Good, Output, Phase, ScriptEnd, Step, Transport, Unready};

use super::{Connected, Deploy, Observer, Outcome};
use crate::host_runner::Unhealthy;
use crate::plan::{Becomes, ReleasePlan};

impl<T: Transport, O: Observer> Deploy<'_, T, O> {
    /// Looks what releases the host has, and which one it becomes.
    pub(super) async fn find_release(&self, one: &mut Connected<T::Session>) -> Result<(), Unready> {
        let Some(plan) = &self.plan.release else { return Ok(()) };
        let mut found = plan.release.look(&mut one.session, self.plan.authority()).await?;
        let id = match (&plan.becomes, self.plan.resumed(one.host).and_then(|host| host.release.as_ref())) {
            (Becomes::New(_), Some(resumed)) => resumed.clone(),
            (Becomes::New(id) | Becomes::Earlier(id), _) => id.clone(),
            (Becomes::Previous, _) => match &found.other {
                Some(other) => other.clone(),
                None => return Err(refused(plan, "", "no_previous")),
            },
        };
        // A release that is made current once more is not the one to go back to.
        if matches!(plan.becomes, Becomes::New(_)) && found.good.as_ref() == Some(&id) {
            found.good = found.other.clone().filter(|other| *other != id);
        }
        one.switched = found.current.as_ref() == Some(&id);
        one.release = Some((found, id));
        Ok(())
    }

    /// Unpacks the new release.
    pub(super) async fn stage_release(&self, one: &mut Connected<T::Session>) -> Result<(), Unready> {
        let (Some(plan), Some((found, id))) = (&self.plan.release, one.release.clone()) else { return Ok(()) };
        plan.release.stage(&mut one.session, self.plan.authority(), &found, &id).await
    }

    /// All hosts become the same release; if the previous ones differ, none does.
    pub(super) fn check_releases(&self, connected: &[Connected<T::Session>]) -> Vec<(usize, Unready)> {
        let Some(plan) = self.plan.release.as_ref().filter(|plan| plan.becomes == Becomes::Previous) else {
            return Vec::new();
        };
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
        let (Some(plan), Some((found, id))) = (&self.plan.release, one.release.clone()) else { return Ok(()) };
        let failed = |check: &str, text: String| Unhealthy { check: check.to_owned(), text, relapsed: false };
        let _noticed_by_the_switch = self.enter(one, Phase::Activate).await;
        one.switched = true;
        let switched = plan.release.switch(&mut one.session, self.plan.authority(), &found, &id).await;
        switched.map_err(|unready| failed("switch", unready.text()))?;
        let Some(activate) = &plan.activate else { return Ok(()) };
        let (host, mut step) = (one.host, activate.clone());
        step.folder = Some(format!("{}/current", found.base));
        step.environment = variables(&id, found.good.as_deref());
        self.observer.follows(host, "activate");
        let mut runner = self.runner(one);
        let sink = |output: Output<'_>| self.observer.output(host, output);
        let result = runner.run_aside(&step, self.plan.timeout, sink).await;
        if result.is_success() { Ok(()) } else { Err(failed("activate", result.text())) }
    }

    /// Marks the release as good or bad; after a good one, old ones are removed.
    pub(super) async fn mark_release(&self, one: &mut Connected<T::Session>, outcome: &Outcome) {
        let (Some(plan), Some((found, id))) = (&self.plan.release, one.release.clone()) else { return };
        // A host that still rolls back answers nothing; its release stays unmarked, which is as good as bad.
        if !outcome.has_changed() || outcome.is_left_running() {
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

fn refused(plan: &ReleasePlan, id: &str, why: &str) -> Unready {
    Unready::Release { base: plan.release.base.clone(), id: id.to_owned(), why: why.to_owned() }
}

pub(super) fn variables(release: &str, previous: Option<&str>) -> Vec<(String, String)> {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    vec![pair("DEPLOY_RELEASE", release), pair("DEPLOY_PREVIOUS", previous.unwrap_or_default())]
}

/// The end of a run without a command.
pub(super) fn nothing_ran() -> Ending {
    Ending { group: ssh::Group::Gone, ..Ending::of(ScriptEnd::Exited(0)) }
}
