//! Copies what the command writes, redacted. Each stream has its own thread, so a reader that stalls one does not stall the other.
//!
//! The copies end with the streams, which is when everything that inherited them has ended. When the command has ended and something it
//! started has not, the copies can be stopped between two reads, and another process goes on with them ([`super::drain`]).

use std::io::{self, ErrorKind, PipeReader, PipeWriter, Read, Write};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use redact::{Plan, Redactor};
use tokio::sync::oneshot;

/// How much is read at once.
const CHUNK: usize = 64 * 1024;

/// How long what the command left running may go on writing into our copies. Most of it only finishes its last lines (a `tee`, for
/// example); for the rest, half a second is less than a new process is worth.
const GRACE: Duration = Duration::from_millis(500);

/// After so long without a byte, a stream pauses, and what cannot be the beginning of a secret is shown: a prompt, the echo of a key.
const PAUSE: Duration = Duration::from_millis(4);

/// A stream of ours that copies go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
pub(super) enum Target {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Target {
    fn write(self, bytes: &[u8]) -> io::Result<()> {
        fn write(mut out: impl Write, bytes: &[u8]) -> io::Result<()> {
            out.write_all(bytes).and_then(|()| out.flush())
        }
        match self {
            Self::Stdout => write(io::stdout(), bytes),
            Self::Stderr => write(io::stderr(), bytes),
        }
    }
}

/// The plan that copies redact with. It may be replaced while they are under way.
#[derive(Clone)]
pub(super) struct SharedPlan(Arc<RwLock<Arc<Plan>>>);

impl SharedPlan {
    /// Shares `plan`, and begins to build what finds the secrets: for a large config that takes a while, and a command that prints
    /// nothing need not wait for it.
    pub(super) fn new(plan: Arc<Plan>) -> Self {
        plan.prepare();
        Self(Arc::new(RwLock::new(plan)))
    }

    /// Hides what `next` hides from now on.
    pub(super) fn replace(&self, next: &Self) {
        let next = next.current();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = next;
    }

    fn current(&self) -> Arc<Plan> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The rest of a stream whose copy was stopped.
#[derive(Debug)]
pub(super) struct Rest<S> {
    /// The stream.
    pub(super) from: S,
    /// Where it goes.
    pub(super) to: Target,
    /// The state of its redactor ([`Redactor::suspend`]); empty if nothing has been read.
    pub(super) state: Vec<u8>,
}

/// How a copy ended.
enum Ended<S> {
    /// With its stream, or because it could not be written.
    Done(io::Result<()>),
    /// It was stopped, and the stream goes on.
    Stopped(Rest<S>),
}

/// What became of the copies.
pub(super) struct Outcome<S> {
    /// Why some of the output could not be written, if it could not.
    pub(super) lost: Option<io::Error>,
    /// The streams that have not ended.
    pub(super) rest: Vec<Rest<S>>,
}

/// The copies of a command's streams.
pub(super) struct Copies<S> {
    copying: Vec<oneshot::Receiver<Ended<S>>>,
    /// Closed to stop them.
    stop: PipeWriter,
    stopped: PipeReader,
}

impl<S: PollRead> Copies<S> {
    pub(super) fn new() -> io::Result<Self> {
        let (stopped, stop) = io::pipe()?;
        Ok(Self { copying: Vec::new(), stop, stopped })
    }

    /// Copies `from` to `to` until one of them ends.
    pub(super) fn start(&mut self, from: S, to: Target, plan: &SharedPlan) -> io::Result<()> {
        self.resume(Rest { from, to, state: Vec::new() }, plan)
    }

    /// Goes on with a copy that was stopped.
    pub(super) fn resume(&mut self, rest: Rest<S>, plan: &SharedPlan) -> io::Result<()> {
        let (done, copying) = oneshot::channel();
        let (stopped, plan) = (self.stopped.try_clone()?, plan.clone());
        std::thread::spawn(move || {
            let ended = match copy(rest, &plan, &stopped) {
                // The reader has closed the stream. Dropping our end gives the command SIGPIPE, as a plain pipe would.
                Ended::Done(Err(error)) if error.kind() == ErrorKind::BrokenPipe => Ended::Done(Ok(())),
                ended => ended,
            };
            // The receiver may already be gone; that is not an error.
            let _ = done.send(ended);
        });
        self.copying.push(copying);
        Ok(())
    }

    /// Waits until everything is written that the command can have written before its end, and stops the streams that go on.
    pub(super) async fn stop(self) -> Outcome<S> {
        drop(self.stop);
        outcome(self.copying).await
    }

