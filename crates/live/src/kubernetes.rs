//! Workloads of Kubernetes: the controller has seen the spec, the kind's own rule holds, and the pods of the new revision run.

mod assess;
mod cluster;
mod model;
mod rules;

use std::collections::{BTreeMap, BTreeSet};

pub use assess::Workload;
use assess::{Reading, assess};
pub(crate) use cluster::Refusal;
pub use cluster::{Access, Cluster};
pub(crate) use model::{Condition, Object};
use model::{Event, Pod};
pub use rules::Kind;

use crate::look::{Look, Patience, State};
use crate::swarm::WantedImage;
use crate::watch::{Looking, Target};

/// Workloads that are looked at together: a list per kind, whatever their number.
#[derive(Debug)]
pub struct Workloads {
    cluster: Cluster,
    items: Vec<Workload>,
    images: Vec<WantedImage>,
}

impl Workloads {
    /// These workloads; `images` are what containers of their repositories must run.
    #[must_use]
    pub fn new(cluster: Cluster, workloads: Vec<Workload>, images: Vec<WantedImage>) -> Self {
        Self { cluster, items: workloads, images }
    }

    async fn read(&self) -> Vec<Look> {
        match read(&self.cluster, &self.items).await {
            Ok(readings) => {
                let mut looks = Vec::new();
                for (workload, reading) in self.items.iter().zip(&readings) {
                    let look = match self.unconcerned(&readings) {
                        Some(what) => Look::failed(Patience::Grace, "no_such_container", what),
                        None => assess(workload, reading, &self.images),
                    };
                    looks.push(with_evidence(&self.cluster, workload, reading, look).await);
                }
                looks
            }
            Err(refusal) => vec![refused(&refusal); self.items.len()],
        }
    }

    /// Why no workload can ever run an image that is asked for.
    fn unconcerned(&self, readings: &[Reading]) -> Option<String> {
        let objects: Vec<&Object> = readings.iter().filter_map(|reading| reading.object.as_ref()).collect();
        let concerns = |wanted: &WantedImage| {
            objects.iter().any(|object| object.images().iter().any(|image| wanted.is(image).is_some()))
        };
        let missing = self.images.iter().find(|wanted| !concerns(wanted))?;
        let all_are_there = objects.len() == readings.len();
        all_are_there.then(|| format!("no container is of the repository of {}", missing.reference))
    }
}

impl Target for Workloads {
    fn names(&self) -> Vec<String> {
        self.items.iter().map(ToString::to_string).collect()
    }

    fn look(&mut self) -> Looking<'_> {
        Box::pin(async move { self.read().await })
    }
}

/// Reads workloads with their pods: one list per kind and namespace, not one request per object.
async fn read(cluster: &Cluster, workloads: &[Workload]) -> Result<Vec<Reading>, Refusal> {
    let mut objects: BTreeMap<(Kind, &str), Vec<Object>> = BTreeMap::new();
    let mut pods: BTreeMap<&str, Vec<Pod>> = BTreeMap::new();
    let mut revisions: BTreeMap<(&str, &str), Vec<Object>> = BTreeMap::new();
    let kinds: BTreeSet<(Kind, &str)> = workloads.iter().map(|one| (one.kind, one.namespace.as_str())).collect();
    for (kind, namespace) in &kinds {
        let names: Vec<&str> = workloads
            .iter()
            .filter(|one| (one.kind, one.namespace.as_str()) == (*kind, *namespace))
            .map(|one| one.name.as_str())
            .collect();
        let query = match names[..] {
            [name] => format!("&fieldSelector=metadata.name={name}"),
            _ => String::new(),
        };
        objects.insert((*kind, namespace), cluster.list(&kind.path(namespace), &query).await?);
        let revision = match kind {
            Kind::Deployment => "replicasets",
            Kind::DaemonSet => "controllerrevisions",
            Kind::StatefulSet | Kind::Job => continue,
        };
        let path = format!("/apis/apps/v1/namespaces/{namespace}/{revision}");
        revisions.insert((revision, namespace), cluster.list(&path, "").await?);
    }
    for (_, namespace) in &kinds {
        if !pods.contains_key(namespace) {
            pods.insert(namespace, cluster.list(&format!("/api/v1/namespaces/{namespace}/pods"), "").await?);
        }
    }
    let reading = |one: &Workload| {
        let namespace = one.namespace.as_str();
        let all = objects.get(&(one.kind, namespace)).map(Vec::as_slice).unwrap_or_default();
        let object = all.iter().find(|object| object.metadata.name == one.name).cloned();
        let uid = object.as_ref().map(|object| object.metadata.uid.clone()).unwrap_or_default();
        let names = ["replicasets", "controllerrevisions"];
        let owned = |object: &&Object| object.metadata.is_owned_by(&uid);
        let revisions: Vec<Object> = names
            .iter()
            .filter_map(|name| revisions.get(&(*name, namespace)))
            .flatten()
            .filter(owned)
            .cloned()
            .collect();
        let is_its = |pod: &&Pod| {
            pod.metadata.is_owned_by(&uid) || revisions.iter().any(|set| pod.metadata.is_owned_by(&set.metadata.uid))
        };
        let pods = pods.get(namespace).into_iter().flatten().filter(is_its).cloned().collect();
        Reading { object, revisions, pods }
    };
    Ok(workloads.iter().map(reading).collect())
}

