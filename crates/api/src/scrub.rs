//! Removes what we sent in secret from texts that quote a server.
//!
//! An error body may echo the request, its `Authorization` header included, and errors are shown in logs. Removing our own credentials
//! here, where every refusal is made, covers every service and every tool.

use reqwest::header::HeaderMap;
use secrecy::{ExposeSecret as _, SecretString};

/// Shorter secrets are not searched for: they would be found in ordinary words.
const SHORTEST: usize = 4;

/// Parts of the names of headers whose values are credentials.
const SECRET_HEADERS: [&str; 5] = ["authorization", "cookie", "key", "secret", "token"];

/// The texts to remove, the longest first.
pub(crate) struct Scrub(Vec<String>);

impl Scrub {
    /// Removes these secrets, and the values of the headers that carry credentials.
    pub(crate) fn new<'a>(secrets: impl IntoIterator<Item = &'a SecretString>, headers: &HeaderMap) -> Self {
        // Exposed to be searched for.
        let mut texts: Vec<String> = secrets.into_iter().map(|secret| secret.expose_secret().to_owned()).collect();
        for (name, value) in headers {
            if SECRET_HEADERS.iter().any(|part| name.as_str().contains(part))
                && let Ok(value) = value.to_str()
            {
                // `Basic abc`: the scheme is no secret, and an echo may leave it out.
                texts.push(value.rsplit(' ').next().unwrap_or(value).to_owned());
            }
        }
        let encoded: Vec<String> =
            texts.iter().map(|text| url::form_urlencoded::byte_serialize(text.as_bytes()).collect()).collect();
        texts.extend(encoded);
        texts.retain(|text| text.len() >= SHORTEST);
        texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
        texts.dedup();
        Self(texts)
    }

    /// `text` without the secrets.
    pub(crate) fn apply(&self, text: String) -> String {
        self.0.iter().fold(text, |text, secret| if text.contains(secret) { text.replace(secret, "***") } else { text })
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderMap, HeaderValue};
    use secrecy::SecretString;

    use super::Scrub;

    #[test]
    fn tokens_and_credential_headers_are_removed_in_both_spellings() {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", HeaderValue::from_static("Basic dXNlcjpwYXNz"));
        headers.insert("x-amz-security-token", HeaderValue::from_static("sess/ion+"));
        headers.insert("accept", HeaderValue::from_static("application/json"));
        let scrub = Scrub::new([&SecretString::from("dp.st.hunter2"), &SecretString::from("ab")], &headers);
        let text = "dp.st.hunter2 dXNlcjpwYXNz sess/ion+ sess%2Fion%2B application/json ab".to_owned();
        assert_eq!(scrub.apply(text), "*** *** *** *** application/json ab");
    }
}
