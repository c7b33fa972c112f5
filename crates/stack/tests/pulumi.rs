//! Pulumi's states and printing rules, compared byte by byte with what `pulumi stack output` prints (`fixtures/expected.json`).

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test's helpers fail the test, as its functions do")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value as Json;
use stack::print::{json, raw, shell};
use stack::pulumi::key::Key;
use stack::pulumi::secrets_provider::SecretsProvider;
use stack::value::Value;
use stack::{Decryption, Outputs, StackDocument, StackOutput, source};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn read(name: &str) -> Json {
    serde_json::from_slice(&std::fs::read(fixtures().join(name)).unwrap()).unwrap()
}

fn outputs(file: &str) -> fault::Result<Outputs> {
    match source::file(&fixtures().join(file), Decryption::Wanted)? {
        StackDocument::Outputs(outputs) => Ok(outputs),
        StackDocument::Encrypted(_) => panic!("not an OpenTofu state"),
    }
}

fn printed(name: &str, value: &Value, dialect: stack::Dialect) -> [(&'static str, String); 3] {
    let text = raw(value, dialect);
    [
        ("shell", format!("{name}={}\n", shell::quoted(&text))),
        ("text", text + "\n"),
        ("json", json::pretty(value, dialect) + "\n"),
    ]
}

/// Checks that all outputs are printed under sorted names, each value indented by two more spaces.
fn check_all(outputs: &Outputs, expected: &serde_json::Map<String, Json>) {
    let revealed: BTreeMap<String, StackOutput> = outputs
        .named
        .iter()
        .map(|(name, output)| (name.clone(), output.with(output.value.clone().revealed().0)))
        .filter(|(_, output)| !output.value.holds_secret() && !output.value.holds_unknown())
        .collect();
    let members: Vec<String> = revealed
        .keys()
        .map(|name| {
            let value = expected[name]["show_secrets"]["json"].as_str().unwrap().trim_end().replace('\n', "\n  ");
            format!("\n  {}: {value}", Json::from(name.as_str()))
        })
        .collect();
    let all = revealed.iter().map(|(name, output)| (name.clone(), (output, false))).collect();
    let close = if members.is_empty() { "" } else { "\n" };
    assert_eq!(json::all(&all, outputs.dialect), format!("{{{}{close}}}", members.join(",")));
}

#[test]
fn every_value_of_every_state_prints_as_pulumi_prints_it() {
    let expected = read("expected.json");
    let mut key: Option<(String, Key)> = None;
    let mut compared = 0;
    for (file, expected) in expected["files"].as_object().unwrap() {
        let Some(expected) = expected["outputs"].as_object() else { continue };
        let mut outputs = outputs(file).unwrap_or_else(|fault| panic!("{file}: {fault:?}"));
        if let Some(SecretsProvider::Passphrase { salt }) = &outputs.provider {
            // Deriving a key is slow, and the states share their salt.
            if key.as_ref().is_none_or(|(of, _)| of != salt) {
                key = Some((salt.clone(), Key::derive(&"test-passphrase".into(), salt).unwrap()));
            }
            let key = &key.as_ref().unwrap().1;
            outputs.decrypt(|ciphertext| key.decrypt(ciphertext).map(Some)).unwrap();
        }
        let names: BTreeSet<&String> = outputs.named.keys().collect();
        assert_eq!(names, expected.keys().collect(), "{file}");
        check_all(&outputs, expected);
        for (name, output) in &outputs.named {
            let is_secret = output.value.holds_secret();
            assert_eq!(is_secret, expected[name]["hidden"] != expected[name]["show_secrets"], "{file} {name}");
            let (value, _) = output.value.clone().revealed();
            // These are refused: secrets that only a key service can decrypt, and unknown values.
            if value.holds_secret() || value.holds_unknown() {
                continue;
            }
            for (format, text) in printed(name, &value, outputs.dialect) {
                let mode = if is_secret { "show_secrets" } else { "hidden" };
                assert_eq!(text, expected[name][mode][format].as_str().unwrap(), "{file} {name} {format}");
                compared += 1;
            }
        }
    }
    assert!(compared > 500, "{compared}");
}

#[test]
fn a_broken_state_is_refused_with_its_cause() {
    let expected = read("expected.json");
    for (file, expected) in expected["files"].as_object().unwrap() {
        if expected["error"].is_string() {
            let fault = outputs(file).unwrap_err();
            assert_eq!(fault.kind, fault::Kind::Usage, "{file}");
            assert!(!fault.causes.is_empty(), "{file}: {fault:?}");
        }
    }
}

#[test]
fn a_stack_without_outputs_has_the_reason() {
    for (stack, why) in [
        ("never-updated", "it was never updated"),
        ("no-resources", "it has no stack resource: it was destroyed, or never updated successfully"),
        ("no-stack-resource", "it has no stack resource: it was destroyed, or never updated successfully"),
        ("no-outputs", "it has no outputs"),
    ] {
        let outputs = outputs(&format!("file-v1/.pulumi/stacks/shop/{stack}.json")).unwrap();
        assert_eq!(outputs.none, Some(why), "{stack}");
    }
}

#[test]
fn published_and_generated_passphrase_vectors_decrypt() {
    let vectors = read("pulumi-vectors.json");
    for set in vectors["published"].as_array().unwrap().iter().chain(vectors["passphrase"].as_array().unwrap()) {
        let key = Key::derive(&set["passphrase"].as_str().unwrap().into(), set["state"].as_str().unwrap()).unwrap();
        for value in set["values"].as_array().unwrap() {
            let opened = String::from_utf8(key.decrypt(value["ciphertext"].as_str().unwrap()).unwrap()).unwrap();
            let expected = ["plaintext_json", "plaintext", "value"].iter().find_map(|name| value.get(name)).unwrap();
            assert_eq!(opened, expected.as_str().unwrap(), "{}", set["passphrase"]);
        }
    }
}

#[test]
fn an_altered_ciphertext_is_refused() {
    for vector in read("pulumi-vectors.json")["negative"].as_array().unwrap() {
        let text = |key: &str| vector[key].as_str().unwrap();
        let opened =
            Key::derive(&text("passphrase").into(), text("state")).and_then(|key| key.decrypt(text("ciphertext")));
        let why = text("why");
        let kind = opened.map_err(|fault| fault.kind).unwrap_err();
        let expected = if why == "wrong passphrase" { fault::Kind::Permission } else { fault::Kind::Usage };
        assert_eq!(kind, expected, "{why}");
    }
}

#[test]
fn a_data_key_decrypts_what_it_encrypted() {
    for vector in read("pulumi-vectors.json")["data_key"].as_array().unwrap() {
        let hex = vector["data_key_hex"].as_str().unwrap();
        let bytes: Vec<u8> = (0..32).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect();
        let opened = Key::from_bytes(&bytes).unwrap().decrypt(vector["ciphertext"].as_str().unwrap()).unwrap();
        let value: Json = serde_json::from_slice(&opened).unwrap();
        assert_eq!(value, vector["value"]);
    }
}

#[test]
fn pulumis_json_escapes_line_separators_but_not_html() {
    let text = Value::Text("<b>&\u{2028}\u{2029}\u{1}\u{1f}\u{7f}\u{8}\u{c}\t\"\\/é💜".to_owned());
    let expected = r#""<b>&\u2028\u2029\u0001\u001f"#.to_owned() + "\u{7f}" + r#"\b\f\t\"\\/é💜""#;
    assert_eq!(json::line(&text, stack::Dialect::Pulumi), expected);
    assert_eq!(raw(&text, stack::Dialect::Pulumi), "<b>&\u{2028}\u{2029}\u{1}\u{1f}\u{7f}\u{8}\u{c}\t\"\\/é💜");
}
