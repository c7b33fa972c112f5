//! How secrets are stored in encrypted files: their serialised form, and the atomic write of a private file.

use std::io::{self, Write as _};
use std::path::Path;

use secrecy::ExposeSecret as _;
use secrets::{Secret, Visibility};
use serde::{Deserialize, Serialize};

/// A secret as it is stored, before encryption.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Entry {
    name: String,
    value: Option<String>,
    visibility: u8,
}

impl Entry {
    /// Whether this is the same name and value.
    pub(crate) fn matches(&self, secret: &Secret) -> bool {
        // Exposed to compare.
        self.name == secret.name
            && self.value.as_deref() == secret.value.as_ref().map(secrecy::ExposeSecret::expose_secret)
    }
}

impl From<&Secret> for Entry {
    fn from(secret: &Secret) -> Self {
        let visibility = match secret.visibility {
            Visibility::Masked => 0,
            Visibility::Unmasked => 1,
            Visibility::Restricted => 2,
        };
        // Exposed to be encrypted.
        let value = secret.value.as_ref().map(|value| value.expose_secret().to_owned());
        Self { name: secret.name.clone(), value, visibility }
    }
}

impl From<Entry> for Secret {
    fn from(entry: Entry) -> Self {
        let visibility = match entry.visibility {
            1 => Visibility::Unmasked,
            2 => Visibility::Restricted,
            _ => Visibility::Masked,
        };
        Self { name: entry.name, value: entry.value.map(Into::into), visibility }
    }
}

/// Writes `bytes` to `file`, readable for its owner only. The file has either its old or its new content, never a part; the temporary
/// file beside it is removed if anything fails.
pub(crate) fn write_atomically(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut next = tempfile::Builder::new().prefix(".secrets-env-").tempfile_in(folder)?;
    next.write_all(bytes)?;
    next.as_file().sync_all()?;
    next.persist(file)?;
    Ok(())
}
