//! What `pulumi login` stored on this machine: the current backend, and a token for each backend.

use std::path::Path;

use fault::{Fault, Result};
use secrecy::SecretString;

use crate::files;
use crate::json::{self, Json};

/// The address of Pulumi Cloud.
pub const PUBLIC: &str = "https://api.pulumi.com";

/// `credentials.json` and `config.json` of a Pulumi home.
#[derive(Clone, Debug, Default)]
pub struct SavedLogins {
    credentials: Option<Json>,
    config: Option<Json>,
}

impl SavedLogins {
    /// Reads the files in `folder`; either may be missing.
    #[must_use]
    pub fn read(folder: Option<&Path>) -> Self {
        let file = |name: &str| json::parse(&files::read(&folder?.join(name)).ok()?).ok();
        Self { credentials: file("credentials.json"), config: file("config.json") }
    }

    /// The backend that was last logged in to.
    #[must_use]
    pub fn current(&self) -> Option<&str> {
        self.credentials.as_ref()?.text_of("current").filter(|url| !url.is_empty())
    }

    /// The token for the service at `url`.
    ///
    /// # Errors
    /// [`fault::Kind::Permission`] if the file is locked by the system's key store.
    pub fn token(&self, url: &str) -> Result<Option<SecretString>> {
        let Some(credentials) = &self.credentials else { return Ok(None) };
        if credentials.get("$pulumiSecureStore").is_some() {
            return Err(Fault::permission("Pulumi's credentials file is locked by the system's key store")
                .help("set PULUMI_ACCESS_TOKEN"));
        }
        let account = credentials.get("accounts").and_then(|accounts| accounts.get(url));
        let token = account.and_then(|account| account.text_of("accessToken"));
        let token = token.or_else(|| credentials.get("accessTokens").and_then(|tokens| tokens.text_of(url)));
        Ok(token.filter(|token| !token.is_empty()).map(|token| SecretString::from(token.to_owned())))
    }

    /// The organization that bare stack names belong to at `url`.
    #[must_use]
    pub fn organization(&self, url: &str) -> Option<&str> {
        self.config.as_ref()?.get("backends")?.get(url)?.text_of("defaultOrg").filter(|name| !name.is_empty())
    }
}
