//! Goes on redacting what the command's background processes print after its end (Linux).
//!
//! A step may start a server in the background and end. The server's output goes through our pipes: without a reader, its next write would
//! end it. So another process takes over the streams, the patterns and the leash, and ends with the streams. It has no token.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, AsRawFd as _, RawFd};
use std::process::{ExitCode, Stdio};
use std::sync::Arc;

use redact::Plan;
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::setsid;
use secrecy::zeroize::Zeroizing;
use serde::{Deserialize, Serialize};

use super::copy::{Copies, Rest, SharedPlan, Target};
use super::reexec::{self, Start};
use super::watcher::{self, Leash};
use crate::hidden::Hidden;

/// What the process reads from its standard input.
#[derive(Serialize, Deserialize)]
struct Task {
    hidden: Hidden,
    streams: Vec<Stream>,
    /// The descriptor of the leash.
    leash: Option<RawFd>,
}

/// A stream to copy.
#[derive(Serialize, Deserialize)]
struct Stream {
    descriptor: RawFd,
    to: Target,
    state: Vec<u8>,
}

/// Starts the process, which shares the streams and the leash from then on.
///
/// # Errors
/// It cannot be started.
pub(super) fn hand_over(rest: &[Rest<File>], hidden: &Hidden, leash: Option<&Leash>) -> io::Result<()> {
    let task = Task {
        hidden: hidden.clone(),
        streams: rest.iter().map(stream).collect(),
        leash: leash.map(|leash| leash.pipe().as_raw_fd()),
    };
    for stream in rest {
        keep_open(&stream.from)?;
    }
    leash.map_or(Ok(()), |leash| keep_open(leash.pipe()))?;
    let text = Zeroizing::new(serde_json::to_vec(&task).map_err(io::Error::other)?);
    let mut command = reexec::helper(Start::Drain)?;
    let mut child = command.stdin(Stdio::piped()).spawn()?;
    let mut input = child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
    input.write_all(&text)
}

fn stream(rest: &Rest<File>) -> Stream {
    Stream { descriptor: rest.from.as_raw_fd(), to: rest.to, state: rest.state.clone() }
}

/// Lets the next process that is started inherit `descriptor`. It is the last one that we start.
fn keep_open(descriptor: &impl AsFd) -> io::Result<()> {
    Ok(fcntl_setfd(descriptor, FdFlags::empty())?)
}

/// The process: copies until all streams have ended.
pub(super) fn run() -> ExitCode {
    // Not reached by the keyboard, nor by the hangup of a terminal.
    let _ = setsid();
    let mut text = Zeroizing::new(Vec::new());
    if io::stdin().read_to_end(&mut text).is_err() {
        return ExitCode::FAILURE;
    }
    let Ok(task) = serde_json::from_slice::<Task>(&text) else { return ExitCode::FAILURE };
    drop(text);
    let keep: Vec<RawFd> = task.streams.iter().map(|stream| stream.descriptor).chain(task.leash).collect();
    inherit::close_all_but(&keep);
    let leash = task.leash.and_then(inherit::take);
    let streams = task.streams.into_iter().filter_map(|stream| {
        Some(Rest { from: File::from(inherit::take(stream.descriptor)?), to: stream.to, state: stream.state })
    });
    let copied = copy_all(streams.collect(), task.hidden.plan());
    if let Some(leash) = leash {
        watcher::release(&mut File::from(leash));
    }
    if copied.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn copy_all(streams: Vec<Rest<File>>, plan: Arc<Plan>) -> io::Result<()> {
    let plan = SharedPlan::new(plan);
    let mut copies = Copies::new()?;
    for stream in streams {
        copies.resume(stream, &plan)?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(copies.finish()).lost.map_or(Ok(()), Err)
}
