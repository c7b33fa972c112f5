//! What the runner's variables describe: repository, commit, run number, the files of this step.

use std::path::PathBuf;

use crate::Environment;

/// The run this process belongs to. Outside Actions everything is absent.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// `GITHUB_ACTIONS=true`: a GitHub, GHES, Forgejo or Gitea runner started us.
    pub in_actions: bool,
    /// `owner/name`.
    pub repository: Option<String>,
    /// The commit, 40 hexadecimal digits.
    pub sha: Option<String>,
    /// The branch or tag, short form.
    pub ref_name: Option<String>,
    /// The source branch of a pull request.
    pub head_ref: Option<String>,
    /// What started the workflow, `push` for example.
    pub event_name: Option<String>,
    /// The workflow's name.
    pub workflow: Option<String>,
    /// The job's id.
    pub job: Option<String>,
    /// The run's number, unique in the repository.
    pub run_id: Option<String>,
    /// Counts re-runs from 1.
    pub run_attempt: Option<String>,
    /// `https://github.com`, or the server of a GHES.
    pub server_url: Option<String>,
    /// Where this step's summary goes.
    pub step_summary: Option<PathBuf>,
    /// Where variables for later steps go.
    pub env_file: Option<PathBuf>,
    /// Inside a stage of `stage-run`: its file for variables stays on the disk.
    pub in_stage: bool,
    /// Where this step's outputs go.
    pub output_file: Option<PathBuf>,
}

impl Context {
    /// Reads the context from the runner's variables.
    #[must_use]
    pub fn of(environment: &Environment) -> Self {
        let text = |name: &str| environment.get(name).map(str::to_owned);
        let path = |name: &str| environment.get(name).map(PathBuf::from);
        Self {
            in_actions: environment.get("GITHUB_ACTIONS") == Some("true"),
            repository: text("GITHUB_REPOSITORY"),
            sha: text("GITHUB_SHA"),
            ref_name: text("GITHUB_REF_NAME"),
            head_ref: text("GITHUB_HEAD_REF"),
            event_name: text("GITHUB_EVENT_NAME"),
            workflow: text("GITHUB_WORKFLOW"),
            job: text("GITHUB_JOB"),
            run_id: text("GITHUB_RUN_ID"),
            run_attempt: text("GITHUB_RUN_ATTEMPT"),
            server_url: text("GITHUB_SERVER_URL"),
            step_summary: path("GITHUB_STEP_SUMMARY"),
            env_file: path("STAGE_RUN_ENV").or_else(|| path("GITHUB_ENV")),
            in_stage: environment.get("STAGE_RUN_ENV").is_some(),
            output_file: path("GITHUB_OUTPUT"),
        }
    }

    /// The page of this run.
    #[must_use]
    pub fn run_url(&self) -> Option<String> {
        let server = self.server_url.as_deref().unwrap_or("https://github.com");
        Some(format!("{server}/{}/actions/runs/{}", self.repository.as_deref()?, self.run_id.as_deref()?))
    }

    /// The run's key in records, `<commit, 7 digits>.<attempt>`: the same in every job and shard of one run.
    #[must_use]
    pub fn run_key(&self) -> Option<String> {
        let sha = self.sha.as_deref()?;
        Some(format!("{}.{}", sha.get(..7).unwrap_or(sha), self.run_attempt.as_deref().unwrap_or("1")))
    }
}

#[cfg(test)]
mod tests {
    use super::Context;
    use crate::Environment;

    #[test]
    fn the_run_key_is_the_short_commit_and_the_attempt() {
        let environment = Environment::from([
            ("GITHUB_SHA", "5ae7847aa0d1f1c5b7b5b2d7f6a1c3e4d5f60718"),
            ("GITHUB_RUN_ATTEMPT", "2"),
            ("GITHUB_REPOSITORY", "acme/shop"),
            ("GITHUB_RUN_ID", "17"),
        ]);
        let context = Context::of(&environment);
        assert_eq!(context.run_key().as_deref(), Some("5ae7847.2"));
        assert_eq!(context.run_url().as_deref(), Some("https://github.com/acme/shop/actions/runs/17"));
        assert!(!context.in_actions);
    }
}
