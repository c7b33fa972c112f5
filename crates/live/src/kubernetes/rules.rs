//! When a workload's own status reports that it is rolled out: kstatus' rules, a function per kind, mended where they mislead.
//!
//! Source: kubernetes-sigs/cli-utils, `pkg/kstatus/status/core.go`. What it gets wrong is named at each rule. All rules hold only at the
//! generation that the controller has seen, which the caller checks first.

use super::model::{Object, Pod};
use crate::look::Patience;

/// A kind of workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `deployment`
    Deployment,
    /// `statefulset`
    StatefulSet,
    /// `daemonset`
    DaemonSet,
    /// `job`
    Job,
}

impl Kind {
    /// The kind that a command line or an inventory names so.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Some(match name.to_lowercase().split('.').next().unwrap_or_default() {
            "deployment" | "deployments" | "deploy" => Self::Deployment,
            "statefulset" | "statefulsets" | "sts" => Self::StatefulSet,
            "daemonset" | "daemonsets" | "ds" => Self::DaemonSet,
            "job" | "jobs" => Self::Job,
            _ => return None,
        })
    }

    /// Its name in the singular: `deployment`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Deployment => "deployment",
            Self::StatefulSet => "statefulset",
            Self::DaemonSet => "daemonset",
            Self::Job => "job",
        }
    }

    /// The path of its objects.
    pub(crate) fn path(self, namespace: &str) -> String {
        let group = if self == Self::Job { "batch" } else { "apps" };
        format!("/apis/{group}/v1/namespaces/{namespace}/{}s", self.name())
    }
}