/// Adds what a failing pod's log and its last event show. A right that is missing for that is told, never judged.
async fn with_evidence(cluster: &Cluster, workload: &Workload, reading: &Reading, mut look: Look) -> Look {
    let is_bad = matches!(look.state, State::Trouble(..)) || look.code == "rolling_out";
    let bad = |pod: &&Pod| !pod.is_ready() && !matches!(pod.status.phase.as_str(), "Pending" | "Succeeded");
    let Some(pod) = reading.pods.iter().find(bad).filter(|_| is_bad) else { return look };
    let name = &pod.metadata.name;
    let namespace = &workload.namespace;
    let container = pod.containers().find(|one| !one.ready);
    if let Some(container) = container {
        let previous = container.restart_count > 0 && container.state.terminated.is_none();
        let path =
            format!("/api/v1/namespaces/{namespace}/pods/{name}/log?container={}&previous={previous}", container.name);
        match cluster.log(&path).await {
            Ok(lines) => look.evidence.extend(lines.into_iter().map(|line| format!("its log: {line}"))),
            Err(Refusal::Denied(why)) => look.evidence.push(format!("its log is not shown: {why}")),
            Err(_) => {}
        }
    }
    let query = format!("&fieldSelector=involvedObject.name={name},reason=Unhealthy");
    match cluster.list::<Event>(&format!("/api/v1/namespaces/{namespace}/events"), &query).await {
        Ok(mut events) => {
            events.sort_by(|one, other| one.last_timestamp.cmp(&other.last_timestamp));
            look.evidence
                .extend(events.last().map(|event| format!("its last event: {}: {}", event.reason, event.message)));
        }
        Err(Refusal::Denied(why)) => look.evidence.push(format!("its events are not shown: {why}")),
        Err(_) => {}
    }
    look
}

/// What a look proves that the API refused.
pub(crate) fn refused(refusal: &Refusal) -> Look {
    match refusal {
        Refusal::Denied(why) => Look::denied(Patience::Looks(1), "rights_missing", why.clone()),
        Refusal::Unreachable(why) => Look::unreachable(Patience::Grace, "no_connection", why.clone()),
        Refusal::Absent(why) | Refusal::Failed(why) => Look::unreachable(Patience::Deadline, "no_answer", why.clone()),
    }
}

/// What workloads that others own prove together: of several, the worst is reported.
pub(crate) async fn together(cluster: &Cluster, workloads: &[Workload]) -> Look {
    let readings = match read(cluster, workloads).await {
        Ok(readings) => readings,
        Err(refusal) => return refused(&refusal),
    };
    let mut looks = Vec::new();
    for (workload, reading) in workloads.iter().zip(&readings) {
        let look = assess(workload, reading, &[]);
        let look = Look { what: format!("{workload}: {}", look.what), ..look };
        looks.push(with_evidence(cluster, workload, reading, look).await);
    }
    let count = looks.len();
    let failures = looks.iter().flat_map(|look| look.failures.clone()).collect();
    let spec: Vec<String> = looks.iter().map(|look| look.spec.clone()).collect();
    let lines: Vec<String> = looks.iter().map(|look| look.what.clone()).collect();
    let worst = looks.into_iter().max_by_key(|look| match look.state {
        State::Live => 0,
        State::NotYet | State::Other(_) => 1,
        State::Trouble(_, Patience::Grace | Patience::Deadline) => 2,
        State::Trouble(_, Patience::Looks(_)) => 3,
    });
    let look = match worst {
        Some(look) if look.state != State::Live => look.evidence(lines),
        _ if count == 1 => Look::live("its workload runs").evidence(lines),
        _ => Look::live(format!("its {count} workloads run")).evidence(lines),
    };
    Look { failures, ..look.spec(spec.join(" ")) }
}

#[cfg(test)]
mod tests;
