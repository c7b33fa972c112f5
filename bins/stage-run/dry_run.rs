//! `--dry-run`: runs nothing but each stage's `plan`, all of them, and shows what would change.

use std::time::Instant;

use cli::{Console, Exit};
use fault::{Fault, Result};
use plan::stages::Stage;
use report::{Changes, Event, Reason, Status};
use run::{Records, Reporter, Stop};

use crate::args::{Args, Format};
use crate::context::Context;
use crate::emit::{self, Result as Shown};
use crate::folder::RunFolder;
use crate::loaded::Loaded;
use crate::ran::Ran;
use crate::stage::{self, Done};
use crate::step::{self, Command};
use crate::{lock, newest, planned};

/// Runs the plans.
///
/// # Errors
/// The lock is held, or a process of a run still lives.
pub(crate) async fn run(loaded: &Loaded, args: &Args, console: &Console) -> Result<Exit> {
    let stop = Stop::watch(None)?;
    let Some(locks) = lock::all(loaded, args, console, &stop).await? else {
        return Ok(lock::stopped(&stop, args, console));
    };
    if let Some(newest) = newest::find(loaded)? {
        newest.refuse_survivors()?;
    }
    // Nothing of a dry run is kept.
    let scratch = tempfile::tempdir()
        .map_err(|error| Fault::temporary("cannot make a temporary folder").cause(error.to_string()))?;
    let path = std::path::absolute(scratch.path()).unwrap_or_else(|_| scratch.path().to_owned());
    let folder = RunFolder { path };
    let chosen = chosen(loaded, args)?;
    let records = if args.format == Format::Jsonl { Records::Print } else { Records::Keep };
    let plan = chosen.iter().map(|stage| format!("deploy/{}", loaded.plan.stages[*stage].id)).collect();
    let reporter = Reporter::new(console, records, None, &format!("{}: dry run", loaded.title()), plan);
    let mut context = Context::new(loaded, &reporter, stop, &folder, None, locks);
    context.verbose = args.verbose;
    let mut ran = Ran { stages: Vec::new(), others: Vec::new(), pending: Vec::new(), broken: None };
    let mut would_change = None;
    for number in chosen {
        if context.stop.reason().is_some() {
            break;
        }
        let (done, changes) = plan_of(&context, number, would_change.as_deref(), args.no_destroy).await;
        if changes.is_some_and(|changes| changes.create + changes.update + changes.replace + changes.delete > 0) {
            would_change.get_or_insert_with(|| done.name.clone());
        }
        ran.stages.push(done);
    }
    // A dry run without any plan proves nothing.
    let nothing = ran.stages.iter().all(|done| done.status == Status::Skipped).then_some(Exit::Incomplete);
    let exit = context
        .stop
        .reason()
        .map_or_else(|| Exit::worst(ran.stages.iter().map(|done| done.exit).chain(nothing)), run::StopReason::exit);
    emit::result(&Shown { context: &context, ran: &ran, exit, next: None, broken: None }, args);
    Ok(exit)
}

fn chosen(loaded: &Loaded, args: &Args) -> Result<Vec<usize>> {
    let plan = &loaded.plan;
    let from = args.from.as_ref().map_or(Ok(0), |name| Args::stage(plan, name))?;
    let until = args.until.as_ref().map_or(Ok(plan.stages.len() - 1), |name| Args::stage(plan, name))?;
    let named = args.stages.iter().map(|name| Args::stage(plan, name)).collect::<Result<Vec<_>>>()?;
    Ok((from..=until).filter(|stage| named.is_empty() || named.contains(stage)).collect())
}

/// Runs one stage's plan.
async fn plan_of(
    context: &Context<'_>,
    number: usize,
    would_change: Option<&str>,
    no_destroy: bool,
) -> (Done, Option<Changes>) {
    let stage = &context.loaded.plan.stages[number];
    let check = format!("deploy/{}", stage.id);
    let script = match script(context, stage) {
        Ok(script) => script,
        Err(reason) => {
            let done = Done::not_run(&stage.id, &stage.name, Status::Skipped, reason);
            context.reporter.record(stage::finished(&check, &done));
            return (done, None);
        }
    };
    context.reporter.record(Event::CheckStarted { check: check.clone(), name: Some(stage.name.clone()) });
    context.reporter.progress().begin_timed(&check);
    let command = Command {
        check: &check,
        name: &stage.name,
        step: "plan",
        attempt: 1,
        script,
        dir: context.loaded.dir(stage.dir.as_deref()),
        env: stage.env.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        log: context.folder.log(&stage.id, "plan"),
        grace: stage.grace,
        timeout: stage.timeout,
        stop: context.stop.clone(),
    };
    let begun = Instant::now();
    let ended = step::run(context, &command).await;
    let changes = planned::of(&ended.log);
    let mut done = Done::not_run(&stage.id, &stage.name, Status::Passed, Reason::new("", ""));
    done.duration = begun.elapsed();
    done.reason = ended.result.reason("plan");
    (done.exit, done.exit_code) = (ended.result.exit(), ended.result.exit_code());
    if let (Some(reason), Some(earlier)) = (&mut done.reason, would_change) {
        reason.text = format!("cannot be known before `{earlier}` ran: {}", reason.text);
    } else if done.reason.is_none() {
        judge(context, &mut done, changes.as_ref(), no_destroy);
    }
    if done.exit != Exit::Success {
        done.status = Status::Failed;
    }
    context.reporter.progress().remove(&check);
    context.reporter.record(stage::finished(&check, &done));
    let summary = changes.as_ref().map_or_else(|| done.status.name().to_owned(), words);
    context.reporter.event(&stage.name, &summary);
    if done.reason.is_none() {
        done.reason = changes.as_ref().map(|changes| Reason::new("changes", words(changes)));
    }
    done.last = Some(ended);
    (done, changes)
}

/// The stage's plan, or why it does not run.
fn script<'s>(context: &Context<'_>, stage: &'s Stage) -> std::result::Result<&'s str, Reason> {
    match &stage.when {
        Some(when) if !when.holds(|subject| context.loaded.value(subject, context.console)) => {
            Err(Reason::new("condition", format!("`when = {when}` does not hold")))
        }
        _ => stage.plan.as_deref().ok_or_else(|| Reason::new("no_plan", "skipped: no plan")),
    }
}

/// Holds a plan that passed against `--no-destroy`. What cannot be read may delete anything.
fn judge(context: &Context<'_>, done: &mut Done, changes: Option<&Changes>, no_destroy: bool) {
    let (code, text) = match changes.map(|changes| changes.delete + changes.replace) {
        Some(0) => return,
        Some(deletes) => ("destroys", format!("would delete or replace {deletes}")),
        None if no_destroy => {
            ("unreadable", "its plan cannot be read: it is not known what would be deleted".to_owned())
        }
        None => return,
    };
    context.reporter.warn(&format!("{}: {text}", done.name));
    if no_destroy {
        (done.exit, done.reason) = (Exit::Failed, Some(Reason::new(code, text + " (--no-destroy)")));
    }
}

fn words(changes: &Changes) -> String {
    let counts = [
        (changes.create, "create"),
        (changes.update, "update"),
        (changes.replace, "replace"),
        (changes.delete, "delete"),
    ];
    let parts: Vec<String> =
        counts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} to {word}")).collect();
    if parts.is_empty() { "would change nothing".to_owned() } else { format!("would change: {}", parts.join(", ")) }
}
