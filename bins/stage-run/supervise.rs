//! The process between us and a stage's command, which outlives us.
//!
//! If `stage-run` dies, by SIGKILL too, a stage must be able to end in order: Terraform writes its state when it is interrupted, and
//! must not die of SIGPIPE meanwhile. So this program starts itself once more for each command, under another `argv[0]`. That process
//! leads a session, starts the command in another session, writes its log, and passes its output on as long as it is
//! read. When its standard input ends before the command does, we are gone: it sends SIGINT, waits for the grace, then kills the group.

use std::ffi::OsString;
use std::io::{self, PipeReader, Read as _, Write as _};
use std::os::fd::{OwnedFd, RawFd};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use child::{Log, ProcessEnd};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::frame::{End, Frame, StartError};
use crate::group;

/// The `argv[0]` of the supervisor; `ps` shows it.
const NAME: &str = "stage-run: supervises a stage";

/// How long output is still read after the command has ended: a process that it left running may never close it.
const LEFT_OPEN: Duration = Duration::from_secs(1);

/// How often a group that was told to end is looked at.
const LOOK: Duration = Duration::from_millis(20);

const CHUNK: usize = 64 * 1024;

/// What the supervisor has to know beside the command.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub(crate) grace: Duration,
    pub(crate) log: std::path::PathBuf,
    pub(crate) log_limit: u64,
    /// Without its log the command is not started.
    pub(crate) needs_log: bool,
    /// The locks of the run. The supervisor keeps them: if `stage-run` dies, its stage still runs.
    pub(crate) locks: Vec<RawFd>,
}

/// The supervisor of `words`, ready to be started. Its standard input and output are the caller's pipes.
pub(crate) fn command(words: &[String], terms: &Terms) -> io::Result<Command> {
    let mut command = Command::new(program()?);
    let locks = terms.locks.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    command.arg0(NAME).arg(terms.grace.as_millis().to_string()).arg(terms.log_limit.to_string()).arg(&terms.log);
    command.arg(if terms.needs_log { "log" } else { "" }).arg(locks);
    command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    inherit::pass_on_ignored(&mut command);
    // A ^C at the terminal is ours to pass on, and its end must not end the stage.
    inherit::new_session(&mut command);
    inherit::leave_open(&mut command, terms.locks.clone());
    Ok(command)
}

/// This program. A deploy may replace its file, and the path then leads to nothing or to another version: Linux still knows the file that
/// this process was started from.
fn program() -> io::Result<std::path::PathBuf> {
    let own = std::path::Path::new("/proc/self/exe");
    if own.exists() { Ok(own.to_owned()) } else { std::env::current_exe() }
}

/// The supervisor's whole life, if this process was started as one.
pub(crate) fn entry() -> Option<ExitCode> {
    let mut words = std::env::args_os();
    if words.next()? != NAME {
        return None;
    }
    let number = |word: Option<OsString>| word.and_then(|word| word.to_str().and_then(|text| text.parse::<u64>().ok()));
    let (Some(grace), Some(log_limit), Some(log)) = (number(words.next()), number(words.next()), words.next()) else {
        return Some(ExitCode::FAILURE);
    };
    let (Some(needs_log), Some(locks)) = (words.next().map(|word| word == "log"), words.next()) else {
        return Some(ExitCode::FAILURE);
    };
    let locks: Vec<RawFd> = locks.to_string_lossy().split(',').filter_map(|number| number.parse().ok()).collect();
    // Held until this process ends. The command must not get them: what it leaves in the background would keep the run's lock.
    let held: Vec<OwnedFd> = locks.iter().filter_map(|number| inherit::take(*number)).collect();
    for lock in &held {
        let _ = rustix::io::fcntl_setfd(lock, rustix::io::FdFlags::CLOEXEC);
    }
    let terms = Terms { grace: Duration::from_millis(grace), log: log.into(), log_limit, needs_log, locks };
    let words: Vec<OsString> = words.collect();
    Some(if supervise(&words, &terms).is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

enum Event {
    Ended(ExitStatus),
    Drained,
    Signal(Signal),
    /// `stage-run` is gone.
    Alone,
}

/// Where frames go, as long as they are read.
#[derive(Clone)]
struct Reader(Arc<Mutex<Option<io::Stdout>>>);

impl Reader {
    fn send(&self, frame: &Frame) {
        let Ok(mut out) = self.0.lock() else { return };
        let sent = out.as_mut().map(|out| frame.write(out).and_then(|()| out.flush()));
        if sent.is_some_and(|sent| sent.is_err()) {
            *out = None;
        }
    }
}

fn supervise(words: &[OsString], terms: &Terms) -> io::Result<()> {
    let reader = Reader(Arc::new(Mutex::new(Some(io::stdout()))));
    group::adopt_orphans();
    let (log, no_log) = match crate::folder::private_file(&terms.log) {
        Ok(file) => (Some(Log::new(file, terms.log_limit)), None),
        Err(error) if !terms.needs_log => (None, Some(error.to_string())),
        Err(error) => {
            reader.send(&Frame::NotStarted(StartError::log(&error)));
            return Err(error);
        }
    };
    let (output, writer) = io::pipe()?;
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
    inherit::pass_on_ignored(&mut command);
    inherit::new_session(&mut command);
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            reader.send(&Frame::NotStarted(StartError::of(&error)));
            return Err(error);
        }
    };
    // Our ends of the pipe would keep it open.
    drop(command);
    let group = Pid::from_child(&child);
    reader.send(&Frame::Started { group: group.as_raw_nonzero().get().unsigned_abs() });
    let (send, events) = mpsc::channel();
    let copying = copy(output, log, reader.clone(), send.clone());
    listen(send.clone());
    std::thread::spawn(move || {
        if let Ok(status) = child.wait() {
            let _ = send.send(Event::Ended(status));
        }
    });
    let end = watch(group, terms.grace, &events);
    let log = copying.lock().ok().and_then(|mut log| log.take());
    let log_error = log.as_ref().and_then(|log| log.error().map(ToString::to_string)).or(no_log);
    // A log that cannot be brought into order is still there.
    let _ = log.map(|mut log| log.settle(&terms.log));
    reader.send(&Frame::Ended(End { log_error, ..end }));
    Ok(())
}

