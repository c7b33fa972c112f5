//! Flux from a push to running pods, as the real controllers were recorded to answer.
//!
//! With `LIVE_WAIT_KUBECONFIG` and `LIVE_WAIT_GIT` (a folder of bare repositories that `LIVE_WAIT_GIT_URL` serves) the same stories run on
//! the real source- and kustomize-controller, and `LIVE_WAIT_RECORD=1` records them anew. Commits have fixed names and dates, so that
//! their hashes are those of the recording.

use std::path::{Path, PathBuf};
use std::process::Command;

use emulators::Kubernetes;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use super::cluster::{kubectl, record, recording, variable};
use super::{target, wait};
use crate::support::{Seen, Step};

/// A deploy by Flux, with a repository and a namespace of its name.
struct Story {
    name: &'static str,
    checkout: TempDir,
    /// The real cluster and its git server's folder.
    real: Option<(PathBuf, PathBuf)>,
}

impl Story {
    fn new(name: &'static str) -> Self {
        let real = variable("LIVE_WAIT_KUBECONFIG").zip(variable("LIVE_WAIT_GIT"));
        let story = Self { name, checkout: tempfile::tempdir().unwrap(), real };
        story.git(&["init", "--quiet", "--initial-branch", "main"]);
        if let Some((_, git)) = &story.real {
            let bare = git.join(format!("{name}.git")).display().to_string();
            story.git(&["init", "--quiet", "--bare", "--initial-branch", "main", &bare]);
            story.git(&["remote", "add", "origin", &bare]);
            let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
            story.apply(&namespace);
        }
        story
    }

