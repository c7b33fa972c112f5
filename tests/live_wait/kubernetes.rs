//! Workloads, each kind by its own rule, on what a real Kubernetes API answers.

use serde_json::json;

use super::cluster::{Case, holds, rolled_out, words, workload};

#[test]
fn a_deployment_is_live_when_all_its_new_pods_are_ready() {
    let two = json!({"replicas": 2});
    let steps = || {
        vec![
            workload("Deployment", "demo:ok-1", &two),
            rolled_out("deployment"),
            workload("Deployment", "demo:ok-2", &two),
        ]
    };
    holds(&Case {
        name: "deployment-good",
        steps: steps(),
        arguments: vec!["deployment/web", "--image", "demo:ok-2"],
        exit: 0,
        code: "live",
        text: "all 2 new pods are ready",
    });
}

#[test]
fn new_pods_that_crash_or_cannot_be_pulled_are_over_after_the_grace_though_the_old_ones_are_available() {
    for (name, image, code, text) in [
        ("deployment-crash", "demo:crash-2", "crash_loop", "exit code 7"),
        ("deployment-pull", "demo:pull-2", "pull_failed", "ImagePullBackOff"),
    ] {
        let two = json!({"replicas": 2});
        let steps = vec![
            workload("Deployment", "demo:ok-1", &two),
            rolled_out("deployment"),
            workload("Deployment", image, &two),
        ];
        let image: &'static str = image;
        holds(&Case { name, steps, arguments: vec!["deployment/web", "--image", image], exit: 1, code, text });
    }
}

#[test]
fn a_pod_that_is_never_ready_is_quoted_at_the_deadline() {
    let steps = vec![workload("Deployment", "demo:never-1", &json!({}))];
    holds(&Case {
        name: "deployment-never",
        steps,
        arguments: vec!["deployment/web"],
        exit: 3,
        code: "deadline",
        text: "not ready",
    });
}

#[test]
fn paused_and_zero_replicas_are_over_with_their_sentence() {
    let steps = vec![
        workload("Deployment", "demo:ok-1", &json!({})),
        rolled_out("deployment"),
        words("rollout pause deployment/web"),
        words("set image deployment/web app=demo:ok-2"),
    ];
    holds(&Case {
        name: "deployment-paused",
        steps,
        arguments: vec!["deployment/web"],
        exit: 1,
        code: "paused",
        text: "the rollout is paused",
    });
    let steps = vec![workload("Deployment", "demo:ok-1", &json!({"replicas": 0}))];
    holds(&Case {
        name: "deployment-zero",
        steps,
        arguments: vec!["deployment/web"],
        exit: 1,
        code: "nothing_to_be_live",
        text: "it has 0 replicas",
    });
}

#[test]
fn the_progress_deadline_is_over_at_this_generation() {
    let steps = vec![
        workload("Deployment", "demo:never-1", &json!({"progressDeadlineSeconds": 3})),
        words("wait --for=condition=Progressing=false deployment/web --timeout=1m"),
    ];
    holds(&Case {
        name: "deployment-late",
        steps,
        arguments: vec!["deployment/web"],
        exit: 1,
        code: "progress_deadline",
        text: "ProgressDeadlineExceeded",
    });
}

#[test]
fn a_quota_is_quoted_at_once() {
    let quota = json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few"}, "spec": {"hard": {"pods": "1"}}}).to_string();
    let steps = vec![vec![quota], workload("Deployment", "demo:ok-1", &json!({"replicas": 2}))];
    holds(&Case {
        name: "deployment-quota",
        steps,
        arguments: vec!["deployment/web"],
        exit: 3,
        code: "deadline",
        text: "exceeded quota",
    });
}

#[test]
fn another_image_is_not_yet_and_one_that_no_container_runs_is_over() {
    let steps = || vec![workload("Deployment", "demo:ok-1", &json!({})), rolled_out("deployment")];
    holds(&Case {
        name: "deployment-other",
        steps: steps(),
        arguments: vec!["deployment/web", "--image", "demo:ok-2"],
        exit: 3,
        code: "deadline",
        text: "it is to run demo:ok-1, not demo:ok-2",
    });
    holds(&Case {
        name: "deployment-other",
        steps: steps(),
        arguments: vec!["deployment/web", "--image", "other:ok"],
        exit: 1,
        code: "no_such_container",
        text: "no container is of the repository of other:ok",
    });
    holds(&Case {
        name: "deployment-other",
        steps: steps(),
        arguments: vec!["deployment/nope"],
        exit: 1,
        code: "absent",
        text: "no deployment/nope",
    });
}

