//! YAML, 1.1 and 1.2 readers alike: every value in double quotes, whose escapes JSON's are; names in quotes where they could be taken for
//! something else (`NO`).

use std::fmt::Write as _;

/// `NAME: "value"`.
pub(super) fn line(name: &str, value: &str) -> String {
    let name = if is_plain(name) { name.to_owned() } else { quoted(name) };
    format!("{name}: {}\n", quoted(value))
}

fn is_plain(name: &str) -> bool {
    let words = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    runner::handoff::is_name(name) && !words.contains(&name.to_lowercase().as_str())
}

/// JSON's quotes; what JSON may leave as it is and YAML may not is escaped too.
fn quoted(text: &str) -> String {
    let json = serde_json::Value::from(text).to_string();
    let mut out = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(character));
            }
            _ => out.push(character),
        }
    }
    out
}