    fn git(&self, arguments: &[&str]) -> String {
        let identity = ["-c", "user.name=Deploy", "-c", "user.email=deploy@example.org", "-c", "commit.gpgsign=false"];
        let mut git = Command::new("git");
        git.arg("-C").arg(self.checkout.path()).args(identity).args(arguments);
        for name in ["GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"] {
            git.env(name, "2026-01-01T00:00:00Z");
        }
        let output = git.output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Commits `text` as the only manifest, and pushes it where there is a server.
    fn commit(&self, text: &str) -> String {
        std::fs::create_dir_all(self.checkout.path().join("apps")).unwrap();
        std::fs::write(self.checkout.path().join("apps/web.yaml"), text).unwrap();
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", "change"]);
        if self.real.is_some() {
            self.git(&["push", "--quiet", "--force", "origin", "main"]);
        }
        self.git(&["rev-parse", "HEAD"])
    }

    /// Commits a Deployment of an image that the played node knows.
    fn deploys(&self, tag: &str) -> String {
        self.commit(&format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web, namespace: {}}}\nspec:\n  selector: {{matchLabels: {{app: web}}}}\n  template:\n    metadata: {{labels: {{app: web}}}}\n    spec: {{containers: [{{name: app, image: 'demo:{tag}'}}]}}\n",
            self.name
        ))
    }

    fn kubectl(&self, arguments: &[&str], input: &str) {
        if let Some((kubeconfig, _)) = &self.real {
            kubectl(kubeconfig, arguments, input);
        }
    }

    fn apply(&self, object: &Value) {
        self.kubectl(&["apply", "-f", "-"], &object.to_string());
    }

    /// The `GitRepository` and the Kustomization of this story; `more` is added to the Kustomization's spec.
    fn follow(&self, more: &Value) {
        let metadata = json!({"name": self.name, "namespace": "flux-system"});
        let url = variable("LIVE_WAIT_GIT_URL").unwrap_or_else(|| "http://127.0.0.1:8899".into());
        let url = format!("{}/{}.git", url.display(), self.name);
        self.apply(&json!({
            "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository", "metadata": metadata,
            "spec": {"interval": "1h", "url": url, "ref": {"branch": "main"}},
        }));
        let mut spec = json!({
            "interval": "1h", "retryInterval": "5s", "timeout": "5s", "path": "./apps", "prune": true, "wait": true,
            "sourceRef": {"kind": "GitRepository", "name": self.name},
        });
        spec.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        self.apply(&json!({
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization", "metadata": metadata, "spec": spec,
        }));
    }

    /// Waits until a field of one of its objects has a value.
    fn until(&self, kind: &str, path: &str, value: &str) {
        let (object, want) = (format!("{kind}/{}", self.name), format!("--for=jsonpath={{.status.{path}}}={value}"));
        self.kubectl(&["-n", "flux-system", "wait", &object, &want, "--timeout=2m"], "");
    }

    fn until_applied(&self, revision: &str) {
        self.until("kustomization", "lastAppliedRevision", &format!("main@sha1:{revision}"));
    }

    /// Lets the source see the newest commit, as a webhook's receiver would.
    fn fetch(&self, revision: &str) {
        let now = format!("reconcile.fluxcd.io/requestedAt=test-{revision}");
        let object = format!("gitrepository/{}", self.name);
        self.kubectl(&["-n", "flux-system", "annotate", "--overwrite", &object, &now], "");
        self.until("gitrepository", "artifact.revision", &format!("main@sha1:{revision}"));
    }

    fn suspend(&self, kind: &str) {
        let object = format!("{kind}/{}", self.name);
        let patch = r#"{"spec":{"suspend":true}}"#;
        self.kubectl(&["-n", "flux-system", "patch", &object, "--type=merge", "-p", patch], "");
    }

    fn step(&self, revision: &str, arguments: &[&str]) -> Step {
        let object = format!("kustomization/{}", self.name);
        let step = wait("flux").args([&object, "-n", "flux-system", "--revision", revision]).args(arguments.to_vec());
        step.args(["--stable", "1s", "--grace", "2s"])
    }

    fn finish(&self, step: Step, limit: &str) -> Seen {
        let Some((kubeconfig, _)) = &self.real else {
            let kubernetes = Kubernetes::start(&std::fs::read_to_string(recording(self.name)).unwrap());
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("kubeconfig");
            std::fs::write(&path, kubernetes.kubeconfig()).unwrap();
            return step.env("KUBECONFIG", path).args(["--deadline", "6s"]).knowing(kubernetes.secrets()).run();
        };
        let seen = step.env("KUBECONFIG", kubeconfig).args(["--deadline", limit]).run();
        if variable("LIVE_WAIT_RECORD").is_some() {
            self.record(kubeconfig);
        }
        seen
    }

    fn record(&self, kubeconfig: &Path) {
        let mut all: Map<String, Value> = serde_json::from_str(&record(kubeconfig, self.name)).unwrap();
        for (group, kind) in
            [("source.toolkit.fluxcd.io", "gitrepositories"), ("kustomize.toolkit.fluxcd.io", "kustomizations")]
        {
            let group = format!("/apis/{group}");
            let object = format!("{group}/v1/namespaces/flux-system/{kind}/{}", self.name);
            for path in [group, object] {
                let mut found: Value =
                    serde_json::from_str(&kubectl(kubeconfig, &["get", "--raw", &path], "")).unwrap();
                if let Some(metadata) = found["metadata"].as_object_mut() {
                    metadata.retain(|name, _| !matches!(name.as_str(), "managedFields" | "annotations"));
                }
                all.insert(path, found);
            }
        }
        std::fs::write(recording(self.name), serde_json::to_string_pretty(&all).unwrap() + "\n").unwrap();
    }

    #[track_caller]
    fn ends(&self, revision: &str, arguments: &[&str], exit: i32, (code, text): (&str, &str)) {
        let limit = if exit == 3 { "15s" } else { "2m" };
        let found = target(&self.finish(self.step(revision, arguments), limit).exits(exit));
        let why = found["reason"]["code"].as_str().unwrap_or("live");
        assert!(why == code && found.to_string().contains(text), "{}: {why}\n{found}", self.name);
    }
}

impl Drop for Story {
    fn drop(&mut self) {
        for kind in ["kustomization", "gitrepository"] {
            self.kubectl(&["-n", "flux-system", "delete", kind, self.name, "--wait=false"], "");
        }
        self.kubectl(&["delete", "namespace", self.name, "--wait=false"], "");
    }
}

#[test]
fn a_push_is_live_when_flux_applied_it_and_its_pods_run() {
    let story = Story::new("flux-good");
    let revision = story.deploys("ok-1");
    story.follow(&json!({}));
    story.ends(&revision, &[], 0, ("live", "its workload runs"));
    story.ends(&revision[..8], &[], 0, ("live", "its workload runs"));
}

