//! One command of a stage: journal, start, output, end.

use std::path::PathBuf;
use std::time::Duration;

use child::{ProcessEnd, Tail};
use cli::Exit;
use fault::Result;
use journal::{Step, StepEnd, step_finished, step_running, step_started};
use report::Reason;
use run::{Stop, StopReason};
use serde_json::Map;

use crate::context::Context;
use crate::frame::End;
use crate::group;
use crate::history::{HALF_DONE, INTERRUPTED};
use crate::launch::{Cut, Launch, Observer, Outcome, launch};
use crate::supervise::Terms;

/// How many lines of a failed command are shown at the end.
const LAST_LINES: usize = 20;

/// A command to run as a step.
#[derive(Clone, Debug)]
pub(crate) struct Command<'a> {
    /// The check: `deploy/infra`.
    pub(crate) check: &'a str,
    /// For people, and the gutter of its lines.
    pub(crate) name: &'a str,
    /// Which of the stage's commands.
    pub(crate) step: &'a str,
    pub(crate) attempt: u64,
    pub(crate) script: &'a str,
    pub(crate) dir: PathBuf,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) log: PathBuf,
    pub(crate) grace: Duration,
    pub(crate) timeout: Option<Duration>,
    pub(crate) stop: Stop,
}

/// How a step ended.
#[derive(Clone, Debug)]
pub(crate) struct Ended {
    pub(crate) result: StepResult,
    /// The last lines of its output.
    pub(crate) tail: Vec<Vec<u8>>,
    pub(crate) log: PathBuf,
    /// Why its log is not complete.
    pub(crate) log_error: Option<String>,
}

/// What came of a command.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum StepResult {
    Passed,
    /// It ended by itself.
    Failed(ProcessEnd),
    /// A signal or its timeout ended it.
    Cut {
        cut: Cut,
        /// Its processes did not end in time and were killed.
        killed: bool,
        grace: Duration,
    },
    NotStarted {
        code: i64,
        text: String,
    },
    /// Its supervisor died.
    Unknown,
}

impl StepResult {
    /// The exit code that a shell has for it.
    pub(crate) fn exit_code(&self) -> Option<i64> {
        match self {
            Self::Passed => Some(0),
            Self::Failed(end) => Some(i64::from(end.shell_code())),
            Self::NotStarted { code, .. } => Some(*code),
            Self::Cut { .. } | Self::Unknown => None,
        }
    }

    /// What the run ends with because of it.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Passed => Exit::Success,
            Self::Failed(ProcessEnd::Code(75)) => Exit::Temporary,
            Self::Failed(ProcessEnd::Code(77)) => Exit::Permission,
            Self::Cut { cut: Cut::Stop(reason), .. } => reason.exit(),
            _ => Exit::Failed,
        }
    }

    /// Whether another attempt may help: it ended by itself, and not for lack of a permission.
    pub(crate) fn may_run_again(&self) -> bool {
        matches!(self, Self::Failed(ProcessEnd::Code(code)) if *code != 77)
    }

    /// Why it did not pass.
    pub(crate) fn reason(&self, step: &str) -> Option<Reason> {
        let of = |text: String| if step == crate::history::RUN { text } else { format!("`{step}` {text}") };
        Some(match self {
            Self::Passed => return None,
            Self::Failed(end @ ProcessEnd::Signal(_)) => Reason::new("signal", of(end.to_string())),
            Self::Failed(ProcessEnd::Code(code)) => {
                let memory = if *code == 137 { ", probably out of memory" } else { "" };
                let failed = if step == crate::history::RUN { "" } else { "failed with " };
                Reason::new("exit_code", of(format!("{failed}exit code {code}{memory}")))
            }
            Self::Cut { cut, killed, grace } => {
                let why = match cut {
                    Cut::Timeout => "did not end in time".to_owned(),
                    Cut::Stop(StopReason::Signal(_)) => "was interrupted".to_owned(),
                    Cut::Stop(StopReason::Deadline) => "was stopped: the --deadline passed".to_owned(),
                };
                if *killed {
                    let text = format!("{why} and had to be killed after {}", cli::shown(*grace));
                    Reason::new(HALF_DONE, of(text))
                } else {
                    Reason::new(if *cut == Cut::Timeout { "timeout" } else { INTERRUPTED }, of(why))
                }
            }
            Self::NotStarted { text, .. } => Reason::new("not_started", of(text.clone())),
            Self::Unknown => Reason::new(HALF_DONE, of("lost its supervisor: its end is not known".to_owned())),
        })
    }
}

