//! Interprets the API's answers: the envelope, which errors are a rate limit or an expired token, and advice for the others.

use api::{Error, ErrorResponse, ServiceError};
use fault::{Fault, Kind};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// The advice for a rate limit.
pub(crate) const WAIT: &str = "run it again in five minutes: Cloudflare allows 1,200 requests in that time";

/// `{"success","errors","result"}`, around everything.
#[derive(Deserialize)]
pub(crate) struct Envelope<T> {
    pub(crate) success: bool,
    #[serde(default = "Vec::new")]
    pub(crate) errors: Vec<Stated>,
    pub(crate) result: Option<T>,
}

/// An error in the envelope.
#[derive(Deserialize)]
pub(crate) struct Stated {
    code: serde_json::Value,
    #[serde(default)]
    message: String,
}

/// A `result` that is not used.
pub(crate) type Ignored = IgnoredAny;

/// Reads Cloudflare's own code and text from the body of an error; the bare text `Expired JWT` too.
pub(crate) fn decode(body: &[u8]) -> Option<ServiceError> {
    if let Ok(envelope) = serde_json::from_slice::<Envelope<Ignored>>(body) {
        return stated(envelope.errors);
    }
    if let Ok(Stated { code, message }) = serde_json::from_slice(body) {
        return Some(ServiceError { code: Some(text(&code)), message });
    }
    (body == b"Expired JWT").then(|| ServiceError { code: None, message: "Expired JWT".to_owned() })
}

/// The first of the stated errors, which is the one wrangler goes by.
pub(crate) fn stated(errors: Vec<Stated>) -> Option<ServiceError> {
    errors.into_iter().next().map(|error| ServiceError { code: Some(text(&error.code)), message: error.message })
}

fn text(code: &serde_json::Value) -> String {
    code.as_str().map_or_else(|| code.to_string(), str::to_owned)
}

/// The error of an envelope with `success: false` under a status of 200.
pub(crate) fn refused(errors: Vec<Stated>) -> Error {
    let (code, message) = match stated(errors) {
        Some(error) => (error.code, error.message),
        None => (None, "no reason given".to_owned()),
    };
    Error::Refused(ErrorResponse {
        status: 200,
        code,
        message,
        request_id: None,
        request: "Cloudflare".to_owned(),
        retry_after_seconds: None,
        gave_up: None,
    })
}

/// Whether this is a rate limit: 429, or one of the codes for it (`10000` also means a wrong token).
pub(crate) fn is_limit(refusal: &ErrorResponse) -> bool {
    let says_so = || refusal.message.to_ascii_lowercase().contains("rate limited");
    refusal.status == 429 || refusal.code.as_deref() == Some("971") || (is(refusal, "10000") && says_so())
}

/// Whether an asset call was refused because of its token, so that a new token may help.
pub(crate) fn is_expired(refusal: &ErrorResponse) -> bool {
    matches!(refusal.status, 401 | 403) || is(refusal, "8000013") || refusal.message == "Expired JWT"
}

/// Whether the project does not exist. Only this code proves it.
pub(crate) fn is_no_project(error: &Error) -> bool {
    matches!(error, Error::Refused(refusal) if refusal.status == 404 && is(refusal, "8000007"))
}

/// Whether the deployment does not exist.
pub(crate) fn is_no_deployment(error: &Error) -> bool {
    matches!(error, Error::Refused(refusal) if refusal.status == 404 && is(refusal, "8000009"))
}

/// Whether the service refused the commit message.
pub(crate) fn is_bad_message(error: &Error) -> bool {
    matches!(error, Error::Refused(refusal) if is(refusal, "8000111"))
}

/// Whether a retry can help: a failure of the service, or of the connection to it.
pub(crate) fn is_passing(error: &Error) -> bool {
    match error {
        Error::Refused(refusal) => is_limit(refusal) || refusal.kind() == Kind::Temporary,
        Error::Fault(fault) => fault.kind == Kind::Temporary,
    }
}

/// Whether the service reports an unknown error (8000000), after which it is open whether the call was carried out.
pub(crate) fn is_unclear(error: &Error) -> bool {
    matches!(error, Error::Refused(refusal) if is(refusal, "8000000"))
}

fn is(refusal: &ErrorResponse, code: &str) -> bool {
    refusal.code.as_deref() == Some(code)
}

/// The fault for an error of a call about `project`, with advice.
pub(crate) fn advise(error: Error, project: &str) -> Fault {
    let Error::Refused(refusal) = error else { return error.into() };
    let (kind, help) = advice(&refusal, project);
    let fault = Fault::from(refusal);
    let fault = Fault { kind: kind.unwrap_or(fault.kind), ..fault };
    match help {
        Some(help) => fault.help(help),
        None => fault,
    }
}

