//! The search for secrets where they must not be.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use emulators::leaks;

/// Panics when `text` gives away one of the secrets.
pub(super) fn check(place: &str, text: &[u8], secrets: &[String]) {
    for secret in secrets {
        if let Some(form) = leaks(text, secret) {
            let shown = String::from_utf8_lossy(text);
            panic!("a secret ({} bytes) stands in {place} {form}:\n{shown}", secret.len());
        }
    }
}

/// Panics when a process of the step had a secret among its arguments.
pub(super) fn check_arguments(arguments: &BTreeSet<Vec<u8>>, secrets: &[String]) {
    for line in arguments {
        check("an argument list", line, secrets);
    }
}

/// Panics when a file under `folder` gives away one of the secrets.
pub(super) fn check_folder(folder: &Path, secrets: &[String]) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            check_folder(&entry.path(), secrets);
        } else if kind.is_file() {
            let place = format!("the file {} left behind", entry.path().display());
            check(&place, &fs::read(entry.path()).unwrap_or_default(), secrets);
        }
    }
}
