//! What runs and stages claim about themselves, held against what their checks are.

use crate::fold::Fold;
use crate::{Report, Stage, Status, Verdict};

/// Claims against evidence: both ways of contradicting are worth a sentence.
pub(crate) fn disagreements(folds: &[Fold], stages: &[Stage]) -> Vec<String> {
    let mut found = Vec::new();
    for fold in folds {
        let failed = fold.failed;
        match fold.results.iter().max() {
            Some(Verdict::Passed) if failed > 0 => {
                found.push(format!("{} reports that it passed, but {failed} check(s) failed", name_of(fold)));
            }
            Some(Verdict::Failed) if failed == 0 => {
                found.push(format!("{} reports that it failed, but no check in it failed", name_of(fold)));
            }
            _ => {}
        }
    }
    for stage in stages {
        let failed = stage.checks.iter().any(|check| check.status == Status::Failed);
        let claims = folds.iter().filter_map(|fold| fold.stages.get(&stage.id)?.status);
        let claimed = claims.max();
        if !failed && claimed == Some(Status::Failed) {
            found.push(format!("stage {} reports that it failed, but no check in it failed", stage.id));
        } else if failed && claimed.is_some_and(|claimed| claimed < Status::Failed) {
            found.push(format!(
                "stage {} reports that it {}, but a check in it failed",
                stage.id,
                claimed_status(claimed)
            ));
        }
    }
    found
}

fn claimed_status(claimed: Option<Status>) -> &'static str {
    match claimed {
        Some(Status::Passed) | None => "passed",
        Some(Status::Skipped) => "was skipped",
        Some(Status::Cancelled) => "was cancelled",
        Some(Status::Missing) => "is missing",
        Some(Status::Failed) => "failed",
    }
}

/// The fold's title, tool or neither, and its shard.
pub(crate) fn name_of(fold: &Fold) -> String {
    let name = fold.titles.first().or(fold.tools.first()).map_or("the report", |(_, name)| name.as_str());
    fold.shard.as_ref().map_or_else(|| name.to_owned(), |shard| format!("{name} (shard {shard})"))
}

/// Why the records as a whole prove nothing, where they do not; single checks speak for themselves.
pub(crate) fn gaps(folds: &[Fold], report: &Report) -> Vec<String> {
    let counts = report.counts();
    let mut gaps = Vec::new();
    for fold in folds.iter().filter(|fold| fold.starts != fold.results.len() || fold.starts == 0) {
        let what = if fold.results.len() < fold.starts.max(1) {
            "did not finish"
        } else {
            "has no beginning, so its plan is unknown"
        };
        gaps.push(format!("{} {what}", name_of(fold)));
    }
    for stage in report.stages.iter().filter(|stage| stage.checks.is_empty()) {
        gaps.push(format!("stage {} reported no check", stage.id));
    }
    // A run that reports success may have left everything out; silence is no success.
    let claims_success =
        !folds.is_empty() && folds.iter().all(|fold| fold.results.iter().max() == Some(&Verdict::Passed));
    if counts.checks == 0 || (counts.skipped == counts.checks && !claims_success) {
        gaps.push("nothing ran".to_owned());
    }
    // Worth a sentence only where nothing else explains it.
    if gaps.is_empty() && counts.missing + counts.cancelled == 0 {
        let unsure = folds.iter().filter(|fold| fold.results.iter().max() == Some(&Verdict::Incomplete));
        gaps.extend(unsure.map(|fold| format!("{} reports that it is incomplete", name_of(fold))));
    }
    gaps
}
