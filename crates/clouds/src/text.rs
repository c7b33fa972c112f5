//! Encodings that the clouds' protocols share: paths, forms, and the XML of their errors.

use api::ServiceError;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret as _, SecretString};

/// Everything but unreserved characters (RFC 3986 §2.3) and slashes.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// A key as a part of a URL's path.
pub(crate) fn encoded(path: &str) -> String {
    utf8_percent_encode(path, PATH).to_string()
}

/// A form's content type.
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";

/// A body of that type. Values may be secrets, which is why they are sent in a body.
pub(crate) fn form(fields: &[(&str, &str)]) -> Vec<u8> {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish().into_bytes()
}

/// A secret, to be sent.
pub(crate) fn exposed(secret: &SecretString) -> &str {
    secret.expose_secret()
}

/// An address before and after the slash that begins its path.
pub(crate) fn split(url: &str) -> (&str, &str) {
    let start = url.find("://").map_or(0, |at| at + 3);
    url[start..].find('/').map_or((url, ""), |at| url.split_at(start + at))
}

/// `<Error><Code>…</Code><Message>…</Message>`, as all three stores and AWS's STS write it.
pub(crate) fn xml_error(body: &[u8]) -> Option<ServiceError> {
    let text = String::from_utf8_lossy(body);
    let message = element(&text, "Message").unwrap_or_default();
    // Azure adds its request id and the time on separate lines.
    let message = message.lines().next().unwrap_or_default().to_owned();
    Some(ServiceError { code: Some(element(&text, "Code")?), message })
}

/// The text of the first element of that name.
pub(crate) fn element(xml: &str, name: &str) -> Option<String> {
    elements(xml, name).into_iter().next()
}

/// The texts of the elements of that name.
pub(crate) fn elements(xml: &str, name: &str) -> Vec<String> {
    let (start, end) = (format!("<{name}>"), format!("</{name}>"));
    let texts = xml.split(&start).skip(1).filter_map(|rest| Some(rest.split_once(&end)?.0));
    texts.map(plain).collect()
}

fn plain(text: &str) -> String {
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    entities.iter().fold(text.to_owned(), |text, (entity, character)| text.replace(entity, character))
}

/// `{"error": "invalid_grant", "error_description": "…"}` of OAuth 2 (RFC 6749 §5.2), or `{"error": {"status", "message"}}`.
pub(crate) fn oauth_error(body: &[u8]) -> Option<ServiceError> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
    let error = &body["error"];
    let code = text(error).or_else(|| text(&error["status"])).or_else(|| text(&error["code"]))?;
    let message = text(&body["error_description"]).or_else(|| text(&error["message"])).unwrap_or_default();
    Some(ServiceError { code: Some(code), message: message.lines().next().unwrap_or_default().to_owned() })
}

#[cfg(test)]
mod tests {
    use super::{element, encoded, oauth_error, xml_error};

    #[test]
    fn a_path_is_encoded_as_the_stores_want_it() {
        assert_eq!(encoded("env:/prod/a b+é.json"), "env%3A/prod/a%20b%2B%C3%A9.json");
    }

    #[test]
    fn an_errors_code_and_first_line_are_read() {
        let body = b"\xef\xbb\xbf<?xml version=\"1.0\"?><Error><Code>BlobNotFound</Code><Message>It is not there.\nRequestId:1</Message></Error>";
        let error = xml_error(body).unwrap();
        assert_eq!((error.code.as_deref(), error.message.as_str()), (Some("BlobNotFound"), "It is not there."));
        assert_eq!(xml_error(b"<html>"), None);
        assert_eq!(element("<A>a&amp;lt;b</A>", "A").as_deref(), Some("a&lt;b"));
    }

    #[test]
    fn both_forms_of_an_oauth_error_are_read() {
        let flat = oauth_error(br#"{"error":"invalid_grant","error_description":"Bad.\nTrace"}"#).unwrap();
        assert_eq!((flat.code.as_deref(), flat.message.as_str()), (Some("invalid_grant"), "Bad."));
        let nested = oauth_error(br#"{"error":{"code":403,"status":"PERMISSION_DENIED","message":"No."}}"#).unwrap();
        assert_eq!(nested.code.as_deref(), Some("PERMISSION_DENIED"));
    }
}
