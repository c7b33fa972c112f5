//! Workloads and Flux's objects, on what a real Kubernetes 1.37 API with its controllers was recorded to answer.
//!
//! With `LIVE_WAIT_KUBECONFIG` the same cases run on the API that it names, whose nodes play a pod by the first word of its image's tag
//! (`ok`, `never`, `crash`, `pull`, `succeed`, `fail`), and `LIVE_WAIT_RECORD=1` records them anew.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use emulators::Kubernetes;
use serde_json::{Value, json};

use super::{NEW, target, wait};
use crate::support::{Seen, Step, peer};

/// A case: what is applied, step by step, what is asked, and what must come of it.
struct Case {
    name: &'static str,
    /// kubectl's arguments, or a manifest to apply if there is one only.
    steps: Vec<Vec<String>>,
    arguments: Vec<&'static str>,
    exit: i32,
    code: &'static str,
    text: &'static str,
}

#[expect(clippy::disallowed_methods, reason = "names the real API, for this test only")]
fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).map(PathBuf::from)
}

fn recording(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/kubernetes").join(format!("{name}.json"))
}

fn kubectl(kubeconfig: &Path, arguments: &[&str], input: &str) -> String {
    use std::io::Write as _;
    let program = peer("kubectl").unwrap();
    let mut command = Command::new(program);
    command.arg("--kubeconfig").arg(kubeconfig).args(arguments);
    command
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Everything of a namespace that a look may read, without what only fills a file.
fn record(kubeconfig: &Path, namespace: &str) -> String {
    let lists = [
        ("apis/apps/v1", "deployments"),
        ("apis/apps/v1", "statefulsets"),
        ("apis/apps/v1", "daemonsets"),
        ("apis/apps/v1", "replicasets"),
        ("apis/apps/v1", "controllerrevisions"),
        ("apis/batch/v1", "jobs"),
        ("api/v1", "pods"),
    ];
    let mut all = BTreeMap::new();
    for (group, kind) in lists {
        let path = format!("/{group}/namespaces/{namespace}/{kind}");
        let mut list: Value = serde_json::from_str(&kubectl(kubeconfig, &["get", "--raw", &path], "")).unwrap();
        for item in list["items"].as_array_mut().unwrap() {
            item["metadata"].as_object_mut().unwrap().remove("managedFields");
            item.as_object_mut().unwrap().remove("data");
            if let Some(spec) = item["spec"].as_object_mut()
                && kind == "pods"
            {
                spec.retain(|name, _| name == "containers");
            }
        }
        all.insert(path, list);
    }
    serde_json::to_string_pretty(&all).unwrap() + "\n"
}

fn run(case: &Case) -> Seen {
    let asks = |kubeconfig: &Path| {
        let step = wait("kube").args(case.arguments.clone()).args(["-n", case.name, "--stable", "1s", "--grace", "2s"]);
        step.env("KUBECONFIG", kubeconfig)
    };
    let Some(real) = variable("LIVE_WAIT_KUBECONFIG") else {
        let kubernetes = Kubernetes::start(&std::fs::read_to_string(recording(case.name)).unwrap());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kubeconfig");
        std::fs::write(&path, kubernetes.kubeconfig()).unwrap();
        return asks(&path).args(["--deadline", "6s"]).knowing(kubernetes.secrets()).run();
    };
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": case.name}}).to_string();
    kubectl(&real, &["apply", "-f", "-"], &namespace);
    for step in &case.steps {
        match &step[..] {
            [manifest] => kubectl(&real, &["apply", "-n", case.name, "-f", "-"], manifest),
            words => kubectl(
                &real,
                &[&["-n", case.name][..], &words.iter().map(String::as_str).collect::<Vec<_>>()].concat(),
                "",
            ),
        };
    }
    let limit = if case.exit == 3 { "15s" } else { "2m" };
    let seen = asks(&real).args(["--deadline", limit]).run();
    if variable("LIVE_WAIT_RECORD").is_some() {
        std::fs::write(recording(case.name), record(&real, case.name)).unwrap();
    }
    kubectl(&real, &["delete", "namespace", case.name, "--wait=false"], "");
    seen
}

#[track_caller]
fn holds(case: &Case) {
    let seen = run(case).exits(case.exit);
    let found = target(&seen);
    let code = found["reason"]["code"].as_str().unwrap_or("live");
    assert!(code == case.code && found.to_string().contains(case.text), "{}: {code}\n{found}", case.name);
}

/// A manifest of a workload.
fn workload(kind: &str, image: &str, more: &Value) -> Vec<String> {
    let mut pod = json!({"containers": [{"name": "app", "image": image}]});
    let mut spec = json!({"selector": {"matchLabels": {"app": "web"}}});
    let group = if kind == "Job" { "batch/v1" } else { "apps/v1" };
    if kind == "Job" {
        spec = json!({});
        pod["restartPolicy"] = json!("Never");
    } else if kind == "StatefulSet" {
        spec["serviceName"] = json!("web");
    }
    spec["template"] = json!({"metadata": {"labels": {"app": "web"}}, "spec": pod});
    for (name, value) in more.as_object().unwrap() {
        spec[name] = value.clone();
    }
    vec![json!({"apiVersion": group, "kind": kind, "metadata": {"name": "web"}, "spec": spec}).to_string()]
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn rolled_out(kind: &str) -> Vec<String> {
    words(&format!("rollout status {kind}/web --timeout=2m"))
}

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

/// A stand-in with what was recorded, and a step that asks it.
fn stand_in(name: &str) -> (Kubernetes, Step) {
    let kubernetes = Kubernetes::start(&std::fs::read_to_string(recording(name)).unwrap());
    let step = wait("kube")
        .file("kubeconfig", kubernetes.kubeconfig())
        .env("KUBECONFIG", "kubeconfig")
        .knowing(kubernetes.secrets());
    (kubernetes, step.args(["-n", name, "--stable", "0.2s", "--deadline", "3s"]))
}

#[test]
fn a_missing_right_is_77_with_the_call_and_one_for_evidence_only_is_told() {
    let (kubernetes, step) = stand_in("deployment-good");
    kubernetes.forbid("/replicasets");
    let seen = step.arg("deployment/web").run().exits(77);
    assert!(
        seen.stderr.contains("/replicasets answered 403") && seen.stderr.contains("cannot list resource"),
        "{}",
        seen.stderr
    );
    let (kubernetes, step) = stand_in("deployment-crash");
    kubernetes.forbid("/log");
    kubernetes.forbid("/events");
    let seen = step.args(["deployment/web", "--grace", "0.5s"]).run().exits(1);
    assert!(target(&seen).to_string().contains("its events are not shown"), "{}", seen.stdout);
}

#[test]
fn an_absent_plugin_is_77_and_a_cluster_that_refuses_is_75() {
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "x",
        "clusters": [{"name": "x", "cluster": {"server": "http://127.0.0.1:9"}}],
        "users": [{"name": "x", "user": {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "no-such-plugin", "interactiveMode": "Never"}}}],
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
    });
    let asks = |config: &Value| {
        wait("kube").file("kubeconfig", config.to_string()).env("KUBECONFIG", "kubeconfig").arg("deployment/web").run()
    };
    let seen = asks(&config).exits(77);
    assert!(seen.stderr.contains("help: install `no-such-plugin`"), "{}", seen.stderr);
    let mut without = config.clone();
    without["users"][0]["user"] = json!({});
    asks(&without).exits(75);
    without["current-context"] = json!("other");
    asks(&without).exits(2);
}

