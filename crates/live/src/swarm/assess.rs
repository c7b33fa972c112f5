//! What the services and tasks of a swarm prove: pure.
//!
//! Swarm's own word is not enough: `completed` is reported while every task crashes, a rollback leaves the *old spec* under a higher
//! version, and a label-only update has no status at all. So the spec is compared first, then each slot's task.

use std::collections::BTreeMap;
use std::time::Duration;

use super::model::{Service, Spec, Task, Template};
use super::wanted::{Found, Wanted};
use crate::look::{Failure, Look, Lost, Patience, State};

/// The Monitor of a spec that names none.
const MONITOR: Duration = Duration::from_secs(5);

/// What one look read of a service.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reading {
    /// The service before its tasks were read.
    pub(crate) before: Service,
    /// All its tasks, old ones too.
    pub(crate) tasks: Vec<Task>,
    /// The service after that.
    pub(crate) after: Service,
    /// Names of nodes, by their ids.
    pub(crate) nodes: BTreeMap<String, String>,
}

impl Reading {
    fn task_name(&self, task: &Task) -> String {
        let name = &self.before.spec.name;
        let node = self.nodes.get(&task.node_id).map(|node| format!(" on node {node}")).unwrap_or_default();
        if task.slot > 0 { format!("task {name}.{}{node}", task.slot) } else { format!("task of {name}{node}") }
    }

    /// How a task failed: its error, its exit code, its image.
    pub(crate) fn failure(&self, task: &Task) -> String {
        let status = &task.status;
        let code = status.container_status.as_ref().map_or(0, |container| container.exit_code);
        let why = if task.is_complete() {
            let check = task.spec.health_check().map(|check| format!(" before it was healthy; health check `{check}`"));
            format!("ended with exit code 0{}", check.unwrap_or_default())
        } else {
            let error = if status.err.is_empty() { &status.message } else { &status.err };
            let code = if code == 0 || error.contains(&format!("({code})")) {
                String::new()
            } else {
                format!(" (exit code {code})")
            };
            format!("{}: {error}{code}", status.state)
        };
        format!("{} {why}, image {}", self.task_name(task), task.spec.image())
    }
}

/// The tasks of the wanted revision that ended as a long-running task must not, the newest first.
pub(crate) fn failed(reading: &Reading, is_ours: impl Fn(&Template) -> bool) -> Vec<&Task> {
    let spec = &reading.before.spec;
    let must_run = !spec.mode.is_job() && spec.task_template.always_restarts();
    let mut failed: Vec<&Task> = reading
        .tasks
        .iter()
        .filter(|task| is_ours(&task.spec) && (task.has_failed() || (must_run && ended_itself(task, reading))))
        .collect();
    failed.sort_by(|one, other| other.created_at.cmp(&one.created_at));
    failed
}

/// A task that completed in a service whose tasks should run for ever. One that a later update or a smaller scale stopped is `shutdown`.
fn ended_itself(task: &Task, reading: &Reading) -> bool {
    // What is scaled down or replaced may end by itself on SIGTERM, with 0: only a task that was replaced by one of the same template failed.
    task.is_complete()
        && reading.tasks.iter().any(|other| {
            other.id != task.id
                && other.place() == task.place()
                && other.created_at > task.created_at
                && other.spec.makes_the_same(&task.spec)
        })
}

/// What one look proves of one service.
pub(crate) fn assess(reading: &Reading, wanted: &Wanted) -> Look {
    let spec = &reading.before.spec;
    let identity = format!("{} {}", spec.task_template.container_spec, spec.task_template.force_update);
    let stable = monitor(spec);
    let look = match wanted.of(spec) {
        Found::Ours(_) if reading.after.spec != reading.before.spec => {
            Look::not_yet("changing", format!("the spec of {} changed while it was read", spec.name))
        }
        Found::Ours(proof) => of_ours(reading, &proof),
        Found::Other(what) => of_another(reading, wanted, &what),
        Found::NoContainer(what) => Look::failed(Patience::Grace, "no_such_container", what),
    };
    Look { stable, ..look.spec(identity) }
}

/// How long Swarm itself watches a new task: a delay as long as the monitor stretches it.
fn monitor(spec: &Spec) -> Duration {
    let Some(config) = &spec.update_config else { return MONITOR };
    let monitor = config.monitor.filter(|monitor| *monitor > 0).map_or(MONITOR, Duration::from_nanos);
    let delay = Duration::from_nanos(config.delay.unwrap_or_default());
    if delay >= monitor { delay + Duration::from_secs(1) } else { monitor }
}

