use std::time::Duration;

use proptest::prelude::*;

use super::{Tally, Verdict, Want, judge};
use crate::look::{End, Failure, Look, Lost, Patience, State};

const WANT: Want = Want {
    deadline: Duration::from_mins(10),
    interval: Duration::from_secs(2),
    times: 3,
    stable: Duration::ZERO,
    grace: Duration::from_mins(1),
};

fn at(seconds: u64, look: Look) -> Look {
    Look { at: Duration::from_secs(seconds), ..look }
}

fn live(seconds: u64) -> Look {
    at(seconds, Look::live("it runs"))
}

fn failing(seconds: u64, id: &str) -> Look {
    let failures = vec![Failure { id: id.to_owned(), text: format!("task {id}: exit 7") }];
    Look { failures, ..live(seconds) }
}

/// The end, its code, and nothing else; `None` while the wait goes on.
fn end(looks: &[Look], want: &Want) -> Option<(End, &'static str)> {
    let now = looks.last().map_or(Duration::ZERO, |look| look.at);
    match judge(looks, want, now) {
        Verdict::Wait => None,
        Verdict::Over { end, code, .. } => Some((end, code)),
    }
}

#[test]
fn three_proofs_in_a_row_are_live_and_an_old_answer_begins_the_count_again() {
    assert_eq!(end(&[live(0), live(2)], &WANT), None);
    assert_eq!(end(&[live(0), live(2), live(4)], &WANT), Some((End::Live, "live")));
    let old = at(4, Look::new(State::Other(None), "old_revision", "OLD"));
    assert_eq!(end(&[live(0), live(2), old.clone(), live(6), live(8)], &WANT), None);
    assert_eq!(end(&[live(0), live(2), old, live(6), live(8), live(10)], &WANT), Some((End::Live, "live")));
}

#[test]
fn proofs_at_two_specs_do_not_add_up() {
    let other = |seconds| Look { spec: "2".to_owned(), ..live(seconds) };
    assert_eq!(end(&[live(0), live(2), other(4)], &WANT), None);
    assert_eq!(end(&[live(0), other(2), other(4), other(6)], &WANT), Some((End::Live, "live")));
}

#[test]
fn a_failure_begins_the_stable_time_again_and_three_are_a_crash_loop_once_the_first_is_older_than_the_grace() {
    let want = Want { times: 1, stable: Duration::from_secs(30), ..WANT };
    assert_eq!(end(&[live(0), live(29)], &want), None);
    assert_eq!(end(&[live(0), live(30)], &want), Some((End::Live, "live")));
    assert_eq!(end(&[live(0), failing(20, "a"), failing(30, "a")], &want), None);
    assert_eq!(end(&[live(0), failing(20, "a"), failing(50, "a")], &want), Some((End::Live, "live")));
    let loops = [live(0), failing(10, "a"), failing(20, "b"), failing(30, "c")];
    assert_eq!(end(&loops, &want), None, "the first is 20 s old");
    let later = [&loops[..], &[failing(70, "d")]].concat();
    assert_eq!(end(&later, &want), Some((End::Failed, "crash_loop")));
}

#[test]
fn failures_from_before_the_first_look_are_not_counted() {
    let want = Want { times: 1, stable: Duration::from_secs(30), ..WANT };
    let old = Look { failures: failing(0, "a").failures, ..live(0) };
    assert_eq!(end(&[old, failing(10, "a"), failing(30, "a")], &want), Some((End::Live, "live")));
}

#[test]
fn a_target_may_ask_for_a_longer_stable_time() {
    let want = Want { times: 1, stable: Duration::from_secs(5), ..WANT };
    let monitored = |seconds| Look { stable: Duration::from_secs(40), ..live(seconds) };
    assert_eq!(end(&[monitored(0), monitored(6)], &want), None);
    assert_eq!(end(&[monitored(0), monitored(40)], &want), Some((End::Live, "live")));
}

#[test]
fn trouble_ends_the_wait_once_it_has_lasted() {
    let pull = |seconds| at(seconds, Look::failed(Patience::Grace, "pull_failed", "no such image"));
    assert_eq!(end(&[pull(0), pull(59)], &WANT), None);
    assert_eq!(end(&[pull(0), pull(60)], &WANT), Some((End::Failed, "pull_failed")));
    assert_eq!(end(&[pull(0), at(30, Look::not_yet("updating", "…")), pull(60), pull(100)], &WANT), None);
    let paused = at(0, Look::failed(Patience::Looks(1), "paused", "paused"));
    assert_eq!(end(&[paused], &WANT), Some((End::Failed, "paused")));
    let late = |seconds| at(seconds, Look::failed(Patience::Looks(2), "progress_deadline", "too late"));
    assert_eq!(end(&[late(0)], &WANT), None);
    assert_eq!(end(&[late(0), late(2)], &WANT), Some((End::Failed, "progress_deadline")));
}

#[test]
fn another_revision_is_not_yet_unless_ours_was_there() {
    let other = |seconds| at(seconds, Look::new(State::Other(None), "old_revision", "v1"));
    assert_eq!(end(&[other(0), other(300)], &WANT), None);
    let ours = Look { ours: true, ..at(0, Look::not_yet("updating", "1 of 2")) };
    assert_eq!(end(&[ours.clone(), other(2), other(61)], &WANT), None);
    assert_eq!(end(&[ours, other(2), other(62)], &WANT), Some((End::Failed, "superseded")));
    let back = |seconds| at(seconds, Look::new(State::Other(Some(Lost::RolledBack)), "rolled_back", "v1 is back"));
    assert_eq!(end(&[back(0), back(60)], &WANT), Some((End::Failed, "rolled_back")));
}

