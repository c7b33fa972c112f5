//! A strict JSON reader over a byte stream, in bounded memory: it enters the objects and arrays it is asked to, and skips the
//! rest.
//!
//! Grammar: RFC 8259, any value at the top. Like Go's decoder, which reads these files, it accepts bytes that are not UTF-8
//! inside strings; they become U+FFFD when a string is decoded.

use std::io::Read;

/// Bytes read at a time; all that a reader holds in memory besides what it captures.
const BUFFER: usize = 64 * 1024;

/// Bytes read at first. Most documents are small, and touching a larger buffer costs page faults.
const FIRST: usize = 16 * 1024;

/// The deepest nesting that is read.
const DEPTH_LIMIT: usize = 512;

/// The most bytes that are kept so that they can be read again.
const KEPT_LIMIT: usize = 16 << 20;

/// Why a document cannot be read any further.
#[derive(Debug)]
pub(crate) enum Broken {
    /// Not JSON from this byte on.
    Syntax { offset: u64, expected: &'static str },
    /// The text ends inside a value.
    Truncated { offset: u64 },
    /// The end of the text does not close what its beginning opens.
    Open,
    /// After the document comes a line that may be a workflow command.
    Commands,
    /// JSON, but a string or a list.
    NotAnObject,
    /// Nothing but white space.
    Empty,
    /// Larger than what is accepted, in bytes.
    TooLarge { what: &'static str, limit: u64 },
    /// Nested deeper than what is accepted.
    TooDeep { offset: u64 },
    /// Everything that was wanted is known. Not a failure; it ends the walk.
    Enough,
    /// The bytes could not be read or decompressed.
    Read(std::io::Error),
}

pub(super) type Result<T> = std::result::Result<T, Broken>;

/// The reader. Its methods consume exactly one JSON token or value each, white space before it included.
pub(crate) struct Scanner<R> {
    input: R,
    pub(super) buffer: Box<[u8]>,
    pub(super) at: usize,
    pub(super) end: usize,
    /// Offset of `buffer[0]` in the stream.
    base: u64,
    size_limit: u64,
    stop_after: Option<u64>,
    capture: Option<Capture>,
    /// Everything read so far, as long as the caller may want to read it again.
    kept: Option<Vec<u8>>,
    pub(super) scratch: Vec<u8>,
    nesting: Vec<u8>,
}

/// A piece of text that is being copied: what earlier buffers held of it, and where it begins in the current one.
struct Capture {
    text: Vec<u8>,
    from: usize,
    limit: usize,
}

impl<R: Read> Scanner<R> {
    /// Reads at most `size_limit` bytes of `input`.
    pub(crate) fn new(input: R, size_limit: u64) -> Self {
        Self {
            input,
            // One byte more than the limit, so that the end of a document of exactly that size is seen.
            buffer: vec![0; FIRST.min(usize::try_from(size_limit).unwrap_or(FIRST).saturating_add(1))]
                .into_boxed_slice(),
            at: 0,
            end: 0,
            base: 0,
            size_limit,
            stop_after: None,
            capture: None,
            kept: None,
            scratch: Vec::new(),
            nesting: Vec::new(),
        }
    }

    /// The offset of the next byte.
    pub(crate) fn offset(&self) -> u64 {
        self.base + self.at as u64
    }

    /// Ends the walk with [`Broken::Enough`] when `more` bytes or a little over have been read from here, or from where this was
    /// first called.
    pub(crate) fn stop_after(&mut self, more: u64) {
        let offset = self.offset();
        self.stop_after.get_or_insert(offset + more);
    }

    /// Keeps what is read, up to [`KEPT_LIMIT`].
    pub(crate) fn keep(&mut self) {
        self.kept = Some(Vec::new());
    }

    /// Everything read so far; `None` if that was too much or [`Self::forget`] was called.
    pub(crate) fn kept(&mut self) -> Option<Vec<u8>> {
        self.kept.take()
    }

    /// Drops what was kept and keeps nothing from now on.
    pub(crate) fn forget(&mut self) {
        self.kept = None;
    }

    /// The first byte of the next token, not consumed; `None` at the end of the text.
    pub(crate) fn peek(&mut self) -> Result<Option<u8>> {
        loop {
            while self.at < self.end {
                let byte = self.buffer[self.at];
                if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                    return Ok(Some(byte));
                }
                self.at += 1;
            }
            if !self.refill()? {
                return Ok(None);
            }
        }
    }

    /// Enters an object or array.
    pub(crate) fn open(&mut self, bracket: u8, expected: &'static str) -> Result<()> {
        match self.token()? {
            byte if byte == bracket => Ok(()),
            _ => Err(self.syntax(expected)),
        }
    }

    /// The next key of the object that was entered, its colon consumed: the one of `known` that it equals, or an empty text
    /// for any other ([`Self::key`] returns it). `None` after the last key, the closing brace consumed.
    pub(crate) fn next_key(&mut self, first: &mut bool, known: &[&'static str]) -> Result<Option<&'static str>> {
        if !self.next_element(first, b'}')? {
            return Ok(None);
        }
        if self.token()? != b'"' {
            return Err(self.syntax("a key in quotes"));
        }
        self.string_into_scratch()?;
        self.colon()?;
        Ok(Some(known.iter().find(|name| name.as_bytes() == self.scratch).copied().unwrap_or("")))
    }

    /// The last key that was read.
    pub(crate) fn key(&self) -> String {
        String::from_utf8_lossy(&self.scratch).into_owned()
    }

    /// Whether the array that was entered has another item; if not, the closing bracket is consumed.
    pub(crate) fn next_item(&mut self, first: &mut bool) -> Result<bool> {
        self.next_element(first, b']')
    }

    /// A string's decoded bytes, in place until the next call.
    pub(crate) fn string_bytes(&mut self) -> Result<&[u8]> {
        if self.token()? != b'"' {
            return Err(self.syntax("a string"));
        }
        self.string_into_scratch()?;
        Ok(&self.scratch)
    }

    /// A string.
    pub(crate) fn string(&mut self) -> Result<String> {
        self.string_bytes().map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    /// Skips one value.
    pub(crate) fn skip(&mut self) -> Result<()> {
        self.nesting.clear();
        if self.begin_value()? {
            self.skip_open()?;
        }
        Ok(())
    }

    /// Skips what is left of the object that was entered, after one of its values.
    pub(crate) fn skip_rest_of_object(&mut self) -> Result<()> {
        self.nesting.clear();
        self.nesting.push(b'{');
        if self.after_value()? { self.skip_open() } else { Ok(()) }
    }

    /// The text of one value, of at most `limit` bytes.
    pub(crate) fn capture(&mut self, limit: usize) -> Result<Vec<u8>> {
        self.peek()?;
        self.capture = Some(Capture { text: Vec::new(), from: self.at, limit });
        let skipped = self.skip();
        let capture = self.capture.take();
        skipped?;
        let Some(mut capture) = capture else { return Ok(Vec::new()) };
        capture.text.extend_from_slice(&self.buffer[capture.from..self.at]);
        capture.check()?;
        Ok(capture.text)
    }

    /// Checks that nothing but white space follows.
    pub(crate) fn end(&mut self) -> Result<()> {
        match self.peek()? {
            None => Ok(()),
            Some(b':') => Err(Broken::Commands),
            Some(_) => Err(self.syntax("the end of the document")),
        }
    }

    pub(super) fn refill(&mut self) -> Result<bool> {
        if let Some(capture) = &mut self.capture {
            capture.text.extend_from_slice(&self.buffer[capture.from..self.end]);
            capture.from = 0;
            capture.check()?;
        }
        if self.stop_after.is_some_and(|offset| self.base + self.end as u64 > offset) {
            return Err(Broken::Enough);
        }
        self.base += self.end as u64;
        if self.end == self.buffer.len() && self.end < BUFFER {
            self.buffer = vec![0; BUFFER].into_boxed_slice();
        }
        (self.at, self.end) = (0, 0);
        if self.base > self.size_limit {
            return Err(Broken::TooLarge { what: "the state", limit: self.size_limit });
        }
        loop {
            match self.input.read(&mut self.buffer) {
                Ok(read) => {
                    self.end = read;
                    if let Some(kept) = &mut self.kept {
                        kept.extend_from_slice(&self.buffer[..read]);
                    }
                    if self.kept.as_ref().is_some_and(|kept| kept.len() > KEPT_LIMIT) {
                        self.kept = None;
                    }
                    return Ok(read > 0);
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Broken::Read(error)),
            }
        }
    }

    pub(super) fn byte(&mut self) -> Result<u8> {
        if self.at == self.end && !self.refill()? {
            return Err(Broken::Truncated { offset: self.offset() });
        }
        let byte = self.buffer[self.at];
        self.at += 1;
        Ok(byte)
    }

    fn token(&mut self) -> Result<u8> {
        match self.peek()? {
            Some(byte) => {
                self.at += 1;
                Ok(byte)
            }
            None => Err(Broken::Truncated { offset: self.offset() }),
        }
    }

    pub(super) fn syntax(&self, expected: &'static str) -> Broken {
        Broken::Syntax { offset: self.offset().saturating_sub(1), expected }
    }

    fn colon(&mut self) -> Result<()> {
        if self.token()? == b':' { Ok(()) } else { Err(self.syntax("a colon")) }
    }

    fn next_element(&mut self, first: &mut bool, close: u8) -> Result<bool> {
        let is_first = std::mem::replace(first, false);
        match self.peek()? {
            Some(byte) if byte == close => {
                self.at += 1;
                Ok(false)
            }
            Some(_) if is_first => Ok(true),
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            Some(_) => {
                self.at += 1;
                Err(self.syntax("a comma or a closing bracket"))
            }
            None => Err(Broken::Truncated { offset: self.offset() }),
        }
    }

    /// Skips until everything in `nesting` is closed.
    fn skip_open(&mut self) -> Result<()> {
        loop {
            while self.begin_value()? {}
            if !self.after_value()? {
                return Ok(());
            }
        }
    }

    /// Consumes a scalar or an empty object or array (`false`), or the opening of a full one, with its first key (`true`).
    fn begin_value(&mut self) -> Result<bool> {
        match self.token()? {
            b'"' => self.skip_string().map(|()| false),
            open @ (b'{' | b'[') => {
                if self.peek()? == Some(open + 2) {
                    self.at += 1;
                    return Ok(false);
                }
                if self.nesting.len() >= DEPTH_LIMIT {
                    return Err(Broken::TooDeep { offset: self.offset() });
                }
                self.nesting.push(open);
                if open == b'{' {
                    self.skip_key()?;
                }
                Ok(true)
            }
            b't' => self.literal(b"rue").map(|()| false),
            b'f' => self.literal(b"alse").map(|()| false),
            b'n' => self.literal(b"ull").map(|()| false),
            digit @ (b'-' | b'0'..=b'9') => self.skip_number(digit).map(|()| false),
            _ => Err(self.syntax("a value")),
        }
    }

    /// Closes what ends here; `true` if another value follows, its key consumed.
    fn after_value(&mut self) -> Result<bool> {
        while let Some(&open) = self.nesting.last() {
            match self.token()? {
                b',' => {
                    if open == b'{' {
                        self.skip_key()?;
                    }
                    return Ok(true);
                }
                close if close == open + 2 => {
                    self.nesting.pop();
                }
                _ => return Err(self.syntax("a comma or a closing bracket")),
            }
        }
        Ok(false)
    }

    fn skip_key(&mut self) -> Result<()> {
        if self.token()? != b'"' {
            return Err(self.syntax("a key in quotes"));
        }
        self.skip_string()?;
        self.colon()
    }
}

impl Capture {
    fn check(&self) -> Result<()> {
        if self.text.len() > self.limit {
            return Err(Broken::TooLarge { what: "a value in the state", limit: self.limit as u64 });
        }
        Ok(())
    }
}
