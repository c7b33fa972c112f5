//! Runs one program as a supervised process group: its output, a time limit, signals, how it ended.
//!
//! The program and everything it starts are one process group. The group ends with us however we end, by SIGKILL too ([`Leash`]). A
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
use std::process::Command;
use std::time::Duration;

use deadline::Deadline;

pub use leash::Leash;
pub use log::{Log, LogReader};
pub use output::{OutputMode, Stream};
#[cfg(target_os = "linux")]
pub use pty::Pty;
pub use shell::Shell;
pub use signal::Signal;
pub use status::{Ended, ProcessEnd, Stopped};
pub use tail::Tail;

use output::Chunks;

/// How long output is still read after the program itself has ended: a process that it left running may never close it.
const LEFT_OPEN: Duration = Duration::from_secs(1);

/// The same after a program was stopped: the caller wants an end soon.
const LEFT_OPEN_STOPPED: Duration = Duration::from_millis(200);

/// How long a program that is stopped may clean up, unless [`Child::grace`] sets another time.
const GRACE: Duration = Duration::from_secs(10);

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
    pub fn start(mut command: Command, output: OutputMode) -> io::Result<Self> {
        let leash = Leash::new()?;
        leash.tie(&mut command);
        let readers = output.attach(&mut command)?;
        let process = tokio::process::Command::from(command).kill_on_drop(true).spawn()?;
        let second = Box::pin(std::future::pending());
        Ok(Self { chunks: readers.read(), process, leash, timeout: None, grace: GRACE, second })
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
    /// signal; when the timeout has passed, SIGTERM.
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
        let stopped = async {
            tokio::select! {
                signal = stop => Stopped::By(signal),
                () = over => Stopped::TimedOut,
            }
        };
        tokio::pin!(stopped);
        let why = tokio::select! {
            status = ended(&mut self.process, &mut self.chunks, &mut read) => {
                let output_held = !drained(&mut self.chunks, LEFT_OPEN, &mut read).await;
                self.leash.release();
                return Ok(Ended { status: status?, stopped: None, output_held });
            }
            why = &mut stopped => why,
        };
        let status = self.stop(why.signal(), &mut read).await?;
        let output_held = !drained(&mut self.chunks, LEFT_OPEN_STOPPED, &mut read).await;
        Ok(Ended { status, stopped: Some(why), output_held })
    }

    /// Sends the signal, waits until the group has ended or the grace is over, and kills what is left of it.
    async fn stop(&mut self, signal: Signal, read: &mut impl FnMut(Stream, &[u8])) -> io::Result<ProcessEnd> {
        self.leash.signal(signal);
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
