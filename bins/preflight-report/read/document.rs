//! Reads a report document: what `--format json` printed in an earlier job.
//!
//! Its checks count, not its verdict: the result is computed again.

use fault::{Fault, Result};
use formats::Json;
use jiff::{SignedDuration, Timestamp};
use report::{Event, Evidence, Finding, Reason, Status, Verdict};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::reading::Stamped;

#[derive(Debug, Deserialize)]
struct Document {
    title: Option<String>,
    result: Verdict,
    started_at: Option<String>,
    duration_seconds: Option<f64>,
    #[serde(default)]
    stages: Vec<Stage>,
    #[serde(default)]
    notes: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Stage {
    id: String,
    name: Option<String>,
    duration_seconds: Option<f64>,
    #[serde(default)]
    checks: Vec<Check>,
}

#[derive(Debug, Deserialize)]
struct Check {
    id: String,
    name: Option<String>,
    note: Option<String>,
    status: Status,
    reason: Option<Reason>,
    exit_code: Option<i64>,
    offset_seconds: Option<f64>,
    duration_seconds: Option<f64>,
    url: Option<String>,
    #[serde(default)]
    data: Map<String, Value>,
    #[serde(default)]
    findings: Vec<Finding>,
    #[serde(default)]
    evidence: Vec<Evidence>,
    output: Option<Output>,
}

#[derive(Debug, Deserialize)]
struct Output {
    tail: Option<String>,
    path: Option<String>,
}

/// Whether it is a document of ours.
pub(super) fn is_one(json: &Json<'_>) -> bool {
    json.string("kind").as_deref() == Some("preflight_report")
}

/// The document as events.
///
/// # Errors
/// [`fault::Kind::Usage`]: not of the shape that the schema has.
pub(super) fn events(text: &str) -> Result<Vec<Stamped>> {
    let document: Document =
        serde_json::from_str(text).map_err(|error| Fault::usage("not a report document").cause(error.to_string()))?;
    let started_at: Option<Timestamp> = document.started_at.as_deref().and_then(|at| at.parse().ok());
    let at = |offset: Option<f64>| {
        let offset = SignedDuration::try_from_secs_f64(offset?).ok()?;
        started_at?.checked_add(offset).ok()
    };
    let plan = document.stages.iter().flat_map(|stage| stage.checks.iter().map(|check| check.id.clone())).collect();
    let started = Event::RunStarted { tool: None, title: document.title, plan };
    let mut events = vec![Stamped { at: started_at, ..started.into() }];
    for stage in document.stages {
        events.push(Event::StageStarted { stage: stage.id.clone(), name: stage.name }.into());
        for check in stage.checks {
            let (begin, end) = (at(check.offset_seconds), at(sum(check.offset_seconds, check.duration_seconds)));
            check_events(check, begin, end, &mut events);
        }
        let duration_seconds = stage.duration_seconds;
        events.push(Event::StageFinished { stage: stage.id, status: None, duration_seconds }.into());
    }
    events.extend(document.notes.into_iter().map(|text| Event::Note { check: None, text }.into()));
    let (result, duration_seconds) = (document.result, document.duration_seconds);
    let finished = Event::RunFinished { result, duration_seconds };
    let end =
        started_at.and_then(|start| start.checked_add(SignedDuration::try_from_secs_f64(duration_seconds?).ok()?).ok());
    events.push(Stamped { at: end, ..finished.into() });
    Ok(events)
}

fn sum(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    Some(one? + other?)
}

fn check_events(check: Check, begin: Option<Timestamp>, end: Option<Timestamp>, events: &mut Vec<Stamped>) {
    let id = check.id;
    let started = Event::CheckStarted { check: id.clone(), name: check.name };
    events.push(Stamped { at: begin, ..started.into() });
    for finding in check.findings {
        events.push(Event::Finding { check: id.clone(), finding }.into());
    }
    for evidence in check.evidence {
        events.push(Event::Evidence { check: id.clone(), evidence: Box::new(evidence) }.into());
    }
    let (tail, log) = check.output.map_or((None, None), |output| (output.tail, output.path));
    if let Some(text) = tail {
        events.push(Event::Output { check: id.clone(), stream: None, text }.into());
    }
    // A check that did not report then has not reported now either.
    if check.status == Status::Missing {
        return;
    }
    let finished = Event::CheckFinished {
        check: id,
        status: check.status,
        duration_seconds: check.duration_seconds,
        reason: check.reason,
        url: check.url,
        exit_code: check.exit_code,
        data: check.data.into_iter().chain(log.map(|log| ("log".to_owned(), log.into()))).collect(),
    };
    let rest = check.note.map(|note| ("note".to_owned(), note.into())).into_iter().collect();
    events.push(Stamped { at: end, rest, event: finished });
}
