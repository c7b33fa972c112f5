//! Publishing against the GitHub stand-in, every request and answer held to GitHub's own description.

mod comment;
mod deployments;
mod fork;
mod limits;
mod plan;

use emulators::GitHub;
use emulators::http::Fault;
use serde_json::json;

use super::published::{self, count, pull_step, records, run, step};
use crate::support::Step;

#[test]
fn without_a_token_nothing_is_published_and_the_verdict_stays() {
    let github = GitHub::start();
    let step = pull_step(&github, &["--comment", "--check-run"]).stdin(records("failed", &[])).without("GITHUB_TOKEN");
    let seen = run(&github, step).exits(1);
    assert!(seen.messages("notice")[0].contains("GITHUB_TOKEN is not set"), "{}", seen.stderr);
    assert!(github.requests().is_empty());
    let step = pull_step(&github, &["--comment", "--require-publish"]).stdin(records("passed", &[]));
    run(&github, step.without("GITHUB_TOKEN")).exits(77);
}

#[test]
fn an_unreachable_github_is_a_warning_and_75_only_if_publishing_is_required() {
    let github = GitHub::start();
    let nowhere = "http://127.0.0.1:9";
    let with = |arguments: &[&str]| {
        pull_step(&github, arguments).stdin(records("passed", &[])).env("GITHUB_API_URL", nowhere).run()
    };
    let seen = with(&["--check-run", "--comment=a"]).exits(0);
    let warnings = seen.messages("warning");
    assert_eq!(warnings.len(), 2, "{}", seen.stderr);
    assert!(warnings[0].starts_with("cannot comment on pull request #7\n"), "{}", warnings[0]);
    assert!(
        warnings[1].contains("Connection refused")
            && warnings[1].contains("POST http://127.0.0.1:9/repos/acme/shop/check-runs")
    );
    assert!(seen.stdout.contains("Ready to deploy!"));
    let seen = with(&["--check-run", "--require-publish", "--format", "json"]).exits(75);
    assert_eq!((seen.json()["exit_code"].as_u64(), seen.json()["result"].as_str()), (Some(75), Some("passed")));
}

#[test]
fn a_missing_permission_is_named_and_77_only_if_publishing_is_required() {
    let github = GitHub::start();
    let refused =
        json!({ "message": "Resource not accessible by integration", "documentation_url": "https://docs.github.com" });
    github.fail("POST /repos/*", Fault::json(403, &refused));
    let arguments = ["--comment", "--check-run", "--deployments"];
    let sites = r#"{"v":1,"event":"run_started","tool":"pages-deploy-all","plan":["sites/shop"]}
{"v":1,"event":"check_finished","check":"sites/shop","status":"failed","url":"https://shop.pages.dev"}
{"v":1,"event":"run_finished","result":"failed"}
"#;
    let seen = run(&github, pull_step(&github, &arguments).stdin(sites)).exits(1);
    let warnings = seen.messages("warning");
    for (warning, permission) in warnings.iter().zip(["pull-requests: write", "checks: write", "deployments: write"]) {
        assert!(warning.contains("answered 403 (Resource not accessible by integration)"), "{warning}");
        assert!(warning.ends_with(&format!("help: give the job `permissions: {permission}`")), "{warning}");
    }
    assert_eq!(warnings.len(), 3, "{}", seen.stderr);
    run(&github, pull_step(&github, &["--check-run", "--require-publish"]).stdin(records("passed", &[]))).exits(77);
    // A failed check is worse than what can be tried again, and a missing permission is worse than that.
    run(&github, pull_step(&github, &["--check-run", "--require-publish"]).stdin(records("failed", &[]))).exits(77);
}

