//! Writes a component in the encodings it may meet on its way to a log.
//!
//! Base64 text that contains a component contains one of three *cores*, whatever stands before and after: the component from its first, second
//! or third byte on, in whole groups of three. Encoders wrap lines, so a run of any encoding that stands for eight bytes counts.

use std::collections::HashSet;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use crate::component::{Component, MatchRule};
use crate::unescaped;

/// One way a component may be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    /// The bytes to look for; no line end among them.
    pub(crate) bytes: Vec<u8>,
    /// How many of them in a row tell of the component.
    pub(crate) least: usize,
    /// How it is written.
    pub(crate) code: Code,
}

/// How a form is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Code {
    /// As it is.
    Plain,
    /// Escaped for JSON, a URL, a shell or HTML.
    Escaped,
    /// The core of its base64.
    Base64,
    /// Its bytes as hexadecimal digits in a row.
    Hex,
    /// Its bytes as hexadecimal digits in groups: what `xxd`, `od -tx1`, `hexdump -C`, key tools and source code have.
    Dump,
}

/// Runs that stand for eight bytes.
const PLAIN_RUN: usize = 8;
const BASE64_RUN: usize = 8;
const HEX_RUN: usize = 16;

/// A line of base64 ends after a whole group of four characters, and a core begins with one: where a run begins and ends in a core is
/// a multiple of this, except where somebody cuts the text elsewhere; then it takes eleven characters to be sure to find it.
const BASE64_GROUP: usize = 4;

/// What usual text shares by chance is longer where the text is usual.
const USUAL_BASE64_RUN: usize = 20;
const USUAL_HEX_RUN: usize = 24;

impl Form {
    /// How far the places are apart at which a run that counts is looked for, by pieces of `size` bytes.
    pub(crate) fn stride(&self, size: usize) -> usize {
        if self.least == self.bytes.len() {
            self.bytes.len()
        } else if self.code == Code::Base64 {
            BASE64_GROUP.max(self.least - size + 1)
        } else {
            self.least - size + 1
        }
    }
}

/// How closely long components are looked at: a config of half a megabyte would make tables of a hundred.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Granularity {
    /// Runs of eight bytes count.
    Fine,
    /// Of components over 64 bytes, runs of 32 bytes count (24 of hexadecimal), and dumps are not looked for.
    Coarse,
}

/// A component that is looked at coarsely where there is much to look for.
const LONG_PART: usize = 64;

/// The forms of `component`, without duplicates.
pub(crate) fn forms(component: &Component, granularity: Granularity) -> Vec<Form> {
    let bytes = component.text.as_bytes();
    let any = component.rule == MatchRule::Any;
    let coarse = granularity == Granularity::Coarse && bytes.len() > LONG_PART;
    let factor = if coarse { 4 } else { 1 };
    let least = if any { PLAIN_RUN * factor } else { bytes.len() };
    let mut forms = vec![Form { bytes: bytes.to_vec(), least: least.min(bytes.len()), code: Code::Plain }];
    if coarse && any && unescaped::cover(&component.text, PLAIN_RUN * factor) {
        // As good as every escape, and a tenth of the memory.
        let pieces = unescaped::of(&component.text).filter(|piece| unescaped::is_telling(piece)).map(str::as_bytes);
        forms.extend(pieces.map(|piece| Form { bytes: piece.to_vec(), least: piece.len(), code: Code::Escaped }));
    } else {
        for text in escaped(&component.text) {
            let least = if any { (PLAIN_RUN * factor).min(text.len()) } else { text.len() };
            forms.push(Form { bytes: text.into_bytes(), least, code: Code::Escaped });
        }
    }
    let run = |text: String, least: usize, code| Form { least: least.min(text.len()), bytes: text.into_bytes(), code };
    let least = if any { BASE64_RUN * if coarse { 5 } else { 1 } } else { USUAL_BASE64_RUN };
    forms.extend(cores(bytes).into_iter().map(|core| run(core, least, Code::Base64)));
    // `xxd -p` prints sixty digits a line.
    let hex_run = if coarse { HEX_RUN * 3 } else { HEX_RUN };
    let least = if any { hex_run } else { USUAL_HEX_RUN };
    forms.extend(hex(bytes).into_iter().map(|hex| run(hex, least, Code::Hex)));
    let dumps = if coarse { Vec::new() } else { dumps(bytes) };
    forms.extend(dumps.into_iter().map(|(dump, least)| run(dump, least, Code::Dump)));
    let mut seen = HashSet::new();
    forms.retain(|form| !form.bytes.contains(&b'\n') && seen.insert(form.bytes.clone()));
    forms
}

/// The cores of the base64 of anything that contains `bytes`, in both alphabets; those under eight characters say too little.
fn cores(bytes: &[u8]) -> Vec<String> {
    let mut cores = Vec::new();
    for start in 0..3.min(bytes.len()) {
        let rest = &bytes[start..];
        let groups = &rest[..rest.len() / 3 * 3];
        for core in [STANDARD_NO_PAD.encode(groups), URL_SAFE_NO_PAD.encode(groups)] {
            if core.len() >= 8 && !cores.contains(&core) {
                cores.push(core);
            }
        }
    }
    cores
}

fn hex(bytes: &[u8]) -> [String; 2] {
    let lower = digits(bytes, "", 1);
    let upper = lower.to_ascii_uppercase();
    [lower, upper]
}

