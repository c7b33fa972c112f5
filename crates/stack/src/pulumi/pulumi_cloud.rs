//! Pulumi Cloud's API, as far as reading outputs needs it.
//!
//! Source: pulumi/pulumi `pkg/backend/httpstate/client`. The direct `outputs` call is from September 2026. Self-hosted servers
//! may not have it; then the whole state is read.

use std::collections::BTreeMap;
use std::fmt;

use api::{Base, Client, Deadline, Error, Request, ServiceError};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fault::{Fault, Kind, Result};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::json;

use super::project::is_name;
use crate::document::from_pulumi_cloud;
use crate::{Decryption, Outputs, StackDocument, source};

/// The most ciphertexts per request, as in the pulumi program.
const BATCH: usize = 1000;

/// The header in which any response may carry a warning.
const WARNING: &str = "x-pulumi-warning";

/// A stack under its full name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackName {
    /// The organization or user.
    pub organization: String,
    /// The project.
    pub project: String,
    /// The stack.
    pub stack: String,
}

impl StackName {
    /// A name that comes from a state or a variable. It becomes part of a URL, so it is checked.
    ///
    /// # Errors
    /// [`Kind::Usage`] if it is not a valid name of a stack.
    pub fn new(organization: &str, project: &str, stack: &str) -> Result<Self> {
        let name = Self { organization: organization.to_owned(), project: project.to_owned(), stack: stack.to_owned() };
        if [organization, project, stack].into_iter().all(is_name) {
            return Ok(name);
        }
        Err(Fault::usage(format!("`{}` is not the name of a stack", name.to_string().escape_debug())))
    }
}

impl fmt::Display for StackName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}/{}", self.organization, self.project, self.stack)
    }
}

/// The API at one address, with a token.
#[derive(Clone, Debug)]
pub struct PulumiClient {
    client: Client,
    token: SecretString,
}

impl PulumiClient {
    /// The API at `base`.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn new(base: Base, token: SecretString, deadline: Deadline) -> Result<Self> {
        Ok(Self { client: Client::new("Pulumi Cloud", base, deadline)?.errors(decode), token })
    }

    /// The outputs of a stack, as of its last completed update. Warnings of the service are passed to `warn`.
    ///
    /// # Errors
    /// [`Kind::Failed`] if the stack does not exist or is not visible to the token; [`Kind::Permission`], [`Kind::Temporary`].
    pub async fn outputs(&self, name: &StackName, warn: &dyn Fn(&str)) -> Result<Outputs> {
        let direct = self.signed(self.client.get(&path(name, "outputs"))).send().await;
        match direct {
            Ok(response) => {
                response.headers.get_all(WARNING).iter().filter_map(|text| text.to_str().ok()).for_each(warn);
                from_pulumi_cloud(&response.body).map_err(|fault| fault.context(unexpected(name)))
            }
            Err(Error::Refused(refusal)) if refusal.status == 404 => self.export(name, warn).await,
            Err(error) => Err(fault(error, name)),
        }
    }

    async fn export(&self, name: &StackName, warn: &dyn Fn(&str)) -> Result<Outputs> {
        let answer = self.signed(self.client.get(&path(name, "export"))).open().await;
        let answer = answer.map_err(|error| fault(error, name))?;
        answer.headers().get_all(WARNING).iter().filter_map(|text| text.to_str().ok()).for_each(warn);
        match source::answer(answer, &format!("the state of {name}"), Decryption::Wanted).await? {
            Some(StackDocument::Outputs(outputs)) => Ok(outputs),
            Some(StackDocument::Encrypted(_)) | None => Err(Fault::temporary(unexpected(name))),
        }
    }

    /// The plaintexts of `ciphertexts`, which the service encrypted for the stack `name`.
    ///
    /// # Errors
    /// [`Kind::Permission`] if the token may not decrypt; [`Kind::Failed`] if the service cannot decrypt them.
    pub async fn decrypt(&self, name: &StackName, ciphertexts: &[String]) -> Result<BTreeMap<String, Vec<u8>>> {
        let mut plaintexts = BTreeMap::new();
        for batch in ciphertexts.chunks(BATCH) {
            let body = json!({ "ciphertexts": batch });
            let request = self.signed(self.client.post(&path(name, "batch-decrypt"))).json(&body).repeatable();
            let opened: Opened = request.receive().await.map_err(|error| fault(error, name))?;
            for ciphertext in batch {
                let plaintext = opened.plaintexts.get(ciphertext).and_then(|text| STANDARD.decode(text).ok());
                let plaintext = plaintext.ok_or_else(|| Fault::temporary(unexpected(name)))?;
                plaintexts.insert(ciphertext.clone(), plaintext);
            }
        }
        Ok(plaintexts)
    }

    /// Records in the audit log that secrets of the stack were decrypted, as the pulumi program does. A failure is ignored: the
    /// secrets are decrypted already, and servers may not know the call.
    pub async fn log_decryption(&self, name: &StackName) {
        let body = json!({ "commandName": "stack-output" });
        let request = self.signed(self.client.post(&path(name, "decrypt/log-batch-decryption"))).json(&body);
        let _ = request.send().await;
    }

    /// The user's name, which is the organization of a stack that is named without one.
    ///
    /// # Errors
    /// The errors of any call; [`Kind::Temporary`] for a response without a name.
    pub async fn user(&self) -> Result<String> {
        let user: User = self.signed(self.client.get("/api/user")).receive().await.map_err(Fault::from)?;
        Ok(user.name)
    }

    fn signed(&self, request: Request) -> Request {
        // Exposed to sign in.
        let authorization = format!("token {}", self.token.expose_secret());
        request.header("authorization", &authorization).header("accept", "application/vnd.pulumi+8")
    }
}

fn fault(error: Error, name: &StackName) -> Fault {
    let fault = Fault::from(error);
    let help = match fault.kind {
        Kind::Permission => Some("give PULUMI_ACCESS_TOKEN a token that may read this stack"),
        Kind::Failed => {
            Some("check the stack's name, organization/project/stack, and that the token's owner may see it")
        }
        _ => None,
    };
    let fault = fault.context(format!("cannot read the stack `{name}`"));
    match help {
        Some(help) => fault.help(help),
        None => fault,
    }
}

#[derive(Deserialize)]
struct Opened {
    plaintexts: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct User {
    #[serde(rename = "githubLogin")]
    name: String,
}

#[derive(Deserialize)]
struct Envelope {
    code: Option<i64>,
    message: String,
}

fn decode(body: &[u8]) -> Option<ServiceError> {
    let envelope: Envelope = serde_json::from_slice(body).ok()?;
    Some(ServiceError { code: envelope.code.map(|code| code.to_string()), message: envelope.message })
}

fn path(name: &StackName, call: &str) -> String {
    format!("/api/stacks/{}/{}/{}/{call}", name.organization, name.project, name.stack)
}

fn unexpected(name: &StackName) -> String {
    format!("Pulumi Cloud's answer about the stack `{name}` is not what its API promises")
}
