//! The asset calls: check-missing, upload, upsert-hashes. They take the upload token only.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::state::{Asset, State};
use super::{failure, success, token};
use crate::http::{Request, Response};

/// What one upload request may hold, decoded.
const UPLOAD_LIMIT: usize = 40 * 1024 * 1024;

pub(super) fn answer(state: &mut State, call: &str, request: &Request) -> Response {
    let Some(project) = request.bearer().and_then(|bearer| token::project(state, bearer)) else {
        return failure(403, 8_000_013, "Authorization failed");
    };
    let body = request.json();
    match (request.method.as_str(), call) {
        ("POST", "check-missing") => check_missing(state, &project, &body),
        ("POST", "upload") => upload(state, &project, &body),
        ("POST", "upsert-hashes") if body["hashes"].is_array() => success(&Value::Null),
        _ => failure(405, 10_405, "Method not allowed for this authentication scheme"),
    }
}

fn check_missing(state: &State, project: &str, body: &Value) -> Response {
    let Some(hashes) = body["hashes"].as_array() else { return failure(400, 8_000_000, "hashes are missing") };
    let known = &state.projects[project].assets;
    let mut seen = std::collections::HashSet::new();
    let asked = hashes.iter().filter_map(Value::as_str);
    let missing: Vec<&str> = asked.filter(|hash| !known.contains_key(*hash) && seen.insert(*hash)).collect();
    success(&json!(missing))
}

fn upload(state: &mut State, project: &str, body: &Value) -> Response {
    let Some(files) = body.as_array() else { return failure(400, 8_000_000, "an array of files is expected") };
    let mut decoded = Vec::new();
    for file in files {
        let (Some(key), Some(value)) = (file["key"].as_str(), file["value"].as_str()) else {
            return failure(400, 8_000_000, "a file needs key and value");
        };
        let Ok(bytes) = BASE64_STANDARD.decode(value) else { return failure(400, 8_000_000, "a value is not base64") };
        let is_hash = key.len() == 32 && key.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_hash || file["base64"] != true {
            return failure(400, 8_000_000, "a key is not a hash, or base64 is not true");
        }
        let content_type = file["metadata"]["contentType"].as_str().unwrap_or("application/octet-stream").to_owned();
        decoded.push((key.to_owned(), Asset { bytes, content_type }));
    }
    if decoded.iter().map(|(_, asset)| asset.bytes.len()).sum::<usize>() > UPLOAD_LIMIT {
        return failure(413, 8_000_000, "the request is too large");
    }
    let count = decoded.len();
    if let Some(project) = state.projects.get_mut(project) {
        for (key, asset) in decoded {
            // The first uploaded type of a hash wins.
            project.assets.entry(key).or_insert(asset);
        }
    }
    success(&json!({ "successful_key_count": count, "unsuccessful_keys": [] }))
}
