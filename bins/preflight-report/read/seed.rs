//! Reads the JSON that a Dagger pipeline's `--json-output` prints (EP-006): timed, untimed, and as its ticket planned it.
//!
//! ```json
//! {"result":"failed","duration_seconds":9.31,"stages":{"build":{"status":"failed","duration_seconds":5.9,
//!  "checks":[{"name":"Worker container","status":"failed","duration_seconds":0.41,"error":"…"}]}}}
//! ```
//! Stages stand in the order they ran in, one after the other; a stage's checks run at once. A check whose `error` begins with
//! `Skipped (` was skipped, whatever its status says. The document says how long, not when.

use std::collections::BTreeSet;

use fault::{Fault, Result};
use jiff::{SignedDuration, Timestamp};
use report::{Event, Level, Reason, Status, Verdict};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::ordered::Ordered;
use super::{Said, places};

/// What the seed calls its report.
const TITLE: &str = "PRE-DEPLOY VALIDATION";

#[derive(Debug, Deserialize)]
struct Document {
    result: Option<Verdict>,
    #[serde(alias = "duration")]
    duration_seconds: Option<f64>,
    stages: Ordered<Stage>,
}

#[derive(Debug, Deserialize)]
struct Stage {
    status: Option<Status>,
    #[serde(alias = "duration")]
    duration_seconds: Option<f64>,
    #[serde(default)]
    checks: Vec<Check>,
}

#[derive(Debug, Deserialize)]
struct Check {
    name: String,
    status: Status,
    #[serde(alias = "duration")]
    duration_seconds: Option<f64>,
    error: Option<String>,
    tests_passed: Option<u64>,
}

/// Whether an object has `stages`, each of them an object.
pub(super) fn is_one(object: &Map<String, Value>) -> bool {
    object.get("stages").and_then(Value::as_object).is_some_and(|stages| stages.values().all(Value::is_object))
}

/// The document as events, its end at `read_at`.
///
/// # Errors
/// [`fault::Kind::Usage`]: a status nobody knows, a check without a name.
pub(super) fn events(text: &str, read_at: Timestamp) -> Result<Vec<Said>> {
    let document: Document = serde_json::from_str(text)
        .map_err(|error| Fault::usage("not the JSON of a pipeline's stages").cause(error.to_string()))?;
    let mut taken = BTreeSet::new();
    let mut plan = Vec::new();
    let mut stages = Vec::new();
    let mut at = back(read_at, document.duration_seconds);
    for (name, stage) in &document.stages.0 {
        stages.extend(stage_events(name, stage, at, &mut taken, &mut plan));
        at = forth(at, stage.duration_seconds).min(read_at);
    }
    let started = Event::RunStarted { tool: None, title: Some(TITLE.to_owned()), plan };
    let result = document.result.unwrap_or_else(|| verdict(&document));
    let finished = Event::RunFinished { result, duration_seconds: document.duration_seconds };
    let mut events = vec![said(started, back(read_at, document.duration_seconds))];
    events.extend(stages);
    events.push(said(finished, read_at));
    Ok(events)
}

fn stage_events(
    name: &str,
    stage: &Stage,
    at: Timestamp,
    taken: &mut BTreeSet<String>,
    plan: &mut Vec<String>,
) -> Vec<Said> {
    let id = slug(name);
    let mut events = vec![said(Event::StageStarted { stage: id.clone(), name: Some(heading(name)) }, at)];
    for check in &stage.checks {
        let (title, note) = title(check);
        let mut check_id = format!("{id}/{}", slug(title));
        while !taken.insert(check_id.clone()) {
            check_id.push_str("-again");
        }
        events.push(said(Event::CheckStarted { check: check_id.clone(), name: Some(title.to_owned()) }, at));
        events.extend(check_events(&check_id, check, note, forth(at, check.duration_seconds)));
        plan.push(check_id);
    }
    let (status, duration_seconds) = (stage.status, stage.duration_seconds);
    events.push(said(Event::StageFinished { stage: id, status, duration_seconds }, forth(at, duration_seconds)));
    events
}

