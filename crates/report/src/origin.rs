//! Which program wrote a document, and from which code.

use serde::Serialize;

/// The program that wrote a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Producer {
    /// `preflight-report`.
    pub name: String,
    /// `0.1.0`.
    pub version: String,
}

/// Where the code came from, for links; all of it optional, so a laptop needs no second path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CodeOrigin {
    /// `https://github.com`.
    pub server_url: Option<String>,
    /// `owner/name`.
    pub repository: Option<String>,
    /// The commit, in full.
    pub commit: Option<String>,
    /// The page of the workflow run.
    pub run_url: Option<String>,
    /// The workflow run's number.
    pub run_id: Option<String>,
    /// Counts re-runs from 1.
    pub run_attempt: Option<String>,
    /// The workflow's name.
    pub workflow: Option<String>,
    /// The job's id.
    pub job: Option<String>,
}

impl CodeOrigin {
    /// Read from the runner's context.
    #[must_use]
    pub fn of(context: &runner::Context) -> Self {
        Self {
            server_url: context.server_url.clone(),
            repository: context.repository.clone(),
            commit: context.sha.clone(),
            run_url: context.run_url(),
            run_id: context.run_id.clone(),
            run_attempt: context.run_attempt.clone(),
            workflow: context.workflow.clone(),
            job: context.job.clone(),
        }
    }
}
