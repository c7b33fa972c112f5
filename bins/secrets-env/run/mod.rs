//! Running the command: in our place when nothing is hidden, under our eyes when its output passes the redactor.

mod copy;
mod environment;
mod file;
mod find;
#[cfg(target_os = "linux")]
mod reexec;
#[cfg(target_os = "linux")]
mod session;
#[cfg(unix)]
mod signals;
mod supervise;
#[cfg_attr(not(target_os = "linux"), path = "no_terminal.rs")]
mod terminal;

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;
use std::process::Command;

use cli::{Console, Exit};
use redact::Plan;
use runner::command::{Annotation, Level};

use crate::args::Args;
use crate::chosen::Chosen;
use crate::validate;
use environment::Changes;
use supervise::Outcome;

/// What a second start of this program is for, if this is one.
#[cfg(target_os = "linux")]
pub(crate) use reexec::reexec_entry;

/// Only Linux needs a second start.
#[cfg(not(target_os = "linux"))]
pub(crate) fn reexec_entry() -> Option<std::process::ExitCode> {
    None
}

/// Our own failure to run a command, as `env` and `timeout` have it.
const OWN_FAILURE: u8 = 125;
const NOT_EXECUTABLE: u8 = 126;
const NOT_FOUND: u8 = 127;

/// Runs the command of `args` with `secrets` in its environment.
pub(crate) fn command(args: &Args, mut secrets: Vec<Chosen>, plan: &Plan, console: &Console) -> anyhow::Result<Exit> {
    let files = file::hand_over(&args.running.file, &mut secrets)?;
    validate::check_command(&secrets)?;
    let name = &args.command[0];
    let program = match find::program(name, console.environment().get("PATH")) {
        Ok(program) => program,
        Err(error) => return Ok(not_started(&error, name, console)),
    };
    let environment = environment::of_command(args, secrets, &files, console);
    let outcome = if redacts(args, console) {
        supervise::run(&program, &args.command, &environment, Some(plan))
    } else if !files.is_empty() && !cfg!(target_os = "linux") {
        // Somebody has to stay and remove the files.
        supervise::run(&program, &args.command, &environment, None)
    } else {
        as_it_is(&program, &args.command, &environment)
    };
    Ok(match outcome {
        Ok(Outcome { exit, lost: None }) => exit,
        Ok(Outcome { exit, lost: Some(error) }) => not_shown(&error, exit, name, console),
        Err(error) => not_started(&error, name, console),
    })
}

/// Some of the output is lost, so this is no success; the end that comes of it (`SIGPIPE`) is not the command's own either.
fn not_shown(error: &io::Error, exit: Exit, program: &OsStr, console: &Console) -> Exit {
    tell(console, &format!("cannot write all that `{}` printed\n  caused by: {error}", program.display()));
    if [0, 128 + 13].contains(&exit.code()) { Exit::Child(OWN_FAILURE) } else { exit }
}

/// Becomes the command: nothing of us stays behind, and codes and signals are its own.
#[cfg(unix)]
fn as_it_is(program: &Path, words: &[OsString], environment: &Changes) -> io::Result<Outcome> {
    use std::os::unix::process::CommandExt as _;
    let mut command = plain(program, words);
    environment.apply(&mut command);
    // `exec` returns only when it failed.
    Err(command.exec())
}

/// `program` with the command line `words`, its own name first.
fn plain(program: &Path, words: &[OsString]) -> Command {
    let mut command = Command::new(program);
    command.args(&words[1..]);
    #[cfg(unix)]
    std::os::unix::process::CommandExt::arg0(&mut command, &words[0]);
    command
}

/// Where a process cannot become another, it waits for it.
#[cfg(not(unix))]
fn as_it_is(program: &Path, words: &[OsString], environment: &Changes) -> io::Result<Outcome> {
    supervise::run(program, words, environment, None)
}

/// Output is redacted when asked for, and inside Actions unless asked not to.
fn redacts(args: &Args, console: &Console) -> bool {
    args.running.redact || (console.context().in_actions && !args.running.no_redact)
}

/// Says why the command did not start; the code `env` would end with.
fn not_started(error: &io::Error, program: &OsStr, console: &Console) -> Exit {
    let help = match error.kind() {
        io::ErrorKind::ArgumentListTooLong => {
            "\n  help: choose fewer secrets with --only, or hand large ones over with --file"
        }
        _ => "",
    };
    tell(console, &format!("cannot run `{}`\n  caused by: {error}{help}", program.display()));
    Exit::Child(code(error))
}

/// The code that `env` ends with when it cannot run a command.
fn code(error: &io::Error) -> u8 {
    match error.kind() {
        io::ErrorKind::NotFound => NOT_FOUND,
        io::ErrorKind::PermissionDenied => NOT_EXECUTABLE,
        _ => OWN_FAILURE,
    }
}

/// The contract's error, for the ends that are not a fault's: 125 to 127.
fn tell(console: &Console, text: &str) {
    if console.context().in_actions {
        console.annotate(&[Annotation::new(Level::Error, console.tool(), text)]);
    } else {
        console.status(&format!("error: {text}"));
    }
}
