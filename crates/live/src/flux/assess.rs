//! What the status of Flux's objects proves: pure.

use super::model::Located;
use super::stop::Stop;
use crate::kubernetes::{Condition, Object, Workload};
use crate::look::{Look, Lost, Patience, State};
use crate::revision::Revision;

/// Failures of a Kustomization that are the answer; others are waited for.
const FAILED: [&str; 4] = ["BuildFailed", "ReconciliationFailed", "PruneFailed", "HealthCheckFailed"];

/// What is proved so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chain {
    /// The revision that was applied.
    pub(crate) revision: String,
    /// The identity of what was applied.
    pub(crate) spec: String,
    /// What is owned.
    pub(crate) workloads: Vec<Workload>,
}

/// What a link proves.
pub(crate) enum Step {
    /// It holds: the revision, the identity.
    Holds(String, String),
    /// It does not hold.
    Stop(Look),
}

impl Chain {
    /// Adds a link.
    ///
    /// # Errors
    /// The link does not hold.
    pub(crate) fn take(&mut self, step: Step) -> Result<(), Stop> {
        match step {
            Step::Holds(revision, spec) => {
                if !revision.is_empty() {
                    self.revision = revision;
                }
                self.spec = format!("{} {spec}", self.spec);
                Ok(())
            }
            Step::Stop(look) => Err(look.into()),
        }
    }
}

/// The revision of a source, in the forms in which it may be asked for: an artifact of OCI names the commit that it was made of.
pub(crate) fn is_revision(artifact: &serde_json::Value, wanted: &Revision) -> bool {
    let origin = artifact["metadata"]["org.opencontainers.image.revision"].as_str();
    let own = artifact["revision"].as_str();
    own.into_iter().chain(origin).any(|found| wanted.is(found))
}

/// Why a source does not have the revision, if it does not.
pub(crate) fn source(
    located: &Located,
    object: &Object,
    wanted: &Revision,
    newer: bool,
    or_newer: bool,
) -> Option<Look> {
    let artifact = &object.status["artifact"];
    if is_revision(artifact, wanted) || (newer && or_newer) {
        return None;
    }
    let found = artifact["revision"].as_str().unwrap_or("no revision yet");
    let what = format!("{located} has {found}");
    if object.spec["suspend"] == true {
        return Some(Look::failed(
            Patience::Looks(1),
            "suspended",
            format!("{located} is suspended, so {wanted} will not come; it has {found}"),
        ));
    }
    if let Some(look) = stalled(located, object) {
        return Some(look);
    }
    if newer {
        let text = format!("superseded: {what}, which contains {wanted}");
        return Some(Look::new(State::Other(Some(Lost::Superseded)), "superseded", text));
    }
    let problem = object.condition("Ready").filter(|ready| ready.status == "False");
    let problem = problem.map(|ready| format!("; {}", ready.text())).unwrap_or_default();
    Some(Look::not_yet("source_behind", format!("{what}, not {wanted}{problem}")))
}

/// A source that has the revision.
pub(crate) fn source_live(located: &Located, object: &Object) -> Look {
    let revision = object.status["artifact"]["revision"].as_str().unwrap_or_default();
    let digest = object.status["artifact"]["digest"].as_str().unwrap_or_default();
    Look { ours: true, ..Look::live(format!("{located} has {revision}")).spec(digest) }
}

fn stalled(located: &Located, object: &Object) -> Option<Look> {
    let stalled = object.condition("Stalled").filter(|one| one.status == "True")?;
    let text = format!("{located} is stalled: {}", stalled.text());
    object.is_observed().then(|| Look::failed(Patience::Looks(1), "stalled", text))
}

/// The revision that a Kustomization has applied.
pub(crate) fn applied_revision(object: &Object) -> Option<String> {
    object.status["lastAppliedRevision"].as_str().map(str::to_owned)
}

/// Whether a Kustomization has applied the revision.
pub(crate) fn has_applied(object: &Object, wanted: &Revision) -> bool {
    is_at(object, ["lastAppliedRevision", "lastAppliedOriginRevision"], wanted)
}

fn is_at(object: &Object, names: [&str; 2], wanted: &Revision) -> bool {
    names.iter().filter_map(|name| object.status[name].as_str()).any(|found| wanted.is(found))
}

/// What the status of a Kustomization proves. `as_good` holds if the applied revision is another one that contains ours; `latch` is the
/// generation and the revision at which it was proved before.
pub(crate) fn kustomization(
    located: &Located,
    object: &Object,
    wanted: &Revision,
    as_good: bool,
    latch: Option<&(i64, String)>,
) -> Step {
    let applied = applied_revision(object);
    let shown = applied.clone().unwrap_or_else(|| "nothing yet".to_owned());
    let is_ours = has_applied(object, wanted) || as_good;
    let ready = object.condition("Ready").unwrap_or_default();
    let attempted = is_attempted(object, wanted);
    let stop = |look: Look| Step::Stop(Look { ours: attempted || is_ours, ..look });
    if object.spec["suspend"] == true && !is_ours {
        let text = format!("{located} is suspended, so {wanted} will not come; it has applied {shown}");
        return stop(Look::failed(Patience::Looks(1), "suspended", text));
    }
    if let Some(look) = stalled(located, object) {
        return stop(look);
    }
    if attempted
        && !is_ours
        && let Some(reason) = failure(object, wanted, &ready)
    {
        return stop(Look::failed(
            Patience::Grace,
            "flux_failed",
            format!("{located} cannot apply {wanted}: {reason}"),
        ));
    }
    if !is_ours {
        return stop(not_applied(located, object, wanted, &shown, &ready));
    }
    let spec = format!("{} {} {shown}", object.metadata.uid, object.metadata.generation);
    let is_latched =
        latch.is_some_and(|(generation, revision)| *generation == object.metadata.generation && *revision == shown);
    // A reconciliation at its interval makes `Ready` unknown for a moment.
    if is_latched && ready.status != "False" {
        return Step::Holds(shown, spec);
    }
    if ready.status == "True" && object.is_observed() && !object.is("Reconciling") {
        return Step::Holds(shown, spec);
    }
    if ready.status == "False" && FAILED.contains(&ready.reason.as_str()) {
        return stop(Look::failed(
            Patience::Grace,
            "flux_failed",
            format!("{located} has applied {shown}, and now fails: {}", ready.text()),
        ));
    }
    stop(Look::not_yet("reconciling", format!("{located} has applied {shown}; {}", ready.text())))
}

