//! What one source reports about a check: an exit code, a report file, a report that is absent.
//!
//! Evidence holds facts. Whether a check passes with it is decided in [`crate::verdict`].

use serde::{Deserialize, Serialize};

use crate::{Level, Reason, Status};

/// What a report is about, which decides what an empty one means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Nature {
    /// Tests: without any, nothing ran.
    #[default]
    Tests,
    /// Findings: without any, the code is clean.
    Linter,
    /// What a plan would change: without any, nothing is to be done.
    Changes,
    /// One outcome, such as that of a build: without an error it is good.
    Outcome,
}

/// How many tests ended how. A flaky test counts as passed too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names of the outcomes")]
pub struct Tests {
    pub total: u64,
    pub passed: u64,
    pub failed: u64,
    pub skipped: u64,
    pub flaky: u64,
}

impl Tests {
    /// The tests of all the evidence; `None` if none of it is about tests.
    #[must_use]
    pub fn of(evidence: &[Evidence]) -> Option<Self> {
        let mut sum = None;
        for piece in evidence.iter().filter(|piece| piece.nature == Nature::Tests || piece.tests.total > 0) {
            *sum.get_or_insert_default() += piece.tests;
        }
        sum
    }
}

impl std::ops::AddAssign for Tests {
    fn add_assign(&mut self, other: Self) {
        self.total += other.total;
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
        self.flaky += other.flaky;
    }
}

/// Totals that a report claims without holding the tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Totals {
    pub tests: u64,
    pub failures: u64,
}

/// A test that took long.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Slow {
    /// The test.
    pub name: String,
    /// How long it took.
    pub seconds: f64,
}

/// What a plan would do, counted; values are never part of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names of the actions")]
pub struct Changes {
    pub create: u64,
    pub update: u64,
    pub replace: u64,
    pub delete: u64,
    pub forget: u64,
    /// The first of them: `delete aws_instance.web`; what is destroyed comes first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<String>,
}

impl Changes {
    /// What is destroyed, in one sentence: `destroys 2 resources: delete a.b, replace c.d`.
    #[must_use]
    pub(crate) fn destruction(&self) -> Option<String> {
        let destroyed = self.delete + self.replace;
        if destroyed == 0 {
            return None;
        }
        let is_destroyed = |address: &&String| address.starts_with("delete ") || address.starts_with("replace ");
        let named: Vec<&str> = self.addresses.iter().filter(is_destroyed).take(5).map(String::as_str).collect();
        let more = destroyed.saturating_sub(named.len() as u64);
        let more = if more > 0 && !named.is_empty() { format!(", and {more} more") } else { String::new() };
        let colon = if named.is_empty() { "" } else { ": " };
        let text = crate::count::count(destroyed, "resource");
        Some(format!("destroys {text}{colon}{}{more}", named.join(", ")))
    }
}

/// What one source reports about a check.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Evidence {
    /// The format (`junit`, `sarif`, …), or `exit_code`.
    pub from: String,
    /// The file, as it was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The program that wrote it, if the report names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// What it is about.
    pub nature: Nature,
    /// What this evidence alone amounts to; set by [`crate::verdict`].
    #[serde(rename = "verdict", skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// What is wrong with the source itself: `report_unreadable`, `report_absent`, `stale`, `nothing_reported`, `exit_code`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The tests in it.
    #[serde(skip_serializing_if = "is_default")]
    pub tests: Tests,
    /// Findings of level error, failed tests among them.
    #[serde(skip_serializing_if = "is_default")]
    pub errors: u64,
    /// Findings of level warning.
    #[serde(skip_serializing_if = "is_default")]
    pub warnings: u64,
    /// Findings of level notice.
    #[serde(skip_serializing_if = "is_default")]
    pub notices: u64,
    /// How many of the findings have no separate record.
    #[serde(skip_serializing_if = "is_default")]
    pub findings_omitted: u64,
    /// Totals without the tests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub totals: Option<Totals>,
    /// How many parts of it (suites) hold nothing.
    #[serde(skip_serializing_if = "is_default")]
    pub empty: u64,
    /// The names of all flaky tests.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub flaky: Vec<String>,
    /// The slowest tests, the slowest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub slowest: Vec<Slow>,
    /// The sum of the tests' times.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// What a plan would do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changes: Option<Changes>,
    /// Where the report contradicts itself in a way that fails nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Evidence {
    /// Evidence that consists of what is wrong with its source.
    pub fn of_problem(from: impl Into<String>, path: Option<String>, reason: Reason) -> Self {
        Self { from: from.into(), path, reason: Some(reason), ..Self::default() }
    }

    /// How many findings of this level it has.
    #[must_use]
    pub(crate) fn of_level(&self, level: Level) -> u64 {
        match level {
            Level::Error => self.errors,
            Level::Warning => self.warnings,
            Level::Notice => self.notices,
        }
    }

    /// Errors that belong to no test.
    #[must_use]
    pub(crate) fn other_errors(&self) -> u64 {
        self.errors.saturating_sub(self.tests.failed)
    }
}
