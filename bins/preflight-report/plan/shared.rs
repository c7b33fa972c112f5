//! What the checks of one run share.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use cli::Console;
use plan::Outcome;
use run::{Reporter, Stop};
use tokio::sync::watch;

use super::cache::Cache;
use super::load::Loaded;
use crate::read::Setting;
use child::Shell;

/// What the checks of one run share.
pub(super) struct Run<'a> {
    pub(super) loaded: &'a Loaded,
    pub(super) setting: &'a Setting,
    pub(super) reporter: &'a Reporter<'a>,
    pub(super) console: &'a Console,
    pub(super) shell: Shell,
    pub(super) cache: Option<Cache>,
    pub(super) log_dir: Option<&'a Path>,
    /// Variables that commands do not inherit unless their check names them.
    pub(super) withheld: &'a [&'a str],
    pub(super) stop: &'a Stop,
    /// The check whose failure cancels all others.
    pub(super) cancelled: watch::Receiver<Option<String>>,
    /// How many documents about other checks commands have printed.
    pub(super) foreign: Arc<AtomicUsize>,
}

impl Run<'_> {
    /// Waits until a failure cancels what runs; never completes otherwise.
    pub(super) async fn until_cancelled(&self) {
        let mut cancelled = self.cancelled.clone();
        if cancelled.wait_for(Option::is_some).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// The check whose failure cancelled the others.
    pub(super) fn cancelled_by(&self) -> Option<String> {
        self.cancelled.borrow().clone()
    }
}

/// How a check ended: as others depend on it, or why it was left out.
pub(super) type End = Result<Outcome, plan::Why>;
