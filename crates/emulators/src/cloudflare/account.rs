//! The calls of an account: Pages projects, upload token, deployments, rollback. Those of Workers are in `workers`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::envelope::{ACCOUNT, failure, success};
use super::state::{Deployment, Permission, Project, State, deployment_json, project_json};
use super::{token, workers};
use crate::http::{Part, Request, Response, parts};

/// The most deployments of one page of the list.
const PAGE_LIMIT: usize = 25;

pub(super) fn answer(state: &mut State, port: u16, segments: &[&str], request: &Request) -> Response {
    let Some(permission) = request.bearer().and_then(|token| state.permission(token)) else {
        return failure(401, 10_000, "Authentication error");
    };
    let ["accounts", account, product @ ("pages" | "workers"), rest @ ..] = segments else { return user(segments) };
    if *account != ACCOUNT {
        return failure(404, 7003, "Could not route to the account, perhaps your object identifier is invalid?");
    }
    if permission != Permission::Edit {
        return failure(403, 10_000, "Authentication error");
    }
    let projects = match (*product, rest) {
        ("workers", rest) => return workers::answer(state, rest, request),
        (_, ["projects", projects @ ..]) => projects,
        _ => return user(segments),
    };
    match (request.method.as_str(), projects) {
        ("GET", []) => list_projects(state, port, request),
        ("POST", []) => create_project(state, port, &request.json()),
        (_, [name, ..]) if !state.projects.contains_key(*name) => failure(
            404,
            8_000_007,
            "Project not found. The specified project name does not match any of your existing projects.",
        ),
        ("GET", [name]) => success(&project_json(&state.projects[*name], port)),
        ("DELETE", [name]) => {
            state.projects.remove(*name);
            success(&Value::Null)
        }
        ("GET", [name, "upload-token"]) => success(&json!({ "jwt": token::issue(state, name) })),
        (_, [name, "deployments", rest @ ..]) => deployments(state, port, name, rest, request),
        _ => failure(405, 10_405, "Method not allowed"),
    }
}

fn user(segments: &[&str]) -> Response {
    match segments {
        ["user", "tokens", "verify"] => success(&json!({ "id": "t", "status": "active" })),
        ["memberships"] => success(&json!([{ "id": "m", "account": { "id": ACCOUNT, "name": "Stand-in" } }])),
        ["accounts"] => success(&json!([{ "id": ACCOUNT, "name": "Stand-in" }])),
        _ => failure(404, 7003, "Could not route to the path: no such endpoint"),
    }
}

fn page(request: &Request, default_size: usize) -> (usize, usize) {
    let number = |name: &str, default| request.parameter(name).and_then(|text| text.parse().ok()).unwrap_or(default);
    (number("page", 1).max(1), number("per_page", default_size))
}

fn paged(all: &[Value], number: usize, size: usize) -> Response {
    let items: Vec<&Value> = all.iter().skip((number - 1) * size).take(size).collect();
    let info = json!({ "page": number, "per_page": size, "count": items.len(), "total_count": all.len() });
    Response::json(200, &json!({ "result": items, "success": true, "errors": [], "messages": [], "result_info": info }))
}

fn list_projects(state: &State, port: u16, request: &Request) -> Response {
    let (number, size) = page(request, 10);
    let all: Vec<Value> = state.projects.values().map(|project| project_json(project, port)).collect();
    paged(&all, number, size.min(10))
}

fn create_project(state: &mut State, port: u16, body: &Value) -> Response {
    let name = body["name"].as_str().unwrap_or_default();
    let letters = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if name.is_empty() || name.len() > 58 || !name.bytes().all(letters) {
        return failure(400, 8_000_000, "The project name is not valid");
    }
    if state.projects.contains_key(name) {
        return failure(409, 8_000_002, "A project with this name already exists");
    }
    let branch = body["production_branch"].as_str().unwrap_or("main").to_owned();
    success(&project_json(state.create_project(name, &branch), port))
}

fn deployments(state: &mut State, port: u16, name: &str, rest: &[&str], request: &Request) -> Response {
    match (request.method.as_str(), rest) {
        ("GET", []) => list(&state.projects[name], port, request),
        ("POST", []) => create(state, port, name, request),
        (_, [id, ..]) if state.projects[name].deployment(id).is_none() => {
            failure(404, 8_000_009, "Deployment not found. The deployment ID does not match any of your deployments.")
        }
        ("GET", [id]) => look(state, port, name, id),
        ("GET", [_, "history", "logs"]) => {
            let line = json!({ "ts": Timestamp::now().to_string(), "line": "Error: Failed to publish assets" });
            success(&json!({ "total": 1, "includes_container_logs": false, "data": [line] }))
        }
        ("POST", [id, "rollback"]) => rollback(state, port, name, id),
        ("DELETE", [id]) => delete(state, name, id, request.parameter("force").as_deref() == Some("true")),
        _ => failure(405, 10_405, "Method not allowed"),
    }
}

