//! How a command ended, and the codes for one that did not start.

use std::io;

use cli::Exit;

/// Our own failure to run a command, as in `env` and `timeout`.
pub(super) const OWN_FAILURE: u8 = 125;
const NOT_EXECUTABLE: u8 = 126;
const NOT_FOUND: u8 = 127;

/// How a supervised command ended.
#[derive(Debug)]
pub(super) struct Outcome {
    /// The command's code.
    pub(super) exit: Exit,
    /// Why some of its output could not be written, if it could not.
    pub(super) lost: Option<io::Error>,
}

/// The code that `env` ends with if it cannot run a command.
pub(super) fn code(error: &io::Error) -> u8 {
    match error.kind() {
        io::ErrorKind::NotFound => NOT_FOUND,
        io::ErrorKind::PermissionDenied => NOT_EXECUTABLE,
        _ => OWN_FAILURE,
    }
}
