//! Interprets Doppler's errors: what the user can do, and whether the service is unavailable.

use std::time::Duration;

use api::{Advice, ErrorResponse, ServiceError};
use fault::{Fault, Kind};
use serde::Deserialize;

use crate::config_ref::ConfigRef;
use crate::token::Token;

/// Why a read of secrets failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The error to report.
    pub fault: Fault,
    /// Doppler is unavailable (no connection, timeout, 408, 429, 5xx): the only case in which older secrets may be used instead.
    pub is_outage: bool,
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Self {
        failure.fault
    }
}

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    messages: Vec<String>,
    #[serde(default)]
    data: Data,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    is_retryable: Option<bool>,
    is_retryable_after_sec: Option<f64>,
}

/// Doppler's error body, `{"messages": […], "success": false}`.
pub(crate) fn decode(body: &[u8]) -> Option<ServiceError> {
    let body: Body = serde_json::from_slice(body).ok()?;
    (!body.messages.is_empty()).then(|| ServiceError { code: None, message: body.messages.join("; ") })
}

/// The part of an error body about retries, `"data": {"isRetryable": true, "isRetryableAfterSec": 3}`.
pub(crate) fn advice(body: &[u8]) -> Advice {
    let Ok(Body { data, .. }) = serde_json::from_slice(body) else { return Advice::default() };
    let after = data.is_retryable_after_sec.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    Advice { retryable: data.is_retryable, after }
}

/// What went wrong when `token` asked for `place`.
pub(crate) fn of(error: api::Error, place: &ConfigRef, token: &Token) -> Failure {
    match error {
        api::Error::Refused(refusal) => of_refusal(refusal, place, token),
        api::Error::Fault(fault) => {
            let is_outage = fault.kind == Kind::Temporary;
            Failure { fault: fault.context(format!("cannot read the secrets of {place}")), is_outage }
        }
    }
}

fn of_refusal(refusal: ErrorResponse, place: &ConfigRef, token: &Token) -> Failure {
    let status = refusal.status;
    let words = refusal.message.to_lowercase();
    let fault: Fault = refusal.into();
    let permission = |fault: Fault| Fault { kind: Kind::Permission, ..fault };
    let fault = match status {
        401 => permission(fault.context(format!("Doppler rejects the token from {}", token.origin)))
            .help(format!("put a valid, unrevoked Doppler token into {}", token.origin)),
        403 => permission(fault.context(format!("Doppler does not let the token from {} read {place}", token.origin)))
            .help(format!("give the token access to {place}, or use one that has it in {}", token.origin)),
        400 | 404 if words.contains("does not have access") => {
            permission(fault.context(format!("the token from {} may not read {place}", token.origin)))
                .help(advice_on_access(place, token))
        }
        404 | 400 if words.contains("could not find requested") => Fault {
            kind: Kind::Usage,
            ..fault.context(format!("Doppler knows no {place}, or hides it from this token"))
        }
        .help("check --project and --config (DOPPLER_PROJECT, DOPPLER_CONFIG)"),
        400 => Fault { kind: Kind::Usage, ..fault.context(format!("Doppler rejects the request for {place}")) }
            .help("give --project and --config (DOPPLER_PROJECT, DOPPLER_CONFIG)"),
        _ => fault.context(format!("cannot read the secrets of {place}")),
    };
    Failure { fault, is_outage: matches!(status, 408 | 429 | 500..=599) }
}

fn advice_on_access(place: &ConfigRef, token: &Token) -> String {
    match (token.config_hint(), place.config.as_deref()) {
        (Some(own), Some(asked)) if own != asked => {
            format!(
                "the token is for config `{own}`: ask for that one, or put a token for `{asked}` into {}",
                token.origin
            )
        }
        _ => format!("check that {place} exists, and use a token in {} that may read it", token.origin),
    }
}

#[cfg(test)]
mod tests {
    use api::{Error, ErrorResponse};
    use fault::Kind;

    use super::{advice, decode, of};
    use crate::{ConfigRef, Token};

    fn failure(status: u16, message: &str) -> super::Failure {
        let refusal = ErrorResponse {
            status,
            code: None,
            message: message.to_owned(),
            request_id: None,
            request: "GET https://api.doppler.com/v3/configs/config/secrets".to_owned(),
            retry_after_seconds: None,
            gave_up: None,
        };
        let place = ConfigRef { project: Some("shop".to_owned()), config: Some("prd".to_owned()) };
        of(Error::Refused(refusal), &place, &Token::new("dp.st.dev.x".into(), "DOPPLER_TOKEN"))
    }

    #[test]
    fn a_rejected_token_is_a_permission_fault_that_names_the_variable() {
        let failure = failure(401, "Invalid Auth token");
        assert_eq!(failure.fault.kind, Kind::Permission);
        assert!(failure.fault.message.contains("DOPPLER_TOKEN"));
        assert!(!failure.is_outage);
    }

    #[test]
    fn a_400_without_access_is_a_permission_fault_that_names_project_and_config() {
        let failure = failure(400, "This token does not have access to requested config 'prd'");
        assert_eq!(failure.fault.kind, Kind::Permission);
        assert!(failure.fault.message.contains("project `shop`, config `prd`"));
        assert!(failure.fault.help.unwrap().contains("the token is for config `dev`"));
        assert!(!failure.is_outage);
    }

    #[test]
    fn an_unknown_config_is_wrong_usage() {
        let failure = failure(404, "Could not find requested config 'prd'");
        assert_eq!(failure.fault.kind, Kind::Usage);
        assert!(!failure.is_outage);
    }

    #[test]
    fn only_408_429_and_5xx_are_outages() {
        for status in [408, 429, 500, 502, 503, 504] {
            assert!(failure(status, "x").is_outage, "{status}");
        }
        for status in [400, 401, 403, 404, 409, 422, 302] {
            assert!(!failure(status, "x").is_outage, "{status}");
        }
    }

    #[test]
    fn the_error_body_decides_whether_to_retry() {
        let advice =
            advice(br#"{"messages":["busy"],"success":false,"data":{"isRetryable":true,"isRetryableAfterSec":1.5}}"#);
        assert_eq!((advice.retryable, advice.after), (Some(true), Some(std::time::Duration::from_millis(1_500))));
        for body in [&b"<html>"[..], br#"{"messages":[],"success":false}"#, br#"{"data":{}}"#] {
            assert_eq!(super::advice(body), api::Advice::default());
        }
    }

    #[test]
    fn only_doppler_s_own_error_body_is_read() {
        let error = decode(br#"{"messages":["Invalid Auth token"],"success":false}"#).unwrap();
        assert_eq!(error.message, "Invalid Auth token");
        assert_eq!(decode(b"<html>"), None);
        assert_eq!(decode(br#"{"messages":[]}"#), None);
    }
}
