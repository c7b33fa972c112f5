//! From bytes to lines, XML events and JSON values. Everything that is wrong with real bytes is dealt with here, once: byte order
//! marks, UTF-16, invalid UTF-8, terminal escapes, lines and text nodes without end.

mod attributes;
mod bounded;
mod decode;
mod escapes;
mod item;
mod json;
mod window;
mod xml;

pub use attributes::Attributes;
pub(crate) use attributes::number;
pub use escapes::without_escapes;
pub use item::Item;
pub use json::{Json, without_lone_surrogates};

use std::io::{self, BufRead as _, Read};

use json::{Scanned, Scanner};
use window::Window;

use crate::unreadable::Unreadable;

/// The longest line that is read; the rest of a longer one is left out.
const LINE: usize = 64 * 1024;
/// The longest JSON value that is read: its text has to be in memory.
const JSON: usize = 256 << 20;
/// How many brackets without an end are followed to the end of the input: each costs a walk through all of it.
const UNCLOSED: usize = 50;

/// Takes the pieces of an input.
pub(crate) trait Pieces {
    /// Whether the text, the beginning of a line, begins an XML document.
    fn begins_xml(&self, line: &str) -> bool;
    /// One item of the XML document that begins at this line.
    fn xml(&mut self, line: usize, item: Item<'_>) -> Result<(), Unreadable>;
    /// The end of the XML document.
    fn xml_ended(&mut self, line: usize, end: Result<(), Unreadable>);
    /// What looks like a JSON value; an error if it is none.
    fn json(&mut self, line: usize, json: &Json<'_>) -> Result<(), Unreadable>;
    /// The beginning of a JSON value that has no end, or no right one. `true` if it is a report that is damaged, so that what
    /// is inside is not a separate document.
    fn broken_json(&mut self, line: usize, begin: &str, cause: &str) -> bool;
    /// Whether indented brackets are text, as in TAP's diagnostics.
    fn indented_is_text(&self) -> bool;
    /// Any other line.
    fn line(&mut self, text: &str);
}

/// Reads an input to its end.
///
/// # Errors
/// The input cannot be read.
pub(crate) fn read(input: &mut dyn Read, pieces: &mut dyn Pieces) -> io::Result<()> {
    let mut window = Window::new(input);
    let mut unclosed = 0;
    while !window.is_at_end()? {
        let length = window.line_length(LINE)?;
        let begin = &window.rest()[..length.min(window.rest().len())];
        match kind(begin, pieces) {
            Kind::Xml(skip) => {
                window.consume(skip);
                let line = window.line();
                let end = xml::document(&mut window, |item| pieces.xml(line, item));
                let failed = end.is_err();
                pieces.xml_ended(line, end);
                if failed {
                    // Where the next document begins inside a damaged one cannot be known.
                    while !window.is_at_end()? {
                        window.skip_line()?;
                    }
                }
            }
            Kind::Json(skip) if unclosed < UNCLOSED => {
                window.consume(skip);
                json_value(&mut window, pieces, &mut unclosed)?;
            }
            Kind::String(text) => string(&text, window.line(), &mut window, pieces)?,
            Kind::Json(_) | Kind::Text => text_line(&mut window, length, pieces)?,
        }
    }
    Ok(())
}

enum Kind {
    /// After so many bytes.
    Xml(usize),
    /// After so many bytes.
    Json(usize),
    /// A JSON string that holds a document: `dagger call --json` prints one.
    String(String),
    Text,
}

fn kind(line: &[u8], pieces: &dyn Pieces) -> Kind {
    let blank = line.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r')).count();
    // A colour in front of a document.
    let lead = leading_escapes(&line[blank..]);
    let start = blank + lead;
    match line.get(start) {
        Some(b'<') => {
            let text = String::from_utf8_lossy(&line[start..line.len().min(start + 200)]);
            if pieces.begins_xml(&text) { Kind::Xml(start) } else { Kind::Text }
        }
        Some(b'{' | b'[') if blank == 0 || !pieces.indented_is_text() => Kind::Json(start),
        Some(b'"') => {
            let inner: Option<String> = serde_json::from_slice(line[start..].trim_ascii()).ok();
            let document = inner.filter(|inner| inner.trim_start().starts_with(['{', '[', '<']));
            document.map_or(Kind::Text, Kind::String)
        }
        _ => Kind::Text,
    }
}

/// How many bytes of colour the line begins with.
fn leading_escapes(line: &[u8]) -> usize {
    let mut at = 0;
    while line[at..].starts_with(b"\x1b[") {
        let parameters = line[at + 2..].iter().take_while(|byte| matches!(byte, 0x20..=0x3f)).count();
        at = (at + 2 + parameters + 1).min(line.len());
    }
    at
}

fn json_value(window: &mut Window<'_>, pieces: &mut dyn Pieces, unclosed: &mut usize) -> io::Result<()> {
    let line = window.line();
    let mut scanner = Scanner::default();
    let (seen, cause) = loop {
        match scanner.scan(window.rest()) {
            Scanned::Whole(length) => match whole(&window.rest()[..length], line, pieces) {
                Ok(()) => {
                    window.consume(length);
                    return Ok(());
                }
                Err(cause) => break (length, cause.cause),
            },
            Scanned::Broken(at) => break (at, "it is not JSON".to_owned()),
            Scanned::More if window.rest().len() > JSON => {
                break (JSON, format!("it is longer than {} MiB", JSON >> 20));
            }
            Scanned::More if !window.more()? => {
                *unclosed += 1;
                break (window.rest().len(), "it is cut off: a bracket is never closed".to_owned());
            }
            Scanned::More => {}
        }
    };
    let begin = String::from_utf8_lossy(&window.rest()[..seen]).into_owned();
    if pieces.broken_json(line, &without_escapes(&begin), &cause) {
        // Up to the line where it went wrong: what follows may be a document.
        let used = if seen == window.rest().len() { seen } else { line_start(window.rest(), seen) };
        window.consume(used);
        if used == 0 {
            window.skip_line()?;
        }
        return Ok(());
    }
    let length = window.line_length(LINE)?;
    text_line(window, length, pieces)
}

/// Where the line begins in which `at` is.
fn line_start(text: &[u8], at: usize) -> usize {
    memchr::memrchr(b'\n', &text[..at]).map_or(0, |end| end + 1)
}

fn whole(bytes: &[u8], line: usize, pieces: &mut dyn Pieces) -> Result<(), Unreadable> {
    let text = String::from_utf8_lossy(bytes);
    let text = without_escapes(&text);
    let text = without_lone_surrogates(&text);
    pieces.json(line, &Json::new(&text))
}

fn string(text: &str, line: usize, window: &mut Window<'_>, pieces: &mut dyn Pieces) -> io::Result<()> {
    window.skip_line()?;
    // One level only: a string in a string is no report.
    let mut bytes = text.as_bytes();
    let mut inner = Window::new(&mut bytes);
    inner.more()?;
    while inner.more()? {}
    let mut scanner = Scanner::default();
    let blank = inner.rest().iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    inner.consume(blank);
    if let Scanned::Whole(length) = scanner.scan(inner.rest()) {
        if let Err(cause) = whole(&inner.rest()[..length], line, pieces) {
            pieces.broken_json(line, text, &cause.cause);
        }
    } else if inner.rest().starts_with(b"<") && pieces.begins_xml(&String::from_utf8_lossy(inner.rest())) {
        let end = xml::document(&mut inner, |item| pieces.xml(line, item));
        pieces.xml_ended(line, end);
    } else {
        pieces.broken_json(line, text, "it is cut off: a bracket is never closed");
    }
    Ok(())
}

fn text_line(window: &mut Window<'_>, length: usize, pieces: &mut dyn Pieces) -> io::Result<()> {
    let bytes = &window.rest()[..length.min(LINE).min(window.rest().len())];
    let is_whole = bytes.ends_with(b"\n") || length < LINE;
    let text = String::from_utf8_lossy(bytes).into_owned();
    let text = without_escapes(text.trim_end_matches(['\n', '\r']));
    // What a progress line was overwritten with is what a reader sees.
    pieces.line(text.rsplit('\r').next().unwrap_or_default());
    if is_whole {
        window.consume(length);
    } else {
        window.skip_line()?;
    }
    Ok(())
}
