//! A pseudo-terminal for what a program prints, so that it keeps its colours and the width of our terminal (Linux).

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{
    OptionalActions, OutputModes, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr, tcsetwinsize,
};

/// Both ends of a pseudo-terminal.
#[derive(Debug)]
pub struct Pty {
    /// Our end.
    master: File,
    /// The program's end, until the program has it.
    slave: Option<OwnedFd>,
}

impl Pty {
    /// Opens a terminal with these modes; `None` if the system has no more of them.
    #[must_use]
    pub fn open(modes: &Termios) -> Option<Self> {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags).ok()?;
        unlockpt(&master).ok()?;
        let slave = ioctl_tiocgptpeer(&master, flags).ok()?;
        tcsetattr(&slave, OptionalActions::Now, modes).ok()?;
        Some(Self { master: master.into(), slave: Some(slave) })
    }

    /// The modes for output that is copied to `terminal`; `None` if that is none.
    ///
    /// `terminal` still turns LF into CR LF. If both did, lines would end twice, and a copy would not be what the program wrote.
    pub fn modes_for_output(terminal: impl AsFd) -> Option<Termios> {
        let mut modes = isatty(&terminal).then(|| tcgetattr(&terminal).ok()).flatten()?;
        modes.output_modes.remove(OutputModes::OPOST);
        Some(modes)
    }

    /// The program's end; `None` if it was taken before.
    pub fn take_slave(&mut self) -> Option<OwnedFd> {
        self.slave.take()
    }

    /// What the program prints, and the way to what it reads.
    ///
    /// # Errors
    /// The process has no descriptor left.
    pub fn output(&self) -> io::Result<File> {
        self.master.try_clone()
    }

    /// Gives it the size that `terminal` has now.
    pub fn resize(&self, terminal: impl AsFd) {
        if let Ok(size) = tcgetwinsize(terminal) {
            // A terminal of the wrong size is better than none.
            let _ = tcsetwinsize(&self.master, size);
        }
    }
}
