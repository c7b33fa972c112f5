use std::time::Duration;

use serde_json::{Value, json};

use super::{Reading, assess};
use crate::look::{End, Look, Lost, Patience, State};
use crate::swarm::model::{Service, Task};
use crate::swarm::wanted::{Wanted, WantedImage};

fn wanted(image: &str) -> Wanted {
    let image = WantedImage { reference: image.parse().unwrap(), digests: Vec::new() };
    Wanted { images: vec![image], labels: Vec::new(), lenient: false }
}

fn spec(image: &str) -> Value {
    json!({
        "Name": "web", "Labels": {}, "Mode": {"Replicated": {"Replicas": 2}},
        "TaskTemplate": {"ContainerSpec": {"Image": image}, "RestartPolicy": {"Condition": "any"}, "ForceUpdate": 0},
        "UpdateConfig": {"Monitor": 5_000_000_000_u64},
    })
}

fn service(image: &str, previous: Option<&str>, state: &str) -> Service {
    let mut service = json!({"ID": "s1", "Spec": spec(image), "UpdatedAt": "2026-11-30T10:00:00Z"});
    if let Some(previous) = previous {
        service["PreviousSpec"] = spec(previous);
    }
    if !state.is_empty() {
        service["UpdateStatus"] = json!({"State": state, "Message": "update paused due to failure"});
    }
    serde_json::from_value(service).unwrap()
}

#[expect(clippy::needless_pass_by_value, reason = "cases are written in place")]
fn task(id: &str, slot: u64, image: &str, (desired, state): (&str, &str), status: Value) -> Task {
    let mut all = json!({"State": state});
    for (name, value) in status.as_object().unwrap() {
        all[name] = value.clone();
    }
    serde_json::from_value(json!({
        "ID": id, "ServiceID": "s1", "NodeID": "n1", "Slot": slot, "DesiredState": desired, "CreatedAt": id,
        "Spec": spec(image)["TaskTemplate"], "Status": all,
    }))
    .unwrap()
}

fn running(id: &str, slot: u64, image: &str) -> Task {
    task(id, slot, image, ("running", "running"), json!({}))
}

fn crashed(id: &str, slot: u64, image: &str) -> Task {
    let status = json!({"Err": "task: non-zero exit (7)", "ContainerStatus": {"ExitCode": 7}});
    task(id, slot, image, ("shutdown", "failed"), status)
}

fn look(service: Service, tasks: Vec<Task>, wanted: &Wanted) -> Look {
    assess(
        &Reading {
            after: service.clone(),
            before: service,
            tasks,
            nodes: [("n1".to_owned(), "one".to_owned())].into(),
        },
        wanted,
    )
}

const RUNNING: [&str; 2] = ["t3", "t4"];

fn both(image: &str) -> Vec<Task> {
    vec![running(RUNNING[0], 1, image), running(RUNNING[1], 2, image)]
}

#[test]
fn the_spec_and_a_running_task_per_slot_are_the_proof() {
    for state in ["", "completed"] {
        let found = look(service("demo:v2", Some("demo:v1"), state), both("demo:v2"), &wanted("demo:v2"));
        assert_eq!((found.state, found.stable), (State::Live, Duration::from_secs(5)), "{found:?}");
        assert!(found.what.contains("by its tag demo:v2, not by a digest"), "{}", found.what);
    }
    let found = look(service("demo:v2", None, "updating"), both("demo:v2"), &wanted("demo:v2"));
    assert_eq!(found.state, State::NotYet);
    let mut changed = Reading { tasks: both("demo:v2"), before: service("demo:v2", None, ""), ..Reading::default() };
    changed.after = service("demo:v3", None, "");
    assert_eq!(assess(&changed, &wanted("demo:v2")).code, "changing");
}

#[test]
fn an_old_task_that_still_runs_is_not_yet() {
    let mut tasks = both("demo:v2");
    tasks.push(task("t1", 1, "demo:v1", ("shutdown", "running"), json!({})));
    assert_eq!(look(service("demo:v2", None, "completed"), tasks, &wanted("demo:v2")).code, "old_tasks");
}

