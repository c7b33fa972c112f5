//! A path into an output's value: `servers[0].ip`, `servers[*].ip`, `db["host name"]`.

use std::fmt;
use std::str::FromStr;

use fault::{Fault, Result};

use crate::value::{SecretValue, Value};

/// One step into a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathStep {
    /// A member of an object.
    Key(String),
    /// An item of a list, from 0.
    Index(usize),
    /// Every item of a list: the steps after it are taken from each, and the results are a list again.
    Each,
}

/// An output's name and the steps into its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValuePath {
    text: String,
    /// The output's name.
    pub name: String,
    /// The steps into its value.
    pub steps: Vec<PathStep>,
}

impl ValuePath {
    /// A path that is only a name, whatever characters are in it.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        Self { text: name.to_owned(), name: name.to_owned(), steps: Vec::new() }
    }

    /// The value at the end of the path: a secret if the path leads through one.
    ///
    /// # Errors
    /// The first step that leads nowhere.
    pub fn follow<'a>(&self, value: &'a Value) -> std::result::Result<Value, Nowhere<'a>> {
        follow(&self.steps, value, self.name.clone())
    }

    /// A name for it that consists of letters, digits, `_` and `-`: `servers_0_ip`.
    #[must_use]
    pub fn variable(&self) -> String {
        let mut name = self.name.clone();
        for step in &self.steps {
            match step {
                PathStep::Key(key) => name.extend(["_", key]),
                PathStep::Index(index) => name.extend(["_", &index.to_string()]),
                PathStep::Each => {}
            }
        }
        // A step output and `pulumi stack output --shell` keep the dashes of a whole output's name.
        let keeps_dashes = self.steps.is_empty();
        name.replace(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || (keeps_dashes && c == '-')), "_")
    }
}

/// The step at which a path leads nowhere.
#[derive(Clone, Debug)]
pub struct Nowhere<'a> {
    /// The path up to, but without, the step that leads nowhere.
    pub before: String,
    /// That step.
    pub step: PathStep,
    /// The value it was to lead into.
    pub value: &'a Value,
    /// Whether that is part of a secret.
    pub is_secret: bool,
}

/// Takes `steps` from the value at the path `before`.
fn follow<'a>(steps: &[PathStep], mut value: &'a Value, mut before: String) -> std::result::Result<Value, Nowhere<'a>> {
    let mut is_secret = false;
    let secret = |value: Value, is_secret| {
        if is_secret { Value::Secret(SecretValue::Plain(Box::new(value))) } else { value }
    };
    for (at, step) in steps.iter().enumerate() {
        while let Value::Secret(SecretValue::Plain(inner)) = value {
            (value, is_secret) = (inner, true);
        }
        let next = match (step, value) {
            (_, Value::Secret(_) | Value::Unknown) => break,
            (PathStep::Key(key), Value::Map(map)) => map.get(key),
            (PathStep::Index(index), Value::List(list)) => list.get(*index),
            (PathStep::Each, Value::List(list)) => {
                let items = list.iter().enumerate();
                let items = items.map(|(index, item)| follow(&steps[at + 1..], item, format!("{before}[{index}]")));
                let items: std::result::Result<_, Nowhere<'_>> = items.collect();
                let items =
                    items.map_err(|nowhere| Nowhere { is_secret: nowhere.is_secret || is_secret, ..nowhere })?;
                return Ok(secret(Value::List(items), is_secret));
            }
            _ => None,
        };
        let Some(next) = next else { return Err(Nowhere { before, step: step.clone(), value, is_secret }) };
        before.push_str(&step.to_string());
        value = next;
    }
    Ok(secret(value.clone(), is_secret))
}

impl fmt::Display for ValuePath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

impl fmt::Display for PathStep {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(index) => write!(out, "[{index}]"),
            Self::Each => out.write_str("[*]"),
            Self::Key(key) if is_plain(key) => write!(out, ".{key}"),
            Self::Key(key) => write!(out, "[{key:?}]"),
        }
    }
}

fn is_plain(key: &str) -> bool {
    !key.is_empty() && !key.contains(['.', '[', ']', '"'])
}

impl FromStr for ValuePath {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self> {
        let mut rest = text;
        let mut steps = Vec::new();
        while let Some(step) = next(&mut rest, steps.is_empty()) {
            steps.push(step.map_err(|why| {
                Fault::usage(format!("`{}` is not a path into an output", text.escape_debug()))
                    .cause(why)
                    .help("write it as in servers[0].ip, servers[*].ip or db[\"host name\"]")
            })?);
        }
        let mut steps = steps.into_iter();
        match steps.next() {
            Some(PathStep::Key(name)) => Ok(Self { text: text.to_owned(), name, steps: steps.collect() }),
            _ => {
                Err(Fault::usage("an output's name cannot be empty")
                    .help("name an output, or omit the name to print all"))
            }
        }
    }
}

fn next(rest: &mut &str, is_first: bool) -> Option<std::result::Result<PathStep, String>> {
    if rest.is_empty() {
        return None;
    }
    let text = *rest;
    Some(match text.strip_prefix('[') {
        Some(inside) => bracket(inside, rest),
        None => word(text, rest, is_first),
    })
}

