//! Runs one program as a supervised process group: its output, a time limit, signals, how it ended.
//!
//! The program and everything it starts are one process group. The group ends with us however we end, by SIGKILL too. A
//! program that ends by itself may leave processes running (a daemon that serves the next build too); they are left alone. A program
//! that is stopped gets a signal, then a moment to clean up, then its whole group is killed.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! let mut command = std::process::Command::new("make");
//! command.stdin(std::process::Stdio::null());
//! let child = child::Child::start(command, child::OutputMode::Joined)?.timeout("5m".parse().ok());
//! let ended = child.wait(std::future::pending(), |_stream, bytes| drop(bytes.to_vec())).await?;
//! assert!(ended.status.is_success(), "it {}", ended.status);
//! # Ok(())
//! # }
//! ```

mod job;
#[cfg(unix)]
mod keyboard;
#[cfg(not(unix))]
#[path = "no_keyboard.rs"]
mod keyboard;
#[cfg(unix)]
mod leash;
#[cfg(not(unix))]
#[path = "no_leash.rs"]
mod leash;
mod log;
mod output;
#[cfg(target_os = "linux")]
mod pty;
mod shell;
mod signal;
mod status;
mod tail;

use std::io;
use std::pin::Pin;
use std::process::{Command, Stdio};
use std::time::Duration;

use deadline::Deadline;

pub use job::Job;
pub use log::{Log, LogReader};
pub use output::{OutputMode, Stream};
#[cfg(target_os = "linux")]
pub use pty::Pty;
pub use shell::Shell;
pub use signal::Signal;
pub use status::{Ended, ProcessEnd, Stopped};
pub use tail::Tail;

use keyboard::Keyboard;
use leash::Leash;
use output::Chunks;

/// How long output is still read after the program itself has ended: a process that it left running may never close it.
const LEFT_OPEN: Duration = Duration::from_secs(1);

/// The same after a program was stopped: the caller wants an end soon.
const LEFT_OPEN_STOPPED: Duration = Duration::from_millis(200);

/// How long a program that is stopped may clean up, unless [`Child::grace`] sets another time.
const GRACE: Duration = Duration::from_secs(10);

/// How long the watcher of a group in the foreground may take to answer.
const ANSWER: Duration = Duration::from_millis(500);

/// How often we look whether the processes of a stopped program have all ended.
const LOOK: Duration = Duration::from_millis(20);

/// What becomes of a program that is asked to end a second time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Insist {
    /// Its group is killed at once.
    Kill,
    /// It gets this signal too.
    Signal(Signal),
}

/// A running program and its group. Dropped before its end, the whole group is killed.
pub struct Child {
    process: tokio::process::Child,
    leash: Leash,
    keyboard: Option<Keyboard>,
    chunks: Chunks,
    timeout: Option<Deadline>,
    grace: Duration,
    second: Pin<Box<dyn Future<Output = Insist>>>,
}

impl Child {
    /// Starts `command` in its own process group. Its standard output and error are set here; its standard input, environment and
    /// directory are the caller's to set. A program in a background group must not read the terminal: give it `Stdio::null()`.
    ///
    /// Needs a tokio runtime.
    ///
    /// # Errors
    /// The program cannot be started: [`io::ErrorKind::NotFound`], [`io::ErrorKind::PermissionDenied`], or a limit of the system.
    pub fn start(command: Command, output: OutputMode) -> io::Result<Self> {
        Self::start_as(Job::Background, command, output)
    }

    /// The same with another relation to our terminal.
    ///
    /// # Errors
    /// As above.
    pub fn start_as(mut job: Job, mut command: Command, output: OutputMode) -> io::Result<Self> {
        if job == Job::Foreground {
            let is_ours = keyboard::is_ours();
            if is_ours != Some(true) {
                job = Job::Background;
            }
            if is_ours == Some(false) {
                command.stdin(Stdio::null());
            }
        }
        let mut leash = Leash::new(job)?;
        let readers = output.attach(&mut command)?;
        let mut keyboard = leash.tie(&mut command)?;
        let process = tokio::process::Command::from(command).kill_on_drop(true).spawn()?;
        leash.started(process.id());
        if let Some(keyboard) = &mut keyboard {
            keyboard.started(process.id());
        }
        let second = Box::pin(std::future::pending());
        Ok(Self { chunks: readers.read(), process, leash, keyboard, timeout: None, grace: GRACE, second })
    }

    /// Stops it when the deadline passes.
    #[must_use]
    pub fn timeout(mut self, timeout: Option<Deadline>) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long it may clean up after the signal to stop; 10 s unless set.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// What to do when `second` is ready while the program cleans up.
    #[must_use]
    pub fn on_second(mut self, second: impl Future<Output = Insist> + 'static) -> Self {
        self.second = Box::pin(second);
        self
    }

