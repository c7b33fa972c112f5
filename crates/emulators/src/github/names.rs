//! The names that the stand-in knows.

/// The one repository.
pub const REPOSITORY: &str = "acme/shop";

/// The login of a job's token.
pub(super) const LOGIN: &str = "github-actions[bot]";
