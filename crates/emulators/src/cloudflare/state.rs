//! The state of the stand-in: tokens, projects, assets, deployments, Workers.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use axum::body::Bytes;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::envelope::{ACCOUNT, failure};
use crate::http::{Response, Secrets};

/// Requests that Cloudflare answers in five minutes, as its headers say.
pub(super) const LIMIT: usize = 1200;

/// What an API token may do with Pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Permission {
    Edit,
    None,
}

/// What happens to a deployment after it was created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It succeeds at this look, counted from 1.
    SucceedAfter(usize),
    /// Its stage `deploy` fails at the first look.
    Fail,
    /// It stays in stage `deploy`, active.
    Hang,
    /// It is a success, and serves an empty 500 on every path.
    SucceedBroken,
}

/// One uploaded file.
#[derive(Clone, Debug)]
pub(super) struct Asset {
    /// Its content as base64, a part of the request that brought it: most are never looked at again.
    pub(super) text: Bytes,
    pub(super) content_type: String,
}

impl Asset {
    /// Its content.
    pub(super) fn bytes(&self) -> Vec<u8> {
        BASE64_STANDARD.decode(&self.text).expect("base64, as every upload is checked to be")
    }
}

/// One deployment.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// A UUID.
    pub id: String,
    /// Whether its branch is the production branch.
    pub production: bool,
    /// Absent when the client sent none.
    pub branch: Option<String>,
    /// The form's other text fields.
    pub fields: BTreeMap<String, String>,
    /// Path to asset hash.
    pub manifest: BTreeMap<String, String>,
    /// The form's file parts: `_headers`, `_redirects`, `_worker.bundle`, …
    pub files: BTreeMap<String, Vec<u8>>,
    /// When it was created.
    pub created: Timestamp,
    pub(super) progress: Progress,
    pub(super) looks: usize,
    /// Whether production has moved to it already: that happens once, when the deployment succeeds.
    pub(super) switched: bool,
}

impl Deployment {
    /// The first eight characters of the id.
    #[must_use]
    pub fn short_id(&self) -> &str {
        &self.id[..8]
    }

    /// Whether it succeeded.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.latest_stage() == ("deploy", "success")
    }

    /// The name and status of the stage it is in.
    pub(super) fn latest_stage(&self) -> (&'static str, &'static str) {
        match self.progress {
            _ if self.looks == 0 => ("queued", "active"),
            Progress::SucceedAfter(looks) if self.looks < looks => ("deploy", "active"),
            Progress::SucceedAfter(_) | Progress::SucceedBroken => ("deploy", "success"),
            Progress::Fail => ("deploy", "failure"),
            Progress::Hang => ("deploy", "active"),
        }
    }

    /// Looks until it ends; 0 if it never does.
    pub(super) fn looks_needed(&self) -> usize {
        match self.progress {
            Progress::SucceedAfter(looks) => looks.max(1).saturating_sub(self.looks),
            Progress::SucceedBroken | Progress::Fail => usize::from(self.looks == 0),
            Progress::Hang => 0,
        }
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.files.get(name).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }
}

/// One project.
#[derive(Clone, Debug)]
pub(super) struct Project {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) production_branch: String,
    pub(super) created: Timestamp,
    pub(super) deployments: Vec<Deployment>,
    pub(super) canonical: Option<String>,
    pub(super) assets: HashMap<String, Asset>,
}

impl Project {
    /// Looks at the deployment `id` once more: its stage advances, and production moves to it once it succeeds.
    pub(super) fn look(&mut self, id: &str) {
        let Some(one) = self.deployments.iter_mut().find(|one| one.id == id) else { return };
        one.looks = one.looks.saturating_add(1);
        if one.production && one.succeeded() && !one.switched {
            one.switched = true;
            self.canonical = Some(one.id.clone());
        }
    }

    pub(super) fn deployment(&self, id: &str) -> Option<&Deployment> {
        self.deployments.iter().find(|deployment| deployment.id == id)
    }
}

/// One version of a Worker's script.
#[derive(Clone, Debug)]
pub struct WorkerVersion {
    /// A UUID.
    pub id: String,
    /// The name of the module that answers requests.
    pub main_module: String,
    /// The content of each module, by name.
    pub modules: BTreeMap<String, String>,
    /// The secrets that the version was uploaded with.
    pub secrets: BTreeMap<String, String>,
    /// When it was uploaded.
    pub created: Timestamp,
}

/// A Worker's script.
#[derive(Clone, Debug, Default)]
pub(super) struct Worker {
    pub(super) versions: Vec<WorkerVersion>,
    /// The version that answers requests.
    pub(super) deployed: Option<String>,
    /// Whether it answers at the account's own domain.
    pub(super) on_subdomain: bool,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) projects: BTreeMap<String, Project>,
    pub(super) workers: BTreeMap<String, Worker>,
    /// The project of each upload token that is still valid.
    pub(super) upload_tokens: HashMap<String, (String, Timestamp)>,
    pub(super) token_life: Duration,
    pub(super) max_files: u64,
    pub(super) progress: Progress,
    pub(super) limit: Option<(usize, u64)>,
    tokens: HashMap<String, Permission>,
    secrets: Secrets,
    ids: u64,
}