/// The service has another spec than ours: not yet, unless its history proves that ours was there.
fn of_another(reading: &Reading, wanted: &Wanted, what: &str) -> Look {
    let service = &reading.before;
    let state = service.update_status.as_ref().map_or("", |status| status.state.as_str());
    let tried = failed(reading, |template| wanted.is_template(template, &service.spec));
    let name = &service.spec.name;
    if state.starts_with("rollback")
        && let Some(task) = tried.first()
    {
        let text = format!("{name} was rolled back ({state}), {what}: {}", reading.failure(task));
        let all = tried.iter().take(3).map(|task| reading.failure(task));
        return Look::new(State::Other(Some(Lost::RolledBack)), "rolled_back", text).evidence(all);
    }
    let was_ours = service.previous_spec.as_ref().is_some_and(|spec| matches!(wanted.of(spec), Found::Ours(_)));
    if was_ours && !state.starts_with("rollback") {
        let text = format!("superseded: {what} since {}, by another update", service.updated_at);
        return Look::new(State::Other(Some(Lost::Superseded)), "superseded", text);
    }
    Look::new(State::Other(None), "old_revision", format!("{name}: {what}"))
}

/// The service has our spec: what its tasks prove.
fn of_ours(reading: &Reading, proof: &str) -> Look {
    let service = &reading.before;
    let template = &service.spec.task_template;
    let broken = failed(reading, |other| other.makes_the_same(template));
    let failures = broken.iter().map(|task| Failure { id: task.id.clone(), text: reading.failure(task) }).collect();
    let status = service.update_status.as_ref();
    let state = status.map_or("", |status| status.state.as_str());
    let look = if matches!(state, "paused" | "rollback_paused") {
        let message = status.map(|status| status.message.clone()).unwrap_or_default();
        let task = broken.first().map(|task| format!(": {}", reading.failure(task))).unwrap_or_default();
        Look::failed(Patience::Looks(1), "paused", format!("{} is paused ({message}){task}", service.spec.name))
    } else if service.spec.mode.is_job() {
        job(reading, proof)
    } else if !template.always_restarts() && is_done(reading) {
        Look::live(format!("{} completed once with exit code 0, {proof}", service.spec.name))
    } else {
        running(reading, proof, &broken, state)
    };
    Look { ours: true, failures, ..look }
}

/// A service of our spec whose tasks should run.
fn running(reading: &Reading, proof: &str, broken: &[&Task], state: &str) -> Look {
    let service = &reading.before;
    let name = &service.spec.name;
    let wanted = expected(service, reading);
    if wanted == 0 {
        let what = if service.spec.mode.is_global() { "no node takes a task of it" } else { "it has 0 replicas" };
        return Look::failed(Patience::Looks(2), "nothing_to_be_live", format!("nothing of {name} is live: {what}"));
    }
    let template = &service.spec.task_template;
    let mut new: BTreeMap<String, Vec<&Task>> = BTreeMap::new();
    let mut old = 0;
    for task in &reading.tasks {
        if task.spec.makes_the_same(template) && task.desired_state == "running" {
            new.entry(task.place()).or_default().push(task);
        } else if task.is_running() && !task.spec.makes_the_same(template) {
            old += 1;
        }
    }
    let up = new.values().filter(|tasks| matches!(tasks[..], [task] if task.is_running())).count() as u64;
    let count = format!("{up} of {wanted} tasks of {name} run it");
    let evidence = broken.iter().take(3).map(|task| reading.failure(task));
    // A template that never restarts and failed will not try again.
    if template.attempts() == Some(0) && !broken.is_empty() && up < wanted {
        return Look::failed(Patience::Looks(1), "task_failed", format!("{count}: {}", reading.failure(broken[0])));
    }
    if up < wanted {
        let waiting = new.values().flatten().find(|task| !task.is_running());
        return late(reading, waiting.copied(), broken, &count).evidence(evidence);
    }
    if old > 0 {
        return Look::not_yet("old_tasks", format!("{count}, and {old} of the old spec still run"));
    }
    if matches!(state, "updating" | "rollback_started") {
        return Look::not_yet("updating", format!("{count}; Swarm is still {}", state.replace('_', " ")));
    }
    let how = if state == "rollback_completed" { ", by a rollback to it" } else { "" };
    Look::live(format!("{count}{how}, {proof}"))
}

