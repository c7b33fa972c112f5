//! Reads `toJSON(needs)`: the outcome of each job that this one needs, without times.
//!
//! A skipped job proves nothing: GitHub skips a job whose condition is false, and also one whose needs failed.

use fault::{Fault, Result};
use formats::Json;
use report::{Event, Reason, Status, Verdict};
use serde::Deserialize;
use serde_json::Map;

use super::ordered::Ordered;
use super::reading::Stamped;
use super::setting::Setting;

/// How a job ended, in GitHub's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Success,
    Failure,
    Cancelled,
    Skipped,
}

#[derive(Debug, Deserialize)]
struct Job {
    result: Outcome,
}

/// Whether an object has a job's `result` in each of its members.
pub(super) fn is_one(json: &Json<'_>) -> bool {
    let mut jobs = json.names().peekable();
    jobs.peek().is_some() && jobs.all(|job| json.raw(job).is_some_and(|job| serde_json::from_str::<Job>(job).is_ok()))
}

/// The jobs as checks of one stage, in their order.
///
/// # Errors
/// [`fault::Kind::Usage`]: not what [`is_one`] has seen.
pub(super) fn events(text: &str, setting: &Setting) -> Result<Vec<Stamped>> {
    let jobs: Ordered<Job> = serde_json::from_str(text)
        .map_err(|error| Fault::usage("not the `needs` of a workflow").cause(error.to_string()))?;
    let check = |job: &str| format!("jobs/{job}");
    let mut events = vec![Event::RunStarted {
        tool: Some("github-actions".to_owned()),
        title: Some(setting.workflow.as_deref().unwrap_or("Workflow").to_owned()),
        plan: jobs.0.iter().map(|(job, _)| check(job)).collect(),
    }];
    events.push(Event::StageStarted { stage: "jobs".to_owned(), name: Some("Jobs".to_owned()) });
    let mut result = Verdict::Passed;
    let mut has_run = false;
    for (job, outcome) in &jobs.0 {
        let check = check(job);
        let may_skip = setting.policy.may_skip.iter().any(|pattern| pattern.matches(&check));
        let (status, reason) = end(outcome.result, may_skip);
        has_run |= status == Status::Passed;
        result = result.max(match (status, may_skip) {
            (Status::Failed, _) => Verdict::Failed,
            (Status::Passed, _) | (Status::Skipped, true) => Verdict::Passed,
            _ => Verdict::Incomplete,
        });
        events.push(Event::CheckFinished {
            check,
            status,
            duration_seconds: None,
            reason,
            url: None,
            exit_code: None,
            data: Map::new(),
        });
    }
    if !has_run {
        result = result.max(Verdict::Incomplete);
    }
    events.push(Event::RunFinished { result, duration_seconds: None });
    Ok(events.into_iter().map(Stamped::from).collect())
}

fn end(outcome: Outcome, may_skip: bool) -> (Status, Option<Reason>) {
    match outcome {
        Outcome::Success => (Status::Passed, None),
        Outcome::Failure => (Status::Failed, None),
        Outcome::Cancelled => (Status::Cancelled, None),
        Outcome::Skipped if may_skip => (Status::Skipped, Some(Reason::new("condition", "may be skipped"))),
        Outcome::Skipped => {
            let text = "the job was skipped, so nothing is known; --may-skip accepts that";
            (Status::Skipped, Some(Reason::new("job_skipped", text)))
        }
    }
}
