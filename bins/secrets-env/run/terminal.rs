//! The command's own terminal (Linux), so that its output can be redacted and keeps its colours and size.
//!
//! If standard input is a terminal too, the command gets a session on its own one, and what is typed is passed to it unread. Its terminal
//! then turns `^C` and `^Z` into signals, so ours is raw meanwhile: otherwise they would reach us as well. If standard input is not a
//! terminal, only the output goes through it and ours is not changed, so the keyboard still reaches every program of the pipe.

use std::fs::File;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use child::Pty;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, read};
use rustix::process::{Signal, getpgrp, getpid, kill_current_process_group, kill_process};
use rustix::stdio::{stdin, stdout};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr};

use super::streams;

/// How often a supervisor in the background checks whether it is in the foreground.
const BACKGROUND: Duration = Duration::from_millis(250);

/// The command's terminal. Dropping it restores the modes of ours.
#[derive(Debug)]
pub(super) struct Terminal {
    pty: Pty,
    /// The modes of our terminal, if standard input is one.
    cooked: Option<Termios>,
    is_raw: bool,
}

impl Terminal {
    /// Opens a terminal like ours; `None` if standard output is not one, or if the system has no more of them.
    pub(super) fn open() -> Option<Self> {
        if !io::stdout().is_terminal() {
            return None;
        }
        let cooked = io::stdin().is_terminal().then(|| tcgetattr(stdin()).ok()).flatten();
        let modes = cooked.clone().or_else(|| Pty::modes_for_output(stdout()))?;
        let terminal = Self { pty: Pty::open(&modes)?, cooked, is_raw: false };
        terminal.resize();
        Some(terminal)
    }

    /// Whether the command has its own session on it.
    pub(super) fn has_session(&self) -> bool {
        self.cooked.is_some()
    }

    /// Gives the command its end, in place of those streams that are our terminal.
    pub(super) fn attach(&mut self, command: &mut Command) -> io::Result<()> {
        let Some(slave) = self.pty.take_slave() else { return Ok(()) };
        if self.has_session() {
            command.stdin(Stdio::from(slave.try_clone()?));
        }
        // A standard error that is another terminal, or a file, keeps its pipe.
        if streams::are_one() {
            command.stderr(Stdio::from(slave.try_clone()?));
        }
        command.stdout(Stdio::from(slave));
        Ok(())
    }

    /// The output of the command.
    pub(super) fn output(&self) -> io::Result<File> {
        self.pty.output()
    }

    /// Gives it the current size of ours.
    pub(super) fn resize(&self) {
        self.pty.resize(stdout());
    }

    /// Passes on what is typed from now on, whenever we are in the foreground.
    pub(super) fn connect_keyboard(&mut self) {
        self.take_keyboard();
        if let (true, Ok(master)) = (self.has_session(), self.pty.output()) {
            thread::spawn(move || pass_on(master));
        }
    }

    /// Makes our terminal raw if we are in the foreground. In the background, another program is using it.
    pub(super) fn take_keyboard(&mut self) {
        let Some(cooked) = &self.cooked else { return };
        if is_foreground() {
            let mut raw = cooked.clone();
            raw.make_raw();
            self.is_raw = tcsetattr(stdin(), OptionalActions::Drain, &raw).is_ok();
            self.resize();
        }
    }

    /// Restores the modes of our terminal.
    fn leave_keyboard(&mut self) {
        if let (Some(cooked), true, true) = (&self.cooked, self.is_raw, is_foreground()) {
            // A terminal that has been closed cannot be restored.
            let _ = tcsetattr(stdin(), OptionalActions::Drain, cooked);
        }
        self.is_raw = false;
    }

    /// Stops as the command did, with our terminal as it was before. Returns when a shell continues us. If there is no shell to do that (an
    /// orphaned process group), the system ignores the signal and this returns at once.
    pub(super) fn suspend(&mut self) {
        self.leave_keyboard();
        let _ = kill_current_process_group(Signal::TSTP);
        self.take_keyboard();
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.leave_keyboard();
    }
}

/// Whether our process group is the foreground one of our terminal.
fn is_foreground() -> bool {
    tcgetpgrp(stdin()).is_ok_and(|group| group == getpgrp())
}

/// Copies what is typed to `master` until our terminal is closed, which ends the command's session too.
fn pass_on(master: File) {
    connect(master);
    // The main loop handles it like a hangup from the system, which sends none to a job in the background.
    let _ = kill_process(getpid(), Signal::HUP);
}

/// Reading from a terminal in the background would stop us (SIGTTIN), so this polls first and checks that we are in the foreground.
fn connect(mut master: File) {
    let keyboard = stdin();
    let mut typed = [0; 4096];
    loop {
        let mut streams = [PollFd::new(&keyboard, PollFlags::IN)];
        // An error is not handled here: the read returns it again.
        let _ = poll(&mut streams, None);
        if streams[0].revents().intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL) {
            return;
        }
        if !is_foreground() {
            thread::sleep(BACKGROUND);
            continue;
        }
        match read(keyboard, &mut typed) {
            Ok(0) => return,
            Ok(count) if master.write_all(&typed[..count]).is_err() => return,
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return,
        }
    }
}
