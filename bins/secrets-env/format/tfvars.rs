//! Terraform and OpenTofu variable files: HCL's quoted strings.
//!
//! `${` and `%{` begin templates in them. HCL's doubled form (`$${`) is ambiguous after another `$`, so the sign is written as an escape.

use std::fmt::Write as _;

use icu_normalizer::ComposingNormalizerBorrowed;

use super::{Unfit, unfit};

/// `name = "value"`.
pub(super) fn line(name: &str, value: &str) -> Result<String, Unfit> {
    if !ComposingNormalizerBorrowed::new_nfc().is_normalized(value) {
        return unfit("it is not in Unicode's normal form C, the only one that Terraform keeps", "json");
    }
    let mut text = format!("{name} = \"");
    let mut characters = value.chars().peekable();
    while let Some(character) = characters.next() {
        let begins_template = matches!(character, '$' | '%') && characters.peek() == Some(&'{');
        // Writing to a String cannot fail.
        let _ = match character {
            '\0' => return unfit("it holds a NUL, which HCL has no way to write", "json"),
            '"' => text.write_str("\\\""),
            '\\' => text.write_str(r"\\"),
            '\n' => text.write_str(r"\n"),
            '\r' => text.write_str(r"\r"),
            '\t' => text.write_str(r"\t"),
            _ if begins_template || character.is_control() => write!(text, "\\u{:04x}", u32::from(character)),
            _ => text.write_char(character),
        };
    }
    text.push_str("\"\n");
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn templates_and_controls_are_escaped() {
        let text = line("a", "${x} $${y} %{z} \"q\" \\ \n\u{1b}").ok().unwrap();
        assert_eq!(text, "a = \"\\u0024{x} $\\u0024{y} \\u0025{z} \\\"q\\\" \\\\ \\n\\u001b\"\n");
    }
    #[test]
    fn what_terraform_would_change_is_refused() {
        assert!(line("a", "\u{e9}").is_ok());
        assert!(line("a", "e\u{301}").is_err());
    }
}
