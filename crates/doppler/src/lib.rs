//! Doppler's API: the secrets of one config, the exchange of an OIDC identity for a short-lived token, its revocation.
//!
//! Follows the published description of `api.doppler.com` (v3) and what the API was seen to answer. Two facts
//! shape the errors: a token that may not see a config is answered with 400, as a config that does not exist may be; and no status
//! but 408, 429 and 5xx means that the service is away. Values stay inside [`SecretString`] and out of every error.

mod failure;
mod pace;
mod read;

use std::time::Duration;

use api::{Base, Client, Deadline};
use fault::{Fault, Result};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

pub use failure::Failure;
use pace::Pace;
pub use read::{Fetched, MANAGED, Query};

/// Where Doppler lives unless `DOPPLER_API_HOST` says otherwise.
pub const API_HOST: &str = "https://api.doppler.com";

/// How long one attempt at one request may take.
const ATTEMPT: Duration = Duration::from_secs(10);

/// A token with the place it came from, which errors name; its kind is in its prefix (`dp.st.` and so on).
#[derive(Clone, Debug)]
pub struct Token {
    /// The token.
    pub value: SecretString,
    /// Where it came from: `DOPPLER_TOKEN`, a file, a command-line option.
    pub origin: String,
}

impl Token {
    /// A token and the place it came from.
    #[must_use]
    pub fn new(value: SecretString, origin: impl Into<String>) -> Self {
        Self { value, origin: origin.into() }
    }

    /// Whether this kind of token needs a project and a config: all but service tokens (`dp.st.`), which know theirs.
    #[must_use]
    pub fn needs_place(&self) -> bool {
        let text = self.value.expose_secret();
        ["dp.sa.", "dp.said.", "dp.pt.", "dp.ct."].iter().any(|prefix| text.starts_with(prefix))
    }

    /// The config a service token names in itself (`dp.st.<config>.`): a hint for errors, not a proof.
    #[must_use]
    pub fn config_hint(&self) -> Option<&str> {
        let rest = self.value.expose_secret().strip_prefix("dp.st.")?;
        rest.split_once('.').map(|(config, _)| config).filter(|config| {
            (2..=60).contains(&config.len())
                && config
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte))
        })
    }
}

/// Which secrets: a project's config. A service token needs neither.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The project's slug.
    pub project: Option<String>,
    /// The config's slug.
    pub config: Option<String>,
}

impl std::fmt::Display for Place {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.project, &self.config) {
            (Some(project), Some(config)) => write!(out, "project `{project}`, config `{config}`"),
            (Some(project), None) => write!(out, "project `{project}`"),
            (None, Some(config)) => write!(out, "config `{config}`"),
            (None, None) => out.write_str("the token's own config"),
        }
    }
}

/// A signed-in client.
#[derive(Clone, Debug)]
pub struct Doppler {
    client: Client,
    base: Base,
    token: Token,
    pace: Pace,
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
        check(&token)?;
        let client = client(base.clone(), deadline)?.bearer(token.value.clone());
        Ok(Self { client, base, token, pace: Pace::default() })
    }

    /// Trades a JWT for a short-lived token of the service account identity `identity`.
    ///
    /// # Errors
    /// [`fault::Kind::Permission`] when the identity does not trust the JWT; [`fault::Kind::Temporary`] when Doppler is away.
    pub async fn exchange(base: Base, identity: &str, jwt: &SecretString, deadline: Deadline) -> Result<Self> {
        let client = client(base.clone(), deadline)?;
        let body = Exchange { identity, token: jwt.expose_secret() };
        // Trading the same JWT again gives another short-lived token and harms nothing.
        let request = client.post("/v3/auth/oidc").json(&body).secret(jwt).repeatable().timeout(ATTEMPT);
        let exchanged: Exchanged = request.receive().await.map_err(|error| refused_identity(error, identity))?;
        let expiry = exchanged.expires_at.and_then(|at| at.parse::<Timestamp>().ok());
        let origin = match expiry {
            Some(at) => format!("Doppler identity `{identity}`, valid until {at}"),
            None => format!("Doppler identity `{identity}`"),
        };
        let token = Token::new(exchanged.token, origin);
        check(&token)?;
        Ok(Self { client: client.bearer(token.value.clone()), base, token, pace: Pace::default() })
    }

    /// Ends the life of the token this client signs with.
    ///
    /// # Errors
    /// [`fault::Kind::Temporary`] when Doppler is away, else what it answered.
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

/// A token that no header can carry never leaves the machine.
fn check(token: &Token) -> Result<()> {
    let sound = token.value.expose_secret().bytes().all(|byte| byte.is_ascii_graphic());
    if sound && !token.value.expose_secret().is_empty() {
        return Ok(());
    }
    Err(Fault::permission(format!(
        "the token from {} is not one: it is empty, or holds blanks or other bytes",
        token.origin
    ))
    .help(format!("set {} to the token alone, without quotes, blanks or a line end", token.origin)))
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

#[cfg(test)]
mod tests {
    use super::{Place, Token};

    fn token(text: &str) -> Token {
        Token::new(text.into(), "DOPPLER_TOKEN")
    }

    #[test]
    fn a_service_token_may_name_its_config() {
        assert_eq!(token("dp.st.dev.abc").config_hint(), Some("dev"));
        assert_eq!(token("dp.st.abc").config_hint(), None);
        assert_eq!(token("dp.sa.abc").config_hint(), None);
    }

    #[test]
    fn only_service_tokens_know_their_config() {
        assert!(!token("dp.st.dev.abc").needs_place());
        assert!(token("dp.said.abc").needs_place());
    }

    #[test]
    fn a_token_with_a_line_end_is_refused_before_it_is_sent() {
        let fault = super::check(&token("dp.st.abc\n")).unwrap_err();
        assert_eq!(fault.kind, fault::Kind::Permission);
        assert!(!format!("{fault:?}").contains("abc"));
    }

    #[test]
    fn a_place_says_what_it_knows() {
        assert_eq!(Place::default().to_string(), "the token's own config");
    }
}
