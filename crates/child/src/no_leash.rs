//! Systems without process groups: only the program itself is ended, when its handle is dropped.

use std::io;
use std::process::Command;

use crate::job::Job;
use crate::keyboard::Keyboard;
use crate::signal::Signal;

/// Takes the place of a process group on systems without them.
#[derive(Debug)]
pub(crate) struct Leash(());

impl Leash {
    /// Makes nothing.
    ///
    /// # Errors
    /// Never.
    pub(crate) fn new(_: Job) -> io::Result<Self> {
        Ok(Self(()))
    }

    /// Changes nothing.
    ///
    /// # Errors
    /// Never.
    pub(crate) fn tie(&mut self, _: &mut Command) -> io::Result<Option<Keyboard>> {
        Ok(None)
    }

    /// Notes nothing.
    pub(crate) fn started(&mut self, _: Option<u32>) {}

    pub(crate) fn ask(&mut self) -> bool {
        false
    }

    /// Sends nothing.
    pub(crate) fn signal(&self, _: Signal) {}

    pub(crate) fn has_members(&mut self) -> bool {
        false
    }

    /// Kills nothing.
    pub(crate) fn kill(&mut self) {}

    /// Changes nothing.
    pub(crate) fn release(&mut self) {}
}
