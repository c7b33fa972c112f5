//! `--resume`: going on with a deploy that did not reach its end, on each kind of host.

use std::path::PathBuf;

use emulators::Sshd;
use serde_json::Value;

use super::{host, runs, signal, step, until};
use crate::support::{Seen, Step};

/// Servers that one key can log in to, and the list of them, which names them `h0`, `h1`, ….
struct Fleet {
    servers: Vec<Sshd>,
    folder: tempfile::TempDir,
}

impl Fleet {
    fn start(count: usize) -> Option<Self> {
        let servers: Vec<Sshd> = (0..count).map(|_| Sshd::start()).collect::<Option<_>>()?;
        let keys = std::fs::read_to_string(servers[0].authorized_keys()).unwrap();
        for server in &servers {
            std::fs::write(server.authorized_keys(), &keys).unwrap();
        }
        Some(Self { servers, folder: tempfile::tempdir().unwrap() })
    }

    fn list(&self) -> String {
        let entry = |(number, sshd): (usize, &Sshd)| {
            format!(
                r#"{{"name":"h{number}","host":"127.0.0.1","port":{},"user":"{}","host_key":"{}"}}"#,
                sshd.port(),
                sshd.user(),
                sshd.host_key()
            )
        };
        let entries: Vec<String> = self.servers.iter().enumerate().map(entry).collect();
        format!("[{}]", entries.join(","))
    }

    /// A step under a lock whose records can be kept.
    fn step(&self, arguments: &[&str]) -> Step {
        step(&self.servers[0])
            .args(["--lock", "shop", "--format", "jsonl"])
            .args(arguments.iter().copied())
            .stdin(self.list())
    }

    /// Keeps the records of a run in a file.
    fn keep(&self, name: &str, seen: &Seen) -> String {
        let path = self.records(name);
        std::fs::write(&path, &seen.stdout).unwrap();
        path.display().to_string()
    }

