//! Finds the credentials of a tool: a variable, else the secret of the same name in Doppler. They are masked before they are returned.
//!
//! `DOPPLER_TOKEN` signs in to Doppler; without it, GitHub's OIDC identity does, with `DOPPLER_IDENTITY_ID` and
//! `id-token: write`: the short-lived token is traded, used for one read and revoked, in one process. Several names are one request.

mod sign_in;

use std::collections::BTreeMap;

use api::Deadline;
use doppler::{ConfigRef, Fetched, Query};
use fault::{Fault, Result};
use redact::Plan;
use runner::Environment;
use secrecy::{ExposeSecret as _, SecretString};

pub use sign_in::{DopplerSession, host, identity_token, sign_in};

/// Called with values to mask, before any of them is handed over: `|values| console.mask(values)`.
pub type Mask<'a> = &'a dyn Fn(&[String]);

/// Where a credential was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FoundIn {
    /// A variable of that name.
    Environment,
    /// A secret of that name in Doppler.
    Doppler,
}

/// A credential that was found.
#[derive(Clone, Debug)]
pub struct Credential {
    /// Its name, the variable's and the secret's.
    pub name: String,
    /// Its value, never blank.
    pub value: SecretString,
    /// Where it was found.
    pub found_in: FoundIn,
}

/// The places credentials are looked for in.
#[derive(Clone, Debug)]
pub struct Credentials {
    environment: Environment,
    deadline: Deadline,
}

impl Credentials {
    /// Looks in `environment`, then in the Doppler config it names, until `deadline`.
    #[must_use]
    pub fn new(environment: &Environment, deadline: Deadline) -> Self {
        Self { environment: environment.clone(), deadline }
    }

    /// The credential `name`, if it exists. If there is nothing to sign in to Doppler with, only the environment is read.
    ///
    /// # Errors
    /// [`fault::Kind::Permission`] when Doppler rejects the token or hides the config; [`fault::Kind::Temporary`] if it is unreachable.
    pub async fn find(&self, name: &str, mask: Mask<'_>) -> Result<Option<Credential>> {
        Ok(self.find_all(&[name], mask).await?.pop())
    }

    /// The credentials among `names` that exist, in the order of `names`, with one request to Doppler at most.
    ///
    /// # Errors
    /// As [`Credentials::find`].
    pub async fn find_all(&self, names: &[&str], mask: Mask<'_>) -> Result<Vec<Credential>> {
        let (given, missing): (Vec<&str>, Vec<&str>) =
            names.iter().partition(|name| self.environment.get(name).is_some());
        let mut found = BTreeMap::new();
        for name in given {
            let value = self.environment.get(name).unwrap_or_default();
            found.insert(
                name,
                Credential { name: name.to_owned(), value: value.into(), found_in: FoundIn::Environment },
            );
        }
        let stored = if missing.is_empty() { Vec::new() } else { self.stored(&missing).await? };
        for (name, value) in &stored {
            let value = value.clone();
            found.insert(name, Credential { name: name.clone(), value, found_in: FoundIn::Doppler });
        }
        let mut plan = Plan::new();
        for credential in found.values() {
            plan.add(&credential.name, credential.value.expose_secret());
        }
        mask(&plan.masks());
        Ok(names.iter().filter_map(|name| found.remove(name)).collect())
    }

    /// The credential `name`, which the tool cannot do without.
    ///
    /// # Errors
    /// As [`Credentials::find`]; also [`fault::Kind::Permission`] if it was not found, with the places that were searched.
    pub async fn require(&self, name: &str, mask: Mask<'_>) -> Result<Credential> {
        self.find(name, mask).await?.ok_or_else(|| self.missing(name))
    }

    /// The error for a credential `name` that was not found, with advice; for callers that need one of several.
    #[must_use]
    pub fn missing(&self, name: &str) -> Fault {
        let fault = Fault::permission(format!("the credential {name} is missing"));
        if sign_in::can(&self.environment) {
            let place = self.place();
            fault
                .cause(format!("neither a variable nor a secret of that name in Doppler ({place})"))
                .help(format!("add {name} to Doppler ({place}), or set the variable {name}"))
        } else {
            fault.cause("no variable of that name, and no DOPPLER_TOKEN to ask Doppler with").help(format!(
                "set {name}, or set DOPPLER_TOKEN so that {name} is read from Doppler (in Actions: `env:` with `${{{{ secrets.DOPPLER_TOKEN }}}}`)"
            ))
        }
    }

    /// The secrets among `names` that Doppler has, blank ones left out. Empty if there is nothing to sign in with.
    async fn stored(&self, names: &[&str]) -> Result<Vec<(String, SecretString)>> {
        let Some(session) = sign_in(&self.environment, self.deadline).await? else { return Ok(Vec::new()) };
        let query = Query { names: names.iter().map(|&name| name.to_owned()).collect(), ..Query::default() };
        let answer = session.doppler().download(&self.place(), &query).await;
        session.end().await;
        let Fetched::New { secrets, .. } = answer? else { return Ok(Vec::new()) };
        secrets
            .into_iter()
            .filter(|secret| names.contains(&secret.name.as_str()))
            .map(value)
            .filter_map(Result::transpose)
            .collect()
    }

    fn place(&self) -> ConfigRef {
        let text = |name: &str| self.environment.get(name).map(str::to_owned);
        ConfigRef { project: text("DOPPLER_PROJECT"), config: text("DOPPLER_CONFIG") }
    }
}

/// The value, or `None` if it is blank. A value that Doppler withholds from this token is an error.
fn value(secret: secrets::Secret) -> Result<Option<(String, SecretString)>> {
    match secret.value {
        Some(value) if value.expose_secret().trim().is_empty() => Ok(None),
        Some(value) => Ok(Some((secret.name, value))),
        None => Err(Fault::permission(format!("Doppler has {} but does not show it to this token", secret.name))
            .cause("its visibility is restricted, and the token is a personal or CLI token")
            .help("use a service token or a service account in DOPPLER_TOKEN")),
    }
}
