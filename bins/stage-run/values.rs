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

/// Keeps the variables with the run: each once, with its newest value.
///
/// # Errors
/// [`fault::Kind::Usage`]: they are more than are read again. [`fault::Kind::Temporary`]: the file cannot be written.
pub(crate) fn keep(path: &Path, new: &[(String, String)]) -> Result<()> {
    if new.is_empty() {
        return Ok(());
    }
    let mut all = read(path)?;
    all.retain(|(name, _)| !new.iter().any(|(newer, _)| newer == name));
    for (number, (name, value)) in new.iter().enumerate() {
        if !new[number + 1..].iter().any(|(later, _)| later == name) {
            all.push((name.clone(), value.clone()));
        }
    }
    let cannot =
        |error: std::io::Error| Fault::temporary("cannot keep variables for later stages").cause(error.to_string());
    // Renamed when it is whole: a resumed run must find the old values or the new ones.
    let fresh = path.with_extension("new");
    crate::folder::private_file(&fresh).map_err(cannot)?;
    append_pairs(&fresh, &all)?;
    if fresh.metadata().map_err(cannot)?.len() > LIMIT {
        let _ = std::fs::remove_file(&fresh);
        return Err(Fault::usage("the variables for later stages take more than 1 MiB"));
    }
    std::fs::rename(&fresh, path).map_err(cannot)
}
