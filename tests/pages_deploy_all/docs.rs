//! The examples of `--help` and the recipes of docs/pages-deploy-all.md run as they are written.

use std::fs;

use emulators::Cloudflare;
use saphyr::{LoadableYamlNode as _, Yaml};

use super::arrived::{commit, git};
use super::selection::deployed;
use super::with_sites;
use crate::support::Step;

pub(super) const PAGE: &str = include_str!("../../docs/pages-deploy-all.md");

/// A shell in a checkout of `ours`, which left `origin/main` and a tag `v41` behind; `shop` has changed since.
fn checkout(cloudflare: &Cloudflare, script: &str) -> Step {
    for project in ["acme-docs", "acme-shop", "web"] {
        cloudflare.project(project);
    }
    let step = with_sites(Step::script(script), cloudflare)
        .file("apps/web/dist/index.html", "web")
        .file("apps/api/package.json", "{}")
        .file("apps/edge/wrangler.jsonc", r#"{"main": "index.js"}"#)
        .file("pnpm/pnpm", "#!/bin/sh\ntest \"$1\" = build && mkdir -p dist && echo built > dist/index.html\n");
    let folder = step.folder().to_owned();
    let pnpm = folder.join("pnpm");
    let mut mode = fs::metadata(pnpm.join("pnpm")).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut mode, 0o755);
    fs::set_permissions(pnpm.join("pnpm"), mode).unwrap();
    git(&folder, &["init", "-q", "-b", "ours"]);
    git(&folder, &["add", "-A"]);
    commit(&folder, "v41");
    git(&folder, &["tag", "v41"]);
    git(&folder, &["update-ref", "refs/remotes/origin/main", "HEAD"]);
    let step = step.file("sites/shop/new.md", "new");
    git(&folder, &["add", "-A"]);
    commit(&folder, "ours");
    let programs = crate::support::program_path("pages-deploy-all").parent().unwrap();
    step.env("PATH", format!("{}:{}:/usr/bin:/bin", programs.display(), pnpm.display()))
        .env("GITHUB_BASE_REF", "main")
        .env("SITE", "docs")
}

/// Every `run:` of a fenced block.
fn runs(yaml: &Yaml<'_>, into: &mut Vec<String>) {
    for item in yaml.as_sequence().into_iter().flatten() {
        runs(item, into);
    }
    for (key, value) in yaml.as_mapping().into_iter().flatten() {
        match (key.as_str(), value.as_str()) {
            (Some("run"), Some(script)) => into.push(script.to_owned()),
            _ => runs(value, into),
        }
    }
}

fn fences(language: &str) -> Vec<String> {
    let open = format!("```{language}\n");
    PAGE.split(&open).skip(1).map(|rest| rest.split("\n```").next().unwrap().to_owned()).collect()
}

#[test]
fn every_recipe_of_the_page_runs() {
    let mut scripts = fences("sh");
    for block in fences("yaml") {
        Yaml::load_from_str(&block).unwrap().iter().for_each(|document| runs(document, &mut scripts));
    }
    assert_eq!(scripts.len(), 14, "{scripts:#?}");
    let cloudflare = Cloudflare::start();
    // The recipe for a Worker runs in a test beside wrangler.
    for script in scripts.iter().filter(|script| !script.contains("wrangler deploy")) {
        // The reports are of records that jobs before them have left.
        let before = "pages-deploy-all sites --branch x --format jsonl > sites.jsonl; cp sites.jsonl sites-docs.jsonl;";
        let script = match script {
            report if report.contains("preflight-report") => format!("{before} {report}"),
            // The variable of a pull request, whose event this checkout does not have.
            cleanup if cleanup.contains("GITHUB_HEAD_REF") => format!("GITHUB_HEAD_REF=closed; {cleanup}"),
            script => script.clone(),
        };
        let seen = checkout(&cloudflare, &script).run();
        assert_eq!(seen.code, 0, "{script}\n{}", seen.log);
    }
    // Both projects of a site: the page has recipes for either name.
    assert_eq!(deployed(&cloudflare), ["acme-docs", "acme-shop", "docs", "shop", "web"]);
}

#[test]
fn every_example_of_the_help_runs() {
    let help = Step::new("pages-deploy-all").arg("--help").run().exits(0).stdout;
    let examples: Vec<&str> = help.split("\nExamples:\n").nth(1).unwrap().lines().map(str::trim).collect();
    assert_eq!(examples.len(), 3, "{examples:#?}");
    let cloudflare = Cloudflare::start();
    for example in examples {
        checkout(&cloudflare, example).run().exits(0);
    }
    assert_eq!(deployed(&cloudflare), ["acme-docs", "acme-shop", "docs", "shop"]);
}