#[test]
fn a_digest_that_does_not_run_is_named() {
    let steps = vec![workload("Deployment", "registry.test/demo:ok-1", &json!({})), rolled_out("deployment")];
    let image = "registry.test/demo@sha256:ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";
    holds(&Case {
        name: "deployment-digest",
        steps,
        arguments: vec!["deployment/web", "--image", image],
        exit: 3,
        code: "deadline",
        text: "runs sha256:0",
    });
}

#[test]
fn a_stateful_set_with_on_delete_is_never_live_by_itself_and_a_broken_pod_that_blocks_is_named() {
    let steps = vec![
        workload("StatefulSet", "demo:ok-1", &json!({})),
        rolled_out("statefulset"),
        workload("StatefulSet", "demo:ok-2", &json!({})),
    ];
    holds(&Case {
        name: "statefulset-good",
        steps,
        arguments: vec!["statefulset/web", "--image", "demo:ok-2"],
        exit: 0,
        code: "live",
        text: "all 1 new pods",
    });
    let on_delete = json!({"updateStrategy": {"type": "OnDelete"}});
    let steps = vec![
        workload("StatefulSet", "demo:ok-1", &on_delete),
        words("wait --for=jsonpath={.status.readyReplicas}=1 statefulset/web --timeout=1m"),
        workload("StatefulSet", "demo:ok-2", &on_delete),
    ];
    holds(&Case {
        name: "statefulset-on-delete",
        steps,
        arguments: vec!["statefulset/web"],
        exit: 1,
        code: "on_delete",
        text: "OnDelete",
    });
    let two = json!({"replicas": 2});
    let waits = words("wait --for=jsonpath={.status.updatedReplicas}=1 statefulset/web --timeout=1m");
    let steps = vec![
        workload("StatefulSet", "demo:ok-1", &two),
        rolled_out("statefulset"),
        workload("StatefulSet", "demo:crash-2", &two),
        waits,
        words(
            "wait --for=jsonpath={.status.containerStatuses[0].state.waiting.reason}=CrashLoopBackOff pod/web-1 --timeout=1m",
        ),
        workload("StatefulSet", "demo:ok-3", &two),
    ];
    holds(&Case {
        name: "statefulset-blocked",
        steps,
        arguments: vec!["statefulset/web"],
        exit: 1,
        code: "blocked",
        text: "pod web-1 of revision web-",
    });
}

#[test]
fn a_daemon_set_is_judged_by_its_newest_revision_and_one_without_nodes_is_over() {
    let steps = vec![
        workload("DaemonSet", "demo:ok-1", &json!({})),
        rolled_out("daemonset"),
        workload("DaemonSet", "demo:ok-2", &json!({})),
    ];
    holds(&Case {
        name: "daemonset-good",
        steps,
        arguments: vec!["daemonset/web", "--image", "demo:ok-2"],
        exit: 0,
        code: "live",
        text: "all 1 new pods",
    });
    let nowhere = json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "web"}, "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"nodeSelector": {"disk": "ssd"}, "containers": [{"name": "app", "image": "demo:ok"}]}}}});
    holds(&Case {
        name: "daemonset-nowhere",
        steps: vec![vec![nowhere.to_string()]],
        arguments: vec!["daemonset/web"],
        exit: 1,
        code: "nothing_to_be_live",
        text: "no node takes a pod of it",
    });
}

#[test]
fn a_job_is_live_when_it_is_complete_and_not_when_it_has_begun() {
    holds(&Case {
        name: "job-good",
        steps: vec![workload("Job", "demo:succeed", &json!({}))],
        arguments: vec!["job/web"],
        exit: 0,
        code: "live",
        text: "the job is complete",
    });
    holds(&Case {
        name: "job-failed",
        steps: vec![workload("Job", "demo:fail", &json!({"backoffLimit": 0}))],
        arguments: vec!["job/web"],
        exit: 1,
        code: "job_failed",
        text: "BackoffLimitExceeded",
    });
    holds(&Case {
        name: "job-suspended",
        steps: vec![workload("Job", "demo:succeed", &json!({"suspend": true}))],
        arguments: vec!["job/web"],
        exit: 1,
        code: "suspended",
        text: "it will not run",
    });
}
