//! Finds the end of a JSON value without keeping a tree, and holds the text of one value.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::Unreadable;

/// The most levels of nesting, as `serde_json` has it.
const DEPTH: usize = 127;

/// Where a scan got to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scanned {
    /// The value is not complete.
    More,
    /// The value has this many bytes.
    Whole(usize),
    /// This is no JSON; after so many bytes that was clear.
    Broken(usize),
}

/// Follows brackets and strings from the first bracket of a value to its last.
///
/// It accepts more than JSON, the parser decides later. It rejects early what a log has at the start of a line: `[INFO]`,
/// `{name}`, `[32m`.
#[derive(Debug, Default)]
pub(super) struct Scanner {
    at: usize,
    /// The open brackets, innermost last.
    open: Vec<u8>,
    /// Whether the scan is inside a string, and after a backslash in it.
    string: bool,
    escaped: bool,
    /// Inside an escape sequence of a terminal, whose `[` is no bracket.
    control: u8,
    /// The last byte that was no blank and in no string.
    last: u8,
}

impl Scanner {
    /// Scans what was added to `text` since the last call; `text` is the value from its beginning.
    pub(super) fn scan(&mut self, text: &[u8]) -> Scanned {
        while let Some(byte) = text.get(self.at).copied() {
            if self.string && self.control == 0 && !self.escaped {
                let skip = memchr::memchr3(b'"', b'\\', 0x1b, &text[self.at..]).unwrap_or(text.len() - self.at);
                self.at += skip;
                if skip > 0 {
                    continue;
                }
            }
            self.at += 1;
            if self.in_control(byte) {
                continue;
            }
            if self.string {
                self.in_string(byte);
            } else if !self.structure(byte) {
                return Scanned::Broken(self.at);
            } else if self.open.is_empty() {
                return Scanned::Whole(self.at);
            }
        }
        Scanned::More
    }

    fn in_control(&mut self, byte: u8) -> bool {
        match (self.control, byte) {
            (0, 0x1b) => self.control = 1,
            (0, _) => return false,
            (1, b'[') => self.control = 2,
            (2, 0x20..=0x3f) => {}
            _ => self.control = 0,
        }
        true
    }

    fn in_string(&mut self, byte: u8) {
        match byte {
            _ if self.escaped => self.escaped = false,
            b'\\' => self.escaped = true,
            b'"' => self.string = false,
            _ => {}
        }
    }

    /// Takes a byte outside of strings; `false` where no value can go on like this.
    fn structure(&mut self, byte: u8) -> bool {
        let fits = match byte {
            b'{' | b'[' => {
                self.open.push(byte);
                self.open.len() <= DEPTH && matches!(self.last, 0 | b'[' | b',' | b':')
            }
            b'}' => self.open.pop() == Some(b'{') && self.last != b':',
            b']' => self.open.pop() == Some(b'['),
            b'"' => {
                self.string = true;
                matches!(self.last, b'[' | b'{' | b',' | b':')
            }
            b':' => self.last == b'"',
            b',' => !matches!(self.last, b'{' | b'[' | b',' | b':'),
            b' ' | b'\t' | b'\r' | b'\n' => return true,
            // Numbers and words, as far as one letter shows. A key is always a string.
            _ => {
                !matches!(self.last, b'{' | b'"' | b'}' | b']')
                    && (byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
            }
        };
        self.last = byte;
        fits
    }
}

/// The members of an object, unread.
type Members<'a> = BTreeMap<Cow<'a, str>, &'a RawValue>;

/// One JSON value: its text, and the members of an object by name. It is looked at only when it is asked for.
#[derive(Debug)]
pub struct Json<'a> {
    /// The value, without escape sequences around it.
    pub text: &'a str,
    members: OnceCell<Members<'a>>,
    /// The members of an array's first object.
    first: OnceCell<Option<Members<'a>>>,
}

#[derive(Deserialize)]
struct Borrowed<'a>(#[serde(borrow)] Members<'a>);

impl<'a> Json<'a> {
    /// A value that may turn out to be none.
    #[must_use]
    pub fn new(text: &'a str) -> Self {
        Self { text, members: OnceCell::new(), first: OnceCell::new() }
    }

    /// Whether the text is JSON.
    ///
    /// # Errors
    /// [`Unreadable`]: it is not.
    pub fn check(&self) -> Result<(), Unreadable> {
        let _: &RawValue = serde_json::from_str(self.text)?;
        Ok(())
    }

