//! The shell for scripts that name none.

/// A shell that stops at the first failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shell {
    /// A failure anywhere in a pipe fails the script.
    Bash,
    /// Only the end of a pipe counts.
    Sh,
}

impl Shell {
    /// Bash if it is on `path`, the value of `PATH`; without one, if it is where systems have it.
    #[must_use]
    pub fn find(path: Option<&str>) -> Self {
        let mut folders = std::env::split_paths(path.unwrap_or("/usr/bin:/bin"));
        let is_there = folders.any(|folder| folder.join("bash").is_file());
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
