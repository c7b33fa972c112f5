//! AWS Signature Version 4, for requests whose body is small and whose path is encoded already.
//!
//! Source: the AWS documentation, "Create a signed AWS API request".

use std::fmt::Write as _;

use api::Request;
use jiff::Timestamp;
use ring::digest::{SHA256, digest};
use ring::hmac;
use secrecy::ExposeSecret as _;

use super::AccessKey;

/// What is signed of a request.
#[derive(Clone, Debug)]
pub struct Signable<'a> {
    /// `GET`, `POST`.
    pub method: &'a str,
    /// With the port, where it is not the scheme's own.
    pub host: &'a str,
    /// Percent-encoded.
    pub path: &'a str,
    /// Percent-encoded, its parameters in the order of their names.
    pub query: &'a str,
    /// Further headers, lower-case names.
    pub headers: &'a [(&'a str, &'a str)],
    /// The whole body.
    pub body: &'a [u8],
    /// The region.
    pub region: &'a str,
    /// `s3`, `kms`, `sts`.
    pub service: &'a str,
}

/// The request with its signature, as of now. A `content-type` among the headers is signed and left to [`Request::body`] to send.
#[must_use]
pub fn signed(request: Request, signable: &Signable<'_>, key: &AccessKey) -> Request {
    let time = Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
    headers(signable, key, &time)
        .iter()
        .filter(|(name, _)| name != "content-type")
        .fold(request, |request, (name, value)| request.header(name, value))
}

/// The headers to add at `time` (`20130524T000000Z`), `authorization` among them. `host` is not: the HTTP client sends it.
fn headers(request: &Signable<'_>, key: &AccessKey, time: &str) -> Vec<(String, String)> {
    let payload = hex(digest(&SHA256, request.body).as_ref());
    let mut signed: Vec<(&str, &str)> = request.headers.to_vec();
    signed.push(("host", request.host));
    signed.push(("x-amz-content-sha256", &payload));
    signed.push(("x-amz-date", time));
    if let Some(session) = &key.session {
        // Exposed to be sent: the service knows the session by it.
        signed.push(("x-amz-security-token", session.expose_secret()));
    }
    signed.sort_unstable();
    let names = signed.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
    let mut canonical = format!("{}\n{}\n{}\n", request.method, request.path, request.query);
    for (name, value) in &signed {
        // Writing to a string cannot fail.
        let _ = writeln!(canonical, "{name}:{}", value.trim());
    }
    let _ = write!(canonical, "\n{names}\n{payload}");
    let date = time.get(..8).unwrap_or_default();
    let scope = format!("{date}/{}/{}/aws4_request", request.region, request.service);
    let hashed = hex(digest(&SHA256, canonical.as_bytes()).as_ref());
    let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{hashed}");
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

#[cfg(test)]
mod tests {
    use super::{AccessKey, Signable, headers};

    /// The first example of "Authenticating Requests: Using the Authorization Header" in the S3 documentation.
    #[test]
    fn the_signature_is_that_of_the_documentation() {
        let key = AccessKey {
            id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned().into(),
            session: None,
            origin: String::new(),
        };
        let request = Signable {
            method: "GET",
            host: "examplebucket.s3.amazonaws.com",
            path: "/test.txt",
            query: "",
            headers: &[("range", "bytes=0-9")],
            body: b"",
            region: "us-east-1",
            service: "s3",
        };
        let (_, authorization) = headers(&request, &key, "20130524T000000Z").pop().unwrap();
        let signature = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41";
        assert!(authorization.ends_with(&format!("Signature={signature}")), "{authorization}");
        assert!(authorization.contains("SignedHeaders=host;range;x-amz-content-sha256;x-amz-date"));
    }
}
