//! The list of servers as people and programs write it: a host a line, or JSON as `stack-output --format json` prints it.
//!
//! An empty list is an error, because a deploy to nothing must not look like success; a host named twice is one, because its
//! second deploy would race the first.

use std::collections::{BTreeMap, BTreeSet};

use fault::{Fault, Result};
use serde_json::{Map, Value};

use crate::target::port;
use crate::text::quoted;
use crate::{Address, HostKey, Target, User};

/// The servers of a text: JSON where it begins like JSON, else lines of `[user@]host[:port] [HOST-KEY]`, with `#` comments.
///
/// # Errors
/// A usage fault that names the line or item that is malformed.
pub fn parse(text: &str) -> Result<Vec<Target>> {
    let text = text.trim_start_matches('\u{feff}').trim();
    // `[` also begins an IPv6 address in brackets, and the mask `[secret]`.
    let json = text.starts_with(['{', '"']) || (text.starts_with('[') && serde_json::from_str::<Value>(text).is_ok());
    if json || text.starts_with("[\"") || text.starts_with("[{") {
        let value = serde_json::from_str(text)
            .map_err(|error| Fault::usage("the list of hosts is not valid JSON").cause(error.to_string()))?;
        return of_json(&value);
    }
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
    let wanted = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    wanted
        .map(|(number, line)| of_line(line).map_err(|fault| fault.context(format!("line {number} is no host"))))
        .collect()
}

/// One server from `[user@]host[:port] [HOST-KEY]`.
///
/// # Errors
/// A usage fault that names the text.
pub fn of_line(line: &str) -> Result<Target> {
    if line.trim().contains(['\n', '\r']) {
        return Err(Fault::usage("a text of several lines is not a host").help("give one host a line on stdin"));
    }
    if line.contains("-----BEGIN") {
        return Err(Fault::usage("this is a key, not a host"));
    }
    let (address, key) = line.trim().split_once([' ', '\t']).unwrap_or((line.trim(), ""));
    let address: Address = address.parse()?;
    let host_keys = if key.trim().is_empty() { Vec::new() } else { HostKey::all_of(key)? };
    Ok(Target { name: address.to_string(), address, host_keys, labels: BTreeMap::new() })
}

/// `targets`, each with `user` where it names none itself.
///
/// # Errors
/// A usage fault for an empty list, a host or a name given twice.
pub fn complete(mut targets: Vec<Target>, user: Option<&User>) -> Result<Vec<Target>> {
    if targets.is_empty() {
        return Err(
            Fault::usage("the list of hosts is empty").help("give hosts as arguments or on stdin, one per line")
        );
    }
    let mut places: BTreeMap<String, String> = BTreeMap::new();
    let mut names: BTreeSet<String> = BTreeSet::new();
    for target in &mut targets {
        if target.address.user.is_none() {
            target.address.user = user.cloned();
        }
        let host = target.address.host.as_str().to_ascii_lowercase();
        let place = format!("{host} {}", target.address.port.unwrap_or(22));
        if let Some(other) = places.insert(place, target.name.clone()) {
            let which =
                if other == target.name { String::new() } else { format!(" (as `{other}` and `{}`)", target.name) };
            return Err(Fault::usage(format!("the host {} is given twice{which}", target.address)));
        }
        if !names.insert(target.name.clone()) {
            return Err(Fault::usage(format!("two hosts are named {}", quoted(&target.name))));
        }
    }
    Ok(targets)
}

fn of_json(value: &Value) -> Result<Vec<Target>> {
    match value {
        Value::Array(items) => {
            items.iter().enumerate().map(|(index, item)| of_item(item, &format!("item {}", index + 1), None)).collect()
        }
        Value::Object(map) if !map.contains_key("host") => {
            map.iter().map(|(name, item)| of_item(item, &format!("the entry {}", quoted(name)), Some(name))).collect()
        }
        one => Ok(vec![of_item(one, "the value", None)?]),
    }
}

fn of_item(item: &Value, place: &str, name: Option<&str>) -> Result<Target> {
    let target = match item {
        Value::String(text) => of_line(text),
        Value::Object(fields) => of_object(fields),
        other => Err(Fault::usage(format!("{} is neither text nor an object with `host`", quoted(&other.to_string())))),
    };
    let mut target = target.map_err(|fault| fault.context(format!("{place} of the JSON is no host")))?;
    let named = matches!(item, Value::Object(fields) if fields.contains_key("name"));
    if let Some(name) = name.filter(|_| !named) {
        target.name = checked_name(name)?;
    }
    Ok(target)
}

