//! What the commit changes against the event's base, for the order of annotations.
//!
//! Without the base in the clone (a checkout of depth 1) nothing is known, and the order is that of the report.

use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};

use report::Diff;
use runner::Environment;
use serde::Deserialize;

use super::repository::git_root;

/// The most of a diff that is read.
const LIMIT: u64 = 64 * 1024 * 1024;

/// The parts of a workflow's event that name its base.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Event {
    pull_request: Option<PullRequest>,
    merge_group: Option<MergeGroup>,
    /// Of a push: the commit that the branch was at.
    before: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PullRequest {
    base: Base,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Base {
    sha: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct MergeGroup {
    base_sha: String,
}

/// The change against the base of the event; empty if that is unknown.
pub(crate) fn changes(environment: &Environment) -> Diff {
    let (here, workspace) = (std::env::current_dir().ok(), environment.get("GITHUB_WORKSPACE").map(Path::new));
    let Some(root) = git_root(here.as_deref(), workspace) else { return Diff::default() };
    let event = environment.get("GITHUB_EVENT_PATH").and_then(|path| std::fs::read_to_string(path).ok());
    let bases = bases(event.as_deref().unwrap_or_default(), environment.get("GITHUB_BASE_REF"));
    // Since the branch began; without that commit in the clone, against the base as it is.
    let ranges = bases.iter().flat_map(|base| [format!("{base}...HEAD"), format!("{base}..HEAD")]);
    ranges.into_iter().find_map(|range| diff(root, &range)).unwrap_or_default()
}

/// The commits that may be the base, the most certain first.
fn bases(event: &str, base_ref: Option<&str>) -> Vec<String> {
    let event: Event = serde_json::from_str(event).unwrap_or_default();
    let commits = [
        event.pull_request.map(|request| request.base.sha),
        event.merge_group.map(|group| group.base_sha),
        event.before,
    ];
    // A push of a new branch has zeros.
    let is_commit = |text: &String| {
        text.len() >= 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) && text.bytes().any(|byte| byte != b'0')
    };
    let commits = commits.into_iter().flatten().filter(is_commit);
    // What begins with `-` would be an option.
    let named = base_ref.filter(|name| !name.is_empty() && !name.starts_with('-'));
    commits.chain(named.map(|name| format!("refs/remotes/origin/{name}"))).collect()
}

fn diff(root: &Path, range: &str) -> Option<Diff> {
    let mut child = Command::new("git")
        .arg("-c")
        .arg(format!("safe.directory={}", root.display()))
        .args(["-c", "core.quotePath=false", "-C"])
        .arg(root)
        .args(["diff", "--unified=0", "--no-color", "--no-ext-diff", "--no-textconv", "--no-renames"])
        .args(["--src-prefix=a/", "--dst-prefix=b/", range, "--"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut printed = Vec::new();
    let read = child.stdout.take()?.take(LIMIT).read_to_end(&mut printed);
    let status = child.wait().ok()?;
    // Of a diff that is too long the beginning is enough; git then ends by SIGPIPE.
    let is_whole = status.success() || printed.len() as u64 == LIMIT;
    (read.is_ok() && is_whole).then(|| Diff::parse(&String::from_utf8_lossy(&printed)))
}

#[cfg(test)]
mod tests {
    use super::bases;

    #[test]
    fn the_base_is_the_pull_requests_the_merge_groups_or_what_was_pushed_before() {
        let sha = "5ae7847aa0d1f1c5b7b5b2d7f6a1c3e4d5f60718";
        let request = format!(r#"{{"pull_request":{{"base":{{"sha":"{sha}"}}}},"before":"zz"}}"#);
        assert_eq!(bases(&request, Some("main")), [sha, "refs/remotes/origin/main"]);
        assert_eq!(bases(&format!(r#"{{"merge_group":{{"base_sha":"{sha}"}}}}"#), None), [sha]);
        assert_eq!(bases(&format!(r#"{{"before":"{sha}"}}"#), None), [sha]);
        assert_eq!(bases(&format!(r#"{{"before":"{}"}}"#, "0".repeat(40)), Some("--output=x")), [""; 0]);
        assert_eq!(bases("no event", None), [""; 0]);
    }
}
