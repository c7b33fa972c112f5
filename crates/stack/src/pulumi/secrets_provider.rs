//! The secrets provider that encrypted a stack's secrets, as recorded in the state.

use fault::{Fault, Result};

use crate::json::parse;

/// A secrets provider and what it needs besides its credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretsProvider {
    /// A passphrase: the salt and check value, `v1:<salt>:v1:<nonce>:<body>`.
    Passphrase {
        /// As in `encryptionsalt:` of `Pulumi.<stack>.yaml`.
        salt: String,
    },
    /// Pulumi Cloud holds the key of this stack, under the name that the stack had when its secrets were encrypted.
    Service {
        /// The API's address.
        url: String,
        /// Organization.
        owner: String,
        /// Project.
        project: String,
        /// Stack.
        stack: String,
    },
    /// A key service unwraps the stack's data key. Pulumi's own name for it is `cloud`.
    KeyService {
        /// `awskms://…`, `gcpkms://…`, `hashivault://…`, `azurekeyvault://…`.
        url: String,
        /// The wrapped data key, base64.
        encrypted_key: String,
    },
    /// A provider we do not know.
    Other(String),
}

impl SecretsProvider {
    /// Reads `{"type", "state"}`.
    pub(crate) fn read(text: &[u8]) -> Result<Self> {
        let json = parse(text)?;
        let kind = json.text_of("type").unwrap_or_default();
        let state = |key: &str| json.get("state").and_then(|state| state.text_of(key)).map(str::to_owned);
        let missing = |key: &str| Fault::usage(format!("its secrets provider `{kind}` has no `{key}`"));
        Ok(match kind {
            "passphrase" => Self::Passphrase { salt: state("salt").ok_or_else(|| missing("salt"))? },
            "service" => Self::Service {
                url: state("url").unwrap_or_else(|| "https://api.pulumi.com".to_owned()),
                owner: state("owner").ok_or_else(|| missing("owner"))?,
                project: state("project").ok_or_else(|| missing("project"))?,
                stack: state("stack").ok_or_else(|| missing("stack"))?,
            },
            "cloud" => Self::KeyService {
                url: state("url").ok_or_else(|| missing("url"))?,
                encrypted_key: state("encryptedkey").ok_or_else(|| missing("encryptedkey"))?,
            },
            other => Self::Other(other.to_owned()),
        })
    }
}
