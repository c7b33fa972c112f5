//! Runs of letters and digits, which no escape changes: escapes change only the punctuation between them.

use crate::common;

/// The shortest run that counts.
pub(crate) const LEAST: usize = 8;

/// The runs of `text`.
pub(crate) fn runs(text: &str) -> impl Iterator<Item = &str> {
    text.split(|character: char| !character.is_ascii_alphanumeric()).filter(|piece| piece.len() >= LEAST)
}

/// Whether fewer than `least` bytes, too few to identify a secret, lie between any two runs of `text`.
pub(crate) fn cover(text: &str, least: usize) -> bool {
    let is_sign = |character: char| !character.is_ascii_alphanumeric();
    let mut between = 0;
    text.split_inclusive(is_sign).all(|piece| {
        let letters = piece.trim_end_matches(is_sign).len();
        between = if letters >= LEAST { piece.len() - letters } else { between + piece.len() };
        between < least
    })
}

/// Whether a run is not just usual text, which is in every log.
pub(crate) fn is_telling(run: &str) -> bool {
    run.as_bytes().windows(LEAST).any(|window| !common::is_usual(window))
}

#[cfg(test)]
mod tests {
    use super::cover;

    #[test]
    fn runs_cover_a_text_when_fewer_than_eight_bytes_lie_between_them() {
        for text in ["abcdefgh", "abcdefgh+/abcdefgh", "ab+cd/abcdefgh=", "abcdefgh+ab+cd+abcdefgh"] {
            assert!(cover(text, 8), "{text}");
        }
        for text in ["ab+cd/ef=gh", "abcdefgh+ab+cd+ef+abcdefgh", "abcdefgh+++++++++", "ééééé"] {
            assert!(!cover(text, 8), "{text}");
        }
    }
}
