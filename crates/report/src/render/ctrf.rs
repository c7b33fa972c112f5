//! The report as CTRF: a test for each check.

use serde_json::{Value, json};

use super::format::milliseconds;
use crate::{Report, Status};

/// The report as a CTRF document. Write it with [`crate::neutral`].
#[must_use]
pub fn ctrf(report: &Report) -> Value {
    let counts = report.counts();
    let time = |at: Option<jiff::Timestamp>| at.map_or(0, jiff::Timestamp::as_millisecond);
    let tests: Vec<Value> = report
        .checks()
        .map(|(stage, check)| {
            let status = match check.status {
                Status::Passed => "passed",
                Status::Skipped => "skipped",
                // Readers pass over `other`, and what did not report must not count as passed.
                Status::Failed | Status::Missing | Status::Cancelled => "failed",
            };
            let place = check.findings.iter().find(|finding| finding.path.is_some());
            let mut test = json!({
                "name": check.name(),
                "status": status,
                "duration": check.duration_seconds.map_or(0.0, |seconds| milliseconds(seconds) * 1000.0),
                "suite": [stage.name],
                "rawStatus": check.status.name(),
            });
            if let (Status::Passed, [_, ..]) = (check.status, check.warnings().as_slice()) {
                test["message"] = check.warnings().join("\n").into();
                test["flaky"] = check.tests().is_some_and(|tests| tests.flaky > 0).into();
            }
            if check.is_trouble() {
                test["message"] = check.why().into();
            }
            if let Some(finding) = place {
                test["filePath"] = finding.path.clone().into();
                test["line"] = finding.line.into();
            }
            test
        })
        .chain(report.disagreements.iter().chain(&report.gaps).map(|doubt| {
            json!({ "name": doubt, "status": "failed", "duration": 0.0, "suite": ["Report"], "message": doubt })
        }))
        .collect();
    let doubts = report.disagreements.len() + report.gaps.len();
    let producer = report.producer.as_ref().map_or("preflight-report", |producer| producer.name.as_str());
    json!({
        "reportFormat": "CTRF",
        "specVersion": "1.0.0",
        "results": {
            "tool": { "name": producer },
            "summary": {
                "tests": counts.checks + doubts,
                "passed": counts.passed,
                "failed": counts.failed + counts.missing + counts.cancelled + doubts,
                "skipped": counts.skipped,
                "pending": 0,
                "other": 0,
                "start": time(report.started_at),
                "stop": time(report.finished_at),
            },
            "tests": tests,
        },
    })
}
