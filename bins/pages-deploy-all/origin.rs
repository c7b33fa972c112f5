//! Decides which branch and commit the deployments name: from flags, the workflow or git.
//!
//! The branch is always sent, because Cloudflare takes a missing one for the production branch. A fork chooses the name of its
//! branch, so a fork's pull request never deploys production.

use std::path::Path;
use std::process::Command;

use fault::{Fault, Result};
use pages::{Origin, WorkTree};
use runner::{Context, Environment};
use serde_json::Value;

/// Everything the decision depends on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Surroundings {
    /// `--branch`.
    pub(crate) flag: Option<String>,
    /// `GITHUB_HEAD_REF`, `GITHUB_REF_NAME`.
    pub(crate) head_ref: Option<String>,
    pub(crate) ref_name: Option<String>,
    /// `GITHUB_SHA`.
    pub(crate) sha: Option<String>,
    /// `GITHUB_REPOSITORY`.
    pub(crate) repository: Option<String>,
    /// The event's payload.
    pub(crate) event: Value,
    /// The git repository, if there is one.
    pub(crate) git: Option<Git>,
}

/// The state of a git repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Git {
    /// `None` when detached.
    pub(crate) branch: Option<String>,
    pub(crate) commit: String,
    pub(crate) message: String,
    pub(crate) work_tree: WorkTree,
}

/// Who chose the name of the branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// The repository itself.
    Own,
    /// A fork.
    Fork,
}

/// Reads the workflow's variables and asks git about `dir`.
pub(crate) fn gather(flag: Option<&str>, dir: &Path, environment: &Environment, context: &Context) -> Surroundings {
    let event = environment.get("GITHUB_EVENT_PATH").and_then(|path| std::fs::read(path).ok());
    Surroundings {
        flag: flag.map(str::to_owned),
        head_ref: context.head_ref.clone(),
        ref_name: context.ref_name.clone(),
        sha: context.sha.clone(),
        repository: context.repository.clone(),
        event: event.and_then(|event| serde_json::from_slice(&event).ok()).unwrap_or_default(),
        git: git(dir),
    }
}

/// Decides branch and commit.
pub(crate) fn decide(around: &Surroundings) -> Result<(Origin, Trust)> {
    let from_git = around.git.as_ref().and_then(|git| git.branch.clone());
    let branch = [&around.flag, &around.head_ref, &around.ref_name, &from_git].into_iter().flatten().next();
    let branch = branch.ok_or_else(|| {
        Fault::usage("it is unknown which branch this is")
            .cause("no variable of a workflow names it, and git is on no branch")
            .help("name it with --branch")
    })?;
    let branch = short(branch)?;
    let head = around.event.pointer("/pull_request/head/sha").and_then(Value::as_str);
    let in_git = around.git.as_ref();
    // On a pull request GITHUB_SHA and git's HEAD are a merge commit that GitHub made.
    let commit = head.or(in_git.map(|git| git.commit.as_str())).or(around.sha.as_deref());
    let at_head = in_git.filter(|git| commit == Some(git.commit.as_str()));
    let title = around.event.pointer("/pull_request/title").and_then(Value::as_str);
    let origin = Origin {
        branch,
        commit_hash: commit.map(str::to_owned),
        commit_message: at_head.map(|git| git.message.clone()).or_else(|| title.map(str::to_owned)),
        work_tree: in_git.map(|git| git.work_tree),
    };
    Ok((origin, trust(around)))
}

/// The branch's name without `refs/heads/`, as Cloudflare compares it with that of the production branch: `${{ github.ref }}` has that
/// in front.
fn short(branch: &str) -> Result<String> {
    let name = branch.trim();
    let short = name.strip_prefix("refs/heads/").unwrap_or(name);
    if short.is_empty() || short == "HEAD" || short.starts_with("refs/") {
        return Err(Fault::usage(format!("`{name}` is not the name of a branch"))
            .cause("Cloudflare would make a preview for a branch of that name")
            .help("give --branch the name alone, such as `main`"));
    }
    Ok(short.to_owned())
}

/// Refuses a fork's run that would deploy production.
pub(crate) fn check_production(origin: &Origin, trust: Trust, production_branch: Option<&str>) -> Result<()> {
    if trust == Trust::Own || production_branch.is_some_and(|production| production != origin.branch) {
        return Ok(());
    }
    Err(Fault::permission(format!("a fork's pull request may not deploy the production branch `{}`", origin.branch))
        .cause("the fork chose the name of its branch")
        .help("name another one with --branch, `pr-${{ github.event.number }}` for example"))
}

fn trust(around: &Surroundings) -> Trust {
    // `workflow_run` runs on the default branch, even if a fork caused it.
    let heads = [
        ("/pull_request", "/pull_request/head/repo/full_name"),
        ("/workflow_run", "/workflow_run/head_repository/full_name"),
    ];
    for (event, name) in heads {
        // After a fork is deleted, the event has no repository for it.
        let head = || around.event.pointer(name).and_then(Value::as_str);
        let is_own = || around.repository.as_deref().is_some_and(|own| head() == Some(own));
        if around.event.pointer(event).is_some_and(Value::is_object) && !is_own() {
            return Trust::Fork;
        }
    }
    // Only a pull request has a head. If its payload cannot be read, it may come from a fork.
    let is_unread = around.head_ref.is_some() && !around.event["pull_request"].is_object();
    if is_unread { Trust::Fork } else { Trust::Own }
}

