//! The calls that the stand-in knows. Everything else is 404, and what GitHub documents as wrong is refused as GitHub refuses it.

use serde_json::{Value, json};

use super::documents;
use super::entities::Pull;
use super::limits::{check_check_run, check_deployment, check_status};
use super::names::{LOGIN, REPOSITORY};
use super::refusal::{invalid, message};
use super::state::{Edited, State};
use crate::http::{Request, Response};

/// The answer to a call under `/repos/acme/shop`.
pub(super) fn route(state: &mut State, host: &str, segments: &[&str], request: &Request) -> Response {
    if let Some(refused) = paging_refused(request) {
        return refused;
    }
    let body = request.json();
    match (request.method.as_str(), segments) {
        ("GET", ["issues", issue, "comments"]) => {
            let of_issue = state.comments.iter().filter(|one| one.issue.to_string() == *issue);
            let all: Vec<Value> = of_issue.map(|one| documents::comment(one, REPOSITORY)).collect();
            listed(&all, host, request, |shown| json!(shown))
        }
        (_, ["issues", rest @ ..]) => comment(state, rest, request, &body),
        ("GET", ["commits", commit, "check-runs"]) => {
            let all = state.check_runs_of(commit, request.parameter("check_name").as_deref());
            let total = all.len();
            listed(&all, host, request, |shown| json!({ "total_count": total, "check_runs": shown }))
        }
        ("POST", ["check-runs"]) => match check_check_run(&body, true) {
            Err(why) => invalid(&why),
            Ok(()) => Response::json(201, &state.add_check_run(&body)),
        },
        ("PATCH", ["check-runs", id]) => match check_check_run(&body, false) {
            Err(why) => invalid(&why),
            Ok(()) => found(200, state.edit_check_run(id, &body)),
        },
        ("GET", ["deployments"]) => {
            let (sha, environment) = (request.parameter("sha"), request.parameter("environment"));
            let is_asked = |name: &str, asked: &Option<String>, body: &Value| {
                asked.as_ref().is_none_or(|asked| body[name].as_str() == Some(asked))
            };
            let of = state.deployments.iter().rev().filter(|one| {
                is_asked("ref", &sha, &one.request) && is_asked("environment", &environment, &one.request)
            });
            let all: Vec<Value> = of.map(|one| documents::deployment(one, REPOSITORY)).collect();
            listed(&all, host, request, |shown| json!(shown))
        }
        ("POST", ["deployments"]) => deployment(state, &body),
        ("POST", ["deployments", id, "statuses"]) => match check_status(&body) {
            Err(why) => invalid(&why),
            Ok(()) => found(201, state.add_status(id, &body)),
        },
        ("GET", ["pulls"]) => {
            let head = request.parameter("head");
            let is_asked = |pull: &Pull| {
                let owner = pull.head_repository.split('/').next().unwrap_or_default();
                pull.is_open && head.as_ref().is_none_or(|head| *head == format!("{owner}:{}", pull.branch))
            };
            let all = state.pulls.iter().filter(|pull| is_asked(pull)).map(|pull| documents::pull(pull, REPOSITORY));
            listed(&all.collect::<Vec<_>>(), host, request, |shown| json!(shown))
        }
        ("GET", ["compare", ends]) => match (ends.split_once("..."), &state.merge_base) {
            (Some((base, head)), Some(found)) => {
                Response::json(200, &documents::comparison(base, head, found, REPOSITORY))
            }
            _ => message(404, "Not Found"),
        },
        _ => message(404, "Not Found"),
    }
}

fn comment(state: &mut State, segments: &[&str], request: &Request, body: &Value) -> Response {
    let text = body["body"].as_str().filter(|text| !text.is_empty() && text.chars().count() <= 65_536);
    match (request.method.as_str(), segments, text) {
        ("POST" | "PATCH", [_, "comments"] | ["comments", _], None) => {
            invalid("body is missing or too long (maximum is 65536 characters)")
        }
        ("POST", [issue, "comments"], Some(text)) => match issue.parse() {
            Ok(issue) => Response::json(201, &state.add_comment(issue, LOGIN, text)),
            Err(_) => message(404, "Not Found"),
        },
        ("PATCH", ["comments", id], Some(text)) => match state.edit_comment(id, LOGIN, text) {
            Edited::Absent => message(404, "Not Found"),
            Edited::AnothersComment => message(403, "Must have admin rights to Repository."),
            Edited::Comment(comment) => Response::json(200, &comment),
        },
        ("DELETE", ["comments", id], _) => match state.delete_comment(id, LOGIN) {
            None => message(403, "Must have admin rights to Repository."),
            Some(false) => message(404, "Not Found"),
            Some(true) => Response::empty(204),
        },
        _ => message(404, "Not Found"),
    }
}

/// A deployment that leaves `auto_merge` or `required_contexts` to their defaults gets what these do on a commit that is behind, or
/// whose checks are still running.
fn deployment(state: &mut State, body: &Value) -> Response {
    if let Err(why) = check_deployment(body) {
        return invalid(&why);
    }
    if body["required_contexts"] != json!([]) {
        return message(409, "Conflict: Commit status checks failed for the ref");
    }
    if body["auto_merge"] != false {
        return Response::json(202, &json!({ "message": "Auto-merged main into the ref on deployment." }));
    }
    Response::json(201, &state.add_deployment(body))
}

fn found(status: u16, document: Option<Value>) -> Response {
    document.map_or_else(|| message(404, "Not Found"), |document| Response::json(status, &document))
}

/// GitHub caps `per_page` in silence; a program that asks for more counts wrongly.
fn paging_refused(request: &Request) -> Option<Response> {
    let size = request.parameter("per_page")?;
    let is_good = size.parse().is_ok_and(|size: usize| (1..=100).contains(&size));
    (!is_good).then(|| invalid("per_page is not a number from 1 to 100"))
}

/// One page: 30 entries unless asked for up to 100, the next page in `Link`.
fn listed(all: &[Value], host: &str, request: &Request, wrap: impl FnOnce(&[Value]) -> Value) -> Response {
    let number =
        |name: &str, default: usize| request.parameter(name).and_then(|text| text.parse().ok()).unwrap_or(default);
    let (page, size) = (number("page", 1).max(1), number("per_page", 30));
    let start = all.len().min((page - 1) * size);
    let end = all.len().min(start + size);
    let answer = Response::json(200, &wrap(&all[start..end]));
    if end == all.len() {
        return answer;
    }
    let kept = request.query.split('&').filter(|pair| {
        let name = pair.split('=').next().unwrap_or_default();
        !pair.is_empty() && name != "page" && name != "per_page"
    });
    let query = kept.fold(String::new(), |query, pair| query + pair + "&");
    let next = format!("<http://{host}{}?{query}per_page={size}&page={}>; rel=\"next\"", request.path, page + 1);
    answer.header("link", next)
}
