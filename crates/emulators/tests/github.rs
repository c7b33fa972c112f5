//! The GitHub stand-in keeps GitHub's promises: paging, fork tokens, appended annotations, identity tokens.
#![expect(clippy::unwrap_used, reason = "a test's own surroundings")]

use std::io::{Read as _, Write as _};

use emulators::GitHub;
use serde_json::{Value, json};

struct Answer {
    status: u16,
    head: String,
    body: Value,
}

fn send(url: &str, method: &str, path: &str, token: &str, body: &Value) -> Answer {
    let host = url.strip_prefix("http://").unwrap();
    let mut stream = std::net::TcpStream::connect(host).unwrap();
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\nuser-agent: test\r\nconnection: close"
    );
    write!(stream, "{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_owned(), body: serde_json::from_str(body).unwrap_or_default() }
}

#[test]
fn comments_come_thirty_a_page_and_name_the_next_one() {
    let github = GitHub::start();
    for number in 0..31 {
        github.comment(7, &format!("comment {number}"));
    }
    let first = send(&github.url(), "GET", "/repos/acme/shop/issues/7/comments", github.token(), &Value::Null);
    assert_eq!(first.body.as_array().unwrap().len(), 30);
    assert!(first.head.contains("page=2>; rel=\"next\""), "{}", first.head);
    let path = "/repos/acme/shop/issues/7/comments?per_page=30&page=2";
    let second = send(&github.url(), "GET", path, github.token(), &Value::Null);
    assert_eq!(second.body[0]["body"], "comment 30");
    assert!(!second.head.contains("rel=\"next\""));
}

#[test]
fn a_forks_token_reads_and_may_not_write() {
    let github = GitHub::start();
    let path = "/repos/acme/shop/issues/7/comments";
    let refused = send(&github.url(), "POST", path, github.fork_token(), &json!({ "body": "hello" }));
    assert_eq!((refused.status, &refused.body["message"]), (403, &json!("Resource not accessible by integration")));
    assert_eq!(send(&github.url(), "GET", path, github.fork_token(), &Value::Null).status, 200);
    assert_eq!(send(&github.url(), "GET", path, "ghs_other", &Value::Null).status, 401);
    assert!(github.comments(7).is_empty());
}

#[test]
fn a_comment_is_created_and_edited() {
    let github = GitHub::start();
    let url = github.url();
    let path = "/repos/acme/shop/issues/7/comments";
    let created = send(&url, "POST", path, github.token(), &json!({ "body": "red" }));
    assert_eq!((created.status, &created.body["user"]["login"]), (201, &json!("github-actions[bot]")));
    let path = format!("/repos/acme/shop/issues/comments/{}", created.body["id"]);
    assert_eq!(send(&url, "PATCH", &path, github.token(), &json!({ "body": "green" })).status, 200);
    assert_eq!(github.comments(7), ["green"]);
}

#[test]
fn annotations_of_a_check_run_add_up_over_requests() {
    let github = GitHub::start();
    let annotation =
        json!({ "path": "a", "message": "b", "annotation_level": "failure", "start_line": 1, "end_line": 1 });
    let output = json!({ "title": "t", "summary": "s", "annotations": vec![annotation; 50] });
    let run = json!({ "name": "checks", "head_sha": "5ae7847aa0d1f1c5b7b5b2d7f6a1c3e4d5f60718", "output": output });
    let created = send(&github.url(), "POST", "/repos/acme/shop/check-runs", github.token(), &run);
    assert_eq!(created.status, 201);
    let path = format!("/repos/acme/shop/check-runs/{}", created.body["id"]);
    let edit = json!({ "conclusion": "failure", "output": output });
    assert_eq!(send(&github.url(), "PATCH", &path, github.token(), &edit).status, 200);
    let seen = &github.check_runs()[0];
    assert_eq!(seen["output"]["annotations"].as_array().unwrap().len(), 100);
    assert_eq!(seen["status"], "completed");
}

#[test]
fn a_deployment_collects_its_statuses() {
    let github = GitHub::start();
    let path = "/repos/acme/shop/deployments";
    let asked = json!({ "ref": "main", "environment": "dev", "auto_merge": false, "required_contexts": [] });
    let created = send(&github.url(), "POST", path, github.token(), &asked);
    let path = format!("{path}/{}/statuses", created.body["id"]);
    for state in ["in_progress", "success"] {
        assert_eq!(send(&github.url(), "POST", &path, github.token(), &json!({ "state": state })).status, 201);
    }
    assert_eq!(send(&github.url(), "POST", &path, github.token(), &json!({ "state": "bogus" })).status, 422);
    assert_eq!(github.deployments()[0].statuses.len(), 2);
}

