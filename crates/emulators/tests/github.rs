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
