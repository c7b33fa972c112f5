//! Kills the command's process group if the supervisor is killed (Linux).
//!
//! `PR_SET_PDEATHSIG` ends the command itself, not the processes that it started. Those would go on with the secrets in their environment
//! and with output that nothing redacts. So a process with a pipe from the supervisor watches: the pipe closes when the supervisor
//! dies, and a byte in it means that the supervisor ended as it should.

use std::ffi::OsString;
use std::io::{self, PipeWriter, Read as _};
use std::process::{Child, ExitCode, Stdio};

use rustix::process::{Pid, Signal, kill_process_group, setsid};

use super::reexec::{self, Start};

/// The supervisor's end of the pipe.
#[derive(Debug)]
pub(super) struct Leash {
    pipe: PipeWriter,
    watcher: Child,
}

impl Leash {
    /// Starts a watcher for `group`.
    pub(super) fn start(group: Pid) -> io::Result<Self> {
        let (watched, pipe) = io::pipe()?;
        let mut command = reexec::helper(Start::Watch)?;
        command.arg(group.as_raw_nonzero().to_string()).stdin(watched).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self { pipe, watcher: command.spawn()? })
    }

    /// Ends the watcher and leaves the group as it is.
    pub(super) fn release(mut self) {
        release(&mut self.pipe);
        // Its end takes no time; without this it would stay a zombie of a supervisor that starts a command again.
        let _ = self.watcher.wait();
    }

    /// The pipe, for another process that holds the leash too.
    pub(super) fn pipe(&self) -> &PipeWriter {
        &self.pipe
    }
}

/// Writes the byte that ends the watcher.
pub(super) fn release(pipe: &mut impl io::Write) {
    // A watcher that has died kills nothing.
    let _ = pipe.write_all(b".");
}

/// The watcher: `words` is the process group.
pub(super) fn run(words: &[OsString]) -> ExitCode {
    let group = words.first().and_then(|word| word.to_str()?.parse().ok()).and_then(Pid::from_raw);
    let Some(group) = group else { return ExitCode::FAILURE };
    inherit::close_all_but(&[]);
    // Not reached by signals to the group of the supervisor, such as those of the keyboard.
    let _ = setsid();
    let mut byte = [0];
    let ended_well = loop {
        match io::stdin().read(&mut byte) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => break outcome.is_ok_and(|count| count > 0),
        }
    };
    if !ended_well {
        let _ = kill_process_group(group, Signal::KILL);
    }
    ExitCode::SUCCESS
}
