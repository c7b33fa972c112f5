//! Amazon Web Services: access keys, where they come from, and requests that are signed with them.

mod endpoint;
pub mod metadata;
pub mod profile;
pub mod s3;
pub mod sign;
pub mod sts;

use secrecy::SecretString;
use serde::Deserialize;

use crate::text::exposed;
pub use endpoint::{Network, suffix};

/// An access key.
#[derive(Clone, Debug)]
pub struct AccessKey {
    /// The key's name, which is no secret.
    pub id: String,
    /// The secret.
    pub secret: SecretString,
    /// The session's token, for temporary keys.
    pub session: Option<SecretString>,
    /// Where it was found, for messages.
    pub origin: String,
}

impl AccessKey {
    /// The parts that must be masked.
    #[must_use]
    pub fn secrets(&self) -> Vec<&str> {
        [Some(&self.secret), self.session.as_ref()].into_iter().flatten().map(exposed).collect()
    }
}

/// An access key as the metadata services of AWS write it.
#[derive(Deserialize)]
struct Issued {
    #[serde(rename = "AccessKeyId")]
    id: String,
    #[serde(rename = "SecretAccessKey")]
    secret: SecretString,
    #[serde(rename = "Token")]
    session: SecretString,
}

impl Issued {
    fn by(self, who: &str) -> AccessKey {
        AccessKey { id: self.id, secret: self.secret, session: Some(self.session), origin: who.to_owned() }
    }
}
