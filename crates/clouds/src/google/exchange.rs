//! What an account is traded for: an access token, directly or by becoming another service account.
//!
//! Source: RFC 7523 (a signed assertion), RFC 6749 §6 (a refresh token), RFC 8693 (another provider's token), and the IAM
//! credentials API (`generateAccessToken`).

use api::{Base, Client, Deadline, Error};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use fault::{Fault, Kind, Result};
use jiff::Timestamp;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;

use super::PLATFORM;
use super::account::{Account, External, Kind as Who, ServiceAccount, User};
use crate::text::{FORM, exposed, form, oauth_error, split};

const JWT_GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const EXCHANGE_GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// How long a token is asked for; it is used within this run.
const LIFETIME_SECONDS: u32 = 3600;

/// Another service account to become.
#[derive(Clone, Debug)]
pub struct Impersonation {
    url: String,
    delegates: Vec<String>,
    seconds: u32,
}

impl Impersonation {
    /// The service account of that e-mail address.
    #[must_use]
    pub fn of(account: &str) -> Self {
        let base = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts";
        Self { url: format!("{base}/{account}:generateAccessToken"), delegates: Vec::new(), seconds: LIFETIME_SECONDS }
    }

    /// A token of that account for `scope`, for one who holds `token`.
    ///
    /// # Errors
    /// [`Kind::Permission`] when the holder may not impersonate it.
    pub async fn token(&self, token: &SecretString, scope: &str, deadline: Deadline) -> Result<SecretString> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(rename = "accessToken")]
            token: SecretString,
        }
        let (origin, path) = split(&self.url);
        let client = Client::new("Google IAM", origin.parse()?, deadline)?.bearer(token.clone()).errors(oauth_error);
        let body = json!({ "scope": [scope], "lifetime": format!("{}s", self.seconds), "delegates": self.delegates });
        let answer: Answer = client.post(path).json(&body).repeatable().receive().await.map_err(|error| {
            let fault = Fault::from(error).context("cannot impersonate the service account");
            match fault.kind {
                Kind::Permission => fault.help("give the identity the role roles/iam.serviceAccountTokenCreator on it (roles/iam.workloadIdentityUser for a federated one)"),
                _ => fault,
            }
        })?;
        Ok(answer.token)
    }
}

#[derive(Deserialize)]
struct Issued {
    access_token: SecretString,
}

impl Account {
    /// An access token for `scope`.
    ///
    /// # Errors
    /// [`Kind::Permission`] when Google, or the provider of an external account, refuses.
    pub async fn token(&self, scope: &str, deadline: Deadline) -> Result<SecretString> {
        match &self.0 {
            Who::ServiceAccount(account) => account.token(scope, deadline).await,
            Who::AuthorizedUser(user) | Who::ExternalAccountAuthorizedUser(user) => user.token(deadline).await,
            Who::ExternalAccount(external) => external.token(scope, deadline).await,
            Who::ImpersonatedServiceAccount(account) => {
                let url = account.service_account_impersonation_url.clone();
                let become_it = Impersonation { url, delegates: account.delegates.clone(), seconds: LIFETIME_SECONDS };
                let token = Box::pin(account.source_credentials.token(PLATFORM, deadline)).await?;
                become_it.token(&token, scope, deadline).await
            }
        }
    }
}

impl ServiceAccount {
    async fn token(&self, scope: &str, deadline: Deadline) -> Result<SecretString> {
        let now = Timestamp::now().as_second();
        let claims = json!({
            "iss": self.client_email, "scope": scope, "aud": self.token_uri,
            "iat": now, "exp": now + i64::from(LIFETIME_SECONDS),
        });
        let header = json!({ "alg": "RS256", "typ": "JWT", "kid": self.private_key_id });
        let part = |json: &serde_json::Value| URL_SAFE_NO_PAD.encode(json.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let key = rsa(exposed(&self.private_key)).ok_or_else(|| {
            Fault::permission(format!("the private key of the service account {} is malformed", self.client_email))
                .help("give the credentials file as Google made it; its line breaks are written as \\n")
        })?;
        let mut signature = vec![0; key.public().modulus_len()];
        key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .map_err(|_unspecified| Fault::permission("cannot sign with the service account's key"))?;
        let assertion = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature));
        let fields = [("grant_type", JWT_GRANT), ("assertion", assertion.as_str())];
        trade(&self.token_uri, &fields, &format!("the service account {}", self.client_email), deadline).await
    }
}

