//! Text encodings, recognised by their first bytes: PowerShell's `>` writes UTF-16, and other Windows programs UTF-8 with a byte order
//! mark.

use std::io::{self, Cursor, Read};

use fault::Fault;

/// Text read at a time.
const BUFFER: usize = 8 * 1024;

/// The error for outputs between the lines that the wrapper of the setup actions prints.
pub(crate) fn wrapper() -> Fault {
    Fault::usage("beside the outputs it has lines of the wrapper that hashicorp/setup-terraform installs")
        .help("set `terraform_wrapper: false` (or `tofu_wrapper: false`) in the step that installs the program")
}

/// What a stream of text begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beginning {
    /// UTF-8, with or without a mark.
    Utf8,
    /// UTF-16, which is read to its end: how much of it is read cannot be told from positions in the file.
    Utf16,
    /// The line that the wrapper of the `setup-terraform` and `setup-opentofu` actions writes before a program's output.
    Wrapper,
    /// Something that is never JSON: its name.
    Foreign(&'static str),
}

/// How `input` begins, and a reader of the same text as UTF-8 without a mark.
///
/// # Errors
/// The errors of reading.
pub(crate) fn utf8<'a>(mut input: impl Read + 'a) -> io::Result<(Beginning, Box<dyn Read + 'a>)> {
    let mut first = Vec::new();
    input.by_ref().take(WRAPPER.len() as u64).read_to_end(&mut first)?;
    if first == WRAPPER {
        return Ok((Beginning::Wrapper, Box::new(Cursor::new(first).chain(input))));
    }
    if let Some((_, name)) = FOREIGN.iter().find(|(magic, _)| first.starts_with(magic)) {
        return Ok((Beginning::Foreign(name), Box::new(Cursor::new(first).chain(input))));
    }
    let unit = match first.as_slice() {
        // Without a mark, JSON begins with an ASCII character.
        [0xff, 0xfe, ..] | [b' '..=b'~', 0, ..] => u16::from_le_bytes as fn([u8; 2]) -> u16,
        [0xfe, 0xff, ..] | [0, b' '..=b'~', ..] => u16::from_be_bytes,
        [0xef, 0xbb, 0xbf, rest @ ..] => {
            return Ok((Beginning::Utf8, Box::new(Cursor::new(rest.to_vec()).chain(input))));
        }
        _ => return Ok((Beginning::Utf8, Box::new(Cursor::new(first).chain(input)))),
    };
    let mark = if matches!(first.as_slice(), [0xff, 0xfe, ..] | [0xfe, 0xff, ..]) { 2 } else { 0 };
    let input = Cursor::new(first.split_off(mark)).chain(input);
    Ok((Beginning::Utf16, Box::new(Utf16 { input, unit, rest: Vec::new(), text: Cursor::new(Vec::new()) })))
}

const WRAPPER: &[u8] = b"[command]";

/// What is often found in place of a state, by its first bytes.
const FOREIGN: [(&[u8], &str); 5] = [
    (b"PK\x03\x04", "a zip archive or a saved plan"),
    (b"BZh", "compressed with bzip2; gzip and zstd can be read"),
    (b"\xfd7zXZ", "compressed with xz; gzip and zstd can be read"),
    (b"<", "an HTML or XML page"),
    (b"-----BEGI", "a key or a certificate"),
];

/// Decodes UTF-16 as it is read. Half of a pair becomes the replacement character.
struct Utf16<R> {
    input: R,
    unit: fn([u8; 2]) -> u16,
    /// Bytes that do not make a whole character yet.
    rest: Vec<u8>,
    text: Cursor<Vec<u8>>,
}

impl<R: Read> Read for Utf16<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.text.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            let mut bytes = std::mem::take(&mut self.rest);
            let is_end = self.input.by_ref().take(BUFFER as u64).read_to_end(&mut bytes)? == 0;
            if bytes.is_empty() {
                return Ok(0);
            }
            let mut units: Vec<u16> = bytes.chunks_exact(2).map(|pair| (self.unit)([pair[0], pair[1]])).collect();
            if is_end {
                // Half a unit at the end is broken too.
                units.extend((bytes.len() % 2 == 1).then_some(0xd800));
            } else {
                let is_half = units.last().is_some_and(|unit| (0xd800..0xdc00).contains(unit));
                units.truncate(units.len() - usize::from(is_half));
                self.rest = bytes.split_off(units.len() * 2);
            }
            let text = char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER));
            self.text = Cursor::new(text.collect::<String>().into_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use proptest::prelude::*;

    use super::{Beginning, utf8};

    fn read(bytes: &[u8]) -> (Beginning, String) {
        let (beginning, mut reader) = utf8(bytes).unwrap();
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        (beginning, text)
    }

    fn utf16(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
        std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(unit).collect()
    }

    proptest! {
        #[test]
        fn utf16_is_read_in_both_orders(text in "\\PC*", times in 1_usize..400) {
            let text = text.repeat(times);
            prop_assert_eq!(read(&utf16(&text, u16::to_le_bytes)), (Beginning::Utf16, text.clone()));
            prop_assert_eq!(read(&utf16(&text, u16::to_be_bytes)), (Beginning::Utf16, text));
        }
    }

    #[test]
    fn utf16_without_a_mark_is_recognised() {
        for text in ["{}", " {\"a\": \"é💜\"}"] {
            assert_eq!(read(&utf16(text, u16::to_le_bytes)[2..]), (Beginning::Utf16, text.to_owned()));
            assert_eq!(read(&utf16(text, u16::to_be_bytes)[2..]), (Beginning::Utf16, text.to_owned()));
        }
    }

    #[test]
    fn a_mark_is_left_out_and_nothing_else() {
        for text in ["", "{", "{}", "{\"a\": 1234567890}"] {
            assert_eq!(read(text.as_bytes()), (Beginning::Utf8, text.to_owned()));
            assert_eq!(read(format!("\u{feff}{text}").as_bytes()), (Beginning::Utf8, text.to_owned()));
        }
        assert_eq!(read(b"[command]/usr/bin/terraform-bin").0, Beginning::Wrapper);
    }

    #[test]
    fn broken_utf16_is_replaced_and_ends() {
        assert_eq!(read(b"\xff\xfea\0\x3d\xd8").1, "a\u{fffd}");
        assert_eq!(read(b"\xff\xfea\0b").1, "a\u{fffd}");
        assert_eq!(read(b"\xff\xfe").1, "");
    }
}
