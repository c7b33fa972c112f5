//! Finds places in prose: in stacks, in messages, in sentences.
//!
//! `src/index.ts:45:9`, `src/index.ts(45,9)`, `File "a.py", line 3`, `at t/a.t line 5`, `in a.php on line 2`,
//! `in C:\a.cs:line 7`, `at com.acme.CartTest.adds(CartTest.java:27)`. A clock, an address, an image's tag are none.

use crate::Location;

/// The most places of one text.
const LIMIT: usize = 20;
/// Files without an extension that have lines.
const NAMED: [&str; 6] = ["Dockerfile", "Makefile", "Rakefile", "Gemfile", "Jenkinsfile", "Justfile"];

/// The places in a text, in its order.
#[must_use]
pub fn in_text(text: &str) -> Vec<Location> {
    let mut found = Vec::new();
    let mut file = None;
    for line in text.lines() {
        // A file and its line below each other.
        let words = line.trim_start();
        if let (Some(path), Some(row)) = (file.take(), words.strip_prefix("Line: ")) {
            found.extend(Location::new(path, row.trim().parse().ok(), None));
        }
        file = words.strip_prefix("File: ").map(str::to_owned);
        in_line(line, &mut found);
        if found.len() >= LIMIT {
            break;
        }
    }
    found.truncate(LIMIT);
    found
}

fn in_line(line: &str, found: &mut Vec<Location>) {
    let line = &line[..line.floor_char_boundary(4096)];
    if let Some(location) = worded(line) {
        found.push(location);
        return;
    }
    let bytes = line.as_bytes();
    let mut at = 0;
    while let Some(mark) = memchr::memchr2(b':', b'(', &bytes[at..]).map(|next| at + next) {
        let (location, end) = numbered(line, mark);
        found.extend(location);
        at = end.max(mark + 1);
    }
}

