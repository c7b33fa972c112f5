//! Which sites are deployed, and where the result goes.

use std::path::Path;
use std::process::Command;

use emulators::Cloudflare;
use serde_json::json;

use super::{posts, step};
use crate::support::Step;

fn deployed(cloudflare: &Cloudflare) -> Vec<String> {
    let projects = cloudflare.projects().into_iter();
    projects.filter(|project| !cloudflare.deployments(project).is_empty()).collect()
}

#[test]
fn a_list_needs_no_credential_and_is_made_for_a_matrix() {
    let cloudflare = Cloudflare::start();
    let list = |format: &str| {
        step(&cloudflare).without("CLOUDFLARE_API_TOKEN").args(["--list", "--format", format]).run().exits(0)
    };
    let matrix = json!({"include": [{"site": "docs", "project": "docs"}, {"site": "shop", "project": "shop"}]});
    assert_eq!(list("matrix").json(), matrix);
    assert_eq!(list("text").stdout, "docs\nshop\n");
    assert_eq!(list("json").json()["sites"], matrix["include"]);
    assert_eq!(cloudflare.requests().len(), 0);
    step(&cloudflare).args(["--format", "matrix"]).run().exits(2);
}

#[test]
fn shards_deploy_every_site_once() {
    let cloudflare = Cloudflare::start();
    let shard = |part: &str| step(&cloudflare).args(["--shard", part, "--format", "jsonl"]).run().exits(0).records();
    assert_eq!(shard("1/2")[0]["shard"], "1/2");
    assert_eq!(deployed(&cloudflare), ["docs"]);
    shard("2/2");
    assert_eq!(deployed(&cloudflare), ["docs", "shop"]);
    assert_eq!(shard("3/3")[0]["plan"], json!([]));
    assert_eq!(posts(&cloudflare, "*/deployments"), 2);
}

#[test]
fn names_on_stdin_choose_the_sites() {
    let cloudflare = Cloudflare::start();
    step(&cloudflare).args(["--sites", "-"]).stdin("shop # the shop\n\n").run().exits(0);
    assert_eq!(deployed(&cloudflare), ["shop"]);
    let seen = step(&cloudflare).args(["--sites", "-"]).stdin("blog\n").run().exits(2);
    assert!(seen.messages("error")[0].contains("there is no site `blog`"), "{:?}", seen.annotations);
}

fn git(folder: &Path, arguments: &[&str]) {
    let identity = ["-c", "user.name=t", "-c", "user.email=t@t", "-c", "commit.gpgsign=false"];
    let done = Command::new("git").current_dir(folder).args(identity).args(arguments).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// A step in a repository whose last commit is tagged `base`.
fn committed(cloudflare: &Cloudflare) -> Step {
    let step = step(cloudflare).file("packages/theme/a.css", "a").file(".gitignore", "home\n");
    git(step.folder(), &["init", "-q"]);
    git(step.folder(), &["add", "-A"]);
    git(step.folder(), &["commit", "-q", "-m", "base"]);
    git(step.folder(), &["tag", "base"]);
    step
}

#[test]
fn only_what_changed_is_deployed_and_the_rest_is_reported_as_skipped() {
    let cloudflare = Cloudflare::start();
    let changed = ["--changed-since", "base", "--watch", "packages/**"];
    let seen = committed(&cloudflare).args(changed).run().exits(0);
    assert!(seen.stdout.contains("skipped    docs  nothing in it changed"), "{}", seen.stdout);
    assert_eq!(deployed(&cloudflare).len(), 0);
    committed(&cloudflare).file("sites/shop/src/new.html", "x").args(changed).run().exits(0);
    assert_eq!(deployed(&cloudflare), ["shop"]);
    committed(&cloudflare).file("packages/theme/a.css", "b").args(changed).run().exits(0);
    assert_eq!(deployed(&cloudflare), ["docs", "shop"]);
}

#[test]
fn an_unknown_commit_exits_2_and_says_how_to_fetch_it() {
    let cloudflare = Cloudflare::start();
    let seen = committed(&cloudflare).args(["--changed-since", "origin/main"]).run().exits(2);
    assert!(seen.messages("error")[0].contains("fetch-depth: 0"), "{:?}", seen.annotations);
    committed(&cloudflare).args(["--changed-since=--output=x"]).run().exits(2);
}

#[test]
fn a_site_whose_content_is_live_is_skipped_until_it_changes() {
    let cloudflare = Cloudflare::start();
    step(&cloudflare).arg("--skip-unchanged").run().exits(0);
    let seen = step(&cloudflare).arg("--skip-unchanged").run().exits(0);
    assert!(seen.stdout.contains("its content is what deployment"), "{}", seen.stdout);
    assert_eq!(posts(&cloudflare, "*/deployments"), 2);
    step(&cloudflare).file("sites/docs/dist/_headers", "/*\n  X-Docs: no\n").arg("--skip-unchanged").run().exits(0);
    assert_eq!(cloudflare.deployments("docs").len(), 2);
    assert_eq!(cloudflare.deployments("shop").len(), 1);
}

#[test]
fn addresses_become_outputs_of_the_step() {
    let cloudflare = Cloudflare::start();
    let seen = step(&cloudflare).args(["--to", "output"]).run().exits(0);
    let short = |project: &str| cloudflare.deployments(project)[0].short_id().to_owned();
    assert!(seen.outputs["docs_url"].contains(&short("docs")));
    assert!(seen.outputs["urls"].contains(&short("shop")));
    assert_eq!(seen.stdout, "");
    let seen = step(&cloudflare).without("GITHUB_OUTPUT").args(["--to", "output"]).run().exits(2);
    assert!(seen.messages("error")[0].contains("GITHUB_OUTPUT"), "{:?}", seen.annotations);
    assert_eq!(cloudflare.deployments("docs").len(), 1);
}

#[test]
fn wranglers_consumers_get_their_line_for_each_site() {
    let cloudflare = Cloudflare::start();
    let outside = tempfile::tempdir().unwrap();
    let path = outside.path().join("out.ndjson");
    step(&cloudflare).env("WRANGLER_OUTPUT_FILE_PATH", &path).env("GITHUB_HEAD_REF", "feature").run().exits(0);
    let text = std::fs::read_to_string(path).unwrap();
    let entries: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(entries.len(), 2);
    assert_eq!(entries[0]["type"], "pages-deploy-detailed");
    assert_eq!(entries[0]["environment"], "preview");
    assert!(entries[0]["alias"].as_str().unwrap().contains("feature."));
}
