//! The beginning of every start of this program: does the job of a second start ([`super::reexec`]), and protects the first.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::ExitCode;

use rustix::process::{
    DumpableBehavior, Pid, Signal, getpid, getppid, kill_process, set_dumpable_behavior,
    set_parent_process_death_signal,
};

use super::launch::plain;
use super::outcome::{OWN_FAILURE, code};
use super::reexec::Start;
use super::{drain, holder, session, watcher};

/// Does the job of a second start, if this is one. Returns only when the job failed or is over.
pub(crate) fn reexec_entry() -> Option<ExitCode> {
    let mut words = std::env::args_os();
    let start = words.next().as_ref().and_then(Start::of);
    if start != Some(Start::Hold) {
        // The environment and the memory hold secrets. This hides both from other processes of the user, and prevents core dumps.
        // `exec` undoes it, so the command is not affected.
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
    let start = start?;
    let parent = words.next()?.to_str()?.parse().ok().and_then(Pid::from_raw)?;
    let words: Vec<OsString> = words.collect();
    Some(match start {
        Start::Become | Start::Wait | Start::Lead => run_command(start, parent, &words),
        Start::Hold => holder::run(parent),
        Start::Watch => watcher::run(&words),
        Start::Drain => drain::run(),
    })
}

/// Becomes or runs the command; `words` are the program and the command line.
fn run_command(start: Start, parent: Pid, words: &[OsString]) -> ExitCode {
    let Some((program, words)) = words.split_first().filter(|(_, words)| !words.is_empty()) else {
        return ExitCode::from(OWN_FAILURE);
    };
    // If this fails, the command outlives a supervisor that is killed, as it does on other systems.
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    if getppid() != Some(parent) {
        // The supervisor died before the request was made.
        return ExitCode::from(OWN_FAILURE);
    }
    let program = Path::new(program);
    let error = match start {
        Start::Lead => match session::lead(program, words) {
            Ok(exit) => return ExitCode::from(exit.code()),
            Err(error) => error,
        },
        Start::Wait => match kill_process(getpid(), Signal::STOP) {
            Ok(()) => plain(program, words).exec(),
            Err(error) => error.into(),
        },
        _ => plain(program, words).exec(),
    };
    let _ = writeln!(io::stderr(), "error: cannot run `{}`\n  caused by: {error}", words[0].display());
    ExitCode::from(code(&error))
}