#[test]
fn completed_while_every_task_crashes_is_not_live_and_names_the_failure() {
    let tasks = vec![
        running("t5", 1, "demo:crash"),
        crashed("t3", 2, "demo:crash"),
        task("t6", 2, "demo:crash", ("running", "ready"), json!({})),
    ];
    let found = look(service("demo:crash", None, "completed"), tasks, &wanted("demo:crash"));
    assert_eq!((found.state, found.code), (State::NotYet, "failing"));
    assert!(
        found.what.contains("task web.2 on node one failed: task: non-zero exit (7), image demo:crash"),
        "{}",
        found.what
    );
    assert_eq!(found.failures.len(), 1);
}

#[test]
fn a_rollback_is_proved_by_a_failed_task_of_ours() {
    for state in ["rollback_started", "rollback_completed", "rollback_paused"] {
        let tasks = [both("demo:v1"), vec![crashed("t2", 1, "demo:crash")]].concat();
        let found = look(service("demo:v1", None, state), tasks, &wanted("demo:crash"));
        assert_eq!(found.state, State::Other(Some(Lost::RolledBack)), "{state}");
        assert!(found.what.contains("non-zero exit (7)"), "{}", found.what);
    }
    let found = look(service("demo:v1", None, "rollback_completed"), both("demo:v1"), &wanted("demo:crash"));
    assert_eq!(found.state, State::Other(None), "an older deploy's rollback says nothing");
    let found = look(service("demo:v1", None, "rollback_completed"), both("demo:v1"), &wanted("demo:v1"));
    assert_eq!(found.state, State::Live, "someone rolled back to it");
}

#[test]
fn a_later_update_is_superseded_if_ours_was_the_spec_before() {
    let found = look(service("demo:v3", Some("demo:v2"), "updating"), both("demo:v3"), &wanted("demo:v2"));
    assert_eq!(found.state, State::Other(Some(Lost::Superseded)));
    assert!(found.what.contains("it is to run demo:v3, not demo:v2"), "{}", found.what);
    let found = look(service("demo:v1", Some("demo:v0"), "completed"), both("demo:v1"), &wanted("demo:v2"));
    assert_eq!((found.state, found.code), (State::Other(None), "old_revision"));
}

#[test]
fn paused_is_over_at_once_with_the_task_that_failed() {
    let tasks = vec![crashed("t2", 1, "demo:crash"), running("t1", 2, "demo:v1")];
    let found = look(service("demo:crash", Some("demo:v1"), "paused"), tasks, &wanted("demo:crash"));
    assert_eq!(found.state, State::Trouble(End::Failed, Patience::Looks(1)));
    assert!(found.what.contains("update paused due to failure") && found.what.contains("(7)"), "{}", found.what);
}

#[test]
fn a_task_that_cannot_be_placed_is_quoted_and_waited_for() {
    let error = "no suitable node (scheduling constraints not satisfied on 1 node)";
    let tasks =
        vec![running("t1", 1, "demo:v2"), task("t2", 2, "demo:v2", ("running", "pending"), json!({"Err": error}))];
    let found = look(service("demo:v2", None, "updating"), tasks, &wanted("demo:v2"));
    assert_eq!((found.state, found.code), (State::NotYet, "unplaceable"));
    assert!(found.what.contains(error), "{}", found.what);
}

#[test]
fn a_rejected_image_is_over_after_the_grace() {
    let rejected = task("t1", 1, "demo:none", ("shutdown", "rejected"), json!({"Err": "No such image: demo:none"}));
    let tasks =
        vec![rejected, task("t2", 1, "demo:none", ("running", "ready"), json!({})), running("t3", 2, "demo:none")];
    let found = look(service("demo:none", None, "updating"), tasks, &wanted("demo:none"));
    assert_eq!(found.state, State::Trouble(End::Failed, Patience::Grace));
    assert!(found.what.contains("No such image"), "{}", found.what);
}

