//! The judgement over looks: time is decided here and nowhere else, without a clock.
//!
//! [`judge`] folds the looks of one target into a [`Tally`], whose size does not grow with the time that is waited. What it promises,
//! and what a property test holds it to: a wait ends live only if the last `times` looks all proved the revision at one spec, over at
//! least the time that must pass without a failure.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::look::{End, Failure, Look, Lost, Patience, State};

/// The longest pause between two looks.
const SLOWEST: Duration = Duration::from_secs(15);
/// How many failures of our revision are a crash loop.
const CRASH_LOOP: usize = 3;
/// The most failures that are told apart.
const FAILURES: usize = 10_000;

/// What is asked of the looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Want {
    /// When the wait ends at the latest.
    pub deadline: Duration,
    /// The pause between two looks, once one was good.
    pub interval: Duration,
    /// How many looks in a row must prove it.
    pub times: u32,
    /// Over how long, without a failure.
    pub stable: Duration,
    /// How long trouble may last.
    pub grace: Duration,
}

/// What the looks so far amount to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Look again.
    Wait,
    /// The wait is over.
    Over {
        /// How.
        end: End,
        /// A stable word for programs.
        code: &'static str,
        /// Why, in a clause: foreign text.
        why: String,
    },
}

impl Verdict {
    fn over(end: End, code: &'static str, why: impl Into<String>) -> Self {
        Self::Over { end, code, why: why.into() }
    }
}

/// What all looks at one target amount to at `now`.
#[must_use]
pub fn judge(looks: &[Look], want: &Want, now: Duration) -> Verdict {
    let mut tally = Tally::default();
    for look in looks {
        tally.add(look);
    }
    tally.verdict(want, now)
}

/// The looks so far, added up.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    looks: u32,
    readings: u32,
    last: Option<Look>,
    last_reading: Option<String>,
    streak: Option<Streak>,
    trouble: Option<Lasting>,
    lost: Option<(Lost, Duration)>,
    was_good: bool,
    was_ours: bool,
    known: BTreeSet<String>,
    fresh: Vec<(Duration, Failure)>,
}

/// Proofs in a row at one spec.
#[derive(Clone, Debug)]
struct Streak {
    spec: String,
    since: Duration,
    until: Duration,
    count: u32,
}

/// The same trouble in a row.
#[derive(Clone, Debug)]
struct Lasting {
    code: &'static str,
    since: Duration,
    until: Duration,
    count: u32,
}

impl Tally {
    /// Adds the next look.
    pub fn add(&mut self, look: &Look) {
        let failed = self.add_failures(look);
        self.add_proof(look, failed);
        self.add_trouble(look);
        self.was_ours |= look.ours;
        self.lost = match look.state {
            State::Other(how) => match how.or(self.was_ours.then_some(Lost::Superseded)) {
                Some(how) => Some((how, self.lost.map_or(look.at, |(_, since)| since))),
                None => None,
            },
            _ if look.is_reading() => None,
            _ => self.lost,
        };
        self.looks = self.looks.saturating_add(1);
        if look.is_reading() {
            self.readings = self.readings.saturating_add(1);
            self.last_reading = Some(look.what.clone());
        }
        self.last = Some(look.clone());
    }

    /// Notes failures that were not seen before; those of the first look were there before we came. Returns whether there are any.
    fn add_failures(&mut self, look: &Look) -> bool {
        let mut failed = false;
        for failure in &look.failures {
            if self.known.len() < FAILURES && self.known.insert(failure.id.clone()) && self.looks > 0 {
                failed = true;
                if self.fresh.len() < CRASH_LOOP {
                    self.fresh.push((look.at, failure.clone()));
                }
            }
        }
        failed
    }

    fn add_proof(&mut self, look: &Look, failed: bool) {
        if look.state != State::Live {
            self.streak = None;
            return;
        }
        self.was_good = true;
        match &mut self.streak {
            Some(streak) if streak.spec == look.spec && !failed => {
                streak.count = streak.count.saturating_add(1);
                streak.until = look.at;
            }
            _ => {
                self.streak = Some(Streak { spec: look.spec.clone(), since: look.at, until: look.at, count: 1 });
            }
        }
    }

    fn add_trouble(&mut self, look: &Look) {
        let State::Trouble(..) = look.state else {
            self.trouble = None;
            return;
        };
        match &mut self.trouble {
            Some(lasting) if lasting.code == look.code => {
                lasting.count = lasting.count.saturating_add(1);
                lasting.until = look.at;
            }
            _ => self.trouble = Some(Lasting { code: look.code, since: look.at, until: look.at, count: 1 }),
        }
    }

