//! Adds records of one or many runs and shards up to one report, whatever the order of the lines.
//!
//! Records are folded as they arrive ([`crate::fold`]); a record given twice counts once. Then the checks of all shards are
//! brought together ([`crate::legs`]), and what the runs claim is held against them ([`crate::claims`]).

mod attempts;

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hasher as _};
use std::io;

use jiff::Timestamp;

use crate::fold::{Fold, FoldedCheck, Moment, longest, stage_of};
use crate::legs;
use crate::model::heading;
use crate::{Check, CodeOrigin, Policy, Record, Report, ReportedShard, Stage, Status, Verdict, claims};

/// Takes records and makes the report of them.
#[derive(Debug, Default)]
pub struct Merger {
    folds: Vec<Fold>,
    /// Where the fold of a run and shard is.
    places: HashMap<(String, Option<String>), usize>,
    /// Hashes of the records that were taken.
    seen: HashSet<u64>,
    started_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
    last: usize,
}

impl Merger {
    /// Takes a record. Their order does not matter, and a record given twice counts once.
    pub fn add(&mut self, record: Record) {
        if !self.seen.insert(hash(&record)) {
            return;
        }
        self.started_at = self.started_at.into_iter().chain(record.at).min();
        self.finished_at = self.finished_at.into_iter().chain(record.at).max();
        let at = self.place(&record);
        self.folds[at].add(record);
    }

    /// Where the fold of a record is: mostly where that of the last one was.
    fn place(&mut self, record: &Record) -> usize {
        let is_last =
            self.folds.get(self.last).is_some_and(|fold| fold.run == record.run && fold.shard == record.shard);
        if !is_last {
            let next = self.folds.len();
            let key = (record.run.clone(), record.shard.clone());
            self.last = *self.places.entry(key).or_insert(next);
            if self.last == next {
                self.folds.push(Fold::new(&record.run, record.shard.as_deref()));
            }
        }
        self.last
    }

    /// The report that the records add up to.
    #[must_use]
    pub fn finish(self, policy: &Policy) -> Report {
        // Large, and of no more use.
        drop(self.seen);
        let mut folds = self.folds;
        for fold in &mut folds {
            fold.settle(policy);
        }
        let lost = if policy.all_shards { attempts::lost_shards(&folds) } else { Vec::new() };
        let (mut folds, notes) = attempts::without_superseded(folds);
        folds.sort_by(|one, other| order(one).cmp(&order(other)));
        let started_at = self.started_at;
        let stages = stages(&mut folds, started_at);
        let mut report = Report {
            title: unique(folds.iter().flat_map(|fold| &fold.titles)).join(", "),
            tools: unique(folds.iter().flat_map(|fold| &fold.tools)),
            started_at,
            finished_at: self.finished_at,
            duration_seconds: duration(&folds, started_at, self.finished_at),
            shards: folds.iter().map(shard).collect(),
            notes: unique(folds.iter().flat_map(|fold| &fold.notes)).into_iter().chain(notes).collect(),
            disagreements: Vec::new(),
            gaps: Vec::new(),
            claimed_failure: folds.iter().flat_map(|fold| &fold.results).any(|result| *result == Verdict::Failed),
            stages,
            producer: None,
            source: CodeOrigin::default(),
            exit_code: None,
            rerun: None,
            comparison: None,
        };
        report.disagreements = claims::disagreements(&folds, &report.stages);
        report.gaps = claims::gaps(&folds, &report);
        report.gaps.extend(lost);
        report
    }
}

impl Report {
    /// Adds the records up. Their order does not matter, and a record given twice counts once.
    #[must_use]
    pub fn of(records: &[Record]) -> Self {
        let mut merger = Merger::default();
        records.iter().cloned().for_each(|record| merger.add(record));
        merger.finish(&Policy::default())
    }
}

