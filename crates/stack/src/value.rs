//! The value of an output.

use std::collections::BTreeMap;
use std::fmt;

use crate::json::Json;

/// A value, as deep as it goes. `Debug` shows no secret.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number's text, as the tool that owns the state prints it.
    Number(String),
    /// A string.
    Text(String),
    /// A list, tuple or set.
    List(Vec<Self>),
    /// An object or map.
    Map(BTreeMap<String, Self>),
    /// Not known before the next apply.
    Unknown,
    /// Shown only on request.
    Secret(SecretValue),
}

/// A secret value.
#[derive(Clone, PartialEq, Eq)]
pub enum SecretValue {
    /// The ciphertext of the stack's secrets provider, or the id under which HCP Terraform returns the value.
    Encrypted(String),
    /// Readable: decrypted, or never encrypted.
    Plain(Box<Value>),
    /// The program that printed the outputs replaced the value by a placeholder, so there is nothing to decrypt.
    Placeholder,
}

impl Value {
    /// Its type with an article, for messages: `a string`, `a list`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a bool",
            Self::Number(_) => "a number",
            Self::Text(_) => "a string",
            Self::List(_) => "a list",
            Self::Map(_) => "an object",
            Self::Unknown => "not known yet",
            Self::Secret(SecretValue::Plain(value)) => value.kind(),
            Self::Secret(_) => "a secret",
        }
    }

    /// Whether `wanted` is true for the value or anything inside it. Does not look inside secrets.
    pub fn any(&self, wanted: &impl Fn(&Self) -> bool) -> bool {
        wanted(self)
            || match self {
                Self::List(list) => list.iter().any(|item| item.any(wanted)),
                Self::Map(map) => map.values().any(|item| item.any(wanted)),
                _ => false,
            }
    }

    /// Whether it is a secret or holds one.
    #[must_use]
    pub fn holds_secret(&self) -> bool {
        self.any(&|value| matches!(value, Self::Secret(_)))
    }

    /// Whether it is unknown or holds something unknown.
    #[must_use]
    pub fn holds_unknown(&self) -> bool {
        self.any(&|value| matches!(value, Self::Unknown))
    }

    /// The ciphertexts of the encrypted secrets in it.
    #[must_use]
    pub fn ciphertexts(&self) -> Vec<&str> {
        match self {
            Self::Secret(SecretValue::Encrypted(ciphertext)) => vec![ciphertext],
            Self::List(list) => list.iter().flat_map(Self::ciphertexts).collect(),
            Self::Map(map) => map.values().flat_map(Self::ciphertexts).collect(),
            _ => Vec::new(),
        }
    }

    /// The value with each readable secret replaced by its content, and the texts that have to be masked: each leaf of a
    /// secret.
    #[must_use]
    pub fn revealed(self) -> (Self, Vec<String>) {
        let mut leaves = Vec::new();
        let value = self.reveal(&mut leaves);
        (value, leaves)
    }

    fn reveal(self, leaves: &mut Vec<String>) -> Self {
        match self {
            Self::Secret(SecretValue::Plain(value)) => {
                let value = value.reveal(leaves);
                value.leaves(leaves);
                value
            }
            Self::List(list) => Self::List(list.into_iter().map(|item| item.reveal(leaves)).collect()),
            Self::Map(map) => Self::Map(map.into_iter().map(|(key, item)| (key, item.reveal(leaves))).collect()),
            other => other,
        }
    }

    fn leaves(&self, leaves: &mut Vec<String>) {
        match self {
            Self::Text(text) | Self::Number(text) => leaves.push(text.clone()),
            Self::List(list) => list.iter().for_each(|item| item.leaves(leaves)),
            Self::Map(map) => map.values().for_each(|item| item.leaves(leaves)),
            Self::Null | Self::Bool(_) | Self::Unknown | Self::Secret(_) => {}
        }
    }
}

impl From<Json> for Value {
    /// Terraform's JSON, which has no special values.
    fn from(json: Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Bool(value),
            Json::Number(text) => Self::Number(text),
            Json::Text(text) => Self::Text(text),
            Json::List(list) => Self::List(list.into_iter().map(Self::from).collect()),
            Json::Map(map) => Self::Map(map.into_iter().map(|(key, item)| (key, Self::from(item))).collect()),
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => out.write_str("null"),
            Self::Bool(value) => value.fmt(out),
            Self::Number(text) => out.write_str(text),
            Self::Text(text) => text.fmt(out),
            Self::List(list) => list.fmt(out),
            Self::Map(map) => map.fmt(out),
            Self::Unknown => out.write_str("<unknown>"),
            Self::Secret(_) => out.write_str("<secret>"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{SecretValue, Value};

    fn secret(text: &str) -> Value {
        Value::Secret(SecretValue::Plain(Box::new(Value::Text(text.to_owned()))))
    }

    #[test]
    fn debug_shows_no_secret() {
        assert_eq!(format!("{:?}", Value::List(vec![secret("hunter2"), Value::Null])), "[<secret>, null]");
    }

    #[test]
    fn each_leaf_of_a_secret_has_to_be_masked_and_nothing_else() {
        let inner = Value::Map(
            [("pw".to_owned(), secret("inner")), ("user".to_owned(), Value::Text("root".to_owned()))].into(),
        );
        let value =
            Value::List(vec![Value::Text("public".to_owned()), Value::Secret(SecretValue::Plain(Box::new(inner)))]);
        let (revealed, mut leaves) = value.revealed();
        leaves.sort();
        leaves.dedup();
        assert!(!revealed.holds_secret());
        assert_eq!(leaves, ["inner", "root"]);
    }
}
