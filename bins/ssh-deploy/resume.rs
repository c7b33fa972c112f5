//! `--resume`: what the records of a deploy show of each host, and what a run that goes on with it does there.
//!
//! Everything here is a pure function over records; [`read`] has the effects. A host that is done is only checked again, every
//! other is deployed to: with the release, the batches and the fence of the first attempt.

pub(crate) mod fingerprint;
pub(crate) mod read;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use fault::{Fault, Result};
use report::{Event, Record, Status};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use ssh::Phase;

use fingerprint::Fingerprint;

/// What a run does with the deploy that it resumes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It goes on with it.
    GoOn,
    /// It undoes it: `--only-rollback`.
    Undo,
}

/// How far a deploy came on a host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Progress {
    /// It has not begun.
    #[default]
    NotStarted,
    /// It has begun, and its end is not known.
    HalfChanged,
    /// It has failed, and the host may be changed.
    Failed,
    /// What it had changed was rolled back.
    RolledBack,
    /// It has succeeded.
    Done,
}

impl Progress {
    /// Whether it has begun.
    pub(crate) fn has_changed(self) -> bool {
        self != Self::NotStarted
    }
}

/// What a run does on a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// It deploys to it.
    Deploy,
    /// It runs the checks again.
    Check,
    /// It rolls it back.
    RollBack,
    /// It does nothing.
    Leave,
}

/// What to do on a host that came this far, as the records show. `phase` is what the host's own state file has of the deploy: it
/// knows the end of a deploy whose records do not.
pub(crate) fn decide(mode: Mode, recorded: Progress, phase: Option<Phase>) -> Action {
    let progress = match (recorded, phase) {
        (Progress::NotStarted | Progress::HalfChanged, Some(phase)) => match phase {
            Phase::Done => Progress::Done,
            Phase::RolledBack | Phase::RolledBackUnchecked => Progress::RolledBack,
            Phase::Failed | Phase::RollbackFailed => Progress::Failed,
            Phase::Command | Phase::Activate | Phase::Check | Phase::Rollback => Progress::HalfChanged,
        },
        // A rollback whose end only the host has seen.
        (Progress::Failed, Some(Phase::RolledBack | Phase::RolledBackUnchecked)) => Progress::RolledBack,
        (recorded, _) => recorded,
    };
    match (mode, progress) {
        (Mode::GoOn, Progress::Done) => Action::Check,
        (Mode::GoOn, _) => Action::Deploy,
        (Mode::Undo, Progress::NotStarted | Progress::RolledBack) => Action::Leave,
        (Mode::Undo, Progress::HalfChanged | Progress::Failed | Progress::Done) => Action::RollBack,
    }
}

/// The deploy that a run goes on with.
#[derive(Clone, Debug)]
pub(crate) struct Resume {
    /// What becomes of it.
    pub(crate) mode: Mode,
    /// What is known of the hosts of this run, in their order.
    pub(crate) hosts: Vec<ResumedHost>,
}

/// What is known of a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ResumedHost {
    /// How far the deploy came there.
    pub(crate) progress: Progress,
    /// The release that it becomes, if the deploy is of one.
    pub(crate) release: Option<String>,
    /// Its batch, from 0.
    pub(crate) batch: usize,
    /// How far it had come before the attempt that is not known to have ended.
    before: Option<Progress>,
}

/// What the first record of a run has for those who resume it. No secret value is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Start {
    /// Which deploy it is: every attempt and every shard has the same.
    pub(crate) deploy: String,
    /// The commit.
    pub(crate) commit: String,
    /// The release, if it deploys one.
    pub(crate) release: Option<String>,
    /// Its place in the order of deploys.
    pub(crate) fence: Option<u64>,
    /// How many hosts each batch has.
    pub(crate) batches: Vec<usize>,
    /// What decides the result.
    #[serde(flatten)]
    pub(crate) fingerprint: Fingerprint,
}

/// A deploy as its records show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Recorded {
    /// How its first attempt began.
    pub(crate) start: Start,
    /// Its hosts by name.
    pub(crate) hosts: BTreeMap<String, ResumedHost>,
}

