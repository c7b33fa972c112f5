//! Splits a secret into the parts that are actually sensitive (JSON leaves, URL password, PEM body).
//!
//! A document holds more than secrets: its braces, keys and words are in every log, and hiding them would ruin it. So the
//! leaves of JSON are hidden, the values of `key: value` lines, the body of a PEM block and the password of a URL. The whole
//! document is hidden too if it is a single line.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::common;

/// How many levels of documents inside documents are opened.
const DEPTH: usize = 4;

/// The shortest text whose pieces are hidden too.
const DENSE: usize = 12;

/// How much of a component must appear in the text to be hidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum MatchRule {
    /// The whole component: its pieces are words.
    Whole,
    /// Any run of eight of its bytes.
    Any,
}

/// A single line of text that is secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Component {
    pub(crate) text: Arc<str>,
    pub(crate) rule: MatchRule,
}

/// The place in which a text was found.
#[derive(Clone, Copy)]
enum Place<'a> {
    /// The value itself.
    Top,
    /// A leaf of a document, under this key.
    Leaf(&'a str),
}

/// Whether common words and short values are hidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Commonness {
    /// They are not hidden, since logs are full of them.
    Spared,
    /// They are hidden all the same.
    Hidden,
}

/// The components that were found so far.
struct Found {
    components: Vec<Component>,
    commonness: Commonness,
}

impl Found {
    fn spares(&self, text: &str) -> bool {
        text.trim().is_empty() || (self.commonness == Commonness::Spared && common::reason(text).is_some())
    }
}

/// The secret components of `value`, without duplicates; none if the value is spared as a whole.
pub(crate) fn components(value: &str, commonness: Commonness) -> Vec<Component> {
    let mut found = Found { components: Vec::new(), commonness };
    if !found.spares(value) {
        open(value, Place::Top, DEPTH, &mut found);
        if found.components.is_empty() {
            // A document of nothing but short words is a secret all the same: the user stored it as one.
            let lines = value.lines().map(str::trim).filter(|line| !found.spares(line));
            let whole = |line: &str| Component { text: line.into(), rule: MatchRule::Whole };
            found.components = lines.map(whole).collect();
        }
    }
    unique(found.components)
}

/// Removes duplicates; of two components with the same text, the stricter rule is kept.
fn unique(components: Vec<Component>) -> Vec<Component> {
    let mut places: HashMap<Arc<str>, usize> = HashMap::with_capacity(components.len());
    let mut unique: Vec<Component> = Vec::with_capacity(components.len());
    for component in components {
        match places.entry(Arc::clone(&component.text)) {
            Entry::Occupied(known) => {
                let known = &mut unique[*known.get()];
                known.rule = known.rule.max(component.rule);
            }
            Entry::Vacant(place) => {
                place.insert(unique.len());
                unique.push(component);
            }
        }
    }
    unique
}

fn open(text: &str, place: Place<'_>, depth: usize, found: &mut Found) {
    let text = text.trim();
    let Some(depth) = depth.checked_sub(1) else { return single(text, place, found) };
    if let Some(document) = json(text) {
        if !text.contains(['\n', '\r']) {
            whole(text, found);
        }
        return leaves(&document, "", depth, found);
    }
    if text.contains(['\n', '\r']) {
        return lines(text, depth, found);
    }
    if url(text, place, depth, found) || pairs(text, depth, found) {
        return;
    }
    if let Some(inner) = base64_document(text) {
        open(&inner, place, depth, found);
    }
    single(text, place, found);
}

/// Parses a JSON object or array; a bare number or string is a value like any other.
fn json(text: &str) -> Option<Value> {
    text.starts_with(['{', '[']).then(|| serde_json::from_str(text).ok()).flatten()
}

fn leaves(document: &Value, key: &str, depth: usize, found: &mut Found) {
    match document {
        Value::Object(object) => object.iter().for_each(|(key, value)| leaves(value, key, depth, found)),
        Value::Array(array) => array.iter().for_each(|value| leaves(value, key, depth, found)),
        Value::String(text) => open(text, Place::Leaf(key), depth, found),
        Value::Number(number) => open(&number.to_string(), Place::Leaf(key), 0, found),
        Value::Bool(_) | Value::Null => {}
    }
}

