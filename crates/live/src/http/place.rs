//! The named place in an answer at which a revision is found. A bare substring of the body is none: a login page may hold anything.

use std::str::FromStr;

use regex::Regex;
use reqwest::header::HeaderMap;
use serde_json::Value;

/// Where the revision is.
#[derive(Clone, Debug)]
pub enum Place {
    /// A value in a JSON document.
    Json(JsonPath),
    /// A header.
    Header(String),
    /// What the one group of this expression matches in the body.
    Text(Regex),
}

impl Place {
    /// What is there.
    ///
    /// # Errors
    /// What is there instead, in a clause.
    pub(crate) fn read(&self, headers: &HeaderMap, body: &[u8]) -> Result<String, String> {
        match self {
            Self::Header(name) => {
                let value = headers.get(name).ok_or_else(|| format!("no header `{name}`"))?;
                let value = String::from_utf8_lossy(value.as_bytes()).trim().to_owned();
                if value.is_empty() { Err(format!("the header `{name}` is empty")) } else { Ok(value) }
            }
            Self::Json(path) => path.read(body),
            Self::Text(expression) => {
                let text = String::from_utf8_lossy(body);
                let found = expression.captures(&text).and_then(|found| found.get(1));
                found.map(|found| found.as_str().to_owned()).ok_or_else(|| "the expression matches nothing".to_owned())
            }
        }
    }

    /// Whether the body is needed.
    pub(crate) fn needs_body(&self) -> bool {
        !matches!(self, Self::Header(_))
    }
}

/// Reads a regular expression with one group.
///
/// # Errors
/// An expression that is malformed, or has no group or several.
pub fn expression(text: &str) -> Result<Regex, String> {
    let found = Regex::new(text).map_err(|error| error.to_string())?;
    // The whole match counts as one.
    if found.captures_len() == 2 {
        Ok(found)
    } else {
        Err(format!("it has {} groups: put one pair of parentheses around the revision", found.captures_len() - 1))
    }
}

/// A path into a JSON document, as jq writes it: `.commit`, `.build.sha`, `.items[0].rev`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonPath(Vec<Key>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Key {
    Name(String),
    Index(usize),
}

impl JsonPath {
    fn read(&self, body: &[u8]) -> Result<String, String> {
        let document: Value =
            serde_json::from_slice(body).map_err(|error| format!("the body is not JSON ({error})"))?;
        let mut value = &document;
        for key in &self.0 {
            let next = match key {
                Key::Name(name) => value.get(name),
                Key::Index(index) => value.get(index),
            };
            value = next.ok_or_else(|| format!("the JSON has no `{self}`"))?;
        }
        match value {
            Value::String(text) if !text.trim().is_empty() => Ok(text.trim().to_owned()),
            Value::Number(number) if number.is_i64() || number.is_u64() => Ok(number.to_string()),
            // `1.10` and `1.1` are the same number and are not the same version.
            Value::Number(number) => Err(format!("`{self}` is the number {number}: a version has to be a text")),
            _ => Err(format!("`{self}` is neither a text nor a number")),
        }
    }
}

impl FromStr for JsonPath {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let malformed = || "not a path: write it as .commit, .build.sha or .items[0].rev".to_owned();
        let (mut keys, mut rest) = (Vec::new(), text);
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix('[') {
                let (index, after) = after.split_once(']').ok_or_else(malformed)?;
                keys.push(Key::Index(index.parse().map_err(|_not_a_number| malformed())?));
                rest = after;
            } else {
                let name = rest.strip_prefix('.').ok_or_else(malformed)?;
                let end = name.find(['.', '[']).unwrap_or(name.len());
                if end == 0 {
                    return Err(malformed());
                }
                keys.push(Key::Name(name[..end].to_owned()));
                rest = &name[end..];
            }
        }
        if keys.is_empty() { Err(malformed()) } else { Ok(Self(keys)) }
    }
}

impl std::fmt::Display for JsonPath {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|key| match key {
            Key::Name(name) => write!(out, ".{name}"),
            Key::Index(index) => write!(out, "[{index}]"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{JsonPath, Place, expression};
    use reqwest::header::HeaderMap;

    fn read(place: &Place, body: &str) -> Result<String, String> {
        place.read(&HeaderMap::new(), body.as_bytes())
    }

    #[test]
    fn a_path_leads_to_a_text_or_a_number() {
        let json = |path: &str| Place::Json(path.parse().unwrap());
        let body = r#"{"commit":" abc ","build":{"n":7},"items":[{"rev":"x"}],"no":null}"#;
        assert_eq!(read(&json(".commit"), body).unwrap(), "abc");
        assert_eq!(read(&json(".build.n"), body).unwrap(), "7");
        assert_eq!(read(&json(".items[0].rev"), body).unwrap(), "x");
        assert!(read(&json(".v"), r#"{"v":1.10}"#).unwrap_err().contains("has to be a text"));
        for path in [".no", ".build", ".items[1].rev", ".commit.x"] {
            assert!(read(&json(path), body).unwrap_err().contains(path), "{path}");
        }
        assert!(read(&json(".commit"), "<html>").unwrap_err().contains("not JSON"));
        for bad in ["", "commit", ".", ".a[", ".a[x]", ".a..b", ".a[-1]"] {
            assert!(bad.parse::<JsonPath>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_expression_has_exactly_one_group() {
        let place = Place::Text(expression("build ([0-9a-f]{7,40})").unwrap());
        assert_eq!(read(&place, "<p>build abc1234</p>").unwrap(), "abc1234");
        assert!(read(&place, "nothing").is_err());
        for bad in ["build", "(a)(b)", "("] {
            assert!(expression(bad).is_err(), "{bad}");
        }
    }
}
