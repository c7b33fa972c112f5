//! A credentials file of Google's: `GOOGLE_APPLICATION_CREDENTIALS` and what else holds one.
//!
//! Source: google/oauth2 `google.go`, `externalaccount/basecredentials.go`; AIP-4112 and AIP-4117.

use fault::{Fault, Result};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;

use super::subject::Source;
use crate::text::exposed;

/// The token service, unless the credentials file names another.
fn token_uri() -> String {
    "https://oauth2.googleapis.com/token".to_owned()
}

/// Who the file lets one be.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub struct Account(pub(super) Kind);

#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Kind {
    /// A service account, by its private key.
    ServiceAccount(ServiceAccount),
    /// A person, by what `gcloud auth application-default login` left.
    AuthorizedUser(User),
    /// An identity of another provider (Workload Identity Federation), by that provider's token.
    ExternalAccount(Box<External>),
    /// A person of another provider.
    ExternalAccountAuthorizedUser(User),
    /// A service account, by another account that may impersonate it.
    ImpersonatedServiceAccount(Impersonated),
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct ServiceAccount {
    pub(super) client_email: String,
    pub(super) private_key: SecretString,
    pub(super) private_key_id: Option<String>,
    #[serde(default = "token_uri")]
    pub(super) token_uri: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct User {
    pub(super) client_id: String,
    pub(super) client_secret: SecretString,
    pub(super) refresh_token: SecretString,
    #[serde(default = "token_uri", alias = "token_url")]
    pub(super) token_uri: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct External {
    pub(super) audience: String,
    pub(super) subject_token_type: String,
    pub(super) token_url: String,
    pub(super) credential_source: Source,
    pub(super) service_account_impersonation_url: Option<String>,
    #[serde(default)]
    pub(super) service_account_impersonation: Lifetime,
    pub(super) workforce_pool_user_project: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Lifetime {
    pub(super) token_lifetime_seconds: Option<u32>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Impersonated {
    pub(super) service_account_impersonation_url: String,
    pub(super) source_credentials: Box<Account>,
    #[serde(default)]
    pub(super) delegates: Vec<String>,
}

impl Account {
    /// Reads a credentials file's text.
    ///
    /// # Errors
    /// [`fault::Kind::Permission`] for a text that is no such file, without quoting it.
    pub fn read(text: &str) -> Result<Self> {
        let value: Value = serde_json::from_str(text).map_err(|error| {
            Fault::permission("the Google credentials are not JSON")
                // Where, not what: the full text can quote a key.
                .cause(format!("at line {} column {}", error.line(), error.column()))
        })?;
        // A word is no secret; anything else may have slipped in there.
        let is_word = |kind: &&str| kind.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        let kind = value["type"].as_str().filter(is_word).unwrap_or("none").to_owned();
        serde_json::from_value(value).map_err(|error| {
            let words = error.to_string();
            let fault = Fault::permission(format!("the Google credentials cannot be used: their type is `{kind}`"));
            // A missing field's name is no secret; anything else may quote the file.
            match words.strip_prefix("missing field ") {
                Some(field) => fault.cause(format!("they have no {}", field.trim())),
                None => fault.cause(
                    "service_account, authorized_user, external_account and impersonated_service_account are known",
                ),
            }
        })
    }

    /// What must be masked of it.
    #[must_use]
    pub fn secrets(&self) -> Vec<&str> {
        match &self.0 {
            Kind::ServiceAccount(account) => vec![exposed(&account.private_key)],
            Kind::AuthorizedUser(user) | Kind::ExternalAccountAuthorizedUser(user) => {
                vec![exposed(&user.client_secret), exposed(&user.refresh_token)]
            }
            Kind::ExternalAccount(external) => external.credential_source.secrets(),
            Kind::ImpersonatedServiceAccount(impersonated) => impersonated.source_credentials.secrets(),
        }
    }

    /// Who it is, for messages.
    #[must_use]
    pub fn who(&self) -> String {
        match &self.0 {
            Kind::ServiceAccount(account) => format!("the service account {}", account.client_email),
            Kind::AuthorizedUser(_) | Kind::ExternalAccountAuthorizedUser(_) => "the signed-in user".to_owned(),
            Kind::ExternalAccount(external) => match &external.service_account_impersonation_url {
                Some(url) => format!("the service account {}", impersonated(url)),
                None => format!("an identity of {}", external.audience),
            },
            Kind::ImpersonatedServiceAccount(account) => {
                format!("the service account {}", impersonated(&account.service_account_impersonation_url))
            }
        }
    }
}

/// The account's name in `…/serviceAccounts/<name>:generateAccessToken`.
fn impersonated(url: &str) -> &str {
    url.rsplit('/').next().and_then(|last| last.split(':').next()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::Account;

    #[test]
    fn what_google_github_actions_auth_writes_is_read() {
        let text = r#"{"type":"external_account","audience":"//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/g",
            "subject_token_type":"urn:ietf:params:oauth:token-type:jwt","token_url":"https://sts.googleapis.com/v1/token",
            "credential_source":{"url":"https://run.actions.githubusercontent.com/token?api-version=2.0&audience=x",
              "headers":{"Authorization":"Bearer request-token"},"format":{"type":"json","subject_token_field_name":"value"}},
            "service_account_impersonation_url":"https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/ci@p.iam.gserviceaccount.com:generateAccessToken"}"#;
        let account = Account::read(text).unwrap();
        assert_eq!(account.who(), "the service account ci@p.iam.gserviceaccount.com");
        assert_eq!(account.secrets(), ["request-token"]);
    }

    #[test]
    fn a_file_that_is_none_is_refused_without_quoting_it() {
        for (text, words) in [
            ("hunter2-of-google", "not JSON"),
            (r#"{"type":"gdch_service_account","private_key":"hunter2-of-google"}"#, "`gdch_service_account`"),
            (r#"{"type":"service_account","private_key":"hunter2-of-google"}"#, "they have no `client_email`"),
            (r#"{"type":"service_account","client_email":["hunter2-of-google"]}"#, "`service_account`"),
            (r#"["hunter2-of-google"]"#, "`none`"),
        ] {
            let shown = format!("{:?}", Account::read(text).unwrap_err());
            assert!(shown.contains(words) && !shown.contains("hunter2"), "{shown}");
        }
    }
}
