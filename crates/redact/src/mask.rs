//! What the runner has to be told to mask of a part.
//!
//! For each mask the runner itself looks for its base64 (from the first three bytes on, padded), one JSON escape, one percent-encoding and one
//! for XML, in every line of the log. What is told here is what that misses, and no more of it than has to be: the cores of base64 in
//! the middle of something, hexadecimal, and what other escapes leave of the text. Only where the
//! stretches that no escape changes are too short does every escape need a mask of its own.

use crate::form::{Code, Grain, forms};
use crate::part::{Extent, Part};
use crate::stretch;

/// A part up to this length is also masked in blocks, of which any fifteen bytes of it hold one: tools show the beginning of a key.
const SHOWN_IN_PIECES: usize = 48;

/// The masks of `part` beyond itself, the most telling first.
pub(crate) fn masks(part: &Part, grain: Grain) -> Vec<String> {
    let text = &*part.text;
    let is_whole = part.extent == Extent::Whole;
    let is_escaped = is_whole || !stretch::cover(text, stretch::LEAST);
    let is_wanted = |code| match code {
        Code::Base64 | Code::Hex => true,
        Code::Escaped => is_escaped,
        Code::Plain | Code::Dump => false,
    };
    let forms = forms(part, grain).into_iter().filter(|form| is_wanted(form.code));
    let mut masks: Vec<String> = forms.filter_map(|form| String::from_utf8(form.bytes).ok()).collect();
    if !is_whole {
        masks.extend(stretch::of(text).filter(|piece| stretch::tells(piece)).map(str::to_owned));
        let blocks = text.as_bytes().chunks_exact(stretch::LEAST).filter(|_| text.len() <= SHOWN_IN_PIECES);
        masks.extend(
            blocks
                .filter_map(|block| std::str::from_utf8(block).ok())
                .filter(|it| stretch::tells(it))
                .map(str::to_owned),
        );
    }
    masks.retain(|mask| mask.len() >= stretch::LEAST);
    masks
}

#[cfg(test)]
mod tests {
    use super::masks;
    use crate::form::Grain;
    use crate::part::{Extent, Part};

    #[test]
    fn a_line_of_a_key_needs_few_masks_and_a_password_of_signs_each_escape() {
        let count = |text: &str| masks(&Part { text: text.into(), extent: Extent::Any }, Grain::Fine).len();
        assert!(count("MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQC7VJTUt9Us8cKj") <= 7);
        assert!(count("MzEfYyjiWA4R4/M2bS1GB4t7NXp98C3SC6dVMvDuictGeurT8jNbvJZHtCSuYEvu") <= 9);
        assert!(count("p%25w&q=1/2+3<4>\"5'6\\7`8$9") > 12);
    }
}
