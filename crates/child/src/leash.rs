//! A process group that ends when this process ends, however that happens.
//!
//! A small watcher (`/bin/sh`) leads the group and reads from a pipe whose other end only we hold. The kernel closes our end when we
//! die, even by SIGKILL; the watcher then kills the group, itself included. `PR_SET_PDEATHSIG` would need unsafe code between `fork` and
//! `exec`, covers Linux only, and reaches one process instead of a group.
//!
//! The watcher is started before the program, so there is no moment at which the program runs unwatched. It ignores every signal
//! that a program may send to its own group, and it has neither our environment nor our streams.

use std::io::{self, PipeWriter};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, kill_process_group, test_kill_process_group};

use crate::Signal;

/// What the watcher runs: the read ends when our end of the pipe is closed, and only then.
const WATCHER: &str = "trap '' HUP INT QUIT TERM USR1 USR2 ALRM TSTP TTIN TTOU; read -r _; kill -KILL 0";

/// A process group that does not outlive this process. Dropped, it is killed, unless it was released.
#[derive(Debug)]
pub struct Leash {
    watcher: Child,
    group: Option<Pid>,
    /// Held open. When it closes, the watcher kills the group.
    _held: PipeWriter,
}

impl Leash {
    /// Makes a group with no process in it but the watcher.
    ///
    /// # Errors
    /// `/bin/sh` cannot be started, or the system is out of processes or file descriptors.
    pub fn new() -> io::Result<Self> {
        let (read_end, held) = io::pipe()?;
        let mut command = Command::new("/bin/sh");
        command.args(["-c", WATCHER]).env_clear().current_dir("/").process_group(0);
        command.stdin(read_end).stdout(Stdio::null()).stderr(Stdio::null());
        let watcher = command.spawn()?;
        let group = Some(Pid::from_child(&watcher));
        Ok(Self { watcher, group, _held: held })
    }

    /// Makes `command` start in this group. It ignores the signals that we were started to ignore, as POSIX has it.
    pub(crate) fn tie(&self, command: &mut Command) {
        inherit::pass_on_ignored(command);
        if let Some(group) = self.group {
            command.process_group(group.as_raw_nonzero().get());
        }
    }

    /// Sends a signal to every process of the group. Stopped ones are woken, so that they can act on it.
    pub fn signal(&self, signal: Signal) {
        if let Some(group) = self.group {
            // A group that is gone needs no signal.
            let _ = kill_process_group(group, signal.raw());
            let _ = kill_process_group(group, rustix::process::Signal::CONT);
        }
    }

    /// Whether a process of the group other than the watcher is left. The first call ends the watcher: call it only when the
    /// group is about to end.
    pub(crate) fn has_members(&mut self) -> bool {
        self.end_watcher();
        self.group.is_some_and(|group| test_kill_process_group(group).is_ok())
    }

    /// Kills every process of the group.
    pub fn kill(&mut self) {
        if let Some(group) = self.group.take() {
            // It may be gone already.
            let _ = kill_process_group(group, rustix::process::Signal::KILL);
        }
        self.end_watcher();
    }

    /// Lets what is left of the group go on by itself.
    pub fn release(&mut self) {
        self.group = None;
        self.end_watcher();
    }

    /// Ends the watcher alone. SIGKILL, because it may have been stopped with its group.
    fn end_watcher(&mut self) {
        // It may have ended with its group; either way there is an exit status to collect.
        let _ = self.watcher.kill();
        let _ = self.watcher.wait();
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        self.kill();
    }
}