fn list(project: &Project, port: u16, request: &Request) -> Response {
    let (number, size) = page(request, PAGE_LIMIT);
    if size == 0 || size > PAGE_LIMIT {
        return failure(400, 8_000_024, "Invalid list options provided. Review the `page` or `per_page` parameter.");
    }
    let environment = request.parameter("env");
    let all: Vec<Value> = project
        .deployments
        .iter()
        .rev()
        .filter(|one| environment.as_deref().is_none_or(|wanted| (wanted == "production") == one.production))
        .map(|one| deployment_json(project, one, port))
        .collect();
    paged(&all, number, size)
}

/// A look advances the stages. Real ones advance by themselves, which a test could not wait for.
fn look(state: &mut State, port: u16, name: &str, id: &str) -> Response {
    if let Some(project) = state.projects.get_mut(name) {
        project.look(id);
    }
    let project = &state.projects[name];
    match project.deployment(id) {
        Some(deployment) => success(&deployment_json(project, deployment, port)),
        None => failure(404, 8_000_009, "Deployment not found."),
    }
}

fn create(state: &mut State, port: u16, name: &str, request: &Request) -> Response {
    let Some(form) = parts(request) else { return failure(400, 8_000_000, "a multipart form is expected") };
    // A file part of that name, or a JSON body, is refused by the real service too.
    let manifest = form.iter().find(|part| part.name == "manifest" && part.file_name.is_none()).map(Part::text);
    let Some(manifest) = manifest.and_then(|text| serde_json::from_str::<BTreeMap<String, String>>(&text).ok()) else {
        let message = "A \"manifest\" field was expected in the request body but was not provided.";
        return failure(400, 8_000_096, message);
    };
    let id = state.next_id();
    let progress = state.progress;
    let Some(project) = state.projects.get_mut(name) else { return failure(404, 8_000_007, "Project not found.") };
    let (texts, files): (Vec<Part>, Vec<Part>) = form.into_iter().partition(|part| part.file_name.is_none());
    let mut fields: BTreeMap<String, String> = texts.into_iter().map(|part| (part.name.clone(), part.text())).collect();
    fields.remove("manifest");
    if fields.get("commit_message").is_some_and(|message| is_bad_message(message)) {
        return failure(400, 8_000_111, "Invalid commit message, it must be a valid UTF-8 string.");
    }
    let branch = fields.remove("branch");
    let deployment = Deployment {
        // No branch means production: the server decides.
        production: branch.as_ref().is_none_or(|branch| *branch == project.production_branch),
        id,
        branch,
        fields,
        manifest,
        files: files.into_iter().map(|part| (part.name, part.body)).collect(),
        created: Timestamp::now(),
        progress,
        looks: 0,
        switched: false,
    };
    let answer = deployment_json(project, &deployment, port);
    project.deployments.push(deployment);
    success(&answer)
}

fn rollback(state: &mut State, port: u16, name: &str, id: &str) -> Response {
    let Some(project) = state.projects.get_mut(name) else { return failure(404, 8_000_007, "Project not found.") };
    let target = project.deployment(id).filter(|one| one.production && one.succeeded()).cloned();
    let Some(target) = target else {
        return failure(400, 8_000_000, "Only successful production deployments can be rolled back to.");
    };
    project.canonical = Some(target.id.clone());
    success(&deployment_json(project, &target, port))
}

/// Whether the service would call the message invalid: it keeps 384 bytes of what was sent, and those may end inside a character.
fn is_bad_message(message: &str) -> bool {
    message.len() > 384 && !message.is_char_boundary(384)
}

fn delete(state: &mut State, name: &str, id: &str, force: bool) -> Response {
    let Some(project) = state.projects.get_mut(name) else { return failure(404, 8_000_007, "Project not found.") };
    if project.canonical.as_deref() == Some(id) {
        return failure(400, 8_000_034, "The live production deployment cannot be deleted.");
    }
    let branch = project.deployment(id).and_then(|one| one.branch.clone());
    let newest = project.deployments.iter().rev().find(|one| one.branch == branch);
    if newest.is_some_and(|newest| newest.id == id && !newest.production) && !force {
        let message = "You cannot delete an aliased deployment without a `?force=true` parameter.";
        return failure(400, 8_000_035, message);
    }
    project.deployments.retain(|one| one.id != id);
    success(&Value::Null)
}
