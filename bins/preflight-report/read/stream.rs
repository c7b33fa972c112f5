//! Finds JSON documents in a stream of noise.
//!
//! A document begins at the start of a line (after blanks): an object, an array, or a string that holds one (`dagger call --json`
//! prints the pipeline's answer so). What does not parse is noise, unless it has begun like a report.

use serde_json::value::RawValue;

/// Something in the stream that is not noise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// A whole JSON value.
    Document {
        /// Where it begins, from 1.
        line: usize,
        /// Its text.
        text: String,
    },
    /// The beginning of a report that is cut off or damaged.
    Broken(Broken),
}

/// The beginning of a report that is cut off or damaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Broken {
    /// Where it begins, from 1.
    pub(super) line: usize,
    /// It was to be a record: one line of many.
    pub(super) is_record: bool,
    /// What the parser says.
    pub(super) cause: String,
}

/// How many beginnings without an end are followed to the end of the stream: each costs a walk through all of it.
const UNCLOSED: usize = 200;

/// The documents and broken reports of a stream, in order.
pub(super) fn pieces(text: &str) -> Vec<Piece> {
    let clean;
    let text = if text.contains('\u{1b}') {
        clean = without_escapes(text);
        &clean
    } else {
        text
    };
    let mut pieces = Vec::new();
    let mut at = 0;
    let mut line = 1;
    let mut unclosed = 0;
    while at < text.len() {
        let rest = &text[at..];
        let indent = rest.len() - rest.trim_start_matches([' ', '\t']).len();
        let begins = rest[indent..].starts_with(['{', '[', '"']);
        let (piece, used) = if begins { candidate(&rest[indent..], line, &mut unclosed) } else { (None, 0) };
        pieces.extend(piece);
        if unclosed > UNCLOSED {
            let cause = "too many brackets are never closed to tell reports from noise".to_owned();
            pieces.push(Piece::Broken(Broken { line, is_record: false, cause }));
            break;
        }
        // What stands behind a document on its last line may be the next one.
        let end = if used > 0 { indent + used } else { rest.find('\n').map_or(rest.len(), |end| end + 1) };
        line += rest[..end].matches('\n').count();
        at += end;
    }
    unwrap_strings(pieces)
}

/// What begins here, and how many bytes of it are dealt with.
fn candidate(rest: &str, line: usize, unclosed: &mut usize) -> (Option<Piece>, usize) {
    let mut values = serde_json::Deserializer::from_str(rest).into_iter::<&RawValue>();
    match values.next() {
        Some(Ok(value)) => (Some(Piece::Document { line, text: value.get().to_owned() }), values.byte_offset()),
        Some(Err(error)) => {
            *unclosed += usize::from(error.is_eof());
            let seen = up_to(rest, error.line(), error.column());
            let is_record = seen.contains("\"event\"") && seen.contains("\"v\"");
            let is_report = is_record || seen.contains("\"stages\"") || seen.contains("\"result\"");
            let broken = Broken { line, is_record, cause: error.to_string() };
            // The lines inside a damaged report are no documents of their own.
            let used = if is_report { before_line(rest, error.line()) } else { 0 };
            (is_report.then_some(Piece::Broken(broken)), used)
        }
        None => (None, 0),
    }
}

/// The text up to where the parser gave up: a line from 1, and bytes into it.
fn up_to(text: &str, line: usize, column: usize) -> &str {
    let end = before_line(text, line) + column;
    text.get(..end).unwrap_or(text)
}

/// Where the given line begins; 0 for the first, which then counts as looked at.
fn before_line(text: &str, line: usize) -> usize {
    line.checked_sub(2).and_then(|newline| text.match_indices('\n').nth(newline)).map_or(0, |(end, _)| end + 1)
}

