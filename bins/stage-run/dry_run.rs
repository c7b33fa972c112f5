//! `--dry-run`: runs nothing but each stage's `plan`, all of them, and shows what would change.

use std::time::Instant;

use cli::{Console, Exit};
use fault::{Fault, Result};
use formats::{EvidenceOnly, Prose};
use report::{Changes, Event, Reason, Status};
use run::{Records, Reporter, Stop};

use crate::args::{Args, Format};
use crate::context::Context;
use crate::emit::{self, Result as Shown};
use crate::folder::RunFolder;
use crate::loaded::Loaded;
use crate::lock;
use crate::ran::Ran;
use crate::stage::{self, Done};
use crate::step::{self, Command};

/// Runs the plans.
///
/// # Errors
/// The lock is held, or the system refuses a supervisor.
pub(crate) async fn run(loaded: &Loaded, args: &Args, console: &Console) -> Result<Exit> {
    let stop = Stop::watch(None)?;
    let _locks = lock::all(loaded, args, console).await?;
    // Nothing of a dry run is kept.
    let scratch = tempfile::tempdir()
        .map_err(|error| Fault::temporary("cannot make a temporary folder").cause(error.to_string()))?;
    let folder = RunFolder { path: scratch.path().to_owned() };
    let chosen = chosen(loaded, args)?;
    let records = if args.format == Format::Jsonl { Records::Print } else { Records::Keep };
    let plan = chosen.iter().map(|stage| format!("deploy/{}", loaded.plan.stages[*stage].id)).collect();
    let reporter = Reporter::new(console, records, None, &format!("{}: dry run", loaded.title()), plan);
    let mut context = Context::new(loaded, &reporter, stop, &folder, None);
    context.verbose = args.verbose;
    let mut ran = Ran { stages: Vec::new(), others: Vec::new(), pending: Vec::new(), broken: None };
    let mut would_change = None;
    for number in chosen {
        if context.stop.reason().is_some() {
            break;
        }
        let (done, changes) = plan_of(&context, number, would_change.as_deref(), args.no_destroy).await?;
        if changes.is_some_and(|changes| changes.create + changes.update + changes.replace + changes.delete > 0) {
            would_change.get_or_insert_with(|| done.name.clone());
        }
        ran.stages.push(done);
    }
    let exit = context
        .stop
        .reason()
        .map_or_else(|| Exit::worst(ran.stages.iter().map(|done| done.exit)), run::StopReason::exit);
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
) -> Result<(Done, Option<Changes>)> {
    let stage = &context.loaded.plan.stages[number];
    let check = format!("deploy/{}", stage.id);
    let Some(script) = &stage.plan else {
        let done = Done::not_run(&stage.id, &stage.name, Status::Skipped, Reason::new("no_plan", "skipped: no plan"));
        context.reporter.record(stage::finished(&check, &done));
        return Ok((done, None));
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
    let ended = step::rehearse(context, &command).await?;
    let changes = changes(&ended.log);
    let mut done = Done::not_run(&stage.id, &stage.name, Status::Passed, Reason::new("", ""));
    done.duration = begun.elapsed();
    done.reason = ended.result.reason("plan");
    (done.exit, done.exit_code) = (ended.result.exit(), ended.result.exit_code());
    let deletes = changes.as_ref().map_or(0, |changes| changes.delete + changes.replace);
    if let (Some(reason), Some(earlier)) = (&mut done.reason, would_change) {
        reason.text = format!("cannot be known before `{earlier}` ran: {}", reason.text);
    } else if done.reason.is_none() && deletes > 0 {
        let text = format!("would delete or replace {deletes}");
        context.reporter.warn(&format!("{}: {text}", stage.name));
        if no_destroy {
            (done.exit, done.reason) = (Exit::Failed, Some(Reason::new("destroys", text + " (--no-destroy)")));
        }
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
    Ok((done, changes))
}

/// What a plan in the log would change, if it is one that is known.
fn changes(log: &std::path::Path) -> Option<Changes> {
    let mut file = std::fs::File::open(log).ok()?;
    let reading = formats::read(&mut file, Prose::Noise, &mut EvidenceOnly).ok()?;
    reading.documents.into_iter().find_map(|document| document.tally.finish().0.changes)
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