#[test]
fn a_task_that_ends_with_0_before_it_is_healthy_is_a_failure() {
    let mut sick = task("t1", 1, "demo:sick", ("shutdown", "complete"), json!({}));
    sick.spec.container_spec["Healthcheck"] = json!({"Test": ["CMD", "false"]});
    let mut again = task("t2", 1, "demo:sick", ("running", "starting"), json!({}));
    again.spec.container_spec["Healthcheck"] = json!({"Test": ["CMD", "false"]});
    let mut service = service("demo:sick", None, "updating");
    service.spec.task_template.container_spec["Healthcheck"] = json!({"Test": ["CMD", "false"]});
    let found = look(service, vec![sick, again], &wanted("demo:sick"));
    assert_eq!(found.failures.len(), 1);
    assert!(found.failures[0].text.contains("before it was healthy; health check `CMD false`"), "{found:?}");
}

#[test]
fn a_service_that_runs_once_is_live_when_it_has_completed_and_failed_when_it_has_failed() {
    let once = |tasks: Vec<Task>| {
        let mut service = service("demo:v1", None, "");
        service.spec.mode.replicated.as_mut().unwrap().replicas = Some(1);
        let tasks: Vec<Task> = tasks
            .into_iter()
            .map(|mut task| {
                task.spec.restart_policy.as_mut().unwrap().condition = Some("none".to_owned());
                task
            })
            .collect();
        service.spec.task_template.restart_policy.as_mut().unwrap().condition = Some("none".to_owned());
        look(service, tasks, &wanted("demo:v1"))
    };
    let found = once(vec![task("t1", 1, "demo:v1", ("shutdown", "complete"), json!({}))]);
    assert_eq!(found.state, State::Live);
    assert!(found.what.contains("completed once"), "{}", found.what);
    let found = once(vec![crashed("t1", 1, "demo:v1")]);
    assert_eq!((found.state, found.code), (State::Trouble(End::Failed, Patience::Looks(1)), "task_failed"));
}

#[test]
fn nothing_that_could_be_live_is_never_live() {
    let mut none = service("demo:v2", None, "");
    none.spec.mode.replicated.as_mut().unwrap().replicas = Some(0);
    let found = look(none, Vec::new(), &wanted("demo:v2"));
    assert_eq!(found.code, "nothing_to_be_live");
    let found = look(service("other:v2", None, ""), both("other:v2"), &wanted("demo:v2"));
    assert_eq!((found.state, found.code), (State::Trouble(End::Failed, Patience::Grace), "no_such_container"));
}

#[test]
fn a_delay_as_long_as_the_monitor_stretches_it() {
    let mut slow = service("demo:v2", None, "completed");
    slow.spec.update_config.as_mut().unwrap().delay = Some(30_000_000_000);
    assert_eq!(look(slow, both("demo:v2"), &wanted("demo:v2")).stable, Duration::from_secs(31));
}

#[test]
fn a_job_is_done_when_enough_tasks_of_its_iteration_have_completed() {
    let job = |tasks: Vec<Task>| {
        let mut service = service("demo:v1", None, "");
        service.spec.mode =
            serde_json::from_value(json!({"ReplicatedJob": {"MaxConcurrent": 1, "TotalCompletions": 2}})).unwrap();
        service.spec.task_template.restart_policy = serde_json::from_value(json!({"Condition": "none"})).unwrap();
        service.job_status = serde_json::from_value(json!({"JobIteration": {"Index": 7}})).unwrap();
        look(service, tasks, &wanted("demo:v1"))
    };
    let of = |mut task: Task, index: u64| {
        task.job_iteration = serde_json::from_value(json!({"Index": index})).unwrap();
        task
    };
    let done = |id| task(id, 1, "demo:v1", ("complete", "complete"), json!({}));
    assert_eq!(job(vec![of(done("t1"), 7), of(done("t2"), 7)]).state, State::Live);
    assert_eq!(job(vec![of(done("t1"), 6), of(done("t2"), 7)]).state, State::NotYet);
    assert_eq!(job(vec![of(crashed("t1", 1, "demo:v1"), 7)]).code, "job_failed");
}
