//! The shell for scripts that name none.

use std::path::Path;

/// A shell that stops at the first failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shell {
    /// A failure anywhere in a pipe fails the script.
    Bash,
    /// Only the end of a pipe counts.
    Sh,
}

impl Shell {
    /// Bash if it is on `path`, as `PATH` lists folders.
    #[must_use]
    pub fn find(path: &str) -> Self {
        let is_there = std::env::split_paths(path).any(|folder: std::path::PathBuf| has_bash(&folder));
        if is_there { Self::Bash } else { Self::Sh }
    }

    /// The words before the script.
    #[must_use]
    pub fn words(self) -> &'static [&'static str] {
        match self {
            Self::Bash => &["bash", "-eo", "pipefail", "-c"],
            Self::Sh => &["sh", "-e", "-c"],
        }
    }
}

fn has_bash(folder: &Path) -> bool {
    folder.join("bash").is_file()
}
