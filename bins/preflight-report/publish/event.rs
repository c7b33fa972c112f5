//! What the workflow's event tells: the commit that a report is about, its pull request, and whether a fork is behind it.
//!
//! Everything here comes from GitHub and never from a report. On pull requests `GITHUB_SHA` is a merge that exists nowhere else; the
//! commit that people see is the head of the branch.

use github::PullRequest;
use serde_json::Value;

/// What a report is published for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Target {
    /// The commit.
    pub(super) commit: Option<String>,
    /// The pull request that gets the comment.
    pub(super) pull: Pull,
    /// The last commit of the branch that the pull request is to be merged into.
    pub(super) base_commit: Option<String>,
    /// The code comes from another repository, so the token may only read.
    pub(super) is_fork: bool,
    /// The run that started this workflow when it ended.
    pub(super) workflow_run: Option<WorkflowRun>,
}

/// What was looked for, or why it does not exist.
pub(super) type Found<T> = Result<T, String>;

/// Which pull request it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Pull {
    /// The event names it.
    Number(u64),
    /// It is the one that comes from there.
    From(Origin),
    /// There is none, and why.
    Absent(String),
}

impl Default for Pull {
    fn default() -> Self {
        Self::Absent("there is no event".to_owned())
    }
}

/// The branch that a pull request comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    /// The user or organization that owns the branch's repository.
    pub(super) owner: String,
    /// `owner/name`.
    pub(super) repository: String,
    pub(super) branch: String,
    pub(super) commit: String,
}

/// The run that a `workflow_run` event is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct WorkflowRun {
    pub(super) name: String,
    pub(super) number: u64,
    pub(super) attempt: u64,
    /// `success`, or anything else.
    pub(super) conclusion: String,
    pub(super) url: Option<String>,
}

fn text<'a>(value: &'a Value, path: &str) -> Option<&'a str> {
    value.pointer(path)?.as_str().filter(|text| !text.trim().is_empty())
}

/// Reads the event: its name, its payload, and `GITHUB_SHA`.
pub(super) fn target(event: Option<&str>, payload: &Value, sha: Option<&str>) -> Target {
    match event {
        Some("pull_request" | "pull_request_target") => of_pull_request(payload, sha),
        Some("workflow_run") => of_workflow_run(payload),
        Some(other) => {
            let head = text(payload, "/merge_group/head_sha");
            let commit = head.or(sha).map(str::to_owned);
            let pull = Pull::Absent(format!("the event `{}` has none", other.replace('`', "")));
            Target { commit, pull, ..Target::default() }
        }
        None => Target { commit: sha.map(str::to_owned), ..Target::default() },
    }
}

fn of_pull_request(payload: &Value, sha: Option<&str>) -> Target {
    let pull = &payload["pull_request"];
    let number = pull["number"].as_u64();
    let base = text(pull, "/base/repo/full_name").or_else(|| text(payload, "/repository/full_name"));
    // The repository of a fork can be deleted while its pull request is open.
    let is_fork = !pull.is_null() && text(pull, "/head/repo/full_name") != base;
    Target {
        commit: text(pull, "/head/sha").or(sha).map(str::to_owned),
        pull: number.map_or_else(|| Pull::Absent("the event's payload names none".to_owned()), Pull::Number),
        base_commit: text(pull, "/base/sha").map(str::to_owned),
        is_fork,
        workflow_run: None,
    }
}

fn of_workflow_run(payload: &Value) -> Target {
    let run = &payload["workflow_run"];
    let commit = text(run, "/head_sha").map(str::to_owned);
    let repository = text(run, "/head_repository/full_name");
    let is_of_pull = text(run, "/event").is_some_and(|event| event.starts_with("pull_request"));
    let origin = || {
        let repository = repository?;
        let owner = repository.split('/').next()?.to_owned();
        let branch = text(run, "/head_branch")?.to_owned();
        Some(Origin { owner, repository: repository.to_owned(), branch, commit: commit.clone()? })
    };
    let pull = match (is_of_pull, origin()) {
        (true, Some(origin)) => Pull::From(origin),
        (true, None) => Pull::Absent("the event's payload does not name the branch".to_owned()),
        (false, _) => Pull::Absent("the workflow run was not started by one".to_owned()),
    };
    let number = |name: &str| run[name].as_u64().unwrap_or_default();
    let workflow_run = WorkflowRun {
        name: text(run, "/name").unwrap_or("workflow").to_owned(),
        number: number("run_number"),
        attempt: number("run_attempt").max(1),
        conclusion: text(run, "/conclusion").unwrap_or("unknown").to_owned(),
        url: text(run, "/html_url").map(str::to_owned),
    };
    // This workflow's own token may write, whatever the fork's may.
    Target { commit, pull, base_commit: None, is_fork: false, workflow_run: Some(workflow_run) }
}

