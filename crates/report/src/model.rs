//! The report: what the records of one or many runs add up to. Plain data; every rendering reads it and nothing else.

use jiff::Timestamp;
use serde::Serialize;

use crate::{Check, CodeOrigin, Comparison, Producer, Reason, Status, Tests, Verdict};

/// One process's part: the records with the same run and shard.
#[derive(Clone, Debug, PartialEq)]
pub struct ReportedShard {
    /// The run's key.
    pub run: String,
    /// The shard's name, unless the work was not divided.
    pub id: Option<String>,
    /// Every tool that started also finished.
    pub finished: bool,
    /// As the tools reported it.
    pub duration_seconds: Option<f64>,
}

/// Checks that belong together; the first part of their ids.
#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    /// `build`.
    pub id: String,
    /// `Build`.
    pub name: String,
    /// As bad as its worst check, or as its producer reported.
    pub status: Status,
    /// From the start of the report.
    pub offset_seconds: Option<f64>,
    /// Wall time.
    pub duration_seconds: Option<f64>,
    /// In the order of the plan.
    pub checks: Vec<Check>,
}

/// How many checks ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the names of the statuses")]
pub struct Counts {
    pub checks: usize,
    pub passed: usize,
    pub failed: usize,
    pub skipped: usize,
    pub cancelled: usize,
    pub missing: usize,
    #[serde(skip_serializing_if = "is_zero")]
    pub flaky: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tests: Option<Tests>,
    pub findings_errors: u64,
    pub findings_warnings: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// What the records add up to.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The runs' titles.
    pub title: String,
    /// The tools that made the records, in the order they started; empty for a foreign report.
    pub tools: Vec<String>,
    /// The earliest record.
    pub started_at: Option<Timestamp>,
    /// The latest record.
    pub finished_at: Option<Timestamp>,
    /// Wall time of the whole.
    pub duration_seconds: Option<f64>,
    /// The parts, in the order of their names.
    pub shards: Vec<ReportedShard>,
    /// In the order they began.
    pub stages: Vec<Stage>,
    /// Remarks that belong to no check.
    pub notes: Vec<String>,
    /// Where a producer's claim and the evidence contradict each other, one sentence each.
    pub disagreements: Vec<String>,
    /// Why the runs as a whole prove nothing, one sentence each: unfinished, or nothing ran.
    pub gaps: Vec<String>,
    /// A producer reported that its run failed, whatever its checks are.
    pub claimed_failure: bool,
    /// Who writes the renderings; shown at their end.
    pub producer: Option<Producer>,
    /// Where the code came from.
    pub source: CodeOrigin,
    /// Instead of the verdict's own code: what the process ends with after a signal, or with a worse code.
    pub exit_code: Option<u8>,
    /// The command that runs it again; only from the caller, never from an input.
    pub rerun: Option<String>,
    /// What changed since another report, if it was asked for.
    pub comparison: Option<Comparison>,
}

impl Report {
    /// The verdict: failed if anything failed, else incomplete if anything is missing.
    #[must_use]
    pub fn result(&self) -> Verdict {
        if self.claimed_failure || self.stages.iter().any(|stage| stage.status == Status::Failed) {
            Verdict::Failed
        } else if self.gaps.is_empty() && !self.checks().any(|(_, check)| check.is_trouble()) {
            Verdict::Passed
        } else {
            Verdict::Incomplete
        }
    }

    /// Adds a check that was promised and did not report.
    pub fn promise(&mut self, id: &str) {
        let mut check = Check::new(id, Status::Missing);
        check.reason = Some(Reason::new("not_reported", "expected, but did not report"));
        let stage = id.split_once('/').map_or("checks", |(stage, _)| stage);
        if !self.stages.iter().any(|known| known.id == stage) {
            let name = heading(stage);
            let status = Status::Missing;
            let stage = Stage {
                id: stage.to_owned(),
                name,
                status,
                offset_seconds: None,
                duration_seconds: None,
                checks: Vec::new(),
            };
            self.stages.push(stage);
        }
        if let Some(stage) = self.stages.iter_mut().find(|known| known.id == stage) {
            stage.status = stage.status.max(Status::Missing);
            stage.checks.push(check);
        }
    }

