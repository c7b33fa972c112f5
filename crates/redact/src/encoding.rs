//! The encodings in which a component may appear in a log.
//!
//! Base64 text that contains a component contains one of three *cores*, whatever surrounds the component: the encoding of the
//! component from its first, second or third byte on, in whole groups of three bytes. Encoders wrap lines, so a part of a core
//! is enough, if it encodes eight bytes or more.
//!
//! Lists of numbers (hexadecimal, decimal, octal) need no forms: `numbers.rs` decodes them.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use crate::component::{Component, MatchRule};
use crate::escape::{escaped, escaped_inside};
use crate::unescaped;

/// How a form is derived from the bytes it is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    /// The bytes themselves.
    Plain,
    /// The core of their base64 from byte `skip` on.
    Base64 {
        /// Bytes that are encoded together with what precedes the component.
        skip: u8,
        /// The alphabet.
        alphabet: Alphabet,
    },
    /// The core of the base64 of their UTF-16 (little-endian), as PowerShell's `-EncodedCommand` takes it; for ASCII.
    Utf16Base64 {
        /// Bytes of the UTF-16 text that are encoded together with what precedes the component.
        skip: u8,
    },
    /// The core of the base64 of a core of their base64, as in a `.dockerconfigjson`.
    Base64Twice {
        /// Bytes that the inner encoding joins with what precedes the component.
        inner: u8,
        /// Characters of the inner core that the outer encoding joins with what precedes it.
        outer: u8,
    },
}

/// The characters for 62 and 63.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alphabet {
    /// `+` and `/`.
    Standard,
    /// `-` and `_`.
    UrlSafe,
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

impl Code {
    /// Whether this is a form in the alphabet for URLs, which is the standard one unless it holds one of the two characters.
    pub(crate) fn is_url_safe(self) -> bool {
        matches!(self, Self::Base64 { alphabet: Alphabet::UrlSafe, .. })
    }

    /// The length of the form of `size` bytes.
    pub(crate) fn len(self, size: usize) -> usize {
        let core = |size: usize, skip: u8| size.saturating_sub(skip.into()) / 3 * 4;
        match self {
            Self::Plain => size,
            Self::Base64 { skip, .. } => core(size, skip),
            Self::Utf16Base64 { skip } => core(size * 2, skip),
            Self::Base64Twice { inner, outer } => core(core(size, inner), outer),
        }
    }

    /// The byte at `place` of the form of `bytes`.
    ///
    /// Forms are computed and not stored: they would need thirty times the memory of the secrets.
    pub(crate) fn byte(self, bytes: &[u8], place: usize) -> u8 {
        match self {
            Self::Plain => bytes[place],
            Self::Base64 { skip, alphabet } => match (digit(|at| bytes[at], skip, place), alphabet) {
                (b'+', Alphabet::UrlSafe) => b'-',
                (b'/', Alphabet::UrlSafe) => b'_',
                (digit, _) => digit,
            },
            Self::Utf16Base64 { skip } => digit(|at| if at.is_multiple_of(2) { bytes[at / 2] } else { 0 }, skip, place),
            Self::Base64Twice { inner, outer } => digit(|at| digit(|at| bytes[at], inner, at), outer, place),
        }
    }

    /// Writes the whole form of `bytes` into `form`: much faster than byte by byte.
    pub(crate) fn render(self, bytes: &[u8], form: &mut String) {
        form.clear();
        match self {
            Self::Plain => {}
            Self::Base64 { skip, alphabet: Alphabet::Standard } => {
                STANDARD_NO_PAD.encode_string(groups(bytes, skip), form);
            }
            Self::Base64 { skip, alphabet: Alphabet::UrlSafe } => {
                URL_SAFE_NO_PAD.encode_string(groups(bytes, skip), form);
            }
            Self::Utf16Base64 { skip } => {
                let wide: Vec<u8> = bytes.iter().flat_map(|&byte| [byte, 0]).collect();
                STANDARD_NO_PAD.encode_string(groups(&wide, skip), form);
            }
            Self::Base64Twice { inner, outer } => {
                let core = STANDARD_NO_PAD.encode(groups(bytes, inner));
                STANDARD_NO_PAD.encode_string(groups(core.as_bytes(), outer), form);
            }
        }
    }
}

/// The whole groups of three bytes from `skip` on.
fn groups(bytes: &[u8], skip: u8) -> &[u8] {
    let rest = bytes.get(usize::from(skip)..).unwrap_or_default();
    &rest[..rest.len() / 3 * 3]
}

