//! Sites that cannot be deployed: the run reports which, why and what to do, before anything is uploaded.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use emulators::Cloudflare;

use super::trees::number;
use super::{honest, posts, step};
use crate::support::Step;

/// The error of a run of `docs` after `change` was applied to its output folder; it ends with `code`.
#[track_caller]
fn refused(code: i32, change: impl Fn(&Path)) -> String {
    let cloudflare = Cloudflare::start();
    let step = step(&cloudflare).args(["--only", "docs"]);
    change(&step.folder().join("sites/docs/dist"));
    refuses(&cloudflare, step, code)
}

#[track_caller]
fn refuses(cloudflare: &Cloudflare, step: Step, code: i32) -> String {
    let seen = step.run().exits(code);
    assert_eq!(posts(cloudflare, "*/assets/upload") + posts(cloudflare, "*/deployments"), 0);
    seen.messages("error").join("\n")
}

#[track_caller]
fn has(message: &str, parts: &[&str]) {
    assert!(parts.iter().all(|part| message.contains(part)), "{message}");
}

fn fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn links_that_lead_nowhere_in_circles_or_outside_are_named() {
    let broken = refused(1, |dist| symlink("nowhere", dist.join("a.css")).unwrap());
    has(
        &broken,
        &["the link `sites/docs/dist/a.css` leads nowhere", "help: remove the link, or build what it leads to"],
    );
    let ignored = refused(1, |dist| symlink("nowhere", dist.join("node_modules")).unwrap());
    has(&ignored, &["node_modules` leads nowhere"]);
    let itself = refused(1, |dist| symlink("a", dist.join("a")).unwrap());
    has(&itself, &["the link `sites/docs/dist/a` leads nowhere", "Too many levels of symbolic links"]);
    let up = refused(1, |dist| {
        fs::create_dir(dist.join("sub")).unwrap();
        symlink("..", dist.join("sub/up")).unwrap();
    });
    has(&up, &["the link `sites/docs/dist/sub/up` leads back to a folder it is in"]);
    for name in ["etc", "_headers2"] {
        let outside = refused(1, |dist| symlink("/etc", dist.join(name)).unwrap());
        has(&outside, &["leads outside its site", "it would publish `/etc`", "--follow-outside"]);
    }
}

#[test]
fn what_is_read_by_its_name_may_not_lead_outside_either() {
    for name in ["_headers", "_redirects", "_routes.json", "_worker.js"] {
        let said = refused(1, |dist| {
            let _ = fs::remove_file(dist.join(name));
            symlink("/etc/hostname", dist.join(name)).unwrap();
        });
        has(&said, &[&format!("the link `sites/docs/dist/{name}` leads outside its site"), "--follow-outside"]);
    }
    let module = refused(1, |dist| {
        fs::create_dir(dist.join("_worker.js")).unwrap();
        fs::write(dist.join("_worker.js/index.js"), "export default {}").unwrap();
        symlink("/etc/hostname", dist.join("_worker.js/b.txt")).unwrap();
    });
    has(&module, &["b.txt` leads outside its site"]);
}

#[test]
fn links_inside_the_site_are_followed() {
    let cloudflare = Cloudflare::start();
    let step = step(&cloudflare).args(["--only", "docs"]).file("sites/docs/shared/a.css", "a");
    symlink("../shared", step.folder().join("sites/docs/dist/css")).unwrap();
    honest::run(&cloudflare, step).exits(0);
    assert!(cloudflare.deployments("docs")[0].manifest.contains_key("/css/a.css"));
}

#[test]
fn what_is_neither_file_nor_folder_is_named_and_never_waited_for() {
    for name in ["live.sock", "_headers", "_redirects", "_routes.json", "_worker.js", "sub"] {
        let said = refused(1, |dist| {
            let _ = fs::remove_file(dist.join(name));
            fifo(&dist.join(name));
        });
        has(&said, &[&format!("`sites/docs/dist/{name}` is n"), "help: remove it from the site's output"]);
    }
    let said = refused(1, |dist| {
        // The socket's file stays when it is closed.
        drop(std::os::unix::net::UnixListener::bind(dist.join("s")).unwrap());
    });
    has(&said, &["`sites/docs/dist/s` is neither a file nor a folder"]);
}

#[test]
fn a_name_that_is_not_utf8_is_named() {
    let said = refused(1, |dist| fs::write(dist.join(OsStr::from_bytes(b"a\xff.html")), "x").unwrap());
    has(&said, &["the name of `sites/docs/dist/a\u{fffd}.html` is not UTF-8", "help: rename the file"]);
    let cloudflare = Cloudflare::start();
    let step = step(&cloudflare);
    fs::create_dir(step.folder().join(OsStr::from_bytes(b"sites/caf\xe9"))).unwrap();
    has(&refuses(&cloudflare, step, 2), &["the name of `sites/caf\u{fffd}` is not UTF-8", "help: rename it"]);
}

