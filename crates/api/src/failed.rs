//! An attempt that failed: what the service says about another, and what is told when there is none.

use std::time::Duration;

use fault::Fault;
use jiff::Timestamp;

use crate::retry::{self, End};
use crate::scrub::Scrub;
use crate::{Client, Error, ErrorResponse, Response};

/// What the body of a refusal says about trying again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Advice {
    /// Whether it is worth it; the status decides where the service does not say.
    pub retryable: Option<bool>,
    /// How long to wait first.
    pub after: Option<Duration>,
}

/// An attempt without a good answer.
#[derive(Clone, Debug)]
pub struct FailedAttempt {
    pub(crate) end: End,
    /// How long the service asks to wait.
    pub(crate) asked: Option<Duration>,
    /// Whether the service calls another attempt worth it.
    pub(crate) advised: Option<bool>,
    pub(crate) error: Error,
}

impl FailedAttempt {
    /// What went wrong.
    #[must_use]
    pub fn error(&self) -> &Error {
        &self.error
    }

    /// Whether waiting changes nothing: no program listens on this machine's port, or what listens does not speak TLS.
    #[must_use]
    pub fn is_hopeless(&self) -> bool {
        self.end == End::Hopeless
    }

    /// An attempt after which there is no other: the service answered, and means it.
    #[must_use]
    pub fn last(error: Error) -> Self {
        Self { end: End::Hopeless, asked: None, advised: None, error }
    }

    /// An attempt without an answer.
    pub(crate) fn of(end: End, fault: Fault) -> Self {
        Self { end, asked: None, advised: None, error: fault.into() }
    }

    /// The error of the last of so many attempts, which the deadline ended or not.
    pub(crate) fn gave_up(self, attempts: u32, is_late: bool) -> Error {
        let why = match self.asked {
            Some(asked) if is_late => {
                format!("the service asks to wait {} s, which is past the deadline", asked.as_secs())
            }
            _ if attempts == 1 => return self.error,
            _ if is_late => format!("tried {attempts} times until the deadline"),
            _ => format!("tried {attempts} times"),
        };
        match self.error {
            Error::Refused(refusal) => Error::Refused(ErrorResponse { gave_up: Some(why), ..refusal }),
            Error::Fault(fault) => Error::Fault(fault.cause(why)),
        }
    }

    /// An attempt that the service answered with no.
    pub(crate) fn refused(client: &Client, request: String, response: &Response, scrub: &Scrub) -> Self {
        let now = Timestamp::now();
        let advice = (client.advise)(&response.body);
        let header = response.header("retry-after").and_then(|value| retry::retry_after(value, now));
        // Many services that limit requests state when the limit ends, even if they do not state when to come back.
        let reset = || response.header("x-ratelimit-reset").filter(|_| response.status == 429);
        let asked = header.max(advice.after).or_else(|| retry::reset(reset()?, now));
        let (code, message) = match (client.decode)(&response.body) {
            Some(error) => (error.code, error.message),
            None => (None, response.describe()),
        };
        let request_id = ["x-request-id", "cf-ray", "x-amz-request-id", "x-ms-request-id"]
            .iter()
            .find_map(|name| response.header(name));
        let refusal = ErrorResponse {
            status: response.status,
            code: code.map(|code| scrub.apply(code)),
            message: scrub.apply(message),
            request_id: request_id.map(|id| scrub.apply(id.to_owned())),
            request,
            // Rounded up, because coming early would be refused again.
            retry_after_seconds: asked.map(|wait| u16::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u16::MAX)),
            gave_up: None,
        };
        let end = End::Answered(response.status);
        Self { end, asked, advised: advice.retryable, error: Error::Refused(refusal) }
    }
}

impl From<FailedAttempt> for Error {
    fn from(failed: FailedAttempt) -> Self {
        failed.error
    }
}
