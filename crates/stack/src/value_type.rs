//! The type that a caller requires of a value (`--type`), so that nothing else is piped on.

use std::net::IpAddr;
use std::str::FromStr;

use fault::{Fault, Result};
use url::Url;

use crate::json::parse;
use crate::value::Value;

/// A type that a value must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueType {
    /// An IPv4 or IPv6 address, alone.
    Ip,
    /// An absolute URL with a host.
    Url,
    /// A whole number, also as a string.
    Int,
    /// `true` or `false`, also as a string.
    Bool,
    /// A list.
    List,
    /// An object.
    Object,
}

impl ValueType {
    /// All types.
    pub const ALL: [Self; 6] = [Self::Ip, Self::Url, Self::Int, Self::Bool, Self::List, Self::Object];

    /// Its name, as [`str::parse`] reads it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ip => "ip",
            Self::Url => "url",
            Self::Int => "int",
            Self::Bool => "bool",
            Self::List => "list",
            Self::Object => "object",
        }
    }

    /// Checks `value`, which errors name by `path`; they never contain the value, which may be secret.
    ///
    /// # Errors
    /// [`fault::Kind::Failed`] for a value of another type.
    pub fn check(self, path: &str, value: &Value) -> Result<()> {
        if self.holds(value) {
            return Ok(());
        }
        let found = match (self, value) {
            (Self::Ip | Self::Url | Self::Int | Self::Bool, Value::Text(text)) if text.is_empty() => "an empty string",
            (Self::Ip | Self::Url | Self::Int | Self::Bool, Value::Text(_)) => "a string with other text",
            (Self::Int, Value::Number(_)) => "a number with a fraction or an exponent",
            (_, value) => value.kind(),
        };
        Err(Fault::failed(format!("the output `{path}` is not {}", self.article())).cause(format!("it is {found}")))
    }

    /// Reads `text`, given on the command line, as a value of this type.
    ///
    /// # Errors
    /// [`fault::Kind::Usage`] if it is not of this type.
    pub fn value(self, text: &str) -> Result<Value> {
        let value = match self {
            Self::Ip | Self::Url => Some(Value::Text(text.to_owned())),
            _ => parse(text.as_bytes()).ok().map(Value::from),
        };
        match value {
            Some(value) if self.holds(&value) => Ok(value),
            _ => Err(Fault::usage(format!("--default is not {}", self.article()))),
        }
    }

    fn holds(self, value: &Value) -> bool {
        match (self, value) {
            (Self::Ip, Value::Text(text)) => IpAddr::from_str(text).is_ok(),
            (Self::Url, Value::Text(text)) => {
                Url::parse(text).is_ok_and(|url| url.has_host()) && !text.contains(char::is_whitespace)
            }
            (Self::Int, Value::Number(text) | Value::Text(text)) => is_whole(text),
            (Self::Bool, Value::Text(text)) => matches!(text.as_str(), "true" | "false"),
            (Self::Bool, Value::Bool(_)) | (Self::List, Value::List(_)) | (Self::Object, Value::Map(_)) => true,
            _ => false,
        }
    }

    /// The type with an article, for messages.
    #[must_use]
    pub fn article(self) -> &'static str {
        match self {
            Self::Ip => "an IP address",
            Self::Url => "a URL",
            Self::Int => "a whole number",
            Self::Bool => "a bool",
            Self::List => "a list",
            Self::Object => "an object",
        }
    }
}

impl FromStr for ValueType {
    type Err = Fault;

    fn from_str(name: &str) -> Result<Self> {
        let known = Self::ALL.into_iter().find(|value_type| value_type.name() == name);
        known.ok_or_else(|| Fault::usage(format!("`{}` is not a type of values", name.escape_debug())))
    }
}

fn is_whole(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::ValueType;
    use crate::value::Value;

    #[test]
    fn only_a_value_of_the_type_passes() {
        let text = |text: &str| Value::Text(text.to_owned());
        for (value_type, good, bad) in [
            (ValueType::Ip, text("203.0.113.7"), text("04da6b54-80e4-46f7-96ec-b56ff0331ba9")),
            (ValueType::Ip, text("2001:db8::1"), text("203.0.113.7\n")),
            (ValueType::Url, text("https://example.com/x"), text("example.com")),
            (ValueType::Int, Value::Number("-8000".to_owned()), Value::Number("0.5".to_owned())),
            (ValueType::Bool, Value::Bool(false), text("yes")),
            (ValueType::List, Value::List(vec![]), text("[]")),
            (ValueType::Object, Value::Map([].into()), Value::Null),
        ] {
            assert!(value_type.check("x", &good).is_ok(), "{value_type:?} {good:?}");
            assert!(value_type.check("x", &bad).is_err(), "{value_type:?} {bad:?}");
        }
    }

    #[test]
    fn a_default_is_of_the_type() {
        assert_eq!(ValueType::List.value("[]").unwrap(), Value::List(vec![]));
        assert!(ValueType::List.value("x").is_err());
        assert_eq!(ValueType::Ip.value("127.0.0.1").unwrap(), Value::Text("127.0.0.1".to_owned()));
    }
}
