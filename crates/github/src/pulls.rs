//! Pull requests and the history behind them.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use crate::call::Call;
use crate::{Error, GitHub};

/// An open pull request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullRequest {
    /// Its number.
    pub number: u64,
    /// `owner/name` of the repository that it comes from; absent if that was deleted.
    pub head_repository: Option<String>,
    /// The branch that it comes from.
    pub head_branch: String,
    /// That branch's last commit.
    pub head_commit: String,
    /// The last commit of the branch that it is to be merged into.
    pub base_commit: String,
}

#[derive(Deserialize)]
struct Wire {
    number: u64,
    head: End,
    base: End,
}

#[derive(Deserialize)]
struct End {
    sha: String,
    #[serde(rename = "ref")]
    branch: String,
    repo: Option<Repository>,
}

#[derive(Deserialize)]
struct Repository {
    full_name: String,
}

#[derive(Deserialize)]
struct Comparison {
    merge_base_commit: Commit,
}

#[derive(Deserialize)]
struct Commit {
    sha: String,
}

impl From<Wire> for PullRequest {
    fn from(wire: Wire) -> Self {
        Self {
            number: wire.number,
            head_repository: wire.head.repo.map(|repository| repository.full_name),
            head_branch: wire.head.branch,
            head_commit: wire.head.sha,
            base_commit: wire.base.sha,
        }
    }
}

impl GitHub {
    /// The open pull requests from `branch` of a repository of `owner`, which may be a fork.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn open_pull_requests(&self, owner: &str, branch: &str) -> Result<Vec<PullRequest>, Error> {
        let head = utf8_percent_encode(&format!("{owner}:{branch}"), NON_ALPHANUMERIC).to_string();
        let path = format!("/repos/{}/pulls?state=open&head={head}", self.repository);
        self.pages(&path, |page: Vec<Wire>| page.into_iter().map(PullRequest::from).collect()).await
    }

    /// The last commit that two commits have in common.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn merge_base(&self, base: &str, head: &str) -> Result<String, Error> {
        let path = format!("/repos/{}/compare/{base}...{head}?per_page=1", self.repository);
        self.ask::<Comparison>(Call::get(path)).await.map(|comparison| comparison.merge_base_commit.sha)
    }
}
