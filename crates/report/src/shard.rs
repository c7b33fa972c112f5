//! One part of a report: the records of one run and shard, folded together.
//!
//! The fold takes records in any order: every field is a set, a maximum or a worst. Only the order of checks comes from the
//! order of records, and the caller sorts those.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use crate::{Check, Event, Finding, Level, Reason, Record, Status, Verdict};

/// What the records of one run and shard say.
#[derive(Debug, Default)]
pub(crate) struct Part {
    pub(crate) run: String,
    pub(crate) shard: Option<String>,
    pub(crate) starts: usize,
    pub(crate) results: Vec<Verdict>,
    pub(crate) seconds: Vec<f64>,
    pub(crate) tools: Vec<String>,
    pub(crate) titles: Vec<String>,
    pub(crate) notes: Vec<String>,
    pub(crate) stages: BTreeMap<String, PartStage>,
    /// In the order of their first mention; the plan mentions them all.
    pub(crate) checks: Vec<PartCheck>,
    places: BTreeMap<String, usize>,
}

/// What was said about a stage.
#[derive(Debug, Default)]
pub(crate) struct PartStage {
    pub(crate) name: Option<String>,
    pub(crate) status: Option<Status>,
    pub(crate) duration_seconds: Option<f64>,
}

/// What was said about a check; no status while it has no end.
#[derive(Debug)]
pub(crate) struct PartCheck {
    pub(crate) check: Check,
    pub(crate) mentioned_at: Option<Timestamp>,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) ended_at: Option<Timestamp>,
    pub(crate) ended: bool,
    named: bool,
}

impl Part {
    /// Folds records that all have the same run and shard.
    pub(crate) fn of(records: &[&Record]) -> Self {
        let first = records.first();
        let mut part = Self {
            run: first.map(|record| record.run.clone()).unwrap_or_default(),
            shard: first.and_then(|record| record.shard.clone()),
            ..Self::default()
        };
        for record in records {
            part.add(record);
        }
        for check in &mut part.checks {
            check.settle();
        }
        part
    }

    fn add(&mut self, record: &Record) {
        match &record.event {
            Event::RunStarted { tool, title, plan } => {
                self.starts += 1;
                self.tools.extend(tool.clone());
                self.titles.extend(title.clone());
                for check in plan {
                    self.mention(check, record);
                }
            }
            Event::RunFinished { result, duration_seconds } => {
                self.results.push(*result);
                self.seconds.extend(*duration_seconds);
            }
            Event::StageStarted { stage, name } => {
                let stage = self.stages.entry(stage.clone()).or_default();
                stage.name = stage.name.take().or_else(|| name.clone());
            }
            Event::StageFinished { stage, status, duration_seconds } => {
                let stage = self.stages.entry(stage.clone()).or_default();
                stage.status = stage.status.max(*status);
                stage.duration_seconds = longest(stage.duration_seconds, *duration_seconds);
            }
            Event::CheckStarted { check, name } => {
                let check = self.mention(check, record);
                check.started_at = earliest(check.started_at, record.at);
                check.call(name.as_deref());
            }
            Event::Finding { .. } => self.find(record),
            Event::CheckFinished { check, .. } => self.mention(check, record).end(record),
            Event::Note { check: Some(check), text } => {
                let check = &mut self.mention(check, record).check;
                check.note = check.note.take().or_else(|| Some(text.clone()));
            }
            Event::Note { check: None, text } => self.notes.push(text.clone()),
            Event::Output { check, text, .. } => self.mention(check, record).check.output.push_str(text),
            Event::Unknown => {}
        }
    }

    fn find(&mut self, record: &Record) {
        if let Event::Finding { check, level, path, line, column, rule, message } = &record.event {
            let finding = Finding {
                level: *level,
                path: path.clone(),
                line: *line,
                column: *column,
                rule: rule.clone(),
                message: message.clone(),
            };
            self.mention(check, record).check.findings.push(finding);
        }
    }

    fn mention(&mut self, id: &str, record: &Record) -> &mut PartCheck {
        let next = self.checks.len();
        let place = *self.places.entry(id.to_owned()).or_insert(next);
        if place == next {
            self.checks.push(PartCheck::new(id));
        }
        let check = &mut self.checks[place];
        check.mentioned_at = earliest(check.mentioned_at, record.at);
        check
    }
}

impl PartCheck {
    fn new(id: &str) -> Self {
        let check = Check {
            id: id.to_owned(),
            name: id.split_once('/').map_or(id, |(_, item)| item).to_owned(),
            note: None,
            status: Status::Passed,
            reason: None,
            offset_seconds: None,
            duration_seconds: None,
            exit_code: None,
            url: None,
            data: serde_json::Map::new(),
            findings: Vec::new(),
            output: String::new(),
            shard: None,
        };
        Self { check, mentioned_at: None, started_at: None, ended_at: None, ended: false, named: false }
    }

    fn call(&mut self, name: Option<&str>) {
        if let (false, Some(name)) = (self.named, name.filter(|name| !name.trim().is_empty())) {
            name.clone_into(&mut self.check.name);
            self.named = true;
        }
    }

    fn end(&mut self, record: &Record) {
        let Event::CheckFinished { status, duration_seconds, reason, url, exit_code, data, .. } = &record.event else {
            return;
        };
        let text = |key: &str| record.rest.get(key).and_then(Value::as_str);
        self.call(text("name"));
        self.ended_at = self.ended_at.max(record.at);
        let check = &mut self.check;
        check.note = check.note.take().or_else(|| text("note").map(str::to_owned));
        check.duration_seconds = longest(check.duration_seconds, *duration_seconds);
        // Said twice: the worse end explains itself, the other only fills what is still open.
        let worse = !self.ended || *status > check.status;
        let choose = |new: bool| worse && new;
        if choose(reason.is_some()) || check.reason.is_none() && *status >= check.status {
            check.reason.clone_from(reason);
        }
        if choose(exit_code.is_some()) || check.exit_code.is_none() {
            check.exit_code = *exit_code;
        }
        check.url = check.url.take().or_else(|| url.clone());
        for (key, value) in data {
            check.data.entry(key.clone()).or_insert_with(|| value.clone());
        }
        check.status = if self.ended { check.status.max(*status) } else { *status };
        self.ended = true;
    }

    /// Turns silence into `missing`, and an error that was found or an exit code that is not 0 into a failure, whatever the check
    /// says of itself.
    fn settle(&mut self) {
        let check = &mut self.check;
        check.findings.sort_by_key(|finding| std::cmp::Reverse(finding.level));
        let errors = check.findings.iter().filter(|finding| finding.level == Level::Error).count();
        if !self.ended {
            let text =
                if self.started_at.is_some() { "started, but did not end" } else { "planned, but did not report" };
            check.status = Status::Missing;
            check.reason = Some(Reason::new("not_reported", text));
        } else if errors > 0 && check.status < Status::Failed {
            check.contradict(&format!("reported {errors} error(s)"));
        } else if let (Status::Passed, Some(code @ (..=-1 | 1..))) = (check.status, check.exit_code) {
            check.contradict(&format!("ended with exit code {code}"));
        }
    }
}

impl Check {
    fn contradict(&mut self, evidence: &str) {
        let text = format!("says {}, but {evidence}", self.status.name());
        self.status = Status::Failed;
        self.reason = Some(Reason::new("report_disagrees", text));
    }
}

pub(crate) fn longest(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.max(other)),
        (one, other) => one.or(other),
    }
}

pub(crate) fn earliest(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    one.into_iter().chain(other).min()
}
