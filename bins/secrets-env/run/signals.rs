//! Passes signals on to the command, and translates the way it ended.

use std::future::poll_fn;
use std::process::ExitStatus;
use std::task::Poll;

use cli::Exit;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

/// Who gets the signals that we get.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target {
    /// The command leads a process group of its own: all of it.
    Group(Pid),
    /// The command shares our terminal and our group, whose keys it hears itself: it alone, and only what no key sends.
    Process(Pid),
}

/// The signals that ask a program to do something.
pub(super) struct Signals(Vec<(Signal, Stream)>);

impl Signals {
    /// Starts to listen: from now on these signals no longer end this process.
    pub(super) fn listen() -> std::io::Result<Self> {
        let kinds = [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT, Signal::USR1, Signal::USR2];
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
        Target::Group(leader) => kill_process_group(leader, kind),
        Target::Process(_) if kind == Signal::INT || kind == Signal::QUIT => Ok(()),
        Target::Process(process) => kill_process(process, kind),
    };
}

/// The command's own code, or 128 and the signal that ended it.
pub(super) fn exit(status: ExitStatus) -> Exit {
    use std::os::unix::process::ExitStatusExt as _;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    Exit::Child(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(super::OWN_FAILURE))
}
