//! What the program writes: one pipe for both streams or one for each, read on threads.
//!
//! Threads, and not the event loop, because a process that outlives the program may hold a pipe open for ever: such a thread is left
//! behind and ends with this process, and meanwhile the pipe never fills up and blocks the writer.

use std::io::{self, Read};
use std::process::{Command, Stdio};

use tokio::sync::mpsc;

/// How many bytes are read at once.
const CHUNK: usize = 16 * 1024;

/// How many chunks may be queued. When the queue is full, the program has to wait.
const WAITING: usize = 16;

/// Which of the program's streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output; both streams if they are joined.
    Stdout,
    /// Standard error.
    Stderr,
}

/// How the program's output is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputMode {
    /// Both streams through one pipe: their lines keep the order in which they were written.
    Joined,
    /// Each stream through its own pipe: only the order within a stream is known.
    Separate,
    /// Both streams through a terminal like our standard error, so that the program keeps its colours and width; through one pipe
    /// if standard error is no terminal, or not on Linux.
    Terminal,
    /// Not at all: the program writes to the streams of this process.
    Inherited,
}

impl OutputMode {
    /// Gives the program its ends of the pipes.
    pub(crate) fn attach(self, command: &mut Command) -> io::Result<Readers> {
        match self {
            Self::Terminal => terminal(command)?.map_or_else(|| Self::Joined.attach(command), Ok),
            Self::Joined => {
                let (reader, writer) = io::pipe()?;
                command.stdout(writer.try_clone()?).stderr(writer);
                Ok(Readers(vec![(Stream::Stdout, Box::new(reader))]))
            }
            Self::Separate => {
                let ((stdout, out), (stderr, err)) = (io::pipe()?, io::pipe()?);
                command.stdout(out).stderr(err);
                Ok(Readers(vec![(Stream::Stdout, Box::new(stdout)), (Stream::Stderr, Box::new(stderr))]))
            }
            Self::Inherited => {
                command.stdout(Stdio::inherit()).stderr(Stdio::inherit());
                Ok(Readers(Vec::new()))
            }
        }
    }
}

/// Gives the program a terminal like our standard error; `None` if that is none.
#[cfg(target_os = "linux")]
fn terminal(command: &mut Command) -> io::Result<Option<Readers>> {
    let pty = crate::pty::Pty::modes_for_output(io::stderr()).and_then(|modes| crate::pty::Pty::open(&modes));
    let Some(mut pty) = pty else { return Ok(None) };
    pty.resize(io::stderr());
    let Some(slave) = pty.take_slave() else { return Ok(None) };
    command.stdout(slave.try_clone()?).stderr(slave);
    let output = pty.output()?;
    follow_size(pty);
    Ok(Some(Readers(vec![(Stream::Stdout, Box::new(output))])))
}

#[cfg(not(target_os = "linux"))]
fn terminal(_: &mut Command) -> io::Result<Option<Readers>> {
    Ok(None)
}

/// Gives the terminal the size of ours whenever that changes, until the event loop ends.
#[cfg(target_os = "linux")]
fn follow_size(pty: crate::pty::Pty) {
    use tokio::signal::unix::{SignalKind, signal};
    // Without the signal the program keeps the size that it began with.
    let Ok(mut changes) = signal(SignalKind::window_change()) else { return };
    tokio::spawn(async move {
        while changes.recv().await.is_some() {
            pty.resize(io::stderr());
        }
    });
}

/// Our ends of the pipes, or of the terminal.
pub(crate) struct Readers(Vec<(Stream, Box<dyn Read + Send>)>);

impl Readers {
    /// Starts to read.
    pub(crate) fn read(self) -> Chunks {
        let (send, receive) = mpsc::channel(WAITING);
        for (stream, mut reader) in self.0 {
            let send = send.clone();
            std::thread::spawn(move || {
                let mut buffer = vec![0; CHUNK];
                loop {
                    match reader.read(&mut buffer) {
                        // Once there is no receiver, bytes are dropped, so that the writer is not blocked.
                        Ok(length @ 1..) => {
                            let _ = send.blocking_send((stream, buffer[..length].to_vec()));
                        }
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        Ok(0) | Err(_) => return,
                    }
                }
            });
        }
        Chunks(receive)
    }
}

/// What has been read, in the order it came.
pub(crate) struct Chunks(mpsc::Receiver<(Stream, Vec<u8>)>);

impl Chunks {
    /// The next bytes; `None` when every pipe is closed.
    pub(crate) async fn next(&mut self) -> Option<(Stream, Vec<u8>)> {
        self.0.recv().await
    }
}
