//! Reads secrets from a file or a pipe instead of Doppler: dotenv, JSON or YAML, detected from the text.
//!
//! Every scalar is taken as it is written (`1.10` stays `1.10`); a document deeper than names and values is refused by name.

mod dotenv;
mod pair;
mod yaml;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use fault::{Fault, Result};
use secrets::{Secret, Visibility};
use serde_json::value::RawValue;

use self::pair::{Pair, too_deep};

/// Reads the secrets in `file`; `-` is stdin.
///
/// # Errors
/// [`fault::Kind::Usage`] when the file cannot be read or understood; no value is quoted.
pub(crate) fn read(file: &Path) -> Result<Vec<Secret>> {
    let about = |fault: Fault| fault.context(format!("cannot read the secrets in {}", shown(file)));
    let mut bytes = Vec::new();
    let outcome = if file == Path::new("-") {
        std::io::stdin().read_to_end(&mut bytes)
    } else {
        std::fs::File::open(file).and_then(|mut file| file.read_to_end(&mut bytes))
    };
    outcome.map_err(|error| about(Fault::usage(error.to_string())))?;
    let text = String::from_utf8(bytes)
        .map_err(|error| about(Fault::usage(format!("byte {} is not UTF-8", error.utf8_error().valid_up_to()))))?;
    let pairs = pairs(text.strip_prefix('\u{feff}').unwrap_or(&text)).map_err(about)?;
    let secret = |(name, value): Pair| Secret { name, value: value.map(Into::into), visibility: Visibility::Masked };
    // If a name occurs twice, the later value is used.
    let secrets: BTreeMap<String, Secret> = pairs.into_iter().map(|pair| (pair.0.clone(), secret(pair))).collect();
    Ok(secrets.into_values().collect())
}

/// Names `file` in messages.
pub(crate) fn shown(file: &Path) -> String {
    if file == Path::new("-") { "standard input".to_owned() } else { file.display().to_string() }
}

fn pairs(text: &str) -> Result<Vec<Pair>> {
    if text.trim_start().starts_with(['{', '[']) {
        return json(text);
    }
    let first = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#')).unwrap_or_default();
    if dotenv::is_assignment(first) || first.is_empty() { dotenv::parse(text) } else { yaml::parse(text) }
}

fn json(text: &str) -> Result<Vec<Pair>> {
    let object: BTreeMap<String, Box<RawValue>> = serde_json::from_str(text).map_err(|error| {
        // The position only: serde_json's full text can quote a value.
        Fault::usage(format!("not an object of JSON at line {} column {}", error.line(), error.column()))
    })?;
    object.into_iter().map(|(name, value)| json_scalar(&name, value.get()).map(|value| (name, value))).collect()
}

fn json_scalar(name: &str, raw: &str) -> Result<Option<String>> {
    match raw.as_bytes().first() {
        Some(b'"') => serde_json::from_str(raw)
            .ok()
            .map(Some)
            .ok_or_else(|| Fault::usage(format!("the value of {name} is not text"))),
        Some(b'{' | b'[') => Err(too_deep(name)),
        Some(b'n') => Ok(None),
        _ => Ok(Some(raw.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::pairs;

    fn texts(text: &str) -> Vec<(String, String)> {
        pairs(text).unwrap().into_iter().map(|(name, value)| (name, value.unwrap_or("null".to_owned()))).collect()
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn the_three_formats_are_told_apart() {
        assert_eq!(
            texts(r#"{"A":"x y","B":1.10,"C":null,"D":true}"#),
            [pair("A", "x y"), pair("B", "1.10"), pair("C", "null"), pair("D", "true")]
        );
        assert_eq!(texts("# c\nexport A=x\nB='y z'\n"), [pair("A", "x"), pair("B", "y z")]);
        assert_eq!(
            texts("A: x\nB: 1.10\nC: ~\nD: '~'\nE: |\n  two\n  lines\n"),
            [pair("A", "x"), pair("B", "1.10"), pair("C", "null"), pair("D", "~"), pair("E", "two\nlines\n")]
        );
        assert_eq!(texts(""), []);
    }

    #[test]
    fn a_document_that_is_deeper_is_refused_by_name() {
        for text in [r#"{"A":{"B":"hunter2"}}"#, "A:\n  B: hunter2\n"] {
            let fault = pairs(text).unwrap_err();
            assert!(fault.message.contains('A') && !format!("{fault:?}").contains("hunter2"), "{fault:?}");
        }
    }

    #[test]
    fn what_cannot_be_understood_is_refused_without_quoting_it() {
        for text in [r#"{"A": hunter2}"#, "A='hunter2", "A: [hunter2", "- hunter2\n", "hunter2", "A=\"hunter2"] {
            let fault = pairs(text).unwrap_err();
            assert!(!format!("{fault:?}").contains("hunter2"), "{fault:?}");
        }
    }
}
