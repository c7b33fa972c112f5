//! What becomes of processes that the command leaves running in the background (Linux).

use std::fs::File;
use std::io;

use super::copy::{Copies, Outcome};
use super::drain;
use super::launch::Launch;
pub(super) use super::watcher::Leash;

/// Ends the supervision of a command that has ended. If something still writes into its streams, another process goes on with them and
/// with the leash. Returns why some of the output could not be written.
pub(super) async fn settle(outcome: Outcome<File>, launch: &Launch, leash: Option<Leash>) -> Option<io::Error> {
    let Outcome { lost, rest } = outcome;
    let redaction = launch.redaction.as_ref().filter(|_| !rest.is_empty());
    let Some(redaction) = redaction else {
        if let Some(leash) = leash {
            leash.release();
        }
        return lost;
    };
    if drain::hand_over(&rest, &redaction.hidden, leash.as_ref()).is_ok() {
        return lost;
    }
    // No process can be started, so this one stays until the streams end.
    let mut copies = Copies::new().ok()?;
    for rest in rest {
        if let Err(error) = copies.resume(rest, &redaction.plan) {
            return Some(error);
        }
    }
    lost.or(copies.finish().await.lost)
}
