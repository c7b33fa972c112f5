//! Post-deploy steps on one host: health checks, diagnostics on failure, rollback, all over the connection of its deploy.
//!
//! A check that passes must pass once more a moment later, because what has just started may be about to fail.

pub(crate) mod probe;

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use deadline::{Deadline, Wait};
use redact::Redactor;
use runner::foreign::Lines;
use ssh::{Ending, Output, ScriptEnd, Session, Source, Step, Target};

use crate::plan::{NamedCommand, PostDeploy};
use crate::stop::{EndReason, Stop, StopReason, name};
use probe::Probe;

/// A check that did not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unhealthy {
    /// The check.
    pub(crate) check: String,
    /// Its last line of output.
    pub(crate) text: String,
    /// Whether it had passed before.
    pub(crate) relapsed: bool,
}

/// How a step beside the command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StepResult {
    /// It ended by itself, as far as is known.
    Ended(ScriptEnd),
    /// A part of it failed; which, and how.
    Failed(String),
    /// It took too long.
    TimedOut,
    /// A signal arrived first.
    Stopped(StopReason),
    /// A signal arrived, and the host goes on with it without us.
    LeftRunning(StopReason),
}

/// One host with its connection.
pub(crate) struct HostRunner<'a, S> {
    pub(crate) session: &'a mut S,
    pub(crate) stop: &'a Stop,
    pub(crate) target: &'a Target,
    /// Makes what hides secrets in one stream.
    pub(crate) redactor: Box<dyn Fn() -> Option<Redactor> + 'a>,
}

/// A health check.
#[derive(Clone, Copy)]
enum Check<'a> {
    /// A command on the host.
    Command(&'a NamedCommand),
    /// A look from here.
    Probe(&'a Probe),
}

impl Check<'_> {
    fn name(&self) -> &str {
        match self {
            Self::Command(command) => &command.name,
            Self::Probe(probe) => probe.name(),
        }
    }
}

