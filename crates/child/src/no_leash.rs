//! Systems without process groups: only the program itself is ended, when its handle is dropped.

use std::io;
use std::process::Command;

use crate::Signal;

/// Takes the place of a process group on systems without them.
#[derive(Debug)]
pub struct Leash(());

impl Leash {
    /// Makes nothing.
    ///
    /// # Errors
    /// Never.
    pub fn new() -> io::Result<Self> {
        Ok(Self(()))
    }

    /// Changes nothing.
    pub(crate) fn tie(&self, _: &mut Command) {}

    /// Sends nothing.
    pub fn signal(&self, _: Signal) {}

    pub(crate) fn has_members(&mut self) -> bool {
        false
    }

    /// Kills nothing.
    pub fn kill(&mut self) {}

    /// Changes nothing.
    pub fn release(&mut self) {}
}
