//! One stage: its condition, hooks, command, retries, `ready`, and the values that it hands on.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use cli::Exit;
use fault::{Fault, Result};
use journal::{Step, StepEnd, step_finished, step_started, with_facts};
use plan::stages::Stage;
use report::{Event, Reason, Status};
use serde_json::{Map, Value};

use crate::context::Context;
use crate::decide::{Begin, Known};
use crate::folder::private_file;
use crate::history::{BEFORE, READY, RUN};
use crate::step::{self, Command, Ended, StepResult};
use crate::{findings, inputs, values};

/// The pause before the first repetition; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(5);

/// How a stage ended.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) status: Status,
    pub(crate) reason: Option<Reason>,
    pub(crate) exit: Exit,
    pub(crate) exit_code: Option<i64>,
    pub(crate) duration: Duration,
    /// The command that decided, with its last lines and its log.
    pub(crate) last: Option<Ended>,
    /// Why the run must not go on: the disk is full.
    pub(crate) disk: Option<String>,
}

impl Done {
    /// A stage that does not run.
    pub(crate) fn not_run(id: &str, name: &str, status: Status, reason: Reason) -> Self {
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            status,
            reason: Some(reason),
            exit: Exit::Success,
            exit_code: None,
            duration: Duration::ZERO,
            last: None,
            disk: None,
        }
    }
}

/// Runs a stage to its end. It does not begin if the journal cannot be written.
pub(crate) async fn run(context: &Context<'_>, stage: &Stage, known: &Known, begin: Begin) -> Done {
    let check = format!("deploy/{}", stage.id);
    if let Some(done) = left_out(context, stage, &check) {
        return done;
    }
    if let Err(fault) = context.journal(beginning(context, &check, known, begin)) {
        return not_recorded(context, stage, &check, &fault);
    }
    context.reporter.record(Event::CheckStarted { check: check.clone(), name: Some(stage.name.clone()) });
    context.reporter.progress().begin_timed(&check);
    let clock = Instant::now();
    let part = Part { context, stage, check: &check };
    let (name, ended) = part.commands(begin).await;
    let mut done = Done {
        id: stage.id.clone(),
        name: stage.name.clone(),
        status: if ended.result == StepResult::Passed { Status::Passed } else { Status::Failed },
        reason: ended.result.reason(name),
        exit: ended.result.exit(),
        exit_code: ended.result.exit_code(),
        duration: clock.elapsed(),
        disk: ended.log_error.clone(),
        last: Some(ended),
    };
    if done.status == Status::Passed
        && let Err(fault) = part.take_values()
    {
        let text = std::iter::once(&fault.message).chain(&fault.causes).cloned().collect::<Vec<_>>().join(": ");
        let is_disk = fault.kind == fault::Kind::Temporary;
        done.disk = done.disk.or_else(|| is_disk.then(|| text.clone()));
        done.exit = if is_disk { Exit::Temporary } else { Exit::Failed };
        (done.status, done.reason) = (Status::Failed, Some(Reason::new("values", text)));
    }
    part.after(&done).await;
    context.reporter.progress().remove(&check);
    part.end(&done);
    done
}

/// The stage as not begun, for want of a journal.
fn not_recorded(context: &Context<'_>, stage: &Stage, check: &str, fault: &Fault) -> Done {
    let reason = Reason::new("not_recorded", "not started: the journal cannot be written");
    let mut done = Done::not_run(&stage.id, &stage.name, Status::Skipped, reason);
    done.disk = Some(std::iter::once(&fault.message).chain(&fault.causes).cloned().collect::<Vec<_>>().join(": "));
    context.reporter.record(finished(check, &done));
    done
}

