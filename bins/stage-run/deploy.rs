//! A run: stages in order, up to the first that does not pass; then what has to happen at the end.

use cli::{Console, Exit};
use fault::{Fault, Result};
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
use crate::lonely::{self, Recorded};
use crate::newest::{self, Newest};
use crate::notices::Notices;
use crate::ran::Ran;
use crate::stage::{self, Done};
use crate::step::Command;
use crate::{lock, undo, values};

/// Runs the plan.
///
/// # Errors
/// Nothing ran: the lock is held, the request is refused, or the run cannot be kept.
pub(crate) async fn run(loaded: &Loaded, args: &Args, console: &Console) -> Result<Exit> {
    let stop = Stop::watch(None)?;
    let Some(locks) = lock::all(loaded, args, console, &stop).await? else {
        return Ok(lock::stopped(&stop, args, console));
    };
    let newest = newest::find(loaded)?;
    if let Some(newest) = &newest {
        newest.refuse_survivors()?;
    }
    let (request, until) = request(loaded, args)?;
    let known = loaded.known(matches!(request, Request::Resume { .. }))?;
    let goes_on = newest.as_ref().filter(|newest| continues(&request, newest));
    let before = newest.as_ref().filter(|_| request == Request::New).or(goes_on).map(|newest| &newest.history);
    let todo =
        decide::next(&known, before, &request, until).map_err(|refusal| refusal.fault(newest.as_ref(), loaded))?;
    warn_of_programs(loaded, &todo, console);
    let had_failed = newest.as_ref().is_some_and(|newest| newest.history.failed);
    let (folder, mut journal) = if let Some(newest) = goes_on {
        (newest.folder.clone(), Journal::reopen(&newest.folder.journal(), &newest.folder.name())?.0)
    } else {
        let runs = Runs::new(&loaded.root, &loaded.key);
        runs.make()?;
        runs.create(loaded.plan.keep)?
    };
    let promise = promise(loaded, &request, goes_on, &todo);
    if let Err(fault) = journal.append(vec![started(loaded, &promise)]) {
        if goes_on.is_none() {
            // Nothing began. Without its first record it would hide the run before it.
            let _ = std::fs::remove_dir_all(&folder.path);
        }
        return Err(fault);
    }
    if let Some(newest) = goes_on {
        say_what_passed(newest, loaded, console);
    }
    let records = if args.format == Format::Jsonl { Records::Print } else { Records::Keep };
    let plan = todo.iter().map(|item| format!("deploy/{}", known[item.stage].id));
    let reporter = Reporter::new(console, records, None, &loaded.title(), plan.collect());
    let mut context = Context::new(loaded, &reporter, stop, &folder, Some(journal), locks);
    context.verbose = args.verbose;
    context.values.borrow_mut().extend(values::read(&folder.values())?);
    let notices = Notices::new(loaded, &reporter, had_failed);
    notices.started(&folder.name()).await;
    let ran = conduct(&context, &known, &todo, args).await;
    Ok(finish(&context, ran, &known, args, &notices).await)
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

/// What a run promises.
struct Promise {
    stages: Vec<usize>,
    /// All stages of the plan, also those that it does not have yet.
    whole: bool,
}

/// All stages, unless a new run was asked for some only. A run that goes on also promises what it has promised before.
fn promise(loaded: &Loaded, request: &Request, goes_on: Option<&Newest>, todo: &[Todo]) -> Promise {
    let whole = goes_on.map_or(*request == Request::New, |newest| newest.history.whole);
    let is_promised = |stage: &usize| {
        let before = goes_on.is_some_and(|newest| newest.history.promises(&loaded.plan.stages[*stage].id));
        whole || before || todo.iter().any(|item| item.stage == *stage)
    };
    Promise { stages: (0..loaded.plan.stages.len()).filter(is_promised).collect(), whole }
}

fn started(loaded: &Loaded, promise: &Promise) -> (Event, Map<String, serde_json::Value>) {
    let plan = promise.stages.iter().map(|stage| format!("deploy/{}", loaded.plan.stages[*stage].id)).collect();
    let event = Event::RunStarted { tool: Some("stage-run".to_owned()), title: Some(loaded.title()), plan };
    let mut facts = Map::new();
    facts.insert("target".to_owned(), hash(&[loaded.target_words()]).into());
    facts.insert(history::WHOLE.to_owned(), promise.whole.into());
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
const BUILTINS: [&str; 63] = [
    ":",
    ".",
    "alias",
    "bg",
    "bind",
    "break",
    "builtin",
    "caller",
    "case",
    "cd",
    "command",
    "compgen",
    "continue",
    "coproc",
    "declare",
    "dirs",
    "disown",
    "echo",
    "enable",
    "eval",
    "exec",
    "exit",
    "export",
    "false",
    "fg",
    "for",
    "function",
    "getopts",
    "hash",
    "help",
    "if",
    "jobs",
    "kill",
    "let",
    "local",
    "mapfile",
    "popd",
    "printf",
    "pushd",
    "pwd",
    "read",
    "readarray",
    "readonly",
    "return",
    "select",
    "set",
    "shift",
    "shopt",
    "source",
    "test",
    "time",
    "times",
    "trap",
    "true",
    "type",
    "typeset",
    "ulimit",
    "umask",
    "unalias",
    "unset",
    "until",
    "wait",
    "while",
];

/// Runs the stages, then the undos, then what always runs.
async fn conduct(context: &Context<'_>, known: &[Known], todo: &[Todo], args: &Args) -> Ran {
    let mut ran = Ran { stages: Vec::new(), others: Vec::new(), pending: Vec::new(), broken: None };
    stages(context, known, todo, &mut ran).await;
    let failed = ran.stages.iter().any(|done| done.status == Status::Failed);
    if failed
        && args.undo_on_failure
        && context.stop.reason().is_none()
        && may_undo(context, &ran)
        && let Err(fault) = undo::after_failure(context, known, &mut ran.others).await
    {
        ran.broken.get_or_insert(fault);
    }
    for always in &context.loaded.plan.always {
        let check = format!("always/{}", always.id);
        let own = always.env.iter().map(|(name, value)| (name.clone(), value.clone()));
        let command = Command {
            check: &check,
            name: &always.name,
            step: history::RUN,
            attempt: 1,
            script: &always.run,
            dir: context.loaded.dir(always.dir.as_deref()),
            env: context.env(own, Some(&always.name)),
            log: context.folder.log(&always.id, "always"),
            grace: HOOK_GRACE,
            timeout: Some(always.timeout),
            stop: context.stop_at_the_end(),
        };
        ran.others.push(lonely::run(context, &command, Recorded::IfPossible).await);
    }
    // What always runs may have made room.
    if let Err(fault) = context.journal(Vec::new()) {
        ran.broken
            .get_or_insert(fault.help(format!("make room on the disk, then: {} --status", context.loaded.command)));
    }
    ran
}

/// Whether the undos may run: not beside a process of the stage.
fn may_undo(context: &Context<'_>, ran: &Ran) -> bool {
    let alive = ran.stages.iter().filter_map(|done| done.last.as_ref()).find(|last| !last.alive.is_empty());
    if let Some(last) = alive {
        let names = last.alive.join(", ");
        context.reporter.warn(&format!("nothing was undone: processes of the stage that failed still run: {names}"));
    }
    alive.is_none()
}

/// How long hooks of the run and `always` stages may clean up after an interrupt.
const HOOK_GRACE: std::time::Duration = std::time::Duration::from_secs(30);

/// Runs the stages up to the first that does not pass.
async fn stages(context: &Context<'_>, known: &[Known], todo: &[Todo], ran: &mut Ran) {
    let plan = &context.loaded.plan;
    let hook = match &plan.before {
        Some(script) => Some(lonely::run(context, &hook(context, "before", script), Recorded::First).await),
        None => None,
    };
    let failed = hook.as_ref().filter(|done| done.status != Status::Passed);
    let mut stopped = failed.map(|_| "the run's `before` did not pass".to_owned());
    ran.others.extend(hook);
    for item in todo {
        let stage = &plan.stages[item.stage];
        let reason = context.stop.reason().map(|reason| Reason::new("interrupted", format!("not started: {reason}")));
        let failed = || stopped.as_ref().map(|why| Reason::new("needs_failed", format!("not started: {why}")));
        if let Some(reason) = reason.or_else(failed) {
            let done = Done::not_run(&stage.id, &stage.name, Status::Skipped, reason);
            context.reporter.record(stage::finished(&format!("deploy/{}", stage.id), &done));
            ran.stages.push(done);
            continue;
        }
        let done = stage::run(context, stage, &known[item.stage], item.begin).await;
        if done.status == Status::Failed {
            stopped = Some(format!("`{}` did not pass", stage.name));
        }
        if let Some(disk) = &done.disk {
            let what = format!("the journal or the log of stage `{}` cannot be written", stage.name);
            stopped.get_or_insert_with(|| what.clone());
            let help = format!("make room on the disk, then: {} --resume", context.loaded.command);
            ran.broken = Some(Fault::temporary(what).cause(disk.clone()).help(help));
        }
        ran.stages.push(done);
    }
    ran.pending = plan
        .stages
        .iter()
        .filter(|stage| !todo.iter().any(|item| plan.stages[item.stage].id == stage.id))
        .filter(|stage| !history(context, &stage.id))
        .map(|stage| stage.name.clone())
        .collect();
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
        env: context.env([], None),
        log: context.folder.hook_log(name),
        grace: HOOK_GRACE,
        timeout: None,
        stop: if name == "before" { context.stop.clone() } else { context.stop_at_the_end() },
    }
}

/// Ends the run: its hook, its record, its messages, its result.
async fn finish(context: &Context<'_>, mut ran: Ran, known: &[Known], args: &Args, notices: &Notices<'_>) -> Exit {
    let exit = exit(context, &ran);
    if let Some(script) = &context.loaded.plan.after {
        let mut command = hook(context, "after", script);
        let status = if exit == Exit::Success { Status::Passed } else { Status::Failed };
        command.env.extend(stage::result(status, None, context.reporter.elapsed()));
        let done = lonely::run(context, &command, Recorded::IfPossible).await;
        if let Some(reason) = done.reason.as_ref().filter(|_| done.status != Status::Passed) {
            // It fails nothing: the run is over.
            context.reporter.warn(&format!("the run's {}", reason.text));
        }
    }
    let failed = ran.stages.iter().chain(&ran.others).any(|done| done.status == Status::Failed);
    let verdict = match exit {
        Exit::Success => Verdict::Passed,
        Exit::Incomplete => Verdict::Incomplete,
        // The disk was full between two stages.
        Exit::Temporary if !failed => Verdict::Incomplete,
        _ => Verdict::Failed,
    };
    let finished = Event::RunFinished { result: verdict, duration_seconds: None };
    if !context.happened(vec![(finished, Map::new())]) {
        context.reporter.warn("the end of what ran is not in the journal: a later call takes it for half done");
    }
    let next = next_line(context.loaded, &ran, known);
    notices.ended(context, &ran, exit, next.as_deref()).await;
    let broken = ran.broken.take();
    emit::result(&Shown { context, ran: &ran, exit, next, broken: broken.as_ref() }, args);
    exit
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
fn next_line(loaded: &Loaded, ran: &Ran, known: &[Known]) -> Option<String> {
    let command = &loaded.command;
    let unclean = |done: &&Done| done.id.starts_with("undo/") && done.status == Status::Failed;
    if ran.others.iter().any(|done| unclean(&done)) {
        return Some(format!("{command} --undo --yes"));
    }
    let half = ran.stages.iter().find(|done| {
        let code = done.reason.as_ref().map(|reason| reason.code.as_str());
        let again = known.iter().find(|stage| stage.id == done.id).is_some_and(|stage| stage.again);
        code == Some(history::HALF_DONE) && !again
    });
    if let Some(half) = half {
        return Some(format!("{command} --from {}", half.id));
    }
    let left = ran.stages.iter().any(|done| done.status == Status::Failed || is_left(done)) || !ran.pending.is_empty();
    (left || ran.broken.is_some()).then(|| format!("{command} --resume"))
}

fn is_left(done: &Done) -> bool {
    let code = done.reason.as_ref().map(|reason| reason.code.as_str());
    done.status == Status::Skipped && matches!(code, Some("needs_failed" | "interrupted" | "not_recorded"))
}
