//! Runs one command under a supervisor: starts it, reads what it reports, passes signals on.

use std::io::{BufReader, Write as _};
use std::path::Path;
use std::process::ChildStdin;
use std::time::Duration;

use child::Signal;
use cli::Deadline;
use deadline::Wait;
use run::{Stop, StopReason};
use tokio::sync::mpsc;

use crate::frame::{End, Frame, StartError};
use crate::group;
use crate::supervise::{self, Terms};

/// How many frames may be queued. When the queue is full, the command has to wait.
const WAITING: usize = 16;

/// How often a group whose supervisor is dead is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// How long the end of a killed group is waited for: a process that waits for a disk cannot be killed.
const KILLED: Duration = Duration::from_secs(5);

/// A command to run.
#[derive(Debug)]
pub(crate) struct Launch<'a> {
    pub(crate) words: Vec<String>,
    pub(crate) dir: &'a Path,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) terms: Terms,
    pub(crate) timeout: Option<Duration>,
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    NotStarted(StartError),
    Ended {
        end: End,
        cut: Option<Cut>,
    },
    /// Its supervisor died: its end is not known.
    Unknown {
        /// Its processes that could not be ended.
        alive: Vec<String>,
    },
}

/// What ended a command before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    Stop(StopReason),
    Timeout,
}

/// What a command does, as it does it.
pub(crate) trait Observer {
    /// It runs, in this process group.
    fn started(&mut self, group: u32, identity: &str);
    /// It printed this.
    fn output(&mut self, bytes: &[u8]);
}

/// Runs the command to its end. A `stop` is passed on once; a second ^C only if `insists`, which a person at a terminal does.
///
/// If the supervisor dies (the system ends a process when memory is short), the command does not: it is ended here then, before
/// anything else may run beside it.
pub(crate) async fn launch(launch: &Launch<'_>, stop: &Stop, insists: bool, observer: &mut impl Observer) -> Outcome {
    if !launch.dir.is_dir() {
        let text = format!("the directory `{}` does not exist", launch.dir.display());
        return Outcome::NotStarted(StartError { code: Some(125), text, temporary: false });
    }
    let (mut control, mut frames) = match start(launch) {
        Ok(started) => started,
        Err(error) => {
            let text = format!("no supervisor: {error}");
            return Outcome::NotStarted(StartError { text, ..StartError::of(&error) });
        }
    };
    let over = async {
        match launch.timeout {
            Some(timeout) => Deadline::after(timeout).passed().await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(over);
    let insisted = stop.insisted();
    tokio::pin!(insisted);
    let (mut cut, mut has_insisted, mut running) = (None, !insists, None);
    loop {
        tokio::select! {
            biased;
            // Before the frames: a command that prints without end always has one more.
            reason = stop.requested(), if cut.is_none() => {
                tell(&mut control, reason.signal());
                cut = Some(Cut::Stop(reason));
            }
            signal = &mut insisted, if !has_insisted && cut.is_some() => {
                tell(&mut control, signal);
                has_insisted = true;
            }
            () = &mut over, if cut.is_none() => {
                tell(&mut control, Signal::Interrupt);
                cut = Some(Cut::Timeout);
            }
            frame = frames.recv() => match frame {
                None => return Outcome::Unknown { alive: abandoned(running, launch.terms.grace).await },
                Some(Frame::NotStarted(error)) => return Outcome::NotStarted(error),
                Some(Frame::Started { group }) => {
                    let identity = group::identity(group);
                    observer.started(group, &identity);
                    running = Some((group, identity));
                }
                Some(Frame::Output(bytes)) => observer.output(&bytes),
                Some(Frame::Ended(end)) => return Outcome::Ended { end, cut },
            },
        }
    }
}

/// Ends what a dead supervisor left running, as it would have. Returns what could not be ended.
async fn abandoned(running: Option<(u32, String)>, grace: Duration) -> Vec<String> {
    let Some((number, identity)) = running else { return Vec::new() };
    let left = || group::survivors(number, &identity);
    let gone = async |time: Duration| {
        let until = Deadline::after(time);
        let _wait = Wait::begin("a stage without a supervisor to end".to_owned(), until);
        while !left().is_empty() && !until.remaining().is_zero() {
            tokio::time::sleep(LOOK).await;
        }
    };
    if !left().is_empty() {
        group::interrupt(number);
        gone(grace).await;
    }
    if !left().is_empty() {
        group::kill_number(number);
        gone(KILLED).await;
    }
    left()
}

fn start(launch: &Launch<'_>) -> std::io::Result<(ChildStdin, mpsc::Receiver<Frame>)> {
    let mut command = supervise::command(&launch.words, &launch.terms)?;
    command.current_dir(launch.dir).envs(launch.env.iter().map(|(name, value)| (name, value)));
    let mut supervisor = command.spawn()?;
    let (Some(control), Some(output)) = (supervisor.stdin.take(), supervisor.stdout.take()) else {
        return Err(std::io::ErrorKind::BrokenPipe.into());
    };
    let (send, receive) = mpsc::channel(WAITING);
    std::thread::spawn(move || {
        let mut output = BufReader::new(output);
        while let Ok(Some(frame)) = Frame::read(&mut output) {
            if send.blocking_send(frame).is_err() {
                return;
            }
        }
        // Its exit status is of no use; it must not stay a zombie.
        let _ = supervisor.wait();
    });
    Ok((control, receive))
}

fn tell(control: &mut ChildStdin, signal: Signal) {
    let byte = match signal {
        Signal::Interrupt => b'I',
        Signal::Terminate => b'T',
        Signal::Hangup => b'H',
    };
    // A supervisor that is gone has reported the end, or never will.
    let _ = control.write_all(&[byte]);
}
