//! The leader of the session on a terminal of the command's own (Linux): the command's parent, where a terminal has a shell.
//!
//! A shell's part is what it plays: the command is a job of its own in the foreground, so that `^C` and `^Z` reach it and not us. When the
//! command stops, the leader stops, which tells the supervisor on the other side of the terminal; when that wakes it, it wakes the command.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::Path;

use cli::Exit;
use rustix::process::{Pid, Signal, getpid, ioctl_tiocsctty, kill_process, kill_process_group, setsid};
use rustix::stdio::stdin;
use rustix::termios::tcsetpgrp;

use super::reexec::{self, Start};
use super::signals::{Change, Signals, Target, changes, pass_on};

/// Leads a session on the terminal that is standard input until the command has ended; how it ended.
pub(super) fn lead(program: &Path, words: &[OsString]) -> io::Result<Exit> {
    setsid()?;
    ioctl_tiocsctty(stdin())?;
    let event_loop = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    event_loop.block_on(run(program, words))
}

async fn run(program: &Path, words: &[OsString]) -> io::Result<Exit> {
    let mut signals = Signals::listen()?;
    // It waits, stopped, to be put into the foreground: it must not read the terminal before.
    let child = reexec::command(Start::Wait, program, words)?.process_group(0).spawn()?;
    let command = Pid::from_child(&child);
    let mut changes = changes(command);
    let mut is_started = false;
    loop {
        tokio::select! {
            change = changes.recv() => match change {
                Some(Change::Stopped) => {
                    if is_started {
                        // To be seen by the supervisor, which stops too; this returns when it wakes us.
                        kill_process(getpid(), Signal::STOP)?;
                    } else {
                        tcsetpgrp(stdin(), command)?;
                        is_started = true;
                    }
                    kill_process_group(command, Signal::CONT)?;
                }
                Some(Change::Ended(exit)) => return Ok(exit),
                None => return Err(io::Error::other("nothing is known of how it ended")),
            },
            kind = signals.next() => pass_on(kind, Target::Group(command)),
        }
    }
}
