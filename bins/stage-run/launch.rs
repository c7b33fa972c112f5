//! Runs one command under a supervisor: starts it, reads what it reports, passes signals on.

use std::io::{BufReader, Write as _};
use std::path::Path;
use std::process::{ChildStdin, Command};
use std::time::Duration;

use child::Signal;
use cli::Deadline;
use fault::{Fault, Result};
use run::{Stop, StopReason};
use tokio::sync::mpsc;

use crate::frame::{End, Frame, StartError};
use crate::supervise::{self, Terms};

/// How many frames may be queued. When the queue is full, the command has to wait.
const WAITING: usize = 16;

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
    Unknown,
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
    fn started(&mut self, group: u32) -> Result<()>;
    /// It printed this.
    fn output(&mut self, bytes: &[u8]);
}

/// Runs the command to its end. A `stop` is passed on once; a second ^C only if `insists`, which a person at a terminal does.
///
/// # Errors
/// The supervisor cannot be started, or the observer fails: the command is stopped then.
pub(crate) async fn launch(
    launch: &Launch<'_>,
    stop: &Stop,
    insists: bool,
    observer: &mut impl Observer,
) -> Result<Outcome> {
    if !launch.dir.is_dir() {
        let text = format!("the directory `{}` does not exist", launch.dir.display());
        return Ok(Outcome::NotStarted(StartError { code: Some(125), text }));
    }
    let cannot = |error: std::io::Error| Fault::temporary("cannot start a supervisor").cause(error.to_string());
    let mut command = supervise::command(&launch.words, &launch.terms).map_err(cannot)?;
    command.current_dir(launch.dir).envs(launch.env.iter().map(|(name, value)| (name, value)));
    let (mut control, mut frames) = start(command).map_err(cannot)?;
    let over = async {
        match launch.timeout {
            Some(timeout) => Deadline::after(timeout).passed().await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(over);
    let insisted = stop.insisted();
    tokio::pin!(insisted);
    let (mut cut, mut has_insisted, mut failed) = (None, !insists, None);
    loop {
        tokio::select! {
            biased;
            frame = frames.recv() => match frame {
                None => return failed.map_or(Ok(Outcome::Unknown), Err),
                Some(Frame::NotStarted(error)) => return Ok(Outcome::NotStarted(error)),
                Some(Frame::Started { group }) => if let Err(fault) = observer.started(group) {
                    tell(&mut control, Signal::Interrupt);
                    failed = Some(fault);
                },
                Some(Frame::Output(bytes)) => observer.output(&bytes),
                Some(Frame::Ended(end)) => return failed.map_or(Ok(Outcome::Ended { end, cut }), Err),
            },
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
        }
    }
}

fn start(mut command: Command) -> std::io::Result<(ChildStdin, mpsc::Receiver<Frame>)> {
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
