//! Runs the command behind `--`: its output goes to our stderr byte for byte, and into a file that is read afterwards.
//!
//! A pipe cannot see how the program before it ended, and a report cannot tell what its writer did not write. Here both are
//! seen, and the files that the command was to write are held against what was there before it began.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use child::{Child, Job, Log, OutputMode, ProcessEnd, Stopped, Tail};
use cli::{Deadline, Exit};
use fault::{Fault, Result};
use jiff::Timestamp;
use report::Reason;
use run::{Stop, StopReason};
use runner::Environment;

use super::reports::{Reports, Watch};
use crate::otlp::{Endpoint, Received};

/// How many lines of output a report keeps.
pub(crate) const LINES: usize = 200;

/// The log of the one command is whole: it may be a report of any size.
const WHOLE: u64 = u64::MAX;

/// A command that has ended.
#[derive(Debug)]
pub(crate) struct Ran {
    /// The check: `checks/pytest`.
    pub(crate) check: String,
    /// How it is run again, as a shell takes it.
    pub(crate) line: String,
    pub(crate) status: ProcessEnd,
    /// Why it failed, if it did.
    pub(crate) failure: Option<Reason>,
    /// Why we stopped it.
    pub(crate) stopped: Option<StopReason>,
    pub(crate) started_at: Timestamp,
    pub(crate) ended_at: Timestamp,
    pub(crate) seconds: f64,
    /// Everything it printed.
    pub(crate) output: Log,
    /// The last lines of it.
    pub(crate) tail: String,
    /// The file that has all of it, if the user wants one.
    pub(crate) log: Option<String>,
    /// The reports that it was to write.
    pub(crate) reports: Reports,
    /// The OpenTelemetry spans that it sent.
    pub(crate) spans: Received,
}

/// What to run, and which reports to read afterwards.
#[derive(Clone, Debug)]
pub(crate) struct Plan<'a> {
    pub(crate) command: &'a [OsString],
    /// Globs.
    pub(crate) reports: &'a [String],
    /// The check's name, unless it is the program's.
    pub(crate) name: Option<&'a str>,
    /// The file that keeps its output.
    pub(crate) log: Option<&'a Path>,
    pub(crate) allow_stale: bool,
    /// Variables that the command does not inherit.
    pub(crate) withheld: &'a [&'a str],
    /// When it is stopped.
    pub(crate) deadline: Option<Deadline>,
}

/// Why the command could not be started: the exit code that shells have for it.
#[derive(Debug)]
pub(crate) struct NotStarted {
    pub(crate) exit: Exit,
    pub(crate) fault: Fault,
}

/// Runs the command to its end.
///
/// # Errors
/// The outer: a glob is none, or its output cannot be kept. The inner: the command cannot be started.
pub(crate) fn run(plan: &Plan<'_>, environment: &Environment) -> Result<std::result::Result<Ran, NotStarted>> {
    let watch = Watch::new(plan.reports, None)?;
    let mut output = Log::new(kept_output(plan.log)?, WHOLE);
    let (begun, started_at) = (Instant::now(), Timestamp::now());
    let mut tail = Tail::new(LINES);
    let ended = match cli::block_on(supervised(plan, environment, &mut output, &mut tail))? {
        Ok(ended) => ended?,
        Err(error) => return Ok(Err(not_started(plan.command, &error))),
    };
    let (status, stopped, spans) = ended;
    Ok(Ok(Ran {
        check: check(plan),
        line: shell_line(plan.command),
        status,
        failure: ending(status, stopped),
        stopped,
        started_at,
        ended_at: Timestamp::now(),
        seconds: begun.elapsed().as_secs_f64(),
        output,
        tail: text_of(&tail),
        log: plan.log.map(|log| log.to_string_lossy().into_owned()),
        reports: watch.written(plan.allow_stale)?,
        spans,
    }))
}

/// The kept lines as a text.
pub(crate) fn text_of(tail: &Tail) -> String {
    tail.lines().iter().map(|line| String::from_utf8_lossy(line).into_owned() + "\n").collect()
}

/// The file that the command's output goes to, and is read from afterwards.
fn kept_output(log: Option<&Path>) -> Result<std::fs::File> {
    let Some(log) = log else {
        return tempfile::tempfile()
            .map_err(|error| Fault::temporary("cannot keep the command's output").cause(error.to_string()));
    };
    std::fs::File::options().read(true).write(true).create(true).truncate(true).open(log).map_err(|error| {
        Fault::usage(format!("cannot write `{}`", log.display()))
            .cause(error.to_string())
            .help("name another file with --log")
    })
}

