//! Terraform and OpenTofu: the contents of their state, and where it is stored.

pub mod configuration;
pub mod encrypted;
mod hcl;
pub mod http;
pub mod local;
pub mod pointer;
pub mod remote;

use std::collections::BTreeMap;

use fault::{Fault, Result};

use crate::json::{Json, parse};
use crate::outputs::{Dialect, Output, Outputs};
use crate::value::{SecretValue, Value};

/// Refuses versions of which we do not know where they hold outputs.
pub(crate) fn check_version(version: &str) -> Result<()> {
    match version {
        "3" | "4" => Ok(()),
        _ => Err(Fault::usage(format!("its version is {version}; versions 3 and 4 are known"))
            .help("apply once with a current terraform, which upgrades the state")),
    }
}

/// Reads outputs as state, `terraform output -json` and `terraform show -json` hold them: `{name: {value, type, sensitive}}`.
pub(crate) fn outputs(text: Option<&[u8]>, none: &'static str) -> Result<Outputs> {
    let Json::Map(map) = text.map_or(Ok(Json::Map(BTreeMap::new())), parse)? else {
        return Err(Fault::usage("its outputs are not an object"));
    };
    let named = map.into_iter().map(|(name, json)| {
        let output =
            output(json).ok_or_else(|| Fault::usage(format!("the output `{name}` is broken: it has no value")))?;
        Ok((name, output))
    });
    let outputs = Outputs::new(Dialect::Terraform, named.collect::<Result<_>>()?);
    Ok(Outputs { none: outputs.none.map(|_| none), ..outputs })
}

/// Whether it has the form of an output in `terraform output -json`.
pub(crate) fn is_printed_output(json: &Json) -> bool {
    let Json::Map(map) = json else { return false };
    matches!(map.get("sensitive"), Some(Json::Bool(_))) && map.contains_key("type") && map.contains_key("value")
}

fn output(json: Json) -> Option<Output> {
    let Json::Map(mut map) = json else { return None };
    let value = Value::from(map.remove("value")?);
    let value = match map.get("sensitive") {
        Some(Json::Bool(true)) => Value::Secret(SecretValue::Plain(Box::new(value))),
        _ => value,
    };
    Some(Output { value, constraint: map.remove("type") })
}