#[test]
fn a_push_and_a_merge_queue_get_a_check_run_and_no_comment() {
    let github = GitHub::start();
    for (event, payload, commit) in [
        ("push", json!({}), "3e7900000000000000000000000000000000ffff"),
        ("merge_group", json!({ "merge_group": { "head_sha": published::HEAD } }), published::HEAD),
    ] {
        let step = step(&github, event, &payload, &["--comment", "--check-run"]).stdin(records("failed", &[]));
        let seen = run(&github, step).exits(1);
        assert_eq!(
            seen.messages("notice"),
            [format!("no comment: there is no pull request, the event `{event}` has none")]
        );
        assert_eq!(github.check_runs().last().unwrap()["head_sha"], commit);
    }
}

#[test]
fn a_preview_shows_everything_with_its_size_and_asks_nothing() {
    let github = GitHub::start();
    let findings: Vec<(&str, u64, &str)> = (1..=60).map(|line| ("src/x.ts", line, "no")).collect();
    let step = pull_step(&github, &["--preview"]).stdin(records("failed", &findings)).file("src/x.ts", "");
    let seen = run(&github, step).exits(1);
    assert!(github.requests().is_empty());
    for expected in [
        "=== comment `CI` on pull request #7: ",
        " of 65536 characters\n\n<!-- preflight-report:CI -->\n",
        "=== check run `preflight-report: CI / report` on 5ae7847aa0d1f1c5b7b5b2d7f6a1c3e4d5f60718: failure, ",
        "60 annotation(s) in 2 request(s)\n",
        "=== 0 deployment(s)\n",
    ] {
        assert!(seen.stdout.contains(expected), "{expected}\n{}", seen.stdout);
    }
    // On a laptop too.
    let local = Step::new("preflight-report").plain().arg("--preview").stdin(records("passed", &[])).run().exits(0);
    assert!(
        local.stdout.contains("only if there is one already") && local.stdout.contains("no pull request"),
        "{}",
        local.stdout
    );
}

#[test]
fn a_command_does_not_inherit_the_token_that_we_publish_with() {
    let github = GitHub::start();
    let shell = ["--", "sh", "-c", "echo \"token: ${GITHUB_TOKEN:-none}\"; exit 1"];
    let arguments = [["--comment"].as_slice(), &shell].concat();
    let seen = run(&github, pull_step(&github, &arguments)).exits(1);
    assert!(seen.stderr.contains("token: none"), "{}", seen.stderr);
    assert_eq!(published::ours(&github).len(), 1);
}

#[test]
fn what_a_log_masks_and_what_is_named_by_mask_env_is_not_published() {
    let github = GitHub::start();
    // A script, because an argument would be a leak itself.
    let script = "echo '::add-mask::from-the-log-8151'; echo 'x.ts(1,1): error TS1: from-the-log-8151 and named-value-8152'; exit 1";
    let arguments = ["--comment", "--check-run", "--mask-env", "MY_KEY", "--", "sh", "log.sh"];
    let step = pull_step(&github, &arguments).file("log.sh", script).secret("from-the-log-8151");
    let step = step.workflow_secret("MY_KEY", "named-value-8152");
    let seen = run(&github, step).exits(1);
    assert!(seen.masks.contains(&"from-the-log-8151".to_owned()));
    let bodies: Vec<String> =
        github.requests().iter().map(|request| String::from_utf8_lossy(&request.body).into_owned()).collect();
    assert!(bodies.iter().any(|body| body.contains("*** and ***")), "{bodies:?}");
    assert!(!bodies.concat().contains("8151") && !bodies.concat().contains("8152"), "{bodies:?}");
    assert!(count(&github, "POST /repos/*/check-runs") == 1 && published::ours(&github).len() == 1);
}

#[test]
fn options_that_have_nothing_to_publish_are_refused() {
    for option in ["--require-publish", "--from-json=x.json"] {
        let seen = Step::new("preflight-report").arg(option).stdin(records("passed", &[])).run().exits(2);
        assert!(seen.stderr.contains("has nothing to publish"), "{}", seen.stderr);
    }
}
