//! Undoing, the last stage first: only what the plan says how to undo, and only what began.

use cli::{Console, Exit};
use fault::{Fault, Result};
use journal::Journal;
use report::{Event, Reason, Status, Verdict};
use run::{Records, Reporter, Stop};
use serde_json::{Map, json};

use crate::args::{Args, Care, Format};
use crate::context::Context;
use crate::decide::{self, Known, Undo};
use crate::emit::{self, Result as Shown};
use crate::history::{self, RunHistory, Standing};
use crate::loaded::Loaded;
use crate::lock;
use crate::lonely::{self, Recorded};
use crate::newest::{self, Newest};
use crate::notices::Notices;
use crate::ran::Ran;
use crate::stage::Done;
use crate::step::Command;
use crate::values;

/// `--undo`: shows what would be undone, or with `--yes` undoes it.
///
/// # Errors
/// There is no run, it is refused, or the lock is held.
pub(crate) async fn asked_for(loaded: &Loaded, args: &Args, console: &Console) -> Result<Exit> {
    let stop = Stop::watch(None)?;
    let Some(locks) = lock::all(loaded, args, console, &stop).await? else {
        return Ok(lock::stopped(&stop, args, console));
    };
    let newest = newest::find(loaded)?.ok_or_else(|| Fault::usage("there is no run to undo"))?;
    newest.refuse_survivors()?;
    let known = loaded.known(false)?;
    let anyway = args.undo == Some(Care::Anyway);
    let undos =
        decide::undo(&known, &newest.history, false, anyway).map_err(|refusal| refusal.fault(Some(&newest), loaded))?;
    if !args.yes {
        console.print(shown(loaded, &newest, &undos))?;
        return Err(Fault::usage("nothing was undone").help("add --yes to undo these stages"));
    }
    if !undos.iter().any(|one| matches!(one, Undo::Run(_))) {
        return nothing(loaded, &newest, &undos, args, console);
    }
    let mut journal = Journal::reopen(&newest.folder.journal(), &newest.folder.name())?.0;
    // Without new promises: the run is open again until its end is recorded.
    let event = Event::RunStarted { tool: Some("stage-run".to_owned()), title: Some(loaded.title()), plan: Vec::new() };
    journal.append(vec![(event, Map::new())])?;
    let records = if args.format == Format::Jsonl { Records::Print } else { Records::Keep };
    let plan = undos.iter().filter_map(|one| match one {
        Undo::Run(stage) => Some(format!("undo/{}", known[*stage].id)),
        Undo::Nothing(_) | Undo::Destroys(_) => None,
    });
    let reporter = Reporter::new(console, records, None, &format!("{}: undo", loaded.title()), plan.collect());
    let mut context = Context::new(loaded, &reporter, stop, &newest.folder, Some(journal), locks);
    context.verbose = args.verbose;
    context.values.borrow_mut().extend(values::read(&newest.folder.values())?);
    let mut ran = Ran { stages: Vec::new(), others: Vec::new(), pending: Vec::new(), broken: None };
    carry_out(&context, &undos, &mut ran.others).await;
    ran.broken = context.journal(Vec::new()).err();
    let exit = context.stop.reason().map_or_else(
        || {
            Exit::worst(
                ran.others.iter().map(|done| done.exit).chain(ran.broken.iter().map(|fault| Exit::from(fault.kind))),
            )
        },
        run::StopReason::exit,
    );
    // What was undone has not passed, whatever it was before.
    context.happened(vec![(Event::RunFinished { result: Verdict::Failed, duration_seconds: None }, Map::new())]);
    let next = (exit != Exit::Success).then(|| format!("{} --undo --yes", loaded.command));
    // A run that was undone has neither passed nor failed.
    if exit != Exit::Success {
        Notices::new(loaded, &reporter, false).ended(&context, &ran, exit, next.as_deref()).await;
    }
    let broken = ran.broken.take();
    emit::result(&Shown { context: &context, ran: &ran, exit, next, broken: broken.as_ref() }, args);
    Ok(exit)
}

/// Reports that nothing is left to undo, or that the plan has no undo for what is. The run stays what it is.
fn nothing(loaded: &Loaded, newest: &Newest, undos: &[Undo], args: &Args, console: &Console) -> Result<Exit> {
    let undone = loaded.plan.stages.iter().any(|stage| newest.history.stage(&stage.id).standing == Standing::Undone);
    let name = newest.folder.name();
    let (exit, text) = if undos.is_empty() || undone {
        (Exit::Success, format!("nothing is left to undo of run {name}"))
    } else {
        (Exit::Incomplete, format!("nothing was undone: no stage that ran in run {name} has an `undo`"))
    };
    match args.format {
        Format::Text => console.print(format!("{text}\n"))?,
        Format::Json => {
            let document = json!({
                "schema_version": 1, "tool": console.tool(), "run": name, "title": loaded.title(),
                "exit_code": exit.code(), "stages": [], "others": [], "pending": [], "next": null, "error": null,
            });
            console.print(format!("{document}\n"))?;
        }
        Format::Jsonl => console.status(&text),
    }
    Ok(exit)
}