impl State {
    pub(super) fn new(secrets: Secrets) -> Self {
        Self {
            projects: BTreeMap::new(),
            workers: BTreeMap::new(),
            upload_tokens: HashMap::new(),
            token_life: Duration::from_mins(5),
            max_files: 20_000,
            progress: Progress::SucceedAfter(1),
            limit: None,
            tokens: HashMap::new(),
            secrets,
            ids: 0,
        }
    }

    pub(super) fn issue_token(&mut self, permission: Permission) -> String {
        let token = format!("cf-token-{}", self.next_id().replace('-', ""));
        self.secrets.add(&token);
        self.tokens.insert(token.clone(), permission);
        token
    }

    pub(super) fn permission(&self, token: &str) -> Option<Permission> {
        self.tokens.get(token).copied()
    }

    pub(super) fn remember_upload_token(&mut self, token: &str, project: &str, expires: Timestamp) {
        self.secrets.add(token);
        self.upload_tokens.insert(token.to_owned(), (project.to_owned(), expires));
    }

    pub(super) fn create_project(&mut self, name: &str, production_branch: &str) -> &Project {
        let id = self.next_id();
        self.projects.entry(name.to_owned()).or_insert_with(|| Project {
            id,
            name: name.to_owned(),
            production_branch: production_branch.to_owned(),
            created: Timestamp::now(),
            deployments: Vec::new(),
            canonical: None,
            assets: HashMap::new(),
        })
    }

    /// A 429 if the limit is reached; each call counts.
    pub(super) fn over_limit(&mut self) -> Option<Response> {
        let (left, seconds) = self.limit.as_mut()?;
        if *left > 0 {
            *left -= 1;
            return None;
        }
        let refused = failure(429, 971, "Please wait and consider throttling your request speed");
        Some(refused.header("retry-after", *seconds).header("x-ratelimit-reset", *seconds))
    }

    /// A UUID, the same in every run, so that a failing test can be reproduced.
    pub(super) fn next_id(&mut self) -> String {
        self.ids += 1;
        let hash = blake3::hash(format!("{ACCOUNT} {}", self.ids).as_bytes()).to_hex();
        [&hash[..8], &hash[8..12], &hash[12..16], &hash[16..20], &hash[20..32]].join("-")
    }
}

pub(super) fn project_json(project: &Project, port: u16) -> Value {
    let shown = |id: Option<&String>| {
        id.and_then(|id| project.deployment(id)).map(|deployment| deployment_json(project, deployment, port))
    };
    json!({
        "id": project.id,
        "name": project.name,
        "subdomain": format!("{}.localhost:{port}", project.name),
        "domains": [format!("{}.localhost:{port}", project.name)],
        "source": null,
        "build_config": { "build_command": null, "destination_dir": null, "root_dir": null },
        "deployment_configs": { "preview": configuration(), "production": configuration() },
        "latest_deployment": shown(project.deployments.last().map(|deployment| &deployment.id)),
        "canonical_deployment": shown(project.canonical.as_ref()),
        "created_on": project.created.to_string(),
        "production_branch": project.production_branch,
    })
}

fn configuration() -> Value {
    json!({ "compatibility_date": "2024-01-01", "compatibility_flags": [], "env_vars": null, "fail_open": true,
        "usage_model": "standard" })
}

pub(super) fn deployment_json(project: &Project, deployment: &Deployment, port: u16) -> Value {
    let (stage, status) = deployment.latest_stage();
    let field = |name: &str| deployment.fields.get(name).cloned().unwrap_or_default();
    let created = deployment.created.to_string();
    let stages: Vec<Value> = ["queued", "initialize", "clone_repo", "build", "deploy"]
        .iter()
        .map(|name| {
            let status = if *name == stage { status } else { "idle" };
            json!({ "name": name, "started_on": null, "ended_on": null, "status": status })
        })
        .collect();
    let environment = if deployment.production { "production" } else { "preview" };
    let aliases = alias(project, deployment).map(|alias| vec![format!("http://{alias}.localhost:{port}")]);
    json!({
        "id": deployment.id,
        "short_id": deployment.short_id(),
        "project_id": project.id,
        "project_name": project.name,
        "environment": environment,
        "url": format!("http://{}.{}.localhost:{port}", deployment.short_id(), project.name),
        "created_on": created,
        "modified_on": created,
        "latest_stage": { "name": stage, "status": status, "started_on": created, "ended_on": null },
        "deployment_trigger": { "type": "ad_hoc", "metadata": {
            "branch": deployment.branch.clone().unwrap_or_else(|| project.production_branch.clone()),
            "commit_hash": field("commit_hash"),
            "commit_message": field("commit_message"),
            "commit_dirty": field("commit_dirty") == "true",
        } },
        "stages": stages,
        "aliases": aliases,
        "is_skipped": false,
        "uses_functions": deployment.files.contains_key("_worker.bundle"),
        "production_branch": project.production_branch,
    })
}

/// The host name of a preview's branch, without `.localhost`; production has its project's.
pub(super) fn alias(project: &Project, deployment: &Deployment) -> Option<String> {
    if deployment.production {
        return None;
    }
    Some(format!("{}.{}", branch_label(deployment.branch.as_deref()?), project.name))
}

fn branch_label(branch: &str) -> String {
    let lower = branch.to_lowercase();
    let clean: String = lower.chars().map(|one| if one.is_ascii_alphanumeric() { one } else { '-' }).collect();
    clean.trim_matches('-').chars().take(28).collect()
}