/// Whether git refuses to read the checkout because another user owns it, as is common in containers.
pub(crate) fn distrusted_by_git(dir: &Path) -> bool {
    let answer = Command::new("git").arg("-C").arg(dir).args(["rev-parse", "HEAD"]).output();
    answer.is_ok_and(|answer| String::from_utf8_lossy(&answer.stderr).contains("dubious ownership"))
}

fn git(dir: &Path) -> Option<Git> {
    let commit = ask_git(dir, &["rev-parse", "HEAD"])?;
    let branch = ask_git(dir, &["rev-parse", "--abbrev-ref", "HEAD"]).filter(|branch| branch != "HEAD");
    let message = ask_git(dir, &["show", "-s", "--format=%B"])?;
    let status = ask_git(dir, &["status", "--porcelain"])?;
    let work_tree = if status.is_empty() { WorkTree::Clean } else { WorkTree::Dirty };
    Some(Git { branch, commit, message, work_tree })
}

/// The trimmed output of git; `None` without git or outside a repository.
fn ask_git(dir: &Path, arguments: &[&str]) -> Option<String> {
    let answer = Command::new("git").arg("-C").arg(dir).args(arguments).output().ok()?;
    answer.status.success().then(|| String::from_utf8_lossy(&answer.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use fault::Kind;
    use pages::WorkTree;
    use serde_json::json;

    use super::{Git, Surroundings, Trust, check_production, decide};

    fn text(text: &str) -> Option<String> {
        (!text.is_empty()).then(|| text.to_owned())
    }

    fn git(branch: Option<&str>) -> Git {
        let branch = branch.map(str::to_owned);
        Git { branch, commit: "merge".to_owned(), message: "Merge".to_owned(), work_tree: WorkTree::Clean }
    }

    fn pull_request(repository: &str) -> Surroundings {
        let head = json!({"sha": "theirs", "repo": {"full_name": repository}});
        Surroundings {
            head_ref: text("main"),
            ref_name: text("7/merge"),
            sha: text("merge"),
            repository: text("acme/web"),
            event: json!({"pull_request": {"title": "A change", "head": head}}),
            git: Some(git(None)),
            ..Surroundings::default()
        }
    }

    #[test]
    fn the_flag_wins_over_the_workflow_which_wins_over_git() {
        let mut around = Surroundings {
            flag: text("flag"),
            head_ref: text("head"),
            ref_name: text("ref"),
            git: Some(git(Some("git"))),
            ..Surroundings::default()
        };
        assert_eq!(decide(&around).unwrap().0.branch, "flag");
        around.flag = None;
        assert_eq!(decide(&around).unwrap().0.branch, "head");
        around.head_ref = None;
        assert_eq!(decide(&around).unwrap().0.branch, "ref");
        around.ref_name = None;
        assert_eq!(decide(&around).unwrap().0.branch, "git");
    }

    #[test]
    fn a_branch_is_named_without_what_git_puts_in_front() {
        let decided = |flag: &str| decide(&Surroundings { flag: text(flag), ..Surroundings::default() });
        for flag in ["main", "refs/heads/main", " main\n"] {
            assert_eq!(decided(flag).unwrap().0.branch, "main", "{flag}");
        }
        for flag in ["HEAD", "refs/heads/HEAD", "refs/heads/", "refs/tags/v1", "refs/pull/7/merge"] {
            assert_eq!(decided(flag).unwrap_err().kind, Kind::Usage, "{flag}");
        }
    }

    #[test]
    fn an_unknown_branch_is_an_error_and_not_production() {
        let fault = decide(&Surroundings { git: Some(git(None)), ..Surroundings::default() }).unwrap_err();
        assert_eq!(fault.kind, Kind::Usage);
        assert!(fault.help.unwrap().contains("--branch"));
    }

    #[test]
    fn a_pull_request_names_its_own_commit_and_not_the_merge() {
        let (origin, trust) = decide(&pull_request("acme/web")).unwrap();
        assert_eq!(trust, Trust::Own);
        assert_eq!(origin.commit_hash.as_deref(), Some("theirs"));
        assert_eq!(origin.commit_message.as_deref(), Some("A change"));
    }

    #[test]
    fn a_forks_branch_named_main_does_not_reach_production() {
        let (origin, trust) = decide(&pull_request("mallory/web")).unwrap();
        assert_eq!(check_production(&origin, trust, Some("main")).unwrap_err().kind, Kind::Permission);
        assert!(check_production(&origin, trust, None).is_err());
        assert!(check_production(&origin, trust, Some("live")).is_ok());
        assert!(check_production(&origin, Trust::Own, Some("main")).is_ok());
    }

    #[test]
    fn a_pull_request_of_unknown_origin_counts_as_a_forks() {
        let unread = Surroundings { event: serde_json::Value::Null, ..pull_request("acme/web") };
        assert_eq!(decide(&unread).unwrap().1, Trust::Fork);
        let nowhere = Surroundings { repository: None, ..pull_request("acme/web") };
        assert_eq!(decide(&nowhere).unwrap().1, Trust::Fork);
    }

    #[test]
    fn a_deleted_fork_and_a_forks_workflow_run_count_as_forks() {
        let mut around = pull_request("x");
        around.event = json!({"pull_request": {"head": {"sha": "s", "repo": null}}});
        assert_eq!(decide(&around).unwrap().1, Trust::Fork);
        around.event = json!({"workflow_run": {"head_repository": {"full_name": "mallory/web"}}});
        assert_eq!(decide(&around).unwrap().1, Trust::Fork);
        around.event = json!({"pull_request": null});
        around.head_ref = None;
        assert_eq!(decide(&around).unwrap().1, Trust::Own);
    }
}