/// The base64 digit at `place`, of the bytes from `skip` on.
fn digit(byte: impl Fn(usize) -> u8, skip: u8, place: usize) -> u8 {
    let at = usize::from(skip) + place / 4 * 3;
    let six = match place % 4 {
        0 => byte(at) >> 2,
        1 => (byte(at) & 3) << 4 | byte(at + 1) >> 4,
        2 => (byte(at + 1) & 15) << 2 | byte(at + 2) >> 6,
        _ => byte(at + 2) & 63,
    };
    DIGITS[usize::from(six)]
}

/// One way a component may be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    /// How it is derived from `text`, or from the component's own text.
    pub(crate) code: Code,
    /// The text it is made of, if that is not the component's.
    pub(crate) text: Option<Vec<u8>>,
    /// How many of its bytes in a row are hidden.
    pub(crate) least: usize,
    /// How many of its bytes in a row are hidden if they are written as numbers.
    pub(crate) least_as_numbers: usize,
}

/// The shortest runs that encode eight bytes.
const PLAIN_RUN: usize = 8;
const BASE64_RUN: usize = 8;

/// Longer runs of the rarer encodings: a third of the memory, and no encoder wraps its lines that early.
const RARE_RUN: usize = 24;

/// Usual words share longer runs with usual text by chance.
const USUAL_NUMBERS_RUN: usize = 12;
const USUAL_BASE64_RUN: usize = 20;
const USUAL_RARE_RUN: usize = 32;

/// Numbers of fewer bytes would match by chance.
const SHORTEST: usize = 4;

/// Shorter forms of base64 would match by chance.
const SHORTEST_BASE64: usize = 8;

/// How closely long components are matched: for a config of half a megabyte, fine matching would need too much memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Granularity {
    /// Runs of eight bytes are hidden.
    Fine,
    /// Of components over 64 bytes, runs of 16 bytes are hidden (30 in base64), and 32 of text with escapes.
    Coarse,
}

/// A component that is matched coarsely if there is much to look for.
const LONG: usize = 64;

/// The forms of `component`; the first is its text.
pub(crate) fn forms(component: &Component, granularity: Granularity) -> Vec<Form> {
    let bytes = component.text.as_bytes();
    let any = component.rule == MatchRule::Any;
    let coarse = granularity == Granularity::Coarse && bytes.len() > LONG;
    let run = if coarse { PLAIN_RUN * 2 } else { PLAIN_RUN };
    let literal = |text: Vec<u8>, run: usize| {
        let least = if any { run.min(text.len()) } else { text.len() };
        Form { code: Code::Plain, least_as_numbers: least, text: Some(text), least }
    };
    let plain = Form {
        code: Code::Plain,
        text: None,
        least: if any { run.min(bytes.len()) } else { bytes.len() },
        least_as_numbers: if any { run } else { run.max(USUAL_NUMBERS_RUN) }.min(bytes.len()),
    };
    let mut forms = vec![plain];
    if coarse && any && unescaped::cover(&component.text, PLAIN_RUN * 4) {
        // The runs that no escape changes find every escaped text, with a tenth of the memory.
        let runs = unescaped::runs(&component.text).filter(|run| unescaped::is_telling(run));
        forms.extend(runs.map(|run| literal(run.as_bytes().to_vec(), run.len())));
    } else {
        let run = if coarse { PLAIN_RUN * 4 } else { PLAIN_RUN };
        forms.extend(escaped(&component.text).into_iter().map(|text| literal(text.into_bytes(), run)));
    }
    let factor = if coarse { 5 } else { 1 };
    let least = if any { BASE64_RUN * factor } else { USUAL_BASE64_RUN };
    // Lines of base64 have 64 or 76 characters.
    let rare = if any { RARE_RUN * if coarse { 2 } else { 1 } } else { USUAL_RARE_RUN };
    let mut add = |code: Code, text: Option<Vec<u8>>, least: usize| {
        let len = code.len(text.as_ref().map_or(bytes.len(), Vec::len));
        if len >= SHORTEST_BASE64 {
            forms.push(Form { code, text, least: least.min(len), least_as_numbers: least.min(len) });
        }
    };
    for skip in 0..3 {
        add(Code::Base64 { skip, alphabet: Alphabet::Standard }, None, least);
        add(Code::Base64 { skip, alphabet: Alphabet::UrlSafe }, None, least);
        if component.text.is_ascii() {
            add(Code::Utf16Base64 { skip }, None, rare);
        } else {
            let wide = component.text.encode_utf16().flat_map(u16::to_le_bytes).collect();
            add(Code::Base64 { skip, alphabet: Alphabet::Standard }, Some(wide), rare);
        }
        (0..3).for_each(|outer| add(Code::Base64Twice { inner: skip, outer }, None, rare));
    }
    for text in escaped_inside(&component.text) {
        for skip in 0..3 {
            add(Code::Base64 { skip, alphabet: Alphabet::Standard }, Some(text.clone().into_bytes()), least);
            add(Code::Base64 { skip, alphabet: Alphabet::UrlSafe }, Some(text.clone().into_bytes()), least);
        }
    }
    if (SHORTEST..PLAIN_RUN).contains(&bytes.len()) {
        // Too short for the decoder of numbers, which would have to look at every number.
        forms.extend(short_numbers(bytes).into_iter().map(|text| literal(text.into_bytes(), PLAIN_RUN * 4)));
    }
    forms
}

