//! The scalars: strings, numbers and literals.

use std::io::Read;

use super::scan::{Broken, Result, Scanner};

impl<R: Read> Scanner<R> {
    pub(super) fn literal(&mut self, rest: &[u8]) -> Result<()> {
        for expected in rest {
            if self.byte()? != *expected {
                return Err(self.syntax("a value"));
            }
        }
        Ok(())
    }

    pub(super) fn skip_string(&mut self) -> Result<()> {
        loop {
            self.at += plain(&self.buffer[self.at..self.end]);
            if self.at == self.end {
                if !self.refill()? {
                    return Err(Broken::Truncated { offset: self.offset() });
                }
                continue;
            }
            match self.byte()? {
                b'"' => return Ok(()),
                b'\\' => self.skip_escape()?,
                _ => return Err(self.syntax("a closing quote")),
            }
        }
    }

    fn skip_escape(&mut self) -> Result<()> {
        match self.byte()? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(()),
            b'u' => self.hex4().map(|_| ()),
            _ => Err(self.syntax("an escape")),
        }
    }

    fn hex4(&mut self) -> Result<u16> {
        let mut unit = 0;
        for _ in 0..4 {
            let byte = self.byte()?;
            let digit = char::from(byte).to_digit(16).ok_or_else(|| self.syntax("four hexadecimal digits"))?;
            unit = unit << 4 | u16::try_from(digit).unwrap_or_default();
        }
        Ok(unit)
    }

    /// Skips a number: digits with an optional sign, fraction and exponent; no digit may follow a leading zero.
    pub(super) fn skip_number(&mut self, first: u8) -> Result<()> {
        let first = if first == b'-' { self.byte()? } else { first };
        match first {
            b'0' => {}
            b'1'..=b'9' => self.digits()?,
            _ => return Err(self.syntax("a digit")),
        }
        if self.at_one_of(b".")? {
            self.digit()?;
            self.digits()?;
        }
        if self.at_one_of(b"eE")? {
            self.at_one_of(b"+-")?;
            self.digit()?;
            self.digits()?;
        }
        Ok(())
    }

    fn digit(&mut self) -> Result<()> {
        if self.byte()?.is_ascii_digit() { Ok(()) } else { Err(self.syntax("a digit")) }
    }

    fn digits(&mut self) -> Result<()> {
        while self.at_one_of(b"0123456789")? {}
        Ok(())
    }

    /// Consumes the next byte if it is one of `set`.
    fn at_one_of(&mut self, set: &[u8]) -> Result<bool> {
        if self.at == self.end && !self.refill()? {
            return Ok(false);
        }
        let found = set.contains(&self.buffer[self.at]);
        self.at += usize::from(found);
        Ok(found)
    }

    /// Decodes a string. A lone surrogate becomes U+FFFD, as in Go.
    pub(super) fn string_into_scratch(&mut self) -> Result<()> {
        self.scratch.clear();
        let mut high = None;
        loop {
            let run = plain(&self.buffer[self.at..self.end]);
            if run > 0 {
                self.unpaired(high.take());
                self.scratch.extend_from_slice(&self.buffer[self.at..self.at + run]);
                self.at += run;
            }
            let byte = self.byte()?;
            if byte == b'\\' {
                high = self.escape_into_scratch(high)?;
            } else {
                self.unpaired(high.take());
                match byte {
                    b'"' => return Ok(()),
                    0..0x20 => return Err(self.syntax("a closing quote")),
                    byte => self.scratch.push(byte),
                }
            }
            if self.scratch.len() > STRING_LIMIT {
                return Err(Broken::TooLarge { what: "a string", limit: STRING_LIMIT as u64 });
            }
        }
    }

    /// Decodes one escape. `high` is the first half of a surrogate pair if that came just before; returns it if this escape is
    /// one.
    fn escape_into_scratch(&mut self, high: Option<u16>) -> Result<Option<u16>> {
        let byte = self.byte()?;
        if byte == b'u' {
            let unit = self.hex4()?;
            if let (Some(high), 0xDC00..0xE000) = (high, unit) {
                let pair = char::decode_utf16([high, unit]).next().and_then(std::result::Result::ok);
                self.push(pair.unwrap_or(char::REPLACEMENT_CHARACTER));
                return Ok(None);
            }
            self.unpaired(high);
            if (0xD800..0xDC00).contains(&unit) {
                return Ok(Some(unit));
            }
            self.push(char::from_u32(u32::from(unit)).unwrap_or(char::REPLACEMENT_CHARACTER));
            return Ok(None);
        }
        self.unpaired(high);
        self.scratch.push(match byte {
            b'"' | b'\\' | b'/' => byte,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            _ => return Err(self.syntax("an escape")),
        });
        Ok(None)
    }

    fn unpaired(&mut self, high: Option<u16>) {
        if high.is_some() {
            self.push(char::REPLACEMENT_CHARACTER);
        }
    }

    fn push(&mut self, character: char) {
        self.scratch.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    }
}

/// The longest string that is decoded.
const STRING_LIMIT: usize = 16 * 1024 * 1024;

/// How many bytes at the beginning need no decoding inside a string.
fn plain(bytes: &[u8]) -> usize {
    let mut at = 0;
    // No branch inside the fold, so that the compiler vectorizes it.
    while let Some(chunk) = bytes[at..].first_chunk::<32>()
        && chunk.iter().fold(0, |special, byte| special | u8::from(*byte < 0x20 || *byte == b'"' || *byte == b'\\'))
            == 0
    {
        at += chunk.len();
    }
    at + bytes[at..].iter().take_while(|byte| PLAIN[usize::from(**byte)]).count()
}

/// Bytes that need no decoding inside a string.
const PLAIN: [bool; 256] = {
    let mut plain = [true; 256];
    let mut byte = 0;
    while byte < 0x20 {
        plain[byte] = false;
        byte += 1;
    }
    plain[b'"' as usize] = false;
    plain[b'\\' as usize] = false;
    plain
};
