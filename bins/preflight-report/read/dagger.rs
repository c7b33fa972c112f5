//! Reads the JSON that a Dagger pipeline's `--json-output` prints: with times, without, and with `duration` for
//! `duration_seconds`.
//!
//! ```json
//! {"result":"failed","duration_seconds":9.31,"stages":{"build":{"status":"failed","duration_seconds":5.9,
//!  "checks":[{"name":"Worker container","status":"failed","duration_seconds":0.41,"error":"…"}]}}}
//! ```
//! Stages are in the order they ran in, one after the other; a stage's checks run at once. A check whose `error` begins with
//! `Skipped (` was skipped, whatever its status is. The document has durations and no times.

use std::collections::BTreeSet;

use fault::{Fault, Result};
use formats::{Diagnostic, Json};
use jiff::{SignedDuration, Timestamp};
use plan::slug;
use report::{Event, Reason, Status, Verdict};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::findings::finding;
use super::ordered::Ordered;
use super::reading::Stamped;
use super::setting::Setting;

/// The title of a pipeline's report.
const TITLE: &str = "Pre-deploy validation";

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
pub(super) fn is_one(json: &Json<'_>) -> bool {
    let stages = json.raw("stages").and_then(|stages| serde_json::from_str::<Map<String, Value>>(stages).ok());
    stages.is_some_and(|stages| stages.values().all(Value::is_object))
}

/// The document as events; it ended when it was read.
///
/// # Errors
/// [`fault::Kind::Usage`]: an unknown status, a check without a name.
pub(super) fn events(text: &str, setting: &Setting) -> Result<Vec<Stamped>> {
    let read_at = setting.read_at;
    let document: Document = serde_json::from_str(text)
        .map_err(|error| Fault::usage("not the JSON of a pipeline's stages").cause(error.to_string()))?;
    let mut taken = BTreeSet::new();
    let mut plan = Vec::new();
    let mut stages = Vec::new();
    let mut at = back(read_at, document.duration_seconds);
    for (name, stage) in &document.stages.0 {
        stages.extend(stage_events(name, stage, at, &mut taken, &mut plan, setting));
        at = forth(at, stage.duration_seconds).min(read_at);
    }
    let started = Event::RunStarted { tool: None, title: Some(TITLE.to_owned()), plan };
    let result = document.result.unwrap_or_else(|| verdict(&document));
    let finished = Event::RunFinished { result, duration_seconds: document.duration_seconds };
    let mut events = vec![stamped(started, back(read_at, document.duration_seconds))];
    events.extend(stages);
    events.push(stamped(finished, read_at));
    Ok(events)
}

fn stage_events(
    name: &str,
    stage: &Stage,
    at: Timestamp,
    taken: &mut BTreeSet<String>,
    plan: &mut Vec<String>,
    setting: &Setting,
) -> Vec<Stamped> {
    let id = slug(name);
    let mut events = vec![stamped(Event::StageStarted { stage: id.clone(), name: Some(heading(name)) }, at)];
    for check in &stage.checks {
        let (title, note) = title(check);
        let mut check_id = format!("{id}/{}", slug(title));
        while !taken.insert(check_id.clone()) {
            check_id.push_str("-again");
        }
        events.push(stamped(Event::CheckStarted { check: check_id.clone(), name: Some(title.to_owned()) }, at));
        events.extend(check_events(&check_id, check, note, forth(at, check.duration_seconds), setting));
        plan.push(check_id);
    }
    let (status, duration_seconds) = (stage.status, stage.duration_seconds);
    events.push(stamped(Event::StageFinished { stage: id, status, duration_seconds }, forth(at, duration_seconds)));
    events
}

