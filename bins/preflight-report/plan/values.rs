//! The values that the conditions of a plan compare.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cli::Console;
use plan::{Condition, Subject};
use runner::Environment;

/// Where the values come from.
#[derive(Debug)]
pub(super) struct Values<'a> {
    environment: &'a Environment,
    folder: PathBuf,
    branch: OnceCell<Option<String>>,
}

impl<'a> Values<'a> {
    /// The runner's variables, else the repository of `folder`.
    pub(super) fn new(console: &'a Console, folder: &Path) -> Self {
        Self { environment: console.environment(), folder: folder.to_owned(), branch: OnceCell::new() }
    }

    /// Whether the condition holds.
    pub(super) fn hold(&self, condition: &Condition) -> bool {
        condition.holds(|subject| match subject {
            Subject::Variable(name) => self.environment.get(name).map(str::to_owned),
            Subject::Named(name) if name == "event" => {
                Some(self.environment.get("GITHUB_EVENT_NAME").unwrap_or("local").to_owned())
            }
            Subject::Named(_) => self.branch.get_or_init(|| self.branch()).clone(),
        })
    }

    /// The branch: of a pull request its own, not the merge; outside Actions what git has checked out.
    fn branch(&self) -> Option<String> {
        let variable = |name: &str| self.environment.get(name).map(str::to_owned);
        let is_branch = variable("GITHUB_REF_TYPE").is_none_or(|kind| kind == "branch");
        variable("GITHUB_HEAD_REF")
            .or_else(|| variable("GITHUB_REF_NAME").filter(|_| is_branch))
            .or_else(|| checked_out(&self.folder))
    }
}

fn checked_out(folder: &Path) -> Option<String> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let output = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(["symbolic-ref", "--quiet", "--short", "HEAD"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
