//! Folds the records of one run and shard together, one at a time, in any order.
//!
//! What depends on the order of records (which name comes first, the order of checks and of output) follows their times and
//! numbers, not the order of lines. Nothing of a record is kept that the report does not need.

use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::{Check, Event, Evidence, Level, Policy, Reason, Record, Status, Verdict};

/// When a record was written, as far as that is known: time, number, and kind for records that have neither.
pub(crate) type Order = (Moment, u64, u8);

/// A time in microseconds; one that is unknown comes first, as in a record without a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(i64);

impl Moment {
    const UNKNOWN: Self = Self(i64::MIN);

    pub(crate) fn of(at: Option<Timestamp>) -> Self {
        at.map_or(Self::UNKNOWN, |at| Self(at.as_microsecond()))
    }

    pub(crate) fn time(self) -> Option<Timestamp> {
        if self == Self::UNKNOWN { None } else { Timestamp::from_microsecond(self.0).ok() }
    }

    /// The earlier of two that are known.
    fn earlier(self, other: Self) -> Self {
        if self == Self::UNKNOWN {
            other
        } else if other == Self::UNKNOWN {
            self
        } else {
            self.min(other)
        }
    }
}

/// What the records of one run and shard amount to.
#[derive(Debug, Default)]
pub(crate) struct Fold {
    pub(crate) run: String,
    pub(crate) shard: Option<String>,
    pub(crate) starts: usize,
    pub(crate) results: Vec<Verdict>,
    pub(crate) seconds: Vec<f64>,
    pub(crate) tools: Vec<(Order, String)>,
    pub(crate) titles: Vec<(Order, String)>,
    pub(crate) notes: Vec<(Order, String)>,
    pub(crate) stages: HashMap<String, FoldedStage>,
    pub(crate) checks: Vec<FoldedCheck>,
    /// How many of the checks failed; known once settled.
    pub(crate) failed: usize,
    places: HashMap<Box<str>, u32>,
}

/// What was reported about a stage.
#[derive(Debug, Default)]
pub(crate) struct FoldedStage {
    pub(crate) name: Option<String>,
    pub(crate) status: Option<Status>,
    pub(crate) duration_seconds: Option<f64>,
}

/// What was reported about a check.
#[derive(Debug)]
pub(crate) struct FoldedCheck {
    pub(crate) check: Check,
    /// Of its first mention, and its place in the plan or among the mentions.
    pub(crate) order: (Order, u32),
    pub(crate) mentioned_at: Moment,
    pub(crate) started_at: Moment,
    pub(crate) ended_at: Moment,
    pub(crate) ended: bool,
    started: bool,
    /// What is more than a name, a status and a time; put together in the order of time once all records are there.
    pending: Vec<Pending>,
}

/// A record about a check that has to wait for those before it.
#[derive(Debug)]
struct Pending {
    order: Order,
    event: Event,
    rest: Map<String, Value>,
}

impl Fold {
    /// An empty fold for the records with this run and shard.
    pub(crate) fn new(run: &str, shard: Option<&str>) -> Self {
        Self { run: run.to_owned(), shard: shard.map(str::to_owned), ..Self::default() }
    }

    /// Which part of how many its shard is: `2/8`. A shard may also be a name.
    pub(crate) fn numbers(&self) -> Option<(u64, u64)> {
        let (index, count) = self.shard.as_deref()?.split_once('/')?;
        Some((index.parse().ok()?, count.parse().ok()?))
    }

    /// Takes a record of this run and shard.
    pub(crate) fn add(&mut self, record: Record) {
        let order = (Moment::of(record.at), record.seq, rank(&record.event));
        match record.event {
            Event::RunStarted { tool, title, plan } => {
                self.starts += 1;
                self.tools.extend(tool.map(|tool| (order, tool)));
                self.titles.extend(title.map(|title| (order, title)));
                for (place, check) in (0..).zip(&plan) {
                    self.mention(check, order, place);
                }
            }
            Event::RunFinished { result, duration_seconds } => {
                self.results.push(result);
                self.seconds.extend(duration_seconds);
            }
            Event::StageStarted { stage, name } => {
                let stage = self.stages.entry(stage).or_default();
                stage.name = stage.name.take().or(name);
            }
            Event::StageFinished { stage, status, duration_seconds } => {
                let stage = self.stages.entry(stage).or_default();
                stage.status = stage.status.max(status);
                stage.duration_seconds = longest(stage.duration_seconds, duration_seconds);
            }
            Event::Note { check: None, text } => self.notes.push((order, text)),
            Event::Unknown => {}
            Event::CheckStarted { ref check, .. }
            | Event::Finding { ref check, .. }
            | Event::Evidence { ref check, .. }
            | Event::CheckFinished { ref check, .. }
            | Event::Note { check: Some(ref check), .. }
            | Event::Output { ref check, .. } => {
                let check = self.mention(check, order, u32::MAX);
                check.add(record.event, order, record.rest);
            }
        }
    }

