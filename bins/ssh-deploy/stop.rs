//! Why a command is ended before its time: its own limit, a signal, or the end of the whole run.

use std::time::Duration;

use child::Signal;
pub(crate) use run::{Stop, StopReason};

/// Why a command was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndReason {
    /// Its time limit passed.
    Timeout,
    /// The run has to stop.
    Stopped(StopReason),
}

impl EndReason {
    /// Completes when a command has to end: when the run does, or after `timeout`.
    pub(crate) async fn wait(stop: &Stop, timeout: Option<Duration>) -> Self {
        tokio::select! {
            reason = stop.requested() => Self::Stopped(reason),
            () = expired(timeout) => Self::Timeout,
        }
    }
}

/// What has stopped a run, in messages.
pub(crate) fn name(reason: StopReason) -> &'static str {
    match reason {
        StopReason::Signal(Signal::Interrupt) => "SIGINT",
        StopReason::Signal(Signal::Terminate) => "SIGTERM",
        StopReason::Signal(Signal::Hangup) => "SIGHUP",
        StopReason::Deadline => "the --deadline",
    }
}

/// Completes after `timeout`; never without one.
async fn expired(timeout: Option<Duration>) {
    match timeout {
        Some(timeout) => tokio::time::sleep(timeout).await,
        None => std::future::pending().await,
    }
}
