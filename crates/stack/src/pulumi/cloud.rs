//! Pulumi Cloud's API, as far as reading outputs needs it.
//!
//! Source: pulumi/pulumi `pkg/backend/httpstate/client`; the direct `outputs` call is from September 2026, so that servers of
//! one's own may not have it and the whole state is read instead.

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
use crate::outputs::of_cloud;
use crate::{Document, Outputs, Secrets, source};

/// As many as the pulumi program sends at once.
const BATCH: usize = 1000;

/// What the service warns of, on any answer.
const WARNING: &str = "x-pulumi-warning";

/// A stack under its full name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// Organization, or a user.
    pub organization: String,
    /// Project.
    pub project: String,
    /// Stack.
    pub stack: String,
}

impl Name {
    /// A name that a state or a variable gave, which becomes a part of an address.
    ///
    /// # Errors
    /// [`Kind::Usage`] for what no stack can be called.
    pub fn new(organization: &str, project: &str, stack: &str) -> Result<Self> {
        let name = Self { organization: organization.to_owned(), project: project.to_owned(), stack: stack.to_owned() };
        if [organization, project, stack].into_iter().all(is_name) {
            return Ok(name);
        }
        Err(Fault::usage(format!("`{}` is not the name of a stack", name.to_string().escape_debug())))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}/{}", self.organization, self.project, self.stack)
    }
}

/// The API at one address, with a token.
#[derive(Clone, Debug)]
pub struct Cloud {
    client: Client,
    token: SecretString,
}

impl Cloud {
    /// The API at `base`.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn new(base: Base, token: SecretString, deadline: Deadline) -> Result<Self> {
        Ok(Self { client: Client::new("Pulumi Cloud", base, deadline)?.errors(decode), token })
    }

    /// The outputs of a stack, as of its last update that completed. `warn` is given what the service has to say besides.
    ///
    /// # Errors
    /// [`Kind::No`] for a stack that is not there or not visible to the token; [`Kind::Permission`], [`Kind::Temporary`].
    pub async fn outputs(&self, name: &Name, warn: &dyn Fn(&str)) -> Result<Outputs> {
        let direct = self.signed(self.client.get(&path(name, "outputs"))).send().await;
        match direct {
            Ok(response) => {
                response.headers.get_all(WARNING).iter().filter_map(|text| text.to_str().ok()).for_each(warn);
                of_cloud(&response.body).map_err(|fault| fault.context(unexpected(name)))
            }
            Err(Error::Refused(refusal)) if refusal.status == 404 => self.export(name, warn).await,
            Err(error) => Err(fault(error, name)),
        }
    }

    async fn export(&self, name: &Name, warn: &dyn Fn(&str)) -> Result<Outputs> {
        let answer = self.signed(self.client.get(&path(name, "export"))).open().await;
        let answer = answer.map_err(|error| fault(error, name))?;
        answer.headers().get_all(WARNING).iter().filter_map(|text| text.to_str().ok()).for_each(warn);
        match source::answer(answer, &format!("the state of {name}"), Secrets::Wanted).await? {
            Some(Document::Outputs(outputs)) => Ok(outputs),
            Some(Document::Encrypted(_)) | None => Err(Fault::temporary(unexpected(name))),
        }
    }

    /// The plaintexts of `ciphertexts`, which the service sealed for the stack `name`.
    ///
    /// # Errors
    /// [`Kind::Permission`] when the token may not decrypt; [`Kind::No`] for what the service cannot open.
    pub async fn decrypt(&self, name: &Name, ciphertexts: &[String]) -> Result<BTreeMap<String, Vec<u8>>> {
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

    /// Tells the audit log that secrets of the stack were opened, as the pulumi program does. A service that does not know the
    /// call, or refuses it, does not keep anybody from secrets that were opened already.
    pub async fn log_decryption(&self, name: &Name) {
        let body = json!({ "commandName": "stack-output" });
        let request = self.signed(self.client.post(&path(name, "decrypt/log-batch-decryption"))).json(&body);
        // Nothing to do about a failure.
        let _ = request.send().await;
    }

    /// The organization that a bare stack's name belongs to: the user's own.
    ///
    /// # Errors
    /// As any call; [`Kind::Temporary`] for an answer without a name.
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

fn fault(error: Error, name: &Name) -> Fault {
    let fault = Fault::from(error);
    let help = match fault.kind {
        Kind::Permission => Some("give PULUMI_ACCESS_TOKEN a token that may read this stack"),
        Kind::No => Some("check the stack's name, organization/project/stack, and that the token's owner may see it"),
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

fn path(name: &Name, call: &str) -> String {
    format!("/api/stacks/{}/{}/{}/{call}", name.organization, name.project, name.stack)
}

fn unexpected(name: &Name) -> String {
    format!("Pulumi Cloud's answer about the stack `{name}` is not what its API promises")
}
