//! Writes to the servers from its own thread: frames as they come, and a pulse when there has been none for 5 s.
//!
//! The remote loop ends what it runs when it hears nothing for 20 s. The thread never waits for output: however slowly ours is
//! read, the pulses go on.

use std::os::fd::OwnedFd;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::unix::pipe;
use tokio::sync::mpsc;

/// How long a server may hear nothing of us.
const INTERVAL: Duration = Duration::from_secs(5);
/// How many frames wait to be written; a sender of more waits.
const QUEUE: usize = 2;

/// The thread that writes.
#[derive(Debug)]
pub(crate) struct Pulse {
    pipes: Option<mpsc::UnboundedSender<(OwnedFd, mpsc::Receiver<Vec<u8>>)>>,
    thread: Option<JoinHandle<()>>,
}

/// One server's input. Dropping it closes the pipe: the lifeline.
#[derive(Debug)]
pub(crate) struct Writer(mpsc::Sender<Vec<u8>>);

impl Pulse {
    /// Starts the thread.
    pub(crate) fn start() -> std::io::Result<Self> {
        let (pipes, mut incoming) = mpsc::unbounded_channel::<(OwnedFd, mpsc::Receiver<Vec<u8>>)>();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new().name("pulse".to_owned()).spawn(move || {
            runtime.block_on(async {
                let mut tasks = tokio::task::JoinSet::new();
                while let Some((pipe, frames)) = incoming.recv().await {
                    tasks.spawn(carry(pipe, frames));
                }
                // The run is over: what could not be written by now has no reader.
                tasks.abort_all();
            });
        })?;
        Ok(Self { pipes: Some(pipes), thread: Some(thread) })
    }

    /// Takes over a client's stdin.
    pub(crate) fn attach(&self, pipe: OwnedFd) -> Writer {
        let (sender, receiver) = mpsc::channel(QUEUE);
        if let Some(pipes) = &self.pipes {
            // Without the thread the pipe closes here, and the connection ends.
            let _attached = pipes.send((pipe, receiver));
        }
        Writer(sender)
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        drop(self.pipes.take());
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}

impl Writer {
    /// Sends a frame; `false` if the connection has ended.
    pub(crate) async fn send(&self, frame: Vec<u8>) -> bool {
        self.0.send(frame).await.is_ok()
    }
}

async fn carry(pipe: OwnedFd, mut frames: mpsc::Receiver<Vec<u8>>) {
    let Ok(mut pipe) = pipe::Sender::from_owned_fd(pipe) else { return };
    loop {
        let frame = match tokio::time::timeout(INTERVAL, frames.recv()).await {
            Ok(Some(frame)) => frame,
            Ok(None) => return,
            Err(_idle) => b"beat\n".to_vec(),
        };
        if pipe.write_all(&frame).await.is_err() {
            return;
        }
    }
}
