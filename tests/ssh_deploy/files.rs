//! Uploads: what goes where, what is left as it is, and what is refused.

use emulators::Sshd;

use super::{host, reason, step};
use crate::support::Step;

fn json(sshd: &Sshd) -> Step {
    step(sshd).args([host(sshd).as_str(), "--format", "json"])
}

fn names(folder: &std::path::Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn a_file_and_a_folder_are_there_before_the_command_runs_and_nothing_else_is() {
    let Some(sshd) = Sshd::start() else { return };
    let app = sshd.home().join("app");
    for text in ["one", "two"] {
        let seen = json(&sshd)
            .file("site/index.html", text)
            .file("site/sub/page.html", "page")
            .file("app.conf", text.repeat(100_000))
            .args(["--upload", "app.conf:app.conf", "--upload", &format!("site/:{}", app.display())])
            .args(["--", "cd; cat app/index.html; wc -c <app.conf"])
            .run()
            .exits(0);
        assert!(seen.stderr.contains(text) && seen.stderr.contains("300000"), "{}", seen.stderr);
        assert_eq!(std::fs::read_to_string(app.join("index.html")).unwrap(), text);
        assert_eq!(names(&sshd.home()), ["app", "app.conf"]);
        assert_eq!(names(&app), [".ssh-deploy-upload", "index.html", "sub"]);
    }
}

#[test]
fn equal_content_is_left_alone() {
    let Some(sshd) = Sshd::start() else { return };
    let run = || {
        let step = json(&sshd).file("site/index.html", "text").args(["--upload", "site:app", "--", "true"]);
        step.run().exits(0);
        std::fs::metadata(sshd.home().join("app"))
            .map(|metadata| std::os::unix::fs::MetadataExt::ino(&metadata))
            .unwrap()
    };
    assert_eq!(run(), run());
}

#[test]
fn a_folder_that_is_not_ours_is_refused_before_anything_changes() {
    let Some(sshd) = Sshd::start() else { return };
    std::fs::create_dir(sshd.home().join("app")).unwrap();
    let seen =
        json(&sshd).file("site/a", "a").args(["--upload", "site:app", "--", "touch $HOME/changed"]).run().exits(1);
    assert_eq!(reason(&seen), "destination_refused");
    assert!(seen.stderr.contains("--release"), "{}", seen.stderr);
    assert_eq!(names(&sshd.home()), ["app"]);
    let seen = json(&sshd).file("a", "a").args(["--upload", "a:not/there/a", "--", "true"]).run().exits(1);
    assert!(seen.stderr.contains("does not exist"), "{}", seen.stderr);
}

#[test]
fn a_dry_run_stages_and_leaves_nothing() {
    let Some(sshd) = Sshd::start() else { return };
    json(&sshd).file("a", "a").args(["--upload", "a:a", "--dry-run", "--", "true"]).run().exits(0);
    assert_eq!(names(&sshd.home()), Vec::<String>::new());
    assert_eq!(names(&sshd.temporary()), Vec::<String>::new());
}

#[test]
fn what_must_not_be_sent_is_2() {
    let Some(sshd) = Sshd::start() else { return };
    for (source, destination) in [("", "x"), ("empty", "x"), ("absent", "x"), ("link", "x"), ("file", "a/../b")] {
        let step = json(&sshd).file("file", "a").file("link/file", "a");
        std::fs::create_dir(step.folder().join("empty")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", step.folder().join("link/out")).unwrap();
        step.args(["--upload", &format!("{source}:{destination}"), "--", "true"]).run().exits(2);
    }
}

#[test]
fn an_upload_through_sudo_belongs_to_its_user() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let Some(sshd) = Sshd::start() else { return };
    if crate::support::peer("sudo").is_none() {
        return;
    }
    let folder = tempfile::Builder::new().prefix("app-").tempdir_in("/tmp").unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let destination = folder.path().join("site");
    let seen = json(&sshd)
        .file("site/index.html", "text")
        .workflow_secret("TOKEN", "a-secret-of-the-deploy")
        .args(["--sudo=nobody", "--env", "TOKEN", "--upload", &format!("site:{}", destination.display())])
        .args(["--", "id -un; echo ${#TOKEN} in $(pwd)"])
        .run()
        .exits(0);
    assert!(seen.stderr.contains("│ nobody") && seen.stderr.contains("│ 22 in"), "{}", seen.stderr);
    assert_eq!(std::fs::metadata(destination.join("index.html")).unwrap().uid(), 65534);
    assert_eq!(names(folder.path()), ["site"]);
}

#[test]
fn a_user_that_sudo_does_not_let_us_be_is_77_before_anything_changes() {
    let Some(sshd) = Sshd::start() else { return };
    if crate::support::peer("sudo").is_none() {
        return;
    }
    let seen = json(&sshd).args(["--sudo=no-such-user", "--", "touch $HOME/changed"]).run().exits(77);
    assert_eq!(reason(&seen), "sudo_refused");
    assert!(seen.stderr.contains("NOPASSWD") && names(&sshd.home()).is_empty(), "{}", seen.stderr);
}

#[test]
fn uploads_into_each_other_are_2_before_any_host_is_asked() {
    let Some(sshd) = Sshd::start() else { return };
    for (one, other, text) in
        [("app", "app/.env", "into another upload"), ("app/x/", "app", "into another upload"), ("app", "app/", "twice")]
    {
        let step = step(&sshd).file("a", "a").args([&host(&sshd), "--upload", &format!("a:{one}")]);
        let seen = step.args(["--upload", &format!("a:{other}"), "--", "true"]).run().exits(2);
        assert!(seen.log.contains(text), "{}", seen.log);
    }
    assert_eq!(sshd.connections(), 0);
    step(&sshd)
        .file("a", "a")
        .args([&host(&sshd), "--upload", "a:app", "--upload", "a:apple", "--", "true"])
        .run()
        .exits(0);
}

#[test]
fn what_was_changed_on_the_host_is_put_right_by_the_next_deploy() {
    use std::os::unix::fs::PermissionsExt as _;
    let Some(sshd) = Sshd::start() else { return };
    let run = |mode: u32| {
        let step = json(&sshd).file("site/page", "page").file("tool", "#!/bin/sh\necho tool\n");
        let tool = step.folder().join("tool");
        std::fs::set_permissions(tool, std::fs::Permissions::from_mode(mode)).unwrap();
        step.args(["--upload", "site:app", "--upload", "tool:tool", "--", "true"]).run().exits(0);
    };
    run(0o644);
    std::fs::write(sshd.home().join("app/page"), "tampered").unwrap();
    run(0o755);
    assert_eq!(std::fs::read_to_string(sshd.home().join("app/page")).unwrap(), "page");
    assert_eq!(std::fs::metadata(sshd.home().join("tool")).unwrap().permissions().mode() & 0o777, 0o755);
    std::fs::remove_file(sshd.home().join("app/page")).unwrap();
    run(0o755);
    assert!(sshd.home().join("app/page").exists());
}

#[test]
fn what_is_packed_here_has_no_name_and_ends_with_us() {
    let Some(sshd) = Sshd::start() else { return };
    let step =
        step(&sshd).file("site/.env", "DB_PASSWORD=hunter2-and-more").args([&host(&sshd), "--release", "site:app"]);
    let temp = step.folder().parent().unwrap().join("temp");
    let mut started = step.args(["--", "echo begun; sleep 86441"]).spawn();
    super::until(&mut started, "begun");
    let found = std::process::Command::new("grep").args(["-rl", "hunter2-and-more"]).arg(temp).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&found.stdout), "");
    super::signal(&started, "-TERM");
    started.finish().exits(143);
}

