//! What a workload and its pods prove: pure.

use super::model::{Container, Object, Pod};
use super::rules::{Kind, Rule, rule};
use crate::image::Reference;
use crate::look::{Failure, Look, Patience, State};
use crate::swarm::WantedImage;

/// What one look read of a workload.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reading {
    /// The workload; `None` if there is none of that name.
    pub(crate) object: Option<Object>,
    /// `ReplicaSet`s of a deployment, `ControllerRevision`s of a daemon set.
    pub(crate) revisions: Vec<Object>,
    /// Its pods, old ones too.
    pub(crate) pods: Vec<Pod>,
}

/// A workload by its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Workload {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl std::fmt::Display for Workload {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}/{}", self.kind.name(), self.name)
    }
}

/// What one look proves of a workload. `concerned` are the images that some workload of the call runs.
pub(crate) fn assess(workload: &Workload, reading: &Reading, images: &[WantedImage]) -> Look {
    let Some(object) = &reading.object else {
        let text = format!("no {workload} in the namespace {}", workload.namespace);
        return Look::failed(Patience::Grace, "absent", text);
    };
    let spec = format!("{} {}", object.metadata.uid, object.metadata.generation);
    if object.metadata.deletion_timestamp.is_some() {
        return Look::failed(Patience::Grace, "terminating", "it is being deleted").spec(spec);
    }
    if let Some(what) = other_image(object, images) {
        return Look::new(State::Other(None), "old_revision", what).spec(spec);
    }
    let look = if workload.kind != Kind::Job && !object.is_observed() {
        let text = format!("its controller has not seen generation {} yet", object.metadata.generation);
        Look::not_yet("not_observed", text)
    } else {
        of_ours(workload, object, reading, images)
    };
    Look { ours: !images.is_empty(), ..look.spec(spec) }
}

/// What another revision than ours is to run, by the images of the spec.
fn other_image(object: &Object, images: &[WantedImage]) -> Option<String> {
    for wanted in images {
        for image in object.images() {
            let found: Option<Reference> = image.parse().ok();
            let Some(found) = found.filter(|found| found.same_repository(&wanted.reference)) else { continue };
            if !may_be(wanted, &found) {
                return Some(format!("it is to run {image}, not {}", wanted.reference));
            }
        }
    }
    None
}

/// Whether an image of the spec may be the wanted one: the digest decides where the spec has one, else the tag, and then the pods' digest.
fn may_be(wanted: &WantedImage, found: &Reference) -> bool {
    let asks_digest_only = wanted.reference.digest.is_some() && wanted.reference.tag.is_none();
    match &found.digest {
        Some(digest) if !wanted.digests.is_empty() => wanted.digests.contains(digest),
        // A digest alone says nothing of a tag: it may be any old image.
        Some(_) => found.tag.is_some() && found.tag == wanted.reference.tag,
        None => asks_digest_only || found.tag_or_latest() == wanted.reference.tag_or_latest(),
    }
}

fn of_ours(workload: &Workload, object: &Object, reading: &Reading, images: &[WantedImage]) -> Look {
    let (hash, new) = new_pods(workload.kind, object, reading);
    let all: Vec<&Pod> = reading.pods.iter().collect();
    let found = rule(workload.kind, object, &all, &hash);
    let failures =
        if workload.kind == Kind::Job { Vec::new() } else { new.iter().flat_map(|pod| failures(pod)).collect() };
    let lines: Vec<String> = new.iter().filter(|pod| !pod.is_ready()).take(5).map(|pod| pod_line(pod)).collect();
    let trouble = new.iter().find_map(|pod| pod_trouble(pod));
    let look = match found {
        Rule::Done(_, note) if workload.kind == Kind::Job => job_done(object, note, &new, images),
        Rule::Done(wanted, note) => done((wanted, &note), &new, images),
        Rule::Failed(patience, code, what) => Look::failed(patience, code, what),
        Rule::Going(code, what) => {
            if let Some((code, text)) = trouble {
                Look::failed(Patience::Grace, code, format!("{what}; {text}"))
            } else {
                let pod = lines.first().map(|line| format!("; {line}")).unwrap_or_default();
                Look::not_yet(code, format!("{what}{pod}"))
            }
        }
    };
    Look { failures, ..look.evidence(lines) }
}

/// A complete job: if a digest is wanted and the spec names none, a pod that succeeded must have run it.
fn job_done(object: &Object, note: String, pods: &[&Pod], images: &[WantedImage]) -> Look {
    let is_open = |image: &str| {
        let found: Option<Reference> = image.parse().ok();
        found.filter(|found| found.digest.is_none()).is_some_and(|found| {
            images.iter().any(|wanted| !wanted.digests.is_empty() && found.same_repository(&wanted.reference))
        })
    };
    if !object.images().into_iter().any(is_open) {
        return Look::live(note);
    }
    let mut succeeded = pods.iter().filter(|pod| pod.status.phase == "Succeeded").peekable();
    if succeeded.peek().is_none() {
        return Look::not_yet("old_digest", format!("{note}, but no pod of it is left to name the digest that it ran"));
    }
    for pod in succeeded {
        if let Some(what) = pod.containers().find_map(|container| other_digest(container, images)) {
            return Look::not_yet("old_digest", format!("{note}, but its pod {} {what}", pod.metadata.name));
        }
    }
    Look::live(note)
}

