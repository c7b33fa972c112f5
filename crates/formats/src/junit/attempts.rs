//! Tells attempts of one test from several tests of one name.
//!
//! Cases with the same class, name and file in one suite are attempts of one test only if
//! - (a) their file and line (and column, if given) are there and equal, or
//! - (b) the suite claims fewer tests than it holds cases, as far as that difference goes: pytest-rerunfailures writes an extra
//!   case for each rerun, a bare pass even of a test that never passes, and does not count it, or
//! - (c) the suite names a version of Go, and passes and failures both occur: gotestsum writes reruns so.
//!
//! All others are several tests: node, parameters, linters and Playwright's projects repeat names. A skipped case is never an
//! attempt, and a case without a name is a separate test. The last attempt decides: to believe the first, or any pass among
//! them, turns failures green.
//!
//! A suite may have a million cases, so a case that passed is kept as a few numbers. Its name is kept only if it is needed: if
//! the name was seen before, or the test is among the slowest.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher as _};

use super::case::Case;
use crate::{Diagnostic, KEPT, Outcome, Sink, Test};

/// How many of a suite's slowest tests keep their names.
const SLOWEST: usize = 20;
/// How many failed tests of a suite keep their names.
const NAMES: usize = 10_000;

/// The cases of one suite.
#[derive(Debug, Default)]
pub(super) struct Cases {
    all: Vec<Compact>,
    /// The last case of each name.
    last: HashMap<u64, u32>,
    /// Names and failures of the cases that need them.
    details: HashMap<u32, (String, Option<Diagnostic>)>,
    /// The slowest, the slowest first.
    slowest: Vec<(f32, u32)>,
    failures: usize,
    is_go: bool,
}

/// A case as a few numbers.
#[derive(Clone, Copy, Debug)]
struct Compact {
    /// A hash of file and line; 0 if it has none.
    place: u64,
    seconds: f32,
    /// The next case of the same name; 0 for none, since no case comes before the first.
    next: u32,
    outcome: Outcome,
    /// A later case of the same name follows this one from an earlier.
    is_repeated: bool,
    /// A merged attempt, not a test.
    is_superseded: bool,
}

impl Cases {
    /// The suite's properties name a version of Go.
    pub(super) fn mark_as_go(&mut self) {
        self.is_go = true;
    }

    pub(super) fn add(&mut self, case: &Case) {
        let Ok(at) = u32::try_from(self.all.len()) else { return };
        let outcome = case.outcome();
        #[expect(clippy::cast_possible_truncation, reason = "a duration of a test needs no more digits")]
        let seconds = case.seconds.map_or(-1.0, |seconds| seconds as f32);
        self.all.push(Compact {
            place: place(case),
            seconds,
            next: 0,
            outcome,
            is_repeated: false,
            is_superseded: false,
        });
        let mut needs_name = self.is_slow(seconds, at);
        if !case.name.is_empty() && outcome != Outcome::Skipped {
            let key = hash(&(&case.class, &case.name, &case.file));
            if let Some(before) = self.last.insert(key, at) {
                self.all[before as usize].next = at;
                self.all[at as usize].is_repeated = true;
                needs_name = true;
            }
        }
        let failed = outcome == Outcome::Failed;
        self.failures += usize::from(failed);
        if failed && self.failures <= NAMES || outcome == Outcome::Flaky || needs_name {
            let diagnostic = (failed && self.failures <= KEPT).then(|| case.diagnostic());
            self.details.insert(at, (case.title(), diagnostic));
        }
    }

    /// Whether the test is one of the slowest so far.
    fn is_slow(&mut self, seconds: f32, at: u32) -> bool {
        let is_slow =
            seconds > 0.0 && (self.slowest.len() < SLOWEST || self.slowest.last().is_some_and(|last| seconds > last.0));
        if is_slow {
            let place = self.slowest.partition_point(|slow| slow.0 >= seconds);
            self.slowest.insert(place, (seconds, at));
            if self.slowest.len() > SLOWEST
                && let Some((_, dropped)) = self.slowest.pop()
                && !self.all[dropped as usize].is_repeated
                && self.all[dropped as usize].outcome == Outcome::Passed
            {
                self.details.remove(&dropped);
            }
        }
        is_slow
    }

    /// Reports the tests. `surplus` is how many cases the suite holds more than it claims, if it claims anything.
    pub(super) fn report(mut self, surplus: Option<u64>, sink: &mut dyn Sink) {
        let mut surplus = surplus.unwrap_or(0);
        for at in 0..self.all.len() {
            if self.all[at].next != 0 && !self.all[at].is_repeated {
                self.merge(at, &mut surplus);
            }
        }
        for at in 0..self.all.len() {
            let case = self.all[at];
            if case.is_superseded {
                continue;
            }
            // Fits: `add` refuses more.
            let key = u32::try_from(at).unwrap_or(u32::MAX);
            let (name, failure) = self.details.remove(&key).unwrap_or_default();
            let seconds = (case.seconds >= 0.0).then_some(f64::from(case.seconds));
            sink.test(Test { name: &name, outcome: case.outcome, seconds, failure });
        }
    }

    /// Makes one test of the cases of a name that are attempts; `first` is the first of them.
    fn merge(&mut self, first: usize, surplus: &mut u64) {
        let mut chain = vec![first];
        while let Some(next) = chain.last().map(|last| self.all[*last].next as usize).filter(|next| *next != 0) {
            chain.push(next);
        }
        let failed = |case: &Compact| case.outcome == Outcome::Failed;
        let mixed = chain.iter().any(|at| failed(&self.all[*at])) && chain.iter().any(|at| !failed(&self.all[*at]));
        if self.is_go && mixed {
            self.attempts(&chain, false);
            return;
        }
        let place = self.all[first].place;
        if place != 0 && chain.iter().all(|at| self.all[*at].place == place) {
            self.attempts(&chain, false);
            return;
        }
        let extra = usize::try_from(*surplus).unwrap_or(usize::MAX).min(chain.len() - 1);
        if extra > 0 {
            *surplus -= extra as u64;
            // The last cases are the attempts; those before them are tests.
            self.attempts(&chain[chain.len() - 1 - extra..], true);
        }
    }

    /// The last case decides. `bare` reruns are written as passes, so that a pass after one is flaky too.
    fn attempts(&mut self, chain: &[usize], bare: bool) {
        let Some((last, before)) = chain.split_last() else { return };
        let failed_before = before.iter().any(|at| self.all[*at].outcome != Outcome::Passed);
        for at in before {
            self.all[*at].is_superseded = true;
        }
        if self.all[*last].outcome == Outcome::Passed && (failed_before || bare) {
            self.all[*last].outcome = Outcome::Flaky;
        }
    }
}

fn place(case: &Case) -> u64 {
    match (case.file.as_str(), case.line) {
        ("", _) | (_, None) => 0,
        (file, Some(line)) => hash(&(file, line, case.column)).max(1),
    }
}

fn hash(key: &impl std::hash::Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}
