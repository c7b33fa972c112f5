//! The moment between our process and the command's (Linux): asks the kernel to kill the command when its supervisor dies.
//!
//! The request (`PR_SET_PDEATHSIG`) has to be made by the child between `fork` and `exec`, where only unsafe code can stand. So the
//! supervisor starts this program once more, under a name of its own; it makes the request and becomes the command. A command with a
//! terminal of its own is started by a leader of that terminal's session ([`super::session`]), which is started in the same way.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitCode};

use rustix::process::{Pid, Signal, getpid, getppid, kill_process, set_parent_process_death_signal};

use super::session;

/// What a start of this program is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// To become the command.
    Become,
    /// To stop, and to become the command when it is told to go on.
    Wait,
    /// To lead a session on the terminal that is its standard input, and run the command there.
    Lead,
}

/// The names (`argv[0]`) of such starts. Their arguments: the parent's id, the program, the command line.
const NAMES: [(Start, &str); 3] = [
    (Start::Become, "secrets-env: about to become the command"),
    (Start::Wait, "secrets-env: waits to become the command"),
    (Start::Lead, "secrets-env: leads the session of the command"),
];

impl Start {
    fn name(self) -> &'static str {
        NAMES.iter().find(|(start, _)| *start == self).map_or("", |(_, name)| name)
    }
}

/// The command that starts `words` at `program` by way of this program.
pub(super) fn command(start: Start, program: &Path, words: &[OsString]) -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg0(start.name()).arg(std::process::id().to_string()).arg(program).args(words);
    Ok(command)
}

/// Does what this start is for when it is not the user's; returns only when that failed or is over.
pub(crate) fn reexec_entry() -> Option<ExitCode> {
    let mut words = std::env::args_os();
    let name = words.next()?;
    let (start, _) = NAMES.iter().find(|(_, own)| name == *own)?;
    let parent = words.next()?.to_str()?.parse().ok().and_then(Pid::from_raw)?;
    let (program, words) = (words.next()?, words.collect::<Vec<_>>());
    let shown = words.first()?.display().to_string();
    // Without it the command only outlives a supervisor that is killed, as it would anywhere but on Linux.
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    if getppid() != Some(parent) {
        // It died before the request was made.
        return Some(ExitCode::from(super::OWN_FAILURE));
    }
    let error = match start {
        Start::Lead => match session::lead(Path::new(&program), &words) {
            Ok(exit) => return Some(ExitCode::from(exit.code())),
            Err(error) => error,
        },
        Start::Wait => match kill_process(getpid(), Signal::STOP) {
            Ok(()) => super::plain(Path::new(&program), &words).exec(),
            Err(error) => error.into(),
        },
        Start::Become => super::plain(Path::new(&program), &words).exec(),
    };
    let _ = writeln!(io::stderr(), "error: cannot run `{shown}`\n  caused by: {error}");
    Some(ExitCode::from(super::code(&error)))
}
