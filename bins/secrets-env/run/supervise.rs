//! Runs the command as a child, its output redacted, on its own terminal if ours is one.
//!
//! The main thread waits for signals, for the end, and for changed secrets. Nothing is buffered beyond what could still become a secret.

use std::fs::File;
use std::io::{self, IsTerminal as _};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use cli::Exit;
use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::mpsc::UnboundedReceiver;

use super::copy::{Copies, SharedPlan, Target as Copied};
use super::launch::{Launch, Redaction};
use super::outcome::{OWN_FAILURE, Outcome};
use super::signals::{Change, Signals, Target, changes, pass_on};
use super::terminal::Terminal;
use super::{leftover, streams, tree};

/// How long a command that is to be started again may take to end before it is killed.
const STOP_GRACE: Duration = Duration::from_secs(10);

/// What is to be done about changed secrets.
pub(super) enum Update {
    /// Start the command again, with these.
    Restart(Launch),
    /// Send it a signal: its files have changed. What to hide in its output from now on.
    Signal(Signal, Option<Redaction>),
}

/// Runs the command, and again for each update that asks for it.
pub(super) fn run(launch: Launch, updates: Option<UnboundedReceiver<Update>>) -> io::Result<Outcome> {
    let event_loop = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    event_loop.block_on(supervise(launch, updates))
}

async fn supervise(mut launch: Launch, mut updates: Option<UnboundedReceiver<Update>>) -> io::Result<Outcome> {
    let mut signals = Signals::listen()?;
    loop {
        // A terminal cannot be given to a second command, so one that may be started again shares ours.
        let terminal = if launch.redaction.is_some() && updates.is_none() { Terminal::open() } else { None };
        let mut running = Running::start(&launch, terminal)?;
        match running.until_end(&mut signals, &mut updates).await {
            End::Exited(exit) => {
                let lost = running.finish(&launch, &mut signals).await;
                return Ok(Outcome { exit, lost });
            }
            End::Restart(next) => {
                running.stop(&mut signals).await;
                launch = next;
            }
        }
    }
}

/// Why [`Running::until_end`] returned.
enum End {
    Exited(Exit),
    Restart(Launch),
}

/// A command under way.
struct Running {
    target: Target,
    changes: UnboundedReceiver<Change>,
    copies: Copies<File>,
    plan: Option<SharedPlan>,
    terminal: Option<Terminal>,
    leash: Option<leftover::Leash>,
}

impl Running {
    fn start(launch: &Launch, terminal: Option<Terminal>) -> io::Result<Self> {
        let (mut command, mut terminal) = launch.supervised(terminal);
        launch.environment.apply(&mut command);
        let shared = if launch.redaction.is_some() { redirect(&mut command)? } else { None };
        let shares_terminal = terminal.is_some() || io::stdin().is_terminal();
        if let Some(terminal) = &mut terminal {
            terminal.attach(&mut command)?;
        }
        if !shares_terminal {
            command.process_group(0);
        }
        let mut child = command.spawn()?;
        // The streams end when all copies of the command's ends are closed, and this still had some.
        drop(command);
        let id = Pid::from_child(&child);
        let target = match &terminal {
            Some(terminal) if terminal.has_session() => Target::Leader(id),
            _ if shares_terminal => Target::Companion(id),
            _ => Target::Group(id),
        };
        // The leader of a session has its own, and a companion shares its group with others.
        let leash = if let Target::Group(group) = target { leftover::Leash::start(group).ok() } else { None };
        let copies = copies(&mut child, shared, terminal.as_ref(), launch)?;
        if let Some(terminal) = &mut terminal {
            terminal.connect_keyboard();
        }
        let plan = launch.redaction.as_ref().map(|redaction| redaction.plan.clone());
        Ok(Self { target, changes: changes(id), copies, plan, terminal, leash })
    }

