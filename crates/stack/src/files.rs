//! Reads the small files that programs keep: settings, logins, configuration.

use std::io::{self, Read as _};
use std::path::Path;

/// The largest such file that is read.
pub(crate) const FILE_LIMIT: u64 = 16 << 20;

/// The bytes of the file at `path`, which must be a regular file. A pipe in its place could block the run past its deadline.
///
/// # Errors
/// The errors of reading, and [`io::ErrorKind::InvalidInput`] for a pipe, a device or a file that is too large.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let invalid = |why: String| io::Error::new(io::ErrorKind::InvalidInput, why);
    let kind = std::fs::metadata(path)?.file_type();
    if !kind.is_file() && !kind.is_dir() {
        return Err(invalid("it is not a regular file".to_owned()));
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(FILE_LIMIT + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_LIMIT {
        return Err(invalid(format!("it is larger than {} MiB", FILE_LIMIT >> 20)));
    }
    Ok(bytes)
}

/// The text of the file at `path`, as [`read`].
///
/// # Errors
/// As [`read`], and [`io::ErrorKind::InvalidData`] for text that is not UTF-8.
pub(crate) fn read_text(path: &Path) -> io::Result<String> {
    let text = String::from_utf8(read(path)?);
    text.map_err(|_invalid| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text"))
}