type SharedLog = Arc<Mutex<Option<Log>>>;

/// Copies the output into the log and to the reader until every writer has closed it.
fn copy(mut output: PipeReader, log: Option<Log>, reader: Reader, events: Sender<Event>) -> SharedLog {
    let shared = Arc::new(Mutex::new(log));
    let log = shared.clone();
    std::thread::spawn(move || {
        let mut buffer = vec![0; CHUNK];
        loop {
            match output.read(&mut buffer) {
                Ok(length @ 1..) => {
                    if let Ok(mut log) = log.lock()
                        && let Some(log) = log.as_mut()
                    {
                        log.write(&buffer[..length]);
                    }
                    reader.send(&Frame::Output(buffer[..length].to_vec()));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => break,
            }
        }
        let _ = events.send(Event::Drained);
    });
    shared
}

/// Passes on the signals that `stage-run` asks for, and its end.
fn listen(events: Sender<Event>) {
    std::thread::spawn(move || {
        let mut byte = [0];
        while let Ok(()) = io::stdin().read_exact(&mut byte) {
            let signal = match byte[0] {
                b'I' => Signal::INT,
                b'T' => Signal::TERM,
                b'H' => Signal::HUP,
                _ => Signal::KILL,
            };
            if events.send(Event::Signal(signal)).is_err() {
                return;
            }
        }
        let _ = events.send(Event::Alone);
    });
}

/// Waits for the command's end; after a signal for the end of its whole group, but no longer than the grace.
fn watch(group: Pid, grace: Duration, events: &Receiver<Event>) -> End {
    let (mut status, mut drained, mut until, mut signalled) = (None, false, None::<Instant>, false);
    let mut killed = false;
    loop {
        let wait = match (&status, until) {
            (Some(_), _) if signalled => LOOK,
            (_, Some(until)) => until.saturating_duration_since(Instant::now()).max(LOOK),
            (_, None) => Duration::from_hours(24),
        };
        match events.recv_timeout(wait) {
            Ok(Event::Ended(ended)) => {
                status = Some(ended);
                if !signalled && ended.signal().is_some() && !group::is_empty(group) {
                    // A shell that was killed is not the end of the stage: its commands go on, and must not when others begin.
                    send(group, Signal::INT);
                    (signalled, until) = (true, Some(Instant::now() + grace));
                } else if !signalled {
                    until = Some(Instant::now() + LEFT_OPEN);
                }
            }
            Ok(Event::Drained) => drained = true,
            Ok(Event::Signal(signal)) if signal == Signal::KILL => {
                group::kill(group);
                (killed, signalled, until) = (true, true, Some(Instant::now()));
            }
            Ok(Event::Signal(signal)) => {
                send(group, signal);
                until = until.filter(|_| signalled).or_else(|| Some(Instant::now() + grace));
                signalled = true;
            }
            // The channel cannot close: this function's caller holds a sender.
            Ok(Event::Alone) | Err(RecvTimeoutError::Disconnected) if status.is_none() && !signalled => {
                send(group, Signal::INT);
                until = Some(Instant::now() + grace);
                signalled = true;
            }
            Ok(Event::Alone) | Err(RecvTimeoutError::Disconnected) => {}
            Err(RecvTimeoutError::Timeout) => {
                let late = until.is_some_and(|until| Instant::now() >= until);
                if signalled && late && !killed {
                    group::kill(group);
                    killed = true;
                }
            }
        }
        let Some(ended) = status else { continue };
        let over = if signalled {
            group::is_empty(group) && (drained || killed)
        } else {
            drained || until.is_some_and(|until| Instant::now() >= until)
        };
        // A process that cannot be killed (it waits for a disk) is waited for no longer than that.
        let gives_up = killed && until.is_some_and(|until| Instant::now() >= until + LEFT_OPEN);
        if over || gives_up {
            let left = if drained { Vec::new() } else { group::members(group) };
            let held = !drained && !signalled;
            return End { status: ProcessEnd::from(ended), signalled, killed, held, left, log_error: None };
        }
    }
}

fn send(group: Pid, signal: Signal) {
    // A group that is gone needs no signal. Stopped processes are woken, so that they can act on it.
    let _ = kill_process_group(group, signal);
    let _ = kill_process_group(group, Signal::CONT);
}
