//! The outputs in Terraform's states and in what it prints.
//!
//! Source: hashicorp/terraform `internal/states/statefile/version{1,2,3,4}*.go`, and terraform 1.11 itself.

use std::collections::BTreeMap;

use fault::{Fault, Result};

use crate::fields::{Fields, Version};
use crate::json::{Json, parse};
use crate::outputs::{Dialect, Outputs, SourceKind, StackOutput};
use crate::value::{SecretValue, Value};

/// Reads the outputs of a state of any version.
pub(crate) fn state(fields: &Fields) -> Result<Outputs> {
    let none = "it has no outputs: nothing was applied, or all are null";
    let version = match &fields.version {
        Some(Version::Number(version)) => version.as_str(),
        Some(version) => return Err(unknown_version(&version.to_string())),
        None => return Err(Fault::usage("it looks like a Terraform state, but has no `version`")),
    };
    let outputs = match version {
        "1" | "2" | "3" => module_outputs(&fields.module_outputs, version, none)?,
        "4" => outputs(fields.outputs.as_deref(), none)?,
        other => return Err(unknown_version(other)),
    };
    Ok(Outputs { source_kind: SourceKind::State, ..outputs })
}

fn unknown_version(version: &str) -> Fault {
    Fault::usage(format!("its version is {version}; versions 1 to 4 are known"))
        .help("update stack-output, or read this state with the `terraform` program")
}

/// Reads outputs as state, `terraform output -json` and `terraform show -json` hold them: `{name: {value, type, sensitive}}`.
pub(crate) fn outputs(text: Option<&[u8]>, none: &'static str) -> Result<Outputs> {
    let mut named = BTreeMap::new();
    for (name, json) in text.map(members).transpose()?.unwrap_or_default() {
        let output = output(json, &name)?;
        named.insert(name, output);
    }
    Ok(with_reason(named, none))
}

/// Reads outputs from before version 4. They have no types that are still in use, so types are implied by the values, as
/// `terraform` does when it upgrades such a state. In version 1 every output is a string.
fn module_outputs(modules: &[Vec<u8>], version: &str, none: &'static str) -> Result<Outputs> {
    let mut named = BTreeMap::new();
    for text in modules {
        for (name, json) in members(text)? {
            let output = match json {
                json if version != "1" => output(json, &name)?,
                Json::Text(text) => StackOutput { value: Value::Text(text), constraint: None },
                Json::Null => StackOutput { value: Value::Text(String::new()), constraint: None },
                _ => return Err(broken(&name, "it is not a string")),
            };
            let constraint = Some(implied_type(&output.value));
            named.insert(name, StackOutput { constraint, ..output });
        }
    }
    Ok(with_reason(named, none))
}

fn members(text: &[u8]) -> Result<BTreeMap<String, Json>> {
    match parse(text)? {
        Json::Map(map) => Ok(map),
        _ => Err(Fault::usage("its outputs are not an object")),
    }
}

fn with_reason(named: BTreeMap<String, StackOutput>, none: &'static str) -> Outputs {
    let outputs = Outputs::new(Dialect::Terraform, named);
    Outputs { none: outputs.none.map(|_| none), ..outputs }
}

/// Whether it has the form of an output in `terraform output -json`.
pub(crate) fn is_printed_output(json: &Json) -> bool {
    let Json::Map(map) = json else { return false };
    sensitive(map).next().is_some() && map.contains_key("type") && map.contains_key("value")
}

fn output(json: Json, name: &str) -> Result<StackOutput> {
    let Json::Map(mut map) = json else { return Err(broken(name, "it is not an object")) };
    let is_sensitive = is_sensitive(&map).ok_or_else(|| broken(name, "its `sensitive` is neither true nor false"))?;
    let value = Value::from(map.remove("value").ok_or_else(|| broken(name, "it has no value"))?);
    let value = if is_sensitive { Value::Secret(SecretValue::Plain(Box::new(value))) } else { value };
    Ok(StackOutput { value, constraint: map.remove("type") })
}

fn broken(name: &str, why: &str) -> Fault {
    Fault::usage(format!("the output `{}` is broken: {why}", name.escape_debug()))
}

/// The values of `sensitive`. Go matches keys without regard to case, so `Sensitive` hides a value too.
fn sensitive(map: &BTreeMap<String, Json>) -> impl Iterator<Item = &Json> {
    map.iter().filter(|(key, _)| is_sensitive_key(key)).map(|(_, value)| value)
}

/// Whether Go reads `key` as `sensitive`: it ignores case, also of `ſ`, an old form of `s`.
pub(crate) fn is_sensitive_key(key: &str) -> bool {
    key.replace('ſ', "s").eq_ignore_ascii_case("sensitive")
}

/// Whether an output is sensitive; `None` if that cannot be known, which must never make it public.
fn is_sensitive(map: &BTreeMap<String, Json>) -> Option<bool> {
    let mut is_sensitive = false;
    for value in sensitive(map) {
        match value {
            Json::Bool(value) => is_sensitive |= value,
            Json::Null => is_sensitive = true,
            _ => return None,
        }
    }
    Some(is_sensitive)
}

/// The type constraint that `terraform` derives from a value that has none.
fn implied_type(value: &Value) -> Json {
    let text = |text: &str| Json::Text(text.to_owned());
    let pair = |kind: &str, of: Json| Json::List(vec![text(kind), of]);
    let same = |types: &[Json]| types.first().filter(|first| types.iter().all(|other| other == *first)).cloned();
    match value {
        Value::Secret(SecretValue::Plain(value)) => implied_type(value),
        Value::Null | Value::Unknown | Value::Secret(_) => text("dynamic"),
        Value::Bool(_) => text("bool"),
        Value::Number(_) => text("number"),
        Value::Text(_) => text("string"),
        Value::List(list) => {
            let types: Vec<Json> = list.iter().map(implied_type).collect();
            same(&types).map_or_else(|| pair("tuple", Json::List(types)), |of| pair("list", of))
        }
        Value::Map(map) => {
            let types: Vec<Json> = map.values().map(implied_type).collect();
            let object = || Json::Map(map.keys().cloned().zip(types.iter().cloned()).collect());
            same(&types).map_or_else(|| pair("object", object()), |of| pair("map", of))
        }
    }
}
