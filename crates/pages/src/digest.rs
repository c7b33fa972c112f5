//! A mark in the commit message that identifies a deployment's content, because the API does not return manifests.
//!
//! Opt-in: with it the message differs from git's.

use crate::config::Configured;
use crate::form::commit_message_within;
use crate::hash::AssetHash;
use crate::manifest::Manifest;
use crate::model::{Deployment, DeploymentState, Project};
use crate::rules::Rules;
use crate::worker::Code;

const TRAILER: &str = "Site-Digest: ";

/// How many bytes the message may take beside the mark, as it is sent: the mark takes 49 with the blank line before it.
const ROOM: usize = 330;

/// The digest of everything that a visitor could notice, 32 hexadecimal digits.
#[must_use]
pub fn digest(manifest: &Manifest, rules: &Rules, configured: Option<&Configured>, code: Option<&Code>) -> String {
    let mut all = Vec::new();
    let mut add = |part: Option<&[u8]>| {
        // Each with its length, or two different lists of parts could be the same bytes.
        all.extend_from_slice(&part.map_or(u64::MAX, |part| part.len() as u64).to_le_bytes());
        all.extend_from_slice(part.unwrap_or_default());
    };
    add(Some(manifest.json().as_bytes()));
    add(rules.headers.as_deref());
    add(rules.redirects.as_deref());
    add(configured.map(|configured| configured.hash.as_bytes()));
    add(code.map(|code| code.bundle.as_slice()));
    add(code.and_then(|code| code.routes.as_deref()));
    AssetHash::of(&all, "").to_string()
}

/// The commit message with the mark as its last line, within what Pages keeps of a message.
#[must_use]
pub fn with_digest(message: &str, digest: &str) -> String {
    let message = commit_message_within(message, ROOM).trim_end();
    let gap = if message.is_empty() { "" } else { "\n\n" };
    format!("{message}{gap}{TRAILER}{digest}")
}

/// The digest in the last line of a commit message, if that is the mark.
#[must_use]
pub(crate) fn digest_in(message: &str) -> Option<&str> {
    message.lines().next_back()?.trim().strip_prefix(TRAILER).filter(|digest| !digest.is_empty())
}

impl Project {
    /// The deployment that serves `branch` now, if it is live and marked with `digest`.
    #[must_use]
    pub fn live_with(&self, branch: &str, digest: &str) -> Option<&Deployment> {
        let is_production = self.production_branch.as_deref() == Some(branch);
        // The newest of a preview's branch is what its alias serves.
        let serving = if is_production { &self.canonical_deployment } else { &self.latest_deployment }.as_ref()?;
        let commit = serving.commit();
        let is_marked = digest_in(&commit.commit_message) == Some(digest);
        (is_marked && commit.branch == branch && serving.state() == DeploymentState::Live).then_some(serving)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{digest, with_digest};
    use crate::manifest::Manifest;
    use crate::model::Project;
    use crate::rules::Rules;

    #[test]
    fn rules_are_a_part_of_what_a_site_is() {
        let rules = |headers: Option<&[u8]>, redirects: Option<&[u8]>| Rules {
            headers: headers.map(<[u8]>::to_vec),
            redirects: redirects.map(<[u8]>::to_vec),
        };
        let of = |rules: &Rules| digest(&Manifest::default(), rules, None, None);
        assert_ne!(of(&rules(Some(b"x"), None)), of(&rules(None, Some(b"x"))));
        assert_eq!(of(&rules(None, None)).len(), 32);
    }

    #[test]
    fn the_mark_survives_a_long_message() {
        let digest = "0".repeat(32);
        let message = with_digest(&"\u{e9}\n".repeat(500), &digest);
        assert!(
            message.replace('\n', "\r\n").len() <= 384 && message.ends_with(&format!("\n\nSite-Digest: {digest}")),
            "{message}"
        );
        assert_eq!(with_digest("", &digest), format!("Site-Digest: {digest}"));
    }

    #[test]
    fn only_a_live_deployment_of_the_branch_with_the_mark_counts() {
        let project = |branch: &str, status: &str, message: &str| -> Project {
            let deployment = json!({
                "id": "1", "latest_stage": {"name": "deploy", "status": status},
                "deployment_trigger": {"metadata": {"branch": branch, "commit_message": message}},
            });
            serde_json::from_value(
                json!({"name": "a", "production_branch": "main", "canonical_deployment": deployment}),
            )
            .unwrap()
        };
        assert!(project("main", "success", "x\r\n\r\nSite-Digest: d").live_with("main", "d").is_some());
        assert!(project("main", "success", "Site-Digest: d\nx").live_with("main", "d").is_none());
        assert!(project("main", "failure", "Site-Digest: d").live_with("main", "d").is_none());
        assert!(project("old", "success", "Site-Digest: d").live_with("main", "d").is_none());
        assert!(project("main", "success", "Site-Digest: d").live_with("other", "d").is_none());
    }
}
