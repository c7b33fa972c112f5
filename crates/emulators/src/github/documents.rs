//! GitHub's documents, complete: every field that the published description requires.

use serde_json::{Map, Value, json};

use super::entities::{Comment, Deployment, Pull};

const API: &str = "https://api.github.com";
const SITE: &str = "https://github.com";
/// Times are nothing a deploy depends on.
const TIME: &str = "2026-11-21T02:40:00Z";

/// Gives an object a URL for each name.
fn with_urls(document: &mut Value, base: &str, names: &[&str]) {
    if let Some(object) = document.as_object_mut() {
        object.extend(names.iter().map(|name| ((*name).to_owned(), json!(format!("{base}/{name}")))));
    }
}

pub(super) fn user(login: &str) -> Value {
    let is_bot = login.ends_with("[bot]");
    let name = login.trim_end_matches("[bot]");
    let mut user = json!({
        "login": login, "id": 41_898_282, "node_id": "MDM6Qm90NDE4OTgyODI=", "gravatar_id": "",
        "avatar_url": format!("https://avatars.githubusercontent.com/{name}"),
        "url": format!("{API}/users/{name}"), "html_url": format!("{SITE}/{name}"),
        "type": if is_bot { "Bot" } else { "User" }, "site_admin": false,
    });
    let names = [
        "followers_url",
        "following_url",
        "gists_url",
        "starred_url",
        "subscriptions_url",
        "organizations_url",
        "repos_url",
        "events_url",
        "received_events_url",
    ];
    with_urls(&mut user, &format!("{API}/users/{name}"), &names);
    user
}

/// The app that a job's token belongs to.
fn app() -> Value {
    json!({
        "id": 15368, "slug": "github-actions", "node_id": "MDM6QXBwMTUzNjg=", "owner": user("github"),
        "name": "GitHub Actions", "description": "Automate your workflow from idea to production",
        "external_url": "https://help.github.com/en/actions", "html_url": format!("{SITE}/apps/github-actions"),
        "created_at": TIME, "updated_at": TIME, "permissions": {}, "events": [],
    })
}

fn node(kind: &str, id: u64) -> String {
    format!("{kind}_{id}")
}

pub(super) fn comment(comment: &Comment, repository: &str) -> Value {
    let Comment { id, issue, author, body } = comment;
    json!({
        "id": id, "node_id": node("IC", *id), "body": body, "user": user(author), "author_association": "NONE",
        "url": format!("{API}/repos/{repository}/issues/comments/{id}"),
        "html_url": format!("{SITE}/{repository}/pull/{issue}#issuecomment-{id}"),
        "issue_url": format!("{API}/repos/{repository}/issues/{issue}"),
        "created_at": TIME, "updated_at": TIME,
    })
}

/// A check run of which the request and its later edits are known.
pub(super) fn check_run(run: &Value, repository: &str) -> Value {
    let id = run["id"].as_u64().unwrap_or_default();
    let output = &run["output"];
    let annotations = output["annotations"].as_array().map_or(0, Vec::len);
    let url = format!("{API}/repos/{repository}/check-runs/{id}");
    let status = run["status"].as_str().unwrap_or("queued");
    json!({
        "id": id, "node_id": node("CR", id), "head_sha": run["head_sha"], "name": run["name"],
        "external_id": run["external_id"], "url": url, "html_url": format!("{SITE}/{repository}/runs/{id}"),
        "details_url": run["details_url"], "status": status, "conclusion": run["conclusion"],
        "started_at": TIME, "completed_at": if status == "completed" { json!(TIME) } else { Value::Null },
        "output": {
            "title": output["title"], "summary": output["summary"], "text": output["text"],
            "annotations_count": annotations, "annotations_url": format!("{url}/annotations"),
        },
        "check_suite": { "id": 5 }, "app": app(), "pull_requests": [],
    })
}

pub(super) fn deployment(deployment: &Deployment, repository: &str) -> Value {
    let Deployment { id, request, .. } = deployment;
    let environment = request["environment"].as_str().unwrap_or("production");
    let base = format!("{API}/repos/{repository}");
    let payload = if request["payload"].is_null() { json!("") } else { request["payload"].clone() };
    json!({
        "id": id, "node_id": node("DE", *id), "url": format!("{base}/deployments/{id}"),
        "sha": request["ref"], "ref": request["ref"], "task": "deploy", "payload": payload,
        "original_environment": environment, "environment": environment, "description": request["description"],
        "creator": user("github-actions[bot]"), "created_at": TIME, "updated_at": TIME,
        "statuses_url": format!("{base}/deployments/{id}/statuses"), "repository_url": base,
        "transient_environment": request["transient_environment"] == true,
        "production_environment": environment == "production",
    })
}

pub(super) fn status(id: u64, deployment: &Deployment, request: &Value, repository: &str) -> Value {
    let base = format!("{API}/repos/{repository}");
    let of = format!("{base}/deployments/{}", deployment.id);
    let text = |name: &str| request[name].as_str().unwrap_or_default();
    let log = request["log_url"].as_str().or(request["target_url"].as_str()).unwrap_or_default();
    json!({
        "id": id, "node_id": node("DES", id), "url": format!("{of}/statuses/{id}"), "state": request["state"],
        "creator": user("github-actions[bot]"), "description": text("description"),
        "environment": deployment.request["environment"].as_str().unwrap_or("production"),
        "target_url": log, "log_url": log, "environment_url": text("environment_url"),
        "created_at": TIME, "updated_at": TIME, "deployment_url": of, "repository_url": base,
    })
}

