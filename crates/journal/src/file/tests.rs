use report::{Event, Reason, Status};
use serde_json::{Map, Value};

use super::{Journal, history};
use crate::{Step, StepEnd, rounds, step_finished, step_running, step_started};

fn step(name: &str) -> Step {
    Step { check: "deploy/infra".to_owned(), name: name.to_owned(), attempt: 1 }
}

fn started() -> (Event, Map<String, Value>) {
    (Event::CheckStarted { check: "deploy/infra".to_owned(), name: None }, Map::new())
}

fn finished(status: Status) -> (Event, Map<String, Value>) {
    let event = Event::CheckFinished {
        check: "deploy/infra".to_owned(),
        status,
        duration_seconds: None,
        reason: Some(Reason::new("exit_code", "exit code 1")),
        url: None,
        exit_code: Some(1),
        data: Map::new(),
    };
    (event, Map::new())
}

#[test]
fn what_is_written_is_read_and_numbered_on_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.jsonl");
    let mut journal = Journal::create(&path, "r1").unwrap();
    let mut kept = Map::new();
    kept.insert("group".to_owned(), 7.into());
    journal.append(vec![started(), step_started(&step("run"), Map::new())]).unwrap();
    journal.write(vec![step_running(&step("run"), kept)]).unwrap();
    drop(journal);
    let (mut journal, before) = Journal::reopen(&path, "r1").unwrap();
    assert_eq!((before.records.len(), before.torn), (3, false));
    journal.append(vec![step_finished(&step("run"), &StepEnd { passed: false, exit_code: Some(1) })]).unwrap();
    journal.append(vec![finished(Status::Failed)]).unwrap();
    let history = history(&path).unwrap();
    assert_eq!(history.records.iter().map(|record| record.seq).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    let rounds = rounds(&history.records);
    assert_eq!(rounds.len(), 1);
    assert_eq!(rounds[0].end.as_ref().unwrap().0, Status::Failed);
    assert_eq!(rounds[0].steps[0].facts["group"], 7);
    assert_eq!(rounds[0].steps[0].end, Some(StepEnd { passed: false, exit_code: Some(1) }));
    assert!(Journal::create(&path, "r1").is_err(), "an old journal must not be overwritten");
}

#[cfg(unix)]
#[test]
fn the_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("j");
    Journal::create(&path, "r").unwrap();
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

/// A power cut at every byte: what is read is a beginning of what was written, and going on from there works.
#[test]
fn a_journal_cut_at_any_byte_is_a_beginning_of_the_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.jsonl");
    let mut journal = Journal::create(&path, "r1").unwrap();
    journal.append(vec![started(), step_started(&step("run"), Map::new())]).unwrap();
    journal.append(vec![step_finished(&step("run"), &StepEnd { passed: true, exit_code: Some(0) })]).unwrap();
    journal.append(vec![finished(Status::Passed)]).unwrap();
    let (bytes, whole) = (std::fs::read(&path).unwrap(), history(&path).unwrap().records);
    let cut = folder.path().join("cut.jsonl");
    for length in 0..=bytes.len() {
        let found = super::parse(&bytes[..length]).unwrap();
        assert_eq!(found.records, whole[..found.records.len()], "cut at {length}");
        assert_eq!(found.torn, length > 0 && bytes[length - 1] != b'\n', "cut at {length}");
        // Flushing takes time: not at every byte.
        if length % 61 > 0 {
            continue;
        }
        std::fs::write(&cut, &bytes[..length]).unwrap();
        let (mut journal, _) = Journal::reopen(&cut, "r1").unwrap();
        journal.append(vec![finished(Status::Failed)]).unwrap();
        let after = history(&cut).unwrap();
        assert_eq!((after.records.len(), after.torn), (found.records.len() + 1, false), "cut at {length}");
    }
}

#[test]
fn a_line_that_is_none_is_a_fault_unless_it_is_the_last() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("j");
    for (text, expected) in [
        ("{\"v\":1,\"event\":\"note\",\"text\":\"a\"}\n\0\0\0\0\n", Ok(1)),
        ("{\"v\":1,\"event\":\"note\",\"text\":\"a\"}\n\u{0}\u{0}", Ok(1)),
        ("nonsense\n{\"v\":1,\"event\":\"note\",\"text\":\"a\"}\n", Err("is not a JSON object")),
        ("{\"v\":2,\"event\":\"note\",\"text\":\"a\"}\n", Err("version 2")),
        ("", Ok(0)),
    ] {
        std::fs::write(&path, text).unwrap();
        match (history(&path), expected) {
            (Ok(history), Ok(count)) => assert_eq!(history.records.len(), count, "{text:?}"),
            (Err(fault), Err(part)) => assert!(fault.causes.concat().contains(part), "{fault:?}"),
            (found, _) => panic!("{text:?}: {found:?}"),
        }
    }
}