#[test]
fn fifty_deployments_are_read_with_few_requests_and_ten_thousand_pods_in_pages() {
    let text = std::fs::read_to_string(recording("deployment-good")).unwrap();
    let mut all: Value = serde_json::from_str(&text).unwrap();
    for (path, list) in all.as_object_mut().unwrap() {
        let items = list["items"].as_array_mut().unwrap();
        let copies = if path.ends_with("/pods") { 200 } else { 50 };
        let base = items.clone();
        for copy in 1..copies {
            for item in &base {
                let renamed = item
                    .to_string()
                    .replace("\"web\"", &format!("\"web{copy}\""))
                    .replace("\"uid\":\"", &format!("\"uid\":\"{copy}-"));
                items.push(serde_json::from_str(&renamed).unwrap());
            }
        }
    }
    let (kubernetes, step) = stand_in("deployment-good");
    kubernetes.replay(&all.to_string());
    let names: Vec<String> =
        (1..50).map(|copy| format!("deployment/web{copy}")).chain(["deployment/web".to_owned()]).collect();
    let seen = step.args(names).args(["--deadline", "30s", "--times", "1"]).run().exits(0);
    assert_eq!(seen.json()["targets"].as_array().unwrap().len(), 50);
    let requests = kubernetes.requests();
    assert!(requests.len() <= 10, "{}", requests.len());
    assert!(requests.iter().all(|request| request.query.contains("limit=500")));
}

const GIT: &str = "/apis/source.toolkit.fluxcd.io/v1/namespaces/flux-system/gitrepositories/app";
const APPS: &str = "/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/flux-system/kustomizations/apps";

/// What Flux's controllers wrote, with the workloads of a recording as the inventory.
fn flux(
    workloads: &str,
    (source, applied, attempted): (&str, &str, &str),
    ready: (&str, &str),
    more: &Value,
) -> Kubernetes {
    let mut all: Value = serde_json::from_str(&std::fs::read_to_string(recording(workloads)).unwrap()).unwrap();
    for group in ["source.toolkit.fluxcd.io", "kustomize.toolkit.fluxcd.io", "helm.toolkit.fluxcd.io"] {
        all[format!("/apis/{group}")] = json!({"preferredVersion": {"version": "v1"}});
    }
    all[GIT] = json!({"metadata": {"name": "app", "generation": 1}, "spec": {}, "status": {"observedGeneration": 1, "artifact": {"revision": format!("main@sha1:{source}")}}});
    let condition =
        json!({"type": "Ready", "status": ready.0, "reason": ready.1, "message": "health check failed after 25s"});
    all[APPS] = json!({
        "metadata": {"name": "apps", "uid": "u", "generation": 1, "namespace": "flux-system"},
        "spec": {"sourceRef": {"kind": "GitRepository", "name": "app"}, "dependsOn": [{"name": "infra"}]},
        "status": {
            "observedGeneration": 1, "conditions": [condition],
            "lastAppliedRevision": format!("main@sha1:{applied}"), "lastAttemptedRevision": format!("main@sha1:{attempted}"),
            "inventory": {"entries": [{"id": format!("{workloads}_web_apps_Deployment"), "v": "v1"}]},
        },
    });
    for (path, values) in more.as_object().unwrap() {
        for (name, value) in values.as_object().unwrap() {
            all[path][name] = value.clone();
        }
    }
    Kubernetes::start(&all.to_string())
}

