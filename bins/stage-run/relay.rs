//! Keeps a pipe that nobody reads any more from holding up the run.
//!
//! A pager, a log collector that hangs, a connection that is gone: a write to such a pipe blocks, and with it the one thread that passes
//! signals on and runs what always runs. So a pipe on stderr or stdout is written to by a thread: it waits for the reader as a
//! write would, but after a signal no longer than a second. What is not written then is in the logs all the same.

use std::fs::File;
use std::io::{self, PipeReader, Read as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use run::Stop;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, fstat};

/// How long a reader is waited for once a signal has arrived.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often it is asked whether a signal has arrived.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// A pipe with room takes this much without blocking.
const PIECE: usize = 4096;

/// A stream of this process.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stream {
    Out,
    Err,
}

/// A stream whose writes go through a thread.
#[derive(Debug)]
pub(crate) struct Relay {
    stream: Stream,
    to: Arc<OwnedFd>,
    stopped: Arc<AtomicBool>,
    /// Whether the reader was given up.
    thread: Option<JoinHandle<bool>>,
}

impl Stream {
    /// Makes `to` this stream.
    fn becomes(self, to: impl AsFd) -> rustix::io::Result<()> {
        match self {
            Self::Out => rustix::stdio::dup2_stdout(to),
            Self::Err => rustix::stdio::dup2_stderr(to),
        }
    }

    fn copy(self) -> rustix::io::Result<OwnedFd> {
        match self {
            Self::Out => rustix::io::fcntl_dupfd_cloexec(io::stdout(), 3),
            Self::Err => rustix::io::fcntl_dupfd_cloexec(io::stderr(), 3),
        }
    }
}

impl Relay {
    /// Begins, if the stream is a pipe or a socket. Without a thread or a descriptor to spare it is written to as ever.
    pub(crate) fn begin(stream: Stream) -> Option<Self> {
        let to = Arc::new(stream.copy().ok()?);
        let kind = FileType::from_raw_mode(fstat(&to).ok()?.st_mode);
        if !matches!(kind, FileType::Fifo | FileType::Socket) {
            return None;
        }
        let stopped = Arc::new(AtomicBool::new(false));
        let (reader, writer) = io::pipe().ok()?;
        let (sink, seen) = (to.clone(), stopped.clone());
        let thread = std::thread::Builder::new().spawn(move || pass_on(reader, &sink, &seen)).ok()?;
        watch(stopped.clone());
        let relay = Self { stream, to, stopped, thread: Some(thread) };
        stream.becomes(&writer).ok()?;
        Some(relay)
    }

    fn finish(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        // This closes the last writer of our pipe.
        let _ = self.stream.becomes(&self.to);
        let given_up = thread.join().unwrap_or(true);
        // What is printed from now on must not block either.
        if (given_up || self.stopped.load(Ordering::Relaxed) && !has_room(&self.to, &self.stopped))
            && let Ok(nothing) = File::options().write(true).open("/dev/null")
        {
            let _ = self.stream.becomes(&nothing);
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.finish();
    }
}

/// Notices a signal while the main thread may be blocked.
fn watch(stopped: Arc<AtomicBool>) {
    // The thread ends with the process.
    let _ = std::thread::Builder::new().spawn(move || {
        cli::block_on(async {
            if let Ok(stop) = Stop::watch(None) {
                stop.requested().await;
                stopped.store(true, Ordering::Relaxed);
                // As long as the watch lives, the signals are handled.
                std::future::pending::<()>().await;
            }
        })
    });
}

/// Copies until every writer has closed the pipe. Returns whether the reader was given up.
fn pass_on(mut from: PipeReader, to: &OwnedFd, stopped: &AtomicBool) -> bool {
    let (mut buffer, mut open, mut given_up) = (vec![0; 64 * 1024], Vec::new(), false);
    let Ok(mut out) = to.try_clone().map(File::from) else { return true };
    loop {
        let length = match from.read(&mut buffer) {
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => 0,
        };
        open.extend_from_slice(&buffer[..length]);
        // Only whole lines, so that those of both streams do not mix if both lead to one pipe.
        let whole = open.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let ready = if length == 0 || whole == 0 && open.len() > PIECE { open.len() } else { whole };
        let mut rest: Vec<u8> = open.split_off(ready);
        std::mem::swap(&mut open, &mut rest);
        for piece in pieces(&rest) {
            // After the reader was given up nothing more is written: the lines between would be missing.
            given_up = given_up || !has_room(to, stopped) || out.write_all(piece).is_err();
        }
        if length == 0 {
            return given_up;
        }
    }
}

/// The bytes in pieces that end with a line, if a line fits.
fn pieces(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let most = &bytes[..bytes.len().min(PIECE)];
        let end = most.iter().rposition(|byte| *byte == b'\n').map_or(most.len(), |end| end + 1);
        let (piece, rest) = bytes.split_at(end);
        bytes = rest;
        (!piece.is_empty()).then_some(piece)
    })
}

/// Waits until the pipe has room for a piece. `false`: a signal arrived, and its reader does not read.
fn has_room(to: &OwnedFd, stopped: &AtomicBool) -> bool {
    let mut since = None;
    loop {
        let mut polled = [PollFd::new(to, PollFlags::OUT)];
        match poll(&mut polled, Some(&LOOK)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            // Also a reader that is gone: the write fails.
            Ok(_) | Err(_) => return true,
        }
        if stopped.load(Ordering::Relaxed) {
            let since = *since.get_or_insert_with(Instant::now);
            if since.elapsed() > PATIENCE {
                return false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{PIECE, pieces};

    #[test]
    fn pieces_end_with_a_line_if_one_fits() {
        let text = format!("{}\n{}\n{}", "a".repeat(3000), "b".repeat(3000), "c".repeat(9000));
        let cut: Vec<&[u8]> = pieces(text.as_bytes()).collect();
        assert_eq!(cut.concat(), text.as_bytes());
        assert_eq!(
            cut.iter().map(|piece| piece.len()).collect::<Vec<_>>(),
            [3001, 3001, PIECE, PIECE, 9000 - 2 * PIECE]
        );
    }
}
