//! What stops a run before its end: a signal or the deadline, noticed once and seen by everything that waits.

use std::fmt;
use std::time::Duration;

use child::Signal;
use cli::{Deadline, Exit};
use fault::{Fault, Result};
use tokio::sync::watch;

/// Why a run stops. Displays as a clause: `the run was interrupted`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// This signal arrived. The first one counts: a second does not cut the report short (see [`Stop::insisted`]).
    Signal(Signal),
    /// The deadline of the whole run passed.
    Deadline,
}

impl StopReason {
    /// The exit code that goes with it.
    #[must_use]
    pub fn exit(self) -> Exit {
        match self {
            Self::Signal(Signal::Interrupt) => Exit::Interrupted,
            Self::Signal(Signal::Terminate | Signal::Hangup) => Exit::Terminated,
            Self::Deadline => Exit::Incomplete,
        }
    }

    /// The signal to pass on to a program that the run has started.
    #[must_use]
    pub fn signal(self) -> Signal {
        match self {
            Self::Signal(signal) => signal,
            Self::Deadline => Signal::Terminate,
        }
    }
}

impl fmt::Display for StopReason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Signal(_) => "the run was interrupted",
            Self::Deadline => "the --deadline passed",
        })
    }
}

/// Whether the run has to stop. Clones see the same.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<State>);

/// The first reason, and whether a signal came after it.
#[derive(Clone, Copy, Debug, Default)]
struct State {
    reason: Option<StopReason>,
    insisted: Option<Signal>,
}

/// Stops a run from code, for tests of what happens then.
#[derive(Debug)]
pub struct StopTrigger(watch::Sender<State>);

impl Stop {
    /// Watches for SIGINT, SIGTERM, SIGHUP and the deadline from now on, as long as the runtime runs. The signals no longer end the
    /// process by themselves.
    ///
    /// # Errors
    /// [`fault::Kind::Temporary`] if the system refuses a signal handler.
    pub fn watch(deadline: Option<Deadline>) -> Result<Self> {
        let (sender, receiver) = watch::channel(State::default());
        let mut signals =
            Signals::new().map_err(|error| Fault::temporary("cannot watch for signals").cause(error.to_string()))?;
        tokio::spawn(async move {
            let reason = tokio::select! {
                signal = signals.next() => StopReason::Signal(signal),
                () = passed(deadline) => StopReason::Deadline,
            };
            sender.send_modify(|state| state.reason = Some(reason));
            // The sender is kept in any case: a receiver would take its end for a reason to stop.
            loop {
                let signal = signals.next().await;
                sender.send_modify(|state| state.insisted = Some(signal));
            }
        });
        Ok(Self(receiver))
    }

    /// A stop that only the returned trigger causes.
    #[must_use]
    pub fn manual() -> (StopTrigger, Self) {
        let (sender, receiver) = watch::channel(State::default());
        (StopTrigger(sender), Self(receiver))
    }

    /// Why the run has to stop, if it has to.
    #[must_use]
    pub fn reason(&self) -> Option<StopReason> {
        self.0.borrow().reason
    }

    /// Waits until the run has to stop; never completes otherwise.
    pub async fn requested(&self) -> StopReason {
        self.first(|state| state.reason).await
    }

    /// Waits for a signal after the one, or the deadline, that stops the run; never completes otherwise. Does not borrow the `Stop`.
    pub fn insisted(&self) -> impl Future<Output = Signal> + use<> {
        let stop = self.clone();
        async move { stop.first(|state| state.insisted).await }
    }

    async fn first<T>(&self, of: impl Fn(&State) -> Option<T>) -> T {
        let mut receiver = self.0.clone();
        if let Ok(state) = receiver.wait_for(|state| of(state).is_some()).await
            && let Some(found) = of(&state)
        {
            return found;
        }
        std::future::pending().await
    }

    /// Waits for `time`, or until the run has to stop.
    pub async fn pause(&self, time: Duration) {
        tokio::select! { () = tokio::time::sleep(time) => {}, _ = self.requested() => {} }
    }
}

impl StopTrigger {
    /// Stops the run.
    pub fn stop(&self, reason: StopReason) {
        self.0.send_modify(|state| state.reason = Some(reason));
    }

    /// Sends a second signal.
    pub fn insist(&self, signal: Signal) {
        self.0.send_modify(|state| state.insisted = Some(signal));
    }
}

async fn passed(deadline: Option<Deadline>) {
    match deadline {
        Some(deadline) => deadline.passed().await,
        None => std::future::pending().await,
    }
}

#[cfg(unix)]
struct Signals(Vec<(Signal, tokio::signal::unix::Signal)>);

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let kinds = [
            (Signal::Interrupt, SignalKind::interrupt()),
            (Signal::Terminate, SignalKind::terminate()),
            (Signal::Hangup, SignalKind::hangup()),
        ];
        kinds.into_iter().map(|(kind, raw)| Ok((kind, signal(raw)?))).collect::<std::io::Result<_>>().map(Self)
    }

    async fn next(&mut self) -> Signal {
        std::future::poll_fn(|context| {
            for (signal, stream) in &mut self.0 {
                if stream.poll_recv(context).is_ready() {
                    return std::task::Poll::Ready(*signal);
                }
            }
            std::task::Poll::Pending
        })
        .await
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> Signal {
        // Without the handler the system ends the process itself.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Signal::Interrupt
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use child::Signal;
    use cli::Exit;

    use super::{Stop, StopReason};

    fn on_a_runtime<T>(work: impl Future<Output = T>) -> T {
        cli::block_on(work).unwrap()
    }

    #[test]
    fn everything_that_waits_sees_the_same_reason() {
        on_a_runtime(async {
            let (trigger, stop) = Stop::manual();
            let other = stop.clone();
            assert_eq!(stop.reason(), None);
            trigger.stop(StopReason::Signal(Signal::Hangup));
            assert_eq!(other.requested().await, StopReason::Signal(Signal::Hangup));
            // Returns at once.
            stop.pause(Duration::from_mins(10)).await;
            assert_eq!(stop.reason().map(StopReason::exit), Some(Exit::Terminated));
            trigger.insist(Signal::Interrupt);
            assert_eq!(stop.insisted().await, Signal::Interrupt);
        });
    }

    #[test]
    fn the_deadline_stops_the_run_with_the_code_for_incomplete() {
        on_a_runtime(async {
            let stop = Stop::watch("0.001s".parse().ok()).unwrap();
            assert_eq!(stop.requested().await.exit(), Exit::Incomplete);
        });
    }
}