    /// The exit code that goes with the report.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        self.exit_code.unwrap_or_else(|| self.result().exit_code())
    }

    /// Whether the report is about what *would* be deployed: no deploying tool had a part in it.
    #[must_use]
    pub(crate) fn is_validation(&self) -> bool {
        self.tools.iter().all(|tool| tool == "preflight-report")
    }

    /// Every check with its stage, in order.
    pub fn checks(&self) -> impl Iterator<Item = (&Stage, &Check)> {
        self.stages.iter().flat_map(|stage| stage.checks.iter().map(move |check| (stage, check)))
    }

    /// The checks that keep the report from passing, the worst first.
    #[must_use]
    pub(crate) fn troubles(&self) -> Vec<(&Stage, &Check)> {
        let mut troubles: Vec<_> = self.checks().filter(|(_, check)| check.is_trouble()).collect();
        troubles.sort_by_key(|(_, check)| std::cmp::Reverse(check.status));
        troubles
    }

    /// How many checks ended how.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for (_, check) in self.checks() {
            counts.checks += 1;
            *match check.status {
                Status::Passed => &mut counts.passed,
                Status::Failed => &mut counts.failed,
                Status::Skipped => &mut counts.skipped,
                Status::Cancelled => &mut counts.cancelled,
                Status::Missing => &mut counts.missing,
            } += 1;
            let (errors, warnings) = check.errors_and_warnings();
            counts.findings_errors += errors;
            counts.findings_warnings += warnings;
            if let Some(tests) = check.tests() {
                *counts.tests.get_or_insert_default() += tests;
                counts.flaky += tests.flaky;
            }
            counts.flaky += u64::from(check.status == Status::Passed && check.attempts() > 1);
        }
        counts
    }

    /// What does not keep the report from passing and is worth knowing: checks that did nothing, flaky tests.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = self.vacuous();
        warnings.extend(self.repeated());
        warnings.extend(self.warnings_of_evidence());
        warnings
    }

    /// The warnings of [`Self::warnings`] that the text has too: a pipeline's text keeps its check that did nothing as it is.
    pub(crate) fn warnings_of_evidence(&self) -> Vec<String> {
        self.checks().filter(|(_, check)| check.has_details()).flat_map(|(_, check)| check.warnings()).collect()
    }

    /// The checks that passed and did nothing, one sentence each.
    pub(crate) fn vacuous(&self) -> Vec<String> {
        let passed = self.checks().filter(|(_, check)| check.has_details() && check.status == Status::Passed);
        let reasons = passed.filter_map(|(_, check)| Some((check, check.reason.as_ref()?)));
        let vacuous = reasons.filter(|(_, reason)| reason.code == "nothing_ran");
        vacuous.map(|(check, reason)| format!("{} did nothing: {}", check.id, reason.text)).collect()
    }

    /// The checks that passed only at a later attempt, one sentence each.
    pub(crate) fn repeated(&self) -> Vec<String> {
        let passed = self.checks().filter(|(_, check)| check.status == Status::Passed && check.attempts() > 1);
        passed.map(|(_, check)| format!("{} passed only at attempt {}", check.id, check.attempts())).collect()
    }

    /// The checks with tests that passed only when they were repeated, and those tests.
    pub(crate) fn flaky(&self) -> Vec<(&Check, Vec<&str>)> {
        let tests = |check: &'_ Check| check.evidence.iter().flat_map(|piece| &piece.flaky).count();
        let flaky = self.checks().filter(|(_, check)| check.has_details() && tests(check) > 0);
        flaky
            .map(|(_, check)| {
                (check, check.evidence.iter().flat_map(|piece| &piece.flaky).map(String::as_str).collect())
            })
            .collect()
    }

    /// Why the report is not "passed", one sentence each, the most important first.
    #[must_use]
    pub fn reasons(&self) -> Vec<String> {
        let mut reasons: Vec<_> = self.troubles().into_iter().map(|(_, check)| check.sentence()).collect();
        // Failures, then contradictions, then what did not report.
        let failed = self.counts().failed;
        reasons.splice(failed..failed, self.disagreements.iter().cloned());
        reasons.extend(self.gaps.iter().cloned());
        reasons
    }
}

/// `coffee_shop` as a heading: `Coffee shop`.
pub(crate) fn heading(id: &str) -> String {
    let words = id.replace(['_', '-'], " ");
    let mut characters = words.chars();
    characters.next().map_or(words.clone(), |first| first.to_uppercase().chain(characters).collect())
}
