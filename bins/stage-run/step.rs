//! One command of a stage: journal, start, output, end.

use std::path::PathBuf;
use std::time::Duration;

use child::{ProcessEnd, Tail};
use cli::Exit;
use fault::Fault;
use journal::{Step, StepEnd, step_finished, step_running, step_started};
use report::Reason;
use run::{Stop, StopReason};
use serde_json::Map;

use crate::context::Context;
use crate::frame::End;
use crate::history::{HALF_DONE, INTERRUPTED, NOT_STARTED};
use crate::launch::{Cut, Launch, Observer, Outcome, launch};
use crate::lock::Lock;
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
    /// Why its log, or the journal, is not complete.
    pub(crate) log_error: Option<String>,
    /// Its processes that live on, though they were killed.
    pub(crate) alive: Vec<String>,
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
        /// Another time it may be started: the disk is full, or the system has no room for another process.
        temporary: bool,
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
            Self::Failed(ProcessEnd::Code(75)) | Self::NotStarted { temporary: true, .. } => Exit::Temporary,
            Self::Failed(ProcessEnd::Code(77)) => Exit::Permission,
            Self::Cut { cut: Cut::Stop(reason), .. } => reason.exit(),
            _ => Exit::Failed,
        }
    }

    /// Whether another attempt may help: it ended by itself, and not for lack of a permission. A shell reports with 128 + n that a
    /// signal ended its command.
    pub(crate) fn may_run_again(&self) -> bool {
        matches!(self, Self::Failed(ProcessEnd::Code(code)) if *code != 77 && !(129..=192).contains(code))
    }

    /// Why it did not pass.
    pub(crate) fn reason(&self, step: &str) -> Option<Reason> {
        let of = |text: String| if step == crate::history::RUN { text } else { format!("`{step}` {text}") };
        Some(match self {
            Self::Passed => return None,
            Self::Failed(end @ ProcessEnd::Signal(_)) => {
                // It was another's signal: what the command had begun, it did not bring to an end.
                Reason::new(HALF_DONE, of(format!("{end}: how far it came is not known")))
            }
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
            Self::NotStarted { text, .. } => Reason::new(NOT_STARTED, of(text.clone())),
            Self::Unknown => Reason::new(HALF_DONE, of("lost its supervisor: its end is not known".to_owned())),
        })
    }
}

/// Runs the command. Its start is on the disk before it starts; if the journal cannot be written, it is not started.
pub(crate) async fn run(context: &Context<'_>, command: &Command<'_>) -> Ended {
    let step = step_of(command);
    match context.journal(vec![step_started(&step, Map::new())]) {
        Ok(()) => begun(context, command, &step, true).await,
        Err(fault) => not_recorded(command, &fault),
    }
}

/// Runs the command even if the journal or its log cannot be written: a full disk must not keep a firewall open.
pub(crate) async fn run_anyway(context: &Context<'_>, command: &Command<'_>) -> Ended {
    let step = step_of(command);
    context.happened(vec![step_started(&step, Map::new())]);
    begun(context, command, &step, false).await
}

fn step_of(command: &Command<'_>) -> Step {
    Step { check: command.check.to_owned(), name: command.step.to_owned(), attempt: command.attempt }
}

fn not_recorded(command: &Command<'_>, fault: &Fault) -> Ended {
    let why = std::iter::once(&fault.message).chain(&fault.causes).map(String::as_str).collect::<Vec<_>>().join(": ");
    let text = format!("was not started: {why}");
    Ended {
        result: StepResult::NotStarted { code: 125, text, temporary: true },
        tail: Vec::new(),
        log: command.log.clone(),
        log_error: Some(why),
        alive: Vec::new(),
    }
}

/// Runs the command to its end, which is then in the journal, unless a process of it lives on.
async fn begun(context: &Context<'_>, command: &Command<'_>, step: &Step, needs_log: bool) -> Ended {
    let ended = launched(context, command, step, needs_log).await;
    if ended.alive.is_empty() {
        let end = StepEnd { passed: ended.result == StepResult::Passed, exit_code: ended.result.exit_code() };
        context.happened(vec![step_finished(step, &end)]);
    }
    ended
}

async fn launched(context: &Context<'_>, command: &Command<'_>, step: &Step, needs_log: bool) -> Ended {
    let words =
        context.shell.words().iter().map(|word| (*word).to_owned()).chain([command.script.to_owned()]).collect();
    let terms = Terms {
        grace: command.grace,
        log: command.log.clone(),
        log_limit: context.loaded.plan.log_limit,
        needs_log,
        locks: context.locks.iter().map(Lock::descriptor).collect(),
    };
    let launched = Launch { words, dir: &command.dir, env: command.env.clone(), terms, timeout: command.timeout };
    let mut watch = Watch { context, command, step, tail: Tail::new(LAST_LINES), open: Vec::new() };
    let outcome = launch(&launched, &command.stop, context.insists, &mut watch).await;
    watch.finish();
    let mut ended = Ended {
        result: StepResult::Unknown,
        tail: watch.tail.lines(),
        log: command.log.clone(),
        log_error: None,
        alive: Vec::new(),
    };
    match outcome {
        Outcome::Ended { end, cut } => {
            warn_of_left(context, command, &end);
            ended.result = result(&end, cut, command.grace);
            ended.log_error = end.log_error;
        }
        Outcome::NotStarted(error) => {
            let log = error.code.is_none();
            let why = if log { "was not started: its log cannot be written" } else { "cannot be started" };
            let (code, text) = (error.code.unwrap_or(125), format!("{why}: {}", error.text));
            ended.result = StepResult::NotStarted { code, text, temporary: log || error.temporary };
            ended.log_error = log.then_some(error.text);
        }
        Outcome::Unknown { alive } => ended.alive = alive,
    }
    ended
}

fn result(end: &End, cut: Option<Cut>, grace: Duration) -> StepResult {
    match cut {
        // Whatever its code: what was interrupted has not passed.
        Some(cut) => StepResult::Cut { cut, killed: end.killed, grace },
        None if matches!(end.status, ProcessEnd::Signal(_)) => StepResult::Failed(end.status),
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
    fn started(&mut self, number: u32, identity: &str) {
        let mut facts = Map::new();
        facts.insert("group".to_owned(), number.into());
        facts.insert("process".to_owned(), identity.into());
        self.context.note(vec![step_running(self.step, facts)]);
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