/// A string that holds an object or an array is read as that.
fn unwrap_strings(pieces: Vec<Piece>) -> Vec<Piece> {
    let mut unwrapped = Vec::with_capacity(pieces.len());
    for piece in pieces {
        match &piece {
            Piece::Document { line, text } if text.starts_with('"') => {
                let inner: String = serde_json::from_str(text).unwrap_or_default();
                if inner.trim_start().starts_with(['{', '[']) {
                    let line = *line;
                    unwrapped.extend(self::pieces(&inner).into_iter().map(|piece| match piece {
                        Piece::Document { text, .. } => Piece::Document { line, text },
                        Piece::Broken(broken) => Piece::Broken(Broken { line, ..broken }),
                    }));
                }
            }
            _ => unwrapped.push(piece),
        }
    }
    unwrapped
}

/// Without control sequences (ECMA-48: CSI) and the single escapes around them; JSON itself never holds an escape character.
fn without_escapes(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if character != '\u{1b}' {
            clean.push(character);
        } else if characters.next_if_eq(&'[').is_some() {
            while characters.next_if(|next| matches!(next, '\u{20}'..='\u{3f}')).is_some() {}
            characters.next_if(|next| matches!(next, '@'..='~'));
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Piece, pieces};

    fn documents(text: &str) -> Vec<String> {
        let documents = pieces(text).into_iter().filter_map(|piece| match piece {
            Piece::Document { text, .. } => Some(text),
            Piece::Broken(_) => None,
        });
        documents.collect()
    }

    #[test]
    fn noise_around_documents_is_passed_over() {
        let text = "▶ connect 0.2s\n{not json}\n  {\"a\":\n1} {\"b\":2}\nDone. {\"c\":3}\n[1]\n";
        assert_eq!(documents(text), ["{\"a\":\n1}", "{\"b\":2}", "[1]"]);
    }

    #[test]
    fn colours_are_no_part_of_a_document() {
        assert_eq!(documents("\u{1b}[32m{\"a\":\u{1b}[1;31m1\u{1b}[0m}\u{1b}[0m\n"), ["{\"a\":1}"]);
    }

    #[test]
    fn a_string_that_holds_a_document_is_opened() {
        assert_eq!(documents("\"{\\\"a\\\":1}\\n\"\n\"just words\"\n"), ["{\"a\":1}"]);
    }

    #[test]
    fn a_report_that_is_cut_off_is_no_noise_and_its_inside_no_document() {
        let text = "x\n{\"stages\": {\"build\": {\"checks\": [\n{\"name\": \"a\"},\n{\"na\nError: broken\n{\"v\":1}";
        let found = pieces(text);
        assert!(matches!(&found[0], Piece::Broken(broken) if broken.line == 2 && !broken.is_record), "{found:?}");
        assert_eq!(documents(text), ["{\"v\":1}"]);
    }

    #[test]
    fn a_brace_in_the_noise_makes_the_report_behind_it_no_broken_one() {
        let report = r#"{"result":"passed","stages":{}}"#;
        assert_eq!(pieces(&format!("{{\n{report}\n")), [Piece::Document { line: 2, text: report.to_owned() }]);
    }

    #[test]
    fn lines_are_counted_through_documents() {
        let found = pieces("a\n{\n}\nb\n{}");
        let lines: Vec<_> = found
            .iter()
            .map(|piece| match piece {
                Piece::Document { line, .. } => *line,
                Piece::Broken(broken) => broken.line,
            })
            .collect();
        assert_eq!(lines, [2, 5]);
    }

    #[test]
    fn endless_brackets_are_refused_in_a_time_that_does_not_grow_with_their_square() {
        let found = pieces(&"{\"a\":\n".repeat(2_000));
        assert!(matches!(found.as_slice(), [Piece::Broken(broken)] if broken.line == 201), "{found:?}");
    }

    proptest! {
        #[test]
        fn any_text_is_read_to_its_end(text in "([{}\\[\\]\",:a1 \n\u{1b}]|\"stages\"|\"event\"|\\PC)*") {
            pieces(&text);
        }

        #[test]
        fn documents_are_found_between_any_words(words in prop::collection::vec("[a-z .:]{1,20}", 1..5)) {
            let text = words.join("\n{\"v\":1}\n") + "\n{\"v\":1}";
            prop_assert_eq!(documents(&text).len(), words.len());
        }
    }
}