/// Runs the command. Its start is on the disk before it starts, and its end before this returns.
///
/// # Errors
/// The journal cannot be written: nothing was started, or it was stopped.
pub(crate) async fn run(context: &Context<'_>, command: &Command<'_>) -> Result<Ended> {
    let step = Step { check: command.check.to_owned(), name: command.step.to_owned(), attempt: command.attempt };
    context.journal(vec![step_started(&step, Map::new())])?;
    let ended = launched(context, command, &step).await?;
    let end = StepEnd { passed: ended.result == StepResult::Passed, exit_code: ended.result.exit_code() };
    context.journal(vec![step_finished(&step, &end)])?;
    Ok(ended)
}

/// Runs the command without the journal: for a dry run, which leaves no trace.
///
/// # Errors
/// No supervisor can be started.
pub(crate) async fn rehearse(context: &Context<'_>, command: &Command<'_>) -> Result<Ended> {
    let step = Step { check: command.check.to_owned(), name: command.step.to_owned(), attempt: command.attempt };
    launched(context, command, &step).await
}

async fn launched(context: &Context<'_>, command: &Command<'_>, step: &Step) -> Result<Ended> {
    let words =
        context.shell.words().iter().map(|word| (*word).to_owned()).chain([command.script.to_owned()]).collect();
    let terms = Terms { grace: command.grace, log: command.log.clone(), log_limit: context.loaded.plan.log_limit };
    let launched = Launch { words, dir: &command.dir, env: command.env.clone(), terms, timeout: command.timeout };
    let mut watch = Watch { context, command, step, tail: Tail::new(LAST_LINES), open: Vec::new() };
    let outcome = launch(&launched, &command.stop, context.insists, &mut watch).await?;
    watch.finish();
    let tail = watch.tail.lines();
    let (result, log_error) = match outcome {
        Outcome::Ended { end, cut } => {
            warn_of_left(context, command, &end);
            (result(&end, cut, command.grace), end.log_error)
        }
        Outcome::NotStarted(error) => {
            if let Some(code) = error.code {
                (StepResult::NotStarted { code, text: format!("cannot be started: {}", error.text) }, None)
            } else {
                let text = format!("was not started: its log cannot be written: {}", error.text);
                (StepResult::NotStarted { code: 125, text }, Some(error.text))
            }
        }
        Outcome::Unknown => (StepResult::Unknown, None),
    };
    Ok(Ended { result, tail, log: command.log.clone(), log_error })
}

fn result(end: &End, cut: Option<Cut>, grace: Duration) -> StepResult {
    match cut {
        // Whatever its code: what was interrupted has not passed.
        Some(cut) => StepResult::Cut { cut, killed: end.killed, grace },
        None if end.signalled => StepResult::Unknown,
        None if end.status.is_success() => StepResult::Passed,
        None => StepResult::Failed(end.status),
    }
}

fn warn_of_left(context: &Context<'_>, command: &Command<'_>, end: &End) {
    if end.held {
        let who =
            if end.left.is_empty() { "a process in a session of its own".to_owned() } else { end.left.join(", ") };
        context.reporter.warn(&format!("{}: {who} goes on in the background and keeps the output open", command.name));
    }
}

/// Shows what a command prints, and keeps its last lines.
struct Watch<'a> {
    context: &'a Context<'a>,
    command: &'a Command<'a>,
    step: &'a Step,
    tail: Tail,
    open: Vec<u8>,
}

impl Watch<'_> {
    fn shows_lines(&self) -> bool {
        !self.context.reporter.progress().has_bars() || self.context.verbose
    }

    fn gutter(&self) -> String {
        format!("{} | ", self.command.name)
    }

    fn finish(&mut self) {
        if self.shows_lines() && !self.open.is_empty() {
            let line = std::mem::take(&mut self.open);
            self.context.reporter.foreign(&self.gutter(), &[line]);
        }
    }
}

impl Observer for Watch<'_> {
    fn started(&mut self, number: u32) -> Result<()> {
        let mut facts = Map::new();
        facts.insert("group".to_owned(), number.into());
        facts.insert("process".to_owned(), group::identity(number).into());
        self.context.note(vec![step_running(self.step, facts)])
    }

    fn output(&mut self, bytes: &[u8]) {
        let complete = self.tail.push(bytes);
        if self.shows_lines() {
            self.context.reporter.foreign(&self.gutter(), &complete);
            let end = bytes.iter().rposition(|byte| *byte == b'\n');
            match end {
                Some(end) => self.open = bytes[end + 1..].to_vec(),
                None => self.open.extend_from_slice(bytes),
            }
            self.open.truncate(runner::foreign::LINE_LIMIT);
        } else if let Some(line) = complete.last() {
            self.context.reporter.progress().show(self.command.check, &String::from_utf8_lossy(line));
        }
    }
}