    fn records(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// How often the command ran on each server.
    fn counts(&self) -> Vec<usize> {
        self.counts_of("log")
    }

    fn counts_of(&self, file: &str) -> Vec<usize> {
        let lines = |sshd: &Sshd| std::fs::read_to_string(sshd.home().join(file)).unwrap_or_default().lines().count();
        self.servers.iter().map(lines).collect()
    }

    fn home(&self, number: usize) -> PathBuf {
        self.servers[number].home()
    }
}

/// The last record of each host: its status, and what a resumed run did there.
fn ends(seen: &Seen) -> Vec<(String, String)> {
    let mut ends: Vec<(String, String, String)> = seen
        .records()
        .iter()
        .filter(|record| record["event"] == "check_finished")
        .map(|record| {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            (text(&record["check"]), text(&record["status"]), text(&record["data"]["resumed"]))
        })
        .collect();
    ends.sort();
    ends.into_iter().map(|(_, status, resumed)| (status, resumed)).collect()
}

fn pair(status: &str, resumed: &str) -> (String, String) {
    (status.to_owned(), resumed.to_owned())
}

/// Fails on the host that has the file `broken`.
const COMMAND: &str = "cd $HOME; echo run >>log; [ ! -e broken ]";

#[test]
fn a_resumed_deploy_checks_what_is_done_and_deploys_to_what_failed_or_was_not_reached() {
    let Some(fleet) = Fleet::start(3) else { return };
    let options = ["--batch", "1", "--check", "web=cd $HOME; echo check >>checks", "--check-interval", "1"];
    std::fs::write(fleet.home(1).join("broken"), "").unwrap();
    let first = fleet.step(&options).args(["--", COMMAND]).run().exits(1);
    assert_eq!(ends(&first), [pair("passed", ""), pair("failed", ""), pair("skipped", "")]);
    assert_eq!((fleet.counts(), fleet.counts_of("checks")), (vec![1, 1, 0], vec![2, 0, 0]));
    let records = fleet.keep("first", &first);

    // The fault remains: the batches stop at the same host.
    let again = |records: &[&str]| {
        let resume: Vec<&str> = records.iter().flat_map(|file| ["--resume", file]).collect();
        fleet.step(&options).args(resume).args(["--", COMMAND])
    };
    let second = again(&[&records]).run().exits(1);
    assert_eq!(ends(&second), [pair("passed", "checked"), pair("failed", ""), pair("skipped", "")]);
    assert_eq!((fleet.counts(), fleet.counts_of("checks")), (vec![1, 2, 0], vec![4, 0, 0]));
    assert!(second.stderr.contains(": 1 done, 1 failed, 1 not started"), "{}", second.stderr);

    // The records of both attempts, in any order; the file of the second may be torn.
    std::fs::remove_file(fleet.home(1).join("broken")).unwrap();
    let later = fleet.keep("second", &second);
    std::fs::write(&later, second.stdout.clone() + "{\"v\":1,\"run\":\"r\",\"se").unwrap();
    let third = again(&[&later, &records]).run().exits(0);
    assert_eq!(ends(&third), [pair("passed", "checked"), pair("passed", ""), pair("passed", "")]);
    assert_eq!(fleet.counts(), [1, 3, 1]);
    // Values that identify the deploy, and nothing else of it.
    let data = &third.records()[0]["data"];
    assert_eq!(data["deploy"], first.records()[0]["data"]["deploy"]);
    assert_eq!(data["script"].as_str().map(str::len), Some(64));
}

#[test]
fn a_done_host_whose_check_fails_now_stops_the_rollout_and_is_deployed_to_next_time() {
    let Some(fleet) = Fleet::start(2) else { return };
    let options = ["--batch", "1", "--check", "web=cd $HOME; [ ! -e down ]"];
    let options = [&options[..], &["--check-timeout", "6", "--check-interval", "1"]].concat();
    let command = "cd $HOME; echo run >>log; rm -f down; [ ! -e broken ]";
    std::fs::write(fleet.home(1).join("broken"), "").unwrap();
    let first = fleet.step(&options).args(["--", command]).run().exits(1);
    let records = fleet.keep("first", &first);
    std::fs::write(fleet.home(0).join("down"), "").unwrap();
    std::fs::remove_file(fleet.home(1).join("broken")).unwrap();
    let second = fleet.step(&options).args(["--resume", &records, "--", command]).run().exits(1);
    assert_eq!(ends(&second), [pair("failed", "checked"), pair("skipped", "")]);
    assert!(second.stderr.contains("it was done, and the check web does not pass now"), "{}", second.stderr);
    let later = fleet.keep("second", &second);
    let third = fleet.step(&options).args(["--resume", &records, "--resume", &later, "--", command]).run().exits(0);
    assert_eq!(ends(&third), [pair("passed", ""), pair("passed", "")]);
    assert_eq!(fleet.counts(), [2, 2]);
}

#[test]
fn a_killed_deploy_is_resumed_with_its_own_release_and_fence() {
    let Some(fleet) = Fleet::start(3) else { return };
    let command = "cd $HOME; echo run >>log; [ ! -e slow ] || { echo begun; sleep 86421; }";
    let step = |more: &[&str]| {
        fleet
            .step(&["--batch", "1", "--fence", "7", "--release", "site:app"])
            .file("site/index.html", "page")
            .args(more.iter().copied())
            .args(["--", command])
    };
    std::fs::write(fleet.home(1).join("slow"), "").unwrap();
    let mut started = step(&[]).spawn();
    started.send_stdin();
    until(&mut started, "begun");
    signal(&started, "-KILL");
    let first = started.finish();
    let records = fleet.keep("killed", &first);
    let id = first.records()[0]["data"]["release"].as_str().unwrap().to_owned();
    std::fs::remove_file(fleet.home(1).join("slow")).unwrap();
    let state = |number: usize| std::fs::read_to_string(fleet.home(number).join(".ssh-deploy/shop.state"));
    assert!(state(1).unwrap().contains(&format!("release={id}\n")), "{:?}", state(1));

    // The next deploy names the unfinished one with its release.
    let warned = fleet.step(&["--lock-wait", "2m", "--dry-run", "--", "true"]).run().exits(0);
    let finding = warned.records().into_iter().find(|record| record["event"] == "finding").unwrap();
    assert!(finding["message"].as_str().unwrap().contains(&format!("release {id}) stopped in `command`")), "{finding}");

    let second = step(&["--resume", &records, "--lock-wait", "2m", "--require-clean"]).run().exits(0);
    assert!(second.stderr.contains(": 1 done, 1 half-changed, 1 not started"), "{}", second.stderr);
    assert_eq!(ends(&second), [pair("passed", "checked"), pair("passed", ""), pair("passed", "")]);
    assert_eq!(fleet.counts(), [1, 2, 1]);
    for number in 0..3 {
        let link = std::fs::read_link(fleet.home(number).join("app/current")).unwrap();
        assert_eq!(link.to_string_lossy(), format!("releases/{id}"));
        assert!(state(number).unwrap().contains("phase=done\n") && state(number).unwrap().contains("fence=7\n"));
    }
    assert!(!runs("sleep\086421"));
}

#[test]
fn a_host_that_ended_after_its_client_was_killed_is_known_by_its_state() {
    let Some(fleet) = Fleet::start(2) else { return };
    let undo = ["--rollback", "cd $HOME; echo undoing; sleep 3; echo undone >>undone"];
    let step = |more: &[&str]| fleet.step(&undo).args(more.iter().copied());
    let command = "cd $HOME; echo run >>log; false";
    let mut started = step(&["--batch", "1", "--", command]).spawn();
    started.send_stdin();
    until(&mut started, "undoing");
    signal(&started, "-KILL");
    let records = fleet.keep("killed", &started.finish());
    // The host finishes its rollback alone, so there is nothing to undo; the other was never changed.
    let seen = step(&["--lock-wait", "2m", "--resume", &records, "--only-rollback"]).run().exits(0);
    assert_eq!(ends(&seen), [pair("skipped", "left"), pair("skipped", "left")]);
    assert_eq!(fleet.counts_of("undone"), [1, 0]);
}

#[test]
fn only_rollback_undoes_what_was_changed_and_leaves_the_rest() {
    let Some(fleet) = Fleet::start(3) else { return };
    std::fs::write(fleet.home(1).join("broken"), "").unwrap();
    let first = fleet.step(&["--batch", "1", "--", COMMAND]).run().exits(1);
    let records = fleet.keep("first", &first);
    let undo = ["--resume", &records, "--only-rollback", "--rollback", "cd $HOME; echo undone >>undone"];
    let seen = fleet.step(&undo).run().exits(0);
    assert_eq!(ends(&seen), [pair("passed", "rolled_back"), pair("passed", "rolled_back"), pair("skipped", "left")]);
    assert_eq!((fleet.counts(), fleet.counts_of("undone")), (vec![1, 1, 0], vec![1, 1, 0]));
    let state = std::fs::read_to_string(fleet.home(0).join(".ssh-deploy/shop.state")).unwrap();
    assert!(state.contains("phase=rolled_back\n"), "{state}");
    // Once undone, nothing is left to undo, and all of it can be deployed again.
    let later = fleet.keep("second", &seen);
    let both = ["--resume", &records, "--resume", &later];
    let none = fleet.step(&both).args(["--only-rollback", "--rollback", "false"]).run().exits(0);
    assert_eq!(ends(&none), [pair("skipped", "left"), pair("skipped", "left"), pair("skipped", "left")]);
    std::fs::remove_file(fleet.home(1).join("broken")).unwrap();
    let third = fleet.step(&both).args(["--batch", "1", "--", COMMAND]).run().exits(0);
    assert_eq!(ends(&third), [pair("passed", ""), pair("passed", ""), pair("passed", "")]);
}

#[test]
fn only_rollback_that_is_interrupted_is_finished_by_the_host_and_not_repeated() {
    let Some(fleet) = Fleet::start(2) else { return };
    let first = fleet.step(&["--batch", "1", "--max-failures", "2", "--", "true"]).run().exits(0);
    let records = fleet.keep("first", &first);
    let undo = ["--lock-wait", "2m", "--only-rollback", "--resume", &records];
    let rollback = ["--rollback", "cd $HOME; echo undoing; sleep 3; echo undone >>undone"];
    let mut started = fleet.step(&undo).args(rollback).spawn();
    started.send_stdin();
    until(&mut started, "undoing");
    signal(&started, "-INT");
    let seen = started.finish().exits(130);
    // The first host was at it, the batch of the second had not begun.
    assert_eq!(ends(&seen), [pair("cancelled", "rolled_back"), pair("cancelled", "")]);
    let code = |seen: &Seen| {
        let end = seen.records().into_iter().find(|record| record["event"] == "check_finished").unwrap();
        end["reason"]["code"].as_str().unwrap().to_owned()
    };
    assert_eq!(code(&seen), "rolling_back");
    let later = fleet.keep("second", &seen);
    let seen = fleet.step(&undo).args(["--resume", &later]).args(rollback).run().exits(0);
    assert_eq!(ends(&seen), [pair("skipped", "left"), pair("passed", "rolled_back")]);
    assert_eq!(fleet.counts_of("undone"), [1, 1]);
}

#[test]
fn only_rollback_of_a_release_switches_back_where_it_is_current() {
    let Some(fleet) = Fleet::start(2) else { return };
    let release = |page: &str, more: &[&str]| {
        fleet
            .step(&["--batch", "1", "--activate", "cd $HOME; echo $DEPLOY_RELEASE >>active"])
            .file("site/index.html", page)
            .args(more.iter().copied())
    };
    release("one", &["--release", "site:app", "--", "true"]).run().exits(0);
    std::fs::write(fleet.home(1).join("broken"), "").unwrap();
    let first = release("two", &["--release", "site:app", "--", COMMAND]).run().exits(1);
    let records = fleet.keep("first", &first);
    let page = |number: usize| std::fs::read_to_string(fleet.home(number).join("app/current/index.html")).unwrap();
    assert_eq!([page(0), page(1)], ["two", "one"]);
    release("", &["--release", ":app", "--resume", &records, "--only-rollback"]).run().exits(0);
    assert_eq!([page(0), page(1)], ["one", "one"]);
    let active = std::fs::read_to_string(fleet.home(0).join("active")).unwrap();
    let active: Vec<&str> = active.lines().collect();
    assert_eq!((active.len(), active[0]), (3, active[2]), "{active:?}");
}

#[test]
fn a_deploy_that_followed_is_not_undone_by_resuming_the_one_before() {
    let Some(fleet) = Fleet::start(1) else { return };
    let first = fleet.step(&["--", "false"]).run().exits(1);
    let records = fleet.keep("first", &first);
    fleet.step(&["--", "true"]).run().exits(0);
    let seen = fleet.step(&["--resume", &records, "--", "false"]).run().exits(1);
    let end = seen.records().into_iter().find(|record| record["event"] == "check_finished").unwrap();
    assert_eq!((end["reason"]["code"].as_str(), end["data"]["changed"].as_bool()), (Some("superseded"), Some(false)));
}

#[test]
fn a_resumed_deploy_must_be_the_same_and_its_records_of_one_deploy() {
    let Some(sshd) = Sshd::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let run = |arguments: &[&str]| {
        step(&sshd)
            .workflow_secret("API_TOKEN", "a t0psecret value")
            .file("upload", "content")
            .args([host(&sshd).as_str(), "--env", "API_TOKEN"])
            .args(arguments.iter().copied())
            .run()
    };
    let base = ["--format", "jsonl", "--upload", "upload:file"];
    let first = run(&[&base[..], &["--", "true"]].concat()).exits(0);
    let records = path("records");
    std::fs::write(&records, &first.stdout).unwrap();
    let second = run(&[&base[..], &["--", "true"]].concat()).exits(0);
    std::fs::write(path("other"), &second.stdout).unwrap();
    std::fs::write(path("pages"), first.stdout.replace("\"ssh-deploy\"", "\"pages-deploy-all\"")).unwrap();
    std::fs::write(path("text"), "no record\nat all\n").unwrap();
    std::fs::write(path("empty"), "").unwrap();
    std::fs::write(path("hosts"), first.stdout.replace("hosts/127", "hosts/128")).unwrap();
    for (resume, arguments, text) in [
        (vec!["records"], vec!["--upload", "upload:file", "--", "false"], "had other commands"),
        (vec!["records"], vec!["--upload", "upload:elsewhere", "--", "true"], "had other uploads"),
        (vec!["records"], vec!["--upload", "upload:file", "--check", "a=true", "--", "true"], "had other options"),
        (vec!["records"], vec!["--", "false"], "had other commands and other uploads"),
        (vec!["records", "other"], vec!["--upload", "upload:file", "--", "true"], "of two deploys"),
        (vec!["pages"], vec!["--upload", "upload:file", "--", "true"], "of pages-deploy-all, and only"),
        (vec!["text"], vec!["--", "true"], "line 1: "),
        (vec!["empty"], vec!["--", "true"], "of no deploy"),
        (vec!["absent"], vec!["--", "true"], "cannot resume from"),
        (vec!["hosts"], vec!["--upload", "upload:file", "--", "true"], "is not part of the deploy"),
        (vec!["records"], vec!["--only-rollback"], "nothing to roll back with"),
    ] {
        let files: Vec<String> = resume.iter().map(|name| path(name)).collect();
        let options: Vec<&str> = files.iter().flat_map(|file| ["--resume", file.as_str()]).chain(arguments).collect();
        let seen = run(&options).exits(2);
        assert!(seen.log.contains(text), "{options:?}: {}", seen.log);
    }
    // The same again, and with more time: limits of time may differ.
    run(&["--resume", &records, "--timeout", "1h", "--upload", "upload:file", "--", "true"]).exits(0);
}
