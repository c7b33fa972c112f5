//! Renderings: each a pure function of the report and its limits.

pub(crate) mod agent;
pub(crate) mod annotations;
pub(crate) mod changes;
pub(crate) mod critical;
pub(crate) mod ctrf;
pub(crate) mod format;
pub(crate) mod html;
pub(crate) mod json;
pub(crate) mod junit;
pub mod markdown;
pub(crate) mod sarif;
pub(crate) mod style;
pub(crate) mod text;

/// The schema of the JSON document.
pub const SCHEMA: &str = include_str!("schema.json");
