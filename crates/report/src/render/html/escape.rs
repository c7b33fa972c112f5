//! Foreign text inside HTML.

use std::fmt::Write as _;

use crate::render::format::{cut, one_line, tail};
use crate::render::markdown::place;

/// Foreign text for an element or a quoted attribute: one line, at most `limit` characters, nothing of it markup.
pub(super) fn text(foreign: &str, limit: usize) -> String {
    escaped(&cut(&one_line(foreign), limit))
}

/// The end of foreign text of several lines, each of them harmless.
pub(super) fn lines(foreign: &str, limit: usize) -> Vec<String> {
    tail(foreign, limit).iter().map(|line| escaped(line)).collect()
}

/// Text that means itself in HTML. Characters that are invisible or turn the direction of writing are shown by their number, because a
/// reader would take the text for another one.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len() + text.len() / 8);
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            _ if is_deceptive(letter) => {
                // Writing to a String cannot fail.
                let _ = write!(safe, "⟨U+{:04X}⟩", u32::from(letter));
            }
            _ => safe.push(letter),
        }
    }
    safe
}

/// Marks of direction, joiners without a glyph, variation by tags, and controls that the log's own escaping leaves.
fn is_deceptive(letter: char) -> bool {
    matches!(letter,
        '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
        || (letter.is_control() && !matches!(letter, '\t' | '\n'))
}

/// A link, if the address is one of the web's; else what is shown alone. `shown` is HTML.
pub(super) fn link(url: &str, shown: &str) -> String {
    if url.starts_with("https://") || url.starts_with("http://") {
        format!("<a href=\"{}\" rel=\"noreferrer noopener\">{shown}</a>", escaped(&place::encode(url)))
    } else {
        shown.to_owned()
    }
}

/// An address as a link that shows itself without its scheme.
pub(super) fn address(url: &str) -> String {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).unwrap_or(url);
    link(url, &text(rest.trim_end_matches('/'), 200))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{escaped, lines, link, text};

    #[test]
    fn markup_and_hidden_characters_are_shown() {
        assert_eq!(text("<b onclick='x'>\"&\n\u{1b}[31mred", 100), "&lt;b onclick=&#39;x&#39;&gt;&quot;&amp; red");
        assert_eq!(escaped("a\u{202e}b\u{200b}c"), "a⟨U+202E⟩b⟨U+200B⟩c");
        assert_eq!(lines("one\n::error::two\n<three>", 2), ["… 1 lines before", "│ ::error::two", "&lt;three&gt;"]);
    }

    #[test]
    fn only_addresses_of_the_web_become_links() {
        assert_eq!(link("javascript:alert(1)", "x"), "x");
        assert_eq!(
            link("https://a.b/\"><script>&c='d'", "x"),
            "<a href=\"https://a.b/%22%3E%3Cscript%3E&amp;c=&#39;d&#39;\" rel=\"noreferrer noopener\">x</a>"
        );
    }

    proptest! {
        #[test]
        fn no_foreign_text_opens_an_element_ends_an_attribute_or_turns_the_writing(foreign in "(\\PC|[<>\"'&\u{0}-\u{1f}\u{7f}-\u{9f}\u{200b}-\u{200f}\u{202a}-\u{202e}\u{2066}-\u{2069}])*") {
            let all = [text(&foreign, 500), lines(&foreign, 50).join("\n"), link(&format!("https://x/{foreign}"), "")];
            for safe in &all[..2] {
                prop_assert!(!safe.contains(['<', '>', '"', '\'']));
            }
            prop_assert_eq!(all[2].matches(['<', '>', '"']).count(), 8);
            for safe in all {
                prop_assert!(!safe.contains(|letter: char| letter.is_control() && letter != '\n' && letter != '\t'));
                let hidden = ['\u{202e}', '\u{2066}', '\u{200b}', '\u{200f}'];
                prop_assert!(!safe.contains(hidden));
            }
        }
    }
}
