//! One deployment of a site: its form, its creation exactly once, and the wait until it is live.

use std::time::Duration;

use api::Error;
use fault::{Fault, Result};

use crate::answer::{advise, is_bad_message, is_passing, is_unclear};
use crate::client::PagesClient;
use crate::config::Configured;
use crate::digest::{digest_in, with_digest};
use crate::form::{Form, commit_message};
use crate::manifest::Manifest;
use crate::model::{Commit, Deployment, DeploymentState, find_ours};
use crate::rules::Rules;
use crate::worker::Code;

const FIRST_LOOK: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How long reading the log of a failed deployment may take.
const READING_LOG: Duration = Duration::from_secs(10);

/// Whether the deployed files have changes that are not committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkTree {
    /// No changes.
    Clean,
    /// With changes.
    Dirty,
}

/// The branch and commit that a deployment names as its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The branch, as git names it. It decides between production and preview.
    pub branch: String,
    /// The full commit hash.
    pub commit_hash: Option<String>,
    /// The commit's message, of any length.
    pub commit_message: Option<String>,
    /// Whether there are uncommitted changes; unknown outside git.
    pub work_tree: Option<WorkTree>,
}

/// Everything that one deployment consists of.
#[derive(Clone, Debug)]
pub struct Release {
    /// Its branch and commit.
    pub origin: Origin,
    /// The form that creates it.
    pub form: Form,
}

impl Release {
    /// Fills the form, field by field in wrangler's order.
    #[must_use]
    pub fn new(
        manifest: &Manifest,
        origin: Origin,
        rules: &Rules,
        configured: Option<&Configured>,
        code: Option<&Code>,
    ) -> Self {
        const BYTES: &str = "application/octet-stream";
        let mut form = Form::default().text("manifest", &manifest.json()).text("branch", &origin.branch);
        if let Some(message) = &origin.commit_message {
            form = form.text("commit_message", commit_message(message));
        }
        if let Some(hash) = &origin.commit_hash {
            form = form.text("commit_hash", hash);
        }
        if let Some(work_tree) = origin.work_tree {
            form = form.text("commit_dirty", if work_tree == WorkTree::Dirty { "true" } else { "false" });
        }
        for (name, content) in [("_headers", &rules.headers), ("_redirects", &rules.redirects)] {
            if let Some(content) = content {
                form = form.file(name, BYTES, content.clone());
            }
        }
        if let Some(routing) = code.and_then(|code| code.routing.as_ref()) {
            form = form.file("functions-filepath-routing-config.json", BYTES, routing.clone());
        }
        if let Some(configured) = configured {
            form = form.text("wrangler_config_hash", &configured.hash);
            form = form.text("pages_build_output_dir", &configured.output);
        }
        if let Some(code) = code {
            form = form.file("_worker.bundle", BYTES, code.bundle.clone());
            if let Some(routes) = &code.routes {
                form = form.file("_routes.json", BYTES, routes.clone());
            }
        }
        Self { origin, form }
    }

    /// Whether the site has code that answers requests, so that its files do not determine what a path returns.
    #[must_use]
    pub fn has_code(&self) -> bool {
        self.form.has("_worker.bundle")
    }

    /// Creates the deployment in `project`, exactly once: after a lost answer it is looked for before it is posted again.
    /// `last_known` is the newest deployment of the project before this call. A commit message that the service refuses is replaced
    /// once, by an ASCII version of its subject.
    ///
    /// # Errors
    /// The service refuses, or is unreachable.
    pub async fn create(&self, client: &PagesClient, project: &str, last_known: Option<&str>) -> Result<Created> {
        match self.post(client, project, last_known, &self.form).await {
            Err(error) if is_bad_message(&error) => {
                let message = ascii_message(&self.commit());
                let form = self.form.clone().with_text("commit_message", &message);
                let deployment = self.post(client, project, last_known, &form).await;
                let deployment = deployment.map_err(|error| advise(error, project))?;
                Ok(Created { deployment, replaced_message: Some(message) })
            }
            Ok(deployment) => Ok(Created { deployment, replaced_message: None }),
            Err(error) => Err(advise(error, project)),
        }
    }

