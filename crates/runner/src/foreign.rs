//! Text that another program wrote, made safe to pass on.
//!
//! A build, a remote command or a service's error may print `::add-mask::e` or `##[error]`, by accident or not. The runner ends a
//! line at LF, CRLF and a bare CR, takes `::` at the start of a line after blanks, and `##[` anywhere (`OutputManager.cs`,
//! `ActionCommand.cs`). So: split on all three, put a gutter in front, break `##[`, and show control characters.

use std::fmt::Write as _;

/// The most bytes of one line that are kept.
pub const LINE_LIMIT: usize = 64 * 1024;

/// One line of foreign text behind `gutter`, harmless for both command grammars and for a terminal.
///
/// Escape sequences are dropped, other control characters shown as their pictures, invalid UTF-8 as U+FFFD. With an empty gutter
/// a line that would begin a command gets `│ ` in front.
#[must_use]
pub fn line(gutter: &str, bytes: &[u8]) -> String {
    let text = text(&String::from_utf8_lossy(bytes));
    if gutter.is_empty() && text.trim_start().starts_with("::") {
        format!("│ {text}")
    } else {
        format!("{gutter}{text}")
    }
}

/// Makes every line of `text` safe, without gutters: for messages of a few lines.
#[must_use]
pub fn lines(text: &str) -> String {
    let mut safe = Vec::new();
    let mut split = Lines::new();
    safe.extend(split.push(text.as_bytes()));
    safe.extend(split.finish());
    safe.iter().map(|one| line("", one)).collect::<Vec<_>>().join("\n")
}

fn text(foreign: &str) -> String {
    let mut safe = String::with_capacity(foreign.len());
    let mut characters = foreign.chars();
    while let Some(character) = characters.next() {
        match character {
            '\t' => safe.push('\t'),
            '\u{1b}' => skip_escape_sequence(&mut characters),
            // U+2400 and the 31 after it picture the C0 controls in their order.
            '\0'..='\u{1f}' => safe.extend(char::from_u32(0x2400 + u32::from(character))),
            '\u{7f}' => safe.push('␡'),
            '\u{80}'..='\u{9f}' | '\u{2028}' | '\u{2029}' => {
                // Writing to a String cannot fail.
                let _ = write!(safe, "\\u{{{:x}}}", u32::from(character));
            }
            _ => safe.push(character),
        }
    }
    // Last, because dropping characters may have brought the three together.
    safe.replace("##[", "##\\[")
}

/// Skips the rest of a CSI sequence (ECMA-48: parameters, then a final byte `@` to `~`), of an OSC string (to BEL or ST), or
/// the one character of a short escape.
fn skip_escape_sequence(characters: &mut std::str::Chars<'_>) {
    let mut ahead = characters.clone();
    match ahead.next() {
        Some('[') => {
            for character in ahead.by_ref() {
                if !matches!(character, '\u{20}'..='\u{3f}') {
                    break;
                }
            }
        }
        Some(']') => {
            let mut escaped = false;
            for character in ahead.by_ref() {
                if character == '\u{7}' || (escaped && character == '\\') {
                    break;
                }
                escaped = character == '\u{1b}';
            }
        }
        _ => {}
    }
    *characters = ahead;
}

/// Splits a stream of bytes into lines at LF, CRLF and CR, each byte looked at once.
///
/// A line longer than [`LINE_LIMIT`] is cut there and ends with the number of missing bytes: memory stays bounded.
#[derive(Debug, Default)]
pub struct Lines {
    partial: Vec<u8>,
    cut: usize,
    after_carriage_return: bool,
}

impl Lines {
    /// A splitter at the start of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes; returns the lines they complete, without their ends.
    pub fn push(&mut self, chunk: &[u8]) -> Vec<Vec<u8>> {
        let mut complete = Vec::new();
        let mut rest = chunk;
        while !rest.is_empty() {
            if self.after_carriage_return {
                self.after_carriage_return = false;
                if let Some(after) = rest.strip_prefix(b"\n") {
                    rest = after;
                    continue;
                }
            }
            let Some(end) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
                self.keep(rest);
                break;
            };
            self.keep(&rest[..end]);
            complete.push(self.take());
            self.after_carriage_return = rest[end] == b'\r';
            rest = &rest[end + 1..];
        }
        complete
    }

    /// A copy of what follows the last line end, if anything.
    #[must_use]
    pub fn partial(&self) -> Option<Vec<u8>> {
        (!self.partial.is_empty()).then(|| self.partial.clone())
    }

    /// Returns what follows the last line end, if anything: for a stream that pauses, or ends without a line end.
    pub fn flush(&mut self) -> Option<Vec<u8>> {
        (!self.partial.is_empty() || self.cut > 0).then(|| self.take())
    }

    /// Ends the stream.
    #[must_use]
    pub fn finish(mut self) -> Option<Vec<u8>> {
        self.flush()
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = LINE_LIMIT.saturating_sub(self.partial.len()).min(bytes.len());
        self.partial.extend_from_slice(&bytes[..room]);
        self.cut += bytes.len() - room;
    }

    fn take(&mut self) -> Vec<u8> {
        let mut line = std::mem::take(&mut self.partial);
        if self.cut > 0 {
            line.extend_from_slice(format!(" … [{} bytes cut]", self.cut).as_bytes());
            self.cut = 0;
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{LINE_LIMIT, Lines, line, lines};

    #[test]
    fn the_old_grammar_is_broken_anywhere_in_a_line() {
        assert_eq!(line("web1 │ ", b"x ##[add-mask]e"), "web1 │ x ##\\[add-mask]e");
    }

    #[test]
    fn an_escape_sequence_between_the_characters_hides_no_command() {
        assert_eq!(line("│ ", b"#\x1b[0m#[error]no"), "│ ##\\[error]no");
        assert_eq!(line("", b"\x1b[31m::error::no"), "│ ::error::no");
    }

    #[test]
    fn control_characters_and_invalid_utf8_are_shown() {
        assert_eq!(line("", b"a\x00b\xffc\td\x07"), "a␀b\u{fffd}c\td␇");
    }

    #[test]
    fn a_bare_carriage_return_ends_a_line() {
        assert_eq!(lines("50%\r::error::x\r\ny"), "50%\n│ ::error::x\ny");
    }

    #[test]
    fn a_long_line_is_cut_and_says_so() {
        let mut split = Lines::new();
        assert!(split.push(&vec![b'x'; LINE_LIMIT + 5]).is_empty());
        let cut = split.push(b"yz\n").remove(0);
        assert_eq!(cut.len(), LINE_LIMIT + " … [7 bytes cut]".len());
        assert!(cut.ends_with(" … [7 bytes cut]".as_bytes()));
    }

    proptest! {
        #[test]
        fn no_foreign_bytes_begin_a_command(bytes in proptest::collection::vec(any::<u8>(), 0..200), gutter in "(|web1 │ )") {
            let safe = line(&gutter, &bytes);
            prop_assert!(!safe.trim_start().starts_with("::"));
            prop_assert!(!safe.contains("##["));
            prop_assert!(!safe.contains(['\n', '\r']));
        }

        #[test]
        fn the_split_into_chunks_changes_nothing(bytes in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), any::<u8>()], 0..100), at in 0usize..100) {
            let at = at.min(bytes.len());
            let mut whole = Lines::new();
            let mut expected = whole.push(&bytes);
            expected.extend(whole.finish());
            let mut parts = Lines::new();
            let mut seen = parts.push(&bytes[..at]);
            seen.extend(parts.push(&bytes[at..]));
            seen.extend(parts.finish());
            prop_assert_eq!(seen, expected);
        }
    }
}