fn lines(text: &str, depth: usize, found: &mut Found) {
    let mut in_pem = false;
    for line in text.split(['\n', '\r']).map(str::trim).filter(|line| !line.is_empty()) {
        if line.starts_with("-----") {
            in_pem = line.starts_with("-----BEGIN ");
        } else if in_pem {
            // The last line may be short, and no longer text contains it, so it is hidden from four characters on.
            single(line, Place::Top, found);
        } else if let Some((key, value)) = assignment(line) {
            open(unquoted(value), Place::Leaf(key), depth, found);
        } else if line.bytes().any(|byte| byte.is_ascii_alphanumeric()) {
            open(line, Place::Leaf(""), depth, found);
        }
    }
}

/// `key: value`, `key = value`, `- key: value`, `export KEY=value`.
fn assignment(line: &str) -> Option<(&str, &str)> {
    let line = line.trim_start_matches("- ").trim_start_matches("export ").trim_end_matches(',');
    let at = line.find([':', '='])?;
    let (key, value) = (line[..at].trim().trim_matches('"'), &line[at + 1..]);
    let is_key = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    (is_key && !value.starts_with("//")).then(|| (key, value.trim()))
}

fn unquoted(text: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(inner) = text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
            return inner;
        }
    }
    text
}

/// Splits `scheme://user:password@host/path?name=value`: the whole, the password, and what looks random in the rest.
fn url(text: &str, place: Place<'_>, depth: usize, found: &mut Found) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    let is_scheme = |scheme: &str| {
        !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    };
    if !is_scheme(scheme) || text.contains(' ') {
        return false;
    }
    let before = found.components.len();
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    // A password may hold an unescaped slash or question mark: the last `@` decides.
    let (credentials, tail) = match rest.rfind('@') {
        Some(at) if at < end || !rest[..at].contains("://") => (Some(&rest[..at]), &rest[at + 1..]),
        _ => (None, rest),
    };
    if let Some(credentials) = credentials {
        let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
        for text in [password, &percent_decoded(password)] {
            if !found.spares(text) {
                found.components.push(Component { text: text.into(), rule: rule(text) });
            }
        }
        if is_dense(user) {
            single(user, Place::Top, found);
        }
    }
    for piece in tail.split(['/', '?', '&', '#', ';', '=']).filter(|piece| is_dense(piece)) {
        // A host or a path of words is not secret; a token in it is.
        if piece.bytes().any(|byte| byte.is_ascii_digit()) && !piece.contains('.') {
            open(&percent_decoded(piece), Place::Leaf(""), depth, found);
            single(piece, Place::Leaf(""), found);
        }
    }
    // A leaf that is only the address of a service is not secret.
    if found.components.len() > before || matches!(place, Place::Top) {
        whole(text, found);
    }
    true
}

/// Splits `Server=db;User Id=app;Password=x`: the values, and the whole.
fn pairs(text: &str, depth: usize, found: &mut Found) -> bool {
    let pieces: Vec<&str> = text.split(';').filter(|piece| !piece.trim().is_empty()).collect();
    let is_pair = |piece: &&str| {
        piece.split_once('=').is_some_and(|(key, _)| {
            !key.trim().is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b" _-".contains(&byte))
        })
    };
    if pieces.len() < 2 || !pieces.iter().all(is_pair) {
        return false;
    }
    for (key, value) in pieces.iter().filter_map(|piece| piece.split_once('=')) {
        open(unquoted(value.trim()), Place::Leaf(key), depth, found);
    }
    whole(text, found);
    true
}

/// Decodes the document in a base64 text, if there is one: key files are often stored this way.
fn base64_document(text: &str) -> Option<String> {
    if text.len() < 24 || !text.len().is_multiple_of(4) {
        return None;
    }
    let inner = String::from_utf8(STANDARD.decode(text).ok()?).ok()?;
    let is_document = json(inner.trim()).is_some() || inner.contains("-----BEGIN ") || inner.contains("://");
    is_document.then_some(inner)
}

fn whole(text: &str, found: &mut Found) {
    found.components.push(Component { text: text.into(), rule: MatchRule::Whole });
}

