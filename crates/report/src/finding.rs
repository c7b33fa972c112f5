//! Something a check found.

use std::fmt::Write as _;

use runner::command::Level;
use serde::{Deserialize, Serialize};

/// An error, warning or notice of a check, with its place if known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// How much it matters.
    pub level: Level,
    /// Relative to the repository, forward slashes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// From 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// From 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u64>,
    /// The rule's or error's own code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// What is wrong; foreign text.
    pub message: String,
    /// The test that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<String>,
    /// More: a stack, a difference; foreign text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The shard that reported it, if several reported the check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leg: Option<String>,
    /// The path is no file of the repository: it is shown, but not annotated.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub outside: bool,
    /// Whether the base of the comparison lacks it; absent without a comparison.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<bool>,
}

impl Finding {
    /// Makes a finding without a place.
    pub fn new(level: Level, message: impl Into<String>) -> Self {
        Self {
            level,
            path: None,
            line: None,
            column: None,
            rule: None,
            message: message.into(),
            test: None,
            detail: None,
            leg: None,
            outside: false,
            new: None,
        }
    }

    /// `src/index.ts:45:9`, as far as it is known.
    #[must_use]
    pub fn place(&self) -> Option<String> {
        let mut place = self.path.clone()?;
        for number in [self.line, self.line.and(self.column)].into_iter().flatten() {
            // Writing to a String cannot fail.
            let _ = write!(place, ":{number}");
        }
        Some(place)
    }
}
