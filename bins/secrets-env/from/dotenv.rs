//! Dotenv, as its readers agree: `NAME=value` with an optional `export`, single quotes without escapes, double quotes with `\n`, `\r`, `\t`,
//! `\"`, `\\` and `\$`, both over several lines; `#` begins a comment at the start of a line or after a blank. Nothing is expanded.

use fault::{Fault, Result};

use super::pair::Pair;

/// Whether a line begins with `NAME=` or `export NAME=`.
pub(super) fn is_assignment(line: &str) -> bool {
    split(line).is_some()
}

pub(super) fn parse(text: &str) -> Result<Vec<Pair>> {
    let text = text.replace("\r\n", "\n");
    let mut pairs = Vec::new();
    let mut rest = text.as_str();
    let mut number = 0;
    while !rest.is_empty() {
        let line = rest.lines().next().unwrap_or_default();
        number += 1;
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            rest = rest.get(line.len() + 1..).unwrap_or_default();
            continue;
        }
        let Some((name, at)) = split(line) else {
            return Err(Fault::usage(format!("line {number} is not NAME=value")));
        };
        let (value, length) = value(&rest[at..]).ok_or_else(|| {
            Fault::usage(format!("the quotes of {name} in line {number} are not closed, or something follows them"))
        })?;
        number += rest[at..at + length].matches('\n').count();
        rest = rest.get(at + length + 1..).unwrap_or_default();
        pairs.push((name.to_owned(), Some(value)));
    }
    Ok(pairs)
}

/// Returns the name, and the offset of the value.
fn split(line: &str) -> Option<(&str, usize)> {
    let at = line.find('=')?;
    let name = line[..at].trim();
    let name = name.strip_prefix("export ").map_or(name, str::trim_start);
    let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte)) && !name.is_empty();
    is_name.then_some((name, at + 1))
}

/// Parses the value at the start of `text`; returns it and its length up to the end of its line.
fn value(text: &str) -> Option<(String, usize)> {
    let start = text.len() - text.trim_start_matches([' ', '\t']).len();
    if let Some(quote @ (b'\'' | b'"' | b'`')) = text.as_bytes().get(start) {
        let (value, length) = quoted(&text[start + 1..], char::from(*quote))?;
        let end = start + 1 + length;
        let tail = text[end..].split('\n').next().unwrap_or_default();
        return (tail.trim().is_empty() || tail.trim().starts_with('#')).then_some((value, end + tail.len()));
    }
    let line = text.split('\n').next().unwrap_or_default();
    let comment = [" #", "\t#"].iter().filter_map(|mark| line.find(mark)).min().unwrap_or(line.len());
    Some((line[..comment].trim().to_owned(), line.len()))
}

/// Parses up to the closing quote; returns the text and its length including the quote.
fn quoted(text: &str, quote: char) -> Option<(String, usize)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        if character == quote {
            return Some((value, at + 1));
        }
        if character != '\\' || quote != '"' {
            value.push(character);
            continue;
        }
        let (_, escaped) = characters.next()?;
        match escaped {
            'n' => value.push('\n'),
            'r' => value.push('\r'),
            't' => value.push('\t'),
            '"' | '\\' | '$' | '`' => value.push(escaped),
            other => value.extend(['\\', other]),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::parse;

    fn one(text: &str) -> String {
        parse(text).unwrap().remove(0).1.unwrap()
    }

    #[test]
    fn quotes_comments_and_lines_are_read_as_their_readers_agree() {
        assert_eq!(one("A = plain text # comment"), "plain text");
        assert_eq!(one("A=with#hash"), "with#hash");
        assert_eq!(one(r#"A="a\nb \"c\" \$d" # comment"#), "a\nb \"c\" $d");
        assert_eq!(one(r"A='a\nb $c'"), r"a\nb $c");
        assert_eq!(one("A='two\nlines'\nB=2"), "two\nlines");
        assert_eq!(one("export A=1\r\n"), "1");
        assert_eq!(one("A="), "");
        assert_eq!(parse("A='x\ny'\n\nB=2\n").unwrap().len(), 2);
    }

    #[test]
    fn the_line_at_fault_is_named() {
        assert_eq!(parse("A='x\ny'\nnonsense\n").unwrap_err().message, "line 3 is not NAME=value");
    }
}
