//! Exchanges this job's identity token (OIDC) for a Pulumi Cloud access token, which is valid for 15 minutes and stored nowhere.
//!
//! Source: Pulumi Cloud's REST API, "OAuth Token Exchange" (RFC 8693); pulumi/auth-actions `src/oauth2.ts`.

use api::{Base, Client, Deadline, Error, ServiceError};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fault::{Fault, Kind, Result};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use url::form_urlencoded::Serializer;

use crate::json;

/// How long the token is to be good for: one call of this program, with room for clocks that differ.
const SECONDS: &str = "900";

/// The owner of the requested token, within the organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenOwner {
    /// The organization.
    Organization,
    /// A team.
    Team(String),
    /// A member.
    User(String),
}

impl TokenOwner {
    fn kind(&self) -> &'static str {
        match self {
            Self::Organization => "organization",
            Self::Team(_) => "team",
            Self::User(_) => "personal",
        }
    }

    fn scope(&self) -> Option<String> {
        match self {
            Self::Organization => None,
            Self::Team(name) => Some(format!("team:{name}")),
            Self::User(name) => Some(format!("user:{name}")),
        }
    }
}

/// The audience with which the identity token has to be requested.
#[must_use]
pub fn audience(organization: &str) -> String {
    format!("urn:pulumi:org:{organization}")
}

/// Exchanges `identity`, a JWT, for an access token of the service at `base`.
///
/// # Errors
/// [`Kind::Permission`] if the organization does not trust the issuer or no policy allows it; the errors of any call.
pub async fn exchange(
    base: Base,
    organization: &str,
    owner: &TokenOwner,
    identity: &SecretString,
    deadline: Deadline,
) -> Result<SecretString> {
    let audience = audience(organization);
    let mut form = Serializer::new(String::new());
    form.append_pair("audience", &audience)
        .append_pair("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange")
        .append_pair("subject_token_type", "urn:ietf:params:oauth:token-type:id_token")
        .append_pair("requested_token_type", &format!("urn:pulumi:token-type:access_token:{}", owner.kind()))
        .append_pair("expiration", SECONDS)
        // Exposed to be exchanged.
        .append_pair("subject_token", identity.expose_secret());
    if let Some(scope) = owner.scope() {
        form.append_pair("scope", &scope);
    }
    let client = Client::new("Pulumi Cloud", base, deadline)?.errors(decode);
    // Safe to repeat: a second token is as good as the first, and both expire.
    let request = client.post("/api/oauth/token").repeatable();
    let request = request.body("application/x-www-form-urlencoded", form.finish().into_bytes());
    let answer: Answer = request.receive().await.map_err(|error| refused(error, organization, owner, identity))?;
    Ok(answer.access_token)
}

#[derive(Deserialize)]
struct Answer {
    access_token: SecretString,
}

fn refused(error: Error, organization: &str, owner: &TokenOwner, identity: &SecretString) -> Fault {
    let is_no = matches!(&error, Error::Refused(refusal) if matches!(refusal.status, 400..=404));
    let fault = Fault::from(error)
        .context(format!("Pulumi Cloud did not give this job a token of the organization `{organization}`"));
    if !is_no {
        return fault;
    }
    let kind = owner.kind();
    // Exposed to read the job's name from it: only the signature is secret.
    let subject = subject(identity.expose_secret()).unwrap_or_else(|| "unknown".to_owned());
    Fault { kind: Kind::Permission, ..fault }
        .cause(format!("the job is `{}` for the audience `{}`", subject.escape_debug(), audience(organization)))
        .help(format!(
            "in Pulumi Cloud, under Access Management, OIDC Issuers of `{organization}`, register \
             https://token.actions.githubusercontent.com and allow {kind} tokens for that audience and subject"
        ))
}

/// The claim `sub` of a JWT.
fn subject(jwt: &str) -> Option<String> {
    let payload = URL_SAFE_NO_PAD.decode(jwt.split('.').nth(1)?).ok()?;
    json::parse(&payload).ok()?.text_of("sub").map(str::to_owned)
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Refusal {
    OAuth { error: String, error_description: Option<String> },
    Own { code: i64, message: String },
}

fn decode(body: &[u8]) -> Option<ServiceError> {
    Some(match serde_json::from_slice(body).ok()? {
        Refusal::OAuth { error, error_description } => {
            ServiceError { code: Some(error), message: error_description.unwrap_or_default() }
        }
        Refusal::Own { code, message } => ServiceError { code: Some(code.to_string()), message },
    })
}

#[cfg(test)]
mod tests {
    use super::subject;

    #[test]
    fn a_jobs_name_is_read_from_its_identity_token() {
        // {"sub":"repo:acme/shop:ref:refs/heads/main"}
        let payload = "eyJzdWIiOiJyZXBvOmFjbWUvc2hvcDpyZWY6cmVmcy9oZWFkcy9tYWluIn0";
        let jwt = format!("e30.{payload}.c2ln");
        assert_eq!(subject(&jwt).as_deref(), Some("repo:acme/shop:ref:refs/heads/main"));
        assert_eq!(subject("e30"), None);
        assert_eq!(subject("e30.!.x"), None);
    }
}
