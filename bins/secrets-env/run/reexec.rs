//! Starts this program again, for jobs that need another process (Linux).
//!
//! Some things can only be done by a process to itself: asking the kernel to be killed with its parent (`PR_SET_PDEATHSIG`, which
//! Rust cannot call between `fork` and `exec` without unsafe code), leading a session, outliving the command. Such a process is this
//! program under another `argv[0]`; [`super::entry`] does what the name asks for.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use runner::Environment;

/// The job of such a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// Become the command.
    Become,
    /// Stop, and become the command when continued.
    Wait,
    /// Lead a session on the terminal that is its standard input, and run the command there.
    Lead,
    /// Hold secrets that the command reads as files.
    Hold,
    /// Kill the command's process group if the supervisor is killed.
    Watch,
    /// Redact what the command's background processes print after its end.
    Drain,
}

/// The `argv[0]` of each; `ps` shows it. The arguments after it: the parent's process id, then what the job needs.
const NAMES: [(Start, &str); 6] = [
    (Start::Become, "secrets-env: about to become the command"),
    (Start::Wait, "secrets-env: waits to become the command"),
    (Start::Lead, "secrets-env: leads the session of the command"),
    (Start::Hold, "secrets-env: holds secrets that are passed as files"),
    (Start::Watch, "secrets-env: ends the command if the supervisor is killed"),
    (Start::Drain, "secrets-env: redacts the output of background processes"),
];

impl Start {
    /// The job that `name` means.
    pub(super) fn of(name: &OsString) -> Option<Self> {
        NAMES.iter().find(|(_, known)| name == known).map(|(start, _)| *start)
    }

    fn name(self) -> &'static str {
        NAMES.iter().find(|(start, _)| *start == self).map_or("", |(_, name)| name)
    }
}

/// A start that becomes, or runs, `words` at `program`.
pub(super) fn command(start: Start, program: &Path, words: &[OsString]) -> io::Result<Command> {
    let mut command = this_program(start)?;
    command.arg(program).args(words);
    inherit::pass_on_ignored(&mut command);
    Ok(command)
}

/// A start that works beside the command: it has no secrets in its environment, and keeps no folder busy.
///
/// It keeps `RUNNER_TRACKING_ID`, by which the runner finds processes to end after a job.
pub(super) fn helper(start: Start) -> io::Result<Command> {
    let mut command = this_program(start)?;
    command.env_clear().current_dir("/");
    if let Some(id) = Environment::of_process().get("RUNNER_TRACKING_ID") {
        command.env("RUNNER_TRACKING_ID", id);
    }
    Ok(command)
}

fn this_program(start: Start) -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg0(start.name()).arg(std::process::id().to_string());
    Ok(command)
}
