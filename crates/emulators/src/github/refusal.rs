//! GitHub's answers to what it refuses.

use serde_json::json;

use crate::http::Response;

pub(super) fn message(status: u16, text: &str) -> Response {
    let body =
        json!({ "message": text, "documentation_url": "https://docs.github.com/rest", "status": status.to_string() });
    Response::json(status, &body)
}

pub(super) fn invalid(why: &str) -> Response {
    let body = json!({
        "message": "Validation Failed", "errors": [{ "message": why, "code": "custom" }],
        "documentation_url": "https://docs.github.com/rest", "status": "422",
    });
    Response::json(422, &body)
}
