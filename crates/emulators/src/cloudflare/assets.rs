//! The asset calls: check-missing, upload, upsert-hashes. They take the upload token only.
//!
//! An upload may have 56 MB, so its items are not copied: they are slices of the request, checked in place.

use std::borrow::Cow;

use axum::body::Bytes;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::envelope::{failure, success};
use super::state::{Asset, State};
use super::token;
use crate::http::{Request, Response};

/// What one upload request may hold, decoded.
const UPLOAD_LIMIT: usize = 40 * 1024 * 1024;

/// One item of an upload.
#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow)]
    key: Cow<'a, str>,
    #[serde(borrow)]
    value: Cow<'a, str>,
    #[serde(default)]
    metadata: Metadata,
    #[serde(default)]
    base64: bool,
}

#[derive(Default, Deserialize)]
struct Metadata {
    #[serde(rename = "contentType")]
    content_type: Option<String>,
}

pub(super) fn answer(state: &mut State, call: &str, request: &Request) -> Response {
    let Some(project) = request.bearer().and_then(|bearer| token::project(state, bearer)) else {
        return failure(403, 8_000_013, "Authorization failed");
    };
    match (request.method.as_str(), call) {
        ("POST", "check-missing") => check_missing(state, &project, &request.json()),
        ("POST", "upload") => upload(state, &project, &request.body),
        ("POST", "upsert-hashes") if request.json()["hashes"].is_array() => success(&Value::Null),
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

fn upload(state: &mut State, project: &str, body: &Bytes) -> Response {
    let Ok(items) = serde_json::from_slice::<Vec<Item<'_>>>(body) else {
        return failure(400, 8_000_000, "an array of files with key and value is expected");
    };
    for item in &items {
        if !is_base64(item.value.as_bytes()) {
            return failure(400, 8_000_000, "a value is not base64");
        }
        let is_hash = item.key.len() == 32 && item.key.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_hash || !item.base64 {
            return failure(400, 8_000_000, "a key is not a hash, or base64 is not true");
        }
    }
    if items.iter().map(|item| decoded_length(&item.value)).sum::<usize>() > UPLOAD_LIMIT {
        return failure(413, 8_000_000, "the request is too large");
    }
    let count = items.len();
    if let Some(project) = state.projects.get_mut(project) {
        for item in items {
            let text = match item.value {
                Cow::Borrowed(text) => body.slice_ref(text.as_bytes()),
                Cow::Owned(text) => Bytes::from(text),
            };
            let content_type = item.metadata.content_type.unwrap_or_else(|| "application/octet-stream".to_owned());
            // The first uploaded type of a hash wins.
            project.assets.entry(item.key.into_owned()).or_insert(Asset { text, content_type });
        }
    }
    success(&json!({ "successful_key_count": count, "unsuccessful_keys": [] }))
}

/// Whether it is padded base64 (RFC 4648 §4), checked without decoding it.
fn is_base64(text: &[u8]) -> bool {
    let Some((before, last)) = text.split_last_chunk::<4>() else { return text.is_empty() };
    // Without an early exit, which would keep the compiler from vectorising the loop.
    let in_alphabet = |all, byte: &u8| all & (byte.is_ascii_alphanumeric() | matches!(byte, b'+' | b'/'));
    text.len().is_multiple_of(4) && before.iter().fold(true, in_alphabet) && BASE64_STANDARD.decode(last).is_ok()
}

fn decoded_length(text: &str) -> usize {
    text.len() / 4 * 3 - text.bytes().rev().take_while(|byte| *byte == b'=').count()
}

#[cfg(test)]
mod tests {
    use super::{decoded_length, is_base64};

    #[test]
    fn base64_is_told_from_what_is_not_and_its_length_is_known() {
        for (text, length) in [("", 0), ("YQ==", 1), ("YWI=", 2), ("YWJj", 3), ("+/+/YQ==", 4)] {
            assert!(is_base64(text.as_bytes()) && decoded_length(text) == length, "{text}");
        }
        for text in ["Y", "YQ=", "YQ==YQ==", "YR==", "Y Jj", "-_-_", "YWJj\n"] {
            assert!(!is_base64(text.as_bytes()), "{text}");
        }
    }
}
