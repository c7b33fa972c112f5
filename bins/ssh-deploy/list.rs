//! The hosts as a list, for people, programs and `strategy.matrix`.

use cli::{Console, Exit};
use fault::{Fault, Result};
use serde_json::{Value, json};
use ssh::Target;

use crate::args::{Args, Format};
use crate::emit;
use crate::log::Log;

/// Prints the list, or reports that there is nothing to do.
///
/// # Errors
/// A usage fault for a format that a list does not have, and a stdout that takes nothing.
pub(crate) fn print(args: &Args, targets: &[Target], console: &Console) -> Result<Exit> {
    if args.list {
        console.print(render(targets, args.format)?)?;
        return Ok(Exit::Success);
    }
    check_format(args.format)?;
    console.status("no hosts: nothing to do");
    Ok(emit::finish(Log::new(targets, None, args, || None, console), targets, None, args, console))
}

/// The list in `format`.
fn render(targets: &[Target], format: Format) -> Result<String> {
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
