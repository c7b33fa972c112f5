//! What is told about publishing: it never changes the exit code, unless `--require-publish` asks for that.

use std::cell::Cell;

use cli::{Console, Exit};
use fault::{Fault, Kind};
use github::Error;

/// Reports what could not be published, and keeps the exit code for it.
pub(super) struct Voice<'a> {
    pub(super) console: &'a Console,
    /// `--require-publish`.
    pub(super) is_required: bool,
    /// The token is expected to be allowed to read only: a fork's, or Dependabot's.
    pub(super) is_read_only: bool,
    refused: Cell<bool>,
    worst: Cell<Option<Exit>>,
}

impl<'a> Voice<'a> {
    pub(super) fn new(console: &'a Console, is_required: bool, is_read_only: bool) -> Self {
        Self { console, is_required, is_read_only, refused: Cell::new(false), worst: Cell::new(None) }
    }

    /// The exit code that `--require-publish` asks for.
    pub(super) fn exit(&self) -> Option<Exit> {
        self.worst.get()
    }

    /// Whether the token of a fork was refused: nothing else needs to be tried.
    pub(super) fn is_refused(&self) -> bool {
        self.refused.get()
    }

    /// A call failed: a warning that names it and the permission that it needs.
    pub(super) fn failed(&self, what: &str, error: Error, permission: &str) {
        if self.is_read_only && error.is_forbidden() {
            self.refused.set(true);
            self.console.notice(
                "nothing is published: the token of a fork's pull request, or of Dependabot's, may only read. \
                 Publish from a workflow that `workflow_run` starts, with --from-json",
            );
            return;
        }
        let is_forbidden = error.is_forbidden();
        let mut fault = Fault::from(error).context(what);
        if is_forbidden {
            fault = fault.help(format!("give the job `permissions: {permission}`"));
        }
        self.fault(&fault);
    }

    /// Something cannot be published.
    pub(super) fn fault(&self, fault: &Fault) {
        let causes = fault.causes.iter().take(3).map(|cause| format!("\n  caused by: {cause}"));
        let help = fault.help.iter().map(|help| format!("\n  help: {help}"));
        let text: String = std::iter::once(fault.message.clone()).chain(causes).chain(help).collect();
        self.console.warn(&text);
        if self.is_required {
            let exit = if fault.kind == Kind::Permission { Exit::Permission } else { Exit::Temporary };
            self.worst.set(Some(Exit::worst(self.worst.get().into_iter().chain([exit]))));
        }
    }
}