fn of_object(fields: &Map<String, Value>) -> Result<Target> {
    let host = text(fields, "host")?.ok_or_else(|| Fault::usage("it has no `host`"))?;
    let mut target = of_line(&host)?;
    if let Some(user) = text(fields, "user")? {
        target.address.user = Some(user.parse()?);
    }
    if let Some(number) = text(fields, "port")? {
        target.address.port = Some(port(&number)?);
    }
    if let Some(key) = fields.get("host_key").filter(|key| !key.is_null()) {
        let lines: Vec<&str> = match key {
            Value::String(line) => vec![line],
            Value::Array(lines) => lines.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        target.host_keys = HostKey::all_of(&lines.join("\n"))?;
    }
    if let Some(Value::Object(labels)) = fields.get("labels") {
        let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        target.labels = labels.iter().map(|(name, value)| (name.clone(), plain(value))).collect();
    }
    target.name = match text(fields, "name")? {
        Some(name) => checked_name(&name)?,
        None => target.address.to_string(),
    };
    Ok(target)
}

/// A field's text; a number counts as its digits, an empty text and `null` as not given.
fn text(fields: &Map<String, Value>, name: &str) -> Result<Option<String>> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(other) => Err(Fault::usage(format!("its `{name}` is {}, which is not text", quoted(&other.to_string())))),
    }
}

/// A name labels every line and is part of records: printable, short, without spaces.
fn checked_name(name: &str) -> Result<String> {
    if name.is_empty() || name.chars().count() > 100 || name.chars().any(|one| one.is_control() || one.is_whitespace())
    {
        return Err(Fault::usage(format!("{} is not a name for a host", quoted(name))));
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{complete, parse};

    fn names(text: &str) -> Vec<String> {
        parse(text).unwrap().into_iter().map(|target| target.name).collect()
    }

    fn refusal(text: &str) -> String {
        let fault = parse(text).and_then(|targets| complete(targets, None)).unwrap_err();
        assert_eq!(fault.kind, fault::Kind::Usage);
        format!("{}: {}", fault.message, fault.causes.join(": "))
    }

    #[test]
    fn lines_json_texts_lists_objects_and_maps_are_lists_of_hosts() {
        assert_eq!(
            names("10.0.0.7\n# old\n\n deploy@10.0.0.8:2222 \r\n[::1]:22\n"),
            ["10.0.0.7", "10.0.0.8:2222", "[::1]:22"]
        );
        assert_eq!(names("\"10.0.0.7\""), ["10.0.0.7"]);
        assert_eq!(names(r#"["a", {"host": "b", "port": 2222}, {"host":"c","name":"web"}]"#), ["a", "b:2222", "web"]);
        assert_eq!(names(r#"{"host": "10.0.0.7", "id": 3, "user": null}"#), ["10.0.0.7"]);
        assert_eq!(names(r#"{"web1": {"host": "10.0.0.7"}, "web2": "10.0.0.8"}"#), ["web1", "web2"]);
        assert_eq!(names("[2001:db8::1]"), ["2001:db8::1"]);
    }

    #[test]
    fn a_hosts_key_travels_beside_it() {
        let key = "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU";
        assert_eq!(parse(&format!("web1 {key}")).unwrap()[0].host_keys[0].fingerprint(), key);
        assert_eq!(parse(&format!(r#"{{"host":"web1","host_key":["{key}"]}}"#)).unwrap()[0].host_keys.len(), 1);
        assert!(refusal(r#"[{"host":"web1","host_key":7}]"#).contains("the host key is empty"));
    }

    #[test]
    fn what_is_no_list_of_hosts_is_refused_with_its_place() {
        assert!(refusal("").contains("the list of hosts is empty"));
        assert!(refusal("[]").contains("the list of hosts is empty"));
        assert!(refusal("{}").contains("the list of hosts is empty"));
        assert!(refusal("web1\n[secret]").starts_with("line 2 is no host: `[secret]` is the mask"));
        assert!(refusal("[secret]").contains("the mask of a secret"));
        assert!(refusal("[\"a\"").contains("not valid JSON"));
        assert!(refusal("[\"a\\nb\"]").starts_with("item 1 of the JSON is no host: a text of several lines"));
        assert!(refusal("[null]").contains("item 1"));
        assert!(refusal(r#"{"web1": {"hots": "x"}}"#).contains("it has no `host`"));
        assert!(refusal(r#"{"web1": {"host": "x", "port": "0x"}}"#).contains("is not a port"));
        assert!(refusal("-----BEGIN OPENSSH PRIVATE KEY-----").contains("this is a key"));
    }

    #[test]
    fn a_host_given_twice_is_refused() {
        assert!(refusal("web1\nroot@WEB1:22").contains("the host WEB1:22 is given twice"));
        assert!(refusal(r#"[{"host":"a","name":"x"},{"host":"b","name":"x"}]"#).contains("two hosts are named `x`"));
        assert_eq!(parse("web1:22\nweb1:2222").and_then(|all| complete(all, None)).unwrap().len(), 2);
    }

    #[test]
    fn the_user_of_a_line_beats_the_default() {
        let deploy = "deploy".parse().unwrap();
        let all = complete(parse("root@a\nb").unwrap(), Some(&deploy)).unwrap();
        let users: Vec<&str> =
            all.iter().filter_map(|one| one.address.user.as_ref()).map(super::User::as_str).collect();
        assert_eq!(users, ["root", "deploy"]);
    }
}
