//! A plan that runs and publishes in one call: comment, check run, summary and process have one result.

use emulators::GitHub;
use serde_json::Value;

use super::super::published::{HEAD, count, ours, pull_step, run};
use crate::support::Step;

const PLAN: &str = r#"
title = "Pre-deploy validation"
[[stage]]
name = "Build"
[[stage.check]]
name = "worker"
dir = "web"
run = "echo 'src/index.ts(45,9): error TS2322: no' && exit 2"
[[stage.check]]
name = "docs"
run = "true"
[[stage]]
name = "Deploy"
needs = ["Build"]
[[stage.check]]
name = "dry run"
run = "touch deployed"
"#;

const ALL: [&str; 6] = ["--plan", "preflight.toml", "--comment", "--check-run", "--write", "json=report.json"];

fn planned(github: &GitHub, arguments: &[&str], plan: &str) -> Step {
    let arguments = [ALL.as_slice(), arguments].concat();
    pull_step(github, &arguments).file("preflight.toml", plan).file("web/src/index.ts", "")
}

#[test]
fn a_failed_plan_is_told_alike_in_comment_check_run_summary_document_and_exit_code() {
    let github = GitHub::start();
    let seen = run(&github, planned(&github, &["--to", "output"], PLAN)).exits(1);
    let comment = &ours(&github)[0];
    for part in [comment, &seen.summary] {
        assert!(part.contains("Pre-deploy validation failed"), "{part}");
        assert!(part.contains("web/src/index.ts:45"), "{part}");
        assert!(part.contains("preflight-report --plan preflight.toml --only build/worker"), "{part}");
        assert!(part.contains("exit code 1"), "{part}");
    }
    let check_run = &github.check_runs()[0];
    assert_eq!((&check_run["conclusion"], &check_run["head_sha"]), (&"failure".into(), &HEAD.into()));
    assert_eq!(check_run["output"]["title"], "1 of 3 checks failed");
    let document: Value = serde_json::from_str(&seen.read("report.json").unwrap()).unwrap();
    assert_eq!((&document["exit_code"], &document["result"]), (&1.into(), &"failed".into()));
    assert_eq!((seen.outputs["exit_code"].as_str(), seen.outputs["result"].as_str()), ("1", "failed"));
    assert_eq!(seen.outputs["comment_url"], "https://github.com/acme/shop/pull/7#issuecomment-1");
    assert_eq!(seen.read("deployed"), None);
    // The next push mends it: the same comment turns green.
    let mended = PLAN.replace("&& exit 2", "> log");
    let seen = run(&github, planned(&github, &[], &mended).env("GITHUB_RUN_NUMBER", "13")).exits(0);
    assert!(
        ours(&github).len() == 1 && ours(&github)[0].contains("Pre-deploy validation passed"),
        "{:?}",
        ours(&github)
    );
    assert_eq!(github.check_runs()[1]["conclusion"], "success");
    assert!(seen.summary.contains("Pre-deploy validation passed") && seen.read("deployed").is_some());
}

#[test]
fn a_run_that_is_interrupted_publishes_nothing_and_its_document_has_the_code_of_the_signal() {
    let github = GitHub::start();
    let plan = "[[stage]]\nname = \"a\"\n[[stage.check]]\nname = \"b\"\nrun = \"touch up; sleep 600\"\n";
    let started = planned(&github, &["--require-publish"], plan).spawn();
    while !started.folder().join("up").exists() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let id = rustix::process::Pid::from_child(&started.child);
    rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
    let seen = started.finish().exits(130);
    assert!(github.requests().is_empty(), "{:?}", github.requests().len());
    assert_eq!(seen.messages("notice"), ["nothing is published: the run was interrupted"]);
    let document: Value = serde_json::from_str(&seen.read("report.json").unwrap()).unwrap();
    assert_eq!(document["exit_code"], 130);
}

#[test]
fn a_plan_whose_deadline_passes_is_published_in_time() {
    let github = GitHub::start();
    let plan = "[[stage]]\nname = \"a\"\n[[stage.check]]\nname = \"b\"\nrun = \"sleep 600\"\n";
    let seen = run(&github, planned(&github, &["--deadline", "20s"], plan)).exits(3);
    assert!(ours(&github)[0].contains("the --deadline passed"), "{:?}", ours(&github));
    assert!(ours(&github)[0].contains("exit code 3"), "{:?}", ours(&github));
    assert_eq!(count(&github, "POST /repos/*/check-runs"), 1, "{}", seen.stderr);
}

#[test]
fn a_preview_of_a_plan_runs_it_and_asks_nothing() {
    let github = GitHub::start();
    let seen = run(&github, planned(&github, &["--preview"], PLAN)).exits(1);
    assert!(github.requests().is_empty());
    assert!(
        seen.stdout.contains("=== comment `CI` on pull request #7") && seen.stdout.contains("TS2322"),
        "{}",
        seen.stdout
    );
}