#[test]
fn an_older_revision_is_not_yet_and_reconcile_brings_the_new_one() {
    let older = |name| {
        let story = Story::new(name);
        let first = story.deploys("ok-1");
        story.follow(&json!({}));
        story.until_applied(&first);
        let second = story.deploys("ok-2");
        (story, first, second)
    };
    let (story, first, second) = older("flux-older");
    let text = format!("gitrepository/flux-older has main@sha1:{first}, not {second}");
    story.ends(&second, &[], 3, ("deadline", &text));
    let (story, _, second) = older("flux-reconcile");
    story.ends(&second, &["--reconcile"], 0, ("live", "its workload runs"));
}

#[test]
fn a_revision_that_was_applied_before_another_is_superseded_by_the_history_and_as_good_by_git() {
    let story = Story::new("flux-superseded");
    let first = story.deploys("ok-1");
    story.follow(&json!({}));
    story.until_applied(&first);
    let second = story.deploys("ok-2");
    story.fetch(&second);
    story.until_applied(&second);
    let text = format!("has applied main@sha1:{second}, not {first}; its history has ours");
    story.ends(&first, &[], 1, ("superseded", &text));
    let newer = story.step(&first, &["--or-newer"]).cwd(story.checkout.path());
    let found = target(&story.finish(newer, "1m").exits(0));
    assert!(found.to_string().contains(&second), "{found}");
}

#[test]
fn a_revision_that_was_never_applied_is_superseded_only_where_git_knows_that_a_later_one_contains_it() {
    let story = Story::new("flux-skipped");
    let first = story.deploys("ok-1");
    let second = story.deploys("ok-2");
    story.follow(&json!({}));
    story.until_applied(&second);
    story.ends(&first, &["--or-newer"], 3, ("deadline", "gitrepository/flux-skipped has"));
    let found = target(&story.finish(story.step(&first, &[]).cwd(story.checkout.path()), "1m").exits(1));
    assert!(found.to_string().contains(&format!("which contains {first}")), "{found}");
    story.finish(story.step(&first, &["--or-newer"]).cwd(story.checkout.path()), "1m").exits(0);
}

#[test]
fn a_failed_health_check_is_over_with_the_pods_reason_also_while_it_is_tried_again() {
    let story = Story::new("flux-failed");
    let first = story.deploys("ok-1");
    story.follow(&json!({}));
    story.until_applied(&first);
    let second = story.deploys("pull-2");
    story.fetch(&second);
    story.until("kustomization", "history[0].lastReconciledStatus", "HealthCheckFailed");
    story.ends(&second, &[], 1, ("flux_failed", "HealthCheckFailed"));
    story.ends(&second, &[], 1, ("flux_failed", "ImagePullBackOff"));
}

#[test]
fn pods_that_crash_are_over_though_flux_is_ready() {
    let story = Story::new("flux-crash");
    let revision = story.deploys("crash-1");
    story.follow(&json!({"wait": false}));
    story.ends(&revision, &[], 1, ("crash_loop", "exit code 7"));
}

#[test]
fn a_manifest_that_cannot_be_built_is_over_with_its_line() {
    let story = Story::new("flux-build");
    let revision = story.commit("nonsense: [\n");
    story.follow(&json!({}));
    story.ends(&revision, &[], 1, ("flux_failed", "BuildFailed"));
}

#[test]
fn a_suspended_kustomization_or_source_is_over() {
    for (name, kind) in [("flux-suspended", "kustomization"), ("flux-source-suspended", "gitrepository")] {
        let story = Story::new(name);
        let first = story.deploys("ok-1");
        story.follow(&json!({}));
        story.until_applied(&first);
        let second = story.deploys("ok-2");
        story.suspend(kind);
        if kind == "kustomization" {
            story.fetch(&second);
        }
        story.ends(&second, &[], 1, ("suspended", &format!("{kind}/{name} is suspended, so {second} will not come")));
        // What was applied before is live all the same.
        if kind == "kustomization" {
            story.ends(&first, &[], 0, ("live", "its workload runs"));
        }
    }
}

#[test]
fn a_dependency_that_is_not_ready_is_named() {
    let story = Story::new("flux-dependency");
    let revision = story.deploys("ok-1");
    story.follow(&json!({"dependsOn": [{"name": "no-such-infra"}]}));
    story.ends(&revision, &[], 3, ("deadline", "blocked by kustomization/no-such-infra"));
}
