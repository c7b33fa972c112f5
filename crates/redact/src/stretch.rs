//! Stretches of letters and digits: escapes change the punctuation between them, and no escape changes them.

use crate::ordinary;

/// The shortest that counts.
pub(crate) const LEAST: usize = 8;

/// The stretches of `text`.
pub(crate) fn of(text: &str) -> impl Iterator<Item = &str> {
    text.split(|character: char| !character.is_ascii_alphanumeric()).filter(|piece| piece.len() >= LEAST)
}

/// Whether less than `least` bytes lie between any two stretches of `text`, which is too short to tell anything.
pub(crate) fn cover(text: &str, least: usize) -> bool {
    let is_sign = |character: char| !character.is_ascii_alphanumeric();
    let mut between = 0;
    text.split_inclusive(is_sign).all(|piece| {
        let letters = piece.trim_end_matches(is_sign).len();
        between = if letters >= LEAST { piece.len() - letters } else { between + piece.len() };
        between < least
    })
}

/// Whether a stretch is not just usual text, which is in every log.
pub(crate) fn tells(stretch: &str) -> bool {
    stretch.as_bytes().windows(LEAST).any(|window| !ordinary::is_usual(window))
}

#[cfg(test)]
mod tests {
    use super::cover;

    #[test]
    fn stretches_cover_a_text_when_less_than_eight_bytes_lie_between_them() {
        for text in ["abcdefgh", "abcdefgh+/abcdefgh", "ab+cd/abcdefgh=", "abcdefgh+ab+cd+abcdefgh"] {
            assert!(cover(text, 8), "{text}");
        }
        for text in ["ab+cd/ef=gh", "abcdefgh+ab+cd+ef+abcdefgh", "abcdefgh+++++++++", "ééééé"] {
            assert!(!cover(text, 8), "{text}");
        }
    }
}
