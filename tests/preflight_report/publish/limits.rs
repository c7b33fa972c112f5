//! GitHub's limits: sizes, annotations per request, rate limits.

use emulators::GitHub;
use emulators::http::Fault;
use serde_json::{Value, json};

use super::super::published::{BASE, HEAD, MERGE_BASE, count, hold, ours, pull_step, records, run, step};

#[test]
fn a_comment_never_exceeds_65536_characters_and_names_how_it_was_shortened() {
    let github = GitHub::start();
    let log = (0..30).map(|line| format!("{line} é{}\n", "x".repeat(380))).collect::<Vec<_>>().concat();
    let mut lines = vec![json!({"v":1,"event":"run_started","title":"Checks","plan":[]})];
    for check in 0..300 {
        let id = format!("a/{check}-{}", "n".repeat(80));
        lines.push(json!({"v":1,"event":"output","check":id,"text":log}));
        let reason = json!({"code":"x","text":"why ".repeat(80)});
        lines.push(json!({"v":1,"event":"check_finished","check":id,"status":"failed","reason":reason}));
    }
    lines.push(json!({"v":1,"event":"run_finished","result":"failed"}));
    let text = lines.iter().map(|line| format!("{line}\n")).collect::<Vec<_>>().concat();
    run(&github, pull_step(&github, &["--comment", "--check-run"]).stdin(text)).exits(1);
    let body = ours(&github).remove(0);
    assert!(body.chars().count() <= 65_536 && body.contains("shortened to fit: "), "{}", body.len());
    let summary = github.check_runs()[0]["output"]["summary"].as_str().unwrap().to_owned();
    assert!(summary.contains("shortened to fit: ") && summary.contains("**300 of 300 checks failed**"));
}

#[test]
fn a_check_run_has_every_finding_fifty_per_request_on_the_head() {
    let github = GitHub::start();
    let findings: Vec<(&str, u64, &str)> = (1..=120).map(|line| ("src/x.ts", line, "no")).collect();
    let step = pull_step(&github, &["--check-run"]).stdin(records("failed", &findings)).file("src/x.ts", "");
    run(&github, step).exits(1);
    let run = github.check_runs().remove(0);
    let annotations = run["output"]["annotations"].as_array().unwrap();
    assert_eq!(
        (annotations.len(), run["head_sha"].as_str(), run["conclusion"].as_str()),
        (120, Some(HEAD), Some("failure"))
    );
    assert_eq!((count(&github, "POST /repos/*/check-runs"), count(&github, "PATCH /repos/*/check-runs/*")), (1, 2));
    assert_eq!(run["details_url"], "https://github.com/acme/shop/actions/runs/4711");
    let lines: std::collections::BTreeSet<u64> =
        annotations.iter().map(|one| one["start_line"].as_u64().unwrap()).collect();
    assert_eq!(lines.len(), 120);
}

#[test]
fn a_lost_check_run_is_looked_for_before_another_is_made() {
    for (fault, posts) in [(Fault::status(502).carried_out(), 1), (Fault::reset(), 2)] {
        let github = GitHub::start();
        github.fail("POST /repos/*/check-runs", fault.times(1));
        let seen = run(&github, pull_step(&github, &["--check-run"]).stdin(records("passed", &[]))).exits(0);
        assert_eq!((github.check_runs().len(), count(&github, "POST /repos/*/check-runs")), (1, posts));
        assert_eq!(seen.messages("warning"), [""; 0]);
    }
}

fn secondary() -> Value {
    json!({ "message": "You have exceeded a secondary rate limit.", "documentation_url": "https://docs.github.com" })
}

#[test]
fn a_secondary_rate_limit_is_waited_for_within_the_deadline() {
    let github = GitHub::start();
    let limited = || Fault::json(403, &secondary()).header("retry-after", "1").times(1);
    github.fail("POST /repos/acme/shop/issues/7/comments", limited());
    github.fail("POST /repos/acme/shop/check-runs", limited());
    let seen = run(&github, pull_step(&github, &["--comment", "--check-run"]).stdin(records("failed", &[]))).exits(1);
    assert_eq!(seen.messages("warning"), [""; 0]);
    assert_eq!((ours(&github).len(), github.check_runs().len()), (1, 1));
}

