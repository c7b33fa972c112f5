//! The keyboard of our terminal for a program in the foreground.
//!
//! The terminal gives what is typed, and the signals of ^C and ^Z, to one process group: the program's. So the program can ask a person.
//! We do what a shell does: take the terminal back when the program stops or ends, stop too, and go on with it. What a shell does not
//! do is to notice a ^C, which ends a run; the watcher in the program's group reports it.

use std::io::{self, IsTerminal as _, PipeReader, Read as _};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, getpgrp, getpid, kill_process, kill_process_group, waitid};
use rustix::stdio::stdin;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr, tcsetpgrp};
use tokio::signal::unix::{Signal as Signals, SignalKind, signal};
use tokio::sync::mpsc;

/// The watcher's report of a ^C.
const INTERRUPT: u8 = b'I';

/// The watcher's report of a new size.
const SIZE: u8 = b'W';

/// The watcher's answer when it is asked.
const ANSWER: u8 = b'A';

/// Whether standard input is a terminal, and whether we are the job that it listens to.
pub(crate) fn is_ours() -> Option<bool> {
    io::stdin().is_terminal().then(|| tcgetpgrp(stdin()).is_ok_and(|group| group == getpgrp()))
}

/// The terminal as the program has it. Dropped, it is ours again.
#[derive(Debug)]
pub(crate) struct Keyboard {
    group: Pid,
    program: Option<Pid>,
    /// How the terminal was.
    modes: Option<Termios>,
    changes: Signals,
    reports: mpsc::UnboundedReceiver<u8>,
}

impl Keyboard {
    /// Gives the terminal to the program's group, before the program begins: reading the terminal earlier would stop it.
    pub(crate) fn hand_over(group: Pid, mut heard: PipeReader) -> io::Result<Self> {
        let changes = signal(SignalKind::child())?;
        let (send, reports) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            let mut report = [0];
            while heard.read(&mut report).is_ok_and(|read| read > 0) && send.send(report[0]).is_ok() {}
        });
        let modes = tcgetattr(stdin()).ok();
        tcsetpgrp(stdin(), group)?;
        Ok(Self { group, program: None, modes, changes, reports })
    }

    /// Notes the program's process.
    pub(crate) fn started(&mut self, process: Option<u32>) {
        self.program = process.and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    }

    /// Waits for a ^C. Meanwhile stops when the program stops.
    pub(crate) async fn interrupted(&mut self) {
        loop {
            tokio::select! {
                report = self.reports.recv() => match report {
                    Some(INTERRUPT) => return,
                    // Whoever follows the size listens to our own signal.
                    Some(SIZE) => drop(kill_process(getpid(), Signal::WINCH)),
                    Some(_) => {}
                    None => std::future::pending().await,
                },
                Some(()) = self.changes.recv() => self.follow_stop(),
            }
        }
    }

    /// Waits for the watcher's answer; whether a ^C was reported before it.
    pub(crate) async fn answer(&mut self) -> bool {
        let mut interrupted = false;
        while let Some(report) = self.reports.recv().await {
            interrupted |= report == INTERRUPT;
            if report == ANSWER {
                break;
            }
        }
        interrupted
    }

    /// Stops our job if the program has stopped, and continues the program when a shell continues us.
    fn follow_stop(&self) {
        let Some(program) = self.program else { return };
        let options = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG;
        if !matches!(waitid(WaitId::Pid(program), options), Ok(Some(status)) if status.stopped()) {
            return;
        }
        let modes = tcgetattr(stdin()).ok();
        self.take_back();
        // All of our job, as a ^Z would have done. The call returns when we are continued.
        let _ = kill_process_group(getpgrp(), Signal::TSTP);
        if is_ours() == Some(true) {
            set_modes(modes.as_ref());
            let _ = tcsetpgrp(stdin(), self.group);
        }
        let _ = kill_process_group(self.group, Signal::CONT);
    }

    /// A terminal that another job has meanwhile is left alone.
    fn take_back(&self) {
        if tcgetpgrp(stdin()).is_ok_and(|group| group == self.group) {
            inherit::from_the_background(|| {
                let _ = tcsetpgrp(stdin(), getpgrp());
                set_modes(self.modes.as_ref());
            });
        }
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        self.take_back();
    }
}

/// A terminal that refuses keeps its modes.
fn set_modes(modes: Option<&Termios>) {
    if let Some(modes) = modes {
        let _ = tcsetattr(stdin(), OptionalActions::Drain, modes);
    }
}
