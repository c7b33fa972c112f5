//! What GitHub refuses with 422: the limits of its published OpenAPI document.

use serde_json::Value;

fn text<'a>(body: &'a Value, name: &str) -> Result<&'a str, String> {
    body[name].as_str().filter(|text| !text.is_empty()).ok_or_else(|| format!("{name} is missing"))
}

fn one_of(body: &Value, name: &str, allowed: &[&str]) -> Result<(), String> {
    match &body[name] {
        Value::Null => Ok(()),
        Value::String(value) if allowed.contains(&value.as_str()) => Ok(()),
        other => Err(format!("{name} {other} is not one of {}", allowed.join(", "))),
    }
}

fn at_most(body: &Value, name: &str, limit: usize) -> Result<(), String> {
    let length = body[name].as_str().map_or(0, |text| text.chars().count());
    if length > limit { Err(format!("{name} is too long (maximum is {limit} characters)")) } else { Ok(()) }
}

/// A check run as created or (`is_new` false) as edited.
pub(super) fn check_check_run(body: &Value, is_new: bool) -> Result<(), String> {
    if is_new {
        text(body, "name")?;
        let sha = text(body, "head_sha")?;
        if sha.len() != 40 || !sha.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err("head_sha is not a commit".to_owned());
        }
    }
    one_of(body, "status", &["queued", "in_progress", "completed", "waiting", "requested", "pending"])?;
    let conclusions = ["action_required", "cancelled", "failure", "neutral", "success", "skipped", "timed_out"];
    one_of(body, "conclusion", &conclusions)?;
    let output = &body["output"];
    if output.is_null() {
        return Ok(());
    }
    text(output, "summary")?;
    if is_new {
        text(output, "title")?;
    }
    at_most(output, "summary", 65_535)?;
    at_most(output, "text", 65_535)?;
    let none = Vec::new();
    let annotations = output["annotations"].as_array().unwrap_or(&none);
    if annotations.len() > 50 {
        return Err("annotations exceeds a maximum of 50".to_owned());
    }
    annotations.iter().try_for_each(check_annotation)
}

fn check_annotation(annotation: &Value) -> Result<(), String> {
    text(annotation, "path")?;
    text(annotation, "message")?;
    text(annotation, "annotation_level")?;
    one_of(annotation, "annotation_level", &["notice", "warning", "failure"])?;
    at_most(annotation, "title", 255)?;
    if annotation["message"].as_str().is_some_and(|message| message.len() > 64 * 1024) {
        return Err("message exceeds 64 KB".to_owned());
    }
    if annotation["start_column"].is_u64() && annotation["start_line"] != annotation["end_line"] {
        return Err("start_column needs a single line".to_owned());
    }
    for line in ["start_line", "end_line"] {
        if annotation[line].as_u64().is_none_or(|line| line == 0) {
            return Err(format!("{line} is missing"));
        }
    }
    Ok(())
}

/// A deployment as created.
pub(super) fn check_deployment(body: &Value) -> Result<(), String> {
    text(body, "ref")?;
    at_most(body, "environment", 255)
}

/// A status of a deployment.
pub(super) fn check_status(body: &Value) -> Result<(), String> {
    text(body, "state")?;
    let states = ["error", "failure", "inactive", "in_progress", "queued", "pending", "success"];
    one_of(body, "state", &states)?;
    for name in ["environment_url", "log_url", "target_url"] {
        let url = body[name].as_str().unwrap_or_default();
        if !url.is_empty() && !url.starts_with("https://") && !url.starts_with("http://") {
            return Err(format!("{name} must use http(s) scheme"));
        }
    }
    at_most(body, "description", 140)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{check_check_run, check_status};

    #[test]
    fn a_check_run_takes_fifty_annotations_at_once() {
        let one = json!({ "path": "a", "message": "b", "annotation_level": "failure", "start_line": 1, "end_line": 1 });
        let run = |count| {
            let output = json!({ "title": "t", "summary": "s", "annotations": vec![one.clone(); count] });
            json!({ "name": "n", "head_sha": "5ae7847aa0d1f1c5b7b5b2d7f6a1c3e4d5f60718", "output": output })
        };
        assert_eq!(check_check_run(&run(50), true), Ok(()));
        assert!(check_check_run(&run(51), true).is_err());
    }

    #[test]
    fn a_state_that_does_not_exist_is_refused() {
        assert_eq!(check_status(&json!({ "state": "success" })), Ok(()));
        assert!(check_status(&json!({ "state": "bogus" })).is_err());
        assert!(check_status(&json!({ "state": "success", "description": "x".repeat(141) })).is_err());
    }
}
