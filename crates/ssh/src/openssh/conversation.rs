//! One client's three pipes: records told apart from output, lines passed on as they end, the end taken from the record.
//!
//! The in-band record decides, not the end of the output and not ssh's exit code: a daemon may hold the one, and 255 is both
//! ssh's own failure and a script's.

use std::future::pending;
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::time::Duration;

use runner::foreign::Lines;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout};
use tokio::time::Instant;

use super::read_log;
use crate::bootstrap::{Record, record};
use crate::evidence::ending;
use crate::{Ending, Line, Program, Ready, Session, Source, Verdict};

/// How long a line may stay open before it is shown as it is.
const OPEN_LINE: Duration = Duration::from_secs(2);
/// How long output may come after the script's end.
const AFTER_THE_END: Duration = Duration::from_secs(1);
/// How much of what came before the login is kept.
const SAID_LIMIT: usize = 8 * 1024;

/// A client, its pipes, and what was understood so far.
#[derive(Debug)]
pub struct Conversation {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    errors: Errors,
    said: Vec<u8>,
    pub(super) ready: Ready,
    pub(super) log: PathBuf,
}

/// The stderr of a host: output and records, line by line.
#[derive(Debug)]
struct Errors {
    nonce: String,
    lines: Lines,
    /// An empty line is held back: the remote program begins each record on a new line.
    held: bool,
}

/// What a line of stderr is.
enum Heard {
    Line(Vec<u8>),
    Record(Record),
}

impl Errors {
    fn push(&mut self, chunk: &[u8]) -> Vec<Heard> {
        let mut heard = Vec::new();
        for line in self.lines.push(chunk) {
            if let Some(record) = record(&line, &self.nonce) {
                self.held = false;
                heard.push(Heard::Record(record));
                continue;
            }
            if std::mem::replace(&mut self.held, line.is_empty()) {
                heard.push(Heard::Line(Vec::new()));
            }
            if !line.is_empty() {
                heard.push(Heard::Line(line));
            }
        }
        heard
    }

    fn flush(&mut self) -> Vec<Vec<u8>> {
        let held = std::mem::take(&mut self.held).then(Vec::new);
        held.into_iter().chain(self.lines.flush()).collect()
    }
}

impl Conversation {
    pub(super) fn new(mut child: Child, nonce: String) -> Option<Self> {
        let (stdin, stdout, stderr) = (child.stdin.take()?, child.stdout.take()?, child.stderr.take()?);
        let errors = Errors { nonce, lines: Lines::new(), held: false };
        let (stdin, stdout, stderr) = (Some(stdin), Some(stdout), Some(stderr));
        Some(Self {
            child,
            stdin,
            stdout,
            stderr,
            errors,
            said: Vec::new(),
            ready: Ready::default(),
            log: PathBuf::new(),
        })
    }

    /// Sends the remote program and waits until it is ready; else why the host is unusable, if it said so.
    pub(super) async fn begin(&mut self, stage: &str) -> Result<String, Option<String>> {
        if let Some(stdin) = &mut self.stdin {
            // A client that has already ended is told by its log.
            let _sent = stdin.write_all(stage.as_bytes()).await;
        }
        let mut chunk = [0; 4096];
        while let Some(stderr) = &mut self.stderr {
            let read = stderr.read(&mut chunk).await.unwrap_or(0);
            if read == 0 {
                break;
            }
            for heard in self.errors.push(&chunk[..read]) {
                match heard {
                    Heard::Record(Record::Ready(interpreter)) => return Ok(interpreter),
                    Heard::Record(Record::Unusable(why)) => return Err(Some(why)),
                    Heard::Line(line) if self.said.len() < SAID_LIMIT => {
                        self.said.extend(line.into_iter().chain([b'\n']));
                    }
                    Heard::Record(_) | Heard::Line(_) => {}
                }
            }
        }
        self.drain_stdout().await;
        let _ended = self.child.wait().await;
        Err(None)
    }

    /// What came before the login, or instead of it.
    pub(super) fn said(&self) -> String {
        String::from_utf8_lossy(&self.said).into_owned()
    }

    /// A closed account says so on stdout (`nologin`).
    async fn drain_stdout(&mut self) {
        self.said.extend(self.errors.flush().concat());
        self.said.push(b'\n');
        let mut chunk = [0; SAID_LIMIT];
        if let Some(stdout) = &mut self.stdout {
            let read = stdout.read(&mut chunk).await.unwrap_or(0);
            self.said.extend_from_slice(&chunk[..read]);
        }
    }