/// The pull request that comes from `origin`: the one that is open, from that repository, branch and commit.
///
/// # Errors
/// Why it cannot be told.
pub(super) fn chosen<'a>(pulls: &'a [PullRequest], origin: &Origin) -> Found<&'a PullRequest> {
    let is_it = |pull: &&PullRequest| {
        pull.head_repository.as_deref() == Some(&origin.repository)
            && pull.head_branch == origin.branch
            && pull.head_commit == origin.commit
    };
    let found: Vec<&PullRequest> = pulls.iter().filter(is_it).collect();
    let from = format!("`{}` of `{}` at {}", origin.branch, origin.repository, short(&origin.commit));
    match found.as_slice() {
        [pull] => Ok(pull),
        [] => Err(format!("no open pull request comes from {from}")),
        several => Err(format!("{} open pull requests come from {from}", several.len())),
    }
}

/// The seven digits that people know a commit by.
pub(super) fn short(commit: &str) -> &str {
    commit.get(..7).unwrap_or(commit)
}

#[cfg(test)]
mod tests {
    use github::PullRequest;
    use serde_json::json;

    use super::{Origin, Pull, Target, chosen, target};

    #[test]
    fn a_pull_request_is_about_the_head_of_its_branch_and_not_about_the_merge() {
        let payload = json!({ "pull_request": {
            "number": 7, "head": { "sha": "aaa", "repo": { "full_name": "acme/shop" } },
            "base": { "sha": "bbb", "repo": { "full_name": "acme/shop" } },
        } });
        let found = target(Some("pull_request"), &payload, Some("merge"));
        assert_eq!((found.commit.as_deref(), found.base_commit.as_deref()), (Some("aaa"), Some("bbb")));
        assert_eq!((found.pull, found.is_fork), (Pull::Number(7), false));
    }

    #[test]
    fn a_fork_is_another_repository_or_one_that_is_gone() {
        for head in [json!({ "full_name": "mallory/shop" }), json!(null)] {
            let payload = json!({ "pull_request": {
                "number": 7, "head": { "sha": "aaa", "repo": head }, "base": { "repo": { "full_name": "acme/shop" } },
            } });
            assert!(target(Some("pull_request"), &payload, None).is_fork);
        }
    }

    #[test]
    fn a_push_and_a_merge_queue_have_no_pull_request() {
        let push = target(Some("push"), &json!({ "after": "x" }), Some("sha"));
        assert_eq!(push.commit.as_deref(), Some("sha"));
        assert_eq!(push.pull, Pull::Absent("the event `push` has none".to_owned()));
        let queue = target(Some("merge_group"), &json!({ "merge_group": { "head_sha": "head" } }), Some("sha"));
        assert_eq!(queue.commit.as_deref(), Some("head"));
        assert_eq!(target(None, &json!(null), None), Target::default());
    }

    #[test]
    fn a_workflow_run_names_the_branch_and_the_conclusion() {
        let payload = json!({ "workflow_run": {
            "name": "CI", "event": "pull_request", "head_sha": "aaa", "head_branch": "fix", "run_number": 12,
            "run_attempt": 2, "conclusion": "failure", "head_repository": { "full_name": "mallory/shop" },
        } });
        let found = target(Some("workflow_run"), &payload, Some("main's own"));
        assert_eq!(found.commit.as_deref(), Some("aaa"));
        let run = found.workflow_run.unwrap();
        assert_eq!((run.name.as_str(), run.number, run.attempt, run.conclusion.as_str()), ("CI", 12, 2, "failure"));
        let Pull::From(origin) = found.pull else { panic!("{:?}", found.pull) };
        assert_eq!((origin.owner.as_str(), origin.branch.as_str()), ("mallory", "fix"));
        let push = json!({ "workflow_run": { "event": "push", "head_sha": "aaa" } });
        assert!(matches!(target(Some("workflow_run"), &push, None).pull, Pull::Absent(_)));
    }

    #[test]
    fn only_the_one_pull_request_of_that_repository_branch_and_commit_is_chosen() {
        let origin = Origin {
            owner: "mallory".to_owned(),
            repository: "mallory/shop".to_owned(),
            branch: "fix".to_owned(),
            commit: "aaa".to_owned(),
        };
        let pull = |number, repository: &str, branch: &str, commit: &str| PullRequest {
            number,
            head_repository: Some(repository.to_owned()),
            head_branch: branch.to_owned(),
            head_commit: commit.to_owned(),
            base_commit: "bbb".to_owned(),
        };
        let it = pull(7, "mallory/shop", "fix", "aaa");
        let others = [
            pull(1, "mallory/other", "fix", "aaa"),
            pull(2, "mallory/shop", "fix2", "aaa"),
            pull(3, "mallory/shop", "fix", "newer"),
            PullRequest { head_repository: None, ..it.clone() },
        ];
        assert!(chosen(&others, &origin).unwrap_err().starts_with("no open pull request"));
        let with: Vec<_> = others.iter().cloned().chain([it.clone()]).collect();
        assert_eq!(chosen(&with, &origin).unwrap().number, 7);
        let twice: Vec<_> = with.into_iter().chain([PullRequest { number: 8, ..it }]).collect();
        assert!(chosen(&twice, &origin).unwrap_err().starts_with("2 open pull requests"));
    }
}
