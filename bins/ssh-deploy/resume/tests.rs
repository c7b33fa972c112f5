//! What records add up to, and what becomes of each host.

use proptest::prelude::*;
use report::Record;
use ssh::Phase;

use super::{Action, Mode, Progress, Recorded, decide, fold};

const HOSTS: [&str; 3] = ["a", "b", "c"];
const PROGRESS: [Progress; 5] =
    [Progress::NotStarted, Progress::HalfChanged, Progress::Failed, Progress::RolledBack, Progress::Done];
const PHASES: [Phase; 9] = [
    Phase::Command,
    Phase::Activate,
    Phase::Check,
    Phase::Rollback,
    Phase::Done,
    Phase::Failed,
    Phase::RolledBack,
    Phase::RollbackFailed,
    Phase::RolledBackUnchecked,
];

/// The first record of an attempt in this minute.
fn begun(minute: u32, deploy: &str, hosts: &str) -> String {
    let plan: Vec<String> = hosts.split(',').map(|host| format!("\"hosts/{host}\"")).collect();
    format!(
        r#"{{"v":1,"run":"r","seq":0,"at":"2026-11-30T10:{minute:02}:00.000Z","event":"run_started","tool":"ssh-deploy","plan":[{}],"data":{{"deploy":"{deploy}","commit":"c","release":"R{minute}","fence":7,"batches":[1,2],"script":"s","uploads":"u","options":"o"}}}}"#,
        plan.join(",")
    )
}

fn started(minute: u32, host: &str) -> String {
    format!(
        r#"{{"v":1,"run":"r","seq":1,"at":"2026-11-30T10:{minute:02}:01.000Z","event":"check_started","check":"hosts/{host}"}}"#
    )
}

/// The end of a host: its status, its reason and what else is known.
fn ended(minute: u32, host: &str, status: &str, reason: &str, data: &str) -> String {
    format!(
        r#"{{"v":1,"run":"r","seq":2,"at":"2026-11-30T10:{minute:02}:02.000Z","event":"check_finished","check":"hosts/{host}","status":"{status}","reason":{{"code":"{reason}","text":""}},"data":{{{data}}}}}"#
    )
}

fn of(lines: &[String]) -> fault::Result<Recorded> {
    fold(lines.iter().map(|line| Record::parse(line).unwrap()).collect())
}

fn progress(lines: &[String]) -> Vec<Progress> {
    of(lines).unwrap().hosts.into_values().map(|host| host.progress).collect()
}

const CHANGED: &str = r#""changed":true"#;

