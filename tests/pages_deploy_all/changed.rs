//! `--changed-since`, with git as it is in a checkout.

use std::fs;
use std::path::Path;
use std::process::Command;

use emulators::Cloudflare;

use super::arrived::{commit, git};
use super::selection::deployed;
use super::step;
use crate::support::Step;

/// A step in a repository whose last commit is tagged `base`.
fn committed(cloudflare: &Cloudflare) -> Step {
    let step = step(cloudflare).file("packages/theme/a.css", "a").file(".gitignore", "home\n");
    git(step.folder(), &["init", "-q", "-b", "main"]);
    record(step.folder(), "base");
    git(step.folder(), &["tag", "base"]);
    step
}

/// Commits everything.
fn record(folder: &Path, message: &str) {
    git(folder, &["add", "-A"]);
    commit(folder, message);
}

/// The sites that a run since `base` deploys.
fn changed(cloudflare: &Cloudflare, step: Step) -> Vec<String> {
    step.args(["--changed-since", "base", "--watch", "packages/**"]).run().exits(0);
    deployed(cloudflare)
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
fn a_new_branch_has_no_commit_before_so_everything_has_changed() {
    // `github.event.before` of a push that creates the branch.
    for zeros in [40, 64] {
        let cloudflare = Cloudflare::start();
        committed(&cloudflare).args(["--changed-since", &"0".repeat(zeros)]).run().exits(0);
        assert_eq!(deployed(&cloudflare), ["docs", "shop"]);
    }
}

#[test]
fn each_of_several_directories_is_compared() {
    let cloudflare = Cloudflare::start();
    cloudflare.project("web");
    let several = || {
        let step = step(&cloudflare).file("apps/web/dist/index.html", "web");
        git(step.folder(), &["init", "-q", "-b", "main"]);
        record(step.folder(), "base");
        git(step.folder(), &["tag", "base"]);
        step.args(["sites", "apps", "--changed-since", "base"])
    };
    several().run().exits(0);
    assert_eq!(deployed(&cloudflare), [""; 0]);
    several().file("apps/web/new.md", "x").run().exits(0);
    assert_eq!(deployed(&cloudflare), ["web"]);
    several().file("sites/docs/new.md", "x").run().exits(0);
    assert_eq!(deployed(&cloudflare), ["docs", "web"]);
}

#[test]
fn a_site_that_is_a_link_changes_with_what_it_leads_to_and_with_the_link() {
    let linked = |cloudflare: &Cloudflare| {
        cloudflare.project("web");
        let step = step(cloudflare).file("real/one/dist/index.html", "1").file("real/two/dist/index.html", "1");
        std::os::unix::fs::symlink("../real/one", step.folder().join("sites/web")).unwrap();
        git(step.folder(), &["init", "-q", "-b", "main"]);
        record(step.folder(), "base");
        git(step.folder(), &["tag", "base"]);
        step
    };
    let cloudflare = Cloudflare::start();
    assert_eq!(changed(&cloudflare, linked(&cloudflare)), [""; 0]);
    assert_eq!(changed(&cloudflare, linked(&cloudflare).file("real/one/dist/index.html", "2")), ["web"]);
    let cloudflare = Cloudflare::start();
    let step = linked(&cloudflare);
    fs::remove_file(step.folder().join("sites/web")).unwrap();
    std::os::unix::fs::symlink("../real/two", step.folder().join("sites/web")).unwrap();
    assert_eq!(changed(&cloudflare, step), ["web"]);
}

#[test]
fn sites_given_one_by_one_are_compared_too() {
    let cloudflare = Cloudflare::start();
    let step = committed(&cloudflare).file("sites/shop/new.md", "x");
    assert_eq!(changed(&cloudflare, step.args(["sites/docs", "sites/shop"])), ["shop"]);
}

#[test]
fn without_a_commit_before_a_watched_file_is_no_error() {
    let cloudflare = Cloudflare::start();
    // `github.event.before` of a run by hand.
    committed(&cloudflare).args(["--changed-since", "", "--watch", "packages/**"]).run().exits(0);
    assert_eq!(deployed(&cloudflare), ["docs", "shop"]);
}

#[test]
fn a_deleted_file_and_both_ends_of_a_rename_are_changes() {
    let cloudflare = Cloudflare::start();
    let step = committed(&cloudflare).file("sites/docs/old.md", "old");
    record(step.folder(), "two");
    git(step.folder(), &["tag", "-f", "base"]);
    fs::remove_file(step.folder().join("sites/docs/old.md")).unwrap();
    assert_eq!(changed(&cloudflare, step), ["docs"]);

    let cloudflare = Cloudflare::start();
    let page = "a page that is long enough to be seen as moved\n".repeat(9);
    let step = committed(&cloudflare).file("sites/docs/page.md", page);
    record(step.folder(), "two");
    git(step.folder(), &["tag", "-f", "base"]);
    fs::rename(step.folder().join("sites/docs/page.md"), step.folder().join("sites/shop/page.md")).unwrap();
    record(step.folder(), "moved");
    assert_eq!(changed(&cloudflare, step), ["docs", "shop"]);

    let cloudflare = Cloudflare::start();
    let step = committed(&cloudflare);
    fs::rename(step.folder().join("packages/theme/a.css"), step.folder().join("a.css")).unwrap();
    record(step.folder(), "moved away from what is shared");
    assert_eq!(changed(&cloudflare, step), ["docs", "shop"]);
}

#[test]
fn what_others_did_to_the_base_since_is_not_our_change() {
    let cloudflare = Cloudflare::start();
    let step = committed(&cloudflare);
    git(step.folder(), &["checkout", "-q", "-b", "ours"]);
    let step = step.file("sites/shop/a.md", "ours");
    record(step.folder(), "ours");
    git(step.folder(), &["checkout", "-q", "main"]);
    let step = step.file("sites/docs/a.md", "theirs");
    record(step.folder(), "theirs");
    git(step.folder(), &["tag", "-f", "base"]);
    git(step.folder(), &["checkout", "-q", "ours"]);
    assert_eq!(changed(&cloudflare, step), ["shop"]);
}

#[test]
fn a_name_beyond_ascii_is_the_sites_own() {
    let cloudflare = Cloudflare::start();
    let step = committed(&cloudflare).file("sites/docs/caf\u{e9} \"x\".md", "new");
    record(step.folder(), "odd");
    assert_eq!(changed(&cloudflare, step), ["docs"]);
}

#[test]
fn a_shallow_clone_says_what_to_fetch() {
    let cloudflare = Cloudflare::start();
    let origin = committed(&cloudflare).file("sites/docs/a.md", "new");
    git(origin.folder(), &["checkout", "-q", "-b", "ours"]);
    record(origin.folder(), "ours");
    let clone = step(&cloudflare);
    let address = format!("file://{}", origin.folder().display());
    fs::remove_dir_all(clone.folder()).unwrap();
    let done =
        Command::new("git").args(["clone", "-q", "--depth", "1", &address]).arg(clone.folder()).output().unwrap();
    assert!(done.status.success());
    // First without the commit at all, then without what lies between it and ours.
    for fetch in [None, Some(["fetch", "-q", "--depth", "1", "origin", "main:base"])] {
        if let Some(arguments) = fetch {
            git(clone.folder(), &arguments);
        }
        let seen = step(&cloudflare).cwd(clone.folder()).args(["--changed-since", "base"]).run().exits(2);
        let said = seen.messages("error").concat();
        assert!(said.contains("git cannot tell what changed since `base`"), "{said}");
        assert!(
            said.contains("help: fetch that commit and its history first; with actions/checkout: `fetch-depth: 0`"),
            "{said}"
        );
    }
}

#[test]
fn a_folder_that_is_in_no_repository_or_in_another_users_is_an_error() {
    let cloudflare = Cloudflare::start();
    let seen = step(&cloudflare).args(["--changed-since", "main"]).run().exits(2);
    assert!(seen.messages("error")[0].contains("not a git repository"), "{:?}", seen.annotations);
    // As in a container whose user is not the checkout's.
    let step = committed(&cloudflare).env("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1");
    let seen = step.args(["--changed-since", "base"]).run().exits(2);
    assert!(seen.messages("error")[0].contains("help: trust the checkout first: git config"), "{:?}", seen.annotations);
}
