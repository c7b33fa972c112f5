//! `--watch`: reads the secrets again and again, and lets the command have changed ones.
//!
//! A variable of a running process cannot be changed, so the command is started again. With `--watch-signal` it gets a signal instead: for
//! programs that read their secrets from files (`--file`) again when asked to.

use std::io;
use std::time::Duration;

use cli::Console;
use fault::{Fault, Result};
use secrecy::ExposeSecret as _;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::environment;
use super::file::{self, Files};
use super::launch::{Launch, Redaction, redacts};
use super::outcome::Outcome;
use super::supervise::{self, Update};
use crate::args::Args;
use crate::chosen::Chosen;
use crate::{emit, gather, select, validate};

/// Runs the command; `secrets` are those that it starts with.
pub(super) fn run(
    launch: Launch,
    secrets: Vec<Chosen>,
    files: Files,
    args: &Args,
    console: &Console,
) -> io::Result<Outcome> {
    let (sender, updates) = unbounded_channel();
    let program = launch.program.clone();
    let mut watch = Watch { args: args.clone(), console: console.clone(), program, secrets, files };
    // Reads block for up to --deadline, so they must not delay signals. The thread ends with the process.
    std::thread::spawn(move || watch.watch(&sender));
    supervise::run(launch, Some(updates))
}

struct Watch {
    args: Args,
    console: Console,
    program: std::path::PathBuf,
    secrets: Vec<Chosen>,
    files: Files,
}

impl Watch {
    fn watch(&mut self, updates: &UnboundedSender<Update>) {
        let interval: Duration = self.args.running.watch_interval;
        let mut is_failing = false;
        loop {
            std::thread::sleep(interval);
            match self.look() {
                Ok(update) => {
                    if is_failing {
                        self.console.status("the secrets can be read again");
                    }
                    is_failing = false;
                    if update.is_some_and(|update| updates.send(update).is_err()) {
                        return;
                    }
                }
                // Once: the next look may succeed, and until then the command goes on with what it has.
                Err(fault) if !is_failing => {
                    is_failing = true;
                    self.console
                        .warn(&format!("cannot look for changed secrets: {fault}: {}", fault.causes.join(": ")));
                }
                Err(_) => {}
            }
        }
    }

    /// Reads the secrets, and decides what is to be done if they have changed.
    fn look(&mut self) -> Result<Option<Update>> {
        let read = gather::secrets(&self.args, &self.console).map_err(|error| cli::fault_of(&error))?;
        let secrets = select::apply(read, &self.args.selection)?;
        let changed = changes(&self.secrets, &secrets);
        if changed.is_empty() {
            return Ok(None);
        }
        let hidden = emit::mask(&secrets, &self.args, &self.console)?;
        self.secrets.clone_from(&secrets);
        let mut variables = secrets;
        let as_files = file::take(&self.args.running.file, &mut variables)?;
        validate::check_command(&variables)?;
        self.files
            .replace(&as_files)
            .map_err(|error| Fault::temporary("cannot change the files of the command").cause(error.to_string()))?;
        let redaction = redacts(&self.args, &self.console).then(|| Redaction::new(hidden));
        let name = self.args.command[0].display();
        if let Some(signal) = self.args.running.watch_signal {
            self.console.status(&format!("secrets changed: {}; sending {signal} to `{name}`", changed.join(", ")));
            return Ok(Some(Update::Signal(signal.number(), redaction)));
        }
        self.console.status(&format!("secrets changed: {}; starting `{name}` again", changed.join(", ")));
        let environment = environment::of_command(&self.args, variables, &self.files, &self.console);
        let words = self.args.command.clone();
        Ok(Some(Update::Restart(Launch { program: self.program.clone(), words, environment, redaction })))
    }
}

/// The names of secrets that are new, changed or gone.
fn changes(before: &[Chosen], now: &[Chosen]) -> Vec<String> {
    // Exposed to compare.
    let is_in = |list: &[Chosen], secret: &Chosen| {
        list.iter().any(|it| it.name == secret.name && it.value.expose_secret() == secret.value.expose_secret())
    };
    let mut names: Vec<String> = now.iter().filter(|secret| !is_in(before, secret)).map(|it| it.name.clone()).collect();
    names.extend(before.iter().filter(|secret| !now.iter().any(|it| it.name == secret.name)).map(|it| it.name.clone()));
    names
}
