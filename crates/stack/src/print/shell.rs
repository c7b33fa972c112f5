//! Words for shells, quoted as `pulumi stack output --shell` quotes them, and for dotenv files.

/// A word that bash, dash and zsh read as `text`.
#[must_use]
pub fn quoted(text: &str) -> String {
    if text.is_empty() {
        return "''".to_owned();
    }
    if text.contains(|c: char| c.is_ascii_whitespace() || c.is_control()) {
        return format!("'{}'", text.replace('\'', r"'\''"));
    }
    let mut word = String::new();
    for (at, character) in text.char_indices() {
        if SPECIAL.contains(character) || (at == 0 && character == '~') {
            word.push('\\');
        }
        word.push(character);
    }
    word
}

/// What Pulumi puts a backslash before.
const SPECIAL: &str = "\\'\"$`{[|&;<>()*?!";

/// A value for a dotenv file, in double quotes.
#[must_use]
pub fn dotenv(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' | '$' | '`' => {
                quoted.push('\\');
                quoted.push(character);
            }
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}
