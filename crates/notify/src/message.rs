//! What a message says. Never output, commands or values of the run.

/// What is reported of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It has begun.
    Started,
    /// It passed.
    Passed,
    /// It failed, is half done, or could not be undone.
    Failed,
    /// It passed, and the one before did not.
    Recovered,
    /// A signal ended it.
    Interrupted,
}

impl Outcome {
    /// The word for it, as plans and documents have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Recovered => "recovered",
            Self::Interrupted => "interrupted",
        }
    }

    pub(crate) fn sign(self) -> &'static str {
        match self {
            Self::Started => "▶",
            Self::Passed | Self::Recovered => "✓",
            Self::Failed => "✗",
            Self::Interrupted => "■",
        }
    }
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The run.
    pub title: String,
    /// What it deploys to; blank if it is the only target.
    pub target: String,
    /// What is reported of it.
    pub outcome: Outcome,
    /// The stage or check that it ended at.
    pub stage: Option<String>,
    /// In a few words: `half done`, `exit code 1`.
    pub detail: Option<String>,
    /// How long it took, for people.
    pub duration: Option<String>,
    /// The commit.
    pub commit: Option<String>,
    /// Where the run can be seen.
    pub run_url: Option<String>,
    /// The line that goes on.
    pub next: Option<String>,
}

impl Message {
    /// `✗ Homelab (DOPPLER_CONFIG=dev): failed`.
    #[must_use]
    pub fn headline(&self) -> String {
        let target = if self.target.is_empty() { String::new() } else { format!(" ({})", self.target) };
        format!("{} {}{target}: {}", self.outcome.sign(), self.title, self.outcome.name())
    }

    /// What else is known, each with its name.
    pub(crate) fn fields(&self) -> Vec<(&'static str, String)> {
        let stage = match (&self.stage, &self.detail) {
            (Some(stage), Some(detail)) => Some(format!("{stage}: {detail}")),
            (Some(one), None) | (None, Some(one)) => Some(one.clone()),
            (None, None) => None,
        };
        let commit = self.commit.as_ref().map(|commit| commit.chars().take(12).collect());
        let all = [
            ("Stage", stage),
            ("Duration", self.duration.clone()),
            ("Commit", commit),
            ("Go on", self.next.clone()),
            ("Run", self.run_url.clone()),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}
