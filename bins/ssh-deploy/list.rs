//! The hosts as a list, for people, programs and `strategy.matrix`.

use fault::{Fault, Result};
use serde_json::{Value, json};
use ssh::Target;

use crate::args::Format;

/// The list in `format`.
///
/// # Errors
/// A usage fault for a format that a list does not have.
pub(crate) fn render(targets: &[Target], format: Format) -> Result<String> {
    let entry = |target: &Target| json!({ "host": target.name, "address": target.address.to_string() });
    let entries: Vec<Value> = targets.iter().map(entry).collect();
    Ok(match format {
        Format::Text => targets.iter().flat_map(|target| [target.name.as_str(), "\n"]).collect(),
        Format::Json => format!("{}\n", json!({ "schema_version": 1, "hosts": entries, "error": null })),
        Format::Matrix => format!("{}\n", json!({ "include": entries })),
        Format::Jsonl => return Err(Fault::usage("a list has no records").help("use --format json")),
    })
}

/// Refuses a format that only a list has.
///
/// # Errors
/// A usage fault for `matrix`.
pub(crate) fn check_format(format: Format) -> Result<()> {
    match format {
        Format::Matrix => Err(Fault::usage("`--format matrix` is a list of hosts").help("add --list")),
        Format::Text | Format::Json | Format::Jsonl => Ok(()),
    }
}
