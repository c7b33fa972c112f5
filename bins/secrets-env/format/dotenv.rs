//! The dotenv lines that node `--env-file`, python-dotenv and POSIX shells read alike.
//!
//! There is no one dotenv: the consumers agree on single quotes without escapes, in which python-dotenv expands `${…}` and node drops a
//! CR; and on plain words. A value that the agreement cannot hold is an error, never a guess.

use fault::Result;

use super::{cannot_hold, check_name};

/// `NAME='value'`, or without quotes where nobody needs them.
pub(super) fn line(name: &str, value: &str) -> Result<String> {
    check_name(name, "dotenv")?;
    let refuse = |why: &str| Err(cannot_hold(name, "dotenv", why, "--format json or --format shell"));
    if value.contains(['\0', '\r']) {
        return refuse("it holds a NUL or a carriage return, which no reader keeps");
    }
    if value.contains("${") {
        return refuse("it holds `${`, which python-dotenv expands inside any quotes");
    }
    if value.contains('\'') {
        return refuse("it holds a single quote, which its readers escape in different ways");
    }
    Ok(format!("{name}='{value}'\n"))
}
