//! Deployments and their statuses.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::call::Call;
use crate::{Error, GitHub};

/// A deployment to create.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NewDeployment {
    /// The commit.
    #[serde(rename = "ref")]
    pub commit: String,
    /// What was deployed to.
    pub environment: String,
    /// At most 140 characters.
    pub description: String,
    /// False: nothing is merged.
    pub auto_merge: bool,
    /// Empty: the checks have run already.
    pub required_contexts: Vec<String>,
    /// The environment ends with its pull request.
    pub transient_environment: bool,
    /// By which a deployment is found again whose answer was lost.
    pub payload: String,
}

/// A new status of a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeploymentStatus {
    /// `in_progress`, `success`, `failure` or `error`.
    pub state: &'static str,
    /// Where it can be visited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment_url: Option<String>,
    /// The page of the workflow run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_url: Option<String>,
    /// At most 140 characters.
    pub description: String,
}

/// A deployment.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Deployment {
    /// Its number.
    pub id: u64,
    #[serde(default)]
    payload: serde_json::Value,
}

impl Deployment {
    /// Whether it was created with this payload.
    #[must_use]
    pub fn has_payload(&self, payload: &str) -> bool {
        self.payload.as_str() == Some(payload)
    }
}

impl GitHub {
    /// The deployments of a commit to an environment.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn deployments(&self, commit: &str, environment: &str) -> Result<Vec<Deployment>, Error> {
        let environment = utf8_percent_encode(environment, NON_ALPHANUMERIC);
        let path = format!("/repos/{}/deployments?sha={commit}&environment={environment}", self.repository);
        self.pages(&path, |page: Vec<Deployment>| page).await
    }

    /// Creates a deployment.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn create_deployment(&self, deployment: &NewDeployment) -> Result<Deployment, Error> {
        self.ask(Call::post(format!("/repos/{}/deployments", self.repository), json!(deployment))).await
    }

    /// Gives a deployment a new status. The same status twice does no harm, so it is repeated.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn set_deployment_status(&self, id: u64, status: &DeploymentStatus) -> Result<(), Error> {
        let path = format!("/repos/{}/deployments/{id}/statuses", self.repository);
        self.tell(Call::post(path, json!(status)).repeatable()).await
    }
}
