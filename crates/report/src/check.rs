//! One check of a report: plain data, and what follows from it alone.

use std::ops::{Deref, DerefMut};
use std::sync::LazyLock;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{Changes, Evidence, Finding, Level, Reason, Status, Tests};

/// One check, as bad as the worst that was reported about it.
///
/// A report may have hundreds of thousands of checks that simply passed, so everything but the essentials is in [`Details`],
/// which take memory only if there is anything to keep; a check dereferences to them.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// `stage/item`.
    pub id: Box<str>,
    /// How it ended.
    pub status: Status,
    /// From the start of the report.
    pub offset_seconds: Option<f64>,
    /// Wall time; the longest of its legs.
    pub duration_seconds: Option<f64>,
    details: Option<Box<Details>>,
}

/// What most checks have nothing of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Details {
    /// For people, if it is not simply the id without its stage.
    pub title: Option<String>,
    /// The words in brackets: `24 passed`.
    pub note: Option<String>,
    /// Why it has its status.
    pub reason: Option<Reason>,
    /// Of the program it ran.
    pub exit_code: Option<i64>,
    /// Where the result can be seen.
    pub url: Option<String>,
    /// The tool's own numbers.
    pub data: Map<String, Value>,
    /// Errors first.
    pub findings: Vec<Finding>,
    /// How many findings there are beside those.
    pub findings_omitted: u64,
    /// What its program printed, as far as it was recorded.
    pub output: String,
    /// What its sources report.
    pub evidence: Vec<Evidence>,
    /// What each shard reported, if several did.
    pub legs: Vec<Leg>,
}

/// What one shard, such as one job of a matrix, reported about a check.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Leg {
    /// The shard's name.
    pub name: String,
    /// How the check ended there.
    pub status: Status,
    /// Why, in one line of foreign text; blank if it passed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// The tests of this leg.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tests: Option<Tests>,
    /// Wall time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_seconds: Option<f64>,
}

static NO_DETAILS: LazyLock<Details> = LazyLock::new(Details::default);

impl Deref for Check {
    type Target = Details;

    fn deref(&self) -> &Details {
        self.details.as_deref().unwrap_or(&NO_DETAILS)
    }
}

impl DerefMut for Check {
    fn deref_mut(&mut self) -> &mut Details {
        self.details.get_or_insert_default()
    }
}

impl Check {
    /// The file that has all of what its program printed.
    #[must_use]
    pub(crate) fn log(&self) -> Option<&str> {
        self.data.get("log").and_then(Value::as_str)
    }

