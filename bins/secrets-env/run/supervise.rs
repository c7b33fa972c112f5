//! Runs the command as a child, its output through the redactor, on a terminal of its own where ours is one.
//!
//! The main thread waits for signals and for the end. Nothing is buffered beyond what could still become a secret.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use cli::Exit;
use redact::Plan;

use super::copy::Copies;
use super::environment::Changes;
use super::plain;
use super::terminal::Terminal;

/// How a supervised command ended.
#[derive(Debug)]
pub(super) struct Outcome {
    /// The command's code.
    pub(super) exit: Exit,
    /// Why some of its output could not be written, if that was so.
    pub(super) lost: Option<io::Error>,
}

/// Runs the command; with a plan, hides what it hides in both streams.
pub(super) fn run(
    program: &Path,
    words: &[OsString],
    environment: &Changes,
    plan: Option<&Plan>,
) -> io::Result<Outcome> {
    // The redactor for a thousand secrets takes some 20 ms to build: the command starts meanwhile.
    if let Some(plan) = plan {
        plan.prepare();
    }
    let mut terminal = plan.and_then(|_| Terminal::open());
    let mut command = second_start(program, words, terminal.as_ref()).unwrap_or_else(|_| {
        terminal = None;
        plain(program, words)
    });
    environment.apply(&mut command);
    if plan.is_some() {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
    }
    let event_loop = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    event_loop.block_on(supervise(command, terminal, plan))
}

#[cfg(target_os = "linux")]
fn second_start(program: &Path, words: &[OsString], terminal: Option<&Terminal>) -> io::Result<Command> {
    use super::reexec::{self, Start};
    let start = if terminal.is_some_and(Terminal::has_session) { Start::Lead } else { Start::Become };
    reexec::command(start, program, words)
}

#[cfg(not(target_os = "linux"))]
fn second_start(_: &Path, _: &[OsString], _: Option<&Terminal>) -> io::Result<Command> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(unix)]
async fn supervise(mut command: Command, mut terminal: Option<Terminal>, plan: Option<&Plan>) -> io::Result<Outcome> {
    use std::io::IsTerminal as _;
    use std::os::unix::process::CommandExt as _;

    use rustix::process::{Pid, Signal, kill_process};

    use super::signals::{Change, Signals, Target, changes, pass_on};

    let mut signals = Signals::listen()?;
    let shares_terminal = terminal.is_some() || io::stdin().is_terminal();
    if let Some(terminal) = &mut terminal {
        terminal.attach(&mut command)?;
    }
    if !shares_terminal {
        command.process_group(0);
    }
    let mut child = command.spawn()?;
    // Its terminal ends when nobody has the command's end of it, and this still had it.
    drop(command);
    let id = Pid::from_child(&child);
    let target = match &terminal {
        Some(terminal) if terminal.has_session() => Target::Leader(id),
        _ if shares_terminal => Target::Companion(id),
        _ => Target::Group(id),
    };
    let copies = copies(&mut child, terminal.as_ref(), plan)?;
    if let Some(terminal) = &mut terminal {
        terminal.connect_keyboard();
    }
    let mut changes = changes(id);
    let passed_on = |kind: Signal, terminal: &mut Option<Terminal>| {
        if let (Signal::WINCH | Signal::CONT, Some(terminal)) = (kind, terminal) {
            terminal.resize();
            terminal.take_keyboard();
        }
        pass_on(kind, target);
    };
    let exit = loop {
        tokio::select! {
            change = changes.recv() => match change {
                Some(Change::Ended(exit)) => break exit,
                Some(Change::Stopped) => if let (Target::Leader(leader), Some(terminal)) = (target, &mut terminal) {
                    terminal.suspend();
                    let _ = kill_process(leader, Signal::CONT);
                },
                None => break Exit::Child(super::OWN_FAILURE),
            },
            kind = signals.next() => passed_on(kind, &mut terminal),
        }
    };
    let drained = copies.drained();
    tokio::pin!(drained);
    loop {
        tokio::select! {
            outcome = &mut drained => return Ok(Outcome { exit, lost: outcome.err() }),
            kind = signals.next() => passed_on(kind, &mut terminal),
        }
    }
}

#[cfg(not(unix))]
async fn supervise(mut command: Command, _: Option<Terminal>, plan: Option<&Plan>) -> io::Result<Outcome> {
    let mut child = command.spawn()?;
    let copies = copies(&mut child, None, plan)?;
    // Ctrl-C reaches the command itself, which shares the console; we wait for how it ends.
    let _ignored = tokio::spawn(async { while tokio::signal::ctrl_c().await.is_ok() {} });
    let (sender, ended) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || sender.send(child.wait()));
    let status = ended.await.map_err(io::Error::other)??;
    let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(super::OWN_FAILURE);
    Ok(Outcome { exit: Exit::Child(code), lost: copies.drained().await.err() })
}

/// Starts the copies of what the command writes; what it was not given a pipe for goes where ours goes.
fn copies(child: &mut Child, terminal: Option<&Terminal>, plan: Option<&Plan>) -> io::Result<Copies> {
    let mut copies = Copies::default();
    let Some(redactor) = plan.map(Plan::redactor) else { return Ok(copies) };
    if let Some(terminal) = terminal {
        copies.start(terminal.output()?, io::stdout(), redactor.clone());
    }
    if let Some(output) = child.stdout.take() {
        copies.start(output, io::stdout(), redactor.clone());
    }
    if let Some(output) = child.stderr.take() {
        copies.start(output, io::stderr(), redactor);
    }
    Ok(copies)
}