/// A hash of the record as it would be written. Two records of one run that differ have the same hash once in a lifetime.
fn hash(record: &Record) -> u64 {
    struct Hash(DefaultHasher);
    impl io::Write for Hash {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.write(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut hash = Hash(DefaultHasher::new());
    // A record holds only strings, numbers and maps with string keys, and hashing takes everything: this cannot fail.
    let _ = serde_json::to_writer(&mut hash, record);
    hash.0.finish()
}

/// Shards in the order of their numbers, else of their names.
fn order(fold: &Fold) -> (&str, (u64, u64), Option<&str>) {
    (&fold.run, fold.numbers().unwrap_or_default(), fold.shard.as_deref())
}

fn unique<'a, T: 'a>(texts: impl Iterator<Item = &'a (T, String)>) -> Vec<String> {
    let mut seen = Vec::new();
    for (_, text) in texts {
        if !seen.contains(text) {
            seen.push(text.clone());
        }
    }
    seen
}

fn shard(fold: &Fold) -> ReportedShard {
    ReportedShard {
        run: fold.run.clone(),
        id: fold.shard.clone(),
        finished: fold.starts == fold.results.len(),
        duration_seconds: fold.seconds.iter().copied().reduce(|one, other| one + other),
    }
}

/// One run reports itself how long it took; several, or one that was cut off, are as long as their records are apart.
fn duration(folds: &[Fold], started_at: Option<Timestamp>, finished_at: Option<Timestamp>) -> Option<f64> {
    let reported: Vec<f64> = folds.iter().flat_map(|fold| &fold.seconds).copied().collect();
    match reported.as_slice() {
        [] => between(started_at, finished_at).filter(|seconds| *seconds > 0.0),
        [one] => Some(*one),
        several => longest(between(started_at, finished_at), several.iter().copied().reduce(f64::max)),
    }
}

fn between(from: Option<Timestamp>, to: Option<Timestamp>) -> Option<f64> {
    Some(to?.duration_since(from?).as_secs_f64().max(0.0))
}

/// A stage's checks from all shards, and when it was first mentioned.
#[derive(Default)]
struct Gathered {
    /// Each with the number of its fold.
    checks: Vec<(usize, Check)>,
    begins: Option<Timestamp>,
    ends: Option<Timestamp>,
    mentioned_at: Option<Moment>,
    place: usize,
}

fn stages(folds: &mut [Fold], started_at: Option<Timestamp>) -> Vec<Stage> {
    let mut gathered: HashMap<String, Gathered> = HashMap::new();
    let mut place = 0;
    for (number, fold) in folds.iter_mut().enumerate() {
        for check in std::mem::take(&mut fold.checks) {
            let id = stage_of(&check.check.id);
            // Not `entry`: a name per check would be allocated.
            if !gathered.contains_key(id) {
                gathered.insert(id.to_owned(), Gathered { place, ..Gathered::default() });
            }
            place += 1;
            if let Some(stage) = gathered.get_mut(id) {
                let mentioned = check.mentioned_at.time().map(|_| check.mentioned_at);
                stage.mentioned_at = stage.mentioned_at.into_iter().chain(mentioned).min();
                stage.begins = stage.begins.into_iter().chain(check.began_at()).min();
                stage.ends = stage.ends.into_iter().chain(check.ended_at.time()).max();
                stage.checks.push((number, check.check_with_offset(started_at)));
            }
        }
    }
    // A stage may be reported without any check.
    for id in folds.iter().flat_map(|fold| fold.stages.keys()) {
        gathered.entry(id.clone()).or_insert_with(|| Gathered { place: usize::MAX, ..Gathered::default() });
    }
    let mut ordered: Vec<_> = gathered.into_iter().collect();
    ordered.sort_by(|(one_id, one), (other_id, other)| {
        let key = |stage: &Gathered| (stage.mentioned_at.is_none(), stage.mentioned_at, stage.place);
        key(one).cmp(&key(other)).then_with(|| one_id.cmp(other_id))
    });
    ordered.into_iter().map(|(id, stage)| finish_stage(&id, stage, folds, started_at)).collect()
}

fn finish_stage(id: &str, gathered: Gathered, folds: &[Fold], started_at: Option<Timestamp>) -> Stage {
    let reported: Vec<_> = folds.iter().filter_map(|fold| fold.stages.get(id)).collect();
    let (begins, ends) = (gathered.begins, gathered.ends);
    let several = folds.len() > 1;
    let checks = gathered.checks.into_iter().map(|(fold, check)| (folds[fold].shard.as_deref(), check));
    let checks = legs::merge(checks, several);
    let timed = checks.iter().any(|check| check.duration_seconds.is_some());
    let claimed = reported.iter().filter_map(|stage| stage.status).max();
    Stage {
        id: id.to_owned(),
        name: reported.iter().find_map(|stage| stage.name.clone()).unwrap_or_else(|| heading(id)),
        status: stage_status(&checks, claimed),
        offset_seconds: between(started_at, begins).filter(|_| timed),
        duration_seconds: reported
            .iter()
            .fold(None, |longest_yet, stage| longest(longest_yet, stage.duration_seconds))
            .or_else(|| between(begins, ends).filter(|_| timed)),
        checks,
    }
}

impl FoldedCheck {
    fn check_with_offset(mut self, started_at: Option<Timestamp>) -> Check {
        let offset = between(started_at, self.began_at()).filter(|_| self.check.duration_seconds.is_some());
        self.check.offset_seconds = offset;
        self.check
    }
}

fn stage_status(checks: &[Check], claimed: Option<Status>) -> Status {
    let worst = checks.iter().map(|check| check.status).max();
    // One check left out does not make the stage "skipped"; all of them do.
    let found = match worst {
        Some(Status::Skipped) if checks.iter().any(|check| check.status == Status::Passed) => Some(Status::Passed),
        worst => worst,
    };
    match (found, claimed) {
        (Some(found), Some(Status::Skipped)) => found,
        (found, claimed) => found.max(claimed).unwrap_or(Status::Missing),
    }
}

#[cfg(test)]
mod tests;
