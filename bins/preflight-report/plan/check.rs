//! Runs one check to its end: from the cache, or as often as its retries allow.

use std::path::PathBuf;
use std::time::Instant;

use fault::{Fault, Result};
use formats::Kept;
use plan::{Action, Builtin, Check, Outcome};
use report::{Event, Evidence, Reason, Record, Status};

use super::attempt::{Attempt, attempt};
use super::finished::{Finished, Try};
use super::shared::Run;
use super::{builtin, cache, inputs, records, show};
use crate::read::{self, Judged};

/// Runs a check and records what happens.
pub(super) async fn run(run: &Run<'_>, at: usize) -> (usize, Outcome) {
    let check = &run.loaded.plan.checks[at];
    let begun = Instant::now();
    run.reporter.record(Event::CheckStarted { check: check.id.clone(), name: Some(check.name.clone()) });
    let key = run.cache.as_ref().filter(|_| !check.inputs.is_empty()).and_then(|_| inputs::key(run, check).ok());
    let stored = run.cache.as_ref().zip(key.as_deref()).and_then(|(cache, key)| cache.get(key));
    let mut finished = match stored {
        Some(stored) => from_cache(run, check, stored),
        None => attempts(run, check).await,
    };
    finished.seconds = begun.elapsed().as_secs_f64();
    let outcome = records::finished(run, check, &finished);
    // Stored only if the files are still those that it ran with.
    if let (Outcome::Passed, None, Some(cache), Some(key)) = (outcome, &finished.cached_at, &run.cache, key)
        && inputs::key(run, check).is_ok_and(|now| now == key)
    {
        // The directory may be shared between jobs.
        finished.events.iter_mut().for_each(|event| run.setting.masks.hide_event(event));
        if let Err(fault) = cache.put(&key, &finished.events) {
            run.reporter.warn(&format!("{}: {}: {}", check.id, fault.message, fault.causes.join(": ")));
        }
    }
    (at, outcome)
}

fn from_cache(run: &Run<'_>, check: &Check, stored: cache::Stored) -> Finished {
    let mut evidence: Vec<Evidence> = stored
        .events
        .iter()
        .filter_map(
            |event| if let Event::Evidence { evidence, .. } = event { Some((**evidence).clone()) } else { None },
        )
        .collect();
    // Judged by what is accepted now.
    let judgement = run.setting.policy.judge(&check.id, &mut evidence);
    Finished {
        judgement,
        events: stored.events,
        output: String::new(),
        attempts: Vec::new(),
        cancelled: None,
        cached_at: Some(stored.at),
        log: None,
        seconds: 0.0,
    }
}

async fn attempts(run: &Run<'_>, check: &Check) -> Finished {
    let mut tries: Vec<Try> = Vec::new();
    for number in 1.. {
        let begun = Instant::now();
        let mut once = once(run, check, number).await;
        let again = number <= check.retries && once.may_repeat && run.stop.reason().is_none();
        let status = once.finished.judgement.status;
        once.last.status = status;
        once.last.seconds = begun.elapsed().as_secs_f64();
        tries.push(once.last);
        if !(again && status == Status::Failed && once.finished.cancelled.is_none()) {
            once.finished.attempts = tries;
            return once.finished;
        }
        let why = once.finished.judgement.reason.map(|reason| reason.text).unwrap_or_default();
        let text = format!("attempt {number} of {} failed ({why}), trying again", check.retries + 1);
        run.reporter.status(&format!("{}: {text}", check.id));
    }
    // The loop above returns: `number` does not pass the retries of a plan.
    not_run(run, check, &Fault::failed("it was not run")).finished
}

struct Once {
    finished: Finished,
    last: Try,
    /// Whether another attempt could end otherwise.
    may_repeat: bool,
}

async fn once(run: &Run<'_>, check: &Check, number: u32) -> Once {
    let outcome = match &check.action {
        Action::Run(command) => match attempt(run, check, command, number).await {
            Ok(attempt) => ended(run, check, attempt, Vec::new()).await,
            Err(fault) => Err(fault),
        },
        Action::Builtin(Builtin::CleanAfter { run: command, paths }) => {
            clean_after(run, check, command, paths, number).await
        }
        Action::Builtin(builtin) => {
            let found = vec![builtin::found(run, check, builtin)];
            judged(run, check, None, found).await.map(|judged| Once {
                finished: finished(judged, String::new(), None),
                last: Try { status: Status::Passed, exit_code: None, signal: None, seconds: 0.0 },
                may_repeat: false,
            })
        }
    };
    outcome.unwrap_or_else(|fault| not_run(run, check, &fault))
}

