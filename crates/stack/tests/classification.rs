//! What a document is taken for: a state never passes for printed outputs, and a sensitive value is never public.

use fault::Kind;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use stack::outputs::SourceKind;
use stack::print::json::line;
use stack::{Decryption, Outputs, StackDocument, source};

/// The value that must not be shown.
const SECRET: &str = "hunter2";

fn read(text: &str) -> fault::Result<Outputs> {
    match source::stream(text.as_bytes(), "it", Decryption::NotNeeded)? {
        StackDocument::Outputs(outputs) => Ok(outputs),
        StackDocument::Encrypted(_) => Err(fault::Fault::usage("it is encrypted")),
    }
}

/// Everything that may be printed without `--show-secrets`.
fn public(outputs: &Outputs) -> String {
    let public = outputs.named.iter().filter(|(_, output)| !output.value.holds_secret());
    public.map(|(name, output)| name.clone() + "=" + &line(&output.value, outputs.dialect) + "\n").collect()
}

fn names(outputs: &Outputs) -> Vec<&str> {
    outputs.named.keys().map(String::as_str).collect()
}

#[test]
fn a_state_without_serial_and_lineage_keeps_its_sensitive_values() {
    let text = r#"{"version":4,"outputs":{"pw":{"value":"hunter2","type":"string","sensitive":true}}}"#;
    let outputs = read(text).unwrap();
    assert_eq!((names(&outputs), outputs.source_kind), (vec!["pw"], SourceKind::State));
    assert!(outputs.named["pw"].value.holds_secret());
}

#[test]
fn a_state_without_outputs_has_none() {
    for text in [
        r#"{"version":4}"#,
        r#"{"version":4,"resources":[{"instances":[{"attributes":{"password":"hunter2"}}]}]}"#,
        r#"{"version":4,"check_results":{}}"#,
        r#"{"version":4,"outputs":null,"x":"hunter2"}"#,
        r#"{"version":3,"deployment":null}"#,
        r#"{"version":1,"checkpoint":{}}"#,
        r#"{"version":3,"checkpoint":null,"x":"hunter2"}"#,
    ] {
        let outputs = read(text).unwrap();
        assert_eq!((outputs.named.len(), outputs.source_kind), (0, SourceKind::State), "{text}");
        assert!(outputs.none.is_some(), "{text}");
    }
}

#[test]
fn a_broken_state_is_refused_and_not_printed() {
    for text in [
        r#"{"version":"4","outputs":{"pw":{"value":"hunter2","sensitive":true}}}"#,
        r#"{"version":"4"}"#,
        r#"{"version":null,"resources":["hunter2"]}"#,
        r#"{"version":5,"outputs":{}}"#,
        r#"{"version":0,"modules":[]}"#,
        r#"{"version":4.0,"outputs":{}}"#,
        r#"{"version":4,"outputs":["hunter2"]}"#,
        r#"{"version":4,"outputs":{"pw":"hunter2"}}"#,
        r#"{"version":5,"deployment":{}}"#,
        r#"{"version":"3","checkpoint":{"latest":{"manifest":{}}}}"#,
        r#"{"lineage":"l","serial":1,"outputs":{"pw":{"value":"hunter2","sensitive":true}}}"#,
        r#"{"terraform_version":"1.11.4","resources":["hunter2"]}"#,
        r#"{"swagger":"2.0","info":{},"paths":{}}"#,
        r#"{"$schema":"https://json.schemastore.org/package","name":"x"}"#,
    ] {
        let fault = read(text).unwrap_err();
        assert_eq!(fault.kind, Kind::Usage, "{text}");
        assert!(!format!("{fault:?}").contains(SECRET), "{fault:?}");
    }
}