/// Keys of a repository that hold an address.
const URLS_OF_A_REPOSITORY: [&str; 36] = [
    "archive_url",
    "assignees_url",
    "blobs_url",
    "branches_url",
    "collaborators_url",
    "comments_url",
    "commits_url",
    "compare_url",
    "contents_url",
    "contributors_url",
    "deployments_url",
    "downloads_url",
    "events_url",
    "forks_url",
    "git_commits_url",
    "git_refs_url",
    "git_tags_url",
    "hooks_url",
    "issue_comment_url",
    "issue_events_url",
    "issues_url",
    "keys_url",
    "labels_url",
    "languages_url",
    "merges_url",
    "milestones_url",
    "notifications_url",
    "pulls_url",
    "releases_url",
    "stargazers_url",
    "statuses_url",
    "subscribers_url",
    "subscription_url",
    "tags_url",
    "teams_url",
    "trees_url",
];

fn repository(full_name: &str, is_fork: bool) -> Value {
    let (owner, name) = full_name.split_once('/').unwrap_or(("", full_name));
    let api = format!("{API}/repos/{full_name}");
    let mut repository = json!({
        "id": 1_296_269, "node_id": "R_1", "name": name, "full_name": full_name, "owner": user(owner),
        "private": false, "fork": is_fork, "description": null, "html_url": format!("{SITE}/{full_name}"),
        "url": api, "clone_url": format!("{SITE}/{full_name}.git"), "git_url": format!("git:github.com/{full_name}.git"),
        "ssh_url": format!("git@github.com:{full_name}.git"), "svn_url": format!("{SITE}/{full_name}"),
        "mirror_url": null, "homepage": null, "language": null, "license": null, "default_branch": "main",
        "created_at": TIME, "updated_at": TIME, "pushed_at": TIME,
    });
    with_urls(&mut repository, &api, &URLS_OF_A_REPOSITORY);
    if let Some(object) = repository.as_object_mut() {
        for name in [
            "forks",
            "forks_count",
            "open_issues",
            "open_issues_count",
            "size",
            "stargazers_count",
            "watchers",
            "watchers_count",
        ] {
            object.insert(name.to_owned(), json!(0));
        }
        for name in ["has_downloads", "has_issues", "has_projects", "has_wiki", "has_pages", "archived", "disabled"] {
            object.insert(name.to_owned(), json!(false));
        }
    }
    repository
}

pub(super) fn pull(pull: &Pull, base_repository: &str) -> Value {
    let number = pull.number;
    let (api, site) = (format!("{API}/repos/{base_repository}"), format!("{SITE}/{base_repository}/pull/{number}"));
    let is_fork = pull.head_repository != base_repository;
    let end = |repository_name: &str, branch: &str, sha: &str| {
        let owner = repository_name.split('/').next().unwrap_or_default();
        json!({
            "label": format!("{owner}:{branch}"), "ref": branch, "sha": sha, "user": user(owner),
            "repo": repository(repository_name, is_fork && repository_name != base_repository),
        })
    };
    let link = |path: &str| json!({ "href": format!("{api}/{path}") });
    let links: Map<String, Value> =
        ["comments", "commits", "statuses", "html", "issue", "review_comments", "review_comment", "self"]
            .map(|name| (name.to_owned(), link(&format!("pulls/{number}/{name}"))))
            .into_iter()
            .collect();
    let mut document = json!({
        "id": number, "node_id": node("PR", number), "number": number, "state": if pull.is_open { "open" } else { "closed" },
        "locked": false, "title": "A change", "body": null, "user": user("octocat"), "labels": [], "milestone": null,
        "assignee": null, "auto_merge": null, "author_association": "NONE", "merge_commit_sha": null,
        "created_at": TIME, "updated_at": TIME, "closed_at": null, "merged_at": null,
        "url": format!("{api}/pulls/{number}"), "html_url": site, "diff_url": format!("{site}.diff"),
        "patch_url": format!("{site}.patch"), "issue_url": format!("{api}/issues/{number}"), "_links": links,
        "head": end(&pull.head_repository, &pull.branch, &pull.sha), "base": end(base_repository, "main", &pull.base_sha),
    });
    let names = ["comments_url", "commits_url", "review_comment_url", "review_comments_url", "statuses_url"];
    with_urls(&mut document, &format!("{api}/pulls/{number}"), &names);
    document
}

fn commit(sha: &str, repository: &str) -> Value {
    let (api, site) = (format!("{API}/repos/{repository}"), format!("{SITE}/{repository}/commit/{sha}"));
    let by = json!({ "name": "Mona", "email": "mona@github.com", "date": TIME });
    let url = format!("{api}/commits/{sha}");
    json!({
        "url": url, "sha": sha, "node_id": "C_1", "html_url": site, "comments_url": format!("{url}/comments"),
        "commit": {
            "url": format!("{api}/git/commits/{sha}"), "author": by, "committer": by, "message": "A change",
            "comment_count": 0, "tree": { "sha": sha, "url": format!("{api}/git/trees/{sha}") },
        },
        "author": user("octocat"), "committer": user("octocat"), "parents": [],
    })
}

pub(super) fn comparison(base: &str, head: &str, merge_base: &str, repository: &str) -> Value {
    let site = format!("{SITE}/{repository}/compare/{base}...{head}");
    json!({
        "url": format!("{API}/repos/{repository}/compare/{base}...{head}"), "html_url": site, "permalink_url": site,
        "diff_url": format!("{site}.diff"), "patch_url": format!("{site}.patch"), "status": "diverged",
        "ahead_by": 1, "behind_by": 1, "total_commits": 1, "base_commit": commit(base, repository),
        "merge_base_commit": commit(merge_base, repository), "commits": [commit(head, repository)], "files": [],
    })
}
