//! The sites as a list, for people, programs and `strategy.matrix`.

use fault::{Fault, Result};
use serde_json::{Value, json};

use crate::args::Format;
use crate::configure::Site;

/// The list in `format`.
pub(crate) fn render(sites: &[&Site], format: Format) -> Result<String> {
    let entry = |site: &&Site| json!({ "site": site.name, "project": site.project });
    let entries: Vec<Value> = sites.iter().map(entry).collect();
    Ok(match format {
        Format::Text => sites.iter().flat_map(|site| [site.name.as_str(), "\n"]).collect(),
        Format::Json => format!("{}\n", json!({ "schema_version": 1, "sites": entries, "error": null })),
        Format::Matrix => format!("{}\n", json!({ "include": entries })),
        Format::Jsonl => return Err(Fault::usage("a list has no records").help("use --format json")),
    })
}