/// Rolled out by its status: the pods themselves must be ready, and run the digest.
fn done((wanted, note): (i64, &str), new: &[&Pod], images: &[WantedImage]) -> Look {
    let note = if note.is_empty() { String::new() } else { format!("; {note}") };
    let ready = new.iter().filter(|pod| pod.is_ready()).count();
    if i64::try_from(ready).unwrap_or_default() < wanted {
        return Look::not_yet("pods_not_ready", format!("{ready} of {wanted} new pods are ready{note}"));
    }
    for pod in new.iter().filter(|pod| pod.is_ready()) {
        if let Some(what) = pod.containers().find_map(|container| other_digest(container, images)) {
            let text = format!("pod {} {what}", pod.metadata.name);
            return Look::not_yet("old_digest", text);
        }
    }
    let proofs: Vec<String> = images.iter().map(WantedImage::proof).collect();
    let proof = if proofs.is_empty() { String::new() } else { format!(", {}", proofs.join(" and ")) };
    Look::live(format!("all {ready} new pods are ready{proof}{note}"))
}

/// What a container runs in place of the digest that is wanted: an image that was pulled before its tag moved.
fn other_digest(container: &Container, images: &[WantedImage]) -> Option<String> {
    let wanted = images.iter().find(|wanted| {
        let found: Option<Reference> = container.image.parse().ok();
        !wanted.digests.is_empty() && found.is_some_and(|found| found.same_repository(&wanted.reference))
    })?;
    let running = container.image_id.rsplit_once('@').map(|(_, digest)| digest);
    match running {
        Some(digest) if wanted.digests.iter().any(|one| one == digest) => None,
        Some(digest) => Some(format!("runs {digest}, which {} is not", wanted.reference)),
        None => Some("does not report the digest that it runs".to_owned()),
    }
}

/// The hash of the new revision and the pods that have it.
fn new_pods<'a>(kind: Kind, object: &Object, reading: &'a Reading) -> (String, Vec<&'a Pod>) {
    let uid = &object.metadata.uid;
    let with = |label: &str, hash: &str| -> Vec<&'a Pod> {
        reading.pods.iter().filter(|pod| pod.metadata.labels.get(label).is_some_and(|found| found == hash)).collect()
    };
    match kind {
        Kind::Deployment => {
            const REVISION: &str = "deployment.kubernetes.io/revision";
            let current = object.metadata.annotations.get(REVISION);
            let set = reading
                .revisions
                .iter()
                .find(|set| set.metadata.is_owned_by(uid) && set.metadata.annotations.get(REVISION) == current);
            let hash = set.and_then(|set| set.metadata.labels.get("pod-template-hash")).cloned().unwrap_or_default();
            let pods = with("pod-template-hash", &hash);
            (hash, pods)
        }
        Kind::StatefulSet => {
            let hash = object.status["updateRevision"].as_str().unwrap_or_default().to_owned();
            let pods = with("controller-revision-hash", &hash);
            (hash, pods)
        }
        Kind::DaemonSet => {
            let owned = reading.revisions.iter().filter(|one| one.metadata.is_owned_by(uid));
            let newest = owned.max_by_key(|one| one.revision);
            let hash =
                newest.and_then(|one| one.metadata.labels.get("controller-revision-hash")).cloned().unwrap_or_default();
            let pods = with("controller-revision-hash", &hash);
            (hash, pods)
        }
        Kind::Job => (String::new(), reading.pods.iter().collect()),
    }
}

/// What keeps a pod from running, if its own status names it.
fn pod_trouble(pod: &Pod) -> Option<(&'static str, String)> {
    pod.containers().find_map(|container| {
        let waiting = container.state.waiting.as_ref()?;
        let code = match waiting.reason.as_str() {
            "CrashLoopBackOff" => "crash_loop",
            "ImagePullBackOff" | "ErrImagePull" | "InvalidImageName" | "ErrImageNeverPull" => "pull_failed",
            "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => "container_error",
            _ => return None,
        };
        Some((code, pod_line(pod)))
    })
}

/// The restarts of a pod's containers, each a failure.
fn failures(pod: &Pod) -> Vec<Failure> {
    let restarts = pod.containers().filter_map(|container| {
        let ended = container.last_state.terminated.as_ref().or(container.state.terminated.as_ref())?;
        // A container that was restarted ended when it should not have, whatever its exit code.
        let is_failure = container.restart_count > 0 || (ended.exit_code != 0 && container.state.terminated.is_some());
        is_failure.then(|| Failure {
            id: format!("{} {} {}", pod.metadata.uid, container.name, container.restart_count),
            text: pod_line(pod),
        })
    });
    restarts.collect()
}

/// A pod in a line: why it waits, how it last ended.
pub(crate) fn pod_line(pod: &Pod) -> String {
    let mut parts = Vec::new();
    for container in pod.containers() {
        if let Some(waiting) = &container.state.waiting {
            parts.push(
                format!("{} waits: {} {}", container.name, waiting.reason, waiting.message).trim_end().to_owned(),
            );
        }
        let ended = container.state.terminated.as_ref().or(container.last_state.terminated.as_ref());
        if let Some(ended) = ended {
            let message = if ended.message.is_empty() { String::new() } else { format!(" ({})", ended.message.trim()) };
            parts.push(format!(
                "{} ended with exit code {} ({}){message}",
                container.name, ended.exit_code, ended.reason
            ));
        }
        if container.restart_count > 0 {
            parts.push(format!("{} restarts", container.restart_count));
        }
    }
    let unmet = pod.status.conditions.iter().filter(|one| one.status == "False" && !one.reason.is_empty());
    parts.extend(unmet.map(|condition| format!("{}: {}", condition.kind, condition.text())));
    if parts.is_empty() {
        let ready = if pod.is_ready() { "ready" } else { "not ready" };
        parts.push(format!("{}, {ready}", pod.status.phase));
    }
    format!("pod {}: {}", pod.metadata.name, parts.join(", "))
}
