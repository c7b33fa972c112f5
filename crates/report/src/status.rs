//! How a check ended and why, and what a whole run amounts to.

use serde::{Deserialize, Serialize};

/// How a check, or a stage, ended. Everything finer is a [`Reason`]'s code. Ordered from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It holds.
    Passed,
    /// It was left out on purpose.
    Skipped,
    /// It was stopped from outside before it ended.
    Cancelled,
    /// It was promised and did not report.
    Missing,
    /// It does not hold.
    Failed,
}

impl Status {
    /// The status as records and documents write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
            Self::Missing => "missing",
            Self::Failed => "failed",
        }
    }
}

/// Why a check has its status, for programs (`code`) and for people (`text`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// A stable word: `exit_code`, `timeout`, `needs_failed`, `not_reported`, `interrupted`, …
    pub code: String,
    /// One sentence or a few words; may quote a service or a program, so it is foreign text.
    #[serde(default)]
    pub text: String,
}

impl Reason {
    /// A reason with its code and text.
    pub fn new(code: impl Into<String>, text: impl Into<String>) -> Self {
        Self { code: code.into(), text: text.into() }
    }
}

/// The answer to "may this be deployed?".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Everything that was promised was done and holds.
    Passed,
    /// No check failed, but the run proves nothing: something promised did not report, or nothing ran.
    Incomplete,
    /// A check failed.
    Failed,
}

impl Verdict {
    /// The verdict as documents write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Incomplete => "incomplete",
            Self::Failed => "failed",
        }
    }

    /// The row of the exit-code table.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Passed => 0,
            Self::Failed => 1,
            Self::Incomplete => 3,
        }
    }
}
