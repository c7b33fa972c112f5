//! Objects of the Kubernetes API, as far as a judgement needs them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// An object whose spec and status are read by path.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Object {
    pub(crate) metadata: Meta,
    pub(crate) spec: Value,
    pub(crate) status: Value,
    /// The content of a `ControllerRevision`.
    pub(crate) revision: i64,
}

impl Object {
    /// A number of the status; 0 if it is absent, as the API leaves it out then.
    pub(crate) fn count(&self, name: &str) -> i64 {
        self.status[name].as_i64().unwrap_or_default()
    }

    /// Whether its controller has seen the spec as it is now.
    pub(crate) fn is_observed(&self) -> bool {
        self.status["observedGeneration"].as_i64().is_some_and(|seen| seen >= self.metadata.generation)
    }

    pub(crate) fn condition(&self, kind: &str) -> Option<Condition> {
        let all = self.status["conditions"].as_array()?;
        let found = all.iter().find(|one| one["type"] == kind)?;
        serde_json::from_value(found.clone()).ok()
    }

    /// Whether a condition is `True`.
    pub(crate) fn is(&self, kind: &str) -> bool {
        self.condition(kind).is_some_and(|condition| condition.status == "True")
    }

    /// The images of its pods' containers.
    pub(crate) fn images(&self) -> Vec<&str> {
        let template = &self.spec["template"]["spec"];
        let all = ["initContainers", "containers"].into_iter().filter_map(|name| template[name].as_array());
        all.flatten().filter_map(|container| container["image"].as_str()).collect()
    }
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Meta {
    pub(crate) name: String,
    pub(crate) namespace: String,
    pub(crate) uid: String,
    pub(crate) generation: i64,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) annotations: BTreeMap<String, String>,
    pub(crate) owner_references: Vec<Owner>,
    pub(crate) deletion_timestamp: Option<String>,
}

impl Meta {
    pub(crate) fn is_owned_by(&self, uid: &str) -> bool {
        self.owner_references.iter().any(|owner| owner.uid == uid)
    }
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Owner {
    pub(crate) uid: String,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Condition {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) status: String,
    pub(crate) reason: String,
    pub(crate) message: String,
}

impl Condition {
    /// `Reason: message`.
    pub(crate) fn text(&self) -> String {
        if self.message.is_empty() { self.reason.clone() } else { format!("{}: {}", self.reason, self.message) }
    }
}

/// A pod. 10,000 of them must fit, so only what is read is kept.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Pod {
    pub(crate) metadata: Meta,
    pub(crate) status: PodStatus,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct PodStatus {
    pub(crate) phase: String,
    pub(crate) reason: String,
    pub(crate) message: String,
    pub(crate) conditions: Vec<Condition>,
    pub(crate) container_statuses: Vec<Container>,
    pub(crate) init_container_statuses: Vec<Container>,
}

impl Pod {
    pub(crate) fn is_ready(&self) -> bool {
        let ready = self.status.conditions.iter().any(|one| one.kind == "Ready" && one.status == "True");
        ready && self.status.phase == "Running" && self.metadata.deletion_timestamp.is_none()
    }

    pub(crate) fn containers(&self) -> impl Iterator<Item = &Container> {
        self.status.init_container_statuses.iter().chain(&self.status.container_statuses)
    }
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Container {
    pub(crate) name: String,
    pub(crate) image: String,
    #[serde(rename = "imageID")]
    pub(crate) image_id: String,
    pub(crate) ready: bool,
    pub(crate) restart_count: u64,
    pub(crate) state: ContainerState,
    pub(crate) last_state: ContainerState,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct ContainerState {
    pub(crate) waiting: Option<Waiting>,
    pub(crate) terminated: Option<Terminated>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Waiting {
    pub(crate) reason: String,
    pub(crate) message: String,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Terminated {
    pub(crate) reason: String,
    pub(crate) message: String,
    pub(crate) exit_code: i64,
}

/// An event about a pod.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Event {
    pub(crate) reason: String,
    pub(crate) message: String,
    pub(crate) last_timestamp: Option<String>,
}
