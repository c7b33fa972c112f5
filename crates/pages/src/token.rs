//! The upload token: the claims that are read from it, and when it has to be renewed.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

/// How many files a site may have if the token does not name a limit (wrangler's `MAX_ASSET_COUNT_DEFAULT`).
const FILES_DEFAULT: u64 = 20_000;

/// Renewed this long before its end, in seconds: an upload that begins now must end under it.
const MARGIN: i64 = 60;

/// A project's upload token.
#[derive(Clone, Debug)]
pub struct UploadToken {
    jwt: SecretString,
    expires_at: Option<i64>,
    files_limit: u64,
}

#[derive(Default, Deserialize)]
struct Claims {
    exp: Option<serde_json::Value>,
    max_file_count_allowed: Option<serde_json::Value>,
}

impl UploadToken {
    /// Reads the claims, which cannot be verified here. A token without readable claims is used as it is, and the service decides.
    #[must_use]
    pub fn new(jwt: SecretString) -> Self {
        let claims = claims(jwt.expose_secret()).unwrap_or_default();
        let expires_at = claims.exp.and_then(|exp| exp.as_i64());
        let files_limit = claims.max_file_count_allowed.and_then(|count| count.as_u64()).unwrap_or(FILES_DEFAULT);
        Self { jwt, expires_at, files_limit }
    }

    /// The token itself, for `Authorization: Bearer`.
    #[must_use]
    pub fn jwt(&self) -> &SecretString {
        &self.jwt
    }

    /// Whether this is the same token.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.jwt.expose_secret() == other.jwt.expose_secret()
    }

    /// The most files a deployment may have.
    #[must_use]
    pub fn files_limit(&self) -> u64 {
        self.files_limit
    }

    /// Whether it expires within a minute of `now`, in seconds since 1970.
    #[must_use]
    pub(crate) fn is_due(&self, now: i64) -> bool {
        self.expires_at.is_some_and(|end| now + MARGIN >= end)
    }
}

fn claims(jwt: &str) -> Option<Claims> {
    let payload = jwt.split('.').nth(1)?;
    // Standard or URL-safe alphabet, padded or not: wrangler's decoder takes them all.
    let lenient = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let bytes =
        GeneralPurpose::new(&alphabet::STANDARD, lenient).decode(payload.replace('-', "+").replace('_', "/")).ok()?;
    serde_json::from_slice(&bytes).ok()
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

    use super::UploadToken;

    fn token(payload: &str) -> UploadToken {
        UploadToken::new(format!("e30.{payload}.x").into())
    }

    #[test]
    fn claims_are_read_from_either_alphabet() {
        let claims = r#"{"exp":1795232492,"max_file_count_allowed":100000,"x":"???>>>"}"#;
        for payload in [URL_SAFE_NO_PAD.encode(claims), STANDARD.encode(claims)] {
            let token = token(&payload);
            assert_eq!(token.files_limit(), 100_000);
            assert!(!token.is_due(1_795_232_431));
            assert!(token.is_due(1_795_232_432));
        }
    }

    #[test]
    fn a_token_without_claims_has_the_default_limit_and_no_end() {
        for payload in ["", "!!", &STANDARD.encode(r#"{"max_file_count_allowed":"many"}"#)] {
            let token = token(payload);
            assert_eq!(token.files_limit(), 20_000);
            assert!(!token.is_due(i64::MAX - 100));
        }
    }
}
