//! A command with everything it is started with.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use cli::Console;

use super::copy::SharedPlan;
use super::environment::Changes;
#[cfg(unix)]
use super::terminal::Terminal;
use crate::args::Args;
use crate::hidden::Hidden;

/// A command to start.
pub(super) struct Launch {
    /// The file to run.
    pub(super) program: PathBuf,
    /// The command line, its name first.
    pub(super) words: Vec<OsString>,
    /// Its environment.
    pub(super) environment: Changes,
    /// What to hide in its output, if it is redacted.
    pub(super) redaction: Option<Redaction>,
}

/// What to hide in the output of a command.
pub(super) struct Redaction {
    /// The secrets.
    pub(super) hidden: Hidden,
    /// Their plan.
    pub(super) plan: SharedPlan,
}

impl Redaction {
    pub(super) fn new(hidden: Hidden) -> Self {
        let plan = SharedPlan::new(hidden.plan());
        Self { hidden, plan }
    }
}

impl Launch {
    /// The command as a child that is killed with us; with a terminal, by way of the leader of its session. Without the terminal if that
    /// cannot be done.
    #[cfg(target_os = "linux")]
    pub(super) fn supervised(&self, terminal: Option<Terminal>) -> (Command, Option<Terminal>) {
        use super::reexec::{self, Start};
        let has_session = terminal.as_ref().is_some_and(Terminal::has_session);
        let start = if has_session { Start::Lead } else { Start::Become };
        match reexec::command(start, &self.program, &self.words) {
            Ok(command) => (command, terminal),
            Err(_) => (self.plain(), None),
        }
    }

    /// The command as a child.
    #[cfg(all(unix, not(target_os = "linux")))]
    pub(super) fn supervised(&self, _: Option<Terminal>) -> (Command, Option<Terminal>) {
        (self.plain(), None)
    }

    /// The command by itself.
    pub(super) fn plain(&self) -> Command {
        plain(&self.program, &self.words)
    }
}

/// Output is redacted on request, and in Actions unless switched off.
pub(super) fn redacts(args: &Args, console: &Console) -> bool {
    args.running.redact || (console.context().in_actions && !args.running.no_redact)
}

/// `program` with the command line `words`, its name first.
pub(super) fn plain(program: &Path, words: &[OsString]) -> Command {
    let mut command = Command::new(program);
    command.args(&words[1..]);
    #[cfg(unix)]
    {
        std::os::unix::process::CommandExt::arg0(&mut command, &words[0]);
        inherit::pass_on_ignored(&mut command);
    }
    command
}
