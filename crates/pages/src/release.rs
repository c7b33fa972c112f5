//! One deployment of a site: its form, its creation exactly once, and the wait until it is live.

use std::path::Path;
use std::time::Duration;

use fault::{Fault, Result};

use crate::answer::{advise, is_passing, is_unclear};
use crate::client::PagesClient;
use crate::config::Configured;
use crate::form::{Form, commit_message};
use crate::manifest::Manifest;
use crate::model::{Commit, Deployment, DeploymentState, find_ours};
use crate::worker::Code;

const FIRST_LOOK: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Whether what is deployed has changes that no commit has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkTree {
    /// As committed.
    Clean,
    /// With changes.
    Dirty,
}

/// What a deployment is said to come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The branch, as it is named in git. It decides between production and preview.
    pub branch: String,
    /// The full commit hash.
    pub commit_hash: Option<String>,
    /// The commit's message, of any length.
    pub commit_message: Option<String>,
    /// Whether there are changes besides; unknown outside git.
    pub work_tree: Option<WorkTree>,
}

/// The files at a site's root that are rules and no assets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// `_headers`.
    pub headers: Option<Vec<u8>>,
    /// `_redirects`.
    pub redirects: Option<Vec<u8>>,
}

impl Rules {
    /// Reads them from the output folder `root`. As in wrangler, an empty file is none, and bytes that are not UTF-8 become U+FFFD.
    ///
    /// # Errors
    /// A file is there and cannot be read.
    pub fn read(root: &Path) -> Result<Self> {
        Ok(Self { headers: rule_file(&root.join("_headers"))?, redirects: rule_file(&root.join("_redirects"))? })
    }
}

fn rule_file(path: &Path) -> Result<Option<Vec<u8>>> {
    match std::fs::read(path) {
        Ok(bytes) if bytes.is_empty() => Ok(None),
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned().into_bytes())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Fault::no(format!("cannot read `{}`", path.display())).cause(error.to_string())),
    }
}

/// Everything that one deployment consists of.
#[derive(Clone, Debug)]
pub struct Release {
    /// What it is said to come from.
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

    /// Whether the site answers with code of its own, so that its files do not tell what its paths answer.
    #[must_use]
    pub fn has_code(&self) -> bool {
        self.form.has("_worker.bundle")
    }

    /// Creates the deployment in `project`, exactly once: after a lost answer it is looked for before it is posted again.
    /// `last_known` is the project's newest deployment from before.
    ///
    /// # Errors
    /// The service refuses, or is away.
    pub async fn create(&self, client: &PagesClient, project: &str, last_known: Option<&str>) -> Result<Deployment> {
        let mut attempt = 0;
        loop {
            let error = match client.post_deployment(project, &self.form).await {
                Ok(deployment) => return Ok(deployment),
                Err(error) if is_passing(&error) || is_unclear(&error) => error,
                Err(error) => return Err(advise(error, project)),
            };
            // A look that fails leaves it open whether the deployment exists: say so, and do not post again.
            let newest = client.newest_deployments(project).await.map_err(|fault| {
                let lost = Fault::from(error.clone());
                Fault::temporary(format!("it is unknown whether `{project}` was deployed"))
                    .cause(lost.message)
                    .cause(fault.message)
                    .help("look at the project's deployments, then run it again")
            })?;
            if let Some(ours) = find_ours(&newest, last_known, &self.commit()) {
                return Ok(ours.clone());
            }
            attempt += 1;
            if attempt >= 3 {
                return Err(advise(error, project));
            }
            tokio::time::sleep(FIRST_LOOK.saturating_mul(1 << attempt)).await;
        }
    }

    /// Whether `deployment` may be this one, after its own answer was lost: it comes from the same commit of the same branch.
    #[must_use]
    pub fn made(&self, deployment: &Deployment) -> bool {
        deployment.commit().is_from(&self.commit())
    }

    /// The commit as the API gives it back.
    fn commit(&self) -> Commit {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        Commit {
            branch: self.origin.branch.clone(),
            commit_hash: text(&self.origin.commit_hash),
            commit_message: commit_message(&text(&self.origin.commit_message)).to_owned(),
        }
    }
}

/// Waits until the deployment is live: a first look after 0.2 s, then twice as long each time.
///
/// # Errors
/// [`fault::Kind::No`] when it failed, with its log's last line; [`fault::Kind::Incomplete`] when `patience` ends first.
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
                    .cause(format!("after {} s it stands at {}", patience.as_secs(), current.stage()))
                    .help("give it more time with --timeout, or look at the deployment in the dashboard"));
            }
            DeploymentState::Pending => tokio::time::sleep(pause).await,
        }
        pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
        current = client.deployment(project, &current.id).await?;
    }
}

async fn failure(client: &PagesClient, project: &str, deployment: &Deployment) -> Fault {
    let fault = Fault::no(format!("Cloudflare could not deploy `{project}`")).cause(format!(
        "deployment {} ended at {}",
        deployment.id,
        deployment.stage()
    ));
    // Without the log the failure is as certain.
    match client.last_log_line(project, &deployment.id).await {
        Ok(Some(line)) => fault.cause(line),
        _ => fault,
    }
}
