//! `inputs`: the files a check depends on, and the key of what it would see.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use fault::{Fault, Result};
use plan::{Check, Variable};
use ring::digest::{Context, SHA256};

use super::load::Loaded;
use super::shared::Run;
use crate::gather::{matching, within};

/// The files that the globs of a check match, each once, in the order of their names.
///
/// # Errors
/// [`fault::Kind::Usage`]: a glob matches nothing.
pub(super) fn files(loaded: &Loaded, check: &Check) -> Result<Vec<PathBuf>> {
    let folder = loaded.folder(check);
    let mut files = Vec::new();
    for glob in &check.inputs {
        let found = matching(&within(Some(&folder), glob))?;
        if found.is_empty() {
            let message = format!("`inputs` of `{}`: `{glob}` matches no file", check.id);
            return Err(loaded.fault(check.at, &message).help("correct the glob: it is relative to the check's `dir`"));
        }
        files.extend(found);
    }
    files.sort();
    files.dedup();
    Ok(files)
}

/// A key that differs if anything differs that the check may depend on: its definition, its files, its variables, the system, us.
///
/// # Errors
/// A file cannot be read, or a glob matches nothing.
pub(super) fn key(run: &Run<'_>, check: &Check) -> Result<String> {
    let mut hash = Hash(Context::new(&SHA256));
    let definition = (&check.id, &check.action, &check.dir, &check.timeout, check.retries, &check.report);
    let verdict = (check.allow_empty, check.required, &check.fail_on, &check.inputs);
    for text in [
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH,
        &format!("{:?} {definition:?} {verdict:?}", run.shell),
    ] {
        hash.part(text.as_bytes());
    }
    for (name, variable) in &check.env {
        let value = match variable {
            Variable::Inherit => run.console.environment().get(name).unwrap_or_default(),
            Variable::Set(value) => value,
            Variable::Remove => "",
        };
        hash.part(format!("{name} {variable:?}").as_bytes());
        hash.part(value.as_bytes());
    }
    let folder = run.loaded.folder(check);
    for path in files(run.loaded, check)? {
        let name = path.strip_prefix(&folder).unwrap_or(&path);
        hash.part(name.as_os_str().as_encoded_bytes());
        hash.file(&path)?;
    }
    Ok(hash.end())
}

/// The hash of a file's content; `None` if it is not there or no file.
pub(super) fn of_file(path: &Path) -> Option<String> {
    let mut hash = Hash(Context::new(&SHA256));
    hash.file(path).ok()?;
    Some(hash.end())
}

struct Hash(Context);

impl Hash {
    /// A part with its length: two lists of parts are never the same bytes.
    fn part(&mut self, bytes: &[u8]) {
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    fn file(&mut self, path: &Path) -> Result<()> {
        let cannot =
            |error: std::io::Error| Fault::usage(format!("cannot read `{}`", path.display())).cause(error.to_string());
        let mut file = File::open(path).map_err(cannot)?;
        let (mut buffer, mut length) = (vec![0; 64 * 1024], 0_u64);
        loop {
            let read = file.read(&mut buffer).map_err(cannot)?;
            if read == 0 {
                break;
            }
            length += read as u64;
            self.0.update(&buffer[..read]);
        }
        self.0.update(&length.to_le_bytes());
        Ok(())
    }

    fn end(self) -> String {
        let mut text = String::new();
        for byte in self.0.finish().as_ref() {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        text
    }
}
