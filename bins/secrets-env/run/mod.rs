//! Running the command: by becoming it if nothing is hidden, or as a child whose output passes the redactor.

mod copy;
#[cfg(target_os = "linux")]
mod drain;
#[cfg(target_os = "linux")]
mod entry;
mod environment;
mod exec;
mod file;
mod find;
#[cfg(target_os = "linux")]
mod holder;
mod launch;
#[cfg(unix)]
#[cfg_attr(not(target_os = "linux"), path = "no_leftover.rs")]
mod leftover;
mod outcome;
#[cfg(target_os = "linux")]
mod reexec;
#[cfg(target_os = "linux")]
mod session;
#[cfg(unix)]
mod signals;
#[cfg_attr(not(target_os = "linux"), path = "no_store.rs")]
mod store;
#[cfg(unix)]
mod streams;
#[cfg_attr(not(unix), path = "no_supervise.rs")]
mod supervise;
#[cfg(unix)]
#[cfg_attr(not(target_os = "linux"), path = "no_terminal.rs")]
mod terminal;
#[cfg(unix)]
mod tree;
#[cfg_attr(not(unix), path = "no_watch.rs")]
mod watch;
#[cfg(target_os = "linux")]
mod watcher;

use std::ffi::OsStr;
use std::io;

use cli::{Console, Exit};
use runner::command::{Annotation, Level};

use crate::args::Args;
use crate::chosen::Chosen;
use crate::hidden::Hidden;
use crate::validate;
use file::Files;
use launch::{Launch, Redaction, redacts};
use outcome::{OWN_FAILURE, Outcome, code};

/// Does the job of a second start of this program, if this is one.
#[cfg(target_os = "linux")]
pub(crate) use entry::reexec_entry;

/// Only Linux needs a second start.
#[cfg(not(target_os = "linux"))]
pub(crate) fn reexec_entry() -> Option<std::process::ExitCode> {
    None
}

/// Runs the command of `args` with `secrets` in its environment.
pub(crate) fn command(
    args: &Args,
    mut secrets: Vec<Chosen>,
    hidden: &Hidden,
    console: &Console,
) -> anyhow::Result<Exit> {
    let name = &args.command[0];
    let all = secrets.clone();
    let as_files = file::take(&args.running.file, &mut secrets)?;
    validate::check_command(&secrets)?;
    let program = match find::program(name, console.environment().get("PATH")) {
        Ok(program) => program,
        Err(error) => return Ok(not_started(&error, name, console)),
    };
    let files = Files::new(as_files)?;
    let environment = environment::of_command(args, secrets, &files, console);
    let redaction = redacts(args, console).then(|| Redaction::new(hidden.clone()));
    let launch = Launch { program, words: args.command.clone(), environment, redaction };
    // Elsewhere than on Linux, the supervisor has to remove the files.
    let removes_files = !files.is_empty() && !cfg!(target_os = "linux");
    let outcome = if args.running.watch {
        watch::run(launch, all, files, args, console)
    } else if launch.redaction.is_some() || removes_files {
        supervise::run(launch, None)
    } else {
        exec::run(launch)
    };
    Ok(match outcome {
        Ok(Outcome { exit, lost: None }) => exit,
        Ok(Outcome { exit, lost: Some(error) }) => not_shown(&error, exit, name, console),
        Err(error) => not_started(&error, name, console),
    })
}

/// Some of the output is lost, so this is not a success. If the command ended by SIGPIPE, that was a consequence.
fn not_shown(error: &io::Error, exit: Exit, program: &OsStr, console: &Console) -> Exit {
    report(console, &format!("cannot write all that `{}` printed\n  caused by: {error}", program.display()));
    if [0, 128 + 13].contains(&exit.code()) { Exit::Child(OWN_FAILURE) } else { exit }
}

/// Reports why the command did not start. Returns the code `env` would end with.
fn not_started(error: &io::Error, program: &OsStr, console: &Console) -> Exit {
    let help = match error.kind() {
        io::ErrorKind::ArgumentListTooLong => {
            "\n  help: select fewer secrets with --only, or pass large ones with --file"
        }
        _ => "",
    };
    report(console, &format!("cannot run `{}`\n  caused by: {error}{help}", program.display()));
    Exit::Child(code(error))
}

/// Prints an error for the exit codes that are not a fault's: 125 to 127.
fn report(console: &Console, text: &str) {
    if console.context().in_actions {
        console.annotate(&[Annotation::new(Level::Error, console.tool(), text)]);
    } else {
        console.status(&format!("error: {text}"));
    }
}
