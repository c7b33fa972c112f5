//! Reads `toJSON(needs)`: the outcome of each job that this one needs, without times.

use fault::{Fault, Result};
use report::{Event, Status, Verdict};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::Said;
use super::ordered::Ordered;

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
pub(super) fn is_one(object: &Map<String, Value>) -> bool {
    let result = |job: &Value| job.get("result").is_some_and(|result| Outcome::deserialize(result).is_ok());
    !object.is_empty() && object.values().all(result)
}

/// The jobs as checks of one stage, in their order.
///
/// # Errors
/// [`fault::Kind::Usage`]: not what [`is_one`] has seen.
pub(super) fn events(text: &str, workflow: Option<&str>) -> Result<Vec<Said>> {
    let jobs: Ordered<Job> = serde_json::from_str(text)
        .map_err(|error| Fault::usage("not the `needs` of a workflow").cause(error.to_string()))?;
    let check = |job: &str| format!("jobs/{job}");
    let mut events = vec![Event::RunStarted {
        tool: Some("github-actions".to_owned()),
        title: Some(workflow.unwrap_or("Workflow").to_owned()),
        plan: jobs.0.iter().map(|(job, _)| check(job)).collect(),
    }];
    events.push(Event::StageStarted { stage: "jobs".to_owned(), name: Some("Jobs".to_owned()) });
    let statuses: Vec<Status> = jobs.0.iter().map(|(_, job)| status(job.result)).collect();
    for ((job, _), status) in jobs.0.iter().zip(&statuses) {
        events.push(Event::CheckFinished {
            check: check(job),
            status: *status,
            duration_seconds: None,
            reason: None,
            url: None,
            exit_code: None,
            data: Map::new(),
        });
    }
    events.push(Event::RunFinished { result: verdict(&statuses), duration_seconds: None });
    Ok(events.into_iter().map(Said::from).collect())
}

fn status(outcome: Outcome) -> Status {
    match outcome {
        Outcome::Success => Status::Passed,
        Outcome::Failure => Status::Failed,
        Outcome::Cancelled => Status::Cancelled,
        Outcome::Skipped => Status::Skipped,
    }
}

/// Jobs that were all left out prove nothing.
fn verdict(statuses: &[Status]) -> Verdict {
    if statuses.contains(&Status::Failed) {
        Verdict::Failed
    } else if statuses.contains(&Status::Passed) && !statuses.contains(&Status::Cancelled) {
        Verdict::Passed
    } else {
        Verdict::Incomplete
    }
}
