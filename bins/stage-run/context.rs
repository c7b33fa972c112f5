//! What the commands of one run share.

use std::cell::RefCell;

use child::Shell;
use cli::Console;
use fault::Result;
use journal::Journal;
use report::Event;
use run::{Reporter, Stop, StopReason};
use serde_json::{Map, Value};

use crate::folder::RunFolder;
use crate::loaded::Loaded;

/// One run.
pub(crate) struct Context<'a> {
    pub(crate) loaded: &'a Loaded,
    pub(crate) console: &'a Console,
    pub(crate) reporter: &'a Reporter<'a>,
    pub(crate) stop: Stop,
    pub(crate) shell: Shell,
    /// Where it is kept.
    pub(crate) folder: &'a RunFolder,
    journal: Option<RefCell<Journal>>,
    /// Variables that stages have handed to later ones.
    pub(crate) values: RefCell<Vec<(String, String)>>,
    pub(crate) verbose: bool,
    /// Whether a second ^C is passed on: a person at a terminal sends it.
    pub(crate) insists: bool,
}

impl<'a> Context<'a> {
    /// A run that is kept in `folder`; without a journal it leaves no trace there.
    pub(crate) fn new(
        loaded: &'a Loaded,
        reporter: &'a Reporter<'a>,
        stop: Stop,
        folder: &'a RunFolder,
        journal: Option<Journal>,
    ) -> Self {
        let console = reporter.console();
        Self {
            loaded,
            console,
            reporter,
            stop,
            shell: Shell::find(console.environment().get("PATH")),
            folder,
            journal: journal.map(RefCell::new),
            values: RefCell::default(),
            verbose: false,
            insists: console.stdin_is_terminal(),
        }
    }

    /// Writes to the journal, and waits until it is on the disk.
    ///
    /// # Errors
    /// It cannot be written: what was to begin must not.
    pub(crate) fn journal(&self, events: Vec<(Event, Map<String, Value>)>) -> Result<()> {
        self.journal.as_ref().map_or(Ok(()), |journal| journal.borrow_mut().append(events))
    }

    /// Writes to the journal what is of no use after a restart of the machine.
    ///
    /// # Errors
    /// As [`Context::journal`].
    pub(crate) fn note(&self, events: Vec<(Event, Map<String, Value>)>) -> Result<()> {
        self.journal.as_ref().map_or(Ok(()), |journal| journal.borrow_mut().write(events))
    }

    /// What stops the commands at the end of the run. The signal that ended the run does not end them; another one does.
    pub(crate) fn stop_at_the_end(&self) -> Stop {
        if self.stop.reason().is_none() {
            return self.stop.clone();
        }
        let (trigger, stop) = Stop::manual();
        let insisted = self.stop.insisted();
        tokio::spawn(async move {
            trigger.stop(StopReason::Signal(insisted.await));
            // Kept: its end would look like a reason to stop.
            std::future::pending::<()>().await;
            drop(trigger);
        });
        stop
    }
}