type Ended = Result<(ProcessEnd, Option<StopReason>, Received)>;

/// The inner error: it cannot be started.
async fn supervised(
    plan: &Plan<'_>,
    environment: &Environment,
    output: &mut Log,
    tail: &mut Tail,
) -> std::result::Result<Ended, std::io::Error> {
    let mut command = std::process::Command::new(&plan.command[0]);
    command.args(&plan.command[1..]);
    for name in plan.withheld {
        command.env_remove(name);
    }
    let stop = match Stop::watch(plan.deadline) {
        Ok(stop) => stop,
        Err(fault) => return Ok(Err(fault)),
    };
    let endpoint = Endpoint::open(environment).await;
    command.envs(endpoint.iter().flat_map(Endpoint::variables));
    let child = Child::start_as(Job::Foreground, command, OutputMode::Terminal)?;
    let requested = async { stop.requested().await.signal() };
    let ended = child
        .wait(requested, |_, bytes| {
            // A stderr that takes nothing must not stop the command.
            let _ = std::io::stderr().write_all(bytes);
            output.write(bytes);
            tail.push(bytes);
        })
        .await?;
    let spans = endpoint.map(Endpoint::close).unwrap_or_default();
    // A ^C reaches a program in the foreground, and not us.
    let reason = |why| match why {
        Stopped::By(signal) => stop.reason().unwrap_or(StopReason::Signal(signal)),
        Stopped::TimedOut => StopReason::Deadline,
    };
    Ok(Ok((ended.status, ended.stopped.map(reason), spans)))
}

/// The exit code that shells have for a program that cannot be started, and what to do about it.
pub(crate) fn code_and_help(error: &std::io::Error) -> (u8, &'static str) {
    match error.kind() {
        std::io::ErrorKind::NotFound => (127, "install it, or write the path of the program"),
        std::io::ErrorKind::PermissionDenied => (126, "make it executable, or name the interpreter before it"),
        _ => (125, "check that the system can start another process"),
    }
}

fn not_started(words: &[OsString], error: &std::io::Error) -> NotStarted {
    let program = words[0].to_string_lossy();
    let (code, help) = code_and_help(error);
    let fault = Fault::failed(format!("cannot start `{program}`")).cause(error.to_string()).help(help);
    NotStarted { exit: Exit::Child(code), fault }
}

/// `checks/` and the program's name, unless it has another.
fn check(plan: &Plan<'_>) -> String {
    let program = Path::new(&plan.command[0]).file_stem().map(|name| name.to_string_lossy().into_owned());
    let name = plan.name.map_or_else(|| plan::slug(&program.unwrap_or_default()), str::to_owned);
    if name.contains('/') { name } else { format!("checks/{name}") }
}

/// The words as a shell takes them.
pub(crate) fn shell_line(words: &[OsString]) -> String {
    let quoted = words.iter().map(|word| {
        let word = word.to_string_lossy();
        let is_plain =
            !word.is_empty() && word.chars().all(|letter| letter.is_alphanumeric() || "-_./=:@%+,".contains(letter));
        if is_plain { word.into_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

/// What the end of a command amounts to.
pub(crate) fn ending(status: ProcessEnd, stopped: Option<StopReason>) -> Option<Reason> {
    if let Some(stopped) = stopped {
        return Some(Reason::new("interrupted", stopped.to_string()));
    }
    match status {
        status if status.is_success() => None,
        ProcessEnd::Code(code) => {
            // A shell reports the death of its child so.
            let why = match (code, status.signal_name()) {
                (127, _) => ": a program was not found".to_owned(),
                (137, _) => ", probably out of memory (SIGKILL)".to_owned(),
                (_, Some(signal)) => format!(": {signal}"),
                _ => String::new(),
            };
            Some(Reason::new("exit_code", format!("exit code {code}{why}")))
        }
        ProcessEnd::Signal(number) => {
            let memory = if number == 9 { ", probably out of memory" } else { "" };
            Some(Reason::new("signal", format!("the command {status}{memory}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::shell_line;

    #[test]
    fn words_are_quoted_as_a_shell_needs_it() {
        let words = ["sh", "-c", "echo 'a b'", ""].map(Into::into);
        assert_eq!(shell_line(&words), r"sh -c 'echo '\''a b'\''' ''");
    }
}
