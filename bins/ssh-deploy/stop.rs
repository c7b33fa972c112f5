//! Being told to stop: SIGINT, SIGTERM or SIGHUP, seen by everything that waits.

use std::pin::pin;

use cli::Exit;
use fault::{Fault, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// Who told us to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// SIGINT: a person, or the first thing the Actions runner sends.
    Interrupt,
    /// SIGTERM or SIGHUP.
    Terminate,
}

impl Told {
    /// The exit code that goes with it.
    pub(crate) fn exit(self) -> Exit {
        match self {
            Self::Interrupt => Exit::Interrupted,
            Self::Terminate => Exit::Terminated,
        }
    }

    /// For people.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
        }
    }
}

/// Whether, and how, we were told to stop.
#[derive(Clone, Debug)]
pub(crate) struct Stop(watch::Receiver<Option<Told>>);

impl Stop {
    /// What was said, if anything.
    pub(crate) fn told(&self) -> Option<Told> {
        *self.0.borrow()
    }

    /// Ends when somebody tells us to stop, never otherwise.
    pub(crate) async fn requested(&self) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(Option::is_some).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Listens from now on, as long as the runtime runs.
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
        let told = first(interrupt, terminate, hangup).await;
        // Without a receiver nobody waits any more. The handlers stay: a second signal does not cut the report short.
        let _heard = sender.send(Some(told));
        sender.closed().await;
    });
    Ok(Stop(receiver))
}

async fn first(mut interrupt: Signal, mut terminate: Signal, mut hangup: Signal) -> Told {
    let (mut terminate, mut hangup) = (pin!(terminate.recv()), pin!(hangup.recv()));
    tokio::select! {
        _ = interrupt.recv() => Told::Interrupt,
        _ = &mut terminate => Told::Terminate,
        _ = &mut hangup => Told::Terminate,
    }
}

#[cfg(test)]
impl Stop {
    /// One that tests control.
    pub(crate) fn by_hand() -> (watch::Sender<Option<Told>>, Self) {
        let (sender, receiver) = watch::channel(None);
        (sender, Self(receiver))
    }
}
