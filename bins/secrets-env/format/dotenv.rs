//! The dotenv lines that node `--env-file`, npm dotenv, python-dotenv and POSIX shells read alike.
//!
//! There is no one dotenv. Its readers agree on single quotes around text without quotes, `${` (python-dotenv expands it inside any
//! quotes), carriage returns (node drops them) and doubled or final backslashes (python-dotenv unescapes them).

use super::{Unfit, unfit};

/// `NAME='value'`.
pub(super) fn line(name: &str, value: &str) -> Result<String, Unfit> {
    if value.contains(['\0', '\r']) {
        return unfit("it holds a NUL or a carriage return, which dotenv's readers lose", "json");
    }
    if value.contains("${") {
        return unfit("it holds `${`, which some readers of dotenv expand inside any quotes", "json or shell");
    }
    if value.contains('\'') {
        return unfit("it holds a single quote, which dotenv's readers escape in different ways", "json or shell");
    }
    if value.contains(r"\\") || value.ends_with('\\') {
        return unfit(
            "it holds two backslashes or ends in one, which some readers of dotenv unescape",
            "json or shell",
        );
    }
    Ok(format!("{name}='{value}'\n"))
}
