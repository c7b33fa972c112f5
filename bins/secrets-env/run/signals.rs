//! Passes signals on to the command, and tells how it fares.

use std::future::poll_fn;
use std::task::Poll;

use cli::Exit;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process, kill_process_group, waitpid};
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// Who gets the signals that we get.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target {
    /// The command leads a process group of its own: all of it.
    Group(Pid),
    /// The leader of the command's session, who passes them on.
    Leader(Pid),
    /// The command shares our terminal and our group, whose keys it hears itself: it alone, and only what no key sends.
    Companion(Pid),
}

/// The signals that ask a program to do something.
pub(super) struct Signals(Vec<(Signal, Stream)>);

impl Signals {
    /// Starts to listen: from now on these signals no longer end this process.
    pub(super) fn listen() -> std::io::Result<Self> {
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
        let listen = |kind: Signal| Ok((kind, signal(SignalKind::from_raw(kind.as_raw()))?));
        kinds.into_iter().map(listen).collect::<std::io::Result<_>>().map(Self)
    }

    /// The next signal to come.
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

/// Passes `kind` on. A target that is gone needs no signal.
pub(super) fn pass_on(kind: Signal, target: Target) {
    let _ = match target {
        // What has stopped has to wake to hear it, as the system does when a terminal hangs up.
        Target::Group(leader) if kind == Signal::HUP || kind == Signal::TERM => {
            kill_process_group(leader, kind).and_then(|()| kill_process_group(leader, Signal::CONT))
        }
        Target::Group(leader) => kill_process_group(leader, kind),
        Target::Companion(_) if kind == Signal::INT || kind == Signal::QUIT => Ok(()),
        // Its terminal tells its session of another size.
        Target::Leader(_) if kind == Signal::WINCH || kind == Signal::CONT => Ok(()),
        Target::Companion(process) | Target::Leader(process) => kill_process(process, kind),
    };
}

/// What becomes of a child.
#[derive(Clone, Copy, Debug)]
pub(super) enum Change {
    /// It has stopped.
    Stopped,
    /// It has ended, with its own code, or 128 and the signal that ended it.
    Ended(Exit),
}

/// The changes of the child `id`, in order, watched on a thread of its own.
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
            // Nobody who still listens is nobody who wants to know.
            if sender.send(change).is_err() || matches!(change, Change::Ended(_)) {
                return;
            }
        }
    });
    receiver
}

fn exit(status: WaitStatus) -> Exit {
    let code = status.exit_status().or_else(|| status.terminating_signal().map(|signal| 128 + signal));
    Exit::Child(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(super::OWN_FAILURE))
}