    fn mention(&mut self, id: &str, order: Order, place: u32) -> &mut FoldedCheck {
        let next = self.checks.len();
        let at = if let Some(at) = self.places.get(id) {
            *at as usize
        } else {
            self.places.insert(id.into(), u32::try_from(next).unwrap_or(u32::MAX));
            self.checks.push(FoldedCheck::new(id, order));
            next
        };
        let check = &mut self.checks[at];
        check.order = check.order.min((order, place));
        check.mentioned_at = check.mentioned_at.earlier(order.0);
        check
    }

    /// Ends the fold: checks in the order of their first mention, each with what it amounts to.
    pub(crate) fn settle(&mut self, policy: &Policy) {
        self.places = HashMap::new();
        self.checks.sort_by(|one, other| (one.order, &one.check.id).cmp(&(other.order, &other.check.id)));
        for list in [&mut self.tools, &mut self.titles, &mut self.notes] {
            list.sort();
        }
        for check in &mut self.checks {
            check.settle(policy);
        }
        self.failed = self.checks.iter().filter(|check| check.check.status == Status::Failed).count();
    }
}

/// Records without time and number still begin with their plan.
fn rank(event: &Event) -> u8 {
    match event {
        Event::RunStarted { .. } => 0,
        Event::StageStarted { .. } => 1,
        Event::CheckStarted { .. } => 2,
        Event::RunFinished { .. } => 4,
        _ => 3,
    }
}

impl FoldedCheck {
    fn new(id: &str, order: Order) -> Self {
        Self {
            check: Check::new(id, Status::Passed),
            order: (order, u32::MAX),
            mentioned_at: order.0,
            started_at: Moment::UNKNOWN,
            ended_at: Moment::UNKNOWN,
            ended: false,
            started: false,
            pending: Vec::new(),
        }
    }

    fn add(&mut self, event: Event, order: Order, rest: Map<String, Value>) {
        match &event {
            Event::CheckStarted { name, .. } => {
                self.started = true;
                self.started_at = self.started_at.earlier(order.0);
                if name.as_deref().is_none_or(|name| name.trim().is_empty() || name == self.check.name()) {
                    return;
                }
            }
            Event::CheckFinished { status, duration_seconds, reason, url, exit_code, data, .. } => {
                self.ended_at = self.ended_at.max(order.0);
                self.check.duration_seconds = longest(self.check.duration_seconds, *duration_seconds);
                self.check.status = if self.ended { self.check.status.max(*status) } else { *status };
                self.ended = true;
                if reason.is_none() && url.is_none() && exit_code.is_none() && data.is_empty() && rest.is_empty() {
                    return;
                }
            }
            _ => {}
        }
        self.pending.push(Pending { order, event, rest });
    }

    /// Puts together what has waited. If the check ended twice, the worst end gives the reasons, and the others only what is
    /// still open.
    fn put_together(&mut self) {
        let mut pending = std::mem::take(&mut self.pending);
        let text = |one: &Pending| serde_json::to_string(&one.event).unwrap_or_default();
        pending.sort_by(|one, other| one.order.cmp(&other.order).then_with(|| text(one).cmp(&text(other))));
        let worst = self.check.status;
        let (first, last): (Vec<_>, Vec<_>) = pending.into_iter().partition(|one| match &one.event {
            Event::CheckFinished { status, .. } => *status == worst,
            _ => true,
        });
        let mut output = String::new();
        for Pending { event, rest, .. } in first.into_iter().chain(last) {
            let check = &mut self.check;
            match event {
                Event::CheckStarted { name, .. } => self.call(name),
                Event::Finding { finding, .. } => check.findings.push(finding),
                Event::Evidence { evidence, .. } => {
                    check.findings_omitted += evidence.findings_omitted;
                    check.evidence.push(*evidence);
                }
                Event::Note { text, .. } if check.note.is_none() => check.note = Some(text),
                Event::Output { text, .. } => output.push_str(&text),
                finished @ Event::CheckFinished { .. } => self.end(finished, &rest),
                _ => {}
            }
        }
        if !output.is_empty() {
            self.check.output = output;
        }
    }