#[test]
fn a_job_gets_an_identity_token_for_its_audience() {
    let github = GitHub::start();
    let url = github.id_token_url();
    let path = format!("{}&audience=doppler", url.strip_prefix(&github.url()).unwrap());
    let answer = send(&github.url(), "GET", &path, github.id_token_bearer(), &Value::Null);
    let token = answer.body["value"].as_str().unwrap();
    assert_eq!(token.split('.').count(), 3);
    assert!(github.secrets().all().contains(&token.to_owned()));
    assert_eq!(send(&github.url(), "GET", &path, github.token(), &Value::Null).status, 401);
}

#[test]
fn a_jobs_token_is_no_user_to_rest_and_has_a_login_in_graphql() {
    let github = GitHub::start();
    assert_eq!(send(&github.url(), "GET", "/user", github.token(), &Value::Null).status, 403);
    let query = json!({ "query": "query { viewer { login } }" });
    for token in [github.token(), github.fork_token()] {
        let answer = send(&github.url(), "POST", "/graphql", token, &query);
        assert_eq!(answer.body["data"]["viewer"]["login"], "github-actions[bot]");
    }
    let other = send(&github.url(), "POST", "/graphql", github.token(), &json!({ "query": "{ me }" }));
    assert!(other.body["errors"].is_array());
}

#[test]
fn another_authors_comment_is_neither_edited_nor_removed() {
    let github = GitHub::start();
    github.comment(7, "mine");
    github.comment_of_job(7, "the job's");
    let path = |id: u64| format!("/repos/acme/shop/issues/comments/{id}");
    let edit = json!({ "body": "changed" });
    assert_eq!(send(&github.url(), "PATCH", &path(1), github.token(), &edit).status, 403);
    assert_eq!(send(&github.url(), "DELETE", &path(1), github.token(), &Value::Null).status, 403);
    assert_eq!(send(&github.url(), "DELETE", &path(2), github.token(), &Value::Null).status, 204);
    assert_eq!(send(&github.url(), "DELETE", &path(2), github.token(), &Value::Null).status, 404);
    assert_eq!(send(&github.url(), "PATCH", &path(2), github.token(), &edit).status, 404);
    assert_eq!(github.comments(7), ["mine"]);
}

#[test]
fn the_defaults_of_a_deployment_are_those_that_surprise() {
    let github = GitHub::start();
    let path = "/repos/acme/shop/deployments";
    let status = |body: &Value| send(&github.url(), "POST", path, github.token(), body).status;
    assert_eq!(status(&json!({ "ref": "main" })), 409, "all checks of the commit must have passed");
    assert_eq!(status(&json!({ "ref": "main", "required_contexts": [] })), 202, "main is merged into it");
    assert_eq!(status(&json!({ "ref": "main", "required_contexts": [], "auto_merge": false })), 201);
    assert_eq!(github.deployments().len(), 1);
    let url = format!("{path}/{}/statuses", github.deployments()[0].id);
    let bad = json!({ "state": "success", "environment_url": "javascript:alert(1)" });
    assert_eq!(send(&github.url(), "POST", &url, github.token(), &bad).status, 422);
}

#[test]
fn open_pull_requests_are_found_by_owner_and_branch() {
    let github = GitHub::start();
    let pull = |number, is_open| emulators::github::Pull {
        number,
        head_repository: "mallory/shop".to_owned(),
        branch: "fix".to_owned(),
        sha: "a".repeat(40),
        base_sha: "b".repeat(40),
        is_open,
    };
    github.pull(pull(7, true));
    github.pull(pull(8, false));
    let found = |head: &str| {
        let path = format!("/repos/acme/shop/pulls?state=open&head={head}");
        send(&github.url(), "GET", &path, github.token(), &Value::Null).body.as_array().unwrap().len()
    };
    assert_eq!((found("mallory:fix"), found("acme:fix"), found("mallory:other")), (1, 0, 0));
    assert_eq!(
        send(&github.url(), "GET", "/repos/acme/shop/pulls?per_page=101", github.token(), &Value::Null).status,
        422
    );
}