/// What a rule finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Rolled out: how many pods must be ready, and what is worth a note.
    Done(i64, String),
    /// On its way.
    Going(&'static str, String),
    /// It will not come, if that lasts.
    Failed(Patience, &'static str, String),
}

/// What the status of a workload reports. `pods` are all of the workload, `hash` the revision of the new ones.
pub(crate) fn rule(kind: Kind, object: &Object, pods: &[&Pod], hash: &str) -> Rule {
    match kind {
        Kind::Deployment => deployment(object),
        Kind::StatefulSet => stateful_set(object, pods, hash),
        Kind::DaemonSet => daemon_set(object, pods, hash),
        Kind::Job => job(object),
    }
}

fn nothing(what: &str) -> Rule {
    Rule::Failed(Patience::Looks(2), "nothing_to_be_live", format!("nothing is live: {what}"))
}

/// kstatus waits for a deployment that is paused or over its quota as for any other, and calls none failed that has no
/// `progressDeadlineSeconds`.
fn deployment(object: &Object) -> Rule {
    let replicas = object.spec["replicas"].as_i64().unwrap_or(1);
    if replicas == 0 {
        return nothing("it has 0 replicas");
    }
    let [updated, total, ready, available] =
        ["updatedReplicas", "replicas", "readyReplicas", "availableReplicas"].map(|name| object.count(name));
    let is_done = updated >= replicas && total == updated && ready >= replicas && available >= replicas;
    let count = format!("{updated} of {replicas} pods are new, {available} available, {total} in all");
    let progressing = object.condition("Progressing").unwrap_or_default();
    if is_done {
        let note = if object.spec["paused"] == true {
            "its rollout is paused, after this revision".to_owned()
        } else {
            String::new()
        };
        return Rule::Done(replicas, note);
    }
    if object.spec["paused"] == true {
        return Rule::Failed(Patience::Looks(1), "paused", format!("the rollout is paused: {count}"));
    }
    if progressing.reason == "ProgressDeadlineExceeded" {
        // Right after `rollout undo` the old condition is there for a moment, so it must be seen twice.
        return Rule::Failed(Patience::Looks(2), "progress_deadline", format!("{}: {count}", progressing.text()));
    }
    if let Some(condition) = object.condition("ReplicaFailure").filter(|one| one.status == "True") {
        return Rule::Going("replica_failure", format!("{}: {count}", condition.text()));
    }
    Rule::Going("rolling_out", count)
}

/// kstatus calls a set with `OnDelete` current at once. kubectl refuses it. Neither looks at pods, so a pod of a broken revision blocks
/// a set for ever.
fn stateful_set(object: &Object, pods: &[&Pod], hash: &str) -> Rule {
    let replicas = object.spec["replicas"].as_i64().unwrap_or(1);
    if replicas == 0 {
        return nothing("it has 0 replicas");
    }
    let strategy = &object.spec["updateStrategy"];
    let partition = strategy["rollingUpdate"]["partition"].as_i64().unwrap_or_default();
    let wanted = (replicas - partition).max(0);
    let is_new = |pod: &&&Pod| pod.metadata.labels.get("controller-revision-hash").is_some_and(|found| found == hash);
    let new = pods.iter().filter(is_new).count();
    let count = format!(
        "{new} of {wanted} pods have the new revision, {} of {replicas} are ready",
        object.count("readyReplicas")
    );
    if i64::try_from(new).unwrap_or_default() >= wanted && object.count("readyReplicas") >= replicas {
        let old = pods.len().saturating_sub(new);
        if partition == 0 || old == 0 {
            return Rule::Done(wanted, String::new());
        }
        let text = format!("its partition {partition} keeps {old} of {replicas} pods at the old revision");
        return if wanted == 0 { nothing(&text) } else { Rule::Going("partition", text) };
    }
    if strategy["type"] == "OnDelete" {
        let text = format!("{count}; its update strategy is OnDelete: a pod is replaced only after it is deleted");
        return Rule::Failed(Patience::Grace, "on_delete", text);
    }
    let blocking = pods.iter().find(|pod| !is_new(pod) && !pod.is_ready() && pod.metadata.deletion_timestamp.is_none());
    if let Some(pod) = blocking {
        let revision = pod.metadata.labels.get("controller-revision-hash").cloned().unwrap_or_default();
        let text = format!("{count}; pod {} of revision {revision} blocks the rollout: delete it", pod.metadata.name);
        return Rule::Failed(Patience::Grace, "blocked", text);
    }
    Rule::Going("rolling_out", count)
}

/// kstatus calls a set for which there is no node current.
fn daemon_set(object: &Object, pods: &[&Pod], hash: &str) -> Rule {
    let desired = object.count("desiredNumberScheduled");
    if desired == 0 {
        return nothing("no node takes a pod of it");
    }
    let is_new = |pod: &&&Pod| pod.metadata.labels.get("controller-revision-hash").is_some_and(|found| found == hash);
    let new = i64::try_from(pods.iter().filter(is_new).count()).unwrap_or_default();
    let available = object.count("numberAvailable");
    let count = format!("{new} of {desired} pods have the new revision, {available} available");
    if new >= desired && object.count("numberReady") >= desired && available >= desired {
        return Rule::Done(desired, String::new());
    }
    if object.spec["updateStrategy"]["type"] == "OnDelete" {
        let text = format!("{count}; its update strategy is OnDelete: a pod is replaced only after it is deleted");
        return Rule::Failed(Patience::Grace, "on_delete", text);
    }
    Rule::Going("rolling_out", count)
}

/// kstatus calls a job current as soon as it has started.
fn job(object: &Object) -> Rule {
    if object.is("Complete") {
        return Rule::Done(0, "the job is complete".to_owned());
    }
    if let Some(condition) = object.condition("Failed").filter(|one| one.status == "True") {
        return Rule::Failed(Patience::Looks(1), "job_failed", format!("the job failed: {}", condition.text()));
    }
    if object.spec["suspend"] == true {
        return Rule::Failed(Patience::Looks(1), "suspended", "the job is suspended: it will not run".to_owned());
    }
    let count = format!(
        "{} succeeded, {} failed, {} active",
        object.count("succeeded"),
        object.count("failed"),
        object.count("active")
    );
    Rule::Going("job_running", count)
}
