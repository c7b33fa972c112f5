//! The leader of the session on the command's own terminal (Linux): the command's parent, as a shell would be.
//!
//! It does the job control a shell would: the command runs in its own foreground process group, so `^C` and `^Z` reach the command and not
//! us. When the command stops, the leader stops itself, which the supervisor sees; SIGCONT travels the same way back.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;

use cli::Exit;
use rustix::process::{
    Pid, Signal, getpid, ioctl_tiocsctty, kill_process, kill_process_group, setsid, test_kill_process_group,
};
use rustix::stdio::stdin;
use rustix::termios::tcsetpgrp;

use super::reexec::{self, Start};
use super::signals::{Change, Signals, Target, changes, pass_on};
use super::watcher::Leash;

/// Leads a session on the terminal that is standard input until the command has ended. Returns how it ended.
pub(super) fn lead(program: &Path, words: &[OsString]) -> io::Result<Exit> {
    setsid()?;
    ioctl_tiocsctty(stdin())?;
    let event_loop = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    event_loop.block_on(run(program, words))
}

async fn run(program: &Path, words: &[OsString]) -> io::Result<Exit> {
    let mut signals = Signals::listen()?;
    // It starts stopped, and continues when its group is in the foreground: reading the terminal before would stop it again.
    let child = reexec::command(Start::Wait, program, words)?.process_group(0).spawn()?;
    let command = Pid::from_child(&child);
    let leash = Leash::start(command)?;
    let mut changes = changes(command);
    let mut is_started = false;
    let exit = loop {
        tokio::select! {
            change = changes.recv() => match change {
                Some(Change::Stopped) => {
                    if is_started {
                        // The supervisor sees this and stops too; the call returns when it continues us.
                        kill_process(getpid(), Signal::STOP)?;
                    } else {
                        tcsetpgrp(stdin(), command)?;
                        is_started = true;
                    }
                    kill_process_group(command, Signal::CONT)?;
                }
                Some(Change::Ended(exit)) => break exit,
                None => return Err(io::Error::other("nothing is known of how it ended")),
            },
            kind = signals.next() => pass_on(kind, Target::Group(command)),
        }
    };
    leash.release();
    if test_kill_process_group(command).is_ok() {
        // The terminal ends with its leader. Anything still running on it gets SIGHUP, and cannot write any more.
        let _ = writeln!(
            io::stderr(),
            "secrets-env: the processes that `{}` left running lose this terminal; redirect their output, or use --no-redact",
            words[0].display()
        );
    }
    Ok(exit)
}
