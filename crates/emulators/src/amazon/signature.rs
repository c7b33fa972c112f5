//! Whether a request is signed as AWS wants it: Signature Version 4, recomputed from what arrived.

use std::collections::BTreeMap;

use ring::digest::{SHA256, digest};
use ring::hmac;

use crate::http::Request;

/// An access key that is known.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) secret: String,
    pub(super) session: Option<String>,
    /// Whose it is: a user's name, or a role's ARN.
    pub(super) who: String,
}

/// The contents of a valid signature.
#[derive(Clone, Debug)]
pub(super) struct Signed {
    pub(super) who: String,
    pub(super) region: String,
    pub(super) service: String,
}

/// Who signed the request; else AWS's code for what is wrong.
pub(super) fn check(request: &Request, keys: &BTreeMap<String, Key>) -> Result<Signed, &'static str> {
    let header = request.header("authorization").ok_or("AccessDenied")?;
    let rest = header.strip_prefix("AWS4-HMAC-SHA256 ").ok_or("AccessDenied")?;
    let part = |name: &str| rest.split(", ").find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
    let (credential, names, signature) = (part("Credential"), part("SignedHeaders"), part("Signature"));
    let credential = credential.ok_or("AuthorizationHeaderMalformed")?;
    let (names, signature) =
        (names.ok_or("AuthorizationHeaderMalformed")?, signature.ok_or("AuthorizationHeaderMalformed")?);
    let [id, date, region, service, "aws4_request"] = credential.split('/').collect::<Vec<_>>()[..] else {
        return Err("AuthorizationHeaderMalformed");
    };
    let key = keys.get(id).ok_or("InvalidAccessKeyId")?;
    let time = request.header("x-amz-date").filter(|time| time.starts_with(date)).ok_or("AccessDenied")?;
    if !is_now(time) {
        return Err("RequestTimeTooSkewed");
    }
    if request.header("x-amz-security-token") != key.session.as_deref() {
        return Err("InvalidToken");
    }
    let must_be_signed = |name: &str| name == "host" || name.starts_with("x-amz-");
    let signed: Vec<&str> = names.split(';').collect();
    if request.headers.iter().any(|(name, _)| must_be_signed(name) && !signed.contains(&name.as_str())) {
        return Err("AccessDenied");
    }
    let payload = hex(digest(&SHA256, &request.body).as_ref());
    if request.header("x-amz-content-sha256").is_some_and(|told| told != payload) {
        return Err("XAmzContentSHA256Mismatch");
    }
    let line = |name: &&str| Some(format!("{name}:{}", request.header(name)?.trim()));
    let lines = signed.iter().map(line).collect::<Option<Vec<_>>>().ok_or("SignatureDoesNotMatch")?.join("\n");
    let (method, path, query) = (&request.method, &request.path, &request.query);
    let canonical = format!("{method}\n{path}\n{query}\n{lines}\n\n{names}\n{payload}");
    let scope = format!("{date}/{region}/{service}/aws4_request");
    let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", hex(digest(&SHA256, canonical.as_bytes()).as_ref()));
    let secret = format!("AWS4{}", key.secret).into_bytes();
    let signing = [date, region, service, "aws4_request"].iter().fold(secret, |key, part| mac(&key, part));
    if hex(&mac(&signing, &text)) != signature {
        return Err("SignatureDoesNotMatch");
    }
    Ok(Signed { who: key.who.clone(), region: region.to_owned(), service: service.to_owned() })
}

/// Within a quarter of an hour, as AWS has it.
fn is_now(time: &str) -> bool {
    let read =
        jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", time).and_then(|time| time.to_zoned(jiff::tz::TimeZone::UTC));
    read.is_ok_and(|time| (time.timestamp().as_second() - jiff::Timestamp::now().as_second()).abs() < 900)
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}
