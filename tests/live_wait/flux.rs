//! Flux's objects: states that are made by hand here, on the workloads of recordings. `flux_story` has the real controllers' answers.

use emulators::Kubernetes;
use serde_json::{Value, json};

use super::cluster::recording;
use super::{NEW, target, wait};
use crate::support::Seen;

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
