//! The search for secrets where they must not be.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

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

/// Panics when a file under `folder`, other than the known ones, gives away one of the secrets.
pub(super) fn check_folder(folder: &Path, secrets: &[String], known: &BTreeSet<PathBuf>) {
    for path in holders(folder, secrets) {
        let place = format!("the file {} left behind", path.display());
        assert!(known.contains(&path), "a secret stands in {place}");
    }
}

/// The files under `folder` that give away one of the secrets.
pub(super) fn holders(folder: &Path, secrets: &[String]) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            found.extend(holders(&entry.path(), secrets));
        } else if kind.is_file() {
            let text = fs::read(entry.path()).unwrap_or_default();
            if secrets.iter().any(|secret| leaks(&text, secret).is_some()) {
                found.insert(entry.path());
            }
        }
    }
    found
}
