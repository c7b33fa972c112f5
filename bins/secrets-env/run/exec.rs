//! Runs a command whose output is not redacted.

use std::io;

use super::launch::Launch;
use super::outcome::Outcome;

/// Becomes the command: nothing of us is left, and codes and signals are its own. Returns only if that failed.
#[cfg(unix)]
#[expect(clippy::needless_pass_by_value, reason = "on other systems the supervisor keeps it")]
pub(super) fn run(launch: Launch) -> io::Result<Outcome> {
    use std::os::unix::process::CommandExt as _;
    let mut command = launch.plain();
    launch.environment.apply(&mut command);
    Err(command.exec())
}

/// A process cannot become another here, so we wait for it.
#[cfg(not(unix))]
pub(super) fn run(launch: Launch) -> io::Result<Outcome> {
    super::supervise::run(launch, None)
}
