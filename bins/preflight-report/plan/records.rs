//! The records of a check's end, and the line that runs what failed again.

use std::time::Duration;

use plan::{Check, Outcome, Why};
use report::{Event, Judgement, Reason, Status};
use run::StopReason;
use serde_json::{Map, Value, json};

use super::finished::Finished;
use super::load::Loaded;
use super::shared::{End, Run};
use crate::args::Args;
use crate::gather::shell_line;

/// The most checks that the line to run again names; above it names none and runs all.
const NAMED: usize = 5;

/// Seconds to the millisecond.
pub(super) fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1000.0).round() / 1000.0
}

/// The judgement of a check that was stopped.
pub(super) fn stopped() -> Judgement {
    Judgement { status: Status::Cancelled, reason: None, note: None }
}

/// The word and the clause for what has stopped the run.
pub(super) fn stopped_by(run: &Run<'_>) -> (&'static str, String) {
    let reason = run.stop.reason();
    let code = if reason == Some(StopReason::Deadline) { "deadline" } else { "interrupted" };
    (code, reason.map(|reason| reason.to_string()).unwrap_or_default())
}

/// Records a check that was left out.
pub(super) fn skipped(run: &Run<'_>, check: &Check, why: &Why) {
    let (status, code, text) = match why {
        Why::Condition => {
            let when = check.when.as_ref().map(ToString::to_string).unwrap_or_default();
            (Status::Skipped, "condition", format!("when: {when}"))
        }
        Why::NeedsFailed(needed) => (Status::Skipped, "needs_failed", format!("needs {needed}, which did not pass")),
        Why::EarlierFailed(earlier) => {
            (Status::Skipped, "needs_failed", format!("comes after {earlier}, which failed"))
        }
        Why::FailFast(first) => (Status::Skipped, "fail_fast", format!("not started: {first} failed first")),
        Why::Stopped => (Status::Cancelled, stopped_by(run).0, format!("not started: {}", stopped_by(run).1)),
    };
    run.reporter.event(&check.id, &format!("{} ({text})", status.name()));
    let finished = Event::CheckFinished {
        check: check.id.clone(),
        status,
        duration_seconds: None,
        reason: Some(Reason::new(code, text)),
        url: None,
        exit_code: None,
        data: data(run.loaded, check),
    };
    // Its name is in the record of its start otherwise, and it has none.
    run.reporter.record_with(finished, Map::from_iter([("name".to_owned(), json!(check.name))]));
}

/// What the report says about a check beside its end.
fn data(loaded: &Loaded, check: &Check) -> Map<String, Value> {
    let mut data = Map::new();
    data.insert("command".to_owned(), json!(check.action.shown()));
    if check.dir.is_some() {
        data.insert("working_directory".to_owned(), json!(loaded.folder(check).display().to_string()));
    }
    if !check.required {
        data.insert("required".to_owned(), json!(false));
    }
    if let Some(prevents) = &check.prevents {
        data.insert("prevents".to_owned(), json!(prevents));
    }
    data
}