fn word<'a>(whole: &'a str, rest: &mut &'a str, is_first: bool) -> std::result::Result<PathStep, String> {
    let text = match whole.strip_prefix('.') {
        Some(text) if !is_first => text,
        None if is_first => whole,
        _ => return Err(format!("`{}` is not allowed there", whole.escape_debug())),
    };
    let end = text.find(['.', '[']).unwrap_or(text.len());
    if end == 0 {
        return Err("a name is missing".to_owned());
    }
    *rest = &text[end..];
    Ok(PathStep::Key(text[..end].to_owned()))
}

fn bracket<'a>(inside: &'a str, rest: &mut &'a str) -> std::result::Result<PathStep, String> {
    if inside.starts_with('"') {
        let mut values = serde_json::Deserializer::from_str(inside).into_iter::<String>();
        let Some(Ok(key)) = values.next() else { return Err("a key in quotes does not end".to_owned()) };
        let Some(after) = inside[values.byte_offset()..].strip_prefix(']') else {
            return Err("a closing `]` is missing".to_owned());
        };
        *rest = after;
        return Ok(PathStep::Key(key));
    }
    let (index, after) = inside.split_once(']').ok_or("a closing `]` is missing")?;
    *rest = after;
    if index == "*" {
        return Ok(PathStep::Each);
    }
    // Without a sign, which `parse` would allow.
    let index =
        Some(index).filter(|index| index.bytes().all(|byte| byte.is_ascii_digit())).and_then(|it| it.parse().ok());
    index.map(PathStep::Index).ok_or_else(|| "an item is chosen by its number from 0, or all by `*`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::{PathStep, ValuePath};
    use crate::value::{SecretValue, Value};

    fn steps(text: &str) -> (String, Vec<PathStep>) {
        let path: ValuePath = text.parse().unwrap();
        (path.name, path.steps)
    }

    fn key(name: &str) -> PathStep {
        PathStep::Key(name.to_owned())
    }

    #[test]
    fn a_path_is_a_name_and_steps() {
        assert_eq!(steps("ip"), ("ip".to_owned(), vec![]));
        assert_eq!(steps("servers[0].ip"), ("servers".to_owned(), vec![PathStep::Index(0), key("ip")]));
        assert_eq!(steps(r#"db["host name"].x"#), ("db".to_owned(), vec![key("host name"), key("x")]));
        assert_eq!(steps(r#"["a.b"]["c\"]\u00e9"]"#), ("a.b".to_owned(), vec![key("c\"]é")]));
        assert_eq!(steps("dash-name"), ("dash-name".to_owned(), vec![]));
        assert_eq!(steps("a[*].b"), ("a".to_owned(), vec![PathStep::Each, key("b")]));
    }

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    fn server(ip: Value) -> Value {
        Value::Map([("ip".to_owned(), ip)].into())
    }

    #[test]
    fn each_item_of_a_list_is_followed() {
        let servers = Value::List(vec![server(text("a")), server(Value::List(vec![text("b"), text("c")]))]);
        let follow = |path: &str| path.parse::<ValuePath>().unwrap().follow(&servers).map_err(|nowhere| nowhere.before);
        let all = Value::List(vec![text("a"), Value::List(vec![text("b"), text("c")])]);
        assert_eq!(follow("s[*].ip"), Ok(all));
        assert_eq!(follow("s[*]"), Ok(servers.clone()));
        assert_eq!(follow("s[1].ip[*]"), Ok(Value::List(vec![text("b"), text("c")])));
        assert_eq!(follow("s[*].ip[0]"), Err("s[0].ip".to_owned()));
        assert_eq!(follow("s[*].name"), Err("s[0]".to_owned()));
        assert_eq!(follow("s[0][*]"), Err("s[0]".to_owned()));
        let none = Value::List(Vec::new());
        assert_eq!("s[*].ip".parse::<ValuePath>().unwrap().follow(&none).ok(), Some(none.clone()));
    }

    #[test]
    fn an_item_of_a_secret_is_a_secret_in_a_list_too() {
        let secret = |value| Value::Secret(SecretValue::Plain(Box::new(value)));
        let path: ValuePath = "s[*].ip".parse().unwrap();
        let whole = secret(Value::List(vec![server(text("a"))]));
        assert_eq!(path.follow(&whole).unwrap(), secret(Value::List(vec![text("a")])));
        let one = Value::List(vec![server(text("a")), secret(server(text("b")))]);
        assert_eq!(path.follow(&one).unwrap(), Value::List(vec![text("a"), secret(text("b"))]));
        // One that is still encrypted stays whole, to be followed again when it is decrypted.
        let encrypted = Value::Secret(SecretValue::Encrypted("v1".to_owned()));
        assert_eq!(path.follow(&Value::List(vec![encrypted.clone()])).unwrap(), Value::List(vec![encrypted]));
    }

    #[test]
    fn an_invalid_path_is_refused() {
        for text in [
            "",
            ".a",
            "a.",
            "a..b",
            "a[",
            "a[]",
            "a[x]",
            "a[-1]",
            "a[0",
            "a[0]b",
            "a[\"b",
            "a[\"b\"",
            "[0]",
            "a.[0]",
            "a[+1]",
            "a[ 1 ]",
            "a[99999999999999999999]",
            "a[**]",
            "[*]",
        ] {
            assert!(text.parse::<ValuePath>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_path_makes_a_variables_name() {
        assert_eq!("servers[0].ip-v4".parse::<ValuePath>().unwrap().variable(), "servers_0_ip_v4");
        assert_eq!("servers[*].ip".parse::<ValuePath>().unwrap().variable(), "servers_ip");
        assert_eq!("dash-name".parse::<ValuePath>().unwrap().variable(), "dash-name");
    }
}
