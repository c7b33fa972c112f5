//! Adds records of one or many runs and shards up to one report, whatever the order of the lines.
//!
//! Records are first brought into an order of their own (run, shard, time, number, text) and freed of doubles; everything after
//! that is a fold. A check reported by several shards is as bad as the worst of them.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::record::Record;
use crate::shard::{Part, PartCheck, earliest, longest};
use crate::{Check, Event, Report, Shard, Source, Stage, Status, Verdict};

/// Adds the records up.
pub(crate) fn report(records: &[Record]) -> Report {
    let parts = parts(records);
    let started_at = records.iter().filter_map(|record| record.at).min();
    let finished_at = records.iter().filter_map(|record| record.at).max();
    let stages = stages(&parts, started_at);
    let mut report = Report {
        title: unique(parts.iter().flat_map(|part| &part.titles)).join(", "),
        tools: unique(parts.iter().flat_map(|part| &part.tools)),
        started_at,
        finished_at,
        duration_seconds: duration(&parts, started_at, finished_at),
        shards: parts.iter().map(shard).collect(),
        notes: unique(parts.iter().flat_map(|part| &part.notes)),
        disagreements: disagreements(&parts, &stages),
        gaps: Vec::new(),
        claimed_failure: parts.iter().flat_map(|part| &part.results).any(|result| *result == Verdict::Failed),
        stages,
        producer: None,
        source: Source::default(),
        exit_code: None,
    };
    report.gaps = gaps(&parts, &report);
    report
}

fn parts(records: &[Record]) -> Vec<Part> {
    let mut sorted: Vec<_> = records.iter().map(|record| (order(record), record)).collect();
    sorted.sort_by(|(one, _), (other, _)| one.cmp(other));
    sorted.dedup_by(|(one, _), (other, _)| one == other);
    let sorted: Vec<_> = sorted.into_iter().map(|(_, record)| record).collect();
    sorted.chunk_by(|one, other| one.run == other.run && one.shard == other.shard).map(Part::of).collect()
}

type Order<'a> = (&'a str, (u64, u64), Option<&'a str>, Option<Timestamp>, u64, u8, String);

fn order(record: &Record) -> Order<'_> {
    let number = record.shard.as_deref().and_then(|shard| shard.split_once('/'));
    let number = number.and_then(|(index, count)| Some((index.parse().ok()?, count.parse().ok()?)));
    (
        &record.run,
        number.unwrap_or_default(),
        record.shard.as_deref(),
        record.at,
        record.seq,
        rank(record),
        record.line(),
    )
}

/// Records without time and number still begin with their plan.
fn rank(record: &Record) -> u8 {
    match record.event {
        Event::RunStarted { .. } => 0,
        Event::StageStarted { .. } => 1,
        Event::CheckStarted { .. } => 2,
        Event::RunFinished { .. } => 4,
        _ => 3,
    }
}

fn unique<'a>(texts: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut seen = Vec::new();
    for text in texts {
        if !seen.contains(text) {
            seen.push(text.clone());
        }
    }
    seen
}

fn shard(part: &Part) -> Shard {
    Shard {
        run: part.run.clone(),
        id: part.shard.clone(),
        finished: part.starts == part.results.len(),
        duration_seconds: part.seconds.iter().copied().reduce(|one, other| one + other),
    }
}

/// One run says itself how long it took; several, or one that was cut off, are as long as their records are apart.
fn duration(parts: &[Part], started_at: Option<Timestamp>, finished_at: Option<Timestamp>) -> Option<f64> {
    let said: Vec<f64> = parts.iter().flat_map(|part| &part.seconds).copied().collect();
    match said.as_slice() {
        [] => between(started_at, finished_at).filter(|seconds| *seconds > 0.0),
        [one] => Some(*one),
        several => longest(between(started_at, finished_at), several.iter().copied().reduce(f64::max)),
    }
}

fn between(from: Option<Timestamp>, to: Option<Timestamp>) -> Option<f64> {
    Some(to?.duration_since(from?).as_secs_f64().max(0.0))
}

