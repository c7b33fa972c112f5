//! `pages-deploy-all` against the Cloudflare stand-in, as a job's step runs it.

mod arrived;
mod atomic;
mod bad_input;
mod browser;
mod changed;
mod configuration;
mod docs;
mod faults;
mod honest;
mod interruption;
mod messages;
mod previews;
mod selection;
mod summary;
mod terminal;
mod trees;
mod worker;
mod wrangler;

use emulators::Cloudflare;
use serde_json::json;

use crate::support::Step;

/// A step in a repository with a built site `docs` and one `shop` that builds itself, on branch `main`.
fn step(cloudflare: &Cloudflare) -> Step {
    with_sites(Step::new("pages-deploy-all"), cloudflare)
}

fn with_sites(step: Step, cloudflare: &Cloudflare) -> Step {
    for project in ["docs", "shop"] {
        cloudflare.project(project);
    }
    step.cloudflare(cloudflare)
        .cloudflare_token(cloudflare)
        .env("GITHUB_REF_NAME", "main")
        .file("sites/docs/dist/index.html", "<h1>docs</h1>")
        .file("sites/docs/dist/_headers", "/*\n  X-Docs: yes\n")
        .file(
            "sites/shop/package.json",
            r#"{"scripts": {"build": "mkdir -p dist && echo '<h1>shop</h1>' > dist/index.html"}}"#,
        )
}

fn posts(cloudflare: &Cloudflare, path: &str) -> usize {
    cloudflare.requests().iter().filter(|request| request.matches(&format!("POST {path}"))).count()
}

#[test]
fn every_site_is_built_deployed_and_reported() {
    let cloudflare = Cloudflare::start();
    let seen = step(&cloudflare).run().exits(0);
    for project in ["docs", "shop"] {
        let deployment = &cloudflare.deployments(project)[0];
        assert!(deployment.production && deployment.succeeded());
        assert_eq!(deployment.branch.as_deref(), Some("main"));
        assert!(
            seen.stdout.contains(&format!("http://{}.{project}.localhost", deployment.short_id())),
            "{}",
            seen.stdout
        );
        assert!(seen.summary.contains(deployment.short_id()), "{}", seen.summary);
    }
    assert!(seen.summary.contains("2 of 2 checks passed"), "{}", seen.summary);
    assert_eq!(cloudflare.deployments("docs")[0].files["_headers"], b"/*\n  X-Docs: yes\n");
    assert_eq!(seen.complaints, [""; 0]);
}

#[test]
fn json_is_one_document_with_each_site() {
    let cloudflare = Cloudflare::start();
    let document = step(&cloudflare).args(["--format", "json"]).run().exits(0).json();
    assert_eq!(document["schema_version"], 1);
    assert_eq!(document["result"], "passed");
    assert_eq!(document["error"], json!(null));
    let docs = &document["sites"][0];
    assert_eq!((&docs["site"], &docs["status"], &docs["files"]), (&json!("docs"), &json!("passed"), &json!(1)));
    assert_eq!(docs["deployment_id"], cloudflare.deployments("docs")[0].id);
}

#[test]
fn jsonl_is_the_records_that_preflight_report_reads() {
    let cloudflare = Cloudflare::start();
    let records = step(&cloudflare).args(["--format", "jsonl"]).run().exits(0).records();
    assert_eq!(records[0]["plan"], json!(["sites/docs", "sites/shop"]));
    let ends: Vec<_> = records.iter().filter(|record| record["event"] == "check_finished").collect();
    assert_eq!(ends.len(), 2);
    assert_eq!((&ends[0]["status"], &ends[0]["data"]["uploaded"]), (&json!("passed"), &json!(1)));
    assert_eq!(records.last().unwrap()["result"], "passed");
}

#[test]
fn a_second_run_uploads_nothing() {
    let cloudflare = Cloudflare::start();
    step(&cloudflare).run().exits(0);
    let uploads = posts(&cloudflare, "*/assets/upload");
    let seen = step(&cloudflare).run().exits(0);
    assert_eq!(posts(&cloudflare, "*/assets/upload"), uploads);
    assert!(seen.stdout.contains("1 file, 0 uploaded"), "{}", seen.stdout);
    assert_eq!(cloudflare.deployments("docs").len(), 2);
}

