//! `_headers` and `_redirects`: files at a site's root that are rules and not assets.

use std::path::Path;

use fault::{Fault, Result};

/// The contents of the rule files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// `_headers`.
    pub headers: Option<Vec<u8>>,
    /// `_redirects`.
    pub redirects: Option<Vec<u8>>,
}

impl Rules {
    /// Reads them from the output folder `root`. As in wrangler, an empty file counts as absent, and bytes that are not UTF-8 become
    /// U+FFFD.
    ///
    /// # Errors
    /// A file exists and cannot be read.
    pub fn read(root: &Path) -> Result<Self> {
        Ok(Self { headers: rule_file(&root.join("_headers"))?, redirects: rule_file(&root.join("_redirects"))? })
    }
}

fn rule_file(path: &Path) -> Result<Option<Vec<u8>>> {
    match std::fs::read(path) {
        Ok(bytes) if bytes.is_empty() => Ok(None),
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned().into_bytes())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Fault::failed(format!("cannot read `{}`", path.display())).cause(error.to_string())),
    }
}
