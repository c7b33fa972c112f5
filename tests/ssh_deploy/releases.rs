//! Releases: a folder per deploy, one link, and the way back.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use emulators::Sshd;
use emulators::sshd::Trouble;

use super::{host, reason, step};
use crate::support::{Seen, Step};

/// A step that deploys a release with this page into `app`.
fn release(sshd: &Sshd, page: &str, arguments: &[&str]) -> Step {
    step(sshd)
        .file("site/index.html", page)
        .args([host(sshd).as_str(), "--format", "json", "--lock", "shop", "--release", "site:app"])
        .args(arguments.iter().copied())
}

fn page(sshd: &Sshd) -> String {
    std::fs::read_to_string(sshd.home().join("app/current/index.html")).unwrap()
}

fn releases(sshd: &Sshd) -> Vec<String> {
    let entries = std::fs::read_dir(sshd.home().join("app/releases")).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn cause(seen: &Seen) -> String {
    seen.json()["hosts"][0]["reason"]["text"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_release_becomes_current_and_is_activated_and_old_ones_are_removed() {
    let Some(sshd) = Sshd::start() else { return };
    for text in ["one", "two", "three", "four"] {
        let seen = release(&sshd, text, &["--keep", "2", "--activate", "echo activated $DEPLOY_RELEASE in $(pwd)"])
            .args(["--", "echo building in $(pwd -P); echo previous:$DEPLOY_PREVIOUS."])
            .run()
            .exits(0);
        assert_eq!(page(&sshd), text);
        let newest = releases(&sshd).pop().unwrap();
        assert!(seen.stderr.contains(&format!("activated {newest} in ")), "{}", seen.stderr);
        assert!(seen.stderr.contains("building in "), "{}", seen.stderr);
    }
    assert_eq!(releases(&sshd).len(), 2);
    let link = std::fs::read_link(sshd.home().join("app/current")).unwrap();
    assert_eq!(link.to_string_lossy(), format!("releases/{}", releases(&sshd)[1]));
}

#[test]
fn a_release_whose_check_fails_is_switched_back_and_marked_bad() {
    let Some(sshd) = Sshd::start() else { return };
    let check = "web=grep -q good $HOME/app/current/index.html";
    let options = [
        "--check",
        check,
        "--check-timeout",
        "2s",
        "--check-interval",
        "1s",
        "--activate",
        "echo activated $DEPLOY_RELEASE",
    ];
    release(&sshd, "good one", &options).args(["--", "true"]).run().exits(0);
    let first = releases(&sshd)[0].clone();
    let seen = release(&sshd, "bad", &options).args(["--", "true"]).run().exits(1);
    assert_eq!(
        (reason(&seen).as_str(), seen.json()["hosts"][0]["rolled_back"].as_bool()),
        ("check_failed", Some(true))
    );
    assert_eq!(page(&sshd), "good one");
    assert!(seen.stderr.contains(&format!("activated {first}")), "{}", seen.stderr);
    // The bad one is never gone back to.
    let seen = release(&sshd, "bad again", &options).args(["--", "echo previous $DEPLOY_PREVIOUS"]).run().exits(1);
    assert!(seen.stderr.contains(&format!("previous {first}")), "{}", seen.stderr);
    assert_eq!(page(&sshd), "good one");
}

#[test]
fn a_switch_back_whose_activation_fails_is_not_reported_done() {
    let Some(sshd) = Sshd::start() else { return };
    release(&sshd, "one", &["--", "true"]).run().exits(0);
    let seen = release(&sshd, "two", &["--activate", "echo no such unit >&2; exit 5", "--", "true"]).run().exits(1);
    assert_eq!(seen.json()["hosts"][0]["rolled_back"].as_bool(), Some(false));
    assert!(cause(&seen).contains("the check activate did not pass; the rollback failed too"), "{}", cause(&seen));
    assert_eq!(page(&sshd), "one");
}

#[test]
fn a_command_that_fails_makes_nothing_current() {
    let Some(sshd) = Sshd::start() else { return };
    release(&sshd, "one", &["--", "true"]).run().exits(0);
    release(&sshd, "two", &["--", "exit 3"]).run().exits(1);
    assert_eq!(page(&sshd), "one");
}

#[test]
fn shared_paths_are_linked_and_a_missing_file_is_1_before_anything_changes() {
    let Some(sshd) = Sshd::start() else { return };
    let shared = ["--shared", ".env,uploads/"];
    let seen = release(&sshd, "one", &shared).args(["--", "true"]).run().exits(1);
    assert_eq!(reason(&seen), "release_refused");
    assert!(cause(&seen).contains("shared/.env does not exist"), "{}", cause(&seen));
    assert!(releases(&sshd).is_empty() && !sshd.home().join("app/current").exists());
    std::fs::create_dir_all(sshd.home().join("app/shared")).unwrap();
    std::fs::write(sshd.home().join("app/shared/.env"), "KEY=1").unwrap();
    release(&sshd, "one", &shared).args(["--", "cat .env; touch uploads/file"]).run().exits(0);
    assert!(sshd.home().join("app/shared/uploads/file").exists());
}

#[test]
fn what_is_no_place_for_releases_is_refused_before_anything_changes() {
    for (build, text) in [
        ("mkdir -p app/current", "is not a link"),
        ("mkdir -p app/releases elsewhere && ln -s ../elsewhere app/current", "does not lead into"),
        ("mkdir -p app && ln -s current app/current", "does not lead into"),
    ] {
        let Some(sshd) = Sshd::start() else { return };
        let built = std::process::Command::new("sh").args(["-c", build]).current_dir(sshd.home()).status();
        assert!(built.unwrap().success());
        let seen = release(&sshd, "one", &["--", "touch $HOME/changed"]).run().exits(1);
        assert!(cause(&seen).contains(text), "{build}: {}", cause(&seen));
        assert!(releases(&sshd).is_empty() && !sshd.home().join("changed").exists());
    }
}

#[test]
fn an_earlier_release_is_made_current_by_name_or_as_the_previous_one() {
    let Some(sshd) = Sshd::start() else { return };
    for text in ["one", "two"] {
        release(&sshd, text, &["--", "true"]).run().exits(0);
    }
    let back =
        |to: &str| step(&sshd).args([&host(&sshd), "--format", "json", "--release", ":app", "--rollback-to", to]).run();
    back("previous").exits(0);
    assert_eq!(page(&sshd), "one");
    back(&releases(&sshd)[1].clone()).exits(0);
    assert_eq!(page(&sshd), "two");
    let seen = back("20200101T000000Z-abc").exits(1);
    assert!(cause(&seen).contains("there is no release"), "{}", cause(&seen));
    step(&sshd).args([&host(&sshd), "--release", "site:app", "--rollback-to", "previous"]).run().exits(2);
}

#[test]
fn the_previous_release_is_an_older_one_and_one_that_was_rolled_back_from_is_not_gone_back_to() {
    let Some(sshd) = Sshd::start() else { return };
    for text in ["one", "two", "three"] {
        release(&sshd, text, &["--", "true"]).run().exits(0);
    }
    let back = |more: &[&str]| {
        let step = step(&sshd).args([&host(&sshd), "--format", "json", "--lock", "shop", "--release", ":app"]);
        step.args(more.iter().copied()).run()
    };
    back(&["--rollback-to", "previous"]).exits(0);
    assert_eq!(page(&sshd), "two");
    // What fails now goes back to what was live, and not to the release that was left.
    release(&sshd, "four", &["--activate", "grep -qv four index.html", "--", "true"]).run().exits(1);
    assert_eq!(page(&sshd), "two");
    back(&["--rollback-to", "previous"]).exits(0);
    assert_eq!(page(&sshd), "one");
    let seen = back(&["--rollback-to", "previous"]).exits(1);
    assert!(cause(&seen).contains("no earlier good release"), "{}", cause(&seen));
    // By its name, a release that had passed its checks can be had again.
    let third = releases(&sshd)[2].clone();
    back(&["--rollback-to", &third]).exits(0);
    assert_eq!(page(&sshd), "three");
}

#[test]
fn a_folder_that_is_no_release_of_ours_or_a_bad_one_is_not_made_current_by_its_name() {
    let Some(sshd) = Sshd::start() else { return };
    release(&sshd, "one", &["--", "true"]).run().exits(0);
    release(&sshd, "bad", &["--activate", "grep -q one index.html", "--", "true"]).run().exits(1);
    let bad = releases(&sshd)[1].clone();
    std::fs::create_dir(sshd.home().join("app/releases/v1")).unwrap();
    for name in ["v1", &bad] {
        let step = step(&sshd).args([&host(&sshd), "--format", "json", "--release", ":app", "--rollback-to", name]);
        let seen = step.run().exits(1);
        assert!(cause(&seen).contains("did not pass its checks, or is not ours"), "{}", cause(&seen));
    }
    assert_eq!(page(&sshd), "one");
}

#[test]
fn a_way_back_is_open_to_a_run_whose_fence_is_lower() {
    let Some(sshd) = Sshd::start() else { return };
    release(&sshd, "one", &["--fence", "7", "--", "true"]).run().exits(0);
    release(&sshd, "two", &["--fence", "8", "--", "true"]).run().exits(0);
    let step = step(&sshd).args([&host(&sshd), "--lock", "shop", "--fence", "6", "--release", ":app"]);
    step.args(["--rollback-to", "previous"]).run().exits(0);
    assert_eq!(page(&sshd), "one");
    // It has not lowered the fence for deploys.
    release(&sshd, "three", &["--fence", "7", "--", "true"]).run().exits(75);
}

/// Two hosts, of which only the first has the third release.
fn two_hosts_apart() -> Option<(Sshd, Sshd, String)> {
    let (one, other) = (Sshd::start()?, Sshd::start()?);
    let list = super::fixtures::list(&[&one, &other]);
    for text in ["one", "two"] {
        let step = step(&one).file("site/index.html", text).args(["--release", "site:app", "--", "true"]);
        step.stdin(list.clone()).run().exits(0);
    }
    release(&one, "three", &["--", "true"]).run().exits(0);
    Some((one, other, list))
}

#[test]
fn hosts_that_would_go_back_to_different_releases_are_refused_with_a_table() {
    let Some((one, other, list)) = two_hosts_apart() else { return };
    let step = || step(&one).args(["--format", "json", "--release", ":app", "--rollback-to", "previous"]);
    let seen = step().stdin(list.clone()).run().exits(1);
    let ids = releases(&one);
    let name = |sshd: &Sshd| format!("127.0.0.1:{}", sshd.port());
    let table = format!("{} → {}, {} → {}", name(&one), ids[1], name(&other), ids[0]);
    assert!(cause(&seen).contains(&table), "{}", cause(&seen));
    assert_eq!((page(&one), page(&other)), ("three".to_owned(), "two".to_owned()));
    // Nor does a host that is reached late become another release than the first.
    other.trouble(Trouble::Refuse);
    let check = "web=touch $HOME/checking; while [ ! -e $HOME/go ]; do sleep 0.1; done";
    let step = step().args(["--retry-unreachable", "--check", check, "--check-interval", "1"]).stdin(list);
    let mut started = step.spawn();
    started.send_stdin();
    super::fixtures::until_there(&one.home().join("checking"));
    other.trouble(None);
    std::fs::write(one.home().join("go"), "").unwrap();
    started.finish().exits(1);
    assert_eq!((page(&one), page(&other)), ("two".to_owned(), "two".to_owned()));
}

#[test]
fn the_first_release_that_fails_is_reported_as_still_live() {
    let Some(sshd) = Sshd::start() else { return };
    let seen = release(&sshd, "one", &["--activate", "exit 5", "--", "true"]).run().exits(1);
    assert_eq!(seen.json()["hosts"][0]["rolled_back"].as_bool(), Some(false));
    let causes = seen.json()["hosts"][0]["causes"].to_string();
    assert!(causes.contains("no earlier good release") && causes.contains("/app/current still leads to"), "{causes}");
    assert_eq!(page(&sshd), "one");
}

#[test]
fn with_rollback_all_every_host_goes_back_to_its_release() {
    let Some(one) = Sshd::start() else { return };
    let Some(other) = Sshd::start() else { return };
    let list = super::fixtures::list(&[&one, &other]);
    let run = |text: &str| {
        let command = format!("[ $HOME = {} ] || ! grep two index.html", one.home().display());
        let step = step(&one).file("site/index.html", text).args(["--batch", "1", "--rollback-all"]);
        step.args(["--release", "site:app", "--activate", &command, "--", "true"]).stdin(list.clone()).run()
    };
    run("one").exits(0);
    run("two").exits(1);
    assert_eq!((page(&one), page(&other)), ("one".to_owned(), "one".to_owned()));
    step(&one).args([&host(&one), "--rollback-all", "--", "true"]).run().exits(2);
}

#[test]
fn a_dry_run_and_a_refused_release_leave_no_shared_folder() {
    let Some(sshd) = Sshd::start() else { return };
    std::fs::create_dir(sshd.home().join("app")).unwrap();
    let names = || std::fs::read_dir(sshd.home().join("app")).unwrap().count();
    release(&sshd, "one", &["--shared", "log/,var/up/", "--dry-run", "--", "true"]).run().exits(0);
    assert_eq!(names(), 0);
    release(&sshd, "one", &["--shared", "log/,.env", "--", "true"]).run().exits(1);
    assert_eq!(names(), 0);
    // A folder that stays empty stays all the same.
    release(&sshd, "one", &["--shared", "log/", "--", "true"]).run().exits(0);
    assert!(sshd.home().join("app/current/log").is_dir());
}

#[test]
fn a_base_whose_staged_file_has_a_path_of_64_characters_is_as_good_as_any() {
    let Some(sshd) = Sshd::start() else { return };
    let folder = tempfile::Builder::new().rand_bytes(6).tempdir_in("/tmp").unwrap();
    for length in 1..=12 {
        let base = folder.path().join("b".repeat(length)).display().to_string();
        let step = step(&sshd).file("site/a", "a").args([&host(&sshd), "--release", &format!("site:{base}")]);
        step.args(["--", "true"]).run().exits(0);
    }
}

#[test]
fn files_have_the_modes_of_here_and_the_owner_of_the_login_or_of_sudo() {
    let Some(sshd) = Sshd::start() else { return };
    let folder = tempfile::Builder::new().prefix("app-").tempdir_in("/tmp").unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let login = std::fs::metadata(sshd.home()).unwrap().uid();
    let sudo = if login == 0 && crate::support::peer("sudo").is_some() { vec![Some(65534)] } else { Vec::new() };
    for user in [None].into_iter().chain(sudo) {
        let name = |what: &str| folder.path().join(format!("{what}{}", user.unwrap_or(0)));
        let (base, upload) = (name("base"), name("upload"));
        let step = step(&sshd).file("site/page", "page").file("site/sub/run", "#!/bin/sh");
        let local = step.folder().join("site");
        for (path, mode) in [("page", 0o664), ("sub/run", 0o750), ("sub", 0o755)] {
            std::fs::set_permissions(local.join(path), std::fs::Permissions::from_mode(mode)).unwrap();
        }
        if login == 0 {
            // As a runner's user, who has this number on no host or belongs to somebody else there.
            std::os::unix::fs::chown(local.join("page"), Some(12345), Some(12345)).unwrap();
        }
        let step = step.args(user.map(|_| "--sudo=nobody")).arg(host(&sshd));
        let step = step.args(["--release", &format!("site:{}", base.display())]);
        step.args(["--upload", &format!("site:{}", upload.display()), "--", "true"]).run().exits(0);
        for root in [base.join("current"), upload] {
            for (path, mode) in [("page", 0o664), ("sub/run", 0o750), ("sub", 0o755), (".", 0o755)] {
                let there = std::fs::metadata(root.join(path)).unwrap();
                let found = (there.permissions().mode() & 0o777, there.uid());
                assert_eq!(found, (mode, user.unwrap_or(login)), "{path} in {}", root.display());
            }
        }
        assert_eq!(std::fs::metadata(base.join("releases")).unwrap().permissions().mode() & 0o777, 0o755);
    }
}

#[test]
fn going_back_by_name_removes_nothing_and_what_fails_then_restores_what_was_live() {
    let Some(sshd) = Sshd::start() else { return };
    for text in ["one", "two", "three"] {
        release(&sshd, text, &["--", "true"]).run().exits(0);
    }
    let first = releases(&sshd)[0].clone();
    let step = step(&sshd).args([&host(&sshd), "--lock", "shop", "--release", ":app", "--rollback-to", &first]);
    step.args(["--keep", "1"]).run().exits(0);
    assert_eq!((page(&sshd).as_str(), releases(&sshd).len()), ("one", 3));
    // The second one is good and newer, and was not live.
    release(&sshd, "four", &["--activate", "grep -qv four index.html", "--", "true"]).run().exits(1);
    assert_eq!(page(&sshd), "one");
}
