//! The special values of Pulumi state: objects with a marker key that plain objects do not have.
//!
//! Source: pulumi/pulumi `sdk/go/common/resource/sig/sig.go`, `pkg/resource/stack/deployment.go`.

use std::collections::BTreeMap;

use fault::{Fault, Result};

use crate::json::{self, Json};
use crate::pulumi::number::shortest;
use crate::value::{SecretValue, Value};

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

/// Reads the value of an output as the state stores it.
///
/// # Errors
/// [`fault::Kind::Usage`] for a malformed secret or an unknown marker.
pub(crate) fn value(json: Json) -> Result<Value> {
    read(json, Ciphertext::Encrypted)
}

/// Reads the value of a decrypted secret. Pulumi does not encrypt a secret inside it again: its `ciphertext` is JSON text.
///
/// # Errors
/// As [`value`], and if it is not JSON.
pub(crate) fn plaintext(text: &[u8]) -> Result<Value> {
    // Without the parser's message, which could contain a part of the secret.
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
        (Some(ciphertext), None, Ciphertext::Encrypted) => SecretValue::Encrypted(ciphertext.to_owned()),
        (Some(json), None, Ciphertext::Plain) | (None, Some(json), _) => {
            SecretValue::Plain(Box::new(plaintext(json.as_bytes())?))
        }
        _ => {
            return Err(Fault::usage(
                "a secret in the state is malformed: it needs either a ciphertext or a plaintext",
            ));
        }
    };
    Ok(Value::Secret(secret))
}

/// The same value with each encrypted secret decrypted by `decrypt`, except those for which it returns `None`.
///
/// # Errors
/// The errors of `decrypt`.
pub(crate) fn decrypted(value: Value, decrypt: &impl Fn(&str) -> Result<Option<Value>>) -> Result<Value> {
    Ok(match value {
        Value::Secret(SecretValue::Encrypted(ciphertext)) => Value::Secret(match decrypt(&ciphertext)? {
            Some(value) => SecretValue::Plain(Box::new(value)),
            None => SecretValue::Encrypted(ciphertext),
        }),
        Value::List(list) => Value::List(list.into_iter().map(|item| decrypted(item, decrypt)).collect::<Result<_>>()?),
        Value::Map(map) => {
            let members = map.into_iter().map(|(key, item)| Ok((key, decrypted(item, decrypt)?)));
            Value::Map(members.collect::<Result<_>>()?)
        }
        other => other,
    })
}

/// Reads a value that `pulumi stack output --json` printed, in which the text `[secret]` replaces a secret.
///
/// # Errors
/// As [`value`].
pub(crate) fn printed(json: Json) -> Result<Value> {
    value(json).map(with_placeholders)
}

fn with_placeholders(value: Value) -> Value {
    match value {
        Value::Text(text) if text == "[secret]" => Value::Secret(SecretValue::Placeholder),
        Value::List(list) => Value::List(list.into_iter().map(with_placeholders).collect()),
        Value::Map(map) => Value::Map(map.into_iter().map(|(key, item)| (key, with_placeholders(item))).collect()),
        other => other,
    }
}