/// A stage's checks from all parts, and when it was first heard of.
#[derive(Default)]
struct Gathered<'a> {
    checks: Vec<(&'a Part, &'a PartCheck)>,
    mentioned_at: Option<Timestamp>,
    place: usize,
}

fn stages(parts: &[Part], started_at: Option<Timestamp>) -> Vec<Stage> {
    let mut gathered: BTreeMap<&str, Gathered<'_>> = BTreeMap::new();
    for (place, (part, check)) in
        parts.iter().flat_map(|part| part.checks.iter().map(move |check| (part, check))).enumerate()
    {
        let stage =
            gathered.entry(stage_of(&check.check.id)).or_insert_with(|| Gathered { place, ..Gathered::default() });
        stage.mentioned_at = earliest(stage.mentioned_at, check.mentioned_at);
        stage.checks.push((part, check));
    }
    // A stage may be reported without any check of its own.
    for id in parts.iter().flat_map(|part| part.stages.keys()) {
        gathered.entry(id).or_insert_with(|| Gathered { place: usize::MAX, ..Gathered::default() });
    }
    let mut ordered: Vec<_> = gathered.into_iter().collect();
    ordered.sort_by_key(|(_, stage)| (stage.mentioned_at.is_none(), stage.mentioned_at, stage.place));
    ordered.into_iter().map(|(id, stage)| finish_stage(id, &stage, parts, started_at)).collect()
}

/// The first part of a check's id; a check without one belongs to `checks`.
fn stage_of(check: &str) -> &str {
    check.split_once('/').map_or("checks", |(stage, _)| stage)
}

fn finish_stage(id: &str, gathered: &Gathered<'_>, parts: &[Part], started_at: Option<Timestamp>) -> Stage {
    let said: Vec<_> = parts.iter().filter_map(|part| part.stages.get(id)).collect();
    let begins = gathered.checks.iter().filter_map(|(_, check)| check.began_at()).min();
    let ends = gathered.checks.iter().filter_map(|(_, check)| check.ended_at).max();
    let checks = merge_checks(gathered, started_at);
    let timed = checks.iter().any(|check| check.duration_seconds.is_some());
    let claimed = said.iter().filter_map(|stage| stage.status).max();
    Stage {
        id: id.to_owned(),
        name: said.iter().find_map(|stage| stage.name.clone()).unwrap_or_else(|| heading(id)),
        status: stage_status(&checks, claimed),
        offset_seconds: between(started_at, begins).filter(|_| timed),
        duration_seconds: said
            .iter()
            .fold(None, |longest_yet, stage| longest(longest_yet, stage.duration_seconds))
            .or_else(|| between(begins, ends).filter(|_| timed)),
        checks,
    }
}

fn merge_checks(gathered: &Gathered<'_>, started_at: Option<Timestamp>) -> Vec<Check> {
    let mut merged: Vec<Check> = Vec::new();
    let mut places: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for (part, said) in &gathered.checks {
        let mut check = said.check.clone();
        check.shard.clone_from(&part.shard);
        check.offset_seconds = between(started_at, said.began_at()).filter(|_| check.duration_seconds.is_some());
        let (place, reports) = places.entry(&said.check.id).or_insert((merged.len(), 0));
        *reports += 1;
        if *reports == 1 {
            merged.push(check);
        } else {
            merged[*place].absorb(check);
        }
    }
    // The shard is worth telling only where several reported the same check.
    for (place, _) in places.into_values().filter(|(_, reports)| *reports == 1) {
        merged[place].shard = None;
    }
    merged
}

impl PartCheck {
    fn began_at(&self) -> Option<Timestamp> {
        let seconds = self.check.duration_seconds.filter(|seconds| seconds.is_finite());
        let lasted = seconds.and_then(|seconds| jiff::SignedDuration::try_from_secs_f64(seconds).ok());
        self.started_at.or_else(|| self.ended_at?.checked_sub(lasted?).ok())
    }
}

