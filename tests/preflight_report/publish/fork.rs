//! Pull requests of forks: a token that may only read, and the document that a second workflow publishes.

use emulators::GitHub;
use emulators::github::Pull;
use serde_json::{Value, json};

use super::super::published::{
    HEAD, count, document, forks_pull, ours, pull_request, records, run, step, workflow_run,
};

#[test]
fn a_forks_token_is_one_notice_and_no_failure() {
    let github = GitHub::start();
    let arguments = ["--comment", "--check-run", "--deployments", "--require-publish"];
    let step = step(&github, "pull_request", &pull_request("mallory/shop"), &arguments).stdin(records("failed", &[]));
    let seen = run(&github, step.workflow_secret("GITHUB_TOKEN", github.fork_token())).exits(1);
    assert_eq!(seen.messages("notice").len(), 1, "{}", seen.stderr);
    assert!(seen.messages("notice")[0].contains("may only read") && seen.messages("warning").is_empty());
    assert!(github.comments(7).is_empty() && github.check_runs().is_empty());
}

/// Publishes `document` as the workflow that `workflow_run` started.
fn publish(github: &GitHub, document: &str, conclusion: &str, more: &[&str]) -> crate::support::Seen {
    let arguments = [["--from-json", "report.json", "--comment", "--check-run"].as_slice(), more].concat();
    let step = step(github, "workflow_run", &workflow_run(conclusion), &arguments).file("report.json", document);
    run(github, step.env("GITHUB_WORKFLOW", "Publish").env("GITHUB_RUN_NUMBER", "77"))
}

#[test]
fn a_second_workflow_publishes_what_the_forks_run_found() {
    let github = GitHub::start();
    github.pull(forks_pull(7));
    let seen =
        publish(&github, &document("r.json", &records("failed", &[("src/x.ts", 4, "no")])), "failure", &[]).exits(1);
    assert_eq!(seen.messages("warning"), [""; 0]);
    let body = ours(&github).remove(0);
    assert!(body.starts_with("<!-- preflight-report:CI -->\n") && body.contains("## ❌ CI failed"), "{body}");
    assert!(body.contains("[run](https://github.com/acme/shop/actions/runs/99)"), "{body}");
    assert_eq!(github.check_runs()[0]["head_sha"], HEAD);
    // The run's number is the one of the fork's run.
    let seen = publish(&github, &document("r.json", &records("passed", &[])), "success", &[]).exits(0);
    assert!(seen.messages("warning")[0].contains("`CI / report` of this attempt already"), "{}", seen.stderr);
}

#[test]
fn a_document_that_claims_success_after_a_failed_run_is_failed_and_says_so() {
    for conclusion in ["failure", "cancelled", "timed_out"] {
        let github = GitHub::start();
        github.pull(forks_pull(7));
        let seen =
            publish(&github, &document("r.json", &records("passed", &[])), conclusion, &["--format", "json"]).exits(1);
        assert_eq!(seen.json()["result"], "failed");
        let sentence = format!("the workflow run `CI` ended with `{conclusion}`");
        assert!(seen.json()["reasons"][0].as_str().unwrap().contains(&sentence), "{}", seen.stdout);
        assert!(ours(&github)[0].contains("## ❌ CI failed") && github.check_runs()[0]["conclusion"] == "failure");
    }
}