#[test]
fn uploads_that_meet_only_on_the_host_or_in_a_release_are_refused_before_anything_changes() {
    let Some(sshd) = Sshd::start() else { return };
    let home = sshd.home().display().to_string();
    let run = |uploads: &[&str], more: &[&str]| {
        let uploads = uploads.iter().flat_map(|upload| ["--upload", upload]);
        let step = json(&sshd).file("dist/index", "1").file("dotenv", "KEY=1").args(uploads);
        step.args(more.iter().copied()).args(["--", "touch $HOME/changed"]).run()
    };
    run(&["dotenv:srv/current/.env"], &["--release", "dist:srv"]).exits(2);
    // Only the host knows where these lead.
    std::fs::create_dir_all(sshd.home().join("app")).unwrap();
    std::os::unix::fs::symlink("app", sshd.home().join("link")).unwrap();
    let absolute = format!("dotenv:{home}/new/.env");
    for (dist, dotenv) in [("dist:new", absolute.as_str()), ("dist:app/new", "dotenv:link/new/.env")] {
        let seen = run(&[dist, dotenv], &[]).exits(1);
        assert_eq!(reason(&seen), "destination_refused");
        assert!(seen.stderr.contains("lead to one place"), "{}", seen.stderr);
    }
    let seen = run(&[&format!("dist:{home}/srv")], &["--release", "dist:srv"]).exits(1);
    assert_eq!(reason(&seen), "destination_refused");
    assert_eq!(names(&sshd.home()), ["app", "link"]);
    assert!(names(&sshd.home().join("app")).is_empty());
    // What is shared between releases has its place.
    std::fs::create_dir_all(sshd.home().join("srv/shared")).unwrap();
    run(&["dotenv:srv/shared/.env", "dist:app/new"], &["--release", "dist:srv"]).exits(0);
    assert_eq!(std::fs::read_to_string(sshd.home().join("srv/shared/.env")).unwrap(), "KEY=1");
}

#[test]
fn a_change_that_keeps_all_times_is_put_right_too() {
    let Some(sshd) = Sshd::start() else { return };
    let run = || json(&sshd).file("site/page", "page").args(["--upload", "site:app", "--", "true"]).run().exits(0);
    run();
    let page = sshd.home().join("app/page");
    let modified = std::fs::metadata(&page).unwrap().modified().unwrap();
    std::fs::write(&page, "else").unwrap();
    std::fs::File::options().write(true).open(&page).unwrap().set_modified(modified).unwrap();
    run();
    assert_eq!(std::fs::read_to_string(page).unwrap(), "page");
}