fn advice(refusal: &ErrorResponse, project: &str) -> (Option<Kind>, Option<String>) {
    let code = refusal.code.as_deref().unwrap_or_default();
    match (refusal.status, code) {
        _ if is_limit(refusal) => (Some(Kind::Temporary), Some(WAIT.to_owned())),
        (_, "8000007") => (
            Some(Kind::Failed),
            Some(format!(
                "create the project `{project}` with --create, or correct its name in the site's wrangler file or --project-name"
            )),
        ),
        (413, _) => (
            Some(Kind::Failed),
            Some(
                "raise the request limit of the proxy on the way to 60 MB, or make the site's code smaller if it is the deployment \
                 itself that is too large"
                    .to_owned(),
            ),
        ),
        (_, "8000111") => (Some(Kind::Failed), Some("give another message with --commit-message".to_owned())),
        (_, "7003") => (Some(Kind::Failed), Some("correct CLOUDFLARE_ACCOUNT_ID".to_owned())),
        (_, "8000119") => (Some(Kind::Permission), Some("the account is blocked: ask Cloudflare's support".to_owned())),
        (_, "9103" | "9106" | "10000" | "6003") | (401 | 403, _) => (
            Some(Kind::Permission),
            Some("give CLOUDFLARE_API_TOKEN the permission \"Cloudflare Pages: Edit\" for this account".to_owned()),
        ),
        _ => (None, None),
    }
}

#[cfg(test)]
mod tests {
    use api::{Error, ErrorResponse};
    use fault::Kind;

    use super::{advise, decode, is_expired, is_limit, is_no_project};

    fn refusal(status: u16, code: Option<&str>, message: &str) -> ErrorResponse {
        ErrorResponse {
            status,
            code: code.map(str::to_owned),
            message: message.to_owned(),
            request_id: None,
            request: "GET https://api.cloudflare.com/x".to_owned(),
            retry_after_seconds: None,
            gave_up: None,
        }
    }

    #[test]
    fn codes_are_read_from_every_shape_of_error() {
        let code = |body: &[u8]| decode(body).map(|error| (error.code, error.message));
        let some = |code: &str, message: &str| Some((Some(code.to_owned()), message.to_owned()));
        let body = br#"{"success":false,"errors":[{"code":8000007,"message":"no"}],"messages":[],"result":null}"#;
        assert_eq!(code(body), some("8000007", "no"));
        assert_eq!(code(br#"{"code":"x","error":"y"}"#), some("x", ""));
        assert_eq!(code(b"Expired JWT"), Some((None, "Expired JWT".to_owned())));
        assert_eq!(code(b"<html>502</html>"), None);
    }

    #[test]
    fn code_10000_is_a_limit_only_when_it_says_so() {
        assert!(is_limit(&refusal(400, Some("10000"), "Rate limited. Please wait and consider throttling")));
        assert!(is_limit(&refusal(400, Some("971"), "")));
        assert!(!is_limit(&refusal(403, Some("10000"), "Authentication error")));
    }

    #[test]
    fn an_expired_upload_token_is_recognised_in_all_its_forms() {
        assert!(is_expired(&refusal(401, None, "")));
        assert!(is_expired(&refusal(403, None, "text/plain, 11 bytes")));
        assert!(is_expired(&refusal(400, Some("8000013"), "")));
        assert!(!is_expired(&refusal(500, Some("8000000"), "")));
    }

    #[test]
    fn only_a_404_with_its_code_proves_that_a_project_is_absent() {
        assert!(is_no_project(&Error::Refused(refusal(404, Some("8000007"), ""))));
        assert!(!is_no_project(&Error::Refused(refusal(404, None, "text/html, 10 bytes"))));
        assert!(!is_no_project(&Error::Refused(refusal(502, Some("8000007"), ""))));
    }

    #[test]
    fn advice_names_the_variable_flag_or_permission() {
        let help = |status, code| {
            let fault = advise(Error::Refused(refusal(status, Some(code), "x")), "acme-docs");
            (fault.kind, fault.help.unwrap())
        };
        assert_eq!(help(403, "10000").0, Kind::Permission);
        assert!(help(403, "10000").1.contains("CLOUDFLARE_API_TOKEN"));
        assert!(help(404, "8000007").1.contains("--create"));
        assert!(help(404, "7003").1.contains("CLOUDFLARE_ACCOUNT_ID"));
        assert_eq!(help(429, "971").0, Kind::Temporary);
    }
}
