//! Values as text.

pub mod json;
pub mod shell;

use crate::outputs::Dialect;
use crate::value::Value;

/// A string as it is, anything else as one line of JSON; no newline at the end.
#[must_use]
pub fn raw(value: &Value, dialect: Dialect) -> String {
    match value {
        Value::Text(text) => text.clone(),
        other => json::line(other, dialect),
    }
}