/// Why an attempt failed, also while it is tried again.
///
/// While it is tried again, for up to the whole `timeout`, `Ready` and `Healthy` are both unknown: then only the history has the end of
/// the attempt before.
fn failure(object: &Object, wanted: &Revision, ready: &Condition) -> Option<String> {
    if ready.status == "False" && FAILED.contains(&ready.reason.as_str()) {
        return Some(ready.text());
    }
    if ready.status != "Unknown" {
        return None;
    }
    if let Some(healthy) = object.condition("Healthy").filter(|one| one.status == "False") {
        return Some(healthy.text());
    }
    let last = object.status["history"].as_array()?.iter().find(|entry| is_of(entry, wanted))?;
    let status = last["lastReconciledStatus"].as_str().filter(|status| FAILED.contains(status))?;
    let took = last["lastReconciledDuration"].as_str().and_then(|text| text.split_once('.')).map(|(whole, _)| whole);
    let took = took.map(|seconds| format!(" after {seconds} s")).unwrap_or_default();
    Some(format!("{status}{took}, and it is tried again"))
}

/// Whether an entry of the history is of this revision.
fn is_of(entry: &serde_json::Value, wanted: &Revision) -> bool {
    entry["metadata"]["revision"].as_str().is_some_and(|found| wanted.is(found))
}

/// Whether the history proves that the revision was applied once.
pub(crate) fn was_applied(object: &Object, wanted: &Revision) -> bool {
    let history = object.status["history"].as_array();
    let passed = |entry: &serde_json::Value| entry["lastReconciledStatus"] == "ReconciliationSucceeded";
    history.into_iter().flatten().any(|entry| is_of(entry, wanted) && passed(entry))
}

/// Whether the last attempt was of this revision.
pub(crate) fn is_attempted(object: &Object, wanted: &Revision) -> bool {
    object.status["lastAttemptedRevision"].as_str().is_some_and(|found| wanted.is(found))
}

/// The revision was not applied: on the way, held up, or passed over.
fn not_applied(located: &Located, object: &Object, wanted: &Revision, shown: &str, ready: &Condition) -> Look {
    let text = format!("{located} has applied {shown}, not {wanted}");
    if was_applied(object, wanted) {
        return Look::new(
            State::Other(Some(Lost::Superseded)),
            "superseded",
            format!("superseded: {text}; its history has ours"),
        );
    }
    let why =
        if ready.status == "True" || ready.reason.is_empty() { String::new() } else { format!("; {}", ready.text()) };
    match ready.reason.as_str() {
        "DependencyNotReady" => Look::not_yet("dependency", format!("{text}{why}")),
        "ArtifactFailed" => Look::not_yet("artifact", format!("{text}{why}")),
        _ if ready.status == "Unknown" => Look::not_yet("reconciling", format!("{text}{why}")),
        _ => Look::new(State::Other(None), "old_revision", format!("{text}{why}")),
    }
}

/// What the status of a `HelmRelease` proves. Its own revision is the chart's, compared if one is given.
pub(crate) fn release(located: &Located, object: &Object, chart: Option<&Revision>) -> Step {
    let ready = object.condition("Ready").unwrap_or_default();
    let last = &object.status["history"][0];
    let version = last["chartVersion"].as_str().unwrap_or("no version yet");
    let stop = |look: Look| Step::Stop(look);
    if object.spec["suspend"] == true && (!object.is_observed() || ready.status != "True") {
        return stop(Look::failed(
            Patience::Looks(1),
            "suspended",
            format!("{located} is suspended: it will not come"),
        ));
    }
    if let Some(look) = stalled(located, object) {
        return stop(look);
    }
    let remediated = object.condition("Remediated").filter(|one| one.status == "True");
    let is_remediated = matches!(ready.reason.as_str(), "RollbackSucceeded" | "UninstallSucceeded" | "RetriesExceeded");
    if object.is_observed() && (is_remediated || remediated.is_some()) {
        let why = remediated.map_or_else(|| ready.text(), |one| one.text());
        return stop(Look::failed(
            Patience::Looks(1),
            "remediated",
            format!("{located} was remediated, chart {version} is live again: {why}"),
        ));
    }
    if ready.status != "True" || !object.is_observed() || object.is("Reconciling") {
        return stop(Look::not_yet("reconciling", format!("{located} is not ready: {}", ready.text())));
    }
    if last["status"] != "deployed" {
        return stop(Look::not_yet("not_deployed", format!("the last release of {located} is {}", last["status"])));
    }
    if let Some(chart) = chart.filter(|chart| !chart.is(version)) {
        return stop(Look::new(
            State::Other(None),
            "old_revision",
            format!("{located} has the chart {version}, not {chart}"),
        ));
    }
    let digest = last["configDigest"].as_str().unwrap_or_default();
    let revision = if chart.is_some() { format!("chart {version}") } else { String::new() };
    Step::Holds(revision, format!("{} {} {version} {digest}", object.metadata.uid, object.metadata.generation))
}

#[cfg(test)]
mod tests;
