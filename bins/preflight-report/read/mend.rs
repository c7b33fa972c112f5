//! Mends JSON that is right by its grammar and still no text.

use std::borrow::Cow;

/// Replaces escapes of lone surrogates with U+FFFD. Python writes a byte that is not UTF-8 as one (`\udcff`, from
/// `surrogateescape`), so the output of a failing check may hold them; no string of ours can.
pub(super) fn surrogates(json: &str) -> Cow<'_, str> {
    // Every surrogate's escape begins so, in either case of its digits.
    if !json.contains("\\ud") && !json.contains("\\uD") {
        return Cow::Borrowed(json);
    }
    let mut mended = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        mended.push_str(&rest[..at]);
        rest = &rest[at..];
        let length = match (escaped(rest), rest.get(6..).and_then(escaped)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(0xd800..=0xdfff), _) => {
                mended.push_str("\\ufffd");
                rest = &rest[6..];
                continue;
            }
            (Some(_), _) => 6,
            // A backslash and what it escapes, which may be another backslash.
            (None, _) => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
        };
        mended.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    mended.push_str(rest);
    Cow::Owned(mended)
}

/// The number of the `\u` escape that the text begins with.
fn escaped(text: &str) -> Option<u32> {
    u32::from_str_radix(text.strip_prefix("\\u")?.get(..4)?, 16).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::surrogates;

    #[test]
    fn lone_surrogates_are_replaced_and_pairs_are_kept() {
        assert_eq!(surrogates(r#""\udcff a\uD83D\uDE00 \ud800x""#), r#""\ufffd a\uD83D\uDE00 \ufffdx""#);
        assert_eq!(surrogates(r#""\\udcff""#), r#""\\udcff""#);
        assert_eq!(surrogates(r#""\ud83d\ud83d\ude00""#), r#""\ufffd\ud83d\ude00""#);
    }

    proptest! {
        #[test]
        fn every_string_of_escapes_can_be_read_afterwards(escapes in prop::collection::vec("(\\\\u[dD][89a-fA-F][0-9a-f]{2}|\\\\\\\\|\\\\n|ud|ü)", 0..12)) {
            let json = format!("\"{}\"", escapes.concat());
            prop_assert!(serde_json::from_str::<String>(&surrogates(&json)).is_ok(), "{}", json);
        }
    }
}
