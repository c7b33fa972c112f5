//! SIGINT, SIGTERM and the deadline, noticed once and seen by everybody who waits.

use cli::{Deadline, Exit};
use fault::{Fault, Result};
use tokio::sync::watch;

/// Whether somebody wants this run to end.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt(watch::Receiver<Option<Exit>>);

impl Interrupt {
    /// Begins to watch, for the deadline's end too. From now on the signals do not end the process by themselves.
    pub(crate) fn watch(deadline: Option<Deadline>) -> Result<Self> {
        let (send, receive) = watch::channel(None);
        let signals =
            Signals::new().map_err(|error| Fault::temporary("cannot watch for signals").cause(error.to_string()))?;
        tokio::spawn(async move {
            let exit = tokio::select! {
                exit = signals.next() => exit,
                () = over(deadline) => Exit::Incomplete,
            };
            // Where nobody listens any more the run has ended.
            let _ = send.send(Some(exit));
            // The sender stays, or those who wait would take its end for the signal's.
            std::future::pending::<()>().await;
        });
        Ok(Self(receive))
    }

    /// The exit code it asks for, if it has come.
    pub(crate) fn seen(&self) -> Option<Exit> {
        *self.0.borrow()
    }

    /// Waits until it comes.
    pub(crate) async fn wait(&self) -> Exit {
        let mut receive = self.0.clone();
        loop {
            if let Some(exit) = *receive.borrow_and_update() {
                return exit;
            }
            if receive.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

/// What it means in words.
pub(crate) fn why(exit: Exit) -> &'static str {
    match exit {
        Exit::Incomplete => "the --deadline is over",
        _ => "the run was interrupted",
    }
}

async fn over(deadline: Option<Deadline>) {
    match deadline {
        Some(deadline) => deadline.passed().await,
        None => std::future::pending().await,
    }
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(mut self) -> Exit {
        tokio::select! {
            _ = self.interrupt.recv() => Exit::Interrupted,
            _ = self.terminate.recv() => Exit::Terminated,
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(self) -> Exit {
        // Without the handler the system ends the process itself.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Exit::Interrupted
    }
}