/// Undoes what may be undone without being asked for.
///
/// # Errors
/// The journal cannot be written.
pub(crate) async fn after_failure(context: &Context<'_>, known: &[Known], others: &mut Vec<Done>) -> Result<()> {
    let history = RunHistory::of(&journal::history(&context.folder.journal())?);
    match decide::undo(known, &history, true, false) {
        Ok(undos) => carry_out(context, &undos, others).await,
        Err(refusal) => {
            let fault = refusal.fault(None, context.loaded);
            context.reporter.warn(&format!("nothing was undone: {}", fault.message));
        }
    }
    Ok(())
}

/// Runs the undos; one that fails does not stop the others.
async fn carry_out(context: &Context<'_>, undos: &[Undo], others: &mut Vec<Done>) {
    for one in undos {
        let (Undo::Run(number) | Undo::Nothing(number) | Undo::Destroys(number)) = one;
        let stage = &context.loaded.plan.stages[*number];
        let check = format!("undo/{}", stage.id);
        let left =
            |code: &str, text: String| Done::not_run(&check, &stage.name, Status::Skipped, Reason::new(code, text));
        let done = match (one, &stage.undo) {
            (Undo::Destroys(_), _) => {
                left("destroys", "left as it is: its undo destroys, and runs only by --undo --yes".to_owned())
            }
            (Undo::Run(_), Some(script)) if context.stop.reason().is_none() => {
                let command = Command {
                    check: &check,
                    name: &stage.name,
                    step: history::UNDO,
                    attempt: 1,
                    script,
                    dir: context.loaded.dir(stage.dir.as_deref()),
                    env: env(context, stage),
                    log: context.folder.log(&stage.id, history::UNDO),
                    grace: stage.grace,
                    timeout: stage.timeout,
                    stop: context.stop.clone(),
                };
                context.reporter.progress().begin_timed(&check);
                let done = lonely::run(context, &command, Recorded::First).await;
                context.reporter.progress().remove(&check);
                let why = done.reason.as_ref().map(|reason| format!(": {}", reason.text)).unwrap_or_default();
                let word = if done.status == Status::Passed { "undone" } else { "not clean" };
                context.reporter.event(&stage.name, &format!("{word}{why} ({})", cli::shown(done.duration)));
                done
            }
            (Undo::Run(_), _) => left("interrupted", "not undone: the run was interrupted".to_owned()),
            (Undo::Nothing(_), _) => left("no_undo", "left as it is: it has no `undo`".to_owned()),
        };
        others.push(done);
    }
}

fn env(context: &Context<'_>, stage: &plan::stages::Stage) -> Vec<(String, String)> {
    let own = stage.env.iter().map(|(name, value)| (name.clone(), value.clone()));
    context.env(own, Some(&stage.name))
}

/// What `--undo` would do, for a person to read before `--yes`.
fn shown(loaded: &Loaded, newest: &Newest, undos: &[Undo]) -> String {
    let began = newest.records.records.first().and_then(|record| record.at);
    let age = began.map(|began| {
        let seconds = jiff::Timestamp::now().duration_since(began).as_secs();
        format!(", begun {} ago", cli::shown(std::time::Duration::from_secs(seconds.unsigned_abs())))
    });
    let target = if loaded.target.is_empty() { String::new() } else { format!(" ({})", loaded.target_words()) };
    let mut text = format!("undo run {}{target}{}:\n", newest.folder.name(), age.unwrap_or_default());
    if undos.is_empty() {
        text += "  nothing: no stage of it began, or all are undone\n";
    }
    for one in undos {
        let (Undo::Run(number) | Undo::Nothing(number) | Undo::Destroys(number)) = one;
        let stage = &loaded.plan.stages[*number];
        let destroys = if stage.destroys { "  (destroys)" } else { "" };
        let line = match &stage.undo {
            Some(undo) => format!("  {}: {}{destroys}\n", stage.name, crate::show::first_line(undo)),
            None => format!("  {}: has no `undo`, and is left as it is\n", stage.name),
        };
        text += &line;
    }
    text
}