/// Grouped digits, each with the run that stands for eight bytes.
fn dumps(bytes: &[u8]) -> Vec<(String, usize)> {
    let pairs_from = |start: usize| {
        let head = digits(&bytes[..start.min(bytes.len())], " ", 2);
        let tail = digits(&bytes[start.min(bytes.len())..], " ", 2);
        if head.is_empty() { tail } else { format!("{head} {tail}") }
    };
    let single = digits(bytes, " ", 1);
    let colons = digits(bytes, ":", 1);
    let (upper, upper_colons) = (single.to_ascii_uppercase(), colons.to_ascii_uppercase());
    let (array, string) = (digits(bytes, ", 0x", 1), digits(bytes, r"\x", 1));
    vec![
        (pairs_from(0), 19),
        (pairs_from(1), 19),
        (single, 23),
        (upper, 23),
        (colons, 23),
        (upper_colons, 23),
        (array, 44),
        (string, 30),
    ]
}

fn digits(bytes: &[u8], separator: &str, group: usize) -> String {
    let mut text = String::with_capacity(bytes.len() * 3);
    for (at, byte) in bytes.iter().enumerate() {
        if at > 0 && at % group == 0 {
            text.push_str(separator);
        }
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// The text as string literals, URLs, shells and markup hold it, where that differs from the text.
fn escaped(text: &str) -> Vec<String> {
    let json = json(text);
    let slashed = json.replace('/', r"\/");
    let go = replaced(
        &json,
        &[("&", r"\u0026"), ("<", r"\u003c"), (">", r"\u003e"), ("\u{2028}", r"\u2028"), ("\u{2029}", r"\u2029")],
    );
    let single = text.replace('\'', r"'\''");
    let double = replaced(text, &[("\\", r"\\"), ("\"", "\\\""), ("$", r"\$"), ("`", r"\`")]);
    let markup = replaced(text, &[("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")]);
    let mut all = vec![
        ascii(&json),
        ascii(&slashed),
        slashed,
        ascii(&go),
        go,
        json,
        single,
        double,
        quoted_by_bash(text),
        text.replace('\\', r"\\").replace('\'', r"\'"),
        replaced(&markup, &[("\"", "&quot;"), ("'", "&#39;")]),
        replaced(&markup, &[("\"", "&#34;"), ("'", "&#39;")]),
        replaced(&markup, &[("\"", "&quot;"), ("'", "&#x27;")]),
        markup,
    ];
    for spared in ["", "-_.~", "-_.~/", "-_.!~*'()", "-_.!~*'();/?:@&=+$,#", "-_.*"] {
        let upper = percent(text, spared);
        let form = upper.replace("%20", "+");
        all.extend([lower_percent(&upper), lower_percent(&form), upper, form]);
    }
    let mut seen = HashSet::from([text.to_owned()]);
    all.retain(|text| seen.insert(text.clone()));
    all
}

fn json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

fn replaced(text: &str, pairs: &[(&str, &str)]) -> String {
    pairs.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

/// `\u00e9` for what is not ASCII, in UTF-16 units as JSON wants it.
fn ascii(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_ascii() {
            out.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}

/// `printf %q`: a backslash before whatever a shell would act on.
fn quoted_by_bash(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_ascii_graphic() && !character.is_ascii_alphanumeric() && !"%+-./:=@_".contains(character)
            || character == ' '
        {
            out.push('\\');
        }
        out.push(character);
    }
    out
}

fn percent(text: &str, spared: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for &byte in text.as_bytes() {
        if byte.is_ascii_alphanumeric() || spared.as_bytes().contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

fn lower_percent(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut digits = 0;
    for character in text.chars() {
        if digits > 0 {
            digits -= 1;
            out.push(character.to_ascii_lowercase());
        } else {
            if character == '%' {
                digits = 2;
            }
            out.push(character);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    use super::{Code, cores, forms, percent};
    use crate::component::{Component, MatchRule};

    #[test]
    fn every_escape_that_differs_is_a_form() {
        let component = Component { text: r#"a&b/c"d é"#.into(), rule: MatchRule::Whole };
        let forms = forms(&component, super::Granularity::Fine);
        let has = |text: &str| forms.iter().any(|form| form.bytes == text.as_bytes());
        for text in [
            r#"a\u0026b/c\"d é"#,
            r#"a&b\/c\"d \u00e9"#,
            "a%26b%2Fc%22d%20%C3%A9",
            "a%26b%2fc%22d+%c3%a9",
            r#"a\&b/c\"d\ é"#,
        ] {
            assert!(has(text), "{text}");
        }
        assert!(has("612662"[..2].as_ref()) || forms.iter().any(|form| form.code == Code::Hex));
    }

    #[test]
    fn percent_encoding_is_of_bytes() {
        assert_eq!(percent("a/é", "/"), "a/%C3%A9");
    }

    proptest! {
        #[test]
        fn base64_of_anything_around_a_part_holds_one_of_its_cores(
            before in prop::collection::vec(any::<u8>(), 0..9), component in prop::collection::vec(any::<u8>(), 8..40),
            after in prop::collection::vec(any::<u8>(), 0..9),
        ) {
            let encoded = STANDARD.encode([before, component.clone(), after].concat());
            prop_assert!(cores(&component).iter().any(|core| encoded.contains(core.as_str())));
        }
    }
}
