//! Runs the command behind `--`: its output goes to our stderr byte for byte, and into a file that is read afterwards.
//!
//! A pipe cannot see how the program before it ended, and a report cannot tell what its writer did not write. Here both are
//! seen, and the files that the command was to write are held against what was there before it began.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io::{IsTerminal as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use child::{Child, OutputMode, ProcessEnd, Tail};
use cli::Exit;
use fault::{Fault, Result};
use jiff::Timestamp;
use report::{Reason, verdict};
use run::{Stop, StopReason};

use super::operands::matching;

/// How many lines of output a report keeps.
const LINES: usize = 200;

/// A command that has ended.
#[derive(Debug)]
pub(crate) struct Ran {
    /// The check: `checks/pytest`.
    pub(crate) check: String,
    /// How it is run again, as a shell takes it.
    pub(crate) line: String,
    pub(crate) status: ProcessEnd,
    /// Why we stopped it.
    pub(crate) stopped: Option<StopReason>,
    pub(crate) started_at: Timestamp,
    pub(crate) ended_at: Timestamp,
    pub(crate) seconds: f64,
    /// Everything it printed.
    pub(crate) output: std::fs::File,
    /// The last lines of it.
    pub(crate) tail: String,
    /// Reports that it wrote.
    pub(crate) reports: Vec<PathBuf>,
    /// What is wrong with those that it was to write.
    pub(crate) problems: Vec<(String, Reason)>,
    /// Remarks: files that are older than the command.
    pub(crate) notes: Vec<String>,
}

/// What to run, and which reports to read afterwards.
#[derive(Clone, Debug)]
pub(crate) struct Plan<'a> {
    pub(crate) command: &'a [OsString],
    /// Globs.
    pub(crate) reports: &'a [String],
    /// The check's name, unless it is the program's.
    pub(crate) name: Option<&'a str>,
    pub(crate) allow_stale: bool,
}

/// The state of a file, to find out whether it was written since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    file: u64,
    size: u64,
    changed: (i64, i64),
    modified: Option<std::time::SystemTime>,
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
pub(crate) fn run(plan: &Plan<'_>) -> Result<std::result::Result<Ran, NotStarted>> {
    let before = marks(plan.reports)?;
    let mut output = tempfile::tempfile()
        .map_err(|error| Fault::temporary("cannot keep the command's output").cause(error.to_string()))?;
    let (begun, started_at) = (Instant::now(), Timestamp::now());
    let mut tail = Tail::new(LINES);
    let ended = match cli::block_on(supervised(plan.command, &mut output, &mut tail))? {
        Ok(ended) => ended?,
        Err(error) => return Ok(Err(not_started(plan.command, &error))),
    };
    output.rewind().map_err(|error| Fault::temporary("cannot read the command's output").cause(error.to_string()))?;
    let (status, stopped) = ended;
    let mut ran = Ran {
        check: check(plan),
        line: shell_line(plan.command),
        status,
        stopped,
        started_at,
        ended_at: Timestamp::now(),
        seconds: begun.elapsed().as_secs_f64(),
        output,
        tail: tail.lines().iter().map(|line| String::from_utf8_lossy(line).into_owned() + "\n").collect(),
        reports: Vec::new(),
        problems: Vec::new(),
        notes: Vec::new(),
    };
    for pattern in plan.reports {
        take_reports(pattern, &before, plan.allow_stale, &mut ran)?;
    }
    Ok(Ok(ran))
}

type Ended = Result<(ProcessEnd, Option<StopReason>)>;

/// The inner error: it cannot be started.
async fn supervised(
    words: &[OsString],
    output: &mut std::fs::File,
    tail: &mut Tail,
) -> std::result::Result<Ended, std::io::Error> {
    let mut command = std::process::Command::new(&words[0]);
    command.args(&words[1..]);
    // A program in a background group is stopped when it reads the terminal.
    if std::io::stdin().is_terminal() {
        command.stdin(Stdio::null());
    }
    let stop = match Stop::watch(None) {
        Ok(stop) => stop,
        Err(fault) => return Ok(Err(fault)),
    };
    let child = Child::start(command, OutputMode::Joined)?;
    let requested = async { stop.requested().await.signal() };
    let ended = child
        .wait(requested, |_, bytes| {
            // A stderr that takes nothing, or a full disk, must not stop the command.
            let _ = std::io::stderr().write_all(bytes);
            let _ = output.write_all(bytes);
            tail.push(bytes);
        })
        .await?;
    Ok(Ok((ended.status, stop.reason().filter(|_| ended.stopped.is_some()))))
}

