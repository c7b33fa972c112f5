//! The runner's masker (`SecretMasker.cs`, `ValueEncoders.cs`, `HostContext.cs`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Replaces registered values, and the encodings of them that the runner knows, by `***`.
#[derive(Clone, Debug, Default)]
pub struct Masker {
    values: Vec<String>,
    forms: Vec<String>,
}

impl Masker {
    /// Registers a value and each of its lines.
    pub fn add(&mut self, value: &str) {
        self.register(value);
        for line in value.split(['\r', '\n']).map(str::trim) {
            self.register(line);
        }
    }

    fn register(&mut self, value: &str) {
        if value.is_empty() || self.values.iter().any(|other| other == value) {
            return;
        }
        self.values.push(value.to_owned());
        for form in encodings(value) {
            if !form.is_empty() && !self.forms.contains(&form) {
                self.forms.push(form);
            }
        }
    }

    /// In the order registered.
    #[must_use]
    pub fn values(&self) -> &[String] {
        &self.values
    }

    /// The text with every form replaced; touching and overlapping ones become one `***`.
    #[must_use]
    pub fn apply(&self, text: &str) -> String {
        let mut hidden = Vec::new();
        for form in &self.forms {
            let mut from = 0;
            while let Some(at) = text[from..].find(form.as_str()) {
                let start = from + at;
                hidden.push((start, start + form.len()));
                from = start + text[start..].chars().next().map_or(1, char::len_utf8);
            }
        }
        hidden.sort_unstable();
        let mut masked = String::new();
        let mut done = 0;
        let mut ranges = hidden.into_iter().peekable();
        while let Some((start, mut end)) = ranges.next() {
            while let Some((_, next)) = ranges.next_if(|(next, _)| *next <= end) {
                end = end.max(next);
            }
            masked.push_str(&text[done..start]);
            masked.push_str("***");
            done = end;
        }
        masked + &text[done..]
    }
}

fn encodings(value: &str) -> Vec<String> {
    let bytes = value.as_bytes();
    let json = serde_json::to_string(value).expect("a string is JSON");
    let mut forms = vec![
        value.to_owned(),
        STANDARD.encode(bytes),
        STANDARD.encode(&bytes[1.min(bytes.len())..]),
        STANDARD.encode(&bytes[2.min(bytes.len())..]),
        value.replace('"', "\\\""),
        value.replace('\'', "''"),
        json[1..json.len() - 1].to_owned(),
        percent(bytes),
        value
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
            .replace('"', "&quot;")
            .replace('\'', "&apos;"),
    ];
    if value.len() > 8
        && let Some(inner) = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'))
    {
        forms.push(inner.to_owned());
    }
    if value.contains('&') {
        forms.extend(value.split('&').filter(|part| part.len() >= 6).map(str::to_owned));
    }
    forms
}

/// `Uri.EscapeDataString`: everything but letters, digits and `-_.~`.
fn percent(bytes: &[u8]) -> String {
    let mut text = String::new();
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.extend(["%", &format!("{byte:02X}")]);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(secret: &str, text: &str) -> String {
        let mut masker = Masker::default();
        masker.add(secret);
        masker.apply(text)
    }

    #[test]
    fn what_the_runner_is_known_to_miss_is_missed_here() {
        let secret = "hunter2-SECRET";
        assert_eq!(masked(secret, "aHVudGVyMi1TRUNSRVQK"), "aHVudGVyMi1TRUNSRVQK");
        assert_eq!(masked(secret, &STANDARD.encode("user:hunter2-SECRET")), "dXNlcjpo***");
        assert_eq!(masked("1", "took 11.3 s on port 8081"), "took ***.3 s on port 808***");
    }

    #[test]
    fn braces_of_a_masked_document_are_masked_everywhere() {
        assert_eq!(masked("{\n \"k\": 1\n}", "if (x) { return; }"), "if (x) *** return; ***");
    }
}
