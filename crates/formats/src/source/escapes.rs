//! Terminal escape sequences (ECMA-48), which real reports contain: colours, cursor moves, hyperlinks.

use std::borrow::Cow;

const ESCAPE: char = '\u{1b}';

/// The longest operating system command that is taken for one.
const OPERATING_SYSTEM_COMMAND: usize = 4096;

/// The text without escape sequences.
#[must_use]
pub fn without_escapes(text: &str) -> Cow<'_, str> {
    if memchr::memchr(0x1b, text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(ESCAPE) {
        clean.push_str(&rest[..at]);
        rest = &rest[at..];
        rest = &rest[length(rest)..];
    }
    clean.push_str(rest);
    Cow::Owned(clean)
}

/// How many bytes the sequence has with which the text begins.
fn length(text: &str) -> usize {
    let after = &text[1..];
    match after.chars().next() {
        // CSI: parameters, then one final character.
        Some('[') => {
            let end = after[1..].find(|character| !matches!(character, '\u{20}'..='\u{3f}'));
            end.map_or(text.len(), |end| 2 + end + after[1 + end..].chars().next().map_or(0, finals))
        }
        // OSC: up to BEL or ST.
        Some(']') => {
            // One that does not end soon is damaged; searching all of a long text for each would take forever.
            let near = &after[..after.floor_char_boundary(OPERATING_SYSTEM_COMMAND)];
            let bell = near.find('\u{7}').map(|end| 1 + end + 1);
            let terminator = near.find("\u{1b}\\").map(|end| 1 + end + 2);
            [bell, terminator].into_iter().flatten().min().unwrap_or(2)
        }
        // A character set: `ESC ( B`.
        Some('(' | ')' | '*' | '+') => 2 + after[1..].chars().next().filter(char::is_ascii).map_or(0, char::len_utf8),
        Some(character) if character.is_ascii() => 2,
        _ => 1,
    }
}

/// A final character belongs to the sequence; anything else ends a damaged one.
fn finals(character: char) -> usize {
    usize::from(matches!(character, '@'..='~'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::without_escapes;

    #[test]
    fn colours_links_and_character_sets_are_removed() {
        assert_eq!(without_escapes("\u{1b}[1;31ma\u{1b}[0m b"), "a b");
        assert_eq!(without_escapes("\u{1b}]8;;http://x\u{1b}\\link\u{1b}]8;;\u{7}"), "link");
        assert_eq!(without_escapes("x\u{1b}(B\u{1b}[m\u{1b}[Ky"), "xy");
        assert_eq!(without_escapes("\u{1b}"), "");
        assert_eq!(without_escapes("\u{1b}["), "");
    }

    proptest! {
        #[test]
        fn any_text_loses_its_escapes(text in "(\u{1b}|\\[|\\]|\\(|[0-9;m]|\\PC)*") {
            let clean = without_escapes(&text);
            prop_assert!(!clean.contains(super::ESCAPE));
        }
    }
}