impl<S: Session> HostRunner<'_, S> {
    /// Runs `step`; ends it at a signal and after `limit`.
    pub(crate) async fn run(
        &mut self,
        step: &Step,
        limit: Option<Duration>,
        sink: impl FnMut(Output<'_>),
    ) -> (Ending, Option<EndReason>) {
        let reason = Cell::new(None);
        let until_reason = async { reason.set(Some(EndReason::wait(self.stop, limit).await)) };
        let ending = self.session.run(step, until_reason, sink).await;
        (ending, reason.get())
    }

    /// Runs a step beside the command.
    pub(crate) async fn run_aside(
        &mut self,
        step: &Step,
        limit: Option<Duration>,
        sink: impl FnMut(Output<'_>),
    ) -> StepResult {
        match self.run(step, limit, sink).await {
            (ending, None) => StepResult::Ended(ending.script),
            (_, Some(EndReason::Timeout)) => StepResult::TimedOut,
            (_, Some(EndReason::Stopped(signal))) => StepResult::Stopped(signal),
        }
    }

    /// Runs the rollback. At a signal we leave it to the host, which goes on with it.
    pub(crate) async fn roll_back(&mut self, step: &Step, limit: Duration, sink: impl FnMut(Output<'_>)) -> StepResult {
        let _wait = Wait::begin(format!("the rollback of {}", self.target.name), Deadline::after(limit));
        let timed_out = Cell::new(false);
        let until_limit = async {
            tokio::time::sleep(limit).await;
            timed_out.set(true);
        };
        let ending = tokio::select! {
            ending = self.session.run(step, until_limit, sink) => ending,
            signal = self.stop.requested() => return StepResult::LeftRunning(signal),
        };
        if timed_out.get() { StepResult::TimedOut } else { StepResult::Ended(ending.script) }
    }

    /// Waits until every check passes, and passes once more.
    pub(crate) async fn check(&mut self, post: &PostDeploy) -> Result<(), Unhealthy> {
        let checks = post.checks.iter().map(Check::Command).chain(post.probes.iter().map(Check::Probe));
        self.check_all(checks.collect(), post).await
    }

    /// The same for the checks that run here.
    pub(crate) async fn check_from_here(&mut self, post: &PostDeploy) -> Result<(), Unhealthy> {
        self.check_all(post.probes.iter().map(Check::Probe).collect(), post).await
    }

    async fn check_all(&mut self, checks: Vec<Check<'_>>, post: &PostDeploy) -> Result<(), Unhealthy> {
        for check in &checks {
            self.wait_for(*check, post).await?;
        }
        if checks.is_empty() {
            return Ok(());
        }
        self.stop.pause(post.check_interval).await;
        for check in &checks {
            let (result, text) = self.try_once(*check, post.check_timeout).await;
            if !result.is_success() {
                return Err(Unhealthy { check: check.name().to_owned(), text, relapsed: true });
            }
        }
        Ok(())
    }

    async fn wait_for(&mut self, check: Check<'_>, post: &PostDeploy) -> Result<(), Unhealthy> {
        let begun = Instant::now();
        let what = format!("the check {} of {}", check.name(), self.target.name);
        let _wait = Wait::begin(what, Deadline::after(post.check_timeout));
        let mut earlier = None;
        loop {
            let left = post.check_timeout.saturating_sub(begun.elapsed());
            let (result, text) = self.try_once(check, left).await;
            if result.is_success() {
                return Ok(());
            }
            // The last try has what time is left, often too little: the output of an earlier one is the better evidence.
            let text = earlier.filter(|_| result == StepResult::TimedOut).unwrap_or(text);
            if result.is_final() || begun.elapsed() + post.check_interval >= post.check_timeout {
                return Err(Unhealthy { check: check.name().to_owned(), text, relapsed: false });
            }
            earlier = Some(text);
            self.stop.pause(post.check_interval).await;
        }
    }

    async fn probe(&self, probe: &Probe, limit: Duration) -> (StepResult, String) {
        let tried = tokio::select! {
            tried = probe.try_once(self.target, limit) => tried,
            signal = self.stop.requested() => return (StepResult::Stopped(signal), String::new()),
        };
        match tried {
            Ok(()) => (StepResult::Ended(ScriptEnd::Exited(0)), String::new()),
            Err(text) => (StepResult::Failed(text.clone()), text),
        }
    }

    /// How a check ends, and its last line.
    async fn try_once(&mut self, check: Check<'_>, limit: Duration) -> (StepResult, String) {
        let check = match check {
            Check::Command(check) => check,
            Check::Probe(probe) => return self.probe(probe, limit).await,
        };
        let last = RefCell::new(LastLine::new(&self.redactor));
        let result = self.run_aside(&check.step, Some(limit), |output| last.borrow_mut().take(output)).await;
        let last = last.into_inner().finish();
        let text = if last.is_empty() { result.text() } else { last };
        (result, text)
    }
}

/// The last line of a step that is not blank, without secrets.
pub(crate) struct LastLine {
    streams: [(Option<Redactor>, Lines); 2],
    last: String,
}

impl LastLine {
    /// `redactor` makes what hides secrets in one stream.
    pub(crate) fn new(redactor: impl Fn() -> Option<Redactor>) -> Self {
        Self { streams: [(redactor(), Lines::default()), (redactor(), Lines::default())], last: String::new() }
    }

    pub(crate) fn take(&mut self, output: Output<'_>) {
        if let Output::Bytes(source, bytes) = output {
            let (redactor, lines) = &mut self.streams[usize::from(source == Source::Stderr)];
            let complete = match redactor {
                Some(redactor) => lines.push(&redactor.push(bytes)),
                None => lines.push(bytes),
            };
            self.keep(complete);
        }
    }

    fn keep(&mut self, lines: impl IntoIterator<Item = Vec<u8>>) {
        if let Some(line) = lines.into_iter().filter(|line| !line.trim_ascii().is_empty()).last() {
            self.last = String::from_utf8_lossy(&line).into_owned();
        }
    }

    pub(crate) fn finish(mut self) -> String {
        for (redactor, mut lines) in std::mem::take(&mut self.streams) {
            let mut rest = redactor.map(|redactor| lines.push(&redactor.finish())).unwrap_or_default();
            rest.extend(lines.flush());
            self.keep(rest);
        }
        self.last
    }
}

impl StepResult {
    /// Whether the step succeeded.
    pub(crate) fn is_success(&self) -> bool {
        *self == Self::Ended(ScriptEnd::Exited(0))
    }

    /// Whether another try makes no sense.
    fn is_final(&self) -> bool {
        matches!(
            self,
            Self::Stopped(_) | Self::LeftRunning(_) | Self::Ended(ScriptEnd::NotStarted(_) | ScriptEnd::Lost(_))
        )
    }

    /// The result for messages.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Ended(ScriptEnd::Exited(code)) => format!("exit code {code}"),
            Self::Ended(ScriptEnd::NotStarted(text)) => format!("the connection was lost before it began: {text}"),
            Self::Ended(ScriptEnd::Lost(text)) => {
                format!("the connection was lost while it ran, and its end was not confirmed: {text}")
            }
            Self::Failed(text) => text.clone(),
            Self::TimedOut => "it did not finish in time".to_owned(),
            Self::LeftRunning(signal) => format!("it goes on without us, after {}", name(*signal)),
            Self::Stopped(signal) => format!("{} arrived first", name(*signal)),
        }
    }
}
