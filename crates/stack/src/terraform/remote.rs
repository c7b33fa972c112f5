//! HCP Terraform and Terraform Enterprise: the outputs of a workspace's current state.
//!
//! Two requests, and one more for each sensitive output that was asked for; the terraform program sends six and one for every
//! sensitive output there is. Source: `internal/cloud/state.go`.

use std::collections::BTreeMap;

use api::{Base, Client, Deadline, Error, ServiceError};
use fault::{Fault, Kind, Result};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::json::{Json, parse};
use crate::outputs::{Dialect, Outputs, StackOutput};
use crate::value::{SecretValue, Value};

/// The most pages of outputs that are read.
const PAGES: usize = 100;

/// The API at one host.
#[derive(Clone, Debug)]
pub struct Remote {
    client: Client,
}

#[derive(Deserialize)]
struct Answer<T> {
    data: T,
    #[serde(default)]
    meta: Meta,
}

#[derive(Deserialize, Default)]
struct Meta {
    #[serde(default)]
    pagination: Pagination,
}

#[derive(Deserialize, Default)]
struct Pagination {
    #[serde(rename = "next-page")]
    next: Option<u32>,
}

#[derive(Deserialize)]
struct Workspace {
    id: String,
}

#[derive(Deserialize)]
struct Item {
    id: String,
    attributes: Attributes,
}

#[derive(Deserialize)]
struct Attributes {
    name: String,
    #[serde(default)]
    sensitive: bool,
    value: Option<Box<RawValue>>,
    #[serde(rename = "detailed-type")]
    constraint: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Errors {
    errors: Vec<ErrorItem>,
}

#[derive(Deserialize)]
struct ErrorItem {
    title: Option<String>,
    detail: Option<String>,
    status: Option<String>,
}

impl Remote {
    /// The API of `https://<host>/api/v2`, or of a loopback address.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn new(base: Base, token: SecretString, deadline: Deadline) -> Result<Self> {
        Ok(Self { client: Client::new("HCP Terraform", base, deadline)?.bearer(token).errors(decode) })
    }

    /// The outputs of a workspace. A sensitive value is [`SecretValue::Encrypted`] with the id of its output, for
    /// [`Remote::sensitive`].
    ///
    /// # Errors
    /// [`Kind::Failed`] if the workspace does not exist or is not visible to the token.
    pub async fn outputs(&self, organization: &str, workspace: &str) -> Result<Outputs> {
        let path = format!("/api/v2/organizations/{organization}/workspaces/{workspace}");
        let found: Answer<Workspace> = self.read(&path, None, workspace).await?;
        let path = format!("/api/v2/workspaces/{}/current-state-version-outputs", found.data.id);
        let (mut named, mut page) = (BTreeMap::new(), Some(1));
        for _ in 0..PAGES {
            let Some(number) = page else { break };
            let listed: Answer<Vec<Item>> = self.read(&path, Some(number), workspace).await?;
            for item in listed.data {
                named.insert(item.attributes.name.clone(), output(item)?);
            }
            page = listed.meta.pagination.next;
        }
        if named.is_empty() {
            return Ok(Outputs::nothing(Dialect::Terraform, "it has no outputs: nothing was applied, or all are null"));
        }
        Ok(Outputs::new(Dialect::Terraform, named))
    }

    /// The value of the sensitive output with that id, as JSON text.
    ///
    /// # Errors
    /// [`Kind::Permission`] if the token may not read it.
    pub async fn sensitive(&self, id: &str) -> Result<Vec<u8>> {
        let path = format!("/api/v2/state-version-outputs/{id}");
        let item: Answer<Item> = self.read(&path, None, id).await?;
        let value = item.data.attributes.value.ok_or_else(|| {
            Fault::permission("HCP Terraform does not show the value of a sensitive output")
                .help("use a token that may read the workspace's state outputs")
        })?;
        Ok(value.get().as_bytes().to_vec())
    }

    async fn read<T: for<'a> Deserialize<'a>>(&self, path: &str, page: Option<u32>, what: &str) -> Result<T> {
        let mut request = self.client.get(path).header("accept", "application/vnd.api+json");
        if let Some(page) = page {
            request = request.query("page[number]", &page.to_string()).query("page[size]", "100");
        }
        request.receive().await.map_err(|error: Error| {
            let fault = Fault::from(error).context(format!("cannot read the workspace `{what}`"));
            match fault.kind {
                Kind::Permission => fault.help("give a token that may read the workspace's state outputs"),
                Kind::Failed => fault.help("check the workspace's name, and that the token may see it"),
                _ => fault,
            }
        })
    }
}

fn output(item: Item) -> Result<StackOutput> {
    let read = |raw: &RawValue| parse(raw.get().as_bytes());
    let constraint: Option<Json> = item.attributes.constraint.as_deref().map(read).transpose()?;
    let value = match item.attributes.value.as_deref() {
        _ if item.attributes.sensitive => Value::Secret(SecretValue::Encrypted(item.id)),
        Some(raw) => Value::from(read(raw)?),
        None => Value::Null,
    };
    Ok(StackOutput { value, constraint })
}

fn decode(body: &[u8]) -> Option<ServiceError> {
    let errors: Errors = serde_json::from_slice(body).ok()?;
    let error = errors.errors.into_iter().next()?;
    let words = [error.title, error.detail].into_iter().flatten().collect::<Vec<_>>().join(": ");
    Some(ServiceError { code: error.status, message: words })
}
