//! Which sites are deployed, and where the result goes.

use emulators::Cloudflare;
use emulators::http::Request;
use serde_json::json;

use super::faults::refused;
use super::{posts, step};

pub(super) fn deployed(cloudflare: &Cloudflare) -> Vec<String> {
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
fn sites_of_several_directories_are_deployed_together() {
    let cloudflare = Cloudflare::start();
    cloudflare.project("web");
    let several = || step(&cloudflare).file("apps/web/dist/index.html", "web").args(["sites", "apps"]);
    assert_eq!(several().arg("--list").run().exits(0).stdout, "docs\nshop\nweb\n");
    several().args(["--except", "shop"]).run().exits(0);
    assert_eq!(deployed(&cloudflare), ["docs", "web"]);
    let seen = several().file("apps/docs/dist/index.html", "x").run().exits(2);
    assert!(seen.messages("error")[0].contains("two sites have the name `docs`"), "{:?}", seen.annotations);
    let seen = step(&cloudflare).args(["sites", "nowhere"]).run().exits(2);
    assert!(seen.messages("error")[0].contains("cannot read the folder `nowhere`"), "{:?}", seen.annotations);
}

#[test]
fn a_directory_may_be_a_site_itself() {
    let cloudflare = Cloudflare::start();
    // As a shell expands `sites/*`.
    step(&cloudflare).file("sites/lib/go.mod", "x").args(["sites/docs", "sites/lib", "sites/shop"]).run().exits(0);
    assert_eq!(deployed(&cloudflare), ["docs", "shop"]);
    let inside = step(&cloudflare);
    let site = inside.folder().join("sites/docs");
    let seen = inside.cwd(&site).arg(".").run().exits(0);
    assert!(seen.stdout.contains("passed     docs  production"), "{}", seen.stdout);
    let seen = step(&cloudflare).file("sites/README.md", "x").args(["sites/README.md", "sites/docs"]).run().exits(2);
    assert!(seen.messages("error")[0].contains("help: name directories only"), "{:?}", seen.annotations);
}

#[test]
fn blanks_in_lists_and_directories_count_as_not_given() {
    let cloudflare = Cloudflare::start();
    let list = |arguments: &[&str]| {
        let step = step(&cloudflare).args(arguments.iter().copied()).arg("--list").run();
        step.exits(0).stdout.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(list(&["--only", "docs, shop", "--except", "shop,"]), ["docs"]);
    assert_eq!(list(&["--only", ",", "", "--except", " , "]), ["docs", "shop"]);
    assert_eq!(list(&["sites", "", "--only", "docs,,"]), ["docs"]);
}

#[test]
fn a_branch_with_gits_prefix_is_the_production_branch_all_the_same() {
    let cloudflare = Cloudflare::start();
    step(&cloudflare).args(["--branch", "refs/heads/main"]).run().exits(0);
    assert!(cloudflare.deployments("docs")[0].production);
    let seen = step(&cloudflare).args(["--branch", "HEAD"]).run().exits(2);
    assert!(seen.messages("error")[0].contains("`HEAD` is not the name of a branch"), "{:?}", seen.annotations);
}

#[test]
fn names_that_never_arrive_are_waited_for_until_the_deadline() {
    let cloudflare = Cloudflare::start();
    let mut started = step(&cloudflare).args(["--sites", "-", "--deadline", "1", "--format", "json"]).spawn();
    // Open, and nothing comes.
    let pipe = started.child.stdin.take();
    let seen = started.finish().exits(3);
    drop(pipe);
    let message = seen.json()["error"]["message"].clone();
    assert_eq!(message, "the names of sites did not arrive before the --deadline");
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
    let seen = step(&cloudflare).args(["--shard", "3/3"]).run().exits(0);
    assert!(seen.stderr.contains("no site is in this shard"), "{}", seen.stderr);
    assert_eq!(posts(&cloudflare, "*/deployments"), 2);
}

#[test]
fn shards_of_a_list_share_nothing_have_all_and_stay_the_same() {
    let cloudflare = Cloudflare::start();
    let names = ["a", "b", "c", "d", "e", "docs", "shop"];
    let list = |part: &str| -> Vec<String> {
        let step = names.iter().fold(step(&cloudflare), |step, name| step.file(&format!("sites/{name}/dist/x"), "x"));
        step.args(["--list", "--shard", part]).run().exits(0).stdout.lines().map(str::to_owned).collect()
    };
    for count in 1..=8 {
        let parts: Vec<Vec<String>> = (1..=count).map(|index| list(&format!("{index}/{count}"))).collect();
        assert!(parts.iter().all(|part| part.len().abs_diff(names.len() / count) <= 1), "{parts:?}");
        let mut all = parts.concat();
        all.sort();
        assert_eq!(all, list("1/1"));
        assert_eq!(parts[0], list(&format!("1/{count}")));
    }
}

#[test]
fn names_on_stdin_choose_the_sites() {
    let cloudflare = Cloudflare::start();
    step(&cloudflare).args(["--sites", "-"]).stdin("shop # the shop\n\n").run().exits(0);
    assert_eq!(deployed(&cloudflare), ["shop"]);
    let seen = step(&cloudflare).args(["--sites", "-"]).stdin("blog\n").run().exits(2);
    assert!(seen.messages("error")[0].contains("there is no site `blog`"), "{:?}", seen.annotations);
    let seen = step(&cloudflare).args(["--sites", "-"]).stdin("# none\n").run().exits(1);
    assert!(seen.messages("error")[0].contains("no site is left to deploy"), "{:?}", seen.annotations);
    let seen = step(&cloudflare).args(["--sites", "list.txt"]).run().exits(2);
    assert!(seen.messages("error")[0].contains("names of sites in `list.txt`"), "{:?}", seen.annotations);
    step(&cloudflare).file("list.txt", "docs\n").args(["--sites", "list.txt", "--list"]).run().exits(0);
}

#[test]
fn only_the_codes_that_prove_it_create_a_project() {
    let create = |cloudflare: &Cloudflare| step(cloudflare).file("sites/blog/dist/index.html", "blog").arg("--create");
    for (status, code) in [(404, 7003), (502, 8_000_007), (403, 10_000), (401, 8_000_007)] {
        let cloudflare = Cloudflare::start();
        cloudflare.fail("GET */projects/blog", refused(status, code, "no"));
        let seen = create(&cloudflare).args(["--timeout", "2"]).run();
        assert_ne!(seen.code, 0, "{status} {code}");
        assert_eq!(posts(&cloudflare, "*/projects"), 0, "{status} {code}");
    }
    let cloudflare = Cloudflare::start();
    create(&cloudflare).args(["--production-branch", "live"]).run().exits(0);
    assert_eq!(posts(&cloudflare, "*/projects"), 1);
    // `main` is not its production branch.
    assert!(!cloudflare.deployments("blog")[0].production);
}

#[test]
fn a_dry_run_only_reads_whatever_is_asked_for() {
    let cloudflare = Cloudflare::start();
    let all = ["--dry-run", "--create", "--atomic", "--skip-unchanged", "--format", "json"];
    let document = step(&cloudflare).file("sites/blog/dist/index.html", "blog").args(all).run().exits(0).json();
    assert_eq!((&document["dry_run"], &document["sites"][0]["site"]), (&json!(true), &json!("blog")));
    assert_eq!(document["sites"][0]["manifest"].as_object().unwrap().len(), 1);
    let is_read = |request: &Request| request.method == "GET" || request.path.ends_with("/check-missing");
    assert!(cloudflare.requests().iter().all(is_read));
    assert_eq!(cloudflare.projects(), ["docs", "shop"]);
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
    assert_eq!(seen.outputs["aliases"], "{}");
    assert_eq!(seen.stdout, "");
    let seen = step(&cloudflare).args(["--to", "output", "--branch", "feature"]).run().exits(0);
    assert!(seen.outputs["docs_alias"].starts_with("http://feature.docs."), "{:?}", seen.outputs);
    let aliases: serde_json::Value = serde_json::from_str(&seen.outputs["aliases"]).unwrap();
    assert!(aliases["shop"].as_str().unwrap().starts_with("http://feature.shop."), "{aliases}");
    let seen = step(&cloudflare).without("GITHUB_OUTPUT").args(["--to", "output"]).run().exits(2);
    assert!(seen.messages("error")[0].contains("GITHUB_OUTPUT"), "{:?}", seen.annotations);
    assert_eq!(cloudflare.deployments("docs").len(), 2);
}

#[test]
fn sites_whose_outputs_would_have_one_name_are_told_apart_in_urls() {
    let cloudflare = Cloudflare::start();
    let own = |name: &str| format!("name = \"{name}\"\npages_build_output_dir = \"dist\"\n");
    let step = step(&cloudflare).file("sites/a.b/dist/x", "1").file("sites/a_b/dist/x", "2");
    let step = step.file("sites/a.b/wrangler.toml", own("docs")).file("sites/a_b/wrangler.toml", own("shop"));
    let seen = step.args(["--only", "a.b,a_b", "--to", "output"]).run().exits(0);
    assert!(!seen.outputs.contains_key("a_b_url"), "{:?}", seen.outputs);
    let urls: serde_json::Value = serde_json::from_str(&seen.outputs["urls"]).unwrap();
    assert_ne!(urls["a.b"], urls["a_b"]);
    assert_eq!(seen.messages("warning").len(), 2, "{:?}", seen.annotations);
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
