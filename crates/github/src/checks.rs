//! Check runs of a commit.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::call::Call;
use crate::{Error, GitHub};

/// A check run to create, already completed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NewCheckRun {
    /// As the pull request lists it.
    pub name: String,
    /// The commit.
    pub head_sha: String,
    /// `completed`.
    pub status: &'static str,
    /// `success` or `failure`.
    pub conclusion: &'static str,
    /// The page that it links to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details_url: Option<String>,
    /// The caller's name for it, by which it is found again.
    pub external_id: String,
    /// What it shows.
    pub output: Output,
}

/// What a check run shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Output {
    /// One line.
    pub title: String,
    /// Markdown, at most 65,535 characters.
    pub summary: String,
    /// More Markdown, at most 65,535 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// At most 50; those of a later request are added.
    pub annotations: Vec<Annotation>,
}

/// A finding at its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Annotation {
    /// Relative to the repository.
    pub path: String,
    /// From 1.
    pub start_line: u64,
    /// From 1.
    pub end_line: u64,
    /// From 1; only if it begins and ends on one line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_column: Option<u64>,
    /// As `start_column`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_column: Option<u64>,
    /// `notice`, `warning` or `failure`.
    pub annotation_level: &'static str,
    /// At most 64 KB.
    pub message: String,
    /// At most 255 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

/// A check run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckRun {
    /// Its number.
    pub id: u64,
    /// The caller's name for it.
    pub external_id: String,
    /// The summary that it shows.
    pub summary: String,
    /// Its page.
    pub url: String,
}

#[derive(Deserialize)]
struct Wire {
    id: u64,
    #[serde(default)]
    external_id: Option<String>,
    #[serde(default)]
    html_url: Option<String>,
    #[serde(default)]
    output: Option<WireOutput>,
}

#[derive(Deserialize)]
struct WireOutput {
    #[serde(default)]
    summary: Option<String>,
}

#[derive(Deserialize)]
struct Page {
    check_runs: Vec<Wire>,
}

impl From<Wire> for CheckRun {
    fn from(wire: Wire) -> Self {
        Self {
            id: wire.id,
            external_id: wire.external_id.unwrap_or_default(),
            summary: wire.output.and_then(|output| output.summary).unwrap_or_default(),
            url: wire.html_url.unwrap_or_default(),
        }
    }
}

impl GitHub {
    /// The latest check runs of that name on a commit.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn check_runs(&self, commit: &str, name: &str) -> Result<Vec<CheckRun>, Error> {
        let name = utf8_percent_encode(name, NON_ALPHANUMERIC);
        let path = format!("/repos/{}/commits/{commit}/check-runs?check_name={name}", self.repository);
        self.pages(&path, |page: Page| page.check_runs.into_iter().map(CheckRun::from).collect()).await
    }

    /// Creates a check run.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn create_check_run(&self, run: &NewCheckRun) -> Result<CheckRun, Error> {
        let path = format!("/repos/{}/check-runs", self.repository);
        self.ask::<Wire>(Call::post(path, json!(run))).await.map(CheckRun::from)
    }

    /// Adds annotations to a check run. Its other output must be given again, or it would be blank.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn annotate_check_run(&self, id: u64, output: &Output) -> Result<CheckRun, Error> {
        let path = format!("/repos/{}/check-runs/{id}", self.repository);
        self.ask::<Wire>(Call::patch(path, json!({ "output": output }))).await.map(CheckRun::from)
    }
}