impl Check {
    /// Takes in what another shard said of the same check: the worse of the two speaks, both keep their findings.
    fn absorb(&mut self, mut other: Self) {
        if other.status > self.status {
            std::mem::swap(self, &mut other);
        }
        self.duration_seconds = longest(self.duration_seconds, other.duration_seconds);
        self.findings.append(&mut other.findings);
        self.findings.sort_by_key(|finding| std::cmp::Reverse(finding.level));
        self.url = self.url.take().or(other.url);
        self.output.push_str(&other.output);
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

/// `coffee_shop` as a heading: `Coffee shop`.
fn heading(id: &str) -> String {
    let words = id.replace(['_', '-'], " ");
    let mut characters = words.chars();
    characters.next().map_or(words.clone(), |first| first.to_uppercase().chain(characters).collect())
}

/// Claims against evidence: both ways of contradicting are worth a sentence.
fn disagreements(parts: &[Part], stages: &[Stage]) -> Vec<String> {
    let mut found = Vec::new();
    for part in parts {
        let failed = part.checks.iter().filter(|check| check.check.status == Status::Failed).count();
        match part.results.iter().max() {
            Some(Verdict::Passed) if failed > 0 => {
                found.push(format!("{} says that it passed, but {failed} check(s) failed", name_of(part)));
            }
            Some(Verdict::Failed) if failed == 0 => {
                found.push(format!("{} says that it failed, but no check in it failed", name_of(part)));
            }
            _ => {}
        }
    }
    for stage in stages {
        let failed = stage.checks.iter().any(|check| check.status == Status::Failed);
        let claims = parts.iter().filter_map(|part| part.stages.get(&stage.id)?.status);
        let claimed = claims.max();
        if !failed && claimed == Some(Status::Failed) {
            found.push(format!("stage {} says that it failed, but no check in it failed", stage.id));
        } else if failed && claimed.is_some_and(|claimed| claimed < Status::Failed) {
            found.push(format!("stage {} says that it {}, but a check in it failed", stage.id, said(claimed)));
        }
    }
    found
}

fn said(claimed: Option<Status>) -> &'static str {
    match claimed {
        Some(Status::Passed) | None => "passed",
        Some(Status::Skipped) => "was skipped",
        Some(Status::Cancelled) => "was cancelled",
        Some(Status::Missing) => "is missing",
        Some(Status::Failed) => "failed",
    }
}

fn name_of(part: &Part) -> String {
    let name = part.titles.first().or(part.tools.first()).map_or("the report", String::as_str);
    part.shard.as_ref().map_or_else(|| name.to_owned(), |shard| format!("{name} (shard {shard})"))
}

/// Why the records as a whole prove nothing, where they do not; single checks speak for themselves.
fn gaps(parts: &[Part], report: &Report) -> Vec<String> {
    let counts = report.counts();
    let mut gaps = Vec::new();
    for part in parts.iter().filter(|part| part.starts != part.results.len() || part.starts == 0) {
        let what = if part.results.len() < part.starts.max(1) {
            "did not finish"
        } else {
            "has no beginning, so its plan is unknown"
        };
        gaps.push(format!("{} {what}", name_of(part)));
    }
    for stage in report.stages.iter().filter(|stage| stage.checks.is_empty()) {
        gaps.push(format!("stage {} reported no check", stage.id));
    }
    // A run that says itself that leaving everything out is right may do so; silence may not.
    let claims_success =
        !parts.is_empty() && parts.iter().all(|part| part.results.iter().max() == Some(&Verdict::Passed));
    if counts.checks == 0 || (counts.skipped == counts.checks && !claims_success) {
        gaps.push("nothing ran".to_owned());
    }
    // Worth a sentence only where nothing else explains it.
    if gaps.is_empty() && counts.missing + counts.cancelled == 0 {
        let unsure = parts.iter().filter(|part| part.results.iter().max() == Some(&Verdict::Incomplete));
        gaps.extend(unsure.map(|part| format!("{} says that it is incomplete", name_of(part))));
    }
    gaps
}

#[cfg(test)]
mod tests;
