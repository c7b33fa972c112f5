//! The moment between our process and the command's (Linux): asks the kernel to kill the command when its supervisor dies.
//!
//! The request (`PR_SET_PDEATHSIG`) has to be made by the child between `fork` and `exec`, where only unsafe code can stand. So the
//! supervisor starts this program once more, under a name of its own; it makes the request and becomes the command.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitCode};

use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

/// The name (`argv[0]`) of the second start. Its arguments: the supervisor's id, the program, the command line.
const NAME: &str = "secrets-env: about to become the command";

/// The command that starts `words` at `program` by way of this program.
pub(super) fn command(program: &Path, words: &[OsString]) -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg0(NAME).arg(std::process::id().to_string()).arg(program).args(words);
    Ok(command)
}

/// Becomes the command when this is the second start; returns only when that failed.
pub(crate) fn launched() -> Option<ExitCode> {
    let mut words = std::env::args_os();
    if words.next()? != NAME {
        return None;
    }
    let supervisor = words.next()?.to_str()?.parse().ok().and_then(Pid::from_raw)?;
    let (program, name) = (words.next()?, words.next()?);
    // Without it the command only outlives a supervisor that is killed, as it would anywhere but on Linux.
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    if getppid() != Some(supervisor) {
        // It died before the request was made.
        return Some(ExitCode::from(super::OWN_FAILURE));
    }
    let error = Command::new(program).arg0(&name).args(words).exec();
    let _ = writeln!(io::stderr(), "error: cannot run `{}`\n  caused by: {error}", name.display());
    Some(ExitCode::from(if error.kind() == io::ErrorKind::NotFound { super::NOT_FOUND } else { super::NOT_EXECUTABLE }))
}
