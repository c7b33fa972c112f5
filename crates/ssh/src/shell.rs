//! Quoting for a POSIX shell.

/// `word` as one word of a POSIX shell, whatever is in it.
#[must_use]
pub fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}
