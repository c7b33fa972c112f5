//! A run: stages in order, up to the first that does not pass; then what has to happen at the end.

use cli::{Console, Exit};
use fault::Result;
use journal::Journal;
use report::{Event, Reason, Status, Verdict};
use run::{Records, Reporter, Stop};
use serde_json::Map;

use crate::args::{Args, Care, Format};
use crate::context::Context;
use crate::decide::{self, Known, Request, Todo};
use crate::emit::{self, Result as Shown};
use crate::folder::Runs;
use crate::hash::hash;
use crate::history::{self, RunHistory, Standing};
use crate::loaded::Loaded;
use crate::newest::{self, Newest};
use crate::notices::Notices;
use crate::ran::Ran;
use crate::stage::{self, Done};
use crate::step::Command;
use crate::{lock, lonely, undo, values};

/// Runs the plan.
///
/// # Errors
/// Nothing ran: the lock is held, the request is refused, or the run cannot be kept.
pub(crate) async fn run(loaded: &Loaded, args: &Args, console: &Console) -> Result<Exit> {
    let stop = Stop::watch(None)?;
    let _locks = lock::all(loaded, args, console).await?;
    let newest = newest::find(loaded, args)?;
    if let Some(newest) = &newest {
        newest.refuse_survivors()?;
    }
    let known = loaded.known()?;
    let (request, until) = request(loaded, args)?;
    let goes_on = newest.as_ref().filter(|newest| continues(&request, newest));
    let before = newest.as_ref().filter(|_| request == Request::New).or(goes_on).map(|newest| &newest.history);
    let todo = decide::next(&known, before, &request, until).map_err(|refusal| refusal.fault(newest.as_ref()))?;
    warn_of_programs(loaded, &todo, console);
    let had_failed = newest.as_ref().is_some_and(|newest| newest.history.result != Some(Verdict::Passed));
    let (folder, mut journal) = if let Some(newest) = goes_on {
        (newest.folder.clone(), Journal::reopen(&newest.folder.journal(), &newest.folder.name())?.0)
    } else {
        let runs = Runs::new(&loaded.root(args), &loaded.key);
        runs.make()?;
        runs.create(loaded.plan.keep)?
    };
    let promised = promised(loaded, &request, goes_on.is_some(), &todo);
    journal.append(vec![started(loaded, &promised)])?;
    if let Some(newest) = goes_on {
        say_what_passed(newest, loaded, console);
    }
    let records = if args.format == Format::Jsonl { Records::Print } else { Records::Keep };
    let plan = todo.iter().map(|item| format!("deploy/{}", known[item.stage].id));
    let reporter = Reporter::new(console, records, None, &loaded.title(), plan.collect());
    let mut context = Context::new(loaded, &reporter, stop, &folder, Some(journal));
    context.verbose = args.verbose;
    context.values.borrow_mut().extend(values::read(&folder.values())?);
    let notices = Notices::new(loaded, &reporter, had_failed);
    notices.started(&folder.name()).await;
    let ran = conduct(&context, &known, &todo, args).await;
    finish(&context, ran, &known, args, &notices).await
}

fn request(loaded: &Loaded, args: &Args) -> Result<(Request, Option<usize>)> {
    let plan = &loaded.plan;
    let until = args.until.as_ref().map(|name| Args::stage(plan, name)).transpose()?;
    let request = if let Some(from) = &args.from {
        Request::From(Args::stage(plan, from)?)
    } else if !args.stages.is_empty() {
        let mut stages = args.stages.iter().map(|name| Args::stage(plan, name)).collect::<Result<Vec<_>>>()?;
        stages.sort_unstable();
        stages.dedup();
        Request::Only(stages)
    } else if let Some(care) = args.resume {
        Request::Resume { anyway: care == Care::Anyway }
    } else {
        Request::New
    };
    Ok((request, until))
}

/// Whether the request is about the newest run: named stages go on with one that has not passed.
fn continues(request: &Request, newest: &Newest) -> bool {
    match request {
        Request::New => false,
        Request::Resume { .. } => true,
        Request::From(_) | Request::Only(_) => newest.history.result != Some(Verdict::Passed),
    }
}

/// The stages that the run promises: all, unless a new run was asked for some only.
fn promised(loaded: &Loaded, request: &Request, goes_on: bool, todo: &[Todo]) -> Vec<usize> {
    match request {
        Request::From(_) | Request::Only(_) if !goes_on => todo.iter().map(|item| item.stage).collect(),
        _ => (0..loaded.plan.stages.len()).collect(),
    }
}

fn started(loaded: &Loaded, promised: &[usize]) -> (Event, Map<String, serde_json::Value>) {
    let plan = promised.iter().map(|stage| format!("deploy/{}", loaded.plan.stages[*stage].id)).collect();
    let event = Event::RunStarted { tool: Some("stage-run".to_owned()), title: Some(loaded.title()), plan };
    let mut facts = Map::new();
    facts.insert("target".to_owned(), hash(&[loaded.target_words()]).into());
    facts.extend(loaded.commit.as_ref().map(|commit| ("commit".to_owned(), commit.as_str().into())));
    (event, journal::with_facts(Map::new(), facts))
}