/// The cores of the base64 of anything that contains `bytes`, in both alphabets.
pub(crate) fn cores(bytes: &[u8]) -> Vec<String> {
    let mut cores = Vec::new();
    for skip in 0..3 {
        for alphabet in [Alphabet::Standard, Alphabet::UrlSafe] {
            let mut core = String::new();
            Code::Base64 { skip, alphabet }.render(bytes, &mut core);
            if core.len() >= SHORTEST_BASE64 && !cores.contains(&core) {
                cores.push(core);
            }
        }
    }
    cores
}

/// The bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> [String; 2] {
    let lower = joined(bytes, "", |byte| format!("{byte:02x}"));
    let upper = lower.to_ascii_uppercase();
    [lower, upper]
}

/// What hexadecimal, decimal and octal lists make of a component of a few bytes.
fn short_numbers(bytes: &[u8]) -> Vec<String> {
    let mut forms = Vec::from(hex(bytes));
    for separator in [" ", ":", ", 0x", r"\x", "%"] {
        let lower = joined(bytes, separator, |byte| format!("{byte:02x}"));
        forms.push(joined(bytes, separator, |byte| format!("{byte:02X}")));
        forms.push(lower);
    }
    forms.extend([",", ", ", " "].map(|separator| joined(bytes, separator, |byte| byte.to_string())));
    forms.extend(["\\", " "].map(|separator| joined(bytes, separator, |byte| format!("{byte:03o}"))));
    forms
}

fn joined(bytes: &[u8], separator: &str, number: impl Fn(u8) -> String) -> String {
    bytes.iter().map(|&byte| number(byte)).collect::<Vec<_>>().join(separator)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    use super::{Alphabet, Code, cores};

    fn codes() -> Vec<Code> {
        let skips = 0..3;
        let mut codes = vec![Code::Plain];
        for skip in skips {
            codes.push(Code::Base64 { skip, alphabet: Alphabet::Standard });
            codes.push(Code::Base64 { skip, alphabet: Alphabet::UrlSafe });
            codes.push(Code::Utf16Base64 { skip });
            codes.extend((0..3).map(|outer| Code::Base64Twice { inner: skip, outer }));
        }
        codes
    }

    proptest! {
        #[test]
        fn base64_of_anything_around_a_component_holds_one_of_its_cores(
            before in prop::collection::vec(any::<u8>(), 0..9), component in prop::collection::vec(any::<u8>(), 8..40),
            after in prop::collection::vec(any::<u8>(), 0..9),
        ) {
            let encoded = STANDARD.encode([before, component.clone(), after].concat());
            prop_assert!(cores(&component).iter().any(|core| encoded.contains(core.as_str())));
        }

        #[test]
        fn a_form_byte_by_byte_is_the_form_as_a_whole(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            for code in codes().into_iter().skip(1) {
                let mut whole = String::new();
                code.render(&bytes, &mut whole);
                prop_assert_eq!(whole.len(), code.len(bytes.len()));
                let single: Vec<u8> = (0..whole.len()).map(|place| code.byte(&bytes, place)).collect();
                prop_assert_eq!(whole.as_bytes(), single, "{:?}", code);
            }
        }

        #[test]
        fn encoding_twice_anything_around_a_component_holds_one_of_its_forms(
            before in "[ -~]{0,9}", component in "[ -~]{9,40}", after in "[ -~]{0,9}", head in "[ -~]{0,9}", tail in "[ -~]{0,9}",
        ) {
            let inner = STANDARD.encode(format!("{before}{component}{after}"));
            let encoded = STANDARD.encode(format!("{head}{inner}{tail}"));
            let wide: Vec<u8> = format!("{before}{component}{after}").encode_utf16().flat_map(u16::to_le_bytes).collect();
            let wide = STANDARD.encode(wide);
            let holds = |text: &str, wanted: fn(&Code) -> bool| codes().iter().filter(|code| wanted(code)).any(|code| {
                let mut form = String::new();
                code.render(component.as_bytes(), &mut form);
                text.contains(&form)
            });
            let is_twice = holds(&encoded, |code| matches!(code, Code::Base64Twice { .. }));
            prop_assert!(is_twice);
            let is_wide = holds(&wide, |code| matches!(code, Code::Utf16Base64 { .. }));
            prop_assert!(is_wide);
        }
    }
}