impl User {
    async fn token(&self, deadline: Deadline) -> Result<SecretString> {
        let fields = [
            ("grant_type", "refresh_token"),
            ("client_id", self.client_id.as_str()),
            ("client_secret", exposed(&self.client_secret)),
            ("refresh_token", exposed(&self.refresh_token)),
        ];
        let traded = trade(&self.token_uri, &fields, "the signed-in user", deadline).await;
        traded.map_err(|fault| match fault.kind {
            Kind::Permission => fault.help("sign in again: gcloud auth application-default login"),
            _ => fault,
        })
    }
}

impl External {
    async fn token(&self, scope: &str, deadline: Deadline) -> Result<SecretString> {
        let subject = self.credential_source.token(deadline).await?;
        let own = self.service_account_impersonation_url.as_ref().map_or(scope, |_| PLATFORM);
        let options =
            self.workforce_pool_user_project.as_ref().map(|project| json!({ "userProject": project }).to_string());
        let mut fields = vec![
            ("grant_type", EXCHANGE_GRANT),
            ("audience", self.audience.as_str()),
            ("scope", own),
            ("requested_token_type", ACCESS_TOKEN),
            ("subject_token_type", self.subject_token_type.as_str()),
            ("subject_token", exposed(&subject)),
        ];
        fields.extend(options.as_deref().map(|options| ("options", options)));
        let token = trade(&self.token_url, &fields, &format!("the identity of {}", self.audience), deadline).await?;
        let Some(url) = self.service_account_impersonation_url.clone() else { return Ok(token) };
        let seconds = self.service_account_impersonation.token_lifetime_seconds.unwrap_or(LIFETIME_SECONDS);
        Impersonation { url, delegates: Vec::new(), seconds }.token(&token, scope, deadline).await
    }
}

async fn trade(url: &str, fields: &[(&str, &str)], who: &str, deadline: Deadline) -> Result<SecretString> {
    let about = |fault: Fault| fault.context(format!("Google gave no token for {who}"));
    let (origin, path) = split(url);
    let base: Base = origin.parse().map_err(about)?;
    let client = Client::new("Google's token service", base, deadline)?.errors(oauth_error);
    let answered = client.post(path).body(FORM, form(fields)).repeatable().receive::<Issued>().await;
    let issued = answered.map_err(|error| {
        let is_refused = matches!(&error, Error::Refused(refusal) if (400..500).contains(&refusal.status));
        let fault = about(Fault::from(error));
        // OAuth answers 400 to a grant that is invalid or has expired.
        if is_refused && fault.kind == Kind::Failed { Fault { kind: Kind::Permission, ..fault } } else { fault }
    })?;
    Ok(issued.access_token)
}

/// The key in a PEM file: PKCS #8, as Google writes it, or PKCS #1.
fn rsa(pem: &str) -> Option<RsaKeyPair> {
    let begin = pem.lines().find(|line| line.starts_with("-----BEGIN "))?;
    let body: String = pem.lines().map(str::trim).filter(|line| !line.starts_with("-----")).collect();
    let bytes = STANDARD.decode(body).ok()?;
    let key =
        if begin.contains("RSA PRIVATE KEY") { RsaKeyPair::from_der(&bytes) } else { RsaKeyPair::from_pkcs8(&bytes) };
    key.ok()
}
