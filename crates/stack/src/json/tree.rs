//! JSON as a tree that keeps numbers as they were written.

use std::collections::BTreeMap;

use super::scan::{Broken, Scanner};

/// A JSON value. If a key occurs twice the last value counts, as in Go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    /// As written.
    Number(String),
    Text(String),
    List(Vec<Self>),
    Map(BTreeMap<String, Self>),
}

/// The deepest nesting that is read: the reader is recursive, and this fits any thread's stack.
const DEPTH_LIMIT: usize = 200;

/// Reads a whole document.
pub(crate) fn parse(text: &[u8]) -> Result<Json, Broken> {
    let mut scan = Scanner::new(text, text.len() as u64);
    if scan.peek()?.is_none() {
        return Err(Broken::Empty);
    }
    let value = value(&mut scan, 0)?;
    scan.end()?;
    Ok(value)
}

fn value(scan: &mut Scanner<&[u8]>, depth: usize) -> Result<Json, Broken> {
    if depth > DEPTH_LIMIT {
        return Err(Broken::TooDeep { offset: scan.offset() });
    }
    Ok(match scan.peek()? {
        Some(b'{') => Json::Map(map(scan, depth)?),
        Some(b'[') => Json::List(list(scan, depth)?),
        Some(b'"') => Json::Text(scan.string()?),
        _ => match scan.capture(NUMBER_LIMIT)?.as_slice() {
            b"null" => Json::Null,
            b"true" => Json::Bool(true),
            b"false" => Json::Bool(false),
            number => Json::Number(String::from_utf8_lossy(number).into_owned()),
        },
    })
}

/// More digits than any number needs.
const NUMBER_LIMIT: usize = 4096;

fn map(scan: &mut Scanner<&[u8]>, depth: usize) -> Result<BTreeMap<String, Json>, Broken> {
    scan.open(b'{', "an object")?;
    let (mut map, mut first) = (BTreeMap::new(), true);
    while scan.next_key(&mut first, &[])?.is_some() {
        let key = scan.key();
        map.insert(key, value(scan, depth + 1)?);
    }
    Ok(map)
}

fn list(scan: &mut Scanner<&[u8]>, depth: usize) -> Result<Vec<Json>, Broken> {
    scan.open(b'[', "a list")?;
    let (mut list, mut first) = (Vec::new(), true);
    while scan.next_item(&mut first)? {
        list.push(value(scan, depth + 1)?);
    }
    Ok(list)
}

impl Json {
    /// A member of an object.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Map(map) => map.get(key),
            _ => None,
        }
    }

    /// A string's text.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A member that is a string.
    pub(crate) fn text_of(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(Self::text)
    }
}

#[cfg(test)]
mod tests {
    use super::{Json, parse};

    #[test]
    fn a_document_is_read_as_serde_reads_it() {
        let text = r#" {"a":[1,-0.5e+3,true,false,null,"x\"\\\/\b\f\n\r\té\u00e9\ud83d\udc9c"],"b":{},"c":[]} "#;
        let Json::Map(map) = parse(text.as_bytes()).unwrap() else { panic!("not an object") };
        let Json::List(list) = &map["a"] else { panic!("not a list") };
        assert_eq!(list[1], Json::Number("-0.5e+3".to_owned()));
        assert_eq!(list[5], Json::Text("x\"\\/\u{8}\u{c}\n\r\téé💜".to_owned()));
        assert_eq!(map["b"], Json::Map(std::collections::BTreeMap::new()));
    }

    #[test]
    fn a_lone_surrogate_becomes_a_replacement_character() {
        for (text, expected) in [
            (r#""\ud83dx""#, "\u{fffd}x"),
            (r#""\ud83d\n""#, "\u{fffd}\n"),
            (r#""\ud83d""#, "\u{fffd}"),
            (r#""\udc9c""#, "\u{fffd}"),
            (r#""\ud83d\u0041""#, "\u{fffd}A"),
        ] {
            assert_eq!(parse(text.as_bytes()).unwrap(), Json::Text(expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn invalid_json_is_refused() {
        for text in [
            "",
            " ",
            "{",
            "[",
            "\"",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "[1,]",
            "[1 2]",
            "01",
            "1.",
            "-",
            "1e",
            "+1",
            ".5",
            "nul",
            "nulll",
            "tru",
            "\"\\x\"",
            "\"\\u12g4\"",
            "\"\n\"",
            "{a:1}",
            "1 2",
            "{\"a\":1]",
            "<html>",
            "NaN",
            "\u{feff}{}",
        ] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn nesting_has_a_limit() {
        let text = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(parse(text.as_bytes()).is_err());
    }
}
