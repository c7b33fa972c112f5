//! The part of an input that is in memory: decoded, with a look ahead, never more than what is asked for.

use std::io::{self, BufRead, Read};

use super::decode::Decoder;

/// How much is read at once.
const CHUNK: usize = 64 * 1024;

/// A decoded input with a look ahead. As a [`BufRead`] it hands out text that is valid UTF-8 as a whole.
pub(super) struct Window<'a> {
    input: &'a mut dyn Read,
    decoder: Decoder,
    text: Vec<u8>,
    /// Where the unread text begins.
    at: usize,
    chunk: Vec<u8>,
    ended: bool,
    /// How many lines were read.
    lines: usize,
}

impl<'a> Window<'a> {
    /// The beginning of an input.
    pub(super) fn new(input: &'a mut dyn Read) -> Self {
        let chunk = vec![0; CHUNK];
        Self { input, decoder: Decoder::default(), text: Vec::new(), at: 0, chunk, ended: false, lines: 0 }
    }

    /// The line that comes next, from 1.
    pub(super) fn line(&self) -> usize {
        self.lines + 1
    }

    /// The text in memory that was not read yet.
    pub(super) fn rest(&self) -> &[u8] {
        &self.text[self.at..]
    }

    /// Reads more; `false` at the end of the input.
    pub(super) fn more(&mut self) -> io::Result<bool> {
        if self.at > CHUNK && self.at * 2 > self.text.len() {
            self.text.drain(..self.at);
            self.at = 0;
        }
        let before = self.text.len();
        while !self.ended && self.text.len() == before {
            let read = match self.input.read(&mut self.chunk) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => read?,
            };
            self.ended = read == 0;
            self.decoder.decode(&self.chunk[..read], self.ended, &mut self.text);
        }
        Ok(self.text.len() > before)
    }

    /// Whether all of the input is read and used up.
    pub(super) fn is_at_end(&mut self) -> io::Result<bool> {
        Ok(self.rest().is_empty() && !self.more()?)
    }

    /// How long the next line is with its end, as far as it has at most `limit` bytes; `limit` or more otherwise.
    pub(super) fn line_length(&mut self, limit: usize) -> io::Result<usize> {
        let mut seen = 0;
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.rest()[seen..]) {
                return Ok(seen + end + 1);
            }
            seen = self.rest().len();
            if seen >= limit || !self.more()? {
                return Ok(self.rest().len());
            }
        }
    }

    /// Reads the rest of the line and forgets it.
    pub(super) fn skip_line(&mut self) -> io::Result<()> {
        loop {
            if let Some(end) = memchr::memchr(b'\n', self.rest()) {
                self.consume(end + 1);
                return Ok(());
            }
            self.consume(self.rest().len());
            if !self.more()? {
                return Ok(());
            }
        }
    }
}

impl Read for Window<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let length = available.len().min(buffer.len());
        buffer[..length].copy_from_slice(&available[..length]);
        self.consume(length);
        Ok(length)
    }
}

impl BufRead for Window<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.rest().is_empty() {
            self.more()?;
        }
        Ok(self.rest())
    }

    fn consume(&mut self, amount: usize) {
        self.lines += memchr::memchr_iter(b'\n', &self.rest()[..amount]).count();
        self.at += amount;
    }
}
