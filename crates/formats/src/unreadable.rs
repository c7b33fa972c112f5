//! Why a report cannot be read.

/// Why a report cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// For people: `it is cut off: …`.
    pub cause: String,
}

impl Unreadable {
    /// With its cause.
    pub fn new(cause: impl Into<String>) -> Self {
        Self { cause: cause.into() }
    }
}

impl From<serde_json::Error> for Unreadable {
    fn from(error: serde_json::Error) -> Self {
        Self::new(error.to_string())
    }
}