/// Why tasks are missing.
fn late(reading: &Reading, waiting: Option<&Task>, broken: &[&Task], count: &str) -> Look {
    let Some(task) = waiting else { return Look::not_yet("updating", count.to_owned()) };
    let status = &task.status;
    if status.state == "pending" && !status.err.is_empty() {
        let text = format!("{count}; {} cannot be placed: {}", reading.task_name(task), status.err);
        return Look::not_yet("unplaceable", text);
    }
    let in_place = broken.iter().find(|broken| broken.place() == task.place());
    match in_place {
        Some(broken) if broken.status.state == "rejected" => {
            Look::failed(Patience::Grace, "rejected", format!("{count}; {}", reading.failure(broken)))
        }
        Some(broken) => Look::not_yet("failing", format!("{count}; {}", reading.failure(broken))),
        None => {
            let error = if status.err.is_empty() { String::new() } else { format!(" ({})", status.err) };
            Look::not_yet("starting", format!("{count}; {} is {}{error}", reading.task_name(task), status.state))
        }
    }
}

/// How many tasks should run.
fn expected(service: &Service, reading: &Reading) -> u64 {
    if let Some(replicated) = &service.spec.mode.replicated {
        return replicated.replicas.unwrap_or(1);
    }
    if let Some(status) = &service.counts {
        return status.desired_tasks;
    }
    let places = reading.tasks.iter().filter(|task| task.desired_state == "running").map(Task::place);
    places.collect::<std::collections::BTreeSet<_>>().len() as u64
}

/// Whether every task of a service that runs once has completed.
fn is_done(reading: &Reading) -> bool {
    let service = &reading.before;
    let template = &service.spec.task_template;
    let newest = newest(reading.tasks.iter().filter(|task| task.spec.makes_the_same(template)));
    let wanted = service.spec.mode.replicated.as_ref().map_or(1, |mode| mode.replicas.unwrap_or(1));
    !newest.is_empty() && newest.len() as u64 >= wanted && newest.values().all(|task| task.is_complete())
}

/// The newest task of each slot or node.
fn newest<'a>(tasks: impl Iterator<Item = &'a Task>) -> BTreeMap<String, &'a Task> {
    let mut newest: BTreeMap<String, &Task> = BTreeMap::new();
    for task in tasks {
        let kept = newest.entry(task.place()).or_insert(task);
        if task.created_at > kept.created_at {
            *kept = task;
        }
    }
    newest
}

/// A job: done when enough tasks of its last iteration have completed.
fn job(reading: &Reading, proof: &str) -> Look {
    let service = &reading.before;
    let name = &service.spec.name;
    let iteration = service.job_status.as_ref().map_or(0, |status| status.job_iteration.index);
    let ours = |task: &&Task| task.job_iteration.as_ref().is_none_or(|index| index.index == iteration);
    let tasks: Vec<&Task> = reading.tasks.iter().filter(ours).collect();
    let done = tasks.iter().filter(|task| task.is_complete()).count() as u64;
    let mode = service.spec.mode.replicated_job.as_ref();
    let wanted = mode.and_then(|job| job.total_completions.or(job.max_concurrent)).unwrap_or_else(|| {
        service.counts.as_ref().map_or(1, |status| status.desired_tasks + status.completed_tasks).max(1)
    });
    if done >= wanted {
        return Look::live(format!("the job {name} completed {done} of {wanted} times, {proof}"));
    }
    let broken: Vec<&&Task> = tasks.iter().filter(|task| task.has_failed()).collect();
    let most = service.spec.task_template.attempts();
    for task in &broken {
        let failed = broken.iter().filter(|other| other.place() == task.place()).count() as u64;
        if most.is_some_and(|most| failed > most) {
            let text = format!("the job {name} failed: {}", reading.failure(task));
            return Look::failed(Patience::Looks(1), "job_failed", text);
        }
    }
    let last = broken.last().map(|task| format!("; {}", reading.failure(task))).unwrap_or_default();
    Look::not_yet("job_running", format!("the job {name} completed {done} of {wanted} times{last}"))
}

#[cfg(test)]
mod tests;
