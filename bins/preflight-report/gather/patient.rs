//! Reads what may never come to its end, a pipe or a FIFO, until the deadline, and reports what it waits for.

use std::io::{self, Read};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use cli::{Console, Deadline};

/// After this time without a byte it is reported what is waited for.
const LONG: Duration = Duration::from_secs(5);

const CHUNK: usize = 64 * 1024;

/// How many chunks may be queued; then the writer has to wait.
const WAITING: usize = 16;

/// Where long waits are reported, and when they end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Patience {
    pub(crate) console: Option<Console>,
    pub(crate) deadline: Option<Deadline>,
}

/// A reader whose bytes come from a thread. The thread cannot be stopped; it ends with the process.
struct Patient {
    title: String,
    patience: Patience,
    chunks: Receiver<io::Result<Vec<u8>>>,
    chunk: Vec<u8>,
    at: usize,
    is_reported: bool,
}

/// Opens `path`, or standard input. Files are read directly.
///
/// # Errors
/// It cannot be opened.
pub(super) fn open(path: Option<&Path>, title: String, patience: &Patience) -> io::Result<Box<dyn Read>> {
    let is_file = match path {
        Some(path) => path.metadata().is_ok_and(|found| found.is_file()),
        None => false,
    };
    if let Some(path) = path.filter(|path| is_file || !path.exists()) {
        return Ok(Box::new(std::fs::File::open(path)?));
    }
    let (send, chunks) = sync_channel(WAITING);
    let path = path.map(Path::to_owned);
    // Opening a FIFO waits for its writer.
    std::thread::spawn(move || match path.map(std::fs::File::open).transpose() {
        Ok(Some(file)) => pump(file, &send),
        Ok(None) => pump(io::stdin(), &send),
        // The reader may have given up, here and below.
        Err(error) => drop(send.send(Err(error))),
    });
    Ok(Box::new(Patient { title, patience: patience.clone(), chunks, chunk: Vec::new(), at: 0, is_reported: false }))
}

fn pump(mut reader: impl Read, send: &SyncSender<io::Result<Vec<u8>>>) {
    let mut buffer = vec![0; CHUNK];
    loop {
        let chunk = match reader.read(&mut buffer) {
            Ok(0) => return,
            Ok(length) => Ok(buffer[..length].to_vec()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        let is_last = chunk.is_err();
        if send.send(chunk).is_err() || is_last {
            return;
        }
    }
}

impl Patient {
    /// The next chunk; `None` at the end.
    fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        let deadline = self.patience.deadline;
        loop {
            let left = deadline.map(|deadline| deadline.remaining());
            if left.is_some_and(|left| left.is_zero()) {
                let text =
                    format!("no end before the deadline of {}", deadline.map(|at| at.to_string()).unwrap_or_default());
                return Err(io::Error::new(io::ErrorKind::TimedOut, text));
            }
            match self.chunks.recv_timeout(left.map_or(LONG, |left| left.min(LONG))) {
                Ok(chunk) => return chunk.map(Some),
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
                Err(RecvTimeoutError::Timeout) if left.is_none_or(|left| left > LONG) && !self.is_reported => {
                    self.is_reported = true;
                    let until = left.map(|left| {
                        format!(", for another {} at most", cli::shown(Duration::from_secs(left.as_secs())))
                    });
                    if let Some(console) = &self.patience.console {
                        console.status(&format!("waiting for {}{}", self.title, until.unwrap_or_default()));
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }
}

impl Read for Patient {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.chunk.len() {
            let Some(chunk) = self.next()? else { return Ok(0) };
            (self.chunk, self.at) = (chunk, 0);
        }
        let count = buffer.len().min(self.chunk.len() - self.at);
        buffer[..count].copy_from_slice(&self.chunk[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}
