//! What the Docker Engine API answers about services and tasks, as far as a judgement needs it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Service {
    #[serde(rename = "ID")]
    pub(crate) id: String,
    pub(crate) spec: Spec,
    pub(crate) previous_spec: Option<Spec>,
    pub(crate) update_status: Option<UpdateStatus>,
    #[serde(rename = "ServiceStatus")]
    pub(crate) counts: Option<ServiceStatus>,
    pub(crate) job_status: Option<JobStatus>,
    pub(crate) updated_at: String,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Spec {
    pub(crate) name: String,
    pub(crate) labels: Option<BTreeMap<String, String>>,
    pub(crate) task_template: Template,
    pub(crate) mode: Mode,
    pub(crate) update_config: Option<UpdateConfig>,
}

/// What tasks are made from. `ContainerSpec` is kept whole, to compare it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Template {
    pub(crate) container_spec: Value,
    pub(crate) restart_policy: Option<RestartPolicy>,
    pub(crate) force_update: u64,
}

impl Template {
    pub(crate) fn image(&self) -> &str {
        self.container_spec["Image"].as_str().unwrap_or_default()
    }

    pub(crate) fn label(&self, name: &str) -> Option<&str> {
        self.container_spec["Labels"][name].as_str()
    }

    /// The command of the health check, if there is one.
    pub(crate) fn health_check(&self) -> Option<String> {
        let words = self.container_spec["Healthcheck"]["Test"].as_array()?;
        Some(words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "))
    }

    /// Whether another template makes the same containers.
    pub(crate) fn makes_the_same(&self, other: &Self) -> bool {
        self.container_spec == other.container_spec && self.force_update == other.force_update
    }

    /// Whether a task that ends is started again, however it ends.
    pub(crate) fn always_restarts(&self) -> bool {
        let condition = self.restart_policy.as_ref().and_then(|policy| policy.condition.as_deref());
        matches!(condition, None | Some("" | "any"))
    }

    /// How often a failed task is started again; `None` without a limit.
    pub(crate) fn attempts(&self) -> Option<u64> {
        let policy = self.restart_policy.as_ref()?;
        match policy.condition.as_deref() {
            Some("none") => Some(0),
            _ => policy.max_attempts.filter(|most| *most > 0),
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct RestartPolicy {
    pub(crate) condition: Option<String>,
    pub(crate) max_attempts: Option<u64>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Mode {
    pub(crate) replicated: Option<Replicated>,
    pub(crate) global: Option<Value>,
    pub(crate) replicated_job: Option<ReplicatedJob>,
    pub(crate) global_job: Option<Value>,
}

impl Mode {
    pub(crate) fn is_job(&self) -> bool {
        self.replicated_job.is_some() || self.global_job.is_some()
    }

    pub(crate) fn is_global(&self) -> bool {
        self.global.is_some() || self.global_job.is_some()
    }
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Replicated {
    pub(crate) replicas: Option<u64>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ReplicatedJob {
    pub(crate) total_completions: Option<u64>,
    pub(crate) max_concurrent: Option<u64>,
}

/// Times in nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct UpdateConfig {
    pub(crate) monitor: Option<u64>,
    pub(crate) delay: Option<u64>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct UpdateStatus {
    pub(crate) state: String,
    pub(crate) message: String,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ServiceStatus {
    pub(crate) desired_tasks: u64,
    pub(crate) completed_tasks: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct JobStatus {
    pub(crate) job_iteration: Index,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Index {
    pub(crate) index: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Task {
    #[serde(rename = "ID")]
    pub(crate) id: String,
    #[serde(rename = "ServiceID")]
    pub(crate) service_id: String,
    #[serde(rename = "NodeID")]
    pub(crate) node_id: String,
    pub(crate) slot: u64,
    pub(crate) desired_state: String,
    pub(crate) created_at: String,
    pub(crate) spec: Template,
    pub(crate) status: TaskStatus,
    pub(crate) job_iteration: Option<Index>,
}

impl Task {
    /// What it is one of: a slot, or a node in a global service.
    pub(crate) fn place(&self) -> String {
        if self.slot > 0 { self.slot.to_string() } else { self.node_id.clone() }
    }

    pub(crate) fn is_running(&self) -> bool {
        self.status.state == "running"
    }

    /// Whether it ended in a way that a long-running task must not.
    pub(crate) fn has_failed(&self) -> bool {
        matches!(self.status.state.as_str(), "failed" | "rejected" | "orphaned")
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.status.state == "complete"
    }
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct TaskStatus {
    pub(crate) state: String,
    pub(crate) message: String,
    pub(crate) err: String,
    pub(crate) container_status: Option<ContainerStatus>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ContainerStatus {
    pub(crate) exit_code: i64,
}
