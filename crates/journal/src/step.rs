//! The two events that a journal has besides those of the record stream.

use report::{Event, Record};
use serde_json::{Map, Value};

/// The key of what a tool keeps with a record for itself.
const FACTS: &str = "facts";

/// A step that began: one command of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The check: `deploy/infra`.
    pub check: String,
    /// Which of its commands: `run`, `ready`, `undo`.
    pub name: String,
    /// From 1.
    pub attempt: u64,
}

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepEnd {
    /// Whether it did what it was to do.
    pub passed: bool,
    /// The exit code, if it ended with one.
    pub exit_code: Option<i64>,
}

/// The event that a step begins, with what the tool keeps with it for itself.
#[must_use]
pub fn step_started(step: &Step, facts: Map<String, Value>) -> (Event, Map<String, Value>) {
    (Event::Unknown, with_facts(named("step_started", step), facts))
}

/// The event that a step's process runs: more to keep with its beginning.
#[must_use]
pub fn step_running(step: &Step, facts: Map<String, Value>) -> (Event, Map<String, Value>) {
    (Event::Unknown, with_facts(named("step_running", step), facts))
}

/// The event that a step ended.
#[must_use]
pub fn step_finished(step: &Step, end: &StepEnd) -> (Event, Map<String, Value>) {
    let mut rest = named("step_finished", step);
    rest.insert("passed".to_owned(), end.passed.into());
    if let Some(code) = end.exit_code {
        rest.insert("exit_code".to_owned(), code.into());
    }
    (Event::Unknown, rest)
}

fn named(event: &str, step: &Step) -> Map<String, Value> {
    let mut rest = Map::new();
    rest.insert("event".to_owned(), event.into());
    rest.insert("check".to_owned(), step.check.as_str().into());
    rest.insert("step".to_owned(), step.name.as_str().into());
    rest.insert("attempt".to_owned(), step.attempt.into());
    rest
}

/// The fields of a record with what the tool keeps for itself.
#[must_use]
pub fn with_facts(mut rest: Map<String, Value>, facts: Map<String, Value>) -> Map<String, Value> {
    if !facts.is_empty() {
        rest.insert(FACTS.to_owned(), facts.into());
    }
    rest
}

/// What the tool kept with a record.
#[must_use]
pub fn facts(record: &Record) -> Map<String, Value> {
    record.rest.get(FACTS).and_then(Value::as_object).cloned().unwrap_or_default()
}

/// What a record reports of a step.
pub(crate) enum Change {
    Started,
    Running,
    Finished(StepEnd),
}

/// The step that a record is about.
pub(crate) fn step_of(record: &Record) -> Option<(Step, Change)> {
    let text = |key: &str| record.rest.get(key).and_then(Value::as_str);
    let step = Step {
        check: text("check")?.to_owned(),
        name: text("step")?.to_owned(),
        attempt: record.rest.get("attempt").and_then(Value::as_u64)?,
    };
    let change = match text("event")? {
        "step_started" => Change::Started,
        "step_running" => Change::Running,
        "step_finished" => Change::Finished(StepEnd {
            passed: record.rest.get("passed").and_then(Value::as_bool)?,
            exit_code: record.rest.get("exit_code").and_then(Value::as_i64),
        }),
        _ => return None,
    };
    Some((step, change))
}
