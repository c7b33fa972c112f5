//! Comments, pull requests and deployments as they are remembered.

use serde_json::Value;

#[derive(Clone, Debug)]
pub(super) struct Comment {
    pub(super) id: u64,
    pub(super) issue: u64,
    pub(super) author: String,
    pub(super) body: String,
}

/// A pull request into `main`.
#[derive(Clone, Debug)]
pub struct Pull {
    /// Its number.
    pub number: u64,
    /// `owner/name` of the repository it comes from.
    pub head_repository: String,
    /// The branch it comes from.
    pub branch: String,
    /// The last commit of that branch.
    pub sha: String,
    /// The last commit of `main`.
    pub base_sha: String,
    /// Neither merged nor closed.
    pub is_open: bool,
}

/// A deployment and what became of it.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// Unique.
    pub id: u64,
    /// As it was asked for.
    pub request: Value,
    /// Its statuses as they were asked for, oldest first.
    pub statuses: Vec<Value>,
}