#[test]
fn a_host_is_as_far_as_its_last_record_shows() {
    let attempt = |lines: &[String]| progress(&[&[begun(1, "d", "a")], lines].concat())[0];
    let end = |status: &str, reason: &str, data: &str| attempt(&[started(1, "a"), ended(1, "a", status, reason, data)]);
    assert_eq!(attempt(&[]), Progress::NotStarted);
    assert_eq!(attempt(&[started(1, "a")]), Progress::HalfChanged);
    assert_eq!(end("passed", "", CHANGED), Progress::Done);
    assert_eq!(end("failed", "exit_code", CHANGED), Progress::Failed);
    assert_eq!(end("failed", "connection_lost", CHANGED), Progress::HalfChanged);
    assert_eq!(end("cancelled", "rolling_back", CHANGED), Progress::HalfChanged);
    assert_eq!(end("failed", "not_started", r#""changed":false"#), Progress::NotStarted);
    assert_eq!(end("failed", "check_failed", r#""changed":true,"rolled_back":true"#), Progress::RolledBack);
    assert_eq!(end("failed", "check_failed", r#""changed":true,"rolled_back":false"#), Progress::Failed);
    assert_eq!(end("cancelled", "rolled_back", r#""changed":true,"rolled_back":true"#), Progress::RolledBack);
    assert_eq!(attempt(&[ended(1, "a", "skipped", "not_reached", r#""changed":false"#)]), Progress::NotStarted);
}

#[test]
fn a_later_attempt_counts_only_if_it_did_something() {
    let first = [begun(1, "d", "a"), started(1, "a"), ended(1, "a", "passed", "", CHANGED)];
    let then = |lines: &[String]| progress(&[&first[..], &[begun(2, "d", "a")], lines].concat())[0];
    assert_eq!(then(&[]), Progress::Done);
    assert_eq!(then(&[ended(2, "a", "skipped", "held_back", r#""changed":false"#)]), Progress::Done);
    assert_eq!(then(&[ended(2, "a", "passed", "", r#""changed":false,"resumed":"checked""#)]), Progress::Done);
    assert_eq!(
        then(&[ended(2, "a", "failed", "check_failed", r#""changed":false,"resumed":"checked""#)]),
        Progress::Failed
    );
    assert_eq!(then(&[started(2, "a"), ended(2, "a", "failed", "not_started", r#""changed":false"#)]), Progress::Done);
    assert_eq!(then(&[started(2, "a")]), Progress::HalfChanged);
    let undone = r#""changed":true,"resumed":"rolled_back","rolled_back":true"#;
    assert_eq!(then(&[started(2, "a"), ended(2, "a", "passed", "", undone)]), Progress::RolledBack);
}

#[test]
fn batches_release_and_fence_are_those_of_the_first_attempt_and_shards_are_added_up() {
    let recorded = of(&[begun(1, "d", "a,b"), begun(2, "d", "b"), begun(3, "d", "c")]).unwrap();
    let hosts: Vec<(usize, String)> =
        recorded.hosts.values().map(|host| (host.batch, host.release.clone().unwrap())).collect();
    assert_eq!(hosts, [(0, "R1".to_owned()), (1, "R1".to_owned()), (0, "R3".to_owned())]);
    assert_eq!((recorded.start.fence, recorded.start.commit.as_str()), (Some(7), "c"));
}

#[test]
fn records_of_another_tool_deploy_or_version_are_refused() {
    let message = |lines: &[String]| of(lines).unwrap_err().message;
    assert_eq!(message(&[]), "the records are of no deploy");
    assert_eq!(message(&[started(1, "a")]), "the records are of no deploy");
    assert_eq!(message(&[begun(1, "d", "a"), begun(2, "e", "a")]), "the records are of two deploys");
    let other = begun(1, "d", "a").replace("ssh-deploy", "pages-deploy-all");
    assert!(message(&[other]).starts_with("the records are of pages-deploy-all, and only"));
    let old = begun(1, "d", "a").replace("\"data\"", "\"x\"");
    assert!(message(&[old]).contains("cannot be resumed"));
}

#[test]
fn what_is_done_is_checked_and_all_else_is_deployed_to() {
    for (recorded, phase, expected) in [
        (Progress::Done, Some(Phase::Done), Action::Check),
        (Progress::Failed, Some(Phase::Failed), Action::Deploy),
        (Progress::NotStarted, None, Action::Deploy),
        (Progress::RolledBack, Some(Phase::RolledBack), Action::Deploy),
        // The records end before the host's deploy did; the host knows.
        (Progress::HalfChanged, Some(Phase::Done), Action::Check),
        (Progress::HalfChanged, Some(Phase::Command), Action::Deploy),
        // A check that failed when it ran again is newer than the host's state.
        (Progress::Failed, Some(Phase::Done), Action::Deploy),
    ] {
        assert_eq!(decide(Mode::GoOn, recorded, phase), expected, "{recorded:?} {phase:?}");
    }
}

#[test]
fn only_what_has_changed_and_is_not_yet_undone_is_rolled_back() {
    for (recorded, phase, expected) in [
        (Progress::Done, Some(Phase::Done), Action::RollBack),
        (Progress::Failed, Some(Phase::Failed), Action::RollBack),
        (Progress::HalfChanged, None, Action::RollBack),
        (Progress::NotStarted, None, Action::Leave),
        (Progress::RolledBack, Some(Phase::RolledBack), Action::Leave),
        (Progress::HalfChanged, Some(Phase::RolledBackUnchecked), Action::Leave),
        (Progress::HalfChanged, Some(Phase::RollbackFailed), Action::RollBack),
        (Progress::NotStarted, Some(Phase::Check), Action::RollBack),
    ] {
        assert_eq!(decide(Mode::Undo, recorded, phase), expected, "{recorded:?} {phase:?}");
    }
}

/// What happens to a host in an attempt.
fn events() -> impl Strategy<Value = Vec<String>> {
    let host = (0..HOSTS.len(), any::<bool>(), 0..5usize);
    proptest::collection::vec(proptest::collection::vec(host, 0..6), 1..4).prop_map(|attempts| {
        let mut lines = Vec::new();
        for (minute, hosts) in (1..).zip(attempts) {
            lines.push(begun(minute, "d", &HOSTS.join(",")));
            let mut seen = [false; HOSTS.len()];
            for (host, starts, kind) in hosts {
                if std::mem::replace(&mut seen[host], true) {
                    continue;
                }
                if starts {
                    lines.push(started(minute, HOSTS[host]));
                }
                lines.extend(match kind {
                    0 => None,
                    1 => Some(ended(minute, HOSTS[host], "passed", "", CHANGED)),
                    2 => Some(ended(minute, HOSTS[host], "failed", "exit_code", CHANGED)),
                    3 => Some(ended(minute, HOSTS[host], "skipped", "held_back", r#""changed":false"#)),
                    _ => Some(ended(minute, HOSTS[host], "failed", "x", r#""changed":true,"rolled_back":true"#)),
                });
            }
        }
        lines
    })
}

proptest! {
    #[test]
    fn neither_the_order_of_the_lines_nor_a_file_given_twice_matters(lines in events(), seed in any::<usize>()) {
        let expected = of(&lines).unwrap();
        let mut mixed = [lines.clone(), lines].concat();
        let count = mixed.len();
        for index in 0..mixed.len() {
            let other = seed.wrapping_mul(index + 7) % count;
            mixed.swap(index, other);
        }
        prop_assert_eq!(of(&mixed).unwrap(), expected);
    }

    #[test]
    fn a_host_is_done_only_after_a_record_of_its_success(lines in events(), cut in 1..20usize) {
        let lines = &lines[..cut.min(lines.len())];
        for (name, host) in of(lines).unwrap().hosts {
            let success = lines.iter().any(|line| line.contains("passed") && line.contains(&format!("hosts/{name}\"")));
            prop_assert!(host.progress != Progress::Done || success);
        }
    }

    #[test]
    fn going_on_leaves_no_host_out_and_undoing_deploys_to_none(recorded in 0..PROGRESS.len(), phase in proptest::option::of(0..PHASES.len())) {
        let (recorded, phase) = (PROGRESS[recorded], phase.map(|phase| PHASES[phase]));
        prop_assert!(matches!(decide(Mode::GoOn, recorded, phase), Action::Deploy | Action::Check));
        prop_assert!(matches!(decide(Mode::Undo, recorded, phase), Action::RollBack | Action::Leave));
        // Only the host or its records can make it done.
        let known_done = recorded == Progress::Done || phase == Some(Phase::Done);
        prop_assert!(known_done || decide(Mode::GoOn, recorded, phase) == Action::Deploy);
    }
}
