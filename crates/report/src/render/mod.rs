//! Renderings: each a pure function of the report and its limits.

pub(crate) mod annotations;
pub(crate) mod format;
pub(crate) mod json;
pub mod markdown;
pub(crate) mod style;
pub(crate) mod text;