fn not_started(words: &[OsString], error: &std::io::Error) -> NotStarted {
    let program = words[0].to_string_lossy();
    let (code, help) = match error.kind() {
        std::io::ErrorKind::NotFound => (127, "install it, or write the path of the program"),
        std::io::ErrorKind::PermissionDenied => (126, "make it executable, or name the interpreter before it"),
        _ => (125, "check that the system can start another process"),
    };
    let fault = Fault::failed(format!("cannot start `{program}`")).cause(error.to_string()).help(help);
    NotStarted { exit: Exit::Child(code), fault }
}

/// `checks/` and the program's name, unless it has another.
fn check(plan: &Plan<'_>) -> String {
    let program = Path::new(&plan.command[0]).file_stem().map(|name| name.to_string_lossy().into_owned());
    let name = plan.name.map_or_else(|| crate::slug::slug(&program.unwrap_or_default()), str::to_owned);
    if name.contains('/') { name } else { format!("checks/{name}") }
}

/// The reports that a glob matches now, as far as the command wrote them.
fn take_reports(pattern: &str, before: &HashMap<PathBuf, Mark>, allow_stale: bool, ran: &mut Ran) -> Result<()> {
    let files = matching(pattern)?;
    if files.is_empty() {
        let text = format!("the command wrote no report that matches `{pattern}`");
        ran.problems.push((pattern.to_owned(), Reason::new("report_absent", text)));
        return Ok(());
    }
    let is_new = |path: &PathBuf| before.get(path).is_none_or(|old| mark(path).is_some_and(|now| now != *old));
    let (new, old): (Vec<_>, Vec<_>) = files.into_iter().partition(is_new);
    let older = verdict::count(old.len() as u64, "older file");
    if old.is_empty() {
        // Nothing to say.
    } else if allow_stale {
        ran.notes.push(format!("{older} read as well: --allow-stale"));
        ran.reports.extend(old);
    } else if new.is_empty() {
        let text = format!("{older} not read: the command wrote no report that matches `{pattern}`");
        ran.problems.push((pattern.to_owned(), Reason::new("stale", text)));
    } else {
        ran.notes.push(format!("{older} not read: the command did not write them"));
    }
    ran.reports.extend(new);
    Ok(())
}

fn marks(patterns: &[String]) -> Result<HashMap<PathBuf, Mark>> {
    let mut found = HashMap::new();
    for pattern in patterns {
        for path in matching(pattern)? {
            found.extend(mark(&path).map(|mark| (path, mark)));
        }
    }
    Ok(found)
}

fn mark(path: &Path) -> Option<Mark> {
    let metadata = path.metadata().ok()?;
    #[cfg(unix)]
    let (file, changed) = {
        use std::os::unix::fs::MetadataExt as _;
        (metadata.ino(), (metadata.ctime(), metadata.ctime_nsec()))
    };
    #[cfg(not(unix))]
    let (file, changed) = (0, (0, 0));
    Some(Mark { file, size: metadata.len(), changed, modified: metadata.modified().ok() })
}

/// The words as a shell takes them.
fn shell_line(words: &[OsString]) -> String {
    let quoted = words.iter().map(|word| {
        let word = word.to_string_lossy();
        let is_plain =
            !word.is_empty() && word.chars().all(|letter| letter.is_alphanumeric() || "-_./=:@%+,".contains(letter));
        if is_plain { word.into_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

/// What the end of the command amounts to.
pub(crate) fn ending(ran: &Ran) -> Option<Reason> {
    if let Some(stopped) = ran.stopped {
        return Some(Reason::new("interrupted", stopped.to_string()));
    }
    match ran.status {
        status if status.is_success() => None,
        ProcessEnd::Code(code) => {
            // A shell reports the death of its child so.
            let memory = if code == 137 { ", probably out of memory" } else { "" };
            Some(Reason::new("exit_code", format!("exit code {code}{memory}")))
        }
        ProcessEnd::Signal(number) => {
            let memory = if number == 9 { ", probably out of memory" } else { "" };
            Some(Reason::new("signal", format!("the command {}{memory}", ran.status)))
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
