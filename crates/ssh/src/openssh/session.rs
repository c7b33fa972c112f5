//! One client's three pipes: frames go out, records are told from output, the end is taken from the record.
//!
//! The in-band record decides, not the end of the output and not ssh's exit code: a daemon may hold the one, and 255 is both
//! ssh's own failure and a script's.

use std::future::pending;
use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, ChildStderr, ChildStdout};
use tokio::time::Instant;

use crate::evidence::{ending, read_log};
use crate::pulse::Writer;
use crate::step::BASH_ENVIRONMENT;
use crate::wire::{Piece, Record, Splitter, is_short_text, lines, nonce};
use crate::{EndedBy, Ending, Group, Lost, Output, Ready, ScriptEnd, Session, Source, Step};

/// How long a line may stay open before it is shown as it is.
const PAUSE: Duration = Duration::from_secs(2);
/// How long the mark behind the last byte may take after the record.
const MARK: Duration = Duration::from_secs(1);
/// How long the record of a step that was asked to stop may take after its processes were killed: a run that has to stop has 7 s.
const CONFIRMATION: Duration = Duration::from_millis(1600);
/// How long the remote loop may take to leave.
const FAREWELL: Duration = Duration::from_secs(2);
/// How much of what came before the login is kept.
const MESSAGE_LIMIT: usize = 8 * 1024;
/// The size of a chunk of a file: small enough to arrive within the 20 s in which the server waits for a byte.
const CHUNK: usize = 128 * 1024;

/// A client, its pipes, and what was understood so far.
#[derive(Debug)]
pub struct OpenSession {
    child: Child,
    writer: Option<Writer>,
    stdout: Stream<ChildStdout>,
    stderr: Stream<ChildStderr>,
    grace: Duration,
    values: usize,
    started_bash: bool,
    pub(super) ready: Ready,
    pub(super) log: PathBuf,
}

/// One stream of a server: its pipe until that ends, and what tells its records from output.
#[derive(Debug)]
struct Stream<R> {
    pipe: Option<R>,
    splitter: Splitter,
    chunk: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Stream<R> {
    fn new(pipe: R, nonce: &str, size: usize) -> Self {
        Self { pipe: Some(pipe), splitter: Splitter::new(nonce), chunk: vec![0; size] }
    }

    /// The next pieces; none when the pipe ends, and after that never again. Safe to drop between two reads.
    async fn next(&mut self) -> Vec<Piece> {
        let Some(pipe) = &mut self.pipe else { return pending().await };
        let count = pipe.read(&mut self.chunk).await.unwrap_or(0);
        if count == 0 {
            self.pipe = None;
            let rest = self.splitter.flush();
            return if rest.is_empty() { Vec::new() } else { vec![Piece::Output(rest)] };
        }
        self.splitter.push(&self.chunk[..count])
    }
}

/// What came before the remote loop was ready.
pub(super) struct Prologue {
    /// What the login printed, or printed instead of letting us in.
    pub(super) text: String,
    /// Why the account cannot be used, if the remote program reported that.
    pub(super) unusable: Option<String>,
    /// The client's exit code, which is the login's, if it has ended.
    pub(super) code: Option<i32>,
}

impl OpenSession {
    pub(super) fn new(mut child: Child, writer: Writer, nonce: &str, grace: Duration) -> Option<Self> {
        let (stdout, stderr) = (child.stdout.take()?, child.stderr.take()?);
        Some(Self {
            child,
            writer: Some(writer),
            stdout: Stream::new(stdout, nonce, 64 * 1024),
            stderr: Stream::new(stderr, nonce, 16 * 1024),
            grace,
            values: 0,
            started_bash: false,
            ready: Ready::default(),
            log: PathBuf::new(),
        })
    }

    /// Sends the remote program and waits until it is ready.
    pub(super) async fn begin(&mut self, program: String) -> Result<Ready, Prologue> {
        self.send(program.into_bytes()).await;
        let mut text = Vec::new();
        while self.stderr.pipe.is_some() {
            for piece in self.stderr.next().await {
                match piece {
                    Piece::Record(Record { word, rest }) if word == "ready" => {
                        let (shell, folder) = rest.split_once(' ').unwrap_or((&rest, ""));
                        return Ok(Ready { bash: shell == "bash", folder: folder.to_owned(), ..Ready::default() });
                    }
                    Piece::Record(Record { word, rest }) if word == "unusable" => {
                        return Err(Prologue { text: String::new(), unusable: Some(rest), code: None });
                    }
                    Piece::Output(bytes) if text.len() < MESSAGE_LIMIT => text.extend(bytes),
                    Piece::Record(_) | Piece::Output(_) => {}
                }
            }
        }
        // A closed account reports that on stdout (`nologin`).
        for piece in self.stdout.next().await {
            if let Piece::Output(bytes) = piece {
                text.extend(bytes);
            }
        }
        let code = self.child.wait().await.ok().and_then(|status| status.code());
        text.truncate(MESSAGE_LIMIT);
        Err(Prologue { text: String::from_utf8_lossy(&text).into_owned(), unusable: None, code })
    }

