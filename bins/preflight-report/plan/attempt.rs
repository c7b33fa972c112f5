//! One attempt of a check's command: start, output into a log, time limit, end.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Instant;

use child::{Child, Ended, Insist, Job, Log, OutputMode, ProcessEnd, Signal, Stopped, Tail};
use cli::Deadline;
use fault::{Fault, Result};
use jiff::Timestamp;
use plan::Check;
use report::Reason;

use super::shared::Run;
use super::shell;
use crate::gather::{self, Ran, Watch};
use crate::otlp::{self, Endpoint};

/// How much of what a check prints is kept, and printed when it ends.
const KEPT: u64 = 16 << 20;

/// How long a group may clean up after SIGTERM.
const GRACE: std::time::Duration = std::time::Duration::from_millis(1500);

/// An attempt that has ended.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) ran: Ran,
    /// Where its log stays.
    pub(super) log: Option<PathBuf>,
    /// Whether the program could be started.
    pub(super) started: bool,
    /// Whether the run stopped it.
    pub(super) cancelled: bool,
    /// Whether a process that it left behind holds its output open.
    pub(super) output_held: bool,
}

/// Runs the command once.
///
/// # Errors
/// Its log cannot be made, or the system does not report how it ended.
pub(super) async fn attempt(run: &Run<'_>, check: &Check, command: &plan::Command, number: u32) -> Result<Attempt> {
    let folder = run.loaded.folder(check);
    let (file, log) = log_file(run, check, number)?;
    let (mut output, mut tail) = (Log::new(file, KEPT), Tail::new(gather::LINES));
    let watch = Watch::new(&check.report, Some(&folder))?;
    let words = shell::command_line(run.shell, command);
    let (begun, started_at) = (Instant::now(), Timestamp::now());
    // A collector that the check's `env` names is its own.
    let has_collector = otlp::ENDPOINTS.iter().any(|name| check.env.contains_key(*name));
    let endpoint = if has_collector { None } else { Endpoint::open(run.console.environment()).await };
    let started = start(run, check, &words, &folder, endpoint.as_ref());
    let ended = match started {
        Ok(child) => Ok(wait(run, check, child, &mut output, &mut tail).await?),
        Err(problem) => Err(problem),
    };
    let (status, failure) = match &ended {
        Ok(ended) => (ended.status, failure(ended, check)),
        Err((code, reason)) => (ProcessEnd::Code(i32::from(*code)), Some(reason.clone())),
    };
    let ran = Ran {
        check: check.id.clone(),
        line: gather::shell_line(&words.iter().map(Into::into).collect::<Vec<_>>()),
        status,
        failure,
        stopped: None,
        started_at,
        ended_at: Timestamp::now(),
        seconds: begun.elapsed().as_secs_f64(),
        output,
        log: None,
        tail: gather::text_of(&tail),
        reports: watch.written(false)?,
        spans: endpoint.map(Endpoint::close).unwrap_or_default(),
    };
    let stopped = ended.as_ref().ok().and_then(|ended| ended.stopped);
    Ok(Attempt {
        ran,
        log,
        started: ended.is_ok(),
        cancelled: matches!(stopped, Some(Stopped::By(_))),
        output_held: ended.is_ok_and(|ended| ended.output_held),
    })
}

/// Starts it; the error is the exit code that shells have for it, and why.
fn start(
    run: &Run<'_>,
    check: &Check,
    words: &[String],
    folder: &Path,
    endpoint: Option<&Endpoint>,
) -> Result<Child, (u8, Reason)> {
    if !folder.is_dir() {
        let text = format!("the directory `{}` does not exist", folder.display());
        return Err((125, Reason::new("not_started", text)));
    }
    let mut command = shell::process(words, check, folder, run.withheld);
    command.envs(endpoint.into_iter().flat_map(Endpoint::variables));
    // Nothing may ask a person: nobody sees the question.
    Child::start_as(Job::Session, command, OutputMode::Joined).map_err(|error| {
        let (code, help) = gather::code_and_help(&error);
        let text = format!("cannot start `{}`: {error} ({code}); {help}", words[0]);
        (code, Reason::new("not_started", text))
    })
}

async fn wait(run: &Run<'_>, check: &Check, child: Child, output: &mut Log, tail: &mut Tail) -> Result<Ended> {
    let insisted = run.stop.insisted();
    let child = child.timeout(check.timeout.map(Deadline::after)).grace(GRACE).on_second(async move {
        insisted.await;
        Insist::Kill
    });
    let stop = async {
        tokio::select! {
            _ = run.stop.requested() => {}
            () = run.until_cancelled() => {}
        }
        Signal::Terminate
    };
    let has_bars = run.reporter.progress().has_bars();
    let read = |_, bytes: &[u8]| {
        output.write(bytes);
        tail.keep(bytes);
        if has_bars && let Some(line) = tail.lines().last() {
            run.reporter.progress().show(&check.id, &String::from_utf8_lossy(line));
        }
    };
    child.wait(stop, read).await.map_err(|error| {
        Fault::temporary(format!("cannot wait for the command of `{}`", check.id)).cause(error.to_string())
    })
}

/// Why it failed, if it did.
fn failure(ended: &Ended, check: &Check) -> Option<Reason> {
    match (ended.stopped, check.timeout) {
        (Some(Stopped::TimedOut), Some(limit)) => {
            let how = if ended.status == ProcessEnd::Signal(9) { "SIGTERM, then SIGKILL" } else { "SIGTERM" };
            Some(Reason::new("timeout", format!("no end after {}: stopped with {how}", cli::shown(limit))))
        }
        _ => gather::ending(ended.status, None),
    }
}

/// The file of an attempt's output: a nameless one, or in `--log-dir` one that stays.
fn log_file(run: &Run<'_>, check: &Check, number: u32) -> Result<(File, Option<PathBuf>)> {
    let cannot = |what: &str, error: std::io::Error| {
        Fault::temporary(format!("cannot keep the output of `{}`{what}", check.id)).cause(error.to_string())
    };
    let Some(folder) = run.log_dir else {
        return tempfile::tempfile().map(|file| (file, None)).map_err(|error| cannot("", error));
    };
    let attempt = if number == 1 { String::new() } else { format!(".{number}") };
    let path = folder.join(format!("{}{attempt}.log", check.id));
    let file = path
        .parent()
        .map_or(Ok(()), std::fs::create_dir_all)
        .and_then(|()| File::options().read(true).write(true).create(true).truncate(true).open(&path));
    match file {
        Ok(file) => Ok((file, Some(path))),
        Err(error) => Err(cannot(&format!(" in `{}`", path.display()), error)),
    }
}