async fn clean_after(
    run: &Run<'_>,
    check: &Check,
    command: &plan::Command,
    paths: &[String],
    number: u32,
) -> Result<Once> {
    let folder = run.loaded.folder(check);
    let before = builtin::Snapshot::take(&folder, paths);
    let attempt = attempt(run, check, command, number).await?;
    let found = before.compare(&folder, paths, &command.shown());
    ended(run, check, attempt, vec![found]).await
}

/// Judges an attempt, and prints its log.
async fn ended(run: &Run<'_>, check: &Check, attempt: Attempt, found: Vec<(Evidence, Vec<Kept>)>) -> Result<Once> {
    let Attempt { mut ran, log, started, cancelled, output_held } = attempt;
    let cancelled = cancelled.then(|| {
        if let Some(first) = run.cancelled_by() {
            return Reason::new("fail_fast", format!("stopped because {first} failed first"));
        }
        let (code, text) = records::stopped_by(run);
        Reason::new(code, text)
    });
    let last = Try {
        status: Status::Failed,
        exit_code: ran.status.code().map(i64::from),
        signal: ran.status.code().is_none().then(|| ran.status.signal_name()).flatten(),
        seconds: ran.seconds,
    };
    let failed = !ran.status.is_success() || ran.failure.is_some() || cancelled.is_some();
    show::log(run, check, &mut ran.output, failed);
    if output_held {
        let text = "a process that it left running holds its output open; what that prints is not in the log";
        run.reporter.status(&format!("{}: {text}", check.id));
    }
    let left_out = ran.output.left_out();
    if let Some(path) = &log
        && let Err(error) = ran.output.settle(path)
    {
        run.reporter.warn(&format!("{}: cannot put its log `{}` in order: {error}", check.id, path.display()));
    }
    let output = if failed { ran.tail.clone() } else { String::new() };
    // What a program wrote that was stopped is no report of anything.
    let mut judged = if cancelled.is_some() {
        Judged { events: Vec::new(), judgement: records::stopped(), others: Vec::new(), notes: Vec::new() }
    } else {
        judged(run, check, Some(ran), found).await?
    };
    if left_out > 0 {
        judged.notes.push(format!("{left_out} bytes of its output are left out of the log"));
    }
    for note in &judged.notes {
        run.reporter.status(&format!("{}: {note}", check.id));
    }
    let mut finished = finished(judged, output, log);
    finished.cancelled = cancelled;
    Ok(Once { finished, last, may_repeat: started })
}

/// Reads on another thread what the command left: a long report must not hold up the time limits of other checks.
async fn judged(
    run: &Run<'_>,
    check: &Check,
    ran: Option<crate::gather::Ran>,
    found: Vec<(Evidence, Vec<Kept>)>,
) -> Result<Judged> {
    let setting = run.setting.seen_from(&run.loaded.folder(check));
    let (id, foreign) = (check.id.clone(), run.foreign.clone());
    let judged = tokio::task::spawn_blocking(move || read::planned(&id, ran, found, &foreign, &setting)).await;
    let mut judged = judged.map_err(|error| {
        Fault::failed(format!("cannot read what the command of `{}` left", check.id)).cause(error.to_string())
    })??;
    let others: Vec<Record> = std::mem::take(&mut judged.others);
    for record in others {
        run.reporter.pass_on(record);
    }
    Ok(judged)
}

fn finished(judged: Judged, output: String, log: Option<PathBuf>) -> Finished {
    Finished {
        judgement: judged.judgement,
        events: judged.events,
        output,
        attempts: Vec::new(),
        cancelled: None,
        cached_at: None,
        log,
        seconds: 0.0,
    }
}

/// A check that this program could not run at all.
fn not_run(run: &Run<'_>, check: &Check, fault: &Fault) -> Once {
    let text = [std::slice::from_ref(&fault.message), &fault.causes].concat().join(": ");
    let mut evidence = vec![Evidence::of_problem("runner", None, Reason::new("not_run", text))];
    let judgement = run.setting.policy.judge(&check.id, &mut evidence);
    let events =
        evidence.into_iter().map(|evidence| Event::Evidence { check: check.id.clone(), evidence: Box::new(evidence) });
    let judged = Judged { events: events.collect(), judgement, others: Vec::new(), notes: Vec::new() };
    Once {
        finished: finished(judged, String::new(), None),
        last: Try { status: Status::Failed, exit_code: None, signal: None, seconds: 0.0 },
        may_repeat: false,
    }
}