    /// What its plan destroys and which of its tests are flaky.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let changes = self.evidence.iter().filter_map(|piece| piece.changes.as_ref());
        let destroyed = changes.filter_map(Changes::destruction).map(|text| format!("{} {text}", self.id));
        let mut warnings: Vec<String> = destroyed.collect();
        let empty: u64 = self.evidence.iter().map(|piece| piece.empty).sum();
        if empty > 0 {
            let remarks = self.evidence.iter().flat_map(|piece| &piece.remarks);
            let named: Vec<&str> =
                remarks.map(String::as_str).filter(|remark| remark.ends_with(" holds no test")).take(5).collect();
            let count = crate::verdict::count(empty, "part");
            warnings.push(format!("{}: {count} of its reports without a test: {}", self.id, named.join(", ")));
        }
        let flaky: Vec<&str> = self.evidence.iter().flat_map(|piece| &piece.flaky).map(String::as_str).collect();
        if !flaky.is_empty() {
            let count = crate::verdict::count(flaky.len() as u64, "test");
            warnings.push(format!("{}: {count} passed only when repeated: {}", self.id, flaky.join(", ")));
        }
        warnings
    }

    /// Whether it keeps the report from passing.
    #[must_use]
    pub(crate) fn is_trouble(&self) -> bool {
        crate::verdict::is_trouble(self.status, self.reason.as_ref())
    }

    /// A check of which nothing is known but its id.
    #[must_use]
    pub fn new(id: &str, status: Status) -> Self {
        Self { id: id.into(), status, offset_seconds: None, duration_seconds: None, details: None }
    }

    /// Whether anything but the essentials is known.
    #[must_use]
    pub(crate) fn has_details(&self) -> bool {
        self.details.is_some()
    }

    /// For people.
    #[must_use]
    pub fn name(&self) -> &str {
        self.title.as_deref().unwrap_or_else(|| self.id.split_once('/').map_or(&*self.id, |(_, item)| item))
    }

    /// The tests of all its evidence, if any of it is about tests.
    #[must_use]
    pub fn tests(&self) -> Option<Tests> {
        Tests::of(&self.evidence)
    }

    /// How often it ran.
    #[must_use]
    pub(crate) fn attempts(&self) -> usize {
        self.data.get("attempts").and_then(Value::as_array).map_or(1, Vec::len)
    }

    /// Whether its failure fails the run, as its plan has it.
    #[must_use]
    pub(crate) fn is_required(&self) -> bool {
        self.data.get("required") != Some(&Value::Bool(false))
    }

    /// Whether it, or a test of it, passed only when repeated.
    #[must_use]
    pub(crate) fn is_flaky(&self) -> bool {
        let tests = self.tests().is_some_and(|tests| tests.flaky > 0);
        tests || self.status == Status::Passed && self.attempts() > 1
    }

    /// How many findings it has, those without a separate record included.
    #[must_use]
    pub(crate) fn findings_total(&self) -> u64 {
        self.findings.len() as u64 + self.findings_omitted
    }

    pub(crate) fn errors_and_warnings(&self) -> (u64, u64) {
        let at = |level| self.findings.iter().filter(|finding| finding.level == level).count() as u64;
        let counted = |count: fn(&Evidence) -> u64| self.evidence.iter().map(count).sum::<u64>();
        (at(Level::Error).max(counted(|piece| piece.errors)), at(Level::Warning).max(counted(|piece| piece.warnings)))
    }

    pub(crate) fn sentence(&self) -> String {
        match self.status {
            Status::Missing => format!("{} is missing: {}", self.id, self.why()),
            Status::Cancelled => format!("{} was cancelled", self.id),
            Status::Skipped => format!("{} proves nothing: {}", self.id, self.why()),
            _ => format!("{} {}", self.id, self.explained()),
        }
    }

    /// The status and why; the status alone where nothing explains it.
    pub(crate) fn explained(&self) -> String {
        let (status, why) = (self.status.name(), self.why());
        if why == status { why } else { format!("{status}: {why}") }
    }

    /// The finding that explains its status: the first, but a warning only if warnings are what it failed for.
    pub(crate) fn cause(&self) -> Option<&Finding> {
        let is_cause = |reason: &Reason| match reason.code.as_str() {
            "findings" => true,
            "report_disagrees" => self.exit_code == Some(0),
            _ => false,
        };
        let first = self.findings.first()?;
        (first.level == Level::Error || self.reason.as_ref().is_none_or(is_cause)).then_some(first)
    }

    /// Why it has its status, in one line of foreign text: the first finding with its place, else the reason.
    #[must_use]
    pub fn why(&self) -> String {
        if let Some(finding) = self.cause().filter(|_| self.legs.is_empty() || self.reason.is_none()) {
            let test = finding.test.as_ref().map(|test| format!("{test}:"));
            let first = finding.message.lines().next().unwrap_or_default().to_owned();
            let parts = [finding.place(), finding.rule.clone(), test, Some(first)];
            return parts.into_iter().flatten().collect::<Vec<_>>().join(" ");
        }
        match (&self.reason, self.exit_code) {
            (Some(reason), _) if !reason.text.is_empty() => reason.text.clone(),
            (Some(reason), _) => reason.code.clone(),
            (None, Some(code)) => format!("exit code {code}"),
            (None, None) => self.status.name().to_owned(),
        }
    }
}
