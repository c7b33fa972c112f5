//! Shell text that the remote loop evaluates between steps: what is common to all of it.

/// `text` without comments, indentation and blank lines.
pub(crate) fn fragment(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.fold(String::new(), |text, line| text + line + "\n")
}

/// The function `sd_sum`, which computes the checksum of a file.
const SUM: &str = include_str!("fragment/sum.sh");

/// `text` after the functions that it needs.
pub(crate) fn with_sums(text: &str) -> String {
    fragment(SUM) + &fragment(text)
}

/// The SHA-256 of `bytes` in hexadecimal.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    hexadecimal(ring::digest::digest(&ring::digest::SHA256, bytes).as_ref())
}

/// `bytes` as lower-case hexadecimal digits.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