#[test]
fn a_build_sees_no_token() {
    let cloudflare = Cloudflare::start();
    let script = r#"{"scripts": {"build": "mkdir -p dist && env > dist/env.txt"}}"#;
    step(&cloudflare)
        .file("sites/shop/package.json", script)
        .env("API_URL", "https://api.example")
        .args(["--only", "shop", "--build-env", "API_URL"])
        .run()
        .exits(0);
    let uploads = cloudflare.requests().into_iter().filter(|request| request.matches("POST */assets/upload"));
    let bodies: Vec<_> = uploads.map(|request| request.json()[0]["value"].as_str().unwrap().to_owned()).collect();
    // base64 of "API_URL=" has three forms, one per offset; the step itself searched the site for the token.
    assert!(["QVBJX1VSTD", "FQSV9VUkw9", "BUElfVVJMP"].iter().any(|text| bodies[0].contains(text)), "{bodies:?}");
}

#[test]
fn a_build_knows_its_package_as_from_a_package_manager() {
    let cloudflare = Cloudflare::start();
    let build = "mkdir -p dist && echo $npm_package_name $npm_package_version $npm_lifecycle_event > dist/name.txt";
    let package = json!({"name": "@acme/shop", "version": "4.1.0", "scripts": {"build": build}}).to_string();
    step(&cloudflare).file("sites/shop/package.json", package).args(["--only", "shop"]).run().exits(0);
    let uploads = cloudflare.requests().into_iter().filter(|request| request.matches("POST */assets/upload"));
    let bodies: Vec<_> = uploads.map(|request| request.json()[0]["value"].as_str().unwrap().to_owned()).collect();
    // base64 of `@acme/shop 4.1.0 build` and a line end.
    assert_eq!(bodies, ["QGFjbWUvc2hvcCA0LjEuMCBidWlsZAo="]);
}

#[test]
fn a_failed_build_ends_the_run_before_anything_is_visible() {
    let cloudflare = Cloudflare::start();
    let script = r#"{"scripts": {"build": "echo '::set-env name=X::y'; echo '##[add-mask]e'; echo no such module >&2; exit 7"}}"#;
    let seen = step(&cloudflare).file("sites/shop/package.json", script).run().exits(1);
    assert_eq!(posts(&cloudflare, "*/deployments"), 0);
    assert!(seen.stderr.contains("shop │ no such module"), "{}", seen.stderr);
    assert!(seen.messages("error")[0].contains("failed to deploy site `shop`"), "{:?}", seen.annotations);
    assert!(seen.stdout.contains("cancelled  docs  not deployed, because shop failed"), "{}", seen.stdout);
    assert_eq!(seen.complaints, [""; 0]);
    assert!(!seen.masks.contains(&"e".to_owned()), "the build's output registered a mask");
}

#[test]
fn a_dry_run_changes_nothing_and_prints_what_is_new() {
    let cloudflare = Cloudflare::start();
    let seen = step(&cloudflare).args(["--dry-run"]).run().exits(0);
    assert!(seen.stdout.contains("docs: would deploy 1 file (13 B) to `docs` (production), 1 new"), "{}", seen.stdout);
    let writes: Vec<_> = cloudflare.requests().into_iter().filter(|request| request.method != "GET").collect();
    assert!(writes.iter().all(|request| request.path.ends_with("/check-missing")), "{writes:?}");
}

#[test]
fn a_missing_project_is_named_with_the_flag_that_creates_it() {
    let cloudflare = Cloudflare::start();
    let seen = step(&cloudflare).file("sites/blog/dist/index.html", "blog").run().exits(1);
    assert!(seen.messages("error")[0].contains("help: create it with --create"), "{:?}", seen.annotations);
    assert_eq!(posts(&cloudflare, "*/deployments"), 0);
    let seen = step(&cloudflare).file("sites/blog/dist/index.html", "blog").arg("--create").run().exits(0);
    assert!(cloudflare.deployments("blog")[0].production);
    assert!(seen.stdout.contains("passed     blog"), "{}", seen.stdout);
}

#[test]
fn a_token_without_the_permission_exits_77_and_names_it() {
    let cloudflare = Cloudflare::start();
    let token = cloudflare.powerless_token();
    let seen = step(&cloudflare).workflow_secret("CLOUDFLARE_API_TOKEN", &token).run().exits(77);
    assert!(seen.messages("error")[0].contains("\"Cloudflare Pages: Edit\""), "{:?}", seen.annotations);
    let seen = step(&cloudflare).without("CLOUDFLARE_API_TOKEN").run().exits(77);
    assert!(seen.messages("error")[0].contains("CLOUDFLARE_API_TOKEN"), "{:?}", seen.annotations);
}

