//! The signature of a storage account's key.
//!
//! Source: the Azure documentation, "Authorize with Shared Key", for a GET without a body.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fault::{Fault, Result};
use ring::hmac;
use secrecy::SecretString;

use crate::text::exposed;

/// `Authorization` of a GET of `path` (encoded, as sent) with the headers `x-ms-…` (lower-case names, sorted).
pub(super) fn authorization(account: &str, key: &SecretString, path: &str, headers: &[(&str, &str)]) -> Result<String> {
    // Exposed to sign with.
    let bytes = STANDARD.decode(exposed(key).trim()).map_err(|_invalid| {
        Fault::permission(format!("the key of the storage account `{account}` is no base64"))
            .help("copy the whole key, with its `==`, from the account's access keys")
    })?;
    let headers = headers.iter().map(|(name, value)| format!("{name}:{value}")).collect::<Vec<_>>().join("\n");
    // Eleven standard headers, none of which is sent.
    let text = format!("GET\n{}{headers}\n/{account}{path}", "\n".repeat(11));
    let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &bytes), text.as_bytes());
    Ok(format!("SharedKey {account}:{}", STANDARD.encode(mac.as_ref())))
}