#[test]
fn the_deadline_ends_in_3_77_or_75_by_what_was_seen() {
    let blind = |seconds| at(seconds, Look::unreachable(Patience::Deadline, "no_answer", "timed out"));
    let denied = |seconds| at(seconds, Look::denied(Patience::Deadline, "denied", "401"));
    let old = |seconds| at(seconds, Look::new(State::Other(None), "old_revision", "v1"));
    for (looks, expected) in [
        (vec![old(0), old(600)], End::Incomplete),
        (vec![blind(0), blind(600)], End::Unreachable),
        (vec![old(0), blind(600)], End::Incomplete),
        (vec![old(0), denied(600)], End::Denied),
        (vec![denied(0), old(600)], End::Incomplete),
        (vec![live(599), live(600)], End::Incomplete),
    ] {
        assert_eq!(end(&looks, &WANT).map(|(end, _)| end), Some(expected), "{looks:?}");
    }
}

#[test]
fn pauses_grow_to_fifteen_seconds_and_are_the_interval_from_the_first_good_look_on() {
    let mut tally = Tally::default();
    let mut pauses = Vec::new();
    for number in 0..8 {
        tally.add(&at(number, Look::not_yet("old", "v1")));
        pauses.push(tally.pause(&WANT).as_secs_f64());
    }
    assert_eq!(pauses, [2.0, 3.0, 4.5, 6.75, 10.125, 15.0, 15.0, 15.0]);
    tally.add(&live(100));
    assert_eq!(tally.pause(&WANT), WANT.interval);
    tally.add(&at(102, Look::not_yet("old", "v1")));
    assert_eq!(tally.pause(&WANT), WANT.interval);
    let want = Want { times: 1, stable: Duration::from_secs(5), ..WANT };
    for seconds in [104, 106, 108] {
        tally.add(&live(seconds));
    }
    assert_eq!(tally.pause(&want), Duration::from_secs(1), "the look at the end of the stable time");
}

fn any_state() -> impl Strategy<Value = State> {
    let end = prop_oneof![Just(End::Failed), Just(End::Denied), Just(End::Unreachable)];
    let patience = prop_oneof![Just(Patience::Looks(2)), Just(Patience::Grace), Just(Patience::Deadline)];
    prop_oneof![
        6 => Just(State::Live),
        1 => Just(State::NotYet),
        1 => Just(State::Other(None)),
        1 => Just(State::Other(Some(Lost::Superseded))),
        1 => (end, patience).prop_map(|(end, patience)| State::Trouble(end, patience)),
    ]
}

prop_compose! {
    fn any_look()(state in any_state(), gap in 0_u64..40, spec in "[ab]", failure in proptest::option::weighted(0.2, 0_u8..9), ours: bool)
        -> (u64, Look) {
        let code = match state { State::Live => "live", State::Trouble(..) => "trouble", _ => "other" };
        let failures = failure.map(|id| Failure { id: id.to_string(), text: "failed".to_owned() }).into_iter().collect();
        (gap, Look { spec, ours, failures, ..Look::new(state, code, "seen") })
    }
}

fn sequence() -> impl Strategy<Value = Vec<Look>> {
    proptest::collection::vec(any_look(), 0..30).prop_map(|looks| {
        let mut now = 0;
        looks
            .into_iter()
            .map(|(gap, look)| {
                now += gap;
                at(now, look)
            })
            .collect()
    })
}

proptest! {
    #[test]
    fn nothing_is_live_unless_the_last_looks_all_proved_it_at_one_spec(
        looks in sequence(), times in 1_u32..5, stable in 0_u64..60, late in 0_u64..2000,
    ) {
        let want = Want { times, stable: Duration::from_secs(stable), ..WANT };
        let now = looks.last().map_or(Duration::ZERO, |look| look.at) + Duration::from_secs(late);
        if matches!(judge(&looks, &want, now), Verdict::Over { end: End::Live, .. }) {
            let proofs = &looks[looks.len() - times as usize..];
            prop_assert!(proofs.iter().all(|look| look.state == State::Live && look.spec == proofs[0].spec));
            let streak: Vec<&Look> = looks.iter().rev().take_while(|look| look.state == State::Live).collect();
            let first = streak.last().unwrap();
            prop_assert!(looks.last().unwrap().at.saturating_sub(first.at) >= want.stable);
        }
    }

    #[test]
    fn a_wait_whose_last_look_could_not_read_never_ends_live(looks in sequence(), now in 0_u64..5000) {
        let blind = at(now.max(2000), Look::unreachable(Patience::Deadline, "no_answer", "timed out"));
        let looks = [looks, vec![blind]].concat();
        let verdict = judge(&looks, &WANT, Duration::from_secs(now.max(2000)));
        prop_assert!(!matches!(verdict, Verdict::Over { end: End::Live, .. }), "{verdict:?}");
    }

    #[test]
    fn the_deadline_always_ends_the_wait(looks in sequence()) {
        prop_assert_ne!(judge(&looks, &WANT, Duration::from_hours(9)), Verdict::Wait);
    }

    #[test]
    fn a_pause_is_never_longer_than_fifteen_seconds_nor_zero(looks in sequence(), stable in 0_u64..60) {
        let want = Want { stable: Duration::from_secs(stable), ..WANT };
        let mut tally = Tally::default();
        for look in &looks {
            tally.add(look);
            let pause = tally.pause(&want);
            prop_assert!(!pause.is_zero() && pause <= Duration::from_secs(15));
        }
    }
}