#[test]
fn an_empty_or_missing_output_would_blank_the_site() {
    let missing = refused(1, |dist| {
        fs::remove_dir_all(dist).unwrap();
        fs::write(dist.parent().unwrap().join("package.json"), "{}").unwrap();
    });
    has(
        &missing,
        &["site `docs` has no output: `sites/docs/dist` does not exist", "help: build it first, or name the directory"],
    );
    let empty = refused(1, |dist| fs::remove_file(dist.join("index.html")).unwrap());
    has(&empty, &["the output of site `docs` is empty", "deploying it would blank the site"]);
}

#[test]
fn a_file_of_25_mib_is_deployed_and_a_byte_more_is_refused_before_any_upload() {
    let largest = vec![b'x'; 25 * 1024 * 1024];
    let cloudflare = Cloudflare::start();
    let step = step(&cloudflare).args(["--only", "docs"]).file("sites/docs/dist/video.mp4", &largest);
    honest::run(&cloudflare, step).exits(0);
    let said = refused(1, |dist| {
        let file = fs::File::create(dist.join("video.mp4")).unwrap();
        file.set_len(25 * 1024 * 1024 + 1).unwrap();
    });
    has(
        &said,
        &["`sites/docs/dist/video.mp4` is too large for Pages", "26214401 bytes; the most is 26214400 (25 MiB)", "R2"],
    );
}

#[test]
fn every_file_over_the_limit_is_named_at_once() {
    let said = refused(1, |dist| {
        for name in ["a.mp4", "b.mp4", "c.mp4"] {
            fs::File::create(dist.join(name)).unwrap().set_len(25 * 1024 * 1024 + 1).unwrap();
        }
    });
    has(&said, &["a.mp4` (26214401 bytes)", "b.mp4` (26214401 bytes)", "c.mp4` (26214401 bytes) are too large"]);
}

#[test]
fn files_with_names_of_secrets_are_refused_unless_they_are_allowed() {
    let files = [".env", ".env.local", "sub/.dev.vars", ".dev.vars.production", ".npmrc", "keys/id_ed25519"];
    for file in files {
        let said = refused(1, |dist| {
            fs::create_dir_all(dist.join(file).parent().unwrap()).unwrap();
            fs::write(dist.join(file), "TOKEN=x").unwrap();
        });
        has(&said, &[&format!("`sites/docs/dist/{file}` looks like a file with secrets"), "--allow-file"]);
    }
    let cloudflare = Cloudflare::start();
    let all = || files.iter().fold(step(&cloudflare), |step, file| step.file(&format!("sites/docs/dist/{file}"), "x"));
    // One error names all of them.
    let said = refuses(&cloudflare, all().args(["--only", "docs", "--allow-file", ".npmrc,.env"]), 1);
    has(&said, &["/.env.local`", "/sub/.dev.vars` look like files", "/.dev.vars.production`", "/keys/id_ed25519`"]);
    assert!(!said.contains(".npmrc`"), "{said}");
    let allowed = ".env,.env.local,sub/.dev.vars,.dev.vars.production,.npmrc,keys/id_ed25519";
    honest::run(&cloudflare, all().args(["--only", "docs", "--allow-file", allowed])).exits(0);
    assert_eq!(cloudflare.deployments("docs")[0].manifest.len(), 7);
}

#[test]
fn what_is_left_out_is_one_line_with_a_count_and_three_names() {
    let cloudflare = Cloudflare::start();
    let step = (10..84).fold(step(&cloudflare).args(["--only", "docs"]), |step, number| {
        step.file(&format!("sites/docs/dist/node_modules/a/{number}.js"), "x")
    });
    let seen = step.run().exits(0);
    let names = "node_modules/a/10.js, node_modules/a/11.js, node_modules/a/12.js, …";
    assert!(seen.stderr.contains(&format!("docs: 74 files left out, as by wrangler: {names}\n")), "{}", seen.stderr);
    assert_eq!(seen.stderr.matches("node_modules/a").count(), 3, "{}", seen.stderr);
    assert_eq!(cloudflare.deployments("docs")[0].manifest.len(), 1);
}

#[test]
fn a_request_that_is_too_large_says_what_to_do() {
    for call in ["POST */assets/upload", "POST */projects/docs/deployments"] {
        let cloudflare = Cloudflare::start();
        let page = emulators::http::Fault::status(413).body("text/html", "<h1>413 Request Entity Too Large</h1>");
        cloudflare.fail(call, page);
        let seen = honest::run(&cloudflare, step(&cloudflare).args(["--only", "docs"])).exits(1);
        has(&seen.messages("error").concat(), &["answered 413", "help: raise the request limit of the proxy"]);
    }
}

