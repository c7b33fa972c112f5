//! Releases: a folder per deploy, one link, and the way back.

use emulators::Sshd;

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