    /// What they amount to at `now`.
    #[must_use]
    pub fn verdict(&self, want: &Want, now: Duration) -> Verdict {
        let Some(last) = &self.last else {
            return if now < want.deadline {
                Verdict::Wait
            } else {
                Verdict::over(End::Unreachable, "no_answer", "nothing answered before the deadline")
            };
        };
        self.live(want, last)
            .or_else(|| self.crash_loop(want, last))
            .or_else(|| self.lasting_trouble(want, last))
            .or_else(|| self.lost_for_good(want, last))
            .unwrap_or_else(|| if now < want.deadline { Verdict::Wait } else { self.expired(want, last) })
    }

    fn live(&self, want: &Want, last: &Look) -> Option<Verdict> {
        let streak = self.streak.as_ref()?;
        let is_long = streak.until.saturating_sub(streak.since) >= want.stable.max(last.stable);
        (streak.count >= want.times.max(1) && is_long).then(|| Verdict::over(End::Live, "live", last.what.clone()))
    }

    fn crash_loop(&self, want: &Want, last: &Look) -> Option<Verdict> {
        let (first, _) = self.fresh.first()?;
        let is_loop = self.fresh.len() >= CRASH_LOOP && last.at.saturating_sub(*first) >= want.grace;
        let (_, latest) = self.fresh.last()?;
        is_loop.then(|| {
            let why = format!("it fails again and again: {}", latest.text);
            Verdict::over(End::Failed, "crash_loop", why)
        })
    }

    fn lasting_trouble(&self, want: &Want, last: &Look) -> Option<Verdict> {
        let (lasting, State::Trouble(end, patience)) = (self.trouble.as_ref()?, last.state) else { return None };
        let is_over = match patience {
            Patience::Looks(count) => lasting.count >= count,
            Patience::Grace => lasting.until.saturating_sub(lasting.since) >= want.grace,
            Patience::Deadline => false,
        };
        is_over.then(|| Verdict::over(end, last.code, last.what.clone()))
    }

    fn lost_for_good(&self, want: &Want, last: &Look) -> Option<Verdict> {
        let (how, since) = self.lost?;
        let code = match how {
            Lost::RolledBack => "rolled_back",
            Lost::Superseded => "superseded",
        };
        let is_over = last.at.saturating_sub(since) >= want.grace;
        is_over.then(|| Verdict::over(End::Failed, code, last.what.clone()))
    }

    fn expired(&self, want: &Want, last: &Look) -> Verdict {
        let end = match last.state {
            State::Trouble(End::Denied, _) => End::Denied,
            State::Trouble(End::Unreachable, _) if self.readings == 0 => End::Unreachable,
            _ => End::Incomplete,
        };
        let code = if end == End::Incomplete { "deadline" } else { last.code };
        match &self.last_reading {
            Some(reading) if !last.is_reading() => {
                Verdict::over(end, code, format!("{reading} (and then: {})", last.what))
            }
            _ => Verdict::over(end, code, format!("{}{}", last.what, self.still_missing(want, last))),
        }
    }

    /// What a good look at the deadline lacked.
    fn still_missing(&self, want: &Want, last: &Look) -> String {
        let Some(streak) = &self.streak else { return String::new() };
        let stable = want.stable.max(last.stable);
        let seen = streak.until.saturating_sub(streak.since);
        format!(
            " (seen {} times over {} s; {} times over {} s are enough)",
            streak.count,
            seen.as_secs(),
            want.times.max(1),
            stable.as_secs()
        )
    }

    /// The pause before the next look: `interval` from the first good look on, before that longer each time, and never past the moment
    /// at which the time without a failure is over.
    #[must_use]
    pub fn pause(&self, want: &Want) -> Duration {
        if let (Some(streak), Some(last)) = (&self.streak, &self.last) {
            let left = (streak.since + want.stable.max(last.stable)).saturating_sub(streak.until);
            return if left.is_zero() || streak.count < want.times { want.interval } else { want.interval.min(left) };
        }
        if self.was_good {
            return want.interval;
        }
        let steps = i32::try_from(self.looks.saturating_sub(1).min(20)).unwrap_or(20);
        want.interval.mul_f64(1.5_f64.powi(steps)).min(SLOWEST.max(want.interval))
    }

    /// How many looks were made.
    #[must_use]
    pub fn looks(&self) -> u32 {
        self.looks
    }

    /// How many looks in a row have proved it, and since when.
    #[must_use]
    pub fn proofs(&self) -> Option<(u32, Duration)> {
        self.streak.as_ref().map(|streak| (streak.count, streak.since))
    }

    /// The last look.
    #[must_use]
    pub fn last(&self) -> Option<&Look> {
        self.last.as_ref()
    }

    /// The failures that were seen to happen.
    pub fn failures(&self) -> impl Iterator<Item = &Failure> {
        self.fresh.iter().map(|(_, failure)| failure)
    }
}

#[cfg(test)]
mod tests;
