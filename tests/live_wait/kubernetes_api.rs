//! The API itself: rights, credentials, how many requests a look takes.

use emulators::Kubernetes;
use serde_json::{Value, json};

use super::cluster::recording;
use super::{target, wait};
use crate::support::Step;

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