/// The stage as skipped, if its condition does not hold.
fn left_out(context: &Context<'_>, stage: &Stage, check: &str) -> Option<Done> {
    let when = stage.when.as_ref()?;
    if when.holds(|subject| context.loaded.value(subject, context.console)) {
        return None;
    }
    let reason = Reason::new("condition", format!("`when = {when}` does not hold"));
    let done = Done::not_run(&stage.id, &stage.name, Status::Skipped, reason);
    context.happened(vec![
        (Event::CheckStarted { check: check.to_owned(), name: None }, Map::new()),
        (finished(check, &done), Map::new()),
    ]);
    context.reporter.record(finished(check, &done));
    Some(done)
}

/// What the journal holds before anything of the stage runs.
fn beginning(context: &Context<'_>, check: &str, known: &Known, begin: Begin) -> Vec<(Event, Map<String, Value>)> {
    let mut facts = Map::new();
    facts.insert("hash".to_owned(), known.hash.as_str().into());
    facts.extend(known.undo.as_ref().map(|undo| ("undo".to_owned(), undo.as_str().into())));
    facts.extend(context.loaded.commit.as_ref().map(|commit| ("commit".to_owned(), commit.as_str().into())));
    let started = Event::CheckStarted { check: check.to_owned(), name: None };
    let mut events = vec![(started, with_facts(Map::new(), facts))];
    if begin == Begin::Ready {
        // What passed before the crash stays passed.
        let step = Step { check: check.to_owned(), name: RUN.to_owned(), attempt: 1 };
        events.push(step_started(&step, Map::new()));
        events.push(step_finished(&step, &StepEnd { passed: true, exit_code: None }));
    }
    events
}

pub(crate) fn finished(check: &str, done: &Done) -> Event {
    Event::CheckFinished {
        check: check.to_owned(),
        status: done.status,
        duration_seconds: Some((done.duration.as_secs_f64() * 1000.0).round() / 1000.0),
        reason: done.reason.clone(),
        url: None,
        exit_code: done.exit_code,
        data: Map::new(),
    }
}

/// A stage that runs.
struct Part<'a> {
    context: &'a Context<'a>,
    stage: &'a Stage,
    check: &'a str,
}

