//! What every reader needs besides the document.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cli::Console;
use jiff::Timestamp;
use report::Policy;

use crate::args::Args;
use crate::gather::{Patience, Repository};
use crate::publish::Masks;

/// What every reader needs besides the document.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    /// The run's key, for documents that do not name one.
    pub(super) run: String,
    /// The workflow's name.
    pub(super) workflow: Option<String>,
    /// Foreign documents have durations and no times: times are counted back from here.
    pub(super) read_at: Timestamp,
    pub(super) repository: Repository,
    pub(crate) policy: Arc<Policy>,
    /// The exit code of the command that wrote the one report.
    pub(super) command_exited: Option<i64>,
    pub(super) keeps_records: bool,
    /// Masks that the inputs register are kept here.
    pub(crate) masks: Masks,
    pub(super) patience: Patience,
}

impl Setting {
    /// From the command line and what the runner provides.
    pub(crate) fn new(args: &Args, console: &Console, policy: &Policy, masks: Masks) -> Self {
        let context = console.context();
        let workspace = console.environment().get("GITHUB_WORKSPACE").map(PathBuf::from);
        Self {
            run: context.run_key().unwrap_or_else(|| "local".to_owned()),
            workflow: context.workflow.clone(),
            read_at: Timestamp::now(),
            repository: Repository::find(workspace.as_deref()),
            policy: Arc::new(policy.clone()),
            command_exited: args.command_exited,
            keeps_records: args.needs_records(),
            masks,
            patience: Patience { console: Some(console.clone()), deadline: args.deadline },
        }
    }

    /// The same for a program that runs in `folder`.
    pub(crate) fn seen_from(&self, folder: &Path) -> Self {
        Self { repository: self.repository.seen_from(folder), ..self.clone() }
    }

    /// For a report to compare with: of it nothing but its checks counts.
    pub(crate) fn of_baseline(args: &Args, console: &Console, policy: &Policy) -> Self {
        Self { command_exited: None, keeps_records: false, ..Self::new(args, console, policy, Masks::default()) }
    }
}