fn single(text: &str, place: Place<'_>, found: &mut Found) {
    if found.spares(text) || matches!(place, Place::Leaf(key) if !is_secret_leaf(key, text)) {
        return;
    }
    found.components.push(Component { text: text.into(), rule: rule(text) });
}

/// A leaf of a document is secret if its key names a secret, or if it is not made of usual words.
fn is_secret_leaf(key: &str, text: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let key_names_one =
        ["pass", "pwd", "secret", "token", "key", "credential", "auth", "cert", "salt", "signature", "dsn"];
    if key_names_one.iter().any(|word| key.contains(word)) {
        return true;
    }
    let is_name = |text: &str| {
        text.split(['.', '-', '_', '/', ':', '@', ' ']).all(|word| {
            word.is_empty()
                || (word.bytes().all(|byte| byte.is_ascii_alphabetic()) && word.len() < 20)
                || word.len() < 4
        })
    };
    text.len() >= 6 && !is_name(text)
}

fn rule(text: &str) -> MatchRule {
    if is_dense(text) { MatchRule::Any } else { MatchRule::Whole }
}

/// Whether a text is long and random enough that a piece of it identifies it.
fn is_dense(text: &str) -> bool {
    text.len() >= DENSE && text.as_bytes().windows(8).any(|window| !common::is_usual(window))
}

fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex =
            text.get(at + 1..at + 3).filter(|_| bytes[at] == b'%').and_then(|hex| u8::from_str_radix(hex, 16).ok());
        out.push(hex.unwrap_or(bytes[at]));
        at += if hex.is_some() { 3 } else { 1 };
    }
    // If it does not decode to text, it was not encoded.
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Commonness, Component, MatchRule};

    fn components(value: &str) -> Vec<Component> {
        super::components(value, Commonness::Spared)
    }

    fn texts(value: &str) -> Vec<String> {
        components(value).into_iter().map(|component| component.text.to_string()).collect()
    }

    #[test]
    fn of_a_url_the_password_is_secret_and_its_host_alone_is_not() {
        let found = components("postgres://shop:Tr0ub4dor%263xyz@db.internal:5432/shop");
        let texts: Vec<_> = found.iter().map(|component| (&*component.text, component.rule)).collect();
        assert_eq!(
            texts,
            [
                ("Tr0ub4dor%263xyz", MatchRule::Any),
                ("Tr0ub4dor&3xyz", MatchRule::Any),
                ("postgres://shop:Tr0ub4dor%263xyz@db.internal:5432/shop", MatchRule::Whole)
            ]
        );
    }

    #[test]
    fn of_a_document_the_leaves_are_secret_and_its_braces_and_words_are_not() {
        let found = texts(
            "{\n  \"type\": \"service_account\",\n  \"password\": \"hunter2\",\n  \"n\": [1, true, \"x9$kQ2!\"]\n}",
        );
        assert_eq!(found, ["x9$kQ2!", "hunter2"]);
    }

    #[test]
    fn of_a_pem_block_the_body_is_secret() {
        let pem = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEF\nAASC\n-----END PRIVATE KEY-----\n";
        assert_eq!(texts(pem), ["MIIEvQIBADANBgkqhkiG9w0BAQEF", "AASC"]);
        assert_eq!(
            texts(&serde_json::json!({ "private_key": pem }).to_string())[1..],
            ["MIIEvQIBADANBgkqhkiG9w0BAQEF", "AASC"]
        );
    }

    #[test]
    fn of_assignments_the_values_are_secret() {
        assert_eq!(texts("kind: Config\ntoken: \"abcd-1234\"\nuser = admin\n"), ["abcd-1234"]);
        assert_eq!(texts("Server=db.internal;User Id=app;Password=x9$kQ2!")[0], "x9$kQ2!");
    }

    #[test]
    fn a_document_in_base64_is_opened() {
        let found = texts("eyJwYXNzd29yZCI6Imh1bnRlcjItU0VDUkVUIn0=");
        assert!(found.contains(&"hunter2-SECRET".to_owned()), "{found:?}");
    }

    #[test]
    fn a_value_of_short_lines_is_hidden_line_by_line() {
        assert_eq!(texts("abcd\nefgh\n"), ["abcd", "efgh"]);
        assert_eq!(texts("true"), Vec::<String>::new());
    }
}
