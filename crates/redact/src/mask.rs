//! The masks that the runner needs for a component.
//!
//! For each mask the runner itself derives base64 (of it, and without its first one and two bytes, padded), one JSON escape, one
//! percent-encoding and one XML escape. These masks add what it misses, and as few as possible, since the runner searches every
//! line for every mask: the cores of base64 inside longer text, hexadecimal, and the runs that no escape changes. Each escape
//! needs its own mask only if those runs are too short.

use crate::component::{Component, MatchRule};
use crate::encoding::{cores, hex};
use crate::escape::escaped;
use crate::unescaped;

/// A component up to this length is also masked in blocks of eight bytes, since tools print the beginning of a key. Any fifteen
/// bytes of it contain one block.
const SHOWN_IN_PIECES: usize = 48;

/// The masks of `component` in addition to itself, the most important first.
pub(crate) fn masks(component: &Component) -> Vec<String> {
    let text = &*component.text;
    let is_whole = component.rule == MatchRule::Whole;
    let mut masks = Vec::new();
    if is_whole || !unescaped::cover(text, unescaped::LEAST) {
        masks.extend(escaped(text));
    }
    masks.extend(cores(text.as_bytes()));
    masks.extend(hex(text.as_bytes()));
    if !is_whole {
        masks.extend(unescaped::runs(text).filter(|piece| unescaped::is_telling(piece)).map(str::to_owned));
        let blocks = text.as_bytes().chunks_exact(unescaped::LEAST).filter(|_| text.len() <= SHOWN_IN_PIECES);
        masks.extend(
            blocks
                .filter_map(|block| std::str::from_utf8(block).ok())
                .filter(|it| unescaped::is_telling(it))
                .map(str::to_owned),
        );
    }
    masks.retain(|mask| mask.len() >= unescaped::LEAST);
    masks
}

#[cfg(test)]
mod tests {
    use super::masks;
    use crate::component::{Component, MatchRule};

    #[test]
    fn a_line_of_a_key_needs_few_masks_and_a_password_of_signs_each_escape() {
        let count = |text: &str| masks(&Component { text: text.into(), rule: MatchRule::Any }).len();
        assert!(count("MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQC7VJTUt9Us8cKj") <= 7);
        assert!(count("MzEfYyjiWA4R4/M2bS1GB4t7NXp98C3SC6dVMvDuictGeurT8jNbvJZHtCSuYEvu") <= 9);
        assert!(count("p%25w&q=1/2+3<4>\"5'6\\7`8$9") > 12);
    }
}