#[test]
fn sites_without_an_output_are_skipped_if_that_is_allowed_but_not_all_of_them() {
    let cloudflare = Cloudflare::start();
    let api = r#"{"scripts": {"build": "true"}}"#;
    let mixed = || step(&cloudflare).file("sites/api/package.json", api).arg("--allow-missing-output");
    let seen = mixed().run().exits(0);
    assert!(seen.stdout.contains("skipped    api   `sites/api/dist` does not exist"), "{}", seen.stdout);
    assert_eq!(cloudflare.deployments("docs").len(), 1);
    // An empty output is still an error, and so is a run that would deploy nothing.
    let empty = mixed();
    fs::create_dir(empty.folder().join("sites/api/dist")).unwrap();
    has(&refuses_more(&cloudflare, empty, 1), &["does not exist", "help: create it with --create"]);
    let said = refuses_more(&cloudflare, mixed().args(["--only", "api"]), 1);
    has(&said, &["no site has an output, so there is nothing to deploy", "--output"]);
    has(&refuses_more(&cloudflare, mixed().args(["--output", "out"]), 1), &["failed to deploy 2 sites, all for one"]);
}

/// As [`refuses`], for a service with one deployment already.
#[track_caller]
fn refuses_more(cloudflare: &Cloudflare, step: Step, code: i32) -> String {
    let before = posts(cloudflare, "*/deployments");
    let seen = step.run().exits(code);
    assert_eq!(posts(cloudflare, "*/deployments"), before);
    seen.messages("error").join("\n")
}

#[test]
fn an_empty_value_of_any_option_means_that_it_is_not_given() {
    let help = Step::new("pages-deploy-all").arg("--help").run().exits(0).stdout;
    let options: Vec<&str> = help
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with("--") && line.contains('<'))
        .map(|line| line.split([' ', '=']).next().unwrap())
        .filter(|option| *option != "--generate")
        .collect();
    assert!(options.len() > 20, "{options:?}");
    let cloudflare = Cloudflare::start();
    let blank = options.iter().flat_map(|option| [(*option).to_owned(), String::new()]);
    step(&cloudflare).args(blank).run().exits(0);
    step(&cloudflare).args(options.iter().map(|option| format!("{option}="))).run().exits(0);
    assert_eq!(cloudflare.deployments("docs").len(), 2);
}

#[test]
fn more_files_than_the_token_allows_are_counted_before_any_upload() {
    let cloudflare = Cloudflare::start();
    cloudflare.upload_tokens_will(Duration::from_mins(5), 2);
    let step = || step(&cloudflare).args(["--only", "docs"]).file("sites/docs/dist/2.html", "2");
    has(
        &refuses(&cloudflare, step().file("sites/docs/dist/3.html", "3"), 1),
        &["site `docs` has 3 files, and Pages accepts 2", "help: leave files out of the output"],
    );
    honest::run(&cloudflare, step()).exits(0);
}

#[test]
fn functions_without_a_compiler_are_an_error_and_never_left_out() {
    let cloudflare = Cloudflare::start();
    let step = step(&cloudflare).args(["--only", "docs"]).file("sites/docs/functions/api.js", "export default {}");
    has(
        &refuses(&cloudflare, step.env("PATH", "/usr/bin:/bin"), 1),
        &[
            "site `docs` has a folder `functions`, and no wrangler to compile it",
            "help: add wrangler to the site's dependencies",
        ],
    );
}

#[test]
fn functions_that_do_not_compile_are_an_error_with_the_end_of_their_log() {
    let cloudflare = Cloudflare::start();
    // What a compiler's failure looks like, whatever the compiler; the real one's success is compared elsewhere.
    let compiler = "#!/bin/sh\necho '::error::forged'; echo 'api.js:1: unexpected end of file' >&2; exit 1\n";
    let step = step(&cloudflare)
        .args(["--only", "docs"])
        .file("sites/docs/functions/api.js", "export const x = {")
        .file("sites/docs/node_modules/.bin/wrangler", compiler);
    let wrangler = step.folder().join("sites/docs/node_modules/.bin/wrangler");
    Command::new("chmod").arg("+x").arg(wrangler).status().unwrap();
    let seen = step.run().exits(1);
    has(
        &seen.messages("error").join("\n"),
        &["the functions of site `docs` cannot be compiled", "functions build` failed with exit code 1"],
    );
    assert!(seen.stderr.contains("docs │ api.js:1: unexpected end of file"), "{}", seen.stderr);
    assert_eq!(seen.messages("error").len(), 1, "{:?}", seen.annotations);
    assert_eq!(posts(&cloudflare, "*/deployments"), 0);
}

