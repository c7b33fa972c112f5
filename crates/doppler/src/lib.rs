//! Doppler's API: the secrets of one config, the exchange of an OIDC identity for a short-lived token, its revocation.
//!
//! Follows the published description of `api.doppler.com` (v3) and what the API was seen to answer. Two facts
//! shape the errors: a token that may not see a config is answered with 400, as a config that does not exist may be; and no status
//! but 408, 429 and 5xx means that the service is unavailable. Values stay inside [`SecretString`] and out of every error.

mod config_ref;
mod failure;
mod rate_limit;
mod read;
mod token;

use std::time::Duration;

use api::{Base, Client, Deadline};
use fault::{Fault, Result};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

pub use config_ref::ConfigRef;
pub use failure::Failure;
use rate_limit::RateLimit;
pub use read::{Fetched, MANAGED, Query};
pub use token::Token;

/// Doppler's address unless `DOPPLER_API_HOST` is set.
pub const API_HOST: &str = "https://api.doppler.com";

/// How long one attempt at one request may take.
const ATTEMPT: Duration = Duration::from_secs(10);

/// A signed-in client.
#[derive(Clone, Debug)]
pub struct Doppler {
    client: Client,
    base: Base,
    token: Token,
    rate_limit: RateLimit,
}

#[derive(Serialize)]
struct Exchange<'a> {
    identity: &'a str,
    token: &'a str,
}

#[derive(Deserialize)]
struct Exchanged {
    token: SecretString,
    expires_at: Option<String>,
}

#[derive(Serialize)]
struct Revoke<'a> {
    token: &'a str,
}

impl Doppler {
    /// A client for the API at `base` that signs with `token`.
    ///
    /// # Errors
    /// [`fault::Kind::Usage`] when HTTPS cannot be set up.
    pub fn new(base: Base, token: Token, deadline: Deadline) -> Result<Self> {
        token.check()?;
        let client = client(base.clone(), deadline)?.bearer(token.value.clone());
        Ok(Self { client, base, token, rate_limit: RateLimit::default() })
    }

    /// Trades a JWT for a short-lived token of the service account identity `identity`.
    ///
    /// # Errors
    /// [`fault::Kind::Permission`] when the identity does not trust the JWT; [`fault::Kind::Temporary`] if Doppler is unreachable.
    pub async fn exchange(base: Base, identity: &str, jwt: &SecretString, deadline: Deadline) -> Result<Self> {
        let client = client(base.clone(), deadline)?;
        let body = Exchange { identity, token: jwt.expose_secret() };
        // Trading the same JWT again is harmless: it gives another short-lived token.
        let request = client.post("/v3/auth/oidc").json(&body).secret(jwt).repeatable().timeout(ATTEMPT);
        let exchanged: Exchanged = request.receive().await.map_err(|error| refused_identity(error, identity))?;
        let expiry = exchanged.expires_at.and_then(|at| at.parse::<Timestamp>().ok());
        let origin = match expiry {
            Some(at) => format!("Doppler identity `{identity}`, valid until {at}"),
            None => format!("Doppler identity `{identity}`"),
        };
        let token = Token::new(exchanged.token, origin);
        token.check()?;
        Ok(Self { client: client.bearer(token.value.clone()), base, token, rate_limit: RateLimit::default() })
    }

    /// Revokes the token that this client signs with.
    ///
    /// # Errors
    /// [`fault::Kind::Temporary`] if Doppler is unreachable, else what it answered.
    pub async fn revoke(&self) -> Result<()> {
        let body = Revoke { token: self.token.value.expose_secret() };
        self.client.post("/v3/auth/revoke").json(&body).repeatable().timeout(ATTEMPT).send().await?;
        Ok(())
    }

    /// The same client under another deadline.
    #[must_use]
    pub fn until(mut self, deadline: Deadline) -> Self {
        self.client = self.client.until(deadline);
        self
    }

    /// The same client, which gives up after so many attempts at connecting.
    #[must_use]
    pub fn reach(mut self, attempts: u32) -> Self {
        self.client = self.client.reach(attempts);
        self
    }

    /// Where the API is.
    #[must_use]
    pub fn base(&self) -> &Base {
        &self.base
    }

    /// The token this client signs with.
    #[must_use]
    pub fn token(&self) -> &Token {
        &self.token
    }
}

fn client(base: Base, deadline: Deadline) -> Result<Client> {
    Ok(Client::new("Doppler", base, deadline)?.errors(failure::decode).advice(failure::advice))
}

fn refused_identity(error: api::Error, identity: &str) -> Fault {
    match error {
        api::Error::Refused(refusal)
            if (400..=499).contains(&refusal.status) && ![408, 429].contains(&refusal.status) =>
        {
            let mut fault: Fault = refusal.into();
            fault.kind = fault::Kind::Permission;
            fault
                .context(format!("Doppler's identity `{identity}` does not accept this job's OIDC token"))
                .help("check the identity's issuer, subject and audience in Doppler, and DOPPLER_IDENTITY_ID")
        }
        other => Fault::from(other).context("cannot sign in to Doppler with this job's OIDC identity"),
    }
}