/// Says which stages passed at another commit.
fn say_what_passed(newest: &Newest, loaded: &Loaded, console: &Console) {
    for stage in &loaded.plan.stages {
        let was = newest.history.stage(&stage.id);
        let at = was.fact("commit").map(|commit| commit.chars().take(12).collect::<String>());
        let other = was.fact("commit") != loaded.commit.as_deref();
        if was.standing == Standing::Passed
            && let Some(at) = at.filter(|_| other)
        {
            console.status(&format!("{}: passed at commit {at}, which is not the one that is checked out", stage.name));
        }
    }
}

/// Warns of a command whose first word is no program: it will fail with 127.
fn warn_of_programs(loaded: &Loaded, todo: &[Todo], console: &Console) {
    let path = console.environment().get("PATH").unwrap_or("/usr/bin:/bin");
    for item in todo {
        let stage = &loaded.plan.stages[item.stage];
        let word = stage.run.split_whitespace().next().unwrap_or_default();
        let is_plain = word.chars().all(|letter| letter.is_alphanumeric() || "-_.+".contains(letter));
        let is_there = std::env::split_paths(path).any(|folder| folder.join(word).is_file());
        // Builtins and keywords are no files.
        if is_plain && !is_there && !BUILTINS.contains(&word) {
            console.warn(&format!("stage `{}` begins with `{word}`, and there is no such program", stage.name));
        }
    }
}

/// Words of the shell that are no programs.
const BUILTINS: [&str; 34] = [
    ":", ".", "alias", "break", "case", "cd", "command", "continue", "declare", "echo", "eval", "exec", "exit",
    "export", "false", "for", "function", "if", "local", "mapfile", "printf", "pushd", "read", "readonly", "set",
    "shopt", "source", "test", "trap", "true", "type", "unset", "until", "while",
];

/// Runs the stages, then the undos, then what always runs.
async fn conduct(context: &Context<'_>, known: &[Known], todo: &[Todo], args: &Args) -> Ran {
    let mut ran = Ran { stages: Vec::new(), others: Vec::new(), pending: Vec::new(), broken: None };
    if let Err(fault) = stages(context, known, todo, &mut ran).await {
        ran.broken = Some(fault);
    }
    let failed = ran.stages.iter().any(|done| done.status == Status::Failed);
    if failed
        && args.undo_on_failure
        && context.stop.reason().is_none()
        && let Err(fault) = undo::after_failure(context, known, &mut ran.others).await
    {
        ran.broken.get_or_insert(fault);
    }
    for always in &context.loaded.plan.always {
        let check = format!("always/{}", always.id);
        let command = Command {
            check: &check,
            name: &always.name,
            step: history::RUN,
            attempt: 1,
            script: &always.run,
            dir: context.loaded.dir(always.dir.as_deref()),
            env: always.env.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
            log: context.folder.log(&always.id, "always"),
            grace: HOOK_GRACE,
            timeout: Some(always.timeout),
            stop: context.stop_at_the_end(),
        };
        ran.others.push(lonely::run(context, &command).await);
    }
    ran
}

/// How long hooks of the run and `always` stages may clean up after an interrupt.
const HOOK_GRACE: std::time::Duration = std::time::Duration::from_secs(30);

/// Runs the stages up to the first that does not pass.
async fn stages(context: &Context<'_>, known: &[Known], todo: &[Todo], ran: &mut Ran) -> Result<()> {
    let plan = &context.loaded.plan;
    let hook = match &plan.before {
        Some(script) => Some(lonely::run(context, &hook(context, "before", script)).await),
        None => None,
    };
    let mut failed =
        hook.as_ref().filter(|done| done.status != Status::Passed).map(|_| "the run's `before`".to_owned());
    ran.others.extend(hook);
    let mut broken = None;
    for item in todo {
        let stage = &plan.stages[item.stage];
        if let Some(why) = failed.clone().or_else(|| context.stop.reason().map(|_| "the run".to_owned())) {
            let (code, text) = match context.stop.reason() {
                Some(reason) => ("interrupted", format!("not started: {reason}")),
                None => ("needs_failed", format!("not started: `{why}` did not pass")),
            };
            let done = Done::not_run(&stage.id, &stage.name, Status::Skipped, Reason::new(code, text));
            context.reporter.record(stage::finished(&format!("deploy/{}", stage.id), &done));
            ran.stages.push(done);
            continue;
        }
        let done = stage::run(context, stage, &known[item.stage], item.begin).await?;
        if done.status == Status::Failed {
            failed = Some(stage.name.clone());
        }
        if let Some(disk) = &done.disk {
            let message = format!("the log of stage `{}` cannot be written", stage.name);
            broken = Some(
                fault::Fault::temporary(message)
                    .cause(disk.clone())
                    .help("make room on the disk, then: stage-run --resume"),
            );
            failed.get_or_insert_with(|| stage.name.clone());
        }
        ran.stages.push(done);
    }
    let standing = |id: &str| history(context, id);
    ran.pending = plan
        .stages
        .iter()
        .filter(|stage| !todo.iter().any(|item| plan.stages[item.stage].id == stage.id))
        .filter(|stage| !standing(&stage.id))
        .map(|stage| stage.name.clone())
        .collect();
    broken.map_or(Ok(()), Err)
}

