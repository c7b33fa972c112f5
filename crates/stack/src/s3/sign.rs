//! AWS Signature Version 4, for requests whose body is small and whose path is encoded already.
//!
//! Source: the AWS documentation, "Create a signed AWS API request". Signing takes ring's HMAC and these lines; the AWS SDK would
//! add 189 crates, `object_store` 134, `aws-sigv4` 54.

use std::fmt::Write as _;

use ring::digest::{SHA256, digest};
use ring::hmac;
use secrecy::{ExposeSecret as _, SecretString};

/// An access key.
#[derive(Clone, Debug)]
pub struct AccessKey {
    /// The key's name, which is no secret.
    pub id: String,
    /// The secret.
    pub secret: SecretString,
    /// The session's token, for temporary keys.
    pub session: Option<SecretString>,
}

/// What is signed of a request.
#[derive(Clone, Debug)]
pub(crate) struct Signable<'a> {
    pub(crate) method: &'a str,
    /// With the port, where it is not the scheme's own.
    pub(crate) host: &'a str,
    /// Percent-encoded.
    pub(crate) path: &'a str,
    /// Further headers, lower-case names.
    pub(crate) headers: &'a [(&'a str, &'a str)],
    pub(crate) body: &'a [u8],
    pub(crate) region: &'a str,
    pub(crate) service: &'a str,
    /// `20130524T000000Z`.
    pub(crate) time: &'a str,
}

/// The headers to add, `authorization` among them. `host` is not: the HTTP client sends it.
pub(crate) fn headers(request: &Signable<'_>, key: &AccessKey) -> Vec<(String, String)> {
    let payload = hex(digest(&SHA256, request.body).as_ref());
    let mut signed: Vec<(&str, &str)> = request.headers.to_vec();
    signed.push(("host", request.host));
    signed.push(("x-amz-content-sha256", &payload));
    signed.push(("x-amz-date", request.time));
    if let Some(session) = &key.session {
        // Exposed to be sent: the service knows the session by it.
        signed.push(("x-amz-security-token", session.expose_secret()));
    }
    signed.sort_unstable();
    let names = signed.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
    let mut canonical = format!("{}\n{}\n\n", request.method, request.path);
    for (name, value) in &signed {
        // Writing to a string cannot fail.
        let _ = writeln!(canonical, "{name}:{}", value.trim());
    }
    let _ = write!(canonical, "\n{names}\n{payload}");
    let date = request.time.get(..8).unwrap_or_default();
    let scope = format!("{date}/{}/{}/aws4_request", request.region, request.service);
    let hashed = hex(digest(&SHA256, canonical.as_bytes()).as_ref());
    let text = format!("AWS4-HMAC-SHA256\n{}\n{scope}\n{hashed}", request.time);
    // Exposed to sign with.
    let secret = format!("AWS4{}", key.secret.expose_secret());
    let signing_key = [date, request.region, request.service, "aws4_request"]
        .iter()
        .fold(secret.into_bytes(), |key, part| mac(&key, part));
    let signature = hex(&mac(&signing_key, &text));
    let authorization =
        format!("AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}", key.id);
    let added = signed.into_iter().filter(|(name, _)| *name != "host");
    let mut headers: Vec<_> = added.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    headers.push(("authorization".to_owned(), authorization));
    headers
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A path as S3 wants it: everything but unreserved characters and slashes percent-encoded.
pub(crate) fn encoded(path: &str) -> String {
    path.bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::{AccessKey, Signable, encoded, headers};

    /// The first example of "Authenticating Requests: Using the Authorization Header" in the S3 documentation.
    #[test]
    fn the_signature_is_that_of_the_documentation() {
        let key = AccessKey {
            id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned().into(),
            session: None,
        };
        let request = Signable {
            method: "GET",
            host: "examplebucket.s3.amazonaws.com",
            path: "/test.txt",
            headers: &[("range", "bytes=0-9")],
            body: b"",
            region: "us-east-1",
            service: "s3",
            time: "20130524T000000Z",
        };
        let (_, authorization) = headers(&request, &key).pop().unwrap();
        let signature = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41";
        assert!(authorization.ends_with(&format!("Signature={signature}")), "{authorization}");
        assert!(authorization.contains("SignedHeaders=host;range;x-amz-content-sha256;x-amz-date"));
    }

    #[test]
    fn a_path_is_encoded_as_s3_wants_it() {
        assert_eq!(encoded("env:/prod/a b+é.json"), "env%3A/prod/a%20b%2B%C3%A9.json");
    }
}