    async fn post(
        &self,
        client: &PagesClient,
        project: &str,
        last_known: Option<&str>,
        form: &Form,
    ) -> Result<Deployment, Error> {
        let mut attempt = 0;
        loop {
            let error = match client.post_deployment(project, form).await {
                Ok(deployment) => return Ok(deployment),
                Err(error) if is_passing(&error) || is_unclear(&error) => error,
                Err(error) => return Err(error),
            };
            // Without a look at the list it stays unknown whether the deployment exists: report that, and do not post again.
            let newest = client.newest_deployments(project).await.map_err(|fault| {
                let lost = Fault::from(error.clone());
                Fault::temporary(format!("it is unknown whether `{project}` was deployed"))
                    .cause(lost.message)
                    .cause(fault.message)
                    .help("look at the project's deployments, then run it again")
            });
            if let Some(ours) = find_ours(&newest.map_err(Error::Fault)?, last_known, &self.commit()) {
                return Ok(ours.clone());
            }
            attempt += 1;
            if attempt >= 3 {
                return Err(error);
            }
            tokio::time::sleep(FIRST_LOOK.saturating_mul(1 << attempt)).await;
        }
    }

    /// Whether `deployment` may be this one, after the answer to its creation was lost: same commit, same branch.
    #[must_use]
    pub fn made(&self, deployment: &Deployment) -> bool {
        deployment.commit().is_from(&self.commit())
    }

    /// The commit as the API returns it.
    fn commit(&self) -> Commit {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        Commit {
            branch: self.origin.branch.clone(),
            commit_hash: text(&self.origin.commit_hash),
            commit_message: commit_message(&text(&self.origin.commit_message)).to_owned(),
        }
    }
}

/// A message that no service can take for broken text: the subject without anything beyond ASCII, and the digest's line if there
/// is one.
fn ascii_message(commit: &Commit) -> String {
    let plain = |character: char| if character.is_ascii_graphic() { character } else { ' ' };
    let subject: String = commit.commit_message.lines().next().unwrap_or_default().chars().map(plain).collect();
    let subject = subject.split_whitespace().collect::<Vec<_>>().join(" ");
    let subject = if subject.is_empty() {
        format!("commit {}", commit.commit_hash.get(..7).unwrap_or("unknown"))
    } else {
        subject
    };
    match digest_in(&commit.commit_message) {
        Some(digest) => with_digest(&subject, digest),
        None => commit_message(&subject).to_owned(),
    }
}

/// A deployment that was created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    /// The deployment.
    pub deployment: Deployment,
    /// What was sent as the commit message after the service had refused the real one.
    pub replaced_message: Option<String>,
}

/// Waits until the deployment is live: looks first after 0.2 s, then twice as long after each look.
///
/// # Errors
/// [`fault::Kind::Failed`] if it failed, with the last line of its log; [`fault::Kind::Incomplete`] if `patience` ends first.
pub async fn wait(
    client: &PagesClient,
    project: &str,
    deployment: Deployment,
    patience: Duration,
) -> Result<Deployment> {
    let until = tokio::time::Instant::now() + patience;
    let (mut current, mut pause) = (deployment, FIRST_LOOK);
    loop {
        match current.state() {
            DeploymentState::Live => return Ok(current),
            DeploymentState::Failed => return Err(failure(client, project, &current).await),
            DeploymentState::Pending if tokio::time::Instant::now() + pause > until => {
                return Err(Fault::incomplete(format!("the deployment of `{project}` did not come to an end"))
                    .cause(format!("after {} s it is at {}", patience.as_secs(), current.stage()))
                    .help("give it more time with --timeout, or look at the deployment in the dashboard"));
            }
            DeploymentState::Pending => tokio::time::sleep(pause).await,
        }
        pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
        current = client.deployment(project, &current.id).await?;
    }
}

async fn failure(client: &PagesClient, project: &str, deployment: &Deployment) -> Fault {
    let fault = Fault::failed(format!("Cloudflare could not deploy `{project}`")).cause(format!(
        "deployment {} ended at {}",
        deployment.id,
        deployment.stage()
    ));
    // The failure is certain without its log, too.
    match client.within(READING_LOG).last_log_line(project, &deployment.id).await {
        Ok(Some(line)) => fault.cause(line),
        _ => fault,
    }
}

#[cfg(test)]
mod tests {
    use super::ascii_message;
    use crate::digest::with_digest;
    use crate::model::Commit;

    fn ascii(message: &str) -> String {
        let commit_hash = "0123456789abcdef".to_owned();
        ascii_message(&Commit { branch: String::new(), commit_hash, commit_message: message.to_owned() })
    }

    #[test]
    fn a_refused_message_becomes_its_subject_in_ascii_and_keeps_the_digest() {
        assert_eq!(ascii("Fix caf\u{e9}s \u{1f680} now\n\nBody"), "Fix caf s now");
        assert_eq!(ascii("\u{4fee}\u{6b63}\n\nBody"), "commit 0123456");
        assert_eq!(ascii(""), "commit 0123456");
        let digest = "0".repeat(32);
        assert_eq!(ascii(&with_digest("\u{e9}t\u{e9}", &digest)), format!("t\n\nSite-Digest: {digest}"));
    }
}