#[test]
fn a_rate_limit_beyond_the_deadline_is_a_warning_that_names_it() {
    for fault in [
        Fault::json(403, &secondary()),
        Fault::json(429, &secondary()).header("retry-after", "120"),
        Fault::json(403, &json!({ "message": "API rate limit exceeded" })).header("x-ratelimit-remaining", "0"),
    ] {
        let github = GitHub::start();
        github.fail("POST /repos/acme/shop/issues/7/comments", fault);
        let step =
            pull_step(&github, &["--comment", "--require-publish", "--deadline", "5s"]).stdin(records("passed", &[]));
        let changed = step.file("old.jsonl", records("failed", &[])).args(["--baseline", "old.jsonl"]);
        let seen = run(&github, changed).exits(75);
        let warning = seen.messages("warning")[0];
        assert!(warning.contains("GitHub asks to wait ") && warning.contains("past the deadline"), "{warning}");
        assert_eq!(count(&github, "POST /repos/acme/shop/issues/7/comments"), 1);
    }
}

#[test]
fn the_report_is_compared_with_the_check_run_on_the_merge_base() {
    let github = GitHub::start();
    let main = json!({});
    let old = records("failed", &[("src/x.ts", 4, "known"), ("src/x.ts", 5, "fixed")]);
    run(&github, step(&github, "push", &main, &["--check-run"]).env("GITHUB_SHA", MERGE_BASE).stdin(old)).exits(1);
    github.set_merge_base(MERGE_BASE);
    let now = records("failed", &[("src/x.ts", 44, "known"), ("src/x.ts", 45, "new one")]);
    let step = pull_step(&github, &["--comment", "--check-run", "--format", "json"]).stdin(now).file("src/x.ts", "");
    let seen = run(&github, step).exits(1);
    let comparison = seen.json()["comparison"].clone();
    assert_eq!(comparison, json!({ "with": "the base at 00e6900", "new": 1, "known": 1, "fixed": 1 }));
    assert_eq!(count(&github, &format!("GET /repos/acme/shop/compare/{BASE}...{HEAD}")), 1);
    assert!(ours(&github)[0].contains("1 new, 1 known, 1 fixed since the base at 00e6900"), "{}", ours(&github)[0]);
    // What is new comes first where only a few are shown.
    assert_eq!(seen.messages("error")[0], "R1 new one");
    assert!(seen.summary.contains("1 new, 1 known, 1 fixed"));
}

#[test]
fn without_a_base_the_report_says_that_it_was_not_compared() {
    let github = GitHub::start();
    github.set_merge_base(MERGE_BASE);
    let seen = run(&github, pull_step(&github, &["--check-run"]).stdin(records("failed", &[]))).exits(1);
    let sentence = "not compared with the base: there is no check run `preflight-report: CI / report` at 00e6900";
    assert!(seen.stdout.contains(sentence), "{}", seen.stdout);
    assert!(github.check_runs()[0]["output"]["summary"].as_str().unwrap().contains("not compared with the base"));
}

#[test]
fn a_baseline_file_needs_no_network_and_never_changes_the_verdict() {
    let github = GitHub::start();
    let old = records("failed", &[("src/x.ts", 4, "known")]);
    for (name, old) in [("old.jsonl", old.clone()), ("old.json", super::super::published::document("old.json", &old))] {
        let now = records("failed", &[("src/x.ts", 9, "known")]);
        let step = pull_step(&github, &["--baseline", name, "--format", "json"]).stdin(now).file(name, &old);
        let seen = step.run().exits(1);
        assert_eq!(seen.json()["comparison"]["known"], 1, "{}", seen.stdout);
        assert_eq!(seen.json()["stages"][0]["checks"][0]["findings"][0]["new"], false);
    }
    assert!(github.requests().is_empty());
    hold(&github);
    pull_step(&github, &["--baseline", "absent.json"]).stdin(records("passed", &[])).run().exits(2);
}
