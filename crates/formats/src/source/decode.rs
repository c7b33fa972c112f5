//! Bytes to UTF-8, piece by piece: a byte order mark decides, and what cannot be decoded becomes U+FFFD.

/// How the bytes of an input are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    /// Also what is assumed without a byte order mark.
    Utf8,
    /// Windows PowerShell's `>` writes this.
    Utf16Le,
    Utf16Be,
}

/// Decodes an input that arrives in pieces; an incomplete character is kept until the next piece.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    encoding: Option<Encoding>,
    rest: Vec<u8>,
}

impl Decoder {
    /// Appends the text of the next bytes to `out`. `last` marks the end of the input.
    pub(super) fn decode(&mut self, bytes: &[u8], last: bool, out: &mut Vec<u8>) {
        if self.rest.is_empty() && self.encoding == Some(Encoding::Utf8) && !last {
            self.utf8(bytes, last, out);
            return;
        }
        let mut all = std::mem::take(&mut self.rest);
        all.extend_from_slice(bytes);
        let mut text = all.as_slice();
        if self.encoding.is_none() {
            if text.len() < 3 && !last {
                self.rest = all;
                return;
            }
            let (encoding, mark) = sniff(text);
            self.encoding = Some(encoding);
            text = &text[mark..];
        }
        match self.encoding {
            Some(Encoding::Utf16Le) => self.utf16(text, last, u16::from_le_bytes, out),
            Some(Encoding::Utf16Be) => self.utf16(text, last, u16::from_be_bytes, out),
            _ => self.utf8(text, last, out),
        }
    }

    fn utf8(&mut self, bytes: &[u8], last: bool, out: &mut Vec<u8>) {
        for chunk in bytes.utf8_chunks() {
            out.extend_from_slice(chunk.valid().as_bytes());
            let invalid = chunk.invalid();
            if invalid.is_empty() {
                continue;
            }
            let at_end = invalid.as_ptr_range().end == bytes.as_ptr_range().end;
            if at_end && !last && is_incomplete(invalid) {
                self.rest = invalid.to_vec();
            } else {
                out.extend_from_slice("\u{fffd}".as_bytes());
            }
        }
    }

    fn utf16(&mut self, bytes: &[u8], last: bool, unit: fn([u8; 2]) -> u16, out: &mut Vec<u8>) {
        let mut units: Vec<u16> = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect();
        let mut used = units.len() * 2;
        // A high surrogate waits for the low one.
        if !last && units.last().is_some_and(|unit| (0xd800..0xdc00).contains(unit)) {
            units.pop();
            used -= 2;
        }
        out.extend_from_slice(String::from_utf16_lossy(&units).as_bytes());
        if last {
            if used < bytes.len() {
                out.extend_from_slice("\u{fffd}".as_bytes());
            }
        } else {
            self.rest = bytes[used..].to_vec();
        }
    }
}

/// The encoding, and how many bytes its mark has.
fn sniff(bytes: &[u8]) -> (Encoding, usize) {
    match bytes {
        [0xff, 0xfe, ..] => (Encoding::Utf16Le, 2),
        [0xfe, 0xff, ..] => (Encoding::Utf16Be, 2),
        [0xef, 0xbb, 0xbf, ..] => (Encoding::Utf8, 3),
        _ => (Encoding::Utf8, 0),
    }
}

/// Whether the bytes may become a character when more of them arrive.
fn is_incomplete(bytes: &[u8]) -> bool {
    let wanted = match bytes.first() {
        Some(0xc2..=0xdf) => 2,
        Some(0xe0..=0xef) => 3,
        Some(0xf0..=0xf4) => 4,
        _ => 0,
    };
    bytes.len() < wanted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Decoder;

    fn decoded(pieces: &[&[u8]]) -> String {
        let (mut decoder, mut out) = (Decoder::default(), Vec::new());
        for piece in pieces {
            decoder.decode(piece, false, &mut out);
        }
        decoder.decode(b"", true, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_byte_order_mark_decides_the_encoding_and_is_no_text() {
        assert_eq!(decoded(&[b"\xef\xbb\xbf{}"]), "{}");
        assert_eq!(decoded(&[b"\xff\xfe{\0}\0"]), "{}");
        assert_eq!(decoded(&[b"\xfe", b"\xff\0{", b"\0}"]), "{}");
        assert_eq!(decoded(&[b"a\xff"]), "a\u{fffd}");
        assert_eq!(decoded(&[b"\xff\xfe\x3d\xd8", b"\x00\xde"]), "😀");
    }

    proptest! {
        #[test]
        fn where_the_pieces_are_cut_changes_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..40), at in 0usize..40) {
            let (one, other) = bytes.split_at(at.min(bytes.len()));
            prop_assert_eq!(decoded(&[one, other]), decoded(&[&bytes]));
        }

        #[test]
        fn text_is_decoded_as_it_is(text in "\\PC{3,40}", at in 0usize..90) {
            let (one, other) = text.as_bytes().split_at(at.min(text.len()));
            prop_assert_eq!(decoded(&[one, other]), text.trim_start_matches('\u{feff}'));
        }
    }
}
