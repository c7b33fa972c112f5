//! The options that go on with a deploy that did not reach its end.

use std::path::PathBuf;

/// What is resumed, and how.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Resume")]
pub(crate) struct Resuming {
    /// Go on with the deploy of these records: hosts that are done are only checked again
    #[arg(hide_short_help = true, long, value_name = "RECORDS", conflicts_with_all = ["rollback_to", "lock_status", "unlock"])]
    pub(crate) resume: Vec<PathBuf>,

    /// Roll back the hosts that the resumed deploy has changed, and deploy nothing
    #[arg(hide_short_help = true, long, requires = "resume", conflicts_with_all = ["command", "script"])]
    pub(crate) only_rollback: bool,
}
