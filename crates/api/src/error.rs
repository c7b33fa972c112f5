//! What can come back instead of an answer.

use fault::{Fault, Kind};

/// A service's description of an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceError {
    /// The service's code, `10000` or `not_found` for example.
    pub code: Option<String>,
    /// The service's text. Untrusted, shown neutralised.
    pub message: String,
}

/// A complete answer that is not the one asked for: a status other than 2xx or 304.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorResponse {
    /// The HTTP status.
    pub status: u16,
    /// The service's own code.
    pub code: Option<String>,
    /// The service's own text, or what the body looks like.
    pub message: String,
    /// The service's name for this request, for its support.
    pub request_id: Option<String>,
    /// Method and URL without the query.
    pub request: String,
    /// How long the service asks to wait before the next attempt, rounded up.
    pub retry_after_seconds: Option<u16>,
    /// Why it was not tried again, if it might have been.
    pub gave_up: Option<String>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The service answered with an error.
    Refused(ErrorResponse),
    /// No answer, or one that is not what the API promises.
    Fault(Fault),
}

impl ErrorResponse {
    /// The kind of failure, judged by the status alone.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self.status {
            401 | 403 => Kind::Permission,
            // An API does not redirect: a proxy or a login page has answered.
            300..=399 | 408 | 429 | 500..=599 => Kind::Temporary,
            _ => Kind::Failed,
        }
    }
}

impl From<ErrorResponse> for Fault {
    fn from(refusal: ErrorResponse) -> Self {
        let words = match &refusal.code {
            Some(code) => format!("{code}: {}", refusal.message),
            None => refusal.message.clone(),
        };
        let id = refusal.request_id.as_ref().map(|id| format!(", request id {id}")).unwrap_or_default();
        let fault = Self::new(refusal.kind(), format!("{} answered {} ({words}){id}", refusal.request, refusal.status));
        match refusal.gave_up {
            Some(why) => fault.cause(why),
            None => fault,
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(refusal) => refusal.into(),
            Error::Fault(fault) => fault,
        }
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// The innermost reason, `Connection refused (os error 111)` for example: reqwest's own layers say only where it happened, and
/// their text would show the URL with its query.
#[must_use]
pub fn reason(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
