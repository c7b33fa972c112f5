//! What becomes of processes that the command leaves running in the background, on systems where no process of ours outlives us.

use std::fs::File;
use std::io;
use std::time::Duration;

use rustix::process::Pid;

use super::copy::{Copies, Outcome};
use super::launch::Launch;

/// How long they may go on writing.
const REST: Duration = Duration::from_secs(2);

/// Nothing ends the command if the supervisor is killed.
#[derive(Debug)]
pub(super) struct Leash;

impl Leash {
    pub(super) fn start(_: Pid) -> io::Result<Self> {
        Ok(Self)
    }

    pub(super) fn release(self) {}
}

/// Waits a little for the streams to end. Returns why some of the output could not be written.
pub(super) async fn settle(outcome: Outcome<File>, launch: &Launch, _: Option<Leash>) -> Option<io::Error> {
    let Outcome { lost, rest } = outcome;
    let redaction = launch.redaction.as_ref().filter(|_| !rest.is_empty());
    let Some(redaction) = redaction else { return lost };
    let mut copies = Copies::new().ok()?;
    for rest in rest {
        if let Err(error) = copies.resume(rest, &redaction.plan) {
            return Some(error);
        }
    }
    let late = || Some(io::Error::other("a process that it left running goes on writing"));
    let finished = tokio::time::timeout(REST, copies.finish()).await;
    lost.or_else(|| finished.map_or_else(|_| late(), |outcome| outcome.lost))
}
