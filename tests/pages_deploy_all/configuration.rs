//! Which project a site goes to, and which directories are Workers: wrangler's own rules, held against wrangler.

use std::fs;
use std::path::Path;

use emulators::Cloudflare;
use serde_json::json;

use super::arrived::{Arrived, arrived, repository, tools, wrangler_command};
use super::selection::deployed;
use super::{posts, step};
use crate::support::Step;

const WORKER: &str = r#"{ "name": "api", "main": "src/index.js", /* a Worker */ }"#;

#[test]
fn a_worker_fails_and_is_never_deployed_as_a_site() {
    for (file, text) in [
        ("wrangler.jsonc", WORKER),
        ("wrangler.jsonc", r#"{ "name": "docs", "assets": { "directory": "./dist" } }"#),
        ("wrangler.toml", "name = \"docs\"\nmain = \"index.js\"\n"),
        ("wrangler.toml", "name = \"docs\"\n[site]\nbucket = \"dist\"\n"),
        ("wrangler.json", r#"{ "name": "docs", "env": { "production": { "main": "index.js" } } }"#),
    ] {
        for arguments in [&[][..], &["--no-build"], &["--project-name", "{site}"], &["--output", "dist"]] {
            let cloudflare = Cloudflare::start();
            let path = format!("sites/docs/{file}");
            let seen = step(&cloudflare).file(&path, text).args(arguments.iter().copied()).run().exits(1);
            let error = seen.messages("error").concat();
            let expected = format!("this is a Worker and not a Pages site: `{path}`");
            assert!(error.contains(&expected) && error.contains("--skip-workers"), "{error}");
            assert_eq!(deployed(&cloudflare), [""; 0], "{text}");
        }
    }
}

#[test]
fn skip_workers_deploys_the_sites_beside_them_and_builds_no_worker() {
    let cloudflare = Cloudflare::start();
    let package = r#"{"scripts": {"build": "touch built"}}"#;
    let mixed = || {
        let step = step(&cloudflare).file("sites/api/wrangler.jsonc", WORKER).file("sites/api/package.json", package);
        step.arg("--skip-workers")
    };
    let step = mixed();
    let folder = step.folder().to_owned();
    let seen = step.run();
    assert!(!folder.join("sites/api/built").exists());
    let seen = seen.exits(0);
    assert!(seen.stdout.contains("skipped    api   `sites/api/wrangler.jsonc` describes a Worker"), "{}", seen.stdout);
    assert_eq!(deployed(&cloudflare), ["docs", "shop"]);
    assert_eq!(mixed().arg("--list").run().exits(0).stdout, "docs\nshop\n");
}

/// A site whose redirect leads to `build/wrangler.json`.
fn redirected(dist: &Path, own: Option<&str>, generated: &str) {
    let site = dist.parent().unwrap();
    if let Some(own) = own {
        fs::write(site.join("wrangler.toml"), own).unwrap();
    }
    for (path, text) in [
        (".wrangler/deploy/config.json", r#"{ "configPath": "../../build/wrangler.json", /* generated */ }"#),
        ("build/wrangler.json", generated),
        ("build/client/index.html", "<h1>generated</h1>"),
        ("dist/index.html", "<h1>own</h1>"),
    ] {
        let path = site.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

const OWN: &str = "name = \"own\"\npages_build_output_dir = \"dist\"\n";

#[test]
fn a_redirect_is_followed_as_wrangler_follows_it() {
    let generated = r#"{ "name": "site", "pages_build_output_dir": "./client", "compatibility_date": "2026-01-01" }"#;
    for own in [Some(OWN), None] {
        let root = repository(|dist| redirected(dist, own, generated));
        // Without a directory and a project on the command line, both come from the configuration.
        let Some((theirs, ours)) = as_configured(root.path()) else { return };
        assert_eq!(ours, theirs);
        assert_eq!(ours.manifest.as_object().unwrap().len(), 1);
        let field = |name: &str| ours.fields.iter().find(|field| field.name == name).unwrap().content.clone();
        assert_eq!(field("pages_build_output_dir"), b"build/client");
    }
}

/// What arrives of the project `site` when both programs take directory and project from the configuration.
fn as_configured(root: &Path) -> Option<(Arrived, Arrived)> {
    let programs = tools()?;
    let services = [Cloudflare::start(), Cloudflare::start()];
    for service in &services {
        service.project("site");
    }
    let (site, home) = (root.join("sites/site"), tempfile::tempdir().unwrap());
    // wrangler's own files make the work tree dirty, so it is for both.
    fs::write(root.join("untracked"), "").unwrap();
    let done = wrangler_command(&programs, &site, home.path(), &services[0]).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&[done.stdout, done.stderr].concat()));
    // What wrangler leaves behind is not a part of the site.
    let _ = fs::remove_dir_all(site.join("node_modules"));
    let _ = fs::remove_dir_all(site.join(".wrangler/tmp"));
    let step = Step::new("pages-deploy-all").cloudflare(&services[1]).cloudflare_token(&services[1]);
    step.cwd(root).run().exits(0);
    let [theirs, ours] = services.map(|service| arrived(&service.requests(), "site"));
    Some((theirs, ours))
}

#[test]
fn a_redirect_that_wrangler_refuses_is_an_error_here_too() {
    for (redirect, generated) in [
        ("{}", "{}"),
        ("{ not json", "{}"),
        (r#"{"configPath": "../../nowhere.json"}"#, "{}"),
        (
            r#"{"configPath": "../../build/wrangler.json"}"#,
            r#"{"name": "site", "pages_build_output_dir": "client", "env": {"preview": {}}}"#,
        ),
    ] {
        let root = repository(|dist| {
            redirected(dist, Some(OWN), generated);
            fs::write(dist.parent().unwrap().join(".wrangler/deploy/config.json"), redirect).unwrap();
        });
        let cloudflare = Cloudflare::start();
        cloudflare.project("site");
        cloudflare.project("own");
        let step = Step::new("pages-deploy-all").cloudflare(&cloudflare).cloudflare_token(&cloudflare);
        let seen = step.cwd(root.path()).run().exits(2);
        assert!(seen.messages("error")[0].contains("cannot understand `sites/site/"), "{:?}", seen.annotations);
        assert_eq!(deployed(&cloudflare), [""; 0]);
        let Some(programs) = tools() else { return };
        let (site, home) = (root.path().join("sites/site"), tempfile::tempdir().unwrap());
        let done = wrangler_command(&programs, &site, home.path(), &cloudflare).arg("dist").output().unwrap();
        assert!(!done.status.success(), "{redirect}: {}", String::from_utf8_lossy(&done.stdout));
    }
}

#[test]
fn a_redirect_that_the_build_writes_decides_about_the_project() {
    let cloudflare = Cloudflare::start();
    cloudflare.project("generated");
    let build = "mkdir -p out/client .wrangler/deploy && echo x > out/client/index.html \
        && echo '{\"name\": \"generated\", \"pages_build_output_dir\": \"client\"}' > out/wrangler.json \
        && echo '{\"configPath\": \"../../out/wrangler.json\"}' > .wrangler/deploy/config.json";
    let package = json!({ "scripts": { "build": build } }).to_string();
    // There is no project `app`, which the directory's name would mean.
    let app = || step(&cloudflare).file("sites/app/package.json", &package).args(["--only", "app"]);
    app().run().exits(0);
    assert_eq!(cloudflare.deployments("generated")[0].manifest.len(), 1);
    // Two sites that a build leads to one project are noticed before anything is live.
    let seen = app().file("sites/other/package.json", &package).args(["--only", "other"]).run().exits(2);
    assert!(
        seen.messages("error")[0].contains("two sites would go to one Pages project, `generated`"),
        "{:?}",
        seen.annotations
    );
    assert_eq!(posts(&cloudflare, "*/projects/generated/deployments"), 1);
    // And a build that turns the site into a Worker.
    let worker = package.replace("\\\"pages_build_output_dir\\\": \\\"client\\\"", "\\\"main\\\": \\\"index.js\\\"");
    assert_ne!(worker, package);
    let seen = app().file("sites/app/package.json", &worker).run().exits(1);
    assert!(seen.messages("error")[0].contains("this is a Worker and not a Pages site: `sites/app/out/wrangler.json`"));
    app().file("sites/app/package.json", &worker).arg("--skip-workers").run().exits(0);
    assert_eq!(posts(&cloudflare, "*/deployments"), 1);
}