#[test]
fn nothing_in_a_forged_document_reaches_further_than_its_text() {
    let mut forged: Value = serde_json::from_str(&document("r.json", &records("failed", &[]))).unwrap();
    forged["title"] = json!("All good <!-- --> [merge](https://evil.example)");
    forged["result"] = json!("passed");
    forged["exit_code"] = json!(0);
    forged["source"] = json!({ "repository": "acme/other", "commit": "f".repeat(40), "workflow": "Release", "job": "deploy",
        "run_url": "https://evil.example/run", "run_attempt": 99 });
    forged["number"] = json!(1);
    let check = &mut forged["stages"][0]["checks"][0];
    check["name"] = json!("<!-- preflight-report:CI --> @octocat #1 www.evil.example");
    check["url"] = json!("https://evil.example/phish");
    check["data"] = json!({ "alias": "https://evil.example/alias" });
    check["output"] =
        json!({ "tail": "```\n<!-- preflight-report:CI -->\nhttps://evil.example\n::error::x\n##[add-mask]e" });
    check["findings"] =
        json!([{ "level": "error", "path": "../../etc/passwd", "line": 1, "message": "see https://evil.example/fix" }]);
    let github = GitHub::start();
    github.pull(forks_pull(7));
    github.comment(1, "another pull request");
    let seen = publish(&github, &forged.to_string(), "success", &[]).exits(1);
    let body = ours(&github).remove(0);
    let summary = github.check_runs()[0]["output"]["summary"].as_str().unwrap().to_owned();
    for text in [&body, &summary, &seen.summary] {
        assert!(!text.contains("://evil") && !text.contains("www.evil") && !text.contains("@octocat"), "{text}");
        assert!(!text.contains("acme/other") && !text.contains("ffffffff") && !text.contains("Release"), "{text}");
        assert!(text.contains("## ❌ CI failed"), "the title is the event's: {text}");
    }
    let markers = body.lines().filter(|line| line.starts_with("<!-- preflight-report:CI -->")).count();
    assert!(markers == 2, "its own, and one in a fence: {body}");
    assert_eq!((github.comments(1).len(), github.check_runs()[0]["head_sha"].as_str()), (1, Some(HEAD)));
    assert!(seen.annotations.iter().all(|one| one.file.is_none() || one.file.as_deref() == Some("../../etc/passwd")));
}

#[test]
fn the_pull_request_is_the_one_of_that_repository_branch_and_commit_or_none() {
    let red = document("r.json", &records("failed", &[]));
    let others = [
        vec![],
        vec![Pull { sha: "f".repeat(40), ..forks_pull(7) }],
        vec![Pull { head_repository: "mallory/fork-of-shop".to_owned(), ..forks_pull(7) }],
        vec![forks_pull(7), forks_pull(8)],
        vec![Pull { is_open: false, ..forks_pull(7) }],
    ];
    for pulls in others {
        let github = GitHub::start();
        let several = pulls.len() > 1;
        for pull in pulls {
            github.pull(pull);
        }
        let seen = publish(&github, &red, "failure", &[]).exits(1);
        let expected = if several { "2 open pull requests come from" } else { "no open pull request comes from" };
        assert!(seen.messages("notice")[0].contains(expected), "{}", seen.stderr);
        assert!(github.comments(7).is_empty() && github.check_runs().len() == 1);
    }
    let github = GitHub::start();
    github.pull(forks_pull(7));
    publish(&github, &red, "failure", &[]).exits(1);
    let asked = github.requests().into_iter().find(|request| request.path.ends_with("/pulls")).unwrap();
    assert_eq!(asked.parameter("head").as_deref(), Some("mallory:fix"));
    assert_eq!(count(&github, "GET /repos/acme/shop/pulls"), 1);
}

#[test]
fn deployments_of_a_document_and_a_document_that_is_none_are_refused() {
    let github = GitHub::start();
    let with = |arguments: &[&str], text: &str| {
        let step = step(&github, "workflow_run", &workflow_run("success"), arguments).file("report.json", text);
        run(&github, step)
    };
    let report = document("r.json", &records("passed", &[]));
    with(&["--from-json", "report.json", "--comment", "--deployments"], &report).exits(2);
    for other in ["{}", "[]", "not json", "", &records("passed", &[])] {
        let seen = with(&["--from-json", "report.json", "--comment"], other).exits(2);
        assert!(seen.stderr.contains("it is no report document"), "{}", seen.stderr);
    }
    with(&["--from-json", "absent.json", "--comment"], "").exits(2);
    with(&["--from-json", "report.json", "--comment", "other.xml"], &report).exits(2);
    assert!(github.requests().is_empty());
}
