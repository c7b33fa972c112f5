//! Hashes, as hexadecimal digits.

use ring::digest::{Context, SHA256};

/// A hash of texts, which says nothing of them.
pub(crate) fn hash<T: AsRef<str>>(texts: &[T]) -> String {
    let mut context = Context::new(&SHA256);
    for text in texts {
        context.update(&(text.as_ref().len() as u64).to_be_bytes());
        context.update(text.as_ref().as_bytes());
    }
    hex(context.finish().as_ref())
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}
