//! Keeps long pieces of an XML document out of memory: text, comments and attribute values are cut after a limit.
//!
//! quick-xml gives a text node as a whole. A report may have one of a gigabyte (the log of a test), of which a few kilobytes are
//! shown. So this filter is between the input and quick-xml. It follows the markup just closely enough to know what is text,
//! and leaves out the rest of what is too long.

use std::io::{self, BufRead, Read};

/// The most bytes of one text node, comment or attribute value.
const LIMIT: usize = 64 * 1024;

/// Where in the markup the next byte is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Text,
    /// After `<`.
    Opened,
    Tag,
    Value(u8),
    /// `<!…`: how many bytes of its name were seen.
    Bang(usize),
    Comment(usize),
    Data(usize),
    Declaration,
}

/// An XML input without the tails of its longest pieces.
pub(super) struct Bounded<R> {
    input: R,
    place: Place,
    /// How long the current piece is.
    length: usize,
    /// How many bytes of the input's buffer may be handed out.
    ready: usize,
}

impl<R: BufRead> Bounded<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, place: Place::Text, length: 0, ready: 0 }
    }

    /// How many of the bytes may be handed out, and how many after those are to be left out.
    fn scan(&mut self, bytes: &[u8]) -> (usize, usize) {
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            // Long stretches are passed over at once; the markup itself byte by byte.
            let stretch = match self.place {
                Place::Text => memchr::memchr(b'<', rest),
                Place::Value(quote) => memchr::memchr(quote, rest),
                Place::Comment(0) => memchr::memchr(b'-', rest),
                Place::Data(0) => memchr::memchr(b']', rest),
                _ => Some(0),
            };
            let stretch = stretch.unwrap_or(rest.len());
            if stretch == 0 {
                self.step(rest[0]);
                at += 1;
                continue;
            }
            let room = LIMIT.saturating_sub(self.length);
            if stretch > room {
                let kept = boundary(rest, room);
                self.length = LIMIT;
                return (at + kept, stretch - kept);
            }
            self.length += stretch;
            at += stretch;
        }
        (at, 0)
    }

    fn step(&mut self, byte: u8) {
        self.length += 1;
        let next = match (self.place, byte) {
            (Place::Text, b'<') => Place::Opened,
            (Place::Opened, b'!') => Place::Bang(0),
            (Place::Opened | Place::Tag | Place::Declaration | Place::Comment(2) | Place::Data(2), b'>') => Place::Text,
            (Place::Opened | Place::Tag, b'"' | b'\'') => Place::Value(byte),
            (Place::Opened | Place::Value(_), _) => Place::Tag,
            (Place::Bang(0), b'-') => Place::Bang(1),
            (Place::Bang(1), b'-') => Place::Comment(0),
            (Place::Bang(0), b'[') => Place::Bang(2),
            // `CDATA[`
            (Place::Bang(seen @ 2..=6), _) => Place::Bang(seen + 1),
            (Place::Bang(7), _) => Place::Data(0),
            (Place::Bang(_), _) => Place::Declaration,
            (Place::Comment(dashes), b'-') => Place::Comment((dashes + 1).min(2)),
            (Place::Comment(_), _) => Place::Comment(0),
            (Place::Data(ends), b']') => Place::Data((ends + 1).min(2)),
            (Place::Data(_), _) => Place::Data(0),
            (place, _) => place,
        };
        let is_same = std::mem::discriminant(&next) == std::mem::discriminant(&self.place);
        if !is_same {
            self.length = 0;
        }
        self.place = next;
    }
}

/// The largest length up to `limit` that ends between two characters.
fn boundary(bytes: &[u8], limit: usize) -> usize {
    (0..=limit).rev().find(|at| bytes.get(*at).is_none_or(|byte| byte & 0xc0 != 0x80)).unwrap_or(0)
}

impl<R: BufRead> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let length = available.len().min(buffer.len());
        buffer[..length].copy_from_slice(&available[..length]);
        self.consume(length);
        Ok(length)
    }
}

impl<R: BufRead> BufRead for Bounded<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.ready == 0 {
            let available = self.input.fill_buf()?;
            if available.is_empty() {
                return Ok(&[]);
            }
            let bytes: &[u8] = available;
            // The scan needs `self` while the buffer is borrowed from it: look at one copy of the state.
            let mut scan = Bounded { input: io::empty(), place: self.place, length: self.length, ready: 0 };
            let (ready, left_out) = scan.scan(bytes);
            (self.place, self.length, self.ready) = (scan.place, scan.length, ready);
            if left_out > 0 && ready == 0 {
                self.input.consume(left_out);
            } else if left_out > 0 {
                // The state after what is handed out is the state in the middle of the long piece: the next call goes on there.
                break;
            }
        }
        let available = self.input.fill_buf()?;
        Ok(&available[..self.ready.min(available.len())])
    }

    fn consume(&mut self, amount: usize) {
        self.input.consume(amount);
        self.ready -= amount.min(self.ready);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Read as _};

    use super::{Bounded, LIMIT};

    fn bounded(text: &str, capacity: usize) -> String {
        let mut out = String::new();
        Bounded::new(BufReader::with_capacity(capacity, text.as_bytes())).read_to_string(&mut out).unwrap();
        out
    }

    #[test]
    fn long_text_comments_data_and_values_are_cut_and_the_markup_is_kept() {
        let long = "ü".repeat(LIMIT);
        let text = format!("<a b='{long}>' c=\"x\"><!-- {long} --><![CDATA[{long}]]>{long}<d/></a>");
        for capacity in [7, 4096, 1 << 20] {
            let cut = bounded(&text, capacity);
            assert!(cut.len() < 4 * LIMIT + 100, "{}", cut.len());
            assert!(cut.starts_with("<a b='üü") && cut.ends_with("ü<d/></a>"));
            assert!(cut.contains("' c=\"x\"><!-- ") && cut.contains("--><![CDATA[ü") && cut.contains("ü]]>ü"));
        }
    }

    #[test]
    fn what_is_short_passes_unchanged() {
        let text =
            "<?xml version='1.0'?><!DOCTYPE a><a b='1>2'><!-- - -- ><b> ]] --><![CDATA[<]]]]><![CDATA[>]]>&lt;</a>";
        for capacity in [1, 3, 100] {
            assert_eq!(bounded(text, capacity), text);
        }
    }
}
