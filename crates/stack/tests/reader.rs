//! The streaming reader compared with a full parse by `serde_json`, on generated states, some of them broken.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test's helpers fail the test, as its functions do")]

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};
use stack::print::json::line;
use stack::{Decryption, Outputs, StackDocument, source};

/// JSON with its members in an order that depends on `seed`.
fn shuffled(value: &Value, seed: &mut u64) -> String {
    match value {
        Value::Object(map) => {
            let mut members: Vec<(&String, &Value)> = map.iter().collect();
            for at in (1..members.len()).rev() {
                members.swap(at, next(seed) % (at + 1));
            }
            let members = members.iter().map(|(key, value)| format!("{}:{}", json!(key), shuffled(value, seed)));
            format!(
                "{{{}}}",
                members.collect::<Vec<_>>().join(if next(seed).is_multiple_of(2) { "," } else { " ,\n " })
            )
        }
        Value::Array(list) => {
            format!("[{}]", list.iter().map(|item| shuffled(item, seed)).collect::<Vec<_>>().join(","))
        }
        other => other.to_string(),
    }
}

fn next(seed: &mut u64) -> usize {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    usize::try_from(*seed >> 40).unwrap()
}

fn values() -> impl Strategy<Value = Value> {
    let text = "[a-zé💜\"\\\\ \n{}\\[\\],:]{0,12}";
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, move |inner| {
        let map = prop::collection::btree_map(text, inner.clone(), 0..4);
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(Value::from),
            map.prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn maps() -> impl Strategy<Value = Value> {
    let keys =
        prop_oneof!["[a-z]{1,6}", Just("outputs".to_owned()), Just("type".to_owned()), Just("parent".to_owned())];
    prop::collection::btree_map(keys, values(), 0..5).prop_map(|map| Value::Object(map.into_iter().collect()))
}

/// Resources that are not the root: another type, or a stack with a parent; some are large.
fn others() -> impl Strategy<Value = Value> {
    (maps(), maps(), any::<bool>(), prop_oneof![9 => Just(0_usize), 1 => Just(150_000_usize)]).prop_map(
        |(inputs, outputs, is_stack, size)| {
            let kind = if is_stack { "pulumi:pulumi:Stack" } else { "aws:s3/bucket:Bucket" };
            json!({"urn": "u", "type": kind, "parent": "p", "inputs": inputs, "outputs": outputs, "x": "y".repeat(size)})
        },
    )
}

fn outputs(text: &[u8]) -> fault::Result<Outputs> {
    match source::stream(text, "it", Decryption::Wanted)? {
        StackDocument::Outputs(outputs) => Ok(outputs),
        StackDocument::Encrypted(_) => panic!("not encrypted"),
    }
}

/// As [`outputs`], from a file, whose middle is not always read.
fn of_file(text: &[u8]) -> fault::Result<Outputs> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    match source::file(file.path(), Decryption::Wanted)? {
        StackDocument::Outputs(outputs) => Ok(outputs),
        StackDocument::Encrypted(_) => panic!("not encrypted"),
    }
}

fn printed(outputs: &Outputs) -> BTreeMap<String, String> {
    outputs.named.iter().map(|(name, output)| (name.clone(), line(&output.value, outputs.dialect))).collect()
}

fn expected(outputs: &Value) -> BTreeMap<String, String> {
    outputs.as_object().unwrap().iter().map(|(name, value)| (name.clone(), value.to_string())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn a_pulumi_state_reads_the_same_in_any_order(
        root in maps(),
        before in prop::collection::vec(others(), 0..4),
        after in prop::collection::vec(others(), 0..4),
        seed in any::<u64>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let stack = json!({"urn": "u", "custom": false, "type": "pulumi:pulumi:Stack", "outputs": root, "created": "c"});
        let resources: Vec<Value> = before.into_iter().chain([stack]).chain(after).collect();
        let latest = json!({"manifest": {"version": "v3"}, "resources": resources, "metadata": {},
            "secrets_providers": {"type": "passphrase", "state": {"salt": "v1:s:c"}}});
        let state = json!({"version": 3, "checkpoint": {"stack": "organization/p/s", "latest": latest, "config": {}}});
        let text = shuffled(&state, &mut seed.clone());
        prop_assert_eq!(printed(&outputs(text.as_bytes()).unwrap()), expected(&root));
        prop_assert_eq!(printed(&of_file(text.as_bytes()).unwrap()), expected(&root));
        let cut = &text.as_bytes()[..cut.index(text.len())];
        prop_assert!(outputs(cut).is_err());
        prop_assert!(of_file(cut).is_err());
    }

    #[test]
    fn a_terraform_state_reads_the_same_in_any_order(
        named in prop::collection::btree_map("[a-z]{1,6}", values(), 0..5),
        resources in prop::collection::vec(others(), 0..5),
        seed in any::<u64>(),
    ) {
        let entry = |value: &Value| json!({"value": value, "type": "dynamic"});
        let wrapped: BTreeMap<&String, Value> = named.iter().map(|(name, value)| (name, entry(value))).collect();
        let state = json!({"version": 4, "terraform_version": "1.11.4", "serial": 1, "lineage": "l", "outputs": wrapped,
            "resources": resources, "check_results": null});
        let text = shuffled(&state, &mut seed.clone());
        let read = outputs(text.as_bytes()).unwrap();
        prop_assert_eq!(read.named.keys().collect::<Vec<_>>(), named.keys().collect::<Vec<_>>());
        for (name, value) in &named {
            prop_assert_eq!(line(&read.named[name].value, stack::Dialect::Pulumi), value.to_string());
        }
    }

}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    #[test]
    fn a_broken_state_never_panics_and_is_never_read(
        which in 0..3_usize,
        cut in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        pieces in prop::collection::vec((any::<prop::sample::Index>(), 0..40_usize, 0..TOKENS.len()), 0..3),
        is_cut in any::<bool>(),
    ) {
        let mut text = STATES[which].as_bytes().to_vec();
        if is_cut {
            text.truncate(cut.index(text.len()));
        }
        for (at, byte) in changes {
            if !text.is_empty() {
                let at = at.index(text.len());
                text[at] = byte;
            }
        }
        for (at, length, token) in pieces {
            let at = at.index(text.len() + 1);
            let end = text.len().min(at + length);
            text.splice(at..end, TOKENS[token].bytes());
        }
        let read = outputs(&text);
        prop_assert_eq!(of_file(&text).is_ok(), read.is_ok());
        // serde_json refuses a little more: bytes that are not UTF-8, and lone surrogates, which Go replaces.
        if let (Ok(utf8), Ok(_)) = (std::str::from_utf8(&text), &read)
            && let Err(error) = serde_json::from_str::<Value>(utf8)
        {
            let error = error.to_string();
            let is_half_a_pair = error.contains("surrogate") || error.contains("end of hex escape");
            prop_assert!(is_half_a_pair, "{}: {}", error, utf8);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn a_state_reads_the_same_in_any_encoding(
        named in prop::collection::btree_map("[a-z]{1,6}", values(), 0..5),
        padding in prop_oneof![4 => Just(0_usize), 1 => Just(200_000_usize)],
        has_mark in any::<bool>(),
        is_little in any::<bool>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let entry = |value: &Value| json!({"value": value, "type": "dynamic"});
        let wrapped: BTreeMap<&String, Value> = named.iter().map(|(name, value)| (name, entry(value))).collect();
        let state = json!({"lineage": "é💜".repeat(padding / 6), "outputs": wrapped, "serial": 1, "version": 4}).to_string();
        let expected = printed(&outputs(state.as_bytes()).unwrap());
        let marked = format!("\u{feff}{state}");
        let unit = |unit: u16| if is_little { unit.to_le_bytes() } else { unit.to_be_bytes() };
        let utf16: Vec<u8> = if has_mark { &marked } else { &state }.encode_utf16().flat_map(unit).collect();
        for bytes in [marked.as_bytes(), &utf16] {
            prop_assert_eq!(&printed(&outputs(bytes).unwrap()), &expected);
            prop_assert_eq!(&printed(&of_file(bytes).unwrap()), &expected);
            let cut = &bytes[..cut.index(bytes.len())];
            prop_assert!(outputs(cut).is_err());
            prop_assert!(of_file(cut).is_err());
        }
    }
}

#[test]
fn the_lines_of_setup_terraforms_wrapper_are_named() {
    let outputs_json = r#"{"ip":{"sensitive":false,"type":"string","value":"203.0.113.7"}}"#;
    for text in [
        format!("[command]/opt/terraform/terraform-bin output -json\n{outputs_json}\n"),
        format!("{outputs_json}\n\n::debug::Terraform exited with code 0.\n"),
    ] {
        let fault = outputs(text.as_bytes()).unwrap_err();
        assert!(fault.help.unwrap().contains("terraform_wrapper: false"), "{text}");
    }
}

/// What replaces a piece of a state.
const TOKENS: [&str; 14] = [
    "",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "null",
    "1e999",
    "\"version\":9,",
    "\\ud800",
    "\"4dabf18193072939515e22adb298388d\":\"1b47061264138c4ac30d75fd1eb44270\"",
];

const STATES: [&str; 3] = [
    include_str!("fixtures/file-v1/.pulumi/stacks/shop/stack-last.json"),
    include_str!("fixtures/file-v1/.pulumi/stacks/shop/prod.json"),
    r#"{"version":4,"terraform_version":"1.11.4","serial":1,"lineage":"l","outputs":{"ip":{"value":"203.0.113.9","type":"string"},
       "pw":{"value":{"a":[1,2.5e3,true,null]},"type":["object",{"a":"dynamic"}],"sensitive":true}},"resources":[],"check_results":null}"#,
];

#[test]
fn outputs_above_the_size_limit_are_refused() {
    let text =
        format!(r#"{{"version":4,"serial":1,"lineage":"l","outputs":{{"a":{{"value":"{}"}}}}}}"#, "x".repeat(17 << 20));
    assert!(outputs(text.as_bytes()).unwrap_err().causes[0].contains("larger than 16 MiB"));
}