/// Records the end of a check and prints its line.
pub(super) fn finished(run: &Run<'_>, check: &Check, finished: &Finished) -> Outcome {
    let judgement = &finished.judgement;
    let (status, reason) = match (&finished.cancelled, &finished.cached_at) {
        (Some(reason), _) => (Status::Cancelled, Some(reason.clone())),
        (None, Some(at)) if judgement.status == Status::Passed => {
            (Status::Passed, Some(Reason::new("cached", format!("unchanged since it passed at {at}"))))
        }
        _ => match run.setting.policy.refuses_attempts(finished.attempts.len()) {
            Some(reason) if judgement.status == Status::Passed => (Status::Failed, Some(reason)),
            _ => (judgement.status, judgement.reason.clone()),
        },
    };
    for event in &finished.events {
        run.reporter.record(event.clone());
    }
    if !finished.output.trim().is_empty() {
        let (check, text) = (check.id.clone(), finished.output.clone());
        run.reporter.record(Event::Output { check, stream: None, text });
    }
    if let Some(text) = note(finished) {
        run.reporter.record(Event::Note { check: Some(check.id.clone()), text });
    }
    let last = finished.attempts.last();
    run.reporter.record(Event::CheckFinished {
        check: check.id.clone(),
        status,
        duration_seconds: Some(seconds(Duration::try_from_secs_f64(finished.seconds).unwrap_or_default())),
        reason: reason.clone(),
        url: None,
        exit_code: last.and_then(|last| last.exit_code),
        data: details(run, check, finished),
    });
    let why = reason.filter(|reason| status != Status::Passed && !reason.text.is_empty());
    let why = why.map(|reason| format!(": {}", reason.text)).unwrap_or_default();
    let cached = if finished.cached_at.is_some() { ", cached" } else { "" };
    let text = format!("{}: {} ({:.1}s{cached}){why}", check.id, status.name(), finished.seconds);
    run.reporter.progress().remove(&check.id);
    run.reporter.status(&text);
    match status {
        Status::Passed => Outcome::Passed,
        Status::Failed => Outcome::Failed,
        // It proves nothing, as if it had been stopped: only skipped tests, or a blank report.
        Status::Skipped | Status::Missing | Status::Cancelled => Outcome::Cancelled,
    }
}

/// The words in brackets, if there is more to say than what the evidence has.
fn note(finished: &Finished) -> Option<String> {
    let cached = finished.cached_at.as_ref().map(|_| "cached".to_owned());
    let tries = finished.attempts.len();
    let repeated = tries > 1 && finished.judgement.status == Status::Passed;
    let flaky = repeated.then(|| format!("flaky: passed at attempt {tries}"));
    let extra: Vec<String> = cached.into_iter().chain(flaky).collect();
    let all = finished.judgement.note.iter().cloned().chain(extra.iter().cloned());
    (!extra.is_empty()).then(|| all.collect::<Vec<_>>().join(", "))
}

fn details(run: &Run<'_>, check: &Check, finished: &Finished) -> Map<String, Value> {
    let mut data = data(run.loaded, check);
    if finished.cached_at.is_some() {
        data.insert("cached".to_owned(), json!(true));
    }
    if let Some(signal) = finished.attempts.last().and_then(|last| last.signal) {
        data.insert("signal".to_owned(), json!(signal));
    }
    if let Some(log) = &finished.log {
        data.insert("log".to_owned(), json!(log.display().to_string()));
    }
    if finished.attempts.len() > 1 {
        let attempts = finished.attempts.iter().zip(1..).map(|(one, number)| {
            let seconds = seconds(Duration::try_from_secs_f64(one.seconds).unwrap_or_default());
            json!({ "number": number, "status": one.status, "exit_code": one.exit_code, "duration_seconds": seconds })
        });
        data.insert("attempts".to_owned(), Value::Array(attempts.collect()));
    }
    data
}

/// The command that runs again what failed.
pub(super) fn rerun(loaded: &Loaded, args: &Args, ends: &[(usize, End)]) -> String {
    let mut words = vec!["preflight-report".to_owned(), "--plan".to_owned(), loaded.source.name().to_owned()];
    let bad: Vec<usize> = ends
        .iter()
        .filter(|(_, end)| matches!(end, Ok(Outcome::Failed | Outcome::Cancelled)))
        .map(|(at, _)| *at)
        // What cannot fail the run does not need another one.
        .filter(|at| loaded.plan.checks[*at].required)
        .collect();
    let chosen: Vec<String> = if bad.is_empty() || bad.len() > NAMED {
        args.planned.only.iter().map(|only| only.text().to_owned()).collect()
    } else {
        bad.iter().map(|at| loaded.plan.checks[*at].id.clone()).collect()
    };
    words.extend(chosen.into_iter().flat_map(|only| ["--only".to_owned(), only]));
    shell_line(&words.iter().map(Into::into).collect::<Vec<_>>())
}
