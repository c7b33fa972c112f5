//! Reads a file's content as base64, one piece at a time.

use std::io::{self, ErrorKind, Read};

use base64_simd::STANDARD;

/// Bytes read at once: a multiple of 3, so that the base64 texts of the pieces join to that of the whole file. Small enough for a
/// core's cache, and for the allocator to keep the memory between files.
pub(crate) const PIECE: usize = 48 * 1024;

/// Reads `size` bytes of `content`. For each piece, appends its base64 to `text` and calls `then`; only the last one is padded.
///
/// The size is known, so no extra read is needed to find the end: most files take a single one.
pub(crate) fn encode(
    mut content: impl Read,
    size: u64,
    text: &mut Vec<u8>,
    mut then: impl FnMut(&mut Vec<u8>) -> io::Result<()>,
) -> io::Result<()> {
    let at_most = |left| usize::try_from(left).map_or(PIECE, |left: usize| left.min(PIECE));
    let mut piece = vec![0; at_most(size)];
    let mut left = size;
    while left > 0 {
        let piece = &mut piece[..at_most(left)];
        content.read_exact(piece).map_err(named)?;
        STANDARD.encode_append(&piece, text);
        then(text)?;
        left -= piece.len() as u64;
    }
    Ok(())
}

fn named(error: io::Error) -> io::Error {
    match error.kind() {
        ErrorKind::UnexpectedEof => io::Error::other("it became shorter while it was read"),
        _ => error,
    }
}