    /// Waits for its end. `read` gets everything it writes, byte for byte, as it comes. When `stop` is ready, the program gets that
    /// signal; when the timeout has passed, SIGTERM. A ^C that reaches a program in the foreground is a SIGINT that it has already.
    ///
    /// # Errors
    /// The system does not report how it ended.
    pub async fn wait(
        mut self,
        stop: impl Future<Output = Signal>,
        mut read: impl FnMut(Stream, &[u8]),
    ) -> io::Result<Ended> {
        let timeout = self.timeout;
        let over = async {
            match timeout {
                Some(timeout) => timeout.passed().await,
                None => std::future::pending().await,
            }
        };
        // Dropped at the end: the terminal is ours again.
        let mut keyboard = self.keyboard.take();
        let typed = async {
            match &mut keyboard {
                Some(keyboard) => keyboard.interrupted().await,
                None => std::future::pending().await,
            }
        };
        let first = tokio::select! {
            status = ended(&mut self.process, &mut self.chunks, &mut read) => Err(status),
            signal = stop => Ok((Stopped::By(signal), Some(signal))),
            () = over => Ok((Stopped::TimedOut, Some(Signal::Terminate))),
            () = typed => Ok((Stopped::By(Signal::Interrupt), None)),
        };
        let (why, signal) = match first {
            Ok(stopped) => stopped,
            // What is typed reaches the program first.
            Err(Ok(_)) if self.was_interrupted(keyboard.as_mut()).await => (Stopped::By(Signal::Interrupt), None),
            Err(status) => {
                let output_held = !drained(&mut self.chunks, LEFT_OPEN, &mut read).await;
                self.leash.release();
                return Ok(Ended { status: status?, stopped: None, output_held });
            }
        };
        let status = self.stop(signal, &mut read).await?;
        let output_held = !drained(&mut self.chunks, LEFT_OPEN_STOPPED, &mut read).await;
        Ok(Ended { status, stopped: Some(why), output_held })
    }

    /// Whether a ^C was typed that nothing has reported yet.
    async fn was_interrupted(&mut self, keyboard: Option<&mut Keyboard>) -> bool {
        match keyboard {
            Some(keyboard) if self.leash.ask() => {
                Deadline::after(ANSWER).limit(keyboard.answer()).await.unwrap_or_default()
            }
            _ => false,
        }
    }

    /// Sends the signal, waits until the group has ended or the grace is over, and kills what is left of it.
    async fn stop(&mut self, signal: Option<Signal>, read: &mut impl FnMut(Stream, &[u8])) -> io::Result<ProcessEnd> {
        if let Some(signal) = signal {
            self.leash.signal(signal);
        }
        let until = Deadline::after(self.grace);
        let mut insisted = false;
        let status = loop {
            tokio::select! {
                status = ended(&mut self.process, &mut self.chunks, read) => break Some(status),
                () = until.passed() => break None,
                insist = &mut self.second, if !insisted => match insist {
                    Insist::Kill => break None,
                    Insist::Signal(signal) => {
                        insisted = true;
                        self.leash.signal(signal);
                    }
                },
            }
        };
        // The program is gone; what it started may still clean up, and may write meanwhile.
        while status.is_some() && self.leash.has_members() {
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                Some((stream, bytes)) = self.chunks.next() => read(stream, &bytes),
                () = until.passed() => break,
                insist = &mut self.second, if !insisted => match insist {
                    Insist::Kill => break,
                    Insist::Signal(signal) => {
                        insisted = true;
                        self.leash.signal(signal);
                    }
                },
            }
        }
        self.leash.kill();
        match status {
            Some(status) => status,
            None => ended(&mut self.process, &mut self.chunks, read).await,
        }
    }
}

/// Reads until the program itself has ended.
async fn ended(
    process: &mut tokio::process::Child,
    chunks: &mut Chunks,
    read: &mut impl FnMut(Stream, &[u8]),
) -> io::Result<ProcessEnd> {
    loop {
        tokio::select! {
            status = process.wait() => return status.map(ProcessEnd::from),
            Some((stream, bytes)) = chunks.next() => read(stream, &bytes),
        }
    }
}

/// Reads what is still to come; `false` if another process holds the output open.
async fn drained(chunks: &mut Chunks, most: Duration, read: &mut impl FnMut(Stream, &[u8])) -> bool {
    let rest = async {
        while let Some((stream, bytes)) = chunks.next().await {
            read(stream, &bytes);
        }
    };
    Deadline::after(most).limit(rest).await.is_ok()
}