    /// The client's end; its own words count where the server's record did not come.
    async fn ending(&mut self, code: Option<u8>, started: bool, cut_off: bool) -> Ending {
        let _ended = self.child.wait().await;
        let words =
            || if cut_off { "the host did not answer any more".to_owned() } else { ending(&read_log(&self.log)) };
        let verdict = match code {
            Some(code) => Verdict::Exited(code),
            None if started => Verdict::Lost(words()),
            None => Verdict::NotStarted(words()),
        };
        Ending { output_held: cut_off && code.is_some(), verdict }
    }
}

/// A run: what is understood so far, and when to look again.
struct Run<'a, F> {
    errors: &'a mut Errors,
    output: Lines,
    sink: F,
    started: bool,
    code: Option<u8>,
    stopping: bool,
    quiet_at: Option<Instant>,
    over_at: Option<Instant>,
}

impl<F: FnMut(Line<'_>)> Run<'_, F> {
    fn take(&mut self, source: Source, chunk: &[u8]) {
        self.quiet_at = Some(Instant::now() + OPEN_LINE);
        if source == Source::Stdout {
            for line in self.output.push(chunk) {
                (self.sink)(Line { source, bytes: &line, open: false });
            }
            return;
        }
        for heard in self.errors.push(chunk) {
            match heard {
                Heard::Line(line) => (self.sink)(Line { source, bytes: &line, open: false }),
                Heard::Record(Record::Started) => self.started = true,
                Heard::Record(Record::Exit(code)) => {
                    self.code = Some(code);
                    self.over_at = Some(Instant::now() + AFTER_THE_END);
                }
                Heard::Record(Record::Truncated | Record::Ready(_) | Record::Unusable(_)) => {}
            }
        }
    }

    fn flush(&mut self, open: bool) {
        self.quiet_at = None;
        if let Some(line) = self.output.flush() {
            (self.sink)(Line { source: Source::Stdout, bytes: &line, open });
        }
        for line in self.errors.flush() {
            (self.sink)(Line { source: Source::Stderr, bytes: &line, open });
        }
    }
}

/// Our end of the client's stdin: as long as it is open, the program may run.
enum Lifeline {
    Sending(Pin<Box<dyn Future<Output = ChildStdin>>>),
    Open { _stdin: ChildStdin },
    Closed,
}

impl Lifeline {
    /// Sends `payload`; the pipe stays open behind it.
    fn sending(stdin: Option<ChildStdin>, payload: Vec<u8>) -> Self {
        let Some(mut stdin) = stdin else { return Self::Closed };
        Self::Sending(Box::pin(async move {
            // A client that has already ended is told by its log.
            let _sent = stdin.write_all(&payload).await;
            stdin
        }))
    }

    /// Ends when all is sent; never where nothing is being sent.
    async fn sent(&mut self) {
        let Self::Sending(send) = self else { return pending().await };
        *self = Self::Open { _stdin: send.await };
    }
}

impl Session for Conversation {
    fn ready(&self) -> &Ready {
        &self.ready
    }

    async fn run(mut self, program: &Program, stop: impl Future<Output = ()>, sink: impl FnMut(Line<'_>)) -> Ending {
        let mut lifeline = Lifeline::sending(self.stdin.take(), program.payload());
        let (mut stdout, mut stderr) = (self.stdout.take(), self.stderr.take());
        let (mut out, mut err) = (vec![0; 64 * 1024], vec![0; 16 * 1024]);
        let (errors, output) = (&mut self.errors, Lines::new());
        let mut run =
            Run { errors, output, sink, started: false, code: None, stopping: false, quiet_at: None, over_at: None };
        let mut stop = pin!(stop);
        let mut cut_off = false;
        while !cut_off && (stdout.is_some() || stderr.is_some()) {
            tokio::select! {
                count = read(&mut stdout, &mut out) => run.take(Source::Stdout, &out[..count]),
                count = read(&mut stderr, &mut err) => run.take(Source::Stderr, &err[..count]),
                () = lifeline.sent() => {}
                () = &mut stop, if !run.stopping && run.code.is_none() => {
                    run.stopping = true;
                    lifeline = Lifeline::Closed;
                    run.over_at = Some(Instant::now() + program.grace + AFTER_THE_END);
                }
                () = until(run.quiet_at) => run.flush(true),
                () = until(run.over_at) => cut_off = true,
            }
        }
        run.flush(false);
        let (code, started) = (run.code, run.started);
        if cut_off {
            let _gone = self.child.start_kill();
        }
        drop(lifeline);
        self.ending(code, started, cut_off).await
    }
}

/// The next bytes of a pipe; `None` in its place once it has ended, and then forever nothing.
async fn read<R: AsyncRead + Unpin>(pipe: &mut Option<R>, chunk: &mut [u8]) -> usize {
    let Some(open) = pipe else { return pending().await };
    let count = open.read(chunk).await.unwrap_or(0);
    if count == 0 {
        *pipe = None;
    }
    count
}

async fn until(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant).await,
        None => pending().await,
    }
}