/// What records add up to, in whatever order and from however many attempts and shards they are.
///
/// # Errors
/// A usage fault for records that are of no run, of another tool, of an older version, or of two deploys.
pub(crate) fn fold(mut records: Vec<Record>) -> Result<Recorded> {
    // A file may be given twice.
    records.sort_by_cached_key(|one| (one.at, one.run.clone(), one.shard.clone(), one.seq, one.line()));
    records.dedup();
    let mut recorded: Option<Recorded> = None;
    for record in &records {
        if let Event::RunStarted { tool, plan, .. } = &record.event {
            let start = start(tool.as_deref(), record)?;
            let known = recorded.get_or_insert_with(|| Recorded { start: start.clone(), hosts: BTreeMap::new() });
            if known.start.deploy != start.deploy {
                return Err(Fault::usage("the records are of two deploys")
                    .cause(format!("one is {}, one is {}", known.start.deploy, start.deploy))
                    .help("give the records of one deploy: of all its attempts and shards"));
            }
            known.add_hosts(plan, &start);
        }
    }
    let Some(mut recorded) = recorded else {
        return Err(Fault::usage("the records are of no deploy").help("give what `ssh-deploy --format jsonl` printed"));
    };
    for record in records {
        recorded.take(record.event);
    }
    Ok(recorded)
}

fn start(tool: Option<&str>, record: &Record) -> Result<Start> {
    let tool = tool.unwrap_or("an unknown tool");
    if tool != "ssh-deploy" {
        return Err(Fault::usage(format!("the records are of {tool}, and only a deploy of ssh-deploy can be resumed")));
    }
    let data = record.rest.get("data").cloned().unwrap_or_default();
    serde_json::from_value(data).map_err(|error| {
        Fault::usage("the records are of a version of ssh-deploy whose deploys cannot be resumed")
            .cause(error.to_string())
            .help("deploy anew, without --resume")
    })
}

impl Recorded {
    /// Notes the hosts of an attempt or shard; the first that names a host decides its batch and release.
    fn add_hosts(&mut self, plan: &[String], start: &Start) {
        let batches = start.batches.iter().enumerate().flat_map(|(batch, size)| std::iter::repeat_n(batch, *size));
        for (host, batch) in plan.iter().filter_map(|check| host_of(check)).zip(batches) {
            let new = || ResumedHost { release: start.release.clone(), batch, ..ResumedHost::default() };
            self.hosts.entry(host.to_owned()).or_insert_with(new);
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::CheckStarted { check, .. } => {
                if let Some(host) = self.host(&check) {
                    host.before = Some(host.progress);
                    host.progress = Progress::HalfChanged;
                }
            }
            Event::CheckFinished { check, status, reason, data, .. } => {
                if let Some(host) = self.host(&check) {
                    let before = host.before.take().unwrap_or(host.progress);
                    host.progress = end(before, status, reason.as_ref().map_or("", |reason| &reason.code), &data);
                }
            }
            _ => {}
        }
    }

    fn host(&mut self, check: &str) -> Option<&mut ResumedHost> {
        self.hosts.get_mut(host_of(check)?)
    }
}

/// How far a deploy is on a host after an attempt with this end.
fn end(before: Progress, status: Status, reason: &str, data: &Map<String, Value>) -> Progress {
    let resumed = data.get("resumed").and_then(Value::as_str).unwrap_or_default();
    let is_true = |name: &str| data.get(name).and_then(Value::as_bool) == Some(true);
    match (status, resumed) {
        _ if is_true("rolled_back") => Progress::RolledBack,
        (Status::Passed, _) => Progress::Done,
        (Status::Failed, "checked") => Progress::Failed,
        _ if !is_true("changed") => before,
        _ if matches!(reason, "connection_lost" | "interrupted" | "rolling_back") => Progress::HalfChanged,
        _ => Progress::Failed,
    }
}

fn host_of(check: &str) -> Option<&str> {
    check.strip_prefix("hosts/")
}
