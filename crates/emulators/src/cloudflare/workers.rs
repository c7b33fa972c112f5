//! The calls of `wrangler deploy`: a Worker's script with its secrets in one version, and which version is deployed.
//!
//! The first deploy of a script is one `PUT` that creates, fills and deploys it. Later ones create a version and then deploy that.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::envelope::{failure, success};
use super::state::{State, Worker, WorkerVersion};
use crate::http::{Part, Request, Response, parts};

pub(super) fn answer(state: &mut State, segments: &[&str], request: &Request) -> Response {
    match (request.method.as_str(), segments) {
        ("GET", ["subdomain"]) => success(&json!({ "subdomain": "stand-in" })),
        ("GET", ["services", name]) if state.workers.contains_key(*name) => {
            success(&json!({ "id": name, "default_environment": { "environment": "production",
                "script": { "id": name, "tag": "t", "tags": null, "last_deployed_from": "wrangler" } } }))
        }
        ("GET", ["services", _]) => failure(404, 10_090, "workers.api.error.service_not_found"),
        ("PUT", ["scripts", name]) => upload(state, name, request, Deploy::AtOnce),
        (_, ["scripts" | "workers", name, ..]) if !state.workers.contains_key(*name) => {
            failure(404, 10_007, "This Worker does not exist on your account.")
        }
        ("GET", ["workers", name]) => {
            let enabled = state.workers[*name].on_subdomain;
            success(&json!({ "id": name, "name": name,
                "subdomain": { "enabled": enabled, "previews_enabled": enabled } }))
        }
        ("POST", ["scripts", name, "versions"]) => upload(state, name, request, Deploy::Later),
        ("GET", ["scripts", name, "versions", id]) => {
            let version = state.workers[*name].versions.iter().find(|version| version.id == *id);
            version.map_or_else(|| failure(404, 10_007, "The version does not exist."), |one| success(&shown(one)))
        }
        ("GET", ["scripts", name, "settings"]) => {
            let bindings = state.workers[*name].versions.last().map(bindings).unwrap_or_default();
            success(&json!({ "bindings": bindings, "compatibility_flags": [], "tags": null }))
        }
        ("GET", ["scripts", name, "deployments"]) => deployments(&state.workers[*name]),
        ("POST", ["scripts", name, "deployments"]) => deploy(state, name, &request.json()),
        ("PATCH", ["scripts", _, "script-settings"]) => success(&request.json()),
        ("POST", ["scripts", name, "subdomain"]) => {
            let enabled = request.json()["enabled"] == true;
            state.workers.entry((*name).to_owned()).or_default().on_subdomain = enabled;
            success(&json!({ "enabled": enabled, "previews_enabled": enabled }))
        }
        _ => failure(405, 10_405, "Method not allowed"),
    }
}

/// When an uploaded version begins to answer requests.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Deploy {
    AtOnce,
    Later,
}

fn upload(state: &mut State, name: &str, request: &Request, when: Deploy) -> Response {
    let Some(form) = parts(request) else { return failure(400, 10_021, "a multipart form is expected") };
    let metadata = form.iter().find(|part| part.name == "metadata").map(Part::text);
    let Some(metadata) = metadata.and_then(|text| serde_json::from_str::<Value>(&text).ok()) else {
        return failure(400, 10_021, "the part `metadata` is missing, or is not JSON");
    };
    let main_module = metadata["main_module"].as_str().unwrap_or_default().to_owned();
    if !form.iter().any(|part| part.name == main_module) {
        return failure(400, 10_021, "No such module: the main module is not a part of the form");
    }
    let secret = |binding: &Value| {
        let text = |name: &str| binding[name].as_str().map(str::to_owned);
        (binding["type"] == "secret_text").then(|| Some((text("name")?, text("text")?))).flatten()
    };
    let secrets: BTreeMap<String, String> =
        metadata["bindings"].as_array().into_iter().flatten().filter_map(secret).collect();
    let version = WorkerVersion {
        id: state.next_id(),
        main_module,
        modules: form
            .iter()
            .filter(|part| part.name != "metadata")
            .map(|part| (part.name.clone(), part.text()))
            .collect(),
        secrets,
        created: Timestamp::now(),
    };
    let worker = state.workers.entry(name.to_owned()).or_default();
    let answer = shown(&version);
    if when == Deploy::AtOnce {
        worker.deployed = Some(version.id.clone());
    }
    worker.versions.push(version);
    success(&answer)
}

/// A version, or the script with that version, without the values of its secrets.
fn shown(version: &WorkerVersion) -> Value {
    json!({
        "id": version.id, "deployment_id": version.id, "etag": "e", "number": 1, "startup_time_ms": 3,
        "metadata": { "created_on": version.created.to_string(), "source": "wrangler" },
        "resources": {
            "script": { "etag": "e", "handlers": ["fetch"], "last_deployed_from": "wrangler" },
            "script_runtime": { "compatibility_date": "2026-01-01" },
            "bindings": bindings(version),
        },
    })
}

fn bindings(version: &WorkerVersion) -> Vec<Value> {
    version.secrets.keys().map(|name| json!({ "name": name, "type": "secret_text" })).collect()
}

fn deployments(worker: &Worker) -> Response {
    let deployed = worker.deployed.iter().map(|id| {
        json!({ "id": id, "source": "wrangler", "strategy": "percentage", "created_on": Timestamp::now().to_string(),
            "versions": [{ "version_id": id, "percentage": 100 }] })
    });
    success(&json!({ "deployments": deployed.collect::<Vec<_>>() }))
}

fn deploy(state: &mut State, name: &str, body: &Value) -> Response {
    let worker = state.workers.entry(name.to_owned()).or_default();
    let id = body["versions"][0]["version_id"].as_str();
    let Some(version) = worker.versions.iter().find(|version| Some(version.id.as_str()) == id) else {
        return failure(400, 10_021, "The version does not exist.");
    };
    worker.deployed = Some(version.id.clone());
    success(&json!({ "id": version.id }))
}