fn check_events(id: &str, check: &Check, note: Option<String>, at: Timestamp) -> Vec<Said> {
    let error = check.error.as_deref().map(str::trim).filter(|error| !error.is_empty());
    let skipped = error.and_then(|error| error.strip_prefix("Skipped (")).filter(|_| check.status != Status::Passed);
    let status = if skipped.is_some() { Status::Skipped } else { check.status };
    let mut events = Vec::new();
    let mut reason = skipped.map(|why| Reason::new("needs_failed", why.strip_suffix(')').unwrap_or(why)));
    let mut exit_code = None;
    if let (Some(error), None) = (error, skipped) {
        for place in places::find(error).into_iter().filter(|_| status == Status::Failed) {
            events.push(Event::Finding {
                check: id.to_owned(),
                level: place.level,
                path: Some(place.path),
                line: Some(place.line),
                column: place.column,
                rule: place.rule,
                message: place.message,
            });
        }
        exit_code = exit_code_in(error);
        let (first, mut output) = error.split_once('\n').unwrap_or((error, ""));
        if let Some(code) = exit_code {
            reason = Some(Reason::new("exit_code", format!("exit code {code}")));
            output = if error == format!("exit code: {code}") { "" } else { error };
        } else if matches!(status, Status::Skipped | Status::Cancelled) {
            reason = Some(Reason::new("condition", first.trim()));
        } else if events.is_empty() {
            events.push(finding(id, first));
        }
        if !output.is_empty() {
            events.push(Event::Output { check: id.to_owned(), stream: None, text: format!("{output}\n") });
        }
    }
    let mut data = Map::new();
    data.extend(check.tests_passed.map(|count| ("tests_passed".to_owned(), count.into())));
    let duration_seconds = check.duration_seconds;
    let finished =
        Event::CheckFinished { check: id.to_owned(), status, duration_seconds, reason, url: None, exit_code, data };
    let mut finished = said(finished, at);
    finished.rest.extend(note.map(|note| ("note".to_owned(), note.into())));
    events.into_iter().map(|event| said(event, at)).chain([finished]).collect()
}

/// What went wrong, without a place. On a check that says it passed it is evidence against that.
fn finding(check: &str, message: &str) -> Event {
    Event::Finding {
        check: check.to_owned(),
        level: Level::Error,
        path: None,
        line: None,
        column: None,
        rule: None,
        message: message.trim().to_owned(),
    }
}

/// Dagger ends the first line of a failed exec's error with `exit code: 2`.
fn exit_code_in(error: &str) -> Option<i64> {
    let (_, code) = error.lines().next()?.rsplit_once("exit code: ")?;
    code.trim().parse().ok()
}

/// `pytest (24 passed)` is the check `pytest` with a note; the note may change from run to run, the check's id may not.
fn title(check: &Check) -> (&str, Option<String>) {
    let noted = check.name.strip_suffix(')').and_then(|name| name.split_once(" ("));
    match noted.filter(|(title, _)| !title.trim().is_empty()) {
        Some((title, note)) => (title, Some(note.to_owned())),
        None => (&check.name, None),
    }
}

fn slug(name: &str) -> String {
    let words = name.split(|character: char| !character.is_alphanumeric() && !matches!(character, '_' | '.'));
    let slug = words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-").to_lowercase();
    if slug.is_empty() { "check".to_owned() } else { slug }
}

/// Stages are keyed by their names in lower case.
fn heading(name: &str) -> String {
    let mut characters = name.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

fn verdict(document: &Document) -> Verdict {
    let mut checks = document.stages.0.iter().flat_map(|(_, stage)| &stage.checks);
    if checks.any(|check| check.status == Status::Failed) { Verdict::Failed } else { Verdict::Passed }
}

fn said(event: Event, at: Timestamp) -> Said {
    Said { event, at: Some(at), rest: Map::new() }
}

fn back(at: Timestamp, seconds: Option<f64>) -> Timestamp {
    shift(at, seconds.map(|seconds| -seconds))
}

fn forth(at: Timestamp, seconds: Option<f64>) -> Timestamp {
    shift(at, seconds)
}

/// A duration that is no time on Earth moves nothing.
fn shift(at: Timestamp, seconds: Option<f64>) -> Timestamp {
    let by = seconds.and_then(|seconds| SignedDuration::try_from_secs_f64(seconds).ok());
    by.and_then(|by| at.checked_add(by).ok()).unwrap_or(at)
}
