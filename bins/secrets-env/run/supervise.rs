//! Runs the command as a child, its output through the redactor.
//!
//! Each stream has a thread of its own, so that a reader who stalls one does not stall the other; the main thread waits for signals
//! and for the end. Nothing is buffered beyond what could still become a secret.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use cli::Exit;
use redact::{Plan, Redactor};
use tokio::sync::oneshot;

use super::environment::Changes;
use super::plain;

/// How much is read at once.
const CHUNK: usize = 64 * 1024;

/// Runs the command; with a plan, hides what it hides in both streams.
pub(super) fn run(program: &Path, words: &[OsString], environment: &Changes, plan: Option<&Plan>) -> io::Result<Exit> {
    let mut command = second_start(program, words).unwrap_or_else(|| plain(program, words));
    environment.apply(&mut command);
    if plan.is_some() {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
    }
    let event_loop = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    event_loop.block_on(supervise(command, plan))
}

#[cfg(target_os = "linux")]
fn second_start(program: &Path, words: &[OsString]) -> Option<Command> {
    super::launch::command(program, words).ok()
}

#[cfg(not(target_os = "linux"))]
fn second_start(_: &Path, _: &[OsString]) -> Option<Command> {
    None
}

#[cfg(unix)]
async fn supervise(mut command: Command, plan: Option<&Plan>) -> io::Result<Exit> {
    use std::io::IsTerminal as _;
    use std::os::unix::process::CommandExt as _;

    use super::signals::{self, Signals, Target};

    let mut signals = Signals::listen()?;
    let shares_terminal = io::stdin().is_terminal();
    if !shares_terminal {
        command.process_group(0);
    }
    let mut child = command.spawn()?;
    let id = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw);
    let target = id.map(|id| if shares_terminal { Target::Process(id) } else { Target::Group(id) });
    let copies = copy(&mut child, plan);
    let mut end = ended(child);
    loop {
        tokio::select! {
            status = &mut end => {
                finish(copies, &mut signals, target).await;
                return Ok(signals::exit(status.map_err(io::Error::other)??));
            }
            kind = signals.next() => if let Some(target) = target {
                signals::pass_on(kind, target);
            },
        }
    }
}

#[cfg(not(unix))]
async fn supervise(mut command: Command, plan: Option<&Plan>) -> io::Result<Exit> {
    let mut child = command.spawn()?;
    let copies = copy(&mut child, plan);
    // Ctrl-C reaches the command itself, which shares the console; we wait for how it ends.
    let _ignored = tokio::spawn(async { while tokio::signal::ctrl_c().await.is_ok() {} });
    let status = ended(child).await.map_err(io::Error::other)??;
    drained(copies).await;
    Ok(Exit::Child(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(super::OWN_FAILURE)))
}

/// Waits for the child on a thread of its own.
fn ended(mut child: Child) -> oneshot::Receiver<io::Result<std::process::ExitStatus>> {
    let (sender, receiver) = oneshot::channel();
    std::thread::spawn(move || sender.send(child.wait()));
    receiver
}

/// Ends when the copy does.
type Copying = oneshot::Receiver<()>;

fn copy(child: &mut Child, plan: Option<&Plan>) -> Vec<Copying> {
    let mut copies = Vec::new();
    if let Some(redactor) = plan.map(Plan::redactor) {
        if let Some(output) = child.stdout.take() {
            copies.push(pump(output, io::stdout(), redactor.clone()));
        }
        if let Some(output) = child.stderr.take() {
            copies.push(pump(output, io::stderr(), redactor));
        }
    }
    copies
}

/// How long what the command leaves running in the background may still write, after the command itself has ended.
const REST: std::time::Duration = std::time::Duration::from_secs(2);

/// Waits for the streams' ends: everything that inherited them has ended. Something that never does, a daemon, does not hold us.
async fn drained(copies: Vec<Copying>) {
    let all = async {
        for copy in copies {
            // A copy that has gone has nothing more to say.
            let _ = copy.await;
        }
    };
    // What comes later is the daemon's own affair.
    let _ = tokio::time::timeout(REST, all).await;
}

/// The same, and signals still reach the command's group.
#[cfg(unix)]
async fn finish(copies: Vec<Copying>, signals: &mut super::signals::Signals, target: Option<super::signals::Target>) {
    let drained = drained(copies);
    tokio::pin!(drained);
    loop {
        tokio::select! {
            () = &mut drained => return,
            kind = signals.next() => if let Some(target) = target {
                super::signals::pass_on(kind, target);
            },
        }
    }
}

fn pump<R>(mut from: R, mut to: impl Write + Send + 'static, mut redactor: Redactor) -> Copying
where
    R: Read + Waits + Send + 'static,
{
    let mut show = move |bytes: &[u8]| to.write_all(bytes).and_then(|()| to.flush());
    let copy = move || -> io::Result<()> {
        let mut chunk = vec![0; CHUNK];
        loop {
            if redactor.holds() && !from.has_more_soon() {
                show(&redactor.release())?;
            }
            match from.read(&mut chunk) {
                Ok(0) => break,
                Ok(count) => show(&redactor.push(&chunk[..count]))?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        show(&redactor.finish())
    };
    let (done, copying) = oneshot::channel();
    std::thread::spawn(move || {
        // When nobody reads any more, dropping our end tells the command so, as a pipe would.
        let _ = copy();
        let _ = done.send(());
    });
    copying
}

/// A stream that can say whether more is coming.
trait Waits {
    /// Whether something can be read within a moment; where that cannot be told, it is always so.
    fn has_more_soon(&self) -> bool;
}

/// After so long without a byte (in nanoseconds), a stream pauses, and what ends like no secret is shown: a prompt.
#[cfg(unix)]
const PAUSE: i64 = 20_000_000;

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
