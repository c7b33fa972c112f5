//! Private temporary files.

use std::io::{self, Write as _};
use std::path::PathBuf;

use tempfile::NamedTempFile;

/// The files; dropping them removes them.
#[derive(Debug)]
pub(super) struct Store(Vec<NamedTempFile>);

impl Store {
    pub(super) fn new(contents: &[&[u8]]) -> io::Result<Self> {
        let file = |content: &&[u8]| {
            let mut file = tempfile::Builder::new().prefix("secrets-env-").tempfile()?;
            file.write_all(content)?;
            Ok(file)
        };
        contents.iter().map(file).collect::<io::Result<_>>().map(Self)
    }

    pub(super) fn replace(&mut self, contents: &[&[u8]]) -> io::Result<()> {
        for (file, content) in self.0.iter().zip(contents) {
            crate::stored::write_atomically(file.path(), content)?;
        }
        Ok(())
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = PathBuf> {
        self.0.iter().map(|file| file.path().to_owned())
    }
}
