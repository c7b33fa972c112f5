//! A process group that ends when this process ends, however that happens.
//!
//! A small watcher (`/bin/sh`) leads the group and reads from a pipe whose other end only we hold. The kernel closes our end when we
//! die, even by SIGKILL; the watcher then kills the group, itself included. `PR_SET_PDEATHSIG` would need unsafe code between `fork` and
//! `exec`, covers Linux only, and reaches one process instead of a group.
//!
//! The watcher is started before the program, so there is no moment at which the program runs unwatched. It ignores every signal
//! that a program may send to its own group, and it has neither our environment nor our streams.
//!
//! A program in its own session leads its own group, which no process of another session can join. Its watcher learns the group's id from
//! the program's process itself, before the program begins.

use std::io::{self, PipeReader, PipeWriter, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, kill_process_group, test_kill_process_group};

use crate::job::Job;
use crate::keyboard::Keyboard;
use crate::signal::Signal;

/// What the watcher runs: the read ends when our end of the pipe is closed, and only then.
const WATCHER: &str = "trap '' HUP INT QUIT TERM USR1 USR2 ALRM TSTP TTIN TTOU; read -r _; kill -KILL 0";

/// The same for the group of a session.
const OF_SESSION: &str =
    "trap '' HUP INT QUIT TERM USR1 USR2 ALRM TSTP TTIN TTOU; read -r group && { read -r _; kill -KILL \"-$group\"; }";

/// The same for a group in the foreground: a ^C and a new size of the terminal reach it and not us, so the watcher reports them (`I`, `W`).
/// `read` ends then too. It answers a blank line (`A`) after what it had to report.
const IN_FOREGROUND: &str = "trap '' HUP QUIT TERM USR1 USR2 ALRM TSTP TTIN TTOU; trap 'heard=1; printf I' INT; \
    trap 'heard=1; printf W' WINCH; \
    while heard=; read -r _ || test -n \"$heard\"; do test -n \"$heard\" || printf A; done; kill -KILL 0";

/// A process group that does not outlive this process. Dropped, it is killed, unless it was released.
#[derive(Debug)]
pub(crate) struct Leash {
    job: Job,
    watcher: Child,
    group: Option<Pid>,
    /// What the watcher of a group in the foreground reports.
    heard: Option<PipeReader>,
    /// Held open. When it closes, the watcher kills the group.
    held: PipeWriter,
}

impl Leash {
    /// Starts the watcher, with no process beside it.
    ///
    /// # Errors
    /// `/bin/sh` cannot be started, or the system is out of processes or file descriptors.
    pub(crate) fn new(job: Job) -> io::Result<Self> {
        let (read_end, held) = io::pipe()?;
        let script = match job {
            Job::Background => WATCHER,
            Job::Session => OF_SESSION,
            Job::Foreground => IN_FOREGROUND,
        };
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]).env_clear().current_dir("/").process_group(0);
        command.stdin(read_end).stdout(Stdio::null()).stderr(Stdio::null());
        let mut heard = None;
        if job == Job::Foreground {
            let (reader, writer) = io::pipe()?;
            command.stdout(writer);
            heard = Some(reader);
        }
        let watcher = command.spawn()?;
        let group = (job != Job::Session).then(|| Pid::from_child(&watcher));
        Ok(Self { job, watcher, group, heard, held })
    }

    /// Makes `command` start in this group. It ignores the signals that we were started to ignore, as POSIX has it. The keyboard, if it is
    /// to have ours.
    ///
    /// # Errors
    /// The process has no descriptor left, or cannot listen to signals.
    pub(crate) fn tie(&mut self, command: &mut Command) -> io::Result<Option<Keyboard>> {
        inherit::pass_on_ignored(command);
        let Some(group) = self.group else {
            inherit::new_session_told(command, self.held.try_clone()?.into());
            return Ok(None);
        };
        command.process_group(group.as_raw_nonzero().get());
        self.heard.take().map(|heard| Keyboard::hand_over(group, heard)).transpose()
    }

    /// Notes the program's process, which leads the group of its session.
    pub(crate) fn started(&mut self, process: Option<u32>) {
        if self.job == Job::Session {
            self.group = process.and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        }
    }

    /// Asks the watcher of a group in the foreground to answer; whether it could be asked.
    pub(crate) fn ask(&mut self) -> bool {
        self.job == Job::Foreground && self.held.write_all(b"\n").is_ok()
    }

    /// Sends a signal to every process of the group. Stopped ones are woken, so that they can act on it.
    pub(crate) fn signal(&self, signal: Signal) {
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
    pub(crate) fn kill(&mut self) {
        if let Some(group) = self.group.take() {
            // It may be gone already.
            let _ = kill_process_group(group, rustix::process::Signal::KILL);
        }
        self.end_watcher();
    }

    /// Lets what is left of the group go on by itself.
    pub(crate) fn release(&mut self) {
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
