//! Foreign text inside Markdown.

use std::fmt::Write as _;

use crate::render::format::{one_line, straight};

/// Foreign text for a table's cell, a heading or a list item: one line, without markup and mentions.
///
/// What markup is made of becomes character references, which cannot be taken for it. GitHub looks for `@name` and `#12` after it
/// has resolved those, so a zero-width space follows the sign.
#[must_use]
pub fn cell(text: &str) -> String {
    let line = one_line(text);
    let mut safe = String::with_capacity(line.len());
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        push(&mut safe, character);
        let next = characters.peek().copied().unwrap_or(' ');
        if (character == '@' && next.is_alphanumeric()) || (character == '#' && next.is_ascii_digit()) {
            safe.push('\u{200b}');
        }
    }
    safe
}

/// Foreign text as code inside a line. Nobody is mentioned in code, so nothing is put in between.
#[must_use]
pub fn code(text: &str) -> String {
    let mut safe = "<code>".to_owned();
    one_line(text).chars().for_each(|character| push(&mut safe, character));
    safe + "</code>"
}

/// Foreign text as a block: a fence longer than any run of backticks in it, and no line that begins a workflow command.
#[must_use]
pub fn fence(text: &str) -> String {
    let text = straight(&runner::foreign::lines(text));
    let mut longest = 0;
    let mut run = 0;
    for character in text.chars() {
        run = if character == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}text\n{text}\n{fence}")
}

fn push(safe: &mut String, character: char) {
    if matches!(character, '&' | '<' | '>' | '|' | '`' | '*' | '_' | '[' | ']' | '~' | '\\' | '$') {
        // Writing to a String cannot fail.
        let _ = write!(safe, "&#{};", u32::from(character));
    } else {
        safe.push(character);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{cell, code, fence};

    #[test]
    fn a_cell_holds_no_markup_no_mention_and_no_reference() {
        assert_eq!(
            cell("a|b <img> @octocat #12 `x`"),
            "a&#124;b &#60;img&#62; @\u{200b}octocat #\u{200b}12 &#96;x&#96;"
        );
        assert_eq!(cell("two\r\n| lines"), "two &#124; lines");
        assert_eq!(cell("C# a@ #x"), "C# a@ #x");
        assert_eq!(code("node_modules/@scope"), "<code>node&#95;modules/@scope</code>");
    }

    #[test]
    fn a_fence_is_longer_than_any_run_of_backticks_inside() {
        assert_eq!(fence("a\n````\nb"), "`````text\na\n````\nb\n`````");
        assert_eq!(fence("plain"), "```text\nplain\n```");
    }

    proptest! {
        #[test]
        fn a_cell_never_ends_its_cell_its_line_or_its_element(text in "(\\PC|[|<>&@#`\r\n\t\\\\:\\[])*") {
            let safe = cell(&text);
            prop_assert!(!safe.contains(['|', '<', '>', '\n', '\r', '`', '[', '*', '_']));
            let mentions = safe.chars().zip(safe.chars().skip(1)).any(|(one, next)| one == '@' && next.is_alphanumeric());
            prop_assert!(!mentions);
        }

        #[test]
        fn no_foreign_line_ends_a_fence_or_begins_a_command(text in "(\\PC|[`~:#\\[\r\n ]|```|::error::|##\\[)*") {
            let block = fence(&text);
            let lines: Vec<_> = block.lines().collect();
            let end = lines.len() - 1;
            let ticks = lines[end].len();
            for line in &lines[1..end] {
                prop_assert!(line.trim().chars().take_while(|character| *character == '`').count() < ticks);
                prop_assert!(!line.trim_start().starts_with("::"));
                prop_assert!(!line.contains("##["));
            }
        }
    }
}
