//! Copies what the command writes, redacted. Each stream has a thread of its own, so that a reader who stalls one does not stall the other.

use std::io::{self, ErrorKind, Read, Write};

use redact::Redactor;
use tokio::sync::oneshot;

/// How much is read at once.
const CHUNK: usize = 64 * 1024;

/// How long what the command leaves running in the background may still write, after the command itself has ended.
const REST: std::time::Duration = std::time::Duration::from_secs(2);

/// The copies of a command's streams.
#[derive(Debug, Default)]
pub(super) struct Copies(Vec<oneshot::Receiver<io::Result<()>>>);

impl Copies {
    /// Copies `from` to `to` until one of them ends.
    pub(super) fn start<R>(&mut self, from: R, to: impl Write + Send + 'static, redactor: Redactor)
    where
        R: Read + Waits + Send + 'static,
    {
        let (done, copying) = oneshot::channel();
        std::thread::spawn(move || {
            let outcome = match copy(from, to, redactor) {
                // Nobody reads any more. Dropping our end has told the command so, as a pipe would.
                Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
                outcome => outcome,
            };
            // Nobody who waits for the end is nobody who wants to know.
            let _ = done.send(outcome);
        });
        self.0.push(copying);
    }

    /// Waits for the streams' ends: everything that inherited them has ended. Something that never does, a daemon, does not hold us.
    ///
    /// # Errors
    /// Something could not be written, and not because nobody reads it.
    pub(super) async fn drained(self) -> io::Result<()> {
        let all = async {
            for copying in self.0 {
                // A copy that has gone has nothing more to say.
                copying.await.unwrap_or(Ok(()))?;
            }
            Ok(())
        };
        // What comes later is the daemon's own affair.
        tokio::time::timeout(REST, all).await.unwrap_or(Ok(()))
    }
}

fn copy(mut from: impl Read + Waits, mut to: impl Write, mut redactor: Redactor) -> io::Result<()> {
    let mut show = |bytes: &[u8]| to.write_all(bytes).and_then(|()| to.flush());
    let mut chunk = vec![0; CHUNK];
    loop {
        if redactor.holds() && !from.has_more_soon() {
            show(&redactor.release())?;
        }
        match from.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => show(&redactor.push(&chunk[..count]))?,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // A terminal ends with an error.
            Err(_) => break,
        }
    }
    show(&redactor.finish())
}

/// A stream that can say whether more is coming.
pub(super) trait Waits {
    /// Whether something can be read within a moment; where that cannot be told, it is always so.
    fn has_more_soon(&self) -> bool;
}

/// After so long without a byte (in nanoseconds), a stream pauses, and what ends like no secret is shown: a prompt, a key's echo.
#[cfg(unix)]
const PAUSE: i64 = 4_000_000;

#[cfg(unix)]
impl<T: std::os::fd::AsFd> Waits for T {
    fn has_more_soon(&self) -> bool {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let mut streams = [PollFd::new(self, PollFlags::IN)];
        // An error is not for here: reading will meet it again.
        poll(&mut streams, Some(&Timespec { tv_sec: 0, tv_nsec: PAUSE })).map_or(true, |ready| ready > 0)
    }
}

#[cfg(not(unix))]
impl<T> Waits for T {
    fn has_more_soon(&self) -> bool {
        true
    }
}
