//! Projects and deployments as the API describes them. Fields that are not used here are not read.

use serde::{Deserialize, Deserializer};

/// A Pages project.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Project {
    /// Its name.
    pub name: String,
    /// The branch whose deployments visitors see.
    #[serde(default)]
    pub production_branch: Option<String>,
    /// The deployment that production serves now, which a rollback returns to. Absent before the first deployment.
    #[serde(default)]
    pub canonical_deployment: Option<Deployment>,
    /// The newest deployment, production or not.
    #[serde(default)]
    pub latest_deployment: Option<Deployment>,
}

/// A deployment.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Deployment {
    /// A UUID.
    pub id: String,
    /// Its own immutable address.
    #[serde(default)]
    pub url: String,
    /// `production` or `preview`: the service decides.
    #[serde(default)]
    pub environment: String,
    /// The branch's address for a preview, custom domains for production.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub aliases: Vec<String>,
    /// Its current stage.
    #[serde(default)]
    pub latest_stage: Option<DeploymentStage>,
    /// The commit it was made from.
    #[serde(default)]
    pub deployment_trigger: Option<Trigger>,
    /// The project's production branch at that time.
    #[serde(default)]
    pub production_branch: Option<String>,
}

/// One of queued, initialize, `clone_repo`, build, deploy.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct DeploymentStage {
    /// Its name.
    pub name: String,
    /// idle, active, success, failure or canceled.
    pub status: String,
}

/// The cause of a deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Trigger {
    /// Its commit and branch.
    #[serde(default)]
    pub metadata: Commit,
}

/// The commit that a deployment names. Absent parts are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Commit {
    /// The branch.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub branch: String,
    /// The full hash.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub commit_hash: String,
    /// The message, cut to the length that Pages keeps.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub commit_message: String,
}

/// The state of a deployment, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeploymentState {
    /// It is served: stage `deploy` with status `success`, and nothing else.
    Live,
    /// It ended otherwise.
    Failed,
    /// It has not ended.
    Pending,
}

impl Commit {
    /// Whether both name the same commit and branch. Messages are not compared: the API changes line ends and blanks.
    pub(crate) fn is_from(&self, other: &Self) -> bool {
        self.branch == other.branch && self.commit_hash == other.commit_hash
    }
}

impl Deployment {
    /// Its current stage.
    #[must_use]
    pub fn state(&self) -> DeploymentState {
        let Some(stage) = &self.latest_stage else { return DeploymentState::Pending };
        match (stage.name.as_str(), stage.status.as_str()) {
            ("deploy", "success") => DeploymentState::Live,
            (_, "failure" | "canceled") => DeploymentState::Failed,
            _ => DeploymentState::Pending,
        }
    }

    /// Its stage and status in words.
    #[must_use]
    pub fn stage(&self) -> String {
        self.latest_stage
            .as_ref()
            .map_or_else(|| "no stage".to_owned(), |stage| format!("stage `{}`, status `{}`", stage.name, stage.status))
    }

    /// What it was made from.
    #[must_use]
    pub fn commit(&self) -> Commit {
        self.deployment_trigger.clone().unwrap_or_default().metadata
    }

    /// The alias on Cloudflare's own domain, or else the first one. It is read and never computed, because names get suffixes.
    #[must_use]
    pub fn alias(&self) -> Option<&str> {
        let own = self.aliases.iter().find(|alias| alias.trim_end_matches('/').ends_with(".pages.dev"));
        own.or(self.aliases.first()).map(String::as_str)
    }
}

/// Finds our deployment in `newest_first` after the answer to its creation was lost: newer than `last_known`, of the same commit.
#[must_use]
pub fn find_ours<'a>(
    newest_first: &'a [Deployment],
    last_known: Option<&str>,
    ours: &Commit,
) -> Option<&'a Deployment> {
    newest_first.iter().take_while(|one| Some(one.id.as_str()) != last_known).find(|one| one.commit().is_from(ours))
}

/// The API writes `null` for an empty list or text.
fn null_is_empty<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Commit, Deployment, DeploymentState, find_ours};

    fn deployment(id: &str, stage: &str, status: &str, branch: &str) -> Deployment {
        serde_json::from_value(json!({
            "id": id, "url": "https://x.a.pages.dev", "environment": "preview", "aliases": null,
            "latest_stage": {"name": stage, "status": status},
            "deployment_trigger": {"type": "ad_hoc", "metadata": {"branch": branch, "commit_hash": "c", "commit_message": null}},
        }))
        .unwrap()
    }

    #[test]
    fn only_stage_deploy_with_success_is_live() {
        let cases = [
            ("deploy", "success", DeploymentState::Live),
            ("deploy", "active", DeploymentState::Pending),
            ("build", "success", DeploymentState::Pending),
            ("queued", "active", DeploymentState::Pending),
            ("build", "failure", DeploymentState::Failed),
            ("deploy", "canceled", DeploymentState::Failed),
        ];
        for (stage, status, expected) in cases {
            assert_eq!(deployment("1", stage, status, "b").state(), expected, "{stage} {status}");
        }
    }

    #[test]
    fn the_alias_is_read_and_the_one_on_pages_dev_is_preferred() {
        let mut one = deployment("1", "deploy", "success", "b");
        assert_eq!(one.alias(), None);
        one.aliases = vec!["https://shop.example".to_owned(), "https://b.a-5ab.pages.dev".to_owned()];
        assert_eq!(one.alias(), Some("https://b.a-5ab.pages.dev"));
    }

    #[test]
    fn a_lost_deployment_is_found_only_among_the_newer_ones_of_our_commit() {
        let all = ["5 b", "4 other", "3 b"].map(|one| {
            let (id, branch) = one.split_once(' ').unwrap();
            deployment(id, "queued", "active", branch)
        });
        let ours =
            |branch: &str| Commit { branch: branch.to_owned(), commit_hash: "c".to_owned(), ..Commit::default() };
        assert_eq!(find_ours(&all, Some("3"), &ours("b")).map(|one| one.id.as_str()), Some("5"));
        assert_eq!(find_ours(&all, Some("5"), &ours("b")), None);
        assert_eq!(find_ours(&all, None, &ours("main")), None);
    }
}