/// A path, then its line in words.
fn worded(line: &str) -> Option<Location> {
    if let Some((path, rest)) = between(line, "File \"", "\", line ") {
        return made(path, number(rest).0?, None);
    }
    if let Some((before, rest)) = line.split_once(" on line ") {
        let path = before.rsplit_once(" in ").map_or(before, |(_, path)| path);
        return made(path, number(rest).0?, None).filter(|location| is_file(&location.path));
    }
    if let Some((before, rest)) = line.split_once(":line ") {
        let path = before.rsplit_once(" in ").map_or(before, |(_, path)| path);
        return made(path, number(rest).0?, None);
    }
    let (before, rest) = line.split_once(" line ")?;
    let path = before.rsplit_once("at ").map(|(_, path)| path)?;
    made(path, number(rest).0?, None).filter(|location| is_file(&location.path))
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<(&'a str, &'a str)> {
    text.split_once(before)?.1.split_once(after)
}

/// The place whose numbers begin behind `mark`, a colon or a bracket, and where it ends.
fn numbered(line: &str, mark: usize) -> (Option<Location>, usize) {
    let bracket = line.as_bytes()[mark] == b'(';
    let (Some(first), length) = number(&line[mark + 1..]) else { return (None, mark + 1) };
    let mut end = mark + 1 + length;
    // `/w/a.php (2:1)`, as phpcs writes it.
    let is_apart = bracket && line[..mark].ends_with(' ') && line.as_bytes().get(end) == Some(&b':');
    let separator = if bracket && !is_apart { b',' } else { b':' };
    let mut column = None;
    if line.as_bytes().get(end) == Some(&separator)
        && let (Some(second), length) = number(&line[end + 1..])
    {
        column = Some(second);
        end += 1 + length;
    }
    // `sleep(3)` is a call: a place in brackets has a column, or a colon behind it.
    let is_closed = line.as_bytes().get(end) == Some(&b')');
    if bracket && !(is_closed && (column.is_some() || line[end + 1..].starts_with(':'))) {
        return (None, end);
    }
    let path = path_before(line[..mark].trim_end_matches(if is_apart { ' ' } else { '\0' }));
    let location = made(path, first, column).filter(|location| is_file(&location.path));
    (location.map(|location| in_package(&line[..mark], location)), end)
}

/// The number that the text begins with, and its length.
fn number(text: &str) -> (Option<i64>, usize) {
    let length = text.bytes().take_while(u8::is_ascii_digit).count();
    (text[..length].parse().ok(), length)
}

/// The path that the text ends with.
fn path_before(text: &str) -> &str {
    let is_end = |character: char| character.is_whitespace() || "\"'`<>()[]{}|,;=@→❯│".contains(character);
    // Brackets and `@` are parts of paths too: `app/[id]/page.tsx`, `@scope/name`.
    let start = text.char_indices().rev().find(|(_, character)| is_end(*character) && !"[]@(),".contains(*character));
    let start = start.map_or(0, |(at, character)| at + character.len_utf8());
    let token = &text[start..];
    let open = token.rfind('(').filter(|_| !token.contains(")/")).map_or(0, |at| at + 1);
    token[open..].trim_start_matches(['[', ','])
}

fn made(path: &str, line: i64, column: Option<i64>) -> Option<Location> {
    let path = path.trim().trim_matches(['"', '\'', '`']);
    if path.contains("://") && !path.starts_with("file://") || path.starts_with("node:") {
        return None;
    }
    Location::new(path, Some(line), column).filter(|location| location.line.is_some())
}

/// Whether it looks like a file rather than a host, a clock or a tag.
pub(crate) fn is_file(path: &str) -> bool {
    let name = path.rsplit(['/', '\\']).next().unwrap_or_default();
    if NAMED.contains(&name) {
        return true;
    }
    let Some((stem, extension)) = name.rsplit_once('.') else { return false };
    let is_extension = (1..=10).contains(&extension.len())
        && extension.chars().all(|character| character.is_ascii_alphanumeric() || character == '_')
        && extension.contains(|character: char| character.is_ascii_alphabetic());
    let is_host = !path.contains(['/', '\\']) && matches!(extension, "com" | "org" | "net" | "local" | "internal");
    let is_named = !stem.is_empty() || path.contains('/');
    is_extension && !is_host && is_named && !path.contains("..:")
}

/// Java names the file only; the method before it gives the folder.
fn in_package(before: &str, location: Location) -> Location {
    let is_java = [".java", ".kt", ".scala", ".groovy"].iter().any(|end| location.path.ends_with(end));
    if !is_java || location.path.contains('/') {
        return location;
    }
    let method = before.split('(').next().unwrap_or_default();
    let method = method.rsplit(char::is_whitespace).next().unwrap_or_default();
    let method = method.rsplit('/').next().unwrap_or_default();
    let packages: Vec<&str> =
        method.split('.').take_while(|part| part.starts_with(|first: char| first.is_ascii_lowercase())).collect();
    // `java.lang` has at least one more name behind it: the class.
    if packages.is_empty() || packages.len() == method.split('.').count() {
        return location;
    }
    Location { path: format!("{}/{}", packages.join("/"), location.path), ..location }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::in_text;

    fn places(text: &str) -> Vec<String> {
        let shown = in_text(text).into_iter().map(|place| {
            let numbers = [place.line, place.column].into_iter().flatten().map(|number| format!(":{number}"));
            numbers.fold(place.path, |text, number| text + &number)
        });
        shown.collect()
    }

    #[test]
    fn stacks_and_sentences_of_many_languages_are_understood() {
        for (text, place) in [
            ("TypeScript error in src/index.ts:45", "src/index.ts:45"),
            ("src/index.ts(45,9): error TS2322: no", "src/index.ts:45:9"),
            ("  File \"/home/a b/shop/cart.py\", line 3, in total", "/home/a b/shop/cart.py:3"),
            ("    at Object.<anonymous> (/shop/jest/sum.test.js:6:11)", "/shop/jest/sum.test.js:6:11"),
            ("    at file:///shop/a%20b/sum.test.mjs:5:3", "/shop/a b/sum.test.mjs:5:3"),
            (" ❯ vt/sum.test.mjs:5:9", "vt/sum.test.mjs:5:9"),
            ("    a_test.go:12: got 3", "a_test.go:12"),
            ("thread 'tests::x' panicked at src/lib.rs:17:9:", "src/lib.rs:17:9"),
            ("\tat com.acme.CartTest.adds(CartTest.java:27)", "com/acme/CartTest.java:27"),
            ("at CalcUtilsTest.test(CalcUtilsTest.kt:27)", "CalcUtilsTest.kt:27"),
            ("   at Shop.Cart.Add() in C:\\src\\Cart.cs:line 7", "C:\\src\\Cart.cs:7"),
            ("#   at t/sum.t line 5.", "t/sum.t:5"),
            ("PHP Parse error: unexpected end of file in src/kaputt.php on line 2", "src/kaputt.php:2"),
            ("./spec/preise_spec.rb:3:in `block'", "spec/preise_spec.rb:3"),
            ("app/[id]/page.tsx:3:1 - error", "app/[id]/page.tsx:3:1"),
            ("Dockerfile:4 DL3008", "Dockerfile:4"),
            ("PEAR.Missing at /w/bad.php (2:1)", "/w/bad.php:2:1"),
            ("(in test file a.bats, line 4)", ""),
        ] {
            let found = places(text);
            assert_eq!(found.first().map_or("", String::as_str), place, "{text}");
        }
    }

    #[test]
    fn clocks_addresses_and_tags_are_no_places() {
        for text in [
            "12:30:05 late",
            "http://127.0.0.1:80/x.html:3",
            "localhost:3000",
            "example.com:443",
            "docker.io/library/redis:7",
            "node:internal/process.js:1:2",
            "sha256:123",
            "total: 3",
            "f(3)",
        ] {
            assert_eq!(places(text), Vec::<String>::new(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_searched(text in "([a/.:(,)0-9 \"]|File \"| line | on line |\\PC)*") {
            prop_assert!(in_text(&text).len() <= super::LIMIT);
        }
    }
}
