//! `--watch` on systems without signals, where it is refused.

use std::io;

use cli::Console;

use super::file::Files;
use super::launch::Launch;
use super::outcome::Outcome;
use crate::args::Args;
use crate::chosen::Chosen;

/// Refuses: the command could not be asked to end before it is started again.
pub(super) fn run(_: Launch, _: Vec<Chosen>, _: Files, _: &Args, _: &Console) -> io::Result<Outcome> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "--watch needs signals, which this system does not have"))
}