impl Part<'_> {
    /// Runs the commands that have to pass, until one does not. Returns the one that decided.
    async fn commands(&self, begin: Begin) -> (&'static str, Ended) {
        let stage = self.stage;
        if begin == Begin::Run {
            if let Some(script) = &stage.before {
                let ended = step::run(self.context, &self.command(BEFORE, script, 1)).await;
                if ended.result != StepResult::Passed {
                    return (BEFORE, ended);
                }
            }
            let ended = self.attempts().await;
            if ended.result != StepResult::Passed || stage.ready.is_none() {
                return (RUN, ended);
            }
        }
        // A resumed stage may have lost its `ready` from the plan: then `run`, which has passed, is all of it.
        let script = stage.ready.as_deref().unwrap_or("true");
        (READY, step::run(self.context, &self.command(READY, script, 1)).await)
    }

    /// Runs `run`, again if it failed by itself.
    async fn attempts(&self) -> Ended {
        let (mut attempt, mut pause) = (1, FIRST_PAUSE);
        loop {
            // What a failed attempt wrote there is not handed on.
            let _ = std::fs::remove_file(self.values_file());
            // Made here, for its owner alone: the shell would make it readable. If it cannot be made, the command learns that.
            let _ = private_file(&self.values_file());
            let ended = step::run(self.context, &self.command(RUN, &self.stage.run, attempt)).await;
            let again = ended.result.may_run_again() && attempt <= u64::from(self.stage.retries);
            if !again || ended.log_error.is_some() {
                return ended;
            }
            let why = ended.result.reason(RUN).map(|reason| reason.text).unwrap_or_default();
            self.context.reporter.status(&format!(
                "{}: {why}; attempt {} of {} in {}",
                self.stage.name,
                attempt + 1,
                self.stage.retries + 1,
                cli::shown(pause)
            ));
            self.context.stop.pause(pause).await;
            if self.context.stop.reason().is_some() {
                return ended;
            }
            (attempt, pause) = (attempt + 1, pause * 2);
        }
    }

    fn command<'c>(&'c self, step: &'c str, script: &'c str, attempt: u64) -> Command<'c> {
        let (context, stage) = (self.context, self.stage);
        let number = if attempt > 1 { format!("+{attempt}") } else { String::new() };
        Command {
            check: self.check,
            name: &stage.name,
            step,
            attempt,
            script,
            dir: context.loaded.dir(stage.dir.as_deref()),
            env: self.env(),
            log: context.folder.log(&(stage.id.clone() + &number), step),
            grace: stage.grace,
            timeout: stage.timeout,
            stop: context.stop.clone(),
        }
    }

    /// Variables on top of the inherited ones: handed on by earlier stages, the stage's own, ours.
    fn env(&self) -> Vec<(String, String)> {
        let own = self.stage.env.iter().map(|(name, value)| (name.clone(), value.clone()));
        let mut env = self.context.env(own, Some(&self.stage.name));
        env.push((values::VARIABLE.to_owned(), self.values_file().display().to_string()));
        env
    }

    fn values_file(&self) -> PathBuf {
        self.context.folder.path.join(format!("{}.env", self.stage.id))
    }

    /// Takes what the stage handed on, for later stages, resumed runs and undos.
    fn take_values(&self) -> Result<()> {
        let new = values::read(&self.values_file())?;
        values::keep(&self.context.folder.values(), &new)?;
        self.context.values.borrow_mut().extend(new);
        Ok(())
    }

    /// Runs the hook at the end of the stage. Its failure is a warning.
    async fn after(&self, done: &Done) {
        let Some(script) = &self.stage.after else { return };
        let mut command = self.command("after", script, 1);
        command.stop = self.context.stop_at_the_end();
        command.env.extend(result(done.status, done.last.as_ref(), done.duration));
        let ended = step::run_anyway(self.context, &command).await;
        if let Some(reason) = ended.result.reason("after") {
            self.context.reporter.warn(&format!("{}: {}", self.stage.name, reason.text));
        }
    }

    /// Records the end, with what is wrong in the log of a failed stage.
    fn end(&self, done: &Done) {
        let mut facts = Map::new();
        if done.status == Status::Passed {
            for pattern in inputs::unmatched(&self.context.loaded.folder, self.stage) {
                self.context.reporter.warn(&format!("{}: no file matches its input `{pattern}`", self.stage.name));
            }
            // As the stage left them: its own programs may write there.
            match inputs::digest(&self.context.loaded.folder, self.stage) {
                Ok(digest) => facts.extend(digest.map(|digest| ("inputs".to_owned(), digest.into()))),
                Err(fault) => self.context.reporter.warn(&format!("{}; --resume will refuse", fault.message)),
            }
        }
        self.context.happened(vec![(finished(self.check, done), with_facts(Map::new(), facts))]);
        if done.status == Status::Failed
            && let Some(last) = &done.last
        {
            for finding in findings::of(&last.log) {
                self.context.reporter.record(Event::Finding { check: self.check.to_owned(), finding });
            }
        }
        self.context.reporter.record(finished(self.check, done));
        let why = done.reason.as_ref().map(|reason| format!(": {}", reason.text)).unwrap_or_default();
        let text = format!("{}{why} ({})", done.status.name(), cli::shown(done.duration));
        self.context.reporter.event(&self.stage.name, &text);
    }
}

/// What hooks learn about what has ended.
pub(crate) fn result(status: Status, last: Option<&Ended>, duration: Duration) -> Vec<(String, String)> {
    let log = last.map(|last| last.log.display().to_string()).unwrap_or_default();
    let pairs = [
        ("STAGE_RUN_RESULT", status.name().to_owned()),
        ("STAGE_RUN_LOG", log),
        ("STAGE_RUN_DURATION_SECONDS", duration.as_secs().to_string()),
    ];
    pairs.map(|(name, value)| (name.to_owned(), value)).to_vec()
}
