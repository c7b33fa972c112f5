//! Whether a text gives a secret away.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Shorter values (`1`, `true`) stand in any log by accident.
const SHORTEST: usize = 6;

/// How `text` holds `secret`: the whole value, one of its longer lines, or either in base64 at any alignment; `None` if not.
#[must_use]
pub fn leaks(text: &[u8], secret: &str) -> Option<&'static str> {
    let has = |form: &str| form.len() >= SHORTEST && crate::http::find(text, form.as_bytes()).is_some();
    if has(secret.trim()) {
        return Some("as it is");
    }
    let armour = |line: &&str| line.len() >= 16 && !line.starts_with("-----");
    if secret.contains('\n') && secret.lines().map(str::trim).filter(armour).any(has) {
        return Some("one of its lines");
    }
    cores(secret.trim()).iter().any(|core| has(core)).then_some("in base64")
}

/// The parts of the secret's base64 that do not depend on the text around it.
fn cores(secret: &str) -> Vec<String> {
    let bytes = secret.as_bytes();
    let core = |skip: usize| {
        let tail = bytes.get(skip..).unwrap_or_default();
        let whole = &tail[..tail.len() - tail.len() % 3];
        [STANDARD_NO_PAD.encode(whole), URL_SAFE_NO_PAD.encode(whole)]
    };
    (0..3).flat_map(core).filter(|core| core.len() >= 8).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_recognised_whatever_stands_around_the_secret() {
        let secret = "hunter2-SECRET";
        for around in [("", ""), ("", "\n"), ("user:", ""), ("u:", ":x"), ("us:", "")] {
            let text = STANDARD_NO_PAD.encode(format!("{}{secret}{}", around.0, around.1));
            assert_eq!(leaks(text.as_bytes(), secret), Some("in base64"), "{around:?}");
        }
        assert_eq!(leaks(b"hunter3-SECRET", secret), None);
        assert_eq!(leaks(b"took 11.3 s, inherit=true", "true"), None);
    }

    #[test]
    fn one_line_of_a_key_is_a_leak_but_its_armour_is_not() {
        let key = "-----BEGIN KEY-----\nc2VjcmV0IGtleSBtYXRlcmlhbA==\n-----END KEY-----\n";
        assert_eq!(leaks(b"x c2VjcmV0IGtleSBtYXRlcmlhbA== y", key), Some("one of its lines"));
        assert_eq!(leaks(b"-----BEGIN KEY-----", key), None);
    }
}
