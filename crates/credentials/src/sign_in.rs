//! Signing in to Doppler: with a token, or with this job's OIDC identity for the length of one read.

use std::time::Duration;

use api::{Base, Client, Deadline};
use doppler::{Doppler, Token};
use fault::{Fault, Result};
use runner::Environment;
use runner::oidc::IdTokenRequest;
use secrecy::SecretString;
use serde::Deserialize;

/// How long the revocation of a short-lived token may take: the token expires soon anyway.
const REVOKE: Duration = Duration::from_secs(5);

/// How often a Doppler that cannot be connected to is tried, in some ten seconds. A restart or a lost route is over by then; what lasts longer
/// is a wrong address or no network, and a deploy that needs one secret should not take a minute to fail.
const REACH: u32 = 6;

/// A signed-in client, and whether its token has to be revoked.
#[derive(Debug)]
pub struct DopplerSession {
    doppler: Doppler,
    short_lived: bool,
}

impl DopplerSession {
    /// A session that signs with the user's own token, which is never revoked.
    #[must_use]
    pub fn of(doppler: Doppler) -> Self {
        Self { doppler, short_lived: false }
    }

    /// Trades this job's OIDC token, asked for with `request`, for a short-lived token of `identity`.
    ///
    /// # Errors
    /// [`fault::Kind::Permission`] when GitHub or Doppler refuse; [`fault::Kind::Temporary`] if one of them is unreachable.
    pub async fn trade(request: &IdTokenRequest, identity: &str, base: Base, deadline: Deadline) -> Result<Self> {
        let jwt = identity_token(request, deadline).await?;
        Ok(Self { doppler: Doppler::exchange(base, identity, &jwt, deadline).await?, short_lived: true })
    }

    /// The client.
    #[must_use]
    pub fn doppler(&self) -> &Doppler {
        &self.doppler
    }

    /// Revokes a short-lived token. Returns `false` if that failed, which is not an error: the token expires soon.
    pub async fn end(self) -> bool {
        !self.short_lived || self.doppler.until(Deadline::after(REVOKE)).revoke().await.is_ok()
    }
}

/// The address of Doppler's API: `DOPPLER_API_HOST`, else its own.
///
/// # Errors
/// [`fault::Kind::Usage`] for anything but https, or http to loopback.
pub fn host(environment: &Environment) -> Result<Base> {
    match environment.get("DOPPLER_API_HOST") {
        Some(host) => host.parse().map_err(|fault: Fault| fault.context("DOPPLER_API_HOST cannot be used")),
        None => doppler::API_HOST.parse(),
    }
}

/// Signs in with `DOPPLER_TOKEN`, else with `DOPPLER_IDENTITY_ID` and this job's OIDC token; `None` if neither is set.
///
/// # Errors
/// [`fault::Kind::Permission`] when GitHub or Doppler refuse; [`fault::Kind::Temporary`] if one of them is unreachable.
pub async fn sign_in(environment: &Environment, deadline: Deadline) -> Result<Option<DopplerSession>> {
    if let Some(token) = environment.get("DOPPLER_TOKEN") {
        let token = Token::new(token.into(), "DOPPLER_TOKEN");
        return Ok(Some(DopplerSession::of(Doppler::new(host(environment)?, token, deadline)?.reach(REACH))));
    }
    let Some(identity) = environment.get("DOPPLER_IDENTITY_ID") else { return Ok(None) };
    let Some(request) = IdTokenRequest::of(environment, None) else {
        return Err(Fault::permission(format!("this job cannot identify itself to Doppler as `{identity}`"))
            .cause("GitHub offers no OIDC token to this step")
            .help("give the job `permissions: id-token: write`, or set DOPPLER_TOKEN"));
    };
    Ok(Some(DopplerSession::trade(&request, identity, host(environment)?, deadline).await?))
}

/// Whether there is a token or an identity to sign in with.
pub(crate) fn can(environment: &Environment) -> bool {
    environment.get("DOPPLER_TOKEN").or(environment.get("DOPPLER_IDENTITY_ID")).is_some()
}

#[derive(Deserialize)]
struct Answer {
    value: SecretString,
}

/// This job's OIDC token, a JWT from the runner's service, for any service that trusts it.
///
/// # Errors
/// [`fault::Kind::Permission`] when GitHub refuses; [`fault::Kind::Temporary`] if it is unreachable.
pub async fn identity_token(request: &IdTokenRequest, deadline: Deadline) -> Result<SecretString> {
    let failed = |fault: Fault| fault.context("GitHub gave this job no OIDC token");
    let (address, query) = request.url.split_once('?').unwrap_or((&request.url, ""));
    let base: Base = address.parse().map_err(failed)?;
    let client = Client::new("GitHub's OIDC service", base, deadline)?.bearer(request.bearer.as_str().into());
    // The address comes with its query, already encoded; the path of the request is that query alone.
    let path = if query.is_empty() { String::new() } else { format!("?{query}") };
    let mut asked = client.get(&path);
    if let Some(audience) = &request.audience {
        asked = asked.query("audience", audience);
    }
    let answer: Answer = asked.receive().await.map_err(|error| failed(error.into()))?;
    Ok(answer.value)
}
