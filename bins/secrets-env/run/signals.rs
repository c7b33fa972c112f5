//! Passes signals on to the command, and reports how it changes.

use std::future::poll_fn;
use std::io;
use std::task::Poll;

use cli::Exit;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process, kill_process_group, waitpid};
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::outcome::OWN_FAILURE;

/// The receiver of the signals that we get.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target {
    /// The command leads its own process group: all of it.
    Group(Pid),
    /// The leader of the command's session, which passes them on.
    Leader(Pid),
    /// The command shares our terminal and our group, and gets what the keyboard sends by itself: the command alone, and only the others.
    Companion(Pid),
}

/// The signals that ask a program to do something.
pub(super) struct Signals(Vec<(Signal, Stream)>);

impl Signals {
    /// Starts to listen: from now on these signals do not end this process.
    ///
    /// One that was ignored at start (`nohup`, `trap '' INT`) stays ignored, for us and so for the command, which inherits that.
    pub(super) fn listen() -> io::Result<Self> {
        let kinds = [
            Signal::INT,
            Signal::TERM,
            Signal::HUP,
            Signal::QUIT,
            Signal::USR1,
            Signal::USR2,
            Signal::WINCH,
            Signal::CONT,
        ];
        // If SIGCHLD is ignored, the system discards how a child ended. A handler undoes that; this one does nothing.
        drop(signal(SignalKind::child())?);
        let listen = |kind: Signal| Ok((kind, signal(SignalKind::from_raw(kind.as_raw()))?));
        let heard = kinds.into_iter().filter(|kind| !inherit::ignored_at_start(kind.as_raw()));
        heard.map(listen).collect::<io::Result<_>>().map(Self)
    }

    /// The next signal.
    pub(super) async fn next(&mut self) -> Signal {
        poll_fn(|context| {
            for (kind, stream) in &mut self.0 {
                if stream.poll_recv(context).is_ready() {
                    return Poll::Ready(*kind);
                }
            }
            Poll::Pending
        })
        .await
    }
}

/// Passes `kind` on. If the target has ended, that is not an error.
pub(super) fn pass_on(kind: Signal, target: Target) {
    let _ = match target {
        // A stopped process has to be continued to handle it; the system does the same when a terminal hangs up.
        Target::Group(leader) if kind == Signal::HUP || kind == Signal::TERM => {
            kill_process_group(leader, kind).and_then(|()| kill_process_group(leader, Signal::CONT))
        }
        Target::Group(leader) => kill_process_group(leader, kind),
        Target::Companion(_) if kind == Signal::INT || kind == Signal::QUIT => Ok(()),
        // The command's terminal sends these itself.
        Target::Leader(_) if kind == Signal::WINCH || kind == Signal::CONT => Ok(()),
        Target::Companion(process) | Target::Leader(process) => kill_process(process, kind),
    };
}

/// A change of a child.
#[derive(Clone, Copy, Debug)]
pub(super) enum Change {
    /// It has stopped.
    Stopped,
    /// It has ended, with its own code, or 128 and the signal that ended it.
    Ended(Exit),
}

/// The changes of the child `id`, in order, watched on their own thread.
pub(super) fn changes(id: Pid) -> UnboundedReceiver<Change> {
    let (sender, receiver) = unbounded_channel();
    std::thread::spawn(move || {
        loop {
            let change = match waitpid(Some(id), WaitOptions::UNTRACED) {
                Ok(Some((_, status))) if status.stopped() => Change::Stopped,
                Ok(Some((_, status))) => Change::Ended(exit(status)),
                Ok(None) | Err(Errno::INTR) => continue,
                Err(_) => return,
            };
            // The receiver may already be gone; that is not an error.
            if sender.send(change).is_err() || matches!(change, Change::Ended(_)) {
                return;
            }
        }
    });
    receiver
}

fn exit(status: WaitStatus) -> Exit {
    let code = status.exit_status().or_else(|| status.terminating_signal().map(|signal| 128 + signal));
    Exit::Child(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(OWN_FAILURE))
}
