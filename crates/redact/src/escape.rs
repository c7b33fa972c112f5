//! A text as string literals, URLs, shells and markup write it.

use std::fmt::Write as _;

/// How many times JSON may be inside JSON: a Kubernetes annotation that is logged as JSON has three levels.
const JSON_LEVELS: usize = 3;

/// What RFC 3986 leaves as it is in a component of a URL.
const COMPONENT: &str = "-_.~";

/// What `encodeURIComponent`, `encodeURI`, Python's `quote` and others leave as it is.
const SPARED_IN_URLS: [&str; 6] = ["", "-_.~", "-_.~/", "-_.!~*'()", "-_.!~*'();/?:@&=+$,#", "-_.*"];

/// The escaped texts that differ from `text`, without duplicates.
pub(crate) fn escaped(text: &str) -> Vec<String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric();
    let mut all = Vec::new();
    // Most secrets have nothing to escape; trying every escape on each is most of the time a plan takes.
    if !text.bytes().all(is_plain) {
        if !text.bytes().all(|byte| is_plain(byte) || b"-_.".contains(&byte)) {
            all.extend(in_strings(text));
            all.extend(SPARED_IN_URLS.iter().skip(1).flat_map(|spared| in_urls(text, spared)));
            // A URL or a JSON document in the query of a URL.
            all.extend(escaped_inside(text).iter().flat_map(|inner| in_urls(inner, COMPONENT)));
        }
        all.extend(in_urls(text, SPARED_IN_URLS[0]));
    }
    unique(all, text)
}

/// The escaped texts that differ from `text` and that are often encoded again: JSON and forms in tokens and credentials.
pub(crate) fn escaped_inside(text: &str) -> Vec<String> {
    if text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte)) {
        return Vec::new();
    }
    let json = json(text);
    unique(vec![go(&json), json, percent(text, COMPONENT)], text)
}

fn unique(all: Vec<String>, text: &str) -> Vec<String> {
    let mut unique: Vec<String> = Vec::with_capacity(all.len());
    for form in all {
        if form != text && !unique.contains(&form) {
            unique.push(form);
        }
    }
    unique
}

fn in_urls(text: &str, spared: &str) -> [String; 4] {
    let upper = percent(text, spared);
    let form = upper.replace("%20", "+");
    [lower_percent(&upper), lower_percent(&form), upper, form]
}

fn in_strings(text: &str) -> Vec<String> {
    let single = text.replace('\'', r"'\''");
    let double = replaced(text, &[("\\", r"\\"), ("\"", "\\\""), ("$", r"\$"), ("`", r"\`")]);
    let markup = replaced(text, &[("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")]);
    let mut all = vec![
        single,
        double,
        quoted_by_bash(text),
        text.replace('\\', r"\\").replace('\'', r"\'"),
        replaced(&markup, &[("\"", "&quot;"), ("'", "&#39;")]),
        replaced(&markup, &[("\"", "&#34;"), ("'", "&#39;")]),
        replaced(&markup, &[("\"", "&quot;"), ("'", "&#x27;")]),
        markup,
    ];
    // An encoder may be any of these at the innermost level; the levels around it only see backslashes and quotes.
    let plain = json(text);
    let slashed = plain.replace('/', r"\/");
    let go = go(&plain);
    for innermost in [ascii(&plain), ascii(&slashed), ascii(&go), slashed, go, plain] {
        let mut level = innermost;
        for _ in 1..JSON_LEVELS {
            let next = json(&level);
            all.push(level);
            level = next;
        }
        all.push(level);
    }
    all
}

/// As Go writes JSON: fit for HTML.
fn go(json: &str) -> String {
    let pairs =
        [("&", r"\u0026"), ("<", r"\u003c"), (">", r"\u003e"), ("\u{2028}", r"\u2028"), ("\u{2029}", r"\u2029")];
    replaced(json, &pairs)
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
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}

/// `printf %q`: a backslash before each character that a shell would act on.
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
    use super::{escaped, percent};

    #[test]
    fn every_escape_that_differs_is_a_form() {
        let forms = escaped(r#"a&b/c"d é"#);
        for text in [
            r#"a\u0026b/c\"d é"#,
            r#"a&b\/c\"d \u00e9"#,
            "a%26b%2Fc%22d%20%C3%A9",
            "a%26b%2fc%22d+%c3%a9",
            r#"a\&b/c\"d\ é"#,
            r#"a\\u0026b/c\\\"d é"#,
            r#"a\\\\u0026b/c\\\\\\\"d é"#,
        ] {
            assert!(forms.iter().any(|form| form == text), "{text}");
        }
    }

    #[test]
    fn a_text_without_anything_to_escape_has_no_forms() {
        assert_eq!(escaped("4eC39HqLyjWDarjtT1zdp7dc"), Vec::<String>::new());
        assert_eq!(escaped("sk_live-1.2"), ["sk%5flive%2d1%2e2", "sk%5Flive%2D1%2E2"]);
    }

    #[test]
    fn percent_encoding_is_of_bytes() {
        assert_eq!(percent("a/é", "/"), "a/%C3%A9");
    }
}
