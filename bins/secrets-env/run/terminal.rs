//! A terminal of the command's own (Linux), so that its output can be redacted and is coloured and sized as before.
//!
//! Where a person types, the command gets a session on it, and what is typed passes on to it unread: its own terminal does what ours
//! would, `^C` and `^Z` included, so ours is raw meanwhile. Where standard input is no terminal, only the output goes by way of it, and
//! ours stays what it is: the keys still reach everyone in the pipe.

use std::fs::File;
use std::io::{self, IsTerminal as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, read};
use rustix::process::{Signal, getpgrp, getpid, kill_current_process_group, kill_process};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::stdio::{stdin, stdout};
use rustix::termios::{
    OptionalActions, OutputModes, Termios, tcgetattr, tcgetpgrp, tcgetwinsize, tcsetattr, tcsetwinsize,
};

/// How often a supervisor in the background looks whether it is in the foreground.
const BACKGROUND: Duration = Duration::from_millis(250);

/// The command's terminal. Dropping it gives ours back its modes.
#[derive(Debug)]
pub(super) struct Terminal {
    /// Our end.
    master: File,
    /// The command's end, until it has been given away.
    slave: Option<OwnedFd>,
    /// The modes of our terminal where a person types on it.
    cooked: Option<Termios>,
    is_raw: bool,
}

impl Terminal {
    /// A terminal like ours; `None` where stdout is none, or the system has no more of them.
    pub(super) fn open() -> Option<Self> {
        if !io::stdout().is_terminal() {
            return None;
        }
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags).ok()?;
        unlockpt(&master).ok()?;
        let slave = ioctl_tiocgptpeer(&master, flags).ok()?;
        let cooked = io::stdin().is_terminal().then(|| tcgetattr(stdin()).ok()).flatten();
        let mut modes = cooked.clone().or_else(|| tcgetattr(stdout()).ok())?;
        if cooked.is_none() {
            // Ours still ends lines its way.
            modes.output_modes.remove(OutputModes::OPOST);
        }
        tcsetattr(&slave, OptionalActions::Now, &modes).ok()?;
        let terminal = Self { master: master.into(), slave: Some(slave), cooked, is_raw: false };
        terminal.resize();
        Some(terminal)
    }

    /// Whether the command has a session of its own on it.
    pub(super) fn has_session(&self) -> bool {
        self.cooked.is_some()
    }

    /// Gives the command its end in place of those of its streams that are terminals.
    pub(super) fn attach(&mut self, command: &mut Command) -> io::Result<()> {
        let Some(slave) = self.slave.take() else { return Ok(()) };
        if self.has_session() {
            command.stdin(Stdio::from(slave.try_clone()?));
        }
        if io::stderr().is_terminal() {
            command.stderr(Stdio::from(slave.try_clone()?));
        }
        command.stdout(Stdio::from(slave));
        Ok(())
    }

    /// What the command writes.
    pub(super) fn output(&self) -> io::Result<File> {
        self.master.try_clone()
    }

    /// Makes it as large as ours is now.
    pub(super) fn resize(&self) {
        if let Ok(size) = tcgetwinsize(stdout()) {
            // One that keeps its old size is still a terminal.
            let _ = tcsetwinsize(&self.master, size);
        }
    }

    /// Passes on what is typed, from now on and whenever we are in the foreground.
    pub(super) fn connect_keyboard(&mut self) {
        self.take_keyboard();
        if let (true, Ok(master)) = (self.has_session(), self.master.try_clone()) {
            thread::spawn(move || pass_on(master));
        }
    }

    /// Makes our terminal raw if it is ours now. In the background it is somebody else's.
    pub(super) fn take_keyboard(&mut self) {
        let Some(cooked) = &self.cooked else { return };
        if is_foreground() {
            let mut raw = cooked.clone();
            raw.make_raw();
            self.is_raw = tcsetattr(stdin(), OptionalActions::Drain, &raw).is_ok();
            self.resize();
        }
    }

    /// Gives our terminal its modes back.
    fn leave_keyboard(&mut self) {
        if let (Some(cooked), true, true) = (&self.cooked, self.is_raw, is_foreground()) {
            // A terminal that is gone has no modes.
            let _ = tcsetattr(stdin(), OptionalActions::Drain, cooked);
        }
        self.is_raw = false;
    }

    /// Stops with the command, our terminal as it was before; returns when somebody wakes us. Where nobody could, the system does not stop us.
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

/// Whether our terminal listens to us.
fn is_foreground() -> bool {
    tcgetpgrp(stdin()).is_ok_and(|group| group == getpgrp())
}

/// Writes what is typed to `master` until our terminal is gone, which then is the end of the command's too.
fn pass_on(master: File) {
    connect(master);
    // Our own loop hears it, as it hears a hangup that the system sends; the system sends none to a job in the background.
    let _ = kill_process(getpid(), Signal::HUP);
}

/// Reading in the background would stop us, so there is a look first.
fn connect(mut master: File) {
    let keyboard = stdin();
    let mut typed = [0; 4096];
    loop {
        let mut streams = [PollFd::new(&keyboard, PollFlags::IN)];
        // An error is not for here: reading will meet it again.
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
