//! Stores that the real Pulumi wrote, compared byte by byte with what it printed of them.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test's helpers fail the test, as its functions do")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use stack::print::{json, raw, shell};
use stack::pulumi::key::Key;
use stack::pulumi::secrets_provider::SecretsProvider;
use stack::pulumi::store::DiskStore;
use stack::value::Value;
use stack::{Decryption, Outputs, StackDocument, StackOutput, source};

const CASES: [&str; 6] = ["plain", "gzip", "zstd", "legacy", "emptyphrase", "unicodephrase"];

fn fixture(case: &str, file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/real/pulumi").join(case).join(file)
}

fn text(case: &str, file: &str) -> String {
    std::fs::read_to_string(fixture(case, file)).unwrap()
}

fn outputs(file: &Path) -> Outputs {
    match source::file(file, Decryption::Wanted).unwrap() {
        StackDocument::Outputs(outputs) => outputs,
        StackDocument::Encrypted(_) => panic!("not an OpenTofu state"),
    }
}

/// The outputs of the state in the store of `case`, still encrypted.
fn stored(case: &str) -> Outputs {
    let store = DiskStore { root: fixture(case, "store") };
    outputs(&store.state(&"organization/shop/dev".parse().unwrap(), None).unwrap())
}

fn decrypted(case: &str) -> Outputs {
    let mut outputs = stored(case);
    let Some(SecretsProvider::Passphrase { salt }) = &outputs.provider else { panic!("{case}: no passphrase") };
    let passphrase = text(case, "passphrase");
    let key = Key::derive(&passphrase.trim_end_matches('\n').into(), salt).unwrap();
    outputs.decrypt(|ciphertext| key.decrypt(ciphertext).map(Some)).unwrap();
    outputs
}

/// All outputs as `pulumi stack output --json` prints them, each value changed by `change`.
fn printed(outputs: &Outputs, change: impl Fn(Value) -> Value) -> String {
    let changed: BTreeMap<&String, StackOutput> =
        outputs.named.iter().map(|(name, output)| (name, output.with(change(output.value.clone())))).collect();
    let all = changed.iter().map(|(name, output)| ((*name).clone(), (output, false))).collect();
    json::all(&all, outputs.dialect) + "\n"
}

/// Pulumi hides every secret, at any depth.
fn hidden(value: Value) -> Value {
    match value {
        Value::Secret(_) => Value::Text("[secret]".to_owned()),
        Value::List(list) => Value::List(list.into_iter().map(hidden).collect()),
        Value::Map(map) => Value::Map(map.into_iter().map(|(key, item)| (key, hidden(item))).collect()),
        other => other,
    }
}

#[test]
fn every_store_of_the_real_pulumi_prints_as_it_prints_it() {
    for case in CASES {
        assert_eq!(printed(&stored(case), hidden), text(case, "hidden.json"), "{case}");
        let outputs = decrypted(case);
        assert_eq!(printed(&outputs, |value| value.revealed().0), text(case, "shown.json"), "{case}");
        let lines = outputs.named.iter().map(|(name, output)| {
            let value = raw(&output.value.clone().revealed().0, outputs.dialect);
            name.clone() + "=" + &shell::quoted(&value) + "\n"
        });
        assert_eq!(lines.collect::<String>(), text(case, "shown.sh"), "{case}");
    }
}

#[test]
fn what_the_real_pulumi_printed_is_read_again_as_the_same_outputs() {
    for case in CASES {
        let shown = outputs(&fixture(case, "shown.json"));
        assert_eq!(printed(&shown, hidden), text(case, "shown.json"), "{case}");
        let piped = outputs(&fixture(case, "hidden.json"));
        let stored = stored(case);
        for (name, output) in &piped.named {
            // Printed, a text `[secret]` and a secret look the same.
            let is_secret = stored.named[name].value.holds_secret() || name == "literal_marker";
            assert_eq!(output.value.holds_secret(), is_secret, "{case} {name}");
        }
    }
}
