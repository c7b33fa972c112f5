//! The JSON envelope around every response of Cloudflare's API, and the account it is for.

use serde_json::{Value, json};

use crate::http::Response;

/// The account that the stand-in knows.
pub const ACCOUNT: &str = "acc0123456789";

/// A response that carries `result`.
pub(super) fn success(result: &Value) -> Response {
    Response::json(200, &json!({ "result": result, "success": true, "errors": [], "messages": [] }))
}

/// A response that carries one error.
pub(super) fn failure(status: u16, code: u64, message: &str) -> Response {
    let errors = json!([{ "code": code, "message": message }]);
    Response::json(status, &json!({ "result": null, "success": false, "errors": errors, "messages": [] }))
}
