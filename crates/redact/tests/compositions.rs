//! Two encoders in a row: which compositions hide a secret, and which do not.
//!
//! The encoders are written for this test and share no code with the crate.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use proptest::prelude::*;
use redact::Plan;

type Encoder = (&'static str, fn(&str) -> String);

fn joined(text: &str, separator: &str, number: fn(u8) -> String) -> String {
    text.bytes().map(number).collect::<Vec<_>>().join(separator)
}

/// Each encodes a text together with something before and after it, as real texts have.
const ENCODERS: &[Encoder] = &[
    ("plain", str::to_owned),
    ("base64", |text| STANDARD.encode(text)),
    ("base64 of user:secret", |text| STANDARD.encode(format!("user:{text}"))),
    ("base64url", |text| URL_SAFE_NO_PAD.encode(format!("{text}\n"))),
    ("UTF-16 base64", |text| {
        STANDARD.encode(format!("$x='{text}'").encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>())
    }),
    ("hex", |text| joined(text, "", |byte| format!("{byte:02x}"))),
    ("HEX with colons", |text| joined(text, ":", |byte| format!("{byte:02X}"))),
    ("decimal", |text| format!("[{}]", joined(text, ",", |byte| byte.to_string()))),
    ("octal", |text| joined(text, "", |byte| format!("\\{byte:03o}"))),
    ("percent, every byte", |text| joined(text, "", |byte| format!("%{byte:02X}"))),
    ("percent", |text| {
        joined(text, "", |byte| {
            if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
    }),
    ("JSON", |text| serde_json::json!({ "key": text }).to_string()),
    ("HTML", |text| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")),
    ("single quotes", |text| format!("'{}'", text.replace('\'', r"'\''"))),
];

/// Compositions that leave a secret readable.
fn is_not_hidden(first: &str, second: &str) -> bool {
    let is_numbers = |name: &str| ["hex", "HEX with colons", "decimal", "octal", "percent, every byte"].contains(&name);
    let is_base64 = |name: &str| ["base64", "base64 of user:secret", "base64url"].contains(&name);
    let is_encoded = |name: &str| is_numbers(name) || is_base64(name) || name == "UTF-16 base64";
    match (first, second) {
        ("decimal" | "octal" | "HEX with colons", "percent") => true,
        (numbers, _) if is_numbers(numbers) => is_encoded(second),
        ("UTF-16 base64", _) => is_base64(second) || second == first,
        ("HTML", _) => is_base64(second) || ["percent", "UTF-16 base64"].contains(&second),
        (base64, _) if is_base64(base64) => second == "UTF-16 base64",
        ("percent", _) => second == "UTF-16 base64",
        _ => false,
    }
}

/// Compositions that leave more or less, by how many characters of the secret are escaped.
fn is_partly_hidden(first: &str, second: &str) -> bool {
    [("HTML", "HTML"), ("JSON", "HTML"), ("JSON", "UTF-16 base64")].contains(&(first, second))
}

/// What is left of a hidden secret: quotes and braces around it, `***`'s neighbours, and pieces under eight bytes.
const MOST: usize = 60;

/// How much of what an encoder made of the secret is left, of a hundred.
fn left(plan: &Plan, encoded: &str) -> usize {
    let mut redactor = plan.redactor();
    let mut shown = redactor.push(encoded.as_bytes());
    shown.extend(redactor.finish());
    String::from_utf8(shown).unwrap().replace("***", "").len() * 100 / encoded.len()
}

#[test]
fn what_is_listed_as_not_hidden_is_not() {
    let secret = "p4&Xq<9Z+r\"T7%mK2/v8&Lw<3H+s\"Y6%n";
    let mut plan = Plan::new();
    plan.add("KEY", secret);
    let mut wrong = Vec::new();
    for (first, inner) in ENCODERS {
        for (second, outer) in ENCODERS {
            let left = left(&plan, &outer(&inner(secret)));
            if !is_partly_hidden(first, second) && is_not_hidden(first, second) != (left > MOST) {
                wrong.push(format!("{first}, then {second}: {left} %"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn two_encoders_in_a_row_hide_a_secret_except_as_listed(secret in r#"[A-Za-z0-9+/=_.&<"%-]{40}"#) {
        let mut plan = Plan::new();
        plan.add("KEY", &secret);
        for (first, inner) in ENCODERS {
            for (second, outer) in ENCODERS {
                let left = left(&plan, &outer(&inner(&secret)));
                let is_listed = is_not_hidden(first, second) || is_partly_hidden(first, second);
                prop_assert!(is_listed || left <= MOST, "{first}, then {second}: {left} %");
            }
        }
    }
}