#[test]
fn broken_routes_and_a_worker_without_its_main_module_are_named() {
    let routes = refused(1, |dist| {
        fs::write(dist.join("_worker.js"), "export default {}").unwrap();
        fs::write(dist.join("_routes.json"), r#"{"version":1,"include":["/*","/api/*"],"exclude":[]}"#).unwrap();
    });
    has(&routes, &["_routes.json` is not valid", "the rule `/api/*` is covered by `/*`"]);
    let folder = refused(1, |dist| fs::create_dir(dist.join("_worker.js")).unwrap());
    has(&folder, &["_worker.js` has no index.js"]);
}

#[test]
fn a_configuration_that_cannot_be_followed_is_wrong_usage() {
    for (file, text, expected) in [
        ("wrangler.toml", "name = ", "cannot understand `sites/docs/wrangler.toml`"),
        ("wrangler.jsonc", "{\"pages_build_output_dir\": \"../..\"}", "leads outside the site"),
        ("wrangler.json", r#"{"pages_build_output_dir": "dist", "name": "A_B"}"#, "`A_B` cannot be the Pages project"),
        ("package.json", "{", "cannot understand `sites/docs/package.json`"),
    ] {
        let cloudflare = Cloudflare::start();
        let step = step(&cloudflare).args(["--only", "docs"]).file(&format!("sites/docs/{file}"), text);
        has(&refuses(&cloudflare, step, 2), &[expected]);
    }
    let cloudflare = Cloudflare::start();
    let config = "name = \"docs\"\npages_build_output_dir = \"dist\"\nqueues = { producers = [{ binding = \"Q\", queue = \"q\" }] }\n";
    let step = step(&cloudflare).args(["--only", "docs"]).file("sites/docs/dist/_worker.js", "export default {}");
    has(&refuses(&cloudflare, step.file("sites/docs/wrangler.toml", config), 2), &["`queues`", "--except"]);
}

#[test]
fn no_site_exits_1_and_two_sites_with_one_project_exit_2() {
    let cloudflare = Cloudflare::start();
    has(
        &refuses(&cloudflare, step(&cloudflare).file("none/README.md", "x").arg("none"), 1),
        &["no site found in `none`", "no directory in it has a package.json, a wrangler file or a directory `dist`"],
    );
    has(
        &refuses(&cloudflare, step(&cloudflare).args(["--project-name", "acme"]), 2),
        &["two sites would go to one Pages project, `acme`", "`docs` and `shop`", "put {site} into --project-name"],
    );
    assert_eq!(cloudflare.requests().len(), 0);
}

#[test]
fn a_name_that_no_site_has_is_wrong_usage_with_the_nearest_one() {
    let cloudflare = Cloudflare::start();
    let said = refuses(&cloudflare, step(&cloudflare).args(["--only", "doc"]), 2);
    has(&said, &["there is no site `doc`", "the sites are docs, shop", "help: did you mean `docs`?"]);
}

#[test]
fn a_build_is_given_no_credential_even_by_name() {
    let cloudflare = Cloudflare::start();
    let said = refuses(&cloudflare, step(&cloudflare).args(["--build-env", "CLOUDFLARE_API_TOKEN"]), 2);
    has(&said, &["--build-env cannot give builds CLOUDFLARE_API_TOKEN"]);
}

#[test]
fn every_site_that_is_wrong_is_named_in_one_run() {
    let cloudflare = Cloudflare::start();
    let step = step(&cloudflare).file("sites/shop/package.json", r#"{"scripts": {"build": "exit 7"}}"#);
    symlink("nowhere", step.folder().join("sites/docs/dist/a.css")).unwrap();
    has(&refuses(&cloudflare, step, 1), &["a.css` leads nowhere", "the build failed with exit code 7"]);
}

/// `PAGES_FILES=100000` by hand.
#[test]
fn twenty_thousand_files_and_more_are_deployed_where_the_token_allows_them() {
    let folders = usize::try_from(number("PAGES_FILES", 20_500) / 500).unwrap();
    let cloudflare = Cloudflare::start();
    cloudflare.upload_tokens_will(Duration::from_mins(5), 1_000_000);
    let step = step(&cloudflare).args(["--only", "docs"]);
    let dist = step.folder().join("sites/docs/dist");
    for folder in 0..folders {
        fs::create_dir(dist.join(folder.to_string())).unwrap();
        for file in 0..500 {
            fs::write(dist.join(format!("{folder}/{file}.txt")), format!("{folder} {file}")).unwrap();
        }
    }
    honest::run(&cloudflare, step).exits(0);
    // And index.html. 2,000 of them go into one request.
    let count = folders * 500 + 1;
    assert_eq!(cloudflare.deployments("docs")[0].manifest.len(), count);
    assert_eq!(posts(&cloudflare, "*/assets/upload"), count.div_ceil(2000));
}