#[test]
fn what_every_site_failed_for_is_reported_once() {
    let cloudflare = Cloudflare::start();
    let seen = step(&cloudflare).workflow_secret("CLOUDFLARE_API_TOKEN", &cloudflare.powerless_token()).run().exits(77);
    let errors = seen.messages("error");
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].starts_with("failed to deploy 2 sites, all for one reason: `docs`, `shop`\n"), "{errors:?}");
    // Each has its own line and record all the same.
    assert!(seen.stdout.contains("failed     docs  GET ") && seen.stdout.contains("failed     shop  GET "));
}

#[test]
fn a_person_sees_whether_it_is_production_and_the_address_of_a_branch() {
    let cloudflare = Cloudflare::start();
    assert!(step(&cloudflare).run().exits(0).stdout.contains("passed     docs  production  http://"));
    let seen = step(&cloudflare).env("GITHUB_HEAD_REF", "feature").run().exits(0);
    assert!(seen.stdout.contains("passed     docs  preview  http://"), "{}", seen.stdout);
    assert!(seen.stdout.contains("  http://feature.docs.localhost:"), "{}", seen.stdout);
}

#[test]
fn a_checkout_that_git_does_not_read_is_warned_of() {
    let cloudflare = Cloudflare::start();
    let step = step(&cloudflare);
    arrived::git(step.folder(), &["init", "-q"]);
    arrived::commit(step.folder(), "x");
    let seen = step.env("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1").run().exits(0);
    let warnings = seen.messages("warning").join("\n");
    assert!(warnings.contains("safe.directory"), "{warnings}");
}

#[test]
fn an_unknown_branch_exits_2_and_nothing_goes_to_production() {
    let cloudflare = Cloudflare::start();
    let seen = step(&cloudflare).without("GITHUB_REF_NAME").run().exits(2);
    assert!(seen.messages("error")[0].contains("--branch"), "{:?}", seen.annotations);
}

#[test]
fn a_pull_requests_branch_is_a_preview_and_a_forks_main_is_refused() {
    let cloudflare = Cloudflare::start();
    step(&cloudflare).env("GITHUB_HEAD_REF", "feature/x").run().exits(0);
    assert!(!cloudflare.deployments("docs")[0].production);
    let event = json!({"pull_request": {"head": {"sha": "abc", "repo": {"full_name": "mallory/web"}}}});
    let fork = || {
        let step = step(&cloudflare).file("event.json", event.to_string()).env("GITHUB_REPOSITORY", "acme/web");
        let path = step.folder().join("event.json");
        step.env("GITHUB_EVENT_PATH", path).env("GITHUB_HEAD_REF", "main")
    };
    let seen = fork().run().exits(77);
    assert!(seen.messages("error")[0].contains("fork"), "{:?}", seen.annotations);
    assert_eq!(cloudflare.deployments("docs").len(), 1);
    fork().args(["--branch", "main"]).run().exits(77);
    // Without its payload, it may come from a fork.
    fork().without("GITHUB_EVENT_PATH").run().exits(77);
    // Nor is a project created whose production branch it would be.
    fork().args(["--create", "--project-name", "new-{site}"]).run().exits(77);
    assert_eq!(cloudflare.projects(), ["docs", "shop"]);
    fork().args(["--branch", "pr-7"]).run().exits(0);
    assert_eq!(cloudflare.deployments("docs")[1].branch.as_deref(), Some("pr-7"));
}

#[test]
fn credentials_come_from_doppler_by_name() {
    let (cloudflare, doppler) = (Cloudflare::start(), emulators::Doppler::start());
    doppler.set("dev", "CLOUDFLARE_API_TOKEN", cloudflare.token());
    doppler.set("dev", "CLOUDFLARE_ACCOUNT_ID", cloudflare.account());
    doppler.set("dev", "DATABASE_URL", "postgres://u:secret@db/x");
    let seen = step(&cloudflare)
        .without("CLOUDFLARE_API_TOKEN")
        .without("CLOUDFLARE_ACCOUNT_ID")
        .doppler(&doppler)
        .run()
        .exits(0);
    assert!(seen.masks.contains(&cloudflare.token().to_owned()));
    // A value from a store of secrets is a secret, although an account's id is part of every address.
    assert!(seen.masks.contains(&cloudflare.account().to_owned()));
    assert!(doppler.requests().iter().all(|request| !request.path.contains("DATABASE_URL")));
    assert!(doppler.requests().iter().any(|request| request.query.contains("CLOUDFLARE_API_TOKEN")));
}
