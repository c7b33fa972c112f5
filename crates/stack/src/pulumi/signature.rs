//! The special values of Pulumi state: objects that one marker key tells from plain ones.
//!
//! Source: pulumi/pulumi `sdk/go/common/resource/sig/sig.go`, `pkg/resource/stack/deployment.go`.

use std::collections::BTreeMap;

use fault::{Fault, Result};

use crate::json::{self, Json};
use crate::pulumi::number::shortest;
use crate::value::{Secret, Value};

const MARKER: &str = "4dabf18193072939515e22adb298388d";
const SECRET: &str = "1b47061264138c4ac30d75fd1eb44270";
const ASSET: &str = "c44067f5952c0a294b673a41bacd8c17";
const ARCHIVE: &str = "0def7320c3a5731c473e5ecbe6d01bc7";
const RESOURCE: &str = "5cf8f73096256a8f31e491e813e4eb8e";
const BYTES: &str = "803fd3297a5875dc03ca845dda5d2a98";
const NOT_A_NUMBER: &str = "8ad145fe-0d11-4827-bfd7-1abcbf086f5c";
const UNKNOWN: &str = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

/// Whether the text of some outputs can hold an encrypted secret.
pub(crate) fn may_hold_secret(text: &[u8]) -> bool {
    text.windows(SECRET.len()).any(|window| window == SECRET.as_bytes())
}

/// The value of an output as it stands in the state.
///
/// # Errors
/// [`fault::Kind::Usage`] for a malformed secret or a marker we do not know.
pub(crate) fn value(json: Json) -> Result<Value> {
    read(json, Ciphertext::Encrypted)
}

/// The value a decrypted secret holds. A secret inside it is not encrypted again: its `ciphertext` is JSON text.
///
/// # Errors
/// As [`value`]; also when it is not JSON.
pub(crate) fn plaintext(text: &[u8]) -> Result<Value> {
    // The parser's own words would not help: it is the encrypting program that failed.
    let Ok(json) = json::parse(text) else { return Err(Fault::usage("a decrypted secret is not JSON text")) };
    read(json, Ciphertext::Plain)
}

#[derive(Clone, Copy)]
enum Ciphertext {
    Encrypted,
    Plain,
}

fn read(json: Json, ciphertext: Ciphertext) -> Result<Value> {
    Ok(match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(value),
        Json::Number(text) => Value::Number(shortest(&text)),
        Json::Text(text) if text == UNKNOWN => Value::Unknown,
        Json::Text(text) => Value::Text(text),
        Json::List(list) => Value::List(list.into_iter().map(|item| read(item, ciphertext)).collect::<Result<_>>()?),
        Json::Map(map) => object(map, ciphertext)?,
    })
}

fn object(map: BTreeMap<String, Json>, ciphertext: Ciphertext) -> Result<Value> {
    let Some(marker) = map.get(MARKER).and_then(Json::text) else { return members(map, ciphertext) };
    match marker {
        SECRET => secret(&map, ciphertext),
        BYTES => match map.get("value").and_then(Json::text) {
            Some(base64) => Ok(Value::Text(format!("b\"{base64}\""))),
            None => Err(Fault::usage("a byte string in the state has no value")),
        },
        ASSET | ARCHIVE | RESOURCE | NOT_A_NUMBER => members(map, ciphertext),
        _ => Err(Fault::usage("a special value in the state has a marker that is not known")
            .help("report it, or read this output with the `pulumi` program")),
    }
}

fn members(map: BTreeMap<String, Json>, ciphertext: Ciphertext) -> Result<Value> {
    let members = map.into_iter().map(|(key, item)| Ok((key, read(item, ciphertext)?)));
    members.collect::<Result<_>>().map(Value::Map)
}

fn secret(map: &BTreeMap<String, Json>, ciphertext: Ciphertext) -> Result<Value> {
    let text = |key: &str| map.get(key).and_then(Json::text);
    let secret = match (text("ciphertext"), text("plaintext"), ciphertext) {
        (Some(sealed), None, Ciphertext::Encrypted) => Secret::Sealed(sealed.to_owned()),
        (Some(json), None, Ciphertext::Plain) | (None, Some(json), _) => {
            Secret::Open(Box::new(plaintext(json.as_bytes())?))
        }
        _ => {
            return Err(Fault::usage(
                "a secret in the state is malformed: it needs a ciphertext or a plaintext, one of both",
            ));
        }
    };
    Ok(Value::Secret(secret))
}

/// The same value with each sealed secret opened by `open`, but those it answers `None` for.
///
/// # Errors
/// As `open`.
pub(crate) fn opened(value: Value, open: &impl Fn(&str) -> Result<Option<Value>>) -> Result<Value> {
    Ok(match value {
        Value::Secret(Secret::Sealed(ciphertext)) => Value::Secret(match open(&ciphertext)? {
            Some(value) => Secret::Open(Box::new(value)),
            None => Secret::Sealed(ciphertext),
        }),
        Value::List(list) => Value::List(list.into_iter().map(|item| opened(item, open)).collect::<Result<_>>()?),
        Value::Map(map) => {
            let members = map.into_iter().map(|(key, item)| Ok((key, opened(item, open)?)));
            Value::Map(members.collect::<Result<_>>()?)
        }
        other => other,
    })
}

/// A value as `pulumi stack output --json` prints it, where a secret is the text `[secret]`.
///
/// # Errors
/// As [`value`].
pub(crate) fn printed(json: Json) -> Result<Value> {
    value(json).map(with_gone_secrets)
}

fn with_gone_secrets(value: Value) -> Value {
    match value {
        Value::Text(text) if text == "[secret]" => Value::Secret(Secret::Gone),
        Value::List(list) => Value::List(list.into_iter().map(with_gone_secrets).collect()),
        Value::Map(map) => Value::Map(map.into_iter().map(|(key, item)| (key, with_gone_secrets(item))).collect()),
        other => other,
    }
}