#[test]
fn a_sensitive_mark_that_is_not_a_bool_never_makes_a_value_public() {
    for mark in [r#""true""#, r#""false""#, "1", "0", "[]", "{}", r#""""#] {
        for (text, is_state) in [
            (
                format!(
                    r#"{{"version":4,"outputs":{{"pw":{{"value":"hunter2","type":"string","sensitive":{mark}}}}}}}"#
                ),
                true,
            ),
            (format!(r#"{{"pw":{{"value":"hunter2","type":"string","sensitive":{mark}}}}}"#), true),
            (format!(r#"{{"a":1,"pw":{{"value":"hunter2","type":"string","sensitive":{mark}}}}}"#), false),
        ] {
            match read(&text) {
                Ok(outputs) => assert!(!is_state && outputs.named["pw"].value.holds_secret(), "{text}"),
                Err(fault) => assert!(is_state && !format!("{fault:?}").contains(SECRET), "{text}: {fault:?}"),
            }
        }
    }
    let text = r#"{"version":4,"outputs":{"pw":{"value":"hunter2","type":"string","Sensitive":true},"r":{"value":"hunter2","sen\u017fitive":true},"q":{"value":"x","sensitive":null}}}"#;
    assert_eq!(public(&read(text).unwrap()), "");
}

#[test]
fn outputs_that_are_named_as_a_states_keys_are_outputs() {
    for (text, expected) in [
        (r#"{"version":"1.2.3"}"#, vec!["version"]),
        (r#"{"version":"1.2.3","url":"https://example.com"}"#, vec!["url", "version"]),
        (r#"{"version":7,"url":"https://example.com"}"#, vec!["url", "version"]),
        (r#"{"serial":7,"ip":"203.0.113.7"}"#, vec!["ip", "serial"]),
        (r#"{"outputs":["a"],"stack":"dev"}"#, vec!["outputs", "stack"]),
        (r#"{"swagger":"https://example.com/swagger"}"#, vec!["swagger"]),
        (r#"{"config":{"a":1},"version":"1.2.3"}"#, vec!["config", "version"]),
    ] {
        let outputs = read(text).unwrap();
        assert_eq!((names(&outputs), outputs.source_kind), (expected, SourceKind::Printed), "{text}");
    }
}

#[test]
fn states_from_before_version_4_are_read_as_terraform_upgrades_them() {
    let state = |version: u8, outputs: &str| {
        format!(
            r#"{{"version":{version},"modules":[{{"path":["root"],"outputs":{outputs}}},{{"path":["root","x"],"outputs":{{"y":"z"}}}}]}}"#
        )
    };
    let printed = |version: u8, outputs: &str| {
        let outputs = read(&state(version, outputs)).unwrap();
        let all = outputs.named.iter().map(|(name, output)| {
            let (value, leaves) = output.value.clone().revealed();
            (name.clone(), (output.with(value), !leaves.is_empty()))
        });
        let all: Vec<_> = all.collect();
        let all = all.iter().map(|(name, (output, is_secret))| (name.clone(), (output, *is_secret))).collect();
        serde_json::from_str::<Value>(&stack::print::json::all(&all, outputs.dialect)).unwrap()
    };
    assert_eq!(
        printed(1, r#"{"a":"x","n":null}"#),
        json!({"a": {"sensitive": false, "type": "string", "value": "x"},
               "n": {"sensitive": false, "type": "string", "value": ""}})
    );
    let outputs = r#"{"s":{"sensitive":true,"type":"string","value":"x"},"l":{"type":"list","value":["a","b"]},
        "t":{"type":"list","value":["a",1]},"e":{"type":"list","value":[]},"m":{"type":"map","value":{"a":"b","c":"d"}},
        "o":{"type":"map","value":{"a":1,"b":"x"}},"n":{"type":"string","value":null}}"#;
    let plain = |constraint: Value, value: Value| json!({"sensitive": false, "type": constraint, "value": value});
    let expected = json!({
        "s": {"sensitive": true, "type": "string", "value": "x"},
        "l": plain(json!(["list", "string"]), json!(["a", "b"])),
        "t": plain(json!(["tuple", ["string", "number"]]), json!(["a", 1])),
        "e": plain(json!(["tuple", []]), json!([])),
        "m": plain(json!(["map", "string"]), json!({"a": "b", "c": "d"})),
        "o": plain(json!(["object", {"a": "number", "b": "string"}]), json!({"a": 1, "b": "x"})),
        "n": plain(json!("dynamic"), Value::Null),
    });
    assert_eq!(printed(2, outputs), expected);
    assert_eq!(printed(3, outputs), expected);
    for (version, outputs) in [(1, r#"{"a":1}"#), (1, r#"{"a":{"value":"x","sensitive":true}}"#), (2, r#"{"a":"x"}"#)] {
        assert_eq!(read(&state(version, outputs)).unwrap_err().kind, Kind::Usage, "{outputs}");
    }
    // What version 4 added does not count in an older state, and the reverse.
    for text in [
        r#"{"version":3,"outputs":{"pw":{"value":"hunter2","sensitive":true}}}"#,
        r#"{"version":4,"modules":[{"path":["root"],"outputs":{"a":{"value":"x"}}}]}"#,
    ] {
        assert!(read(text).unwrap().named.is_empty(), "{text}");
    }
}

fn versions() -> impl Strategy<Value = Value> {
    prop_oneof![
        (0..7_i64).prop_map(Value::from),
        Just(Value::Null),
        Just(json!(true)),
        Just(json!(4.0)),
        "[0-9a-z.]{0,3}".prop_map(Value::from),
        Just(json!([4])),
        Just(json!({"version": 4})),
    ]
}

/// Anything but `false`, which alone makes a value public.
fn marks() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!(true)),
        Just(Value::Null),
        Just(json!("false")),
        Just(json!(0)),
        Just(json!([])),
        "[a-z]{0,4}".prop_map(Value::from),
    ]
}

const STATE_KEYS: [&str; 10] = [
    "outputs",
    "resources",
    "modules",
    "check_results",
    "serial",
    "lineage",
    "terraform_version",
    "deployment",
    "checkpoint",
    "latest",
];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn a_state_in_any_form_never_shows_a_sensitive_value(
        version in prop::option::of(versions()),
        keys in prop::collection::btree_set(0..STATE_KEYS.len(), 0..4),
        mark in marks(),
        mark_name in prop_oneof![Just("sensitive"), Just("Sensitive"), Just("SENSITIVE")],
        others in prop::collection::btree_map("[a-z]{1,3}", Just(json!("public")), 0..2),
        is_in_module in any::<bool>(),
    ) {
        let outputs = json!({"pw": {"value": SECRET, "type": "string", mark_name: mark}});
        let mut state: Map<String, Value> = others.into_iter().collect();
        state.extend(version.clone().map(|version| ("version".to_owned(), version)));
        for key in &keys {
            state.insert(STATE_KEYS[*key].to_owned(), json!({}));
        }
        if is_in_module {
            state.insert("modules".to_owned(), json!([{"path": ["root"], "outputs": outputs}]));
        } else {
            state.insert("outputs".to_owned(), outputs);
        }
        let text = Value::from(state).to_string();
        match read(&text) {
            Ok(outputs) => {
                prop_assert!(!public(&outputs).contains(SECRET), "{}", text);
                prop_assert!(version.is_none() || outputs.source_kind == SourceKind::State, "{}", text);
            }
            Err(fault) => prop_assert!(!format!("{fault:?}").contains(SECRET), "{}: {:?}", text, fault),
        }
    }

    #[test]
    fn resources_are_never_shown_as_outputs(
        version in versions(),
        keys in prop::collection::btree_set(0..STATE_KEYS.len(), 0..3),
    ) {
        let resources = json!([{"type": "x", "instances": [{"attributes": {"password": SECRET}}]}]);
        let mut state = Map::from_iter([("version".to_owned(), version), ("resources".to_owned(), resources)]);
        state.extend(keys.iter().map(|key| (STATE_KEYS[*key].to_owned(), json!({}))));
        state.insert("resources".to_owned(), json!([{"attributes": {"password": SECRET}}]));
        let text = Value::from(state).to_string();
        if let Ok(outputs) = read(&text) {
            prop_assert!(!public(&outputs).contains(SECRET) && outputs.named.is_empty(), "{}", text);
        }
    }
}