    /// Ends the input of a login that has not started our program. Returns its exit code, if that ends it within `limit`.
    pub(super) async fn hang_up(mut self, limit: Duration) -> Option<i32> {
        self.writer = None;
        let ended = tokio::time::timeout(limit, self.child.wait()).await;
        ended.ok()?.ok()?.code()
    }

    /// Sends a frame. A connection that has ended is noticed when its answer is read.
    async fn send(&self, frame: Vec<u8>) {
        if let Some(writer) = &self.writer {
            let _open = writer.send(frame).await;
        }
    }

    fn new_nonce(&mut self) -> String {
        let nonce = nonce();
        self.stdout.splitter.expect(&nonce);
        self.stderr.splitter.expect(&nonce);
        nonce
    }

    /// Reads records until the one that ends the answer. What else arrives belongs to a process that an earlier step has left.
    async fn answer(&mut self) -> Result<(Vec<String>, String), Lost> {
        let mut said = Vec::new();
        while self.stderr.pipe.is_some() {
            tokio::select! {
                pieces = self.stderr.next() => for piece in pieces {
                    match piece {
                        Piece::Record(Record { word, rest }) if word == "done" => return Ok((said, rest)),
                        Piece::Record(Record { word, rest }) => said.push(format!("{word} {rest}")),
                        Piece::Output(_) => {}
                    }
                },
                _ = self.stdout.next() => {}
            }
        }
        if let Some(failed) = said.pop().filter(|said| said.starts_with("failed ")) {
            return Err(Lost(failed));
        }
        Err(self.lost().await)
    }

    /// Why the connection ended.
    async fn lost(&mut self) -> Lost {
        self.writer = None;
        if tokio::time::timeout(FAREWELL, self.child.wait()).await.is_err() {
            let _gone = self.child.start_kill();
        }
        Lost(ending(&read_log(&self.log)))
    }

    /// Passes on what was held back because it could have become a record.
    fn release(&mut self, sink: &mut impl FnMut(Output<'_>)) {
        for (source, held) in
            [(Source::Stdout, self.stdout.splitter.flush()), (Source::Stderr, self.stderr.splitter.flush())]
        {
            if !held.is_empty() {
                sink(Output::Bytes(source, &held));
            }
        }
    }

    /// What a run comes to. After a record the loop waits for the next step; without one the connection is over.
    async fn conclude(&mut self, run: Run, nonce: &str) -> Ending {
        let Some(exit) = run.exit else {
            if let Some(refused) = run.refused {
                return Ending::of(ScriptEnd::NotStarted(refused));
            }
            let Lost(text) = if run.cut_off {
                // Nothing more can be learned over it, and a run that has to stop must not wait for it.
                let _gone = self.child.start_kill();
                Lost("the server did not answer".to_owned())
            } else {
                self.lost().await
            };
            self.writer = None;
            // Without its first record, too, the step may have begun.
            return Ending::of(ScriptEnd::Lost(text));
        };
        self.send(format!("next {nonce}\n").into_bytes()).await;
        Ending { complete: run.marked, line: run.line, ..exit }
    }

    async fn write_file(&mut self, name: &str, bytes: &[u8]) -> Result<(), Lost> {
        if is_short_text(bytes) {
            let (nonce, text) = (self.new_nonce(), String::from_utf8_lossy(bytes).into_owned());
            self.send(lines("write", &nonce, &text, name)).await;
            return written(self.answer().await?);
        }
        self.ask(&format!("sd_target=$sd_folder/{name}\n")).await?;
        self.upload(&mut &*bytes).await
    }
}

fn written((_, code): (Vec<String>, String)) -> Result<(), Lost> {
    if code == "0" { Ok(()) } else { Err(Lost("failed write".to_owned())) }
}

/// A run: what is understood so far, and when to look again.
#[derive(Default)]
struct Run {
    stopping: bool,
    line: Option<String>,
    refused: Option<String>,
    exit: Option<Ending>,
    marked: bool,
    cut_off: bool,
    pause_at: Option<Instant>,
    over_at: Option<Instant>,
}

impl Run {
    fn take(&mut self, source: Source, pieces: Vec<Piece>, sink: &mut impl FnMut(Output<'_>)) {
        self.pause_at = Some(Instant::now() + PAUSE);
        for piece in pieces {
            match piece {
                Piece::Output(bytes) => sink(Output::Bytes(source, &bytes)),
                Piece::Record(Record { word, rest }) => self.record(&word, rest),
            }
        }
    }

    fn record(&mut self, word: &str, rest: String) {
        match word {
            "mark" => self.marked = true,
            "line" => self.line = Some(rest),
            "refused" => self.refused = Some(rest),
            "exit" => {
                self.exit = exit(&rest);
                self.over_at = Some(Instant::now() + MARK);
            }
            _ => {}
        }
    }

    fn may_stop(&self) -> bool {
        !self.stopping && self.exit.is_none()
    }

    /// Whether both the record and the mark behind the last byte have arrived, or will not.
    fn is_over(&self) -> bool {
        self.cut_off || (self.exit.is_some() && self.marked)
    }
}

/// The record of an end: the code, the process group, what ended it.
fn exit(rest: &str) -> Option<Ending> {
    let mut words = rest.split(' ');
    let script = ScriptEnd::Exited(words.next()?.parse().ok()?);
    let group = match words.next()? {
        "group_gone" => Group::Gone,
        "group_alive" => Group::Alive,
        _ => Group::Unknown,
    };
    let ended_by = match words.next()? {
        "ended" => EndedBy::Itself,
        "pulse_lost" => EndedBy::PulseLost,
        _ => EndedBy::Stop,
    };
    Some(Ending { ended_by, group, ..Ending::of(script) })
}

async fn until(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant).await,
        None => pending().await,
    }
}

impl Session for OpenSession {
    fn ready(&self) -> &Ready {
        &self.ready
    }