fn asks_flux(kubernetes: &Kubernetes, arguments: &[&str]) -> Seen {
    let step = wait("flux").args([
        "-n",
        "flux-system",
        "--revision",
        NEW,
        "--stable",
        "0.5s",
        "--grace",
        "1s",
        "--deadline",
        "4s",
    ]);
    let step = step.file("kubeconfig", kubernetes.kubeconfig()).env("KUBECONFIG", "kubeconfig");
    step.args(arguments.to_vec()).knowing(kubernetes.secrets()).run()
}

#[test]
fn flux_is_ready_at_the_revision_and_the_workloads_decide() {
    let good = ("True", "ReconciliationSucceeded");
    let kubernetes = flux("deployment-good", (NEW, NEW, NEW), good, &json!({}));
    asks_flux(&kubernetes, &["kustomization/apps"]).exits(0);
    asks_flux(&kubernetes, &["gitrepository/app"]).exits(0);
    // Ready at the revision 0.2 s after the apply, and the pods crash for ever.
    let kubernetes = flux("deployment-crash", (NEW, NEW, NEW), good, &json!({}));
    let found = target(&asks_flux(&kubernetes, &["kustomization/apps"]).exits(1));
    assert_eq!(found["reason"]["code"], "crash_loop");
}

#[test]
fn what_holds_flux_up_is_named() {
    let old = super::OLD;
    let good = ("True", "ReconciliationSucceeded");
    let cases = [
        (flux("deployment-good", (old, old, old), good, &json!({})), 3, "gitrepository/app has main@sha1:0000"),
        (
            flux("deployment-good", (NEW, old, old), ("False", "DependencyNotReady"), &json!({})),
            3,
            "blocked by kustomization/infra",
        ),
        (
            flux("deployment-good", (NEW, old, NEW), ("False", "HealthCheckFailed"), &json!({})),
            1,
            "health check failed after 25s",
        ),
        (flux("deployment-good", (old, old, old), good, &json!({GIT: {"spec": {"suspend": true}}})), 1, "is suspended"),
    ];
    for (kubernetes, exit, text) in cases {
        let found = target(&asks_flux(&kubernetes, &["kustomization/apps"]).exits(exit));
        assert!(found["reason"]["text"].as_str().unwrap().contains(text), "{text}: {found}");
    }
    let without = Kubernetes::start("{}");
    let seen = asks_flux(&without, &["kustomization/apps"]).exits(2);
    assert!(seen.stderr.contains("Flux is not installed"), "{}", seen.stderr);
}

#[test]
fn reconcile_annotates_the_source_and_the_kustomization_and_nothing_else_is_ever_written() {
    let kubernetes = flux("deployment-good", (super::OLD, super::OLD, super::OLD), ("True", "x"), &json!({}));
    asks_flux(&kubernetes, &["kustomization/apps"]).exits(3);
    assert_eq!(kubernetes.patches(), []);
    asks_flux(&kubernetes, &["kustomization/apps", "--reconcile"]).exits(3);
    let patches = kubernetes.patches();
    assert_eq!(patches.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>(), [GIT, APPS]);
    assert!(
        patches.iter().all(|(_, body)| body["metadata"]["annotations"]["reconcile.fluxcd.io/requestedAt"].is_string())
    );
}

#[test]
fn a_helm_release_is_waited_for_through_the_kustomization_that_applies_it() {
    let path = "/apis/helm.toolkit.fluxcd.io/v1/namespaces/flux-system/helmreleases/web";
    let release = |reason: &str, status: &str| {
        let conditions = json!([{"type": "Ready", "status": status, "reason": reason, "message": "upgrade"}]);
        let status = json!({"observedGeneration": 3, "conditions": conditions, "history": [{"chartVersion": "1.2.3", "status": "deployed"}]});
        json!({path: {"metadata": {"name": "web", "namespace": "deployment-good", "generation": 3}, "spec": {}, "status": status}})
    };
    let good = ("True", "ReconciliationSucceeded");
    let via = ["helmrelease/web", "--via", "kustomization/apps"];
    asks_flux(&flux("deployment-good", (NEW, NEW, NEW), good, &release("UpgradeSucceeded", "True")), &via).exits(0);
    let rolled_back = flux("deployment-good", (NEW, NEW, NEW), good, &release("RollbackSucceeded", "False"));
    let found = target(&asks_flux(&rolled_back, &via).exits(1));
    assert_eq!(found["reason"]["code"], "remediated");
}
