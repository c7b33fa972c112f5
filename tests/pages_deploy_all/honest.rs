//! The promise of every run, held against what the stand-in serves: nothing is live that the report does not say, and 0 means that
//! all of it is.

use std::collections::BTreeMap;

use emulators::Cloudflare;
use serde_json::Value;

use crate::support::{Seen, Started, Step};

/// What production served, and which deployments there were, before a run.
pub(super) struct Before {
    live: BTreeMap<String, Option<String>>,
    deployments: BTreeMap<String, usize>,
}

impl Before {
    pub(super) fn of(cloudflare: &Cloudflare) -> Self {
        let projects = cloudflare.projects();
        Self {
            live: projects.iter().map(|project| (project.clone(), cloudflare.live(project))).collect(),
            deployments: projects.into_iter().map(|one| (one.clone(), cloudflare.deployments(&one).len())).collect(),
        }
    }

    /// Fails the test unless the run's JSON document reports everything that it changed.
    pub(super) fn judge(&self, cloudflare: &Cloudflare, seen: &Seen) {
        // What is under way comes to its end.
        cloudflare.settle();
        let document = seen.json();
        let sites = document["sites"].as_array().unwrap();
        for site in sites {
            self.judge_site(cloudflare, site);
        }
        let all_live = sites.iter().all(|site| site["status"] == "passed" || site["status"] == "skipped");
        assert!(seen.code != 0 || all_live, "0 with {document:#}");
        assert_eq!(document["error"].is_null(), all_live, "{document:#}");
        assert_eq!(document["result"] == "passed", all_live, "{document:#}");
    }

    fn judge_site(&self, cloudflare: &Cloudflare, site: &Value) {
        let project = site["project"].as_str().unwrap();
        let before = self.live.get(project).cloned().flatten();
        let now = cloudflare.live(project);
        let said = site["deployment_id"].as_str().map(str::to_owned);
        let text = site["reason"]["text"].as_str().unwrap_or_default();
        let is_unknown = text.contains("it is unknown");
        let made = cloudflare.deployments(project).len() - self.deployments.get(project).copied().unwrap_or_default();
        assert!(made <= 1, "{made} deployments of {project}");
        assert!(made == 0 || said.is_some() || is_unknown, "a deployment of {project} is not told of: {site:#}");
        if site["status"] == "passed" {
            let ours = cloudflare.deployments(project).into_iter().find(|one| Some(&one.id) == said.as_ref()).unwrap();
            assert!(
                ours.succeeded() && (!ours.production || now == said),
                "{project} passed and is not live: {site:#}"
            );
        }
        if now != before && !is_unknown {
            assert_eq!(now, said, "{project} serves what the report does not say: {site:#}");
        }
        if text.contains("rolled back: production") || text.contains("production still serves") {
            assert!(now == before || text.contains("may still go live"), "{project} was not put back: {site:#}");
        }
    }
}

/// Runs to the end; its report must be honest.
pub(super) fn run(cloudflare: &Cloudflare, step: Step) -> Seen {
    let before = Before::of(cloudflare);
    let seen = step.args(["--format", "json"]).run();
    before.judge(cloudflare, &seen);
    seen
}

/// Starts a run whose report [`Before::judge`] can judge.
pub(super) fn spawn(cloudflare: &Cloudflare, step: Step) -> (Before, Started) {
    (Before::of(cloudflare), step.args(["--format", "json"]).spawn())
}

/// The site's status and the reason's text.
pub(super) fn end_of(seen: &Seen, site: &str) -> (String, String) {
    let document = seen.json();
    let entry = document["sites"].as_array().unwrap().iter().find(|entry| entry["site"] == site).unwrap().clone();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&entry["status"]), text(&entry["reason"]["text"]))
}