/// Whether a stage that this call did not run has passed, was skipped, or is not promised.
fn history(context: &Context<'_>, id: &str) -> bool {
    let Ok(records) = journal::history(&context.folder.journal()) else { return false };
    let run = RunHistory::of(&records);
    !run.promises(id) || matches!(run.stage(id).standing, Standing::Passed | Standing::Skipped)
}

fn hook<'c>(context: &'c Context<'_>, name: &'static str, script: &'c str) -> Command<'c> {
    Command {
        check: if name == "before" { "hooks/before" } else { "hooks/after" },
        name,
        step: name,
        attempt: 1,
        script,
        dir: context.loaded.folder.clone(),
        env: vec![("STAGE_RUN_RUN".to_owned(), context.folder.name())],
        log: context.folder.log("run", name),
        grace: HOOK_GRACE,
        timeout: None,
        stop: if name == "before" { context.stop.clone() } else { context.stop_at_the_end() },
    }
}

/// Ends the run: its hook, its record, its messages, its result.
async fn finish(
    context: &Context<'_>,
    mut ran: Ran,
    known: &[Known],
    args: &Args,
    notices: &Notices<'_>,
) -> Result<Exit> {
    let exit = exit(context, &ran);
    if let Some(script) = &context.loaded.plan.after {
        let mut command = hook(context, "after", script);
        let status = if exit == Exit::Success { Status::Passed } else { Status::Failed };
        command.env.extend(stage::result(status, None, context.reporter.elapsed()));
        let done = lonely::run(context, &command).await;
        if let Some(reason) = done.reason.as_ref().filter(|_| done.status != Status::Passed) {
            // It fails nothing: the run is over.
            context.reporter.warn(&format!("the run's {}", reason.text));
        }
    }
    let verdict = match exit {
        Exit::Success => Verdict::Passed,
        Exit::Incomplete => Verdict::Incomplete,
        _ => Verdict::Failed,
    };
    // A journal that cannot be written has been reported.
    let _ = context.journal(vec![(Event::RunFinished { result: verdict, duration_seconds: None }, Map::new())]);
    let next = next_line(&ran, known, args);
    notices.ended(context, &ran, exit, next.as_deref()).await;
    let broken = ran.broken.take();
    emit::result(&Shown { context, ran: &ran, exit, next, broken: broken.as_ref() }, args);
    Ok(exit)
}

/// What the process ends with: an interrupt, else the worst of all.
fn exit(context: &Context<'_>, ran: &Ran) -> Exit {
    if let Some(reason) = context.stop.reason() {
        return reason.exit();
    }
    let hooks = ran.others.iter().filter(|done| done.id != "hooks/after" && !done.id.starts_with("undo/"));
    let ended = ran.stages.iter().chain(hooks).map(|done| done.exit);
    let broken = ran.broken.iter().map(|fault| Exit::from(fault.kind));
    let skipped = !ran.stages.is_empty() && ran.stages.iter().all(|done| done.status == Status::Skipped);
    let nothing = skipped && ran.broken.is_none();
    let pending = (nothing || !ran.pending.is_empty()).then_some(Exit::Incomplete);
    Exit::worst(ended.chain(broken).chain(pending))
}

/// The line that goes on, if something is left to do.
fn next_line(ran: &Ran, known: &[Known], args: &Args) -> Option<String> {
    let plan =
        if args.plan.as_os_str() == "stages.toml" { String::new() } else { format!(" --plan {}", args.plan.display()) };
    let half = ran.stages.iter().find(|done| {
        let code = done.reason.as_ref().map(|reason| reason.code.as_str());
        let again = known.iter().find(|stage| stage.id == done.id).is_some_and(|stage| stage.again);
        code == Some(history::HALF_DONE) && !again
    });
    if let Some(half) = half {
        return Some(format!("stage-run{plan} --from {}", half.id));
    }
    let left = ran.stages.iter().any(|done| done.status == Status::Failed || is_left(done)) || !ran.pending.is_empty();
    (left || ran.broken.is_some()).then(|| format!("stage-run{plan} --resume"))
}

fn is_left(done: &Done) -> bool {
    let code = done.reason.as_ref().map(|reason| reason.code.as_str());
    done.status == Status::Skipped && matches!(code, Some("needs_failed" | "interrupted"))
}
