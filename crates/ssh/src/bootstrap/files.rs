//! Uploads and releases on the host, under every shell that may be a server's `sh`.

use std::fs;
use std::path::Path;

use super::fragments::block_on;
use super::harness::{Server, shells};
use crate::{Authority, Good, Payload, Release, Staged, Unready, Upload};

const NOBODY_ELSE: Authority<'_> = Authority { sudo: None, lock: None };

/// A folder with one page.
fn site(text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("page"), text).unwrap();
    folder
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| name != "bin" && name != ".ssh-deploy.test");
    names.sort();
    names
}

#[test]
fn an_upload_is_beside_its_destination_until_it_is_placed_and_equal_content_is_left_alone() {
    for shell in shells() {
        let server = Server::new(shell);
        let mut started = server.start(shell, 50);
        let (folder, file) = (site("new\n"), site("new\n"));
        let home = server.folder.path().to_owned();
        fs::write(home.join("it's a page"), "old\n").unwrap();
        let uploads = [
            (file.path().join("page"), "it's a page", home.join("it's a page")),
            (folder.path().to_owned(), "app", home.join("app/page")),
        ];
        for (source, destination, there) in uploads {
            let upload = Upload { payload: Payload::read(&source).unwrap(), destination: destination.to_owned() };
            block_on(async {
                assert_eq!(upload.stage(&mut started, NOBODY_ELSE).await, Ok(Staged::Ready), "{shell}");
                assert_ne!(fs::read_to_string(&there).unwrap_or_default(), "new\n", "{shell}");
                assert_eq!(upload.place(&mut started, NOBODY_ELSE).await, Ok(()), "{shell}");
                assert_eq!(fs::read_to_string(&there).unwrap(), "new\n", "{shell}");
                assert_eq!(upload.stage(&mut started, NOBODY_ELSE).await, Ok(Staged::Same), "{shell}");
            });
        }
        started.leave();
        assert_eq!(names(&home), ["app", "it's a page"], "{shell}");
    }
}

#[test]
fn a_staged_upload_that_is_not_placed_leaves_nothing() {
    for shell in shells() {
        let server = Server::new(shell);
        let mut started = server.start(shell, 50);
        let folder = site("new\n");
        for destination in ["app", "page"] {
            let source = if destination == "app" { folder.path().to_owned() } else { folder.path().join("page") };
            let upload = Upload { payload: Payload::read(&source).unwrap(), destination: destination.to_owned() };
            assert_eq!(block_on(upload.stage(&mut started, NOBODY_ELSE)), Ok(Staged::Ready), "{shell}");
        }
        let foreign = server.folder.path().join("foreign");
        fs::create_dir(&foreign).unwrap();
        let upload = Upload { payload: Payload::read(folder.path()).unwrap(), destination: "foreign".to_owned() };
        let refused = block_on(upload.stage(&mut started, NOBODY_ELSE));
        assert!(matches!(&refused, Err(Unready::Destination { why, .. }) if why == "foreign"), "{shell}: {refused:?}");
        started.leave();
        assert_eq!(names(server.folder.path()), ["foreign"], "{shell}");
    }
}

#[test]
fn releases_are_switched_by_a_rename_forward_and_back_and_old_ones_are_removed() {
    for shell in shells() {
        let server = Server::new(shell);
        let base = server.folder.path().join("my app");
        let current = || fs::read_to_string(base.join("current/page")).unwrap_or_default();
        let id_of = |number: u8| format!("2026010{number}T120000.000Z-abc");
        // It is not ours, whatever its mark says.
        fs::create_dir_all(base.join("releases/v1")).unwrap();
        fs::write(base.join("releases/v1/.ssh-deploy-release"), "status=good\n").unwrap();
        for (number, keeps) in [(1, vec![1]), (2, vec![1, 2]), (3, vec![2, 3])] {
            let id = id_of(number);
            let (mut started, folder) = (server.start(shell, 50), site(&id));
            let release = Release {
                payload: Some(Payload::read(folder.path()).unwrap()),
                base: "my app".to_owned(),
                keep: 1,
                shared: vec!["uploads/".to_owned()],
                run: "7.1".to_owned(),
            };
            block_on(async {
                let found = release.look(&mut started, NOBODY_ELSE).await.unwrap();
                assert_eq!(found.good, (number > 1).then(|| id_of(number - 1)), "{shell}");
                assert_eq!(found.other, (number > 2).then(|| id_of(number - 2)), "{shell}");
                release.stage(&mut started, NOBODY_ELSE, &found, &id).await.unwrap();
                assert_ne!(current(), id, "{shell}");
                release.switch(&mut started, NOBODY_ELSE, &found, &id).await.unwrap();
                assert_eq!(current(), id, "{shell}");
                if let Some(good) = &found.good {
                    release.switch(&mut started, NOBODY_ELSE, &found, good).await.unwrap();
                    assert_eq!(&current(), good, "{shell}");
                    release.switch(&mut started, NOBODY_ELSE, &found, &id).await.unwrap();
                }
                release.finish(&mut started, NOBODY_ELSE, &found, (&id, Good::Yes)).await.unwrap();
            });
            started.leave();
            let keeps: Vec<String> = keeps.into_iter().map(id_of).chain(["v1".to_owned()]).collect();
            assert_eq!(names(&base.join("releases")), keeps, "{shell}");
        }
        assert_eq!(names(&base), ["current", "releases", "shared"], "{shell}");
        assert!(base.join("current/uploads").is_dir(), "{shell}");
    }
}

#[test]
fn a_release_that_is_staged_and_not_switched_to_leaves_nothing() {
    for shell in shells() {
        let server = Server::new(shell);
        let mut started = server.start(shell, 50);
        let folder = site("new");
        let release = Release {
            payload: Some(Payload::read(folder.path()).unwrap()),
            base: "app".to_owned(),
            keep: 5,
            shared: vec!["log/".to_owned(), "var/uploads/".to_owned()],
            run: "7.1".to_owned(),
        };
        block_on(async {
            let found = release.look(&mut started, NOBODY_ELSE).await.unwrap();
            release.stage(&mut started, NOBODY_ELSE, &found, "20260101T120000.000Z-abc").await.unwrap();
        });
        started.leave();
        assert!(names(server.folder.path()).is_empty(), "{shell}: {:?}", names(server.folder.path()));
    }
}
