//! How a program ended.

use std::fmt;
use std::process::ExitStatus;

use crate::Signal;

/// How a program ended, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// How the program itself ended.
    pub status: ProcessEnd,
    /// Why we stopped it; `None` if it ended by itself.
    pub stopped: Option<Stopped>,
    /// Whether a process that it left running still holds its output open; what that writes is not read.
    pub output_held: bool,
}

/// The end of a process. Displays as a predicate: `failed with exit code 3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessEnd {
    /// It exited with this code.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
}

/// Why a program was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// The caller asked for it.
    By(Signal),
    /// Its time limit passed.
    TimedOut,
}

impl ProcessEnd {
    /// Whether it exited with code 0.
    #[must_use]
    pub fn is_success(self) -> bool {
        self == Self::Code(0)
    }

    /// Its exit code; `None` if a signal ended it.
    #[must_use]
    pub fn code(self) -> Option<i32> {
        match self {
            Self::Code(code) => Some(code),
            Self::Signal(_) => None,
        }
    }

    /// The name of the signal that ended it, or that a shell reports by its exit code (128 and the signal's number).
    #[must_use]
    pub fn signal_name(self) -> Option<&'static str> {
        match self {
            Self::Code(code) => code.checked_sub(128).and_then(name),
            Self::Signal(number) => name(number),
        }
    }

    /// The exit code that a shell would report: 128 and the signal's number if a signal ended it.
    #[must_use]
    pub fn shell_code(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::Signal(number) => 128 + number,
        }
    }
}

impl From<ExitStatus> for ProcessEnd {
    fn from(status: ExitStatus) -> Self {
        #[cfg(unix)]
        if let Some(number) = std::os::unix::process::ExitStatusExt::signal(&status) {
            return Self::Signal(number);
        }
        // A process that has ended has a code or a signal.
        Self::Code(status.code().unwrap_or(-1))
    }
}

impl fmt::Display for ProcessEnd {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(0) => out.write_str("succeeded"),
            Self::Code(code) => write!(out, "failed with exit code {code}"),
            Self::Signal(number) => match name(*number) {
                Some(name) => write!(out, "was ended by {name}"),
                None => write!(out, "was ended by signal {number}"),
            },
        }
    }
}

/// The names of signals whose numbers are the same on every Unix.
fn name(number: i32) -> Option<&'static str> {
    Some(match number {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        6 => "SIGABRT",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::ProcessEnd;

    #[test]
    fn an_end_is_a_code_or_a_named_signal() {
        assert_eq!(ProcessEnd::Code(3).to_string(), "failed with exit code 3");
        assert_eq!(ProcessEnd::Signal(9).to_string(), "was ended by SIGKILL");
        assert_eq!(ProcessEnd::Signal(63).to_string(), "was ended by signal 63");
        assert_eq!(ProcessEnd::Code(139).signal_name(), Some("SIGSEGV"));
        assert_eq!((ProcessEnd::Code(3).signal_name(), ProcessEnd::Code(255).signal_name()), (None, None));
        assert_eq!((ProcessEnd::Signal(9).shell_code(), ProcessEnd::Signal(9).code()), (137, None));
    }
}
