//! Why a command is ended before its time: SIGINT, SIGTERM or SIGHUP, seen by everything that waits, or a time limit.

use std::pin::pin;
use std::time::Duration;

use cli::Exit;
use fault::{Fault, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// The signal that asks us to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StopSignal {
    /// SIGINT: a person, or the first signal that the Actions runner sends.
    Interrupt,
    /// SIGTERM or SIGHUP.
    Terminate,
}

impl StopSignal {
    /// The exit code that goes with it.
    pub(crate) fn exit(self) -> Exit {
        match self {
            Self::Interrupt => Exit::Interrupted,
            Self::Terminate => Exit::Terminated,
        }
    }

    /// Its name in messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
        }
    }
}

/// Why a command was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StopReason {
    /// Its time limit passed.
    Timeout,
    /// A signal arrived.
    Signal(StopSignal),
}

/// The first signal that asked us to stop, if there was one.
#[derive(Clone, Debug)]
pub(crate) struct Stop(watch::Receiver<Option<StopSignal>>);

impl Stop {
    /// The signal, if one has arrived.
    pub(crate) fn signal(&self) -> Option<StopSignal> {
        *self.0.borrow()
    }

    /// Completes when a signal arrives, never otherwise.
    pub(crate) async fn requested(&self) -> StopSignal {
        let mut receiver = self.0.clone();
        if let Ok(signal) = receiver.wait_for(Option::is_some).await
            && let Some(signal) = *signal
        {
            return signal;
        }
        std::future::pending().await
    }

    /// Completes when a command has to end: at a signal, or after `timeout`.
    pub(crate) async fn reason(&self, timeout: Option<Duration>) -> StopReason {
        tokio::select! {
            signal = self.requested() => StopReason::Signal(signal),
            () = expired(timeout) => StopReason::Timeout,
        }
    }

    /// Waits, but no longer than until a signal arrives.
    pub(crate) async fn pause(&self, time: Duration) {
        tokio::select! { () = tokio::time::sleep(time) => {}, _ = self.requested() => {} }
    }
}

/// Completes after `timeout`; never without one.
async fn expired(timeout: Option<Duration>) {
    match timeout {
        Some(timeout) => tokio::time::sleep(timeout).await,
        None => std::future::pending().await,
    }
}

/// Listens for signals from now on, as long as the runtime runs.
///
/// # Errors
/// The system refuses a signal handler.
pub(crate) fn on_signals() -> Result<Stop> {
    let listen =
        |kind| signal(kind).map_err(|error| Fault::temporary("cannot listen for signals").cause(error.to_string()));
    let (interrupt, terminate, hangup) =
        (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?, listen(SignalKind::hangup())?);
    let (sender, receiver) = watch::channel(None);
    tokio::spawn(async move {
        let signal = first(interrupt, terminate, hangup).await;
        // The receiver may already be gone. The handlers stay, so that a second signal does not cut the report short.
        let _received = sender.send(Some(signal));
        sender.closed().await;
    });
    Ok(Stop(receiver))
}

async fn first(mut interrupt: Signal, mut terminate: Signal, mut hangup: Signal) -> StopSignal {
    let (mut terminate, mut hangup) = (pin!(terminate.recv()), pin!(hangup.recv()));
    tokio::select! {
        _ = interrupt.recv() => StopSignal::Interrupt,
        _ = &mut terminate => StopSignal::Terminate,
        _ = &mut hangup => StopSignal::Terminate,
    }
}

#[cfg(test)]
impl Stop {
    /// A stop that a test controls.
    pub(crate) fn manual() -> (watch::Sender<Option<StopSignal>>, Self) {
        let (sender, receiver) = watch::channel(None);
        (sender, Self(receiver))
    }
}