    fn call(&mut self, name: Option<String>) {
        let new = name.filter(|name| !name.trim().is_empty() && self.check.name() != name);
        if let (None, Some(name)) = (&self.check.title, new) {
            self.check.title = Some(name);
        }
    }

    fn end(&mut self, event: Event, rest: &Map<String, Value>) {
        let Event::CheckFinished { status, reason, url, exit_code, data, .. } = event else { return };
        let text = |key: &str| rest.get(key).and_then(Value::as_str).map(str::to_owned);
        self.call(text("name"));
        let check = &mut self.check;
        if check.reason.is_none() && status == check.status && reason.is_some() {
            check.reason = reason;
        }
        if exit_code.is_some() && check.exit_code.is_none() {
            check.exit_code = exit_code;
        }
        if let Some(note) = text("note").filter(|_| check.note.is_none()) {
            check.note = Some(note);
        }
        if let Some(url) = url.filter(|_| check.url.is_none()) {
            check.url = Some(url);
        }
        for (key, value) in data {
            check.data.entry(key).or_insert(value);
        }
    }

    /// Turns silence into `missing`, and evidence, an error that was found or an exit code that is not 0 into what it amounts
    /// to, whatever status the check reported.
    fn settle(&mut self, policy: &Policy) {
        if !self.pending.is_empty() {
            self.put_together();
        }
        let check = &mut self.check;
        if !self.ended {
            let text = if self.started { "started, but did not end" } else { "planned, but did not report" };
            check.status = Status::Missing;
            check.reason = Some(Reason::new("not_reported", text));
        }
        if !check.has_details() {
            return;
        }
        check.findings.sort_by_key(|finding| std::cmp::Reverse(finding.level));
        if self.ended {
            judge(check, policy);
        }
    }

    /// When it began: as it reports, or counted back from its end.
    pub(crate) fn began_at(&self) -> Option<Timestamp> {
        let seconds = self.check.duration_seconds.filter(|seconds| seconds.is_finite());
        let lasted = seconds.and_then(|seconds| jiff::SignedDuration::try_from_secs_f64(seconds).ok());
        self.started_at.time().or_else(|| self.ended_at.time()?.checked_sub(lasted?).ok())
    }
}

/// Makes a check as bad as what it found and what its evidence amounts to, and no worse than its plan has it.
fn judge(check: &mut Check, policy: &Policy) {
    judge_evidence(check, policy);
    if let Some(reason) = policy.refuses_attempts(check.attempts()).filter(|_| check.status == Status::Passed) {
        (check.status, check.reason) = (Status::Failed, Some(reason));
    }
    if check.status == Status::Failed && !check.is_required() {
        let text = check.reason.as_ref().map_or_else(|| "failed".to_owned(), |reason| reason.text.clone());
        check.status = Status::Skipped;
        check.reason = Some(Reason::new("not_required", format!("not required: {text}")));
    }
}

fn judge_evidence(check: &mut Check, policy: &Policy) {
    let id = check.id.clone();
    if !check.evidence.is_empty() {
        let mut evidence: Vec<Evidence> = std::mem::take(&mut check.evidence);
        let judgement = policy.judge(&id, &mut evidence);
        check.evidence = evidence;
        if check.note.is_none() {
            check.note = judgement.note;
        }
        if judgement.status > check.status {
            check.status = judgement.status;
            check.reason = judgement.reason;
        }
        return;
    }
    let fails =
        |level| check.findings.iter().filter(|finding| finding.level == level && policy.fails(&id, level)).count();
    let found = fails(Level::Error) + fails(Level::Warning) + fails(Level::Notice);
    if found > 0 && check.status < Status::Failed {
        check.contradict(&(crate::verdict::count(found as u64, "finding") + " of level error"));
    } else if let (Status::Passed, Some(code @ (..=-1 | 1..))) = (check.status, check.exit_code) {
        check.contradict(&format!("it ended with exit code {code}"));
    }
}

impl Check {
    fn contradict(&mut self, evidence: &str) {
        let text = format!("reported as {}, but {evidence}", self.status.name());
        self.status = Status::Failed;
        self.reason = Some(Reason::new("report_disagrees", text));
    }
}

/// The first part of a check's id; a check without one belongs to `checks`.
pub(crate) fn stage_of(check: &str) -> &str {
    check.split_once('/').map_or("checks", |(stage, _)| stage)
}

pub(crate) fn longest(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.max(other)),
        (one, other) => one.or(other),
    }
}
