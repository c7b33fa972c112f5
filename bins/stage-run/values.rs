//! What a stage hands to later ones: variables that it appended to the file `STAGE_RUN_ENV`.

use std::path::Path;

use fault::{Fault, Result};
use runner::file::{append_pairs, parse_pairs};
use runner::handoff::{self, StepFile};

/// The variable that names the file.
pub(crate) const VARIABLE: &str = "STAGE_RUN_ENV";

/// More than this is not read.
const LIMIT: u64 = 1 << 20;

/// The variables in the file at `path`; none if there is no file.
///
/// # Errors
/// [`fault::Kind::Usage`]: it is too large, not in the form of `GITHUB_ENV`, or names a variable that no program may hand on.
pub(crate) fn read(path: &Path) -> Result<Vec<(String, String)>> {
    let cannot = |error: &dyn std::fmt::Display| {
        Fault::usage(format!("cannot read `{}`, the file of {VARIABLE}", path.display())).cause(error.to_string())
    };
    match path.metadata() {
        Ok(file) if file.len() > LIMIT => return Err(cannot(&"it is larger than 1 MiB")),
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(cannot(&error)),
    }
    let text = std::fs::read_to_string(path).map_err(|error| cannot(&error))?;
    let pairs = parse_pairs(&text).map_err(|message| cannot(&message))?;
    handoff::check_all(&pairs, StepFile::Env)?;
    Ok(pairs)
}

/// Keeps the variables with the run.
///
/// # Errors
/// The file cannot be written.
pub(crate) fn keep(path: &Path, pairs: &[(String, String)]) -> Result<()> {
    if pairs.is_empty() {
        return Ok(());
    }
    if !path.exists() {
        crate::folder::private_file(path)
            .map_err(|error| Fault::temporary("cannot keep variables for later stages").cause(error.to_string()))?;
    }
    append_pairs(path, pairs)
}
