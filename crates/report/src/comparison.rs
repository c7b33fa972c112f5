//! The outcome of comparing a report with another one.

use serde::Serialize;

/// The outcome of a comparison. It never changes the verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// With what, `main` at a commit for example; absent if there was nothing to compare with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub with: Option<String>,
    /// Why there is no comparison.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why_not: Option<String>,
    /// Findings that the other report lacks.
    pub new: u64,
    /// Findings of both.
    pub known: u64,
    /// Findings that only the other report has.
    pub fixed: u64,
    /// One of the two has more findings than were kept.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_partial: bool,
}

impl Comparison {
    /// No comparison, and why.
    #[must_use]
    pub fn absent(why: impl Into<String>) -> Self {
        Self { with: None, why_not: Some(why.into()), new: 0, known: 0, fixed: 0, is_partial: false }
    }

    /// Whether anything is new or fixed.
    #[must_use]
    pub fn is_change(&self) -> bool {
        self.new > 0 || self.fixed > 0
    }

    /// `2 new, 14 known, 3 fixed since main at 5ae7847`, or why there is no comparison.
    #[must_use]
    pub fn sentence(&self) -> String {
        let Some(with) = &self.with else {
            return format!("not compared with the base: {}", self.why_not.as_deref().unwrap_or("it has no report"));
        };
        let kept = if self.is_partial { ", of the findings that were kept" } else { "" };
        format!("{} new, {} known, {} fixed since {with}{kept}", self.new, self.known, self.fixed)
    }
}
