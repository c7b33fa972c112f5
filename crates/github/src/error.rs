//! What can come back instead of an answer.

use api::ErrorResponse;
use fault::Fault;

/// Why a call did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// GitHub answered no: the status and its text.
    Refused(ErrorResponse),
    /// A write whose answer was lost: it may have taken effect.
    Lost(Fault),
    /// It certainly had no effect: no connection, a rate limit that outlasts the deadline, an answer that is not what the API promises.
    Fault(Fault),
}

impl Error {
    /// The token may not do this.
    #[must_use]
    pub fn is_forbidden(&self) -> bool {
        matches!(self, Self::Refused(refusal) if matches!(refusal.status, 401 | 403))
    }

    /// What was asked for does not exist, or no longer.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Refused(refusal) if matches!(refusal.status, 404 | 410))
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(refusal) => refusal.into(),
            Error::Lost(fault) | Error::Fault(fault) => fault,
        }
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}
