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
use crate::lock::Lock;
use crate::relay::{Relay, Stream};

/// An event with the fields that it has besides.
pub(crate) type Entry = (Event, Map<String, Value>);

/// One run.
pub(crate) struct Context<'a> {
    pub(crate) loaded: &'a Loaded,
    pub(crate) console: &'a Console,
    pub(crate) reporter: &'a Reporter<'a>,
    pub(crate) stop: Stop,
    pub(crate) shell: Shell,
    /// Where it is kept.
    pub(crate) folder: &'a RunFolder,
    /// Streams that are pipes; ended before the result is printed.
    pub(crate) relays: RefCell<Vec<Relay>>,
    /// Held until the run is over.
    pub(crate) locks: Vec<Lock>,
    journal: Option<RefCell<Journal>>,
    /// What happened and could not be written: it is written before anything else is.
    unwritten: RefCell<Vec<Entry>>,
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
        locks: Vec<Lock>,
    ) -> Self {
        let console = reporter.console();
        Self {
            loaded,
            console,
            reporter,
            stop,
            shell: Shell::find(console.environment().get("PATH")),
            folder,
            relays: RefCell::new([Stream::Out, Stream::Err].into_iter().filter_map(Relay::begin).collect()),
            locks,
            journal: journal.map(RefCell::new),
            unwritten: RefCell::default(),
            values: RefCell::default(),
            verbose: false,
            insists: console.stdin_is_terminal(),
        }
    }

    /// Writes to the journal what is about to begin, and waits until it is on the disk.
    ///
    /// # Errors
    /// It cannot be written: what was to begin must not.
    pub(crate) fn journal(&self, events: Vec<Entry>) -> Result<()> {
        let Some(journal) = &self.journal else { return Ok(()) };
        let late = self.unwritten.borrow().clone();
        journal.borrow_mut().append(late.into_iter().chain(events).collect())?;
        self.unwritten.borrow_mut().clear();
        Ok(())
    }

    /// Writes to the journal what has happened. If that fails, it is written as soon as the disk has room again, and nothing more
    /// may begin until then. Returns whether it is on the disk.
    pub(crate) fn happened(&self, events: Vec<Entry>) -> bool {
        let written = self.journal(events.clone()).is_ok();
        if !written {
            self.unwritten.borrow_mut().extend(events);
        }
        written
    }

    /// Writes to the journal what is of no use after a restart of the machine.
    pub(crate) fn note(&self, events: Vec<Entry>) {
        let Some(journal) = &self.journal else { return };
        let late = !self.unwritten.borrow().is_empty();
        if late || journal.borrow_mut().write(events.clone()).is_err() {
            self.unwritten.borrow_mut().extend(events);
        }
    }

    /// Variables for a command, on top of the inherited ones: those that stages have handed on, its own, ours.
    pub(crate) fn env(
        &self,
        own: impl IntoIterator<Item = (String, String)>,
        stage: Option<&str>,
    ) -> Vec<(String, String)> {
        let ours = stage.map(|name| ("STAGE_RUN_STAGE".to_owned(), name.to_owned()));
        let run = ("STAGE_RUN_RUN".to_owned(), self.folder.name());
        self.values.borrow().iter().cloned().chain(own).chain(ours).chain([run]).collect()
    }

    /// Whether anything of the run is kept.
    pub(crate) fn keeps(&self) -> bool {
        self.journal.is_some()
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