    fn members(&self) -> &Members<'a> {
        self.members.get_or_init(|| {
            let is_object = self.text.trim_start().starts_with('{');
            let read = is_object.then(|| serde_json::from_str(self.text).ok()).flatten();
            read.map(|Borrowed(members)| members).unwrap_or_default()
        })
    }

    /// Whether it is an array.
    #[must_use]
    pub fn is_array(&self) -> bool {
        self.text.trim_start().starts_with('[')
    }

    /// Whether it is an object with all of these members.
    #[must_use]
    pub fn has(&self, names: &[&str]) -> bool {
        names.iter().all(|name| self.members().contains_key(*name))
    }

    /// Whether it is an array whose first item is an object with all of these members.
    #[must_use]
    pub fn lists(&self, names: &[&str]) -> bool {
        let first = self.first.get_or_init(|| {
            let items: Vec<&RawValue> = self.is_array().then(|| serde_json::from_str(self.text).ok()).flatten()?;
            let item = items.first()?;
            serde_json::from_str(item.get()).ok().map(|Borrowed(members)| members)
        });
        first.as_ref().is_some_and(|first| names.iter().all(|name| first.contains_key(*name)))
    }

    /// The text of a member.
    #[must_use]
    pub fn raw(&self, name: &str) -> Option<&'a str> {
        self.members().get(name).map(|value| value.get())
    }

    /// A member that is a string.
    #[must_use]
    pub fn string(&self, name: &str) -> Option<String> {
        serde_json::from_str(self.raw(name)?).ok()
    }

    /// The names of an object's members.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.members().keys().map(AsRef::as_ref)
    }

    /// The value as a type of the reader.
    ///
    /// # Errors
    /// [`Unreadable`]: not of that shape.
    pub fn read<T: Deserialize<'a>>(&self) -> Result<T, Unreadable> {
        Ok(serde_json::from_str(self.text)?)
    }
}

/// Replaces lone surrogate escapes (`\udcff`, which Python writes for a byte that is not UTF-8) with U+FFFD. They are valid JSON
/// but not valid Unicode.
#[must_use]
pub fn without_lone_surrogates(json: &str) -> Cow<'_, str> {
    // Every surrogate's escape begins so, in either case of its digits.
    if !json.contains("\\ud") && !json.contains("\\uD") {
        return Cow::Borrowed(json);
    }
    let mut text = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        let length = match (escaped(rest), rest.get(6..).and_then(escaped)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(0xd800..=0xdfff), _) => {
                text.push_str("\\ufffd");
                rest = &rest[6..];
                continue;
            }
            (Some(_), _) => 6,
            // A backslash and what it escapes, which may be another backslash.
            (None, _) => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
        };
        text.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    text.push_str(rest);
    Cow::Owned(text)
}

/// The number of the `\u` escape that the text begins with.
fn escaped(text: &str) -> Option<u32> {
    u32::from_str_radix(text.strip_prefix("\\u")?.get(..4)?, 16).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Json, Scanned, Scanner, without_lone_surrogates};

    fn scan(text: &str) -> Scanned {
        Scanner::default().scan(text.as_bytes())
    }

    #[test]
    fn the_end_of_a_value_is_found_through_strings_and_colours() {
        assert_eq!(scan(r#"{"a":"}\"","b":[1,{}]} x"#), Scanned::Whole(22));
        assert_eq!(scan("{\u{1b}[1m\"a\"\u{1b}[0m:1}"), Scanned::Whole(15));
        assert_eq!(scan(r#"{"a":["#), Scanned::More);
    }

    #[test]
    fn what_logs_begin_lines_with_is_rejected_at_once() {
        for noise in ["[INFO] x", "{name}", "[ 50%] x", "[a b]", "{not: json}", "[1 2]x", "[]]"] {
            assert_ne!(scan(noise), Scanned::More, "{noise}");
        }
        assert!(matches!(scan(&"[".repeat(1000)), Scanned::Broken(_)));
    }

    #[test]
    fn members_are_seen_without_reading_them() {
        let json = Json::new(r#"{"v":1,"event":"x","deep":{"a":[1]}}"#);
        assert!(json.has(&["v", "deep"]) && !json.has(&["a"]));
        assert_eq!(json.string("event").as_deref(), Some("x"));
        assert!(Json::new(r#"[{"a":1},2]"#).lists(&["a"]));
        assert!(Json::new("{\"a\":}").check().is_err());
    }

    #[test]
    fn lone_surrogates_are_replaced_and_pairs_are_kept() {
        let replaced = |text| without_lone_surrogates(text).into_owned();
        assert_eq!(replaced(r#""\udcff a\uD83D\uDE00 \ud800x""#), r#""\ufffd a\uD83D\uDE00 \ufffdx""#);
        assert_eq!(replaced(r#""\\udcff""#), r#""\\udcff""#);
        assert_eq!(replaced(r#""\ud83d\ud83d\ude00""#), r#""\ufffd\ud83d\ude00""#);
    }

    proptest! {
        #[test]
        fn every_string_of_escapes_can_be_read_afterwards(escapes in prop::collection::vec("(\\\\u[dD][89a-fA-F][0-9a-f]{2}|\\\\\\\\|\\\\n|ud|ü)", 0..12)) {
            let json = format!("\"{}\"", escapes.concat());
            prop_assert!(serde_json::from_str::<String>(&without_lone_surrogates(&json)).is_ok(), "{}", json);
        }

        #[test]
        fn a_value_is_as_long_as_the_parser_has_it(value in "[\\[{](\"[a\\\\\"]{0,3}\"|[0-9,:\\[\\]{} ]){0,12}[\\]}]") {
            if serde_json::from_str::<serde_json::Value>(&value).is_ok() {
                prop_assert_eq!(scan(&value), Scanned::Whole(value.len()));
            }
        }
    }
}