    /// Waits until the streams have ended.
    pub(super) async fn finish(self) -> Outcome<S> {
        let _stop = self.stop;
        outcome(self.copying).await
    }
}

async fn outcome<S>(copying: Vec<oneshot::Receiver<Ended<S>>>) -> Outcome<S> {
    let mut outcome = Outcome { lost: None, rest: Vec::new() };
    for copying in copying {
        match copying.await {
            Ok(Ended::Done(Err(error))) => outcome.lost = outcome.lost.or(Some(error)),
            Ok(Ended::Stopped(rest)) => outcome.rest.push(rest),
            // A copy that panicked has printed why.
            Ok(Ended::Done(Ok(()))) | Err(_) => {}
        }
    }
    outcome
}

/// A copy under way.
struct Copy<'plan> {
    to: Target,
    shared: &'plan SharedPlan,
    /// From the first byte on, and what it was built from.
    redactor: Option<(Redactor, Arc<Plan>)>,
    /// Whether the stream pauses and what could be shown of the redactor's rest has been shown.
    is_quiet: bool,
    /// After the stop: how many bytes the command can have written, and until when to wait for the end.
    ending: Option<(u64, Instant)>,
}

fn copy<S: PollRead>(rest: Rest<S>, shared: &SharedPlan, stopped: &PipeReader) -> Ended<S> {
    let Rest { mut from, to, state } = rest;
    let redactor = (!state.is_empty()).then(|| resumed(&state, shared.current()));
    let mut copy = Copy { to, shared, redactor, is_quiet: false, ending: None };
    let mut chunk = vec![0; CHUNK];
    loop {
        let outcome = match from.poll(copy.ending.is_none().then_some(stopped), copy.patience()) {
            Next::Data => match from.read(&mut chunk) {
                Ok(0) => return Ended::Done(copy.end()),
                Ok(count) => copy.push(&chunk[..count]),
                Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
                // A terminal ends with an error.
                Err(_) => return Ended::Done(copy.end()),
            },
            Next::Stop => {
                copy.ending = Some((from.buffered(), Instant::now() + GRACE));
                Ok(())
            }
            Next::Pause => copy.pause(),
        };
        if let Err(error) = outcome {
            return Ended::Done(Err(error));
        }
        if copy.ending.is_some_and(|(left, until)| left == 0 && Instant::now() >= until) {
            let state = copy.redactor.map(|(redactor, _)| redactor.suspend()).unwrap_or_default();
            return Ended::Stopped(Rest { from, to, state });
        }
    }
}

fn resumed(state: &[u8], plan: Arc<Plan>) -> (Redactor, Arc<Plan>) {
    (plan.redactor().resume(state), plan)
}

impl Copy<'_> {
    /// How long to wait for the next byte.
    fn patience(&self) -> Option<Duration> {
        let holds = !self.is_quiet && self.redactor.as_ref().is_some_and(|(redactor, _)| redactor.holds());
        let ending = self.ending.map(|(_, until)| until.saturating_duration_since(Instant::now()));
        if holds { Some(ending.map_or(PAUSE, |ending| ending.min(PAUSE))) } else { ending }
    }

    fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.is_quiet = false;
        if let Some((left, _)) = &mut self.ending {
            *left = left.saturating_sub(bytes.len() as u64);
        }
        let current = self.shared.current();
        let (mut redactor, plan) = match self.redactor.take() {
            Some((redactor, plan)) if Arc::ptr_eq(&plan, &current) => (redactor, plan),
            Some((redactor, _)) => resumed(&redactor.suspend(), current),
            None => (current.redactor(), current),
        };
        let shown = redactor.push(bytes);
        self.redactor = Some((redactor, plan));
        self.to.write(&shown)
    }

    fn pause(&mut self) -> io::Result<()> {
        self.is_quiet = true;
        self.redactor.as_mut().map_or(Ok(()), |(redactor, _)| self.to.write(&redactor.release()))
    }

    fn end(self) -> io::Result<()> {
        self.redactor.map_or(Ok(()), |(redactor, _)| self.to.write(&redactor.finish()))
    }
}

/// What comes next on a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Bytes, or the end: reading does not wait.
    Data,
    /// Nothing for now.
    Pause,
    /// Nothing more is to be read.
    Stop,
}

/// A stream that can be waited for.
pub(super) trait PollRead: Read + Send + 'static {
    /// Waits until something can be read, or `stop` is closed, or the time is over. A stream that cannot be waited for always has data.
    fn poll(&self, stop: Option<&PipeReader>, time: Option<Duration>) -> Next;

    /// How many bytes can be read without waiting.
    fn buffered(&self) -> u64;
}

#[cfg(unix)]
impl PollRead for std::fs::File {
    fn poll(&self, stop: Option<&PipeReader>, time: Option<Duration>) -> Next {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        use rustix::io::Errno;
        // Nanoseconds below a second always fit; a time too long to count is no limit.
        let time = time.and_then(|time| Timespec::try_from(time).ok());
        let mut streams = vec![PollFd::new(self, PollFlags::IN)];
        streams.extend(stop.map(|stop| PollFd::new(stop, PollFlags::IN)));
        match poll(&mut streams, time.as_ref()) {
            Ok(0) | Err(Errno::INTR) => Next::Pause,
            // First, as a stream that never pauses would hide it.
            Ok(_) if streams.get(1).is_some_and(|stop| !stop.revents().is_empty()) => Next::Stop,
            // An error is not handled here: the read returns it again.
            Ok(_) | Err(_) => Next::Data,
        }
    }

    fn buffered(&self) -> u64 {
        rustix::io::ioctl_fionread(self).unwrap_or(0)
    }
}

#[cfg(not(unix))]
impl PollRead for Box<dyn Read + Send> {
    fn poll(&self, _: Option<&PipeReader>, _: Option<Duration>) -> Next {
        Next::Data
    }

    fn buffered(&self) -> u64 {
        0
    }
}