    async fn until_end(&mut self, signals: &mut Signals, updates: &mut Option<UnboundedReceiver<Update>>) -> End {
        loop {
            tokio::select! {
                change = self.changes.recv() => match change {
                    Some(Change::Ended(exit)) => return End::Exited(exit),
                    Some(Change::Stopped) => self.suspend(),
                    None => return End::Exited(Exit::Child(OWN_FAILURE)),
                },
                kind = signals.next() => self.pass_on(kind),
                Some(update) = next(updates) => match update {
                    Update::Restart(launch) => return End::Restart(launch),
                    Update::Signal(kind, next) => {
                        if let (Some(plan), Some(next)) = (&self.plan, &next) {
                            plan.replace(&next.plan);
                        }
                        pass_on(kind, self.target);
                    }
                },
            }
        }
    }

    /// The command has stopped on its own terminal: we stop on ours, until a shell continues us.
    fn suspend(&mut self) {
        if let (Target::Leader(leader), Some(terminal)) = (self.target, &mut self.terminal) {
            terminal.suspend();
            let _ = kill_process(leader, Signal::CONT);
        }
    }

    fn pass_on(&mut self, kind: Signal) {
        if let (Signal::WINCH | Signal::CONT, Some(terminal)) = (kind, &mut self.terminal) {
            terminal.resize();
            terminal.take_keyboard();
        }
        pass_on(kind, self.target);
    }

    /// After the command's end: waits for its output. What it left running keeps its streams, redacted by another process.
    async fn finish(self, launch: &Launch, signals: &mut Signals) -> Option<io::Error> {
        let Self { target, copies, terminal, leash, .. } = self;
        let stopped = copies.stop();
        tokio::pin!(stopped);
        let outcome = loop {
            tokio::select! {
                outcome = &mut stopped => break outcome,
                kind = signals.next() => pass_on(kind, target),
            }
        };
        drop(terminal);
        leftover::settle(outcome, launch, leash).await
    }

    /// Ends the command, and everything it started that is still its child, for another one to take its place.
    async fn stop(mut self, signals: &mut Signals) {
        let family = match self.target {
            Target::Companion(id) => tree::descendants(id),
            Target::Group(_) | Target::Leader(_) => Vec::new(),
        };
        let send = |kind| {
            pass_on(kind, self.target);
            for &member in &family {
                // One that has ended needs no signal.
                let _ = kill_process(member, kind);
            }
        };
        send(Signal::TERM);
        let deadline = tokio::time::sleep(STOP_GRACE);
        tokio::pin!(deadline);
        loop {
            tokio::select! {
                change = self.changes.recv() => if !matches!(change, Some(Change::Stopped)) { break },
                kind = signals.next() => pass_on(kind, self.target),
                () = &mut deadline => break,
            }
        }
        send(Signal::KILL);
        self.copies.stop().await;
        if let Some(leash) = self.leash {
            leash.release();
        }
    }
}

/// The next update; never, if there are none to come.
async fn next(updates: &mut Option<UnboundedReceiver<Update>>) -> Option<Update> {
    match updates {
        Some(updates) => updates.recv().await,
        None => std::future::pending().await,
    }
}

/// Gives the command pipes for its output: one for both streams if ours are one, and then returns our end of it.
fn redirect(command: &mut Command) -> io::Result<Option<File>> {
    if streams::are_one() {
        let (ours, theirs) = io::pipe()?;
        command.stdout(theirs.try_clone()?).stderr(theirs);
        return Ok(Some(File::from(OwnedFd::from(ours))));
    }
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    Ok(None)
}

/// Starts the copies of what the command writes. What it has no pipe for goes where ours goes.
fn copies(
    child: &mut Child,
    shared: Option<File>,
    own: Option<&Terminal>,
    launch: &Launch,
) -> io::Result<Copies<File>> {
    let mut copies = Copies::new()?;
    let Some(redaction) = &launch.redaction else { return Ok(copies) };
    let plan = &redaction.plan;
    if let Some(terminal) = own {
        copies.start(terminal.output()?, Copied::Stdout, plan)?;
    } else if let Some(shared) = shared {
        copies.start(shared, Copied::Stdout, plan)?;
    }
    if let Some(output) = child.stdout.take() {
        copies.start(File::from(OwnedFd::from(output)), Copied::Stdout, plan)?;
    }
    if let Some(output) = child.stderr.take() {
        copies.start(File::from(OwnedFd::from(output)), Copied::Stderr, plan)?;
    }
    Ok(copies)
}
