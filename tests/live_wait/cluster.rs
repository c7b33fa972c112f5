//! A cluster for tests: what a real Kubernetes 1.37 API with its controllers was recorded to answer.
//!
//! With `LIVE_WAIT_KUBECONFIG` the same cases run on the API that it names, whose nodes play a pod by the first word of its image's tag
//! (`ok`, `never`, `crash`, `pull`, `succeed`, `fail`), and `LIVE_WAIT_RECORD=1` records them anew.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use emulators::Kubernetes;
use serde_json::{Value, json};

use super::{target, wait};
use crate::support::{Seen, peer};

/// A case: what is applied, step by step, what is asked, and what must come of it.
pub(super) struct Case {
    pub(super) name: &'static str,
    /// kubectl's arguments, or a manifest to apply if there is one only.
    pub(super) steps: Vec<Vec<String>>,
    pub(super) arguments: Vec<&'static str>,
    pub(super) exit: i32,
    pub(super) code: &'static str,
    pub(super) text: &'static str,
}

#[expect(clippy::disallowed_methods, reason = "names the real API, for this test only")]
pub(super) fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).map(PathBuf::from)
}

pub(super) fn recording(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/kubernetes").join(format!("{name}.json"))
}

pub(super) fn kubectl(kubeconfig: &Path, arguments: &[&str], input: &str) -> String {
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
pub(super) fn record(kubeconfig: &Path, namespace: &str) -> String {
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
    kubectl(&real, &["delete", "namespace", case.name, "--timeout=2m"], "");
    seen
}

#[track_caller]
pub(super) fn holds(case: &Case) {
    let seen = run(case).exits(case.exit);
    let found = target(&seen);
    let code = found["reason"]["code"].as_str().unwrap_or("live");
    assert!(code == case.code && found.to_string().contains(case.text), "{}: {code}\n{found}", case.name);
}

/// A manifest of a workload.
pub(super) fn workload(kind: &str, image: &str, more: &Value) -> Vec<String> {
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

pub(super) fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

pub(super) fn rolled_out(kind: &str) -> Vec<String> {
    words(&format!("rollout status {kind}/web --timeout=2m"))
}
