//! Tokens of Entra ID (Azure Active Directory): an application's, by its secret or by another provider's token; a machine's own.
//!
//! Source: the Microsoft identity platform, "OAuth 2.0 client credentials flow", and "managed identities … How to use … tokens".

use std::time::Duration;

use api::{Base, Client, Deadline, Error};
use fault::{Fault, Kind, Result};
use secrecy::SecretString;
use serde::Deserialize;

use crate::text::{FORM, exposed, form, oauth_error};

const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The audience that a token of another provider must have.
pub const AUDIENCE: &str = "api://AzureADTokenExchange";

/// The service is one network hop away: if it does not answer at once, it does not exist.
const PATIENCE: Duration = Duration::from_secs(1);

/// An application (service principal, or user-assigned identity) of a tenant.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Where it signs in: [`super::Cloud::authority`].
    pub authority: String,
    /// Its tenant.
    pub tenant: String,
    /// Its id.
    pub client: String,
    /// How it proves who it is.
    pub proof: Proof,
}

/// How an application proves who it is.
#[derive(Clone, Debug)]
pub enum Proof {
    /// With its client secret.
    Secret(SecretString),
    /// With a token of a provider that it trusts.
    Federated(SecretString),
}

#[derive(Deserialize)]
struct Issued {
    access_token: SecretString,
}

impl Identity {
    /// A token for `resource`, such as [`super::STORAGE`].
    ///
    /// # Errors
    /// [`Kind::Permission`] when the application is not known, or its proof is refused.
    pub async fn token(&self, resource: &str, deadline: Deadline) -> Result<SecretString> {
        let about = |fault: Fault| fault.context(format!("Azure gave no token for the application {}", self.client));
        let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
        if !is_plain(&self.tenant) || self.tenant.is_empty() {
            return Err(about(Fault::usage(format!("`{}` is not a tenant", self.tenant.escape_debug()))));
        }
        let base: Base = self.authority.parse().map_err(about)?;
        let scope = format!("{resource}/.default");
        let mut fields = vec![("grant_type", "client_credentials"), ("client_id", &self.client), ("scope", &scope)];
        match &self.proof {
            Proof::Secret(secret) => fields.push(("client_secret", exposed(secret))),
            Proof::Federated(token) => {
                fields.extend([("client_assertion_type", ASSERTION), ("client_assertion", exposed(token))]);
            }
        }
        let client = Client::new("Entra ID", base, deadline)?.errors(oauth_error);
        let request = client.post(&format!("/{}/oauth2/v2.0/token", self.tenant)).body(FORM, form(&fields));
        let issued: Issued =
            request.repeatable().receive().await.map_err(|error| about(refused(error, &self.proof)))?;
        Ok(issued.access_token)
    }
}

/// OAuth answers 400 to an unknown client.
fn refused(error: Error, proof: &Proof) -> Fault {
    let is_refused = matches!(&error, Error::Refused(refusal) if (400..500).contains(&refusal.status));
    let fault = Fault::from(error);
    if !is_refused || !matches!(fault.kind, Kind::Failed | Kind::Permission) {
        return fault;
    }
    let fault = Fault { kind: Kind::Permission, ..fault };
    match proof {
        Proof::Secret(_) => fault.help("check the tenant, the client id and the client secret"),
        Proof::Federated(_) => {
            fault.help("give the application a federated credential for this repository and branch or environment")
        }
    }
}

/// The identity that Azure gives to a machine.
#[derive(Clone, Debug)]
pub struct Machine {
    /// The metadata service, [`Machine::SERVER`] unless a variable names another; with its path.
    pub endpoint: String,
    /// Which of several identities.
    pub client: Option<String>,
}

impl Machine {
    /// The address of the metadata service.
    pub const SERVER: &str = "http://169.254.169.254/metadata/identity/oauth2/token";
}

/// Fetches a token of the machine's identity; `None` if there is no metadata service or no identity.
pub async fn machine_token(machine: &Machine, resource: &str, deadline: Deadline) -> Option<SecretString> {
    let client = Client::new("Azure's metadata service", Base::nearby(&machine.endpoint).ok()?, deadline).ok()?;
    let request = client.get("").header("metadata", "true").once().timeout(PATIENCE);
    let request = request.query("api-version", "2018-02-01").query("resource", resource);
    let request = match &machine.client {
        Some(client) => request.query("client_id", client),
        None => request,
    };
    let issued: Issued = request.receive().await.ok()?;
    Some(issued.access_token)
}