    async fn values(&mut self, exports: &SecretString) -> Result<(), Lost> {
        let text = exports.expose_secret();
        let nonce = self.new_nonce();
        self.values = text.matches('\n').count();
        self.send(lines("values", &nonce, text, "")).await;
        let (_, answer) = self.answer().await?;
        let complete = answer == format!("0 {}", text.len());
        if complete { Ok(()) } else { Err(Lost("the values did not arrive whole".to_owned())) }
    }

    async fn stage(&mut self, step: &Step) -> Result<(), Lost> {
        if self.ready.bash && !std::mem::replace(&mut self.started_bash, true) {
            self.write_file("env", BASH_ENVIRONMENT.as_bytes()).await?;
        }
        self.write_file(&step.name, &step.script).await?;
        if step.after.is_empty() {
            return Ok(());
        }
        self.write_file(&format!("{}.after", step.name), step.after.as_bytes()).await
    }

    async fn upload(&mut self, content: &mut (dyn std::io::Read + Send)) -> Result<(), Lost> {
        let nonce = self.new_nonce();
        self.send(format!("put {nonce}\n").into_bytes()).await;
        let mut chunk = vec![0; CHUNK];
        loop {
            let size = content.read(&mut chunk).map_err(|error| Lost(format!("cannot read what is sent: {error}")))?;
            if size == 0 {
                break;
            }
            let mut frame = format!("data {size}\n").into_bytes();
            frame.extend_from_slice(&chunk[..size]);
            let Some(writer) = &self.writer else { break };
            if !writer.send(frame).await {
                break;
            }
        }
        self.send(b"end\n".to_vec()).await;
        written(self.answer().await?)
    }

    async fn ask(&mut self, fragment: &str) -> Result<Vec<String>, Lost> {
        let nonce = self.new_nonce();
        self.send(lines("eval", &nonce, fragment, "")).await;
        self.answer().await.map(|(said, _)| said)
    }

    async fn run(
        &mut self,
        step: &Step,
        until_stop: impl Future<Output = ()>,
        mut sink: impl FnMut(Output<'_>),
    ) -> Ending {
        let nonce = self.new_nonce();
        let more = format!("{} {}", step.patience.as_secs(), step.name);
        self.send(lines("step", &nonce, &step.start(self.ready.bash, self.values), &more)).await;
        let mut run = Run::default();
        let mut until_stop = pin!(until_stop);
        while !run.is_over() && (self.stdout.pipe.is_some() || self.stderr.pipe.is_some()) {
            tokio::select! {
                pieces = self.stdout.next() => run.take(Source::Stdout, pieces, &mut sink),
                pieces = self.stderr.next() => run.take(Source::Stderr, pieces, &mut sink),
                () = &mut until_stop, if run.may_stop() => {
                    run.stopping = true;
                    run.over_at = Some(Instant::now() + self.grace + CONFIRMATION);
                    self.send(b"stop\n".to_vec()).await;
                }
                () = until(run.pause_at) => {
                    run.pause_at = None;
                    self.release(&mut sink);
                    sink(Output::Pause);
                }
                () = until(run.over_at) => run.cut_off = true,
            }
        }
        self.release(&mut sink);
        sink(Output::End);
        self.conclude(run, &nonce).await
    }

    async fn close(mut self) {
        // A network that swallows what we send would keep us here.
        let _sent = tokio::time::timeout(FAREWELL, self.send(b"bye\n".to_vec())).await;
        self.writer = None;
        // A daemon may hold the output and with it the client.
        let left = async {
            while self.stderr.pipe.is_some() || self.stdout.pipe.is_some() {
                tokio::select! { _ = self.stderr.next() => {}, _ = self.stdout.next() => {} }
            }
        };
        let _left = tokio::time::timeout(FAREWELL, left).await;
        let _gone = self.child.start_kill();
        let _ended = self.child.wait().await;
    }
}