fn check_events(id: &str, check: &Check, note: Option<String>, at: Timestamp, setting: &Setting) -> Vec<Stamped> {
    let error = check.error.as_deref().map(str::trim).filter(|error| !error.is_empty());
    let skipped = error.and_then(|error| error.strip_prefix("Skipped (")).filter(|_| check.status != Status::Passed);
    let mut status = if skipped.is_some() { Status::Skipped } else { check.status };
    let mut reason = skipped.map(|why| Reason::new("needs_failed", why.strip_suffix(')').unwrap_or(why)));
    let mut failure = Failure::default();
    if let (Some(error), None) = (error, skipped) {
        failure = explained(error, status, setting);
        reason = failure.reason.take();
    }
    // A pass without any test is still a pass for the pipeline.
    let none_passed = (check.tests_passed == Some(0)).then_some("0 tests passed");
    let nothing = note.as_deref().filter(|note| is_vacuous(note)).or(none_passed);
    if let Some(nothing) = nothing.filter(|_| status == Status::Passed) {
        reason = Some(Reason::new("nothing_ran", nothing));
        if setting.policy.strict {
            status = Status::Failed;
        }
    }
    let mut events: Vec<Event> =
        failure.findings.into_iter().map(|finding| Event::Finding { check: id.to_owned(), finding }).collect();
    if !failure.output.is_empty() {
        events.push(Event::Output { check: id.to_owned(), stream: None, text: format!("{}\n", failure.output) });
    }
    let mut data = Map::new();
    data.extend(check.tests_passed.map(|count| ("tests_passed".to_owned(), count.into())));
    let (duration_seconds, exit_code) = (check.duration_seconds, failure.exit_code);
    let finished =
        Event::CheckFinished { check: id.to_owned(), status, duration_seconds, reason, url: None, exit_code, data };
    let mut finished = stamped(finished, at);
    finished.rest.extend(note.map(|note| ("note".to_owned(), note.into())));
    events.into_iter().map(|event| stamped(event, at)).chain([finished]).collect()
}

/// What a check's `error` amounts to.
#[derive(Default)]
struct Failure {
    findings: Vec<report::Finding>,
    exit_code: Option<i64>,
    reason: Option<Reason>,
    output: String,
}

fn explained(error: &str, status: Status, setting: &Setting) -> Failure {
    let mut found: Vec<Diagnostic> = if status == Status::Failed { formats::diagnostics(error) } else { Vec::new() };
    let exit_code = exit_code_in(error);
    let (first, mut output) = error.split_once('\n').unwrap_or((error, ""));
    let mut reason = None;
    if let Some(code) = exit_code {
        reason = Some(Reason::new("exit_code", format!("exit code {code}")));
        output = if error == format!("exit code: {code}") { "" } else { error };
    } else if matches!(status, Status::Skipped | Status::Cancelled) {
        reason = Some(Reason::new("condition", first.trim()));
    } else if found.is_empty() {
        // What went wrong, with the place that the sentence names. On a check that passed it is evidence against that.
        let mut diagnostic = Diagnostic::error(first.trim());
        diagnostic.locations = formats::places::in_text(error);
        found.push(diagnostic);
    }
    let findings = found.into_iter().map(|diagnostic| finding(None, diagnostic, None, setting)).collect();
    Failure { findings, exit_code, reason, output: output.to_owned() }
}

/// Whether the words in brackets mean that nothing ran: `no tests collected`, `0 tests`, `0 passed`.
fn is_vacuous(note: &str) -> bool {
    let note = note.to_lowercase();
    ["no tests", "no test ", "nothing "].iter().any(|begin| note.starts_with(begin))
        || note.split(',').all(|part| part.trim().starts_with("0 "))
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

/// Stages are keyed by their names in lower case.
fn heading(name: &str) -> String {
    let mut characters = name.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

fn verdict(document: &Document) -> Verdict {
    let mut checks = document.stages.0.iter().flat_map(|(_, stage)| &stage.checks);
    if checks.any(|check| check.status == Status::Failed) { Verdict::Failed } else { Verdict::Passed }
}

fn stamped(event: Event, at: Timestamp) -> Stamped {
    Stamped { event, at: Some(at), rest: Map::new() }
}

fn back(at: Timestamp, seconds: Option<f64>) -> Timestamp {
    shift(at, seconds.map(|seconds| -seconds))
}

fn forth(at: Timestamp, seconds: Option<f64>) -> Timestamp {
    shift(at, seconds)
}

/// Out-of-range durations are ignored.
fn shift(at: Timestamp, seconds: Option<f64>) -> Timestamp {
    let by = seconds.and_then(|seconds| SignedDuration::try_from_secs_f64(seconds).ok());
    by.and_then(|by| at.checked_add(by).ok()).unwrap_or(at)
}
