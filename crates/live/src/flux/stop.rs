//! Why a chain of Flux's objects was not followed to its end.

use crate::kubernetes::Refusal;
use crate::look::Look;

/// Why the chain was not followed to its end.
pub(crate) enum Stop {
    /// A link does not hold.
    Look(Box<Look>),
    /// The API refused.
    Refused(Refusal),
}

impl From<Look> for Stop {
    fn from(look: Look) -> Self {
        Self::Look(Box::new(look))
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}
