//! Where to deploy: one server, parsed once and never looked at as text again.
//!
//! A host name ends up in ssh's argument list, and through `%h` in a user's `ProxyCommand` in a shell (CVE-2023-51385): only
//! the characters of DNS names, addresses and `~/.ssh/config` aliases get through.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;
use std::str::FromStr;

use fault::{Fault, Result};

use crate::HostKey;
use crate::text::quoted;

/// One server and how to reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// What it is called in labels and records; unique in a run.
    pub name: String,
    /// Where it is.
    pub address: Address,
    /// The keys it may show; empty where the known-hosts files decide.
    pub host_keys: Vec<HostKey>,
    /// The input's description of it, for people and later selection.
    pub labels: BTreeMap<String, String>,
}

/// `[user@]host[:port]`, an IPv6 address with a port in brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The login; ssh's own default where it is `None`.
    pub user: Option<User>,
    /// A DNS name, an address without brackets, or an alias of `~/.ssh/config`.
    pub host: Host,
    /// The port; ssh's own default where it is `None`.
    pub port: Option<u16>,
}

/// A login name that can stand in an argument list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User(String);

/// A host name or address that can stand in an argument list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host(String);

impl User {
    /// The name as ssh takes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Host {
    /// The name as ssh takes it: an IPv6 address without brackets.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for User {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self> {
        let allowed = |character: char| character.is_ascii_alphanumeric() || "._-+@\\$".contains(character);
        if text.is_empty() || text.len() > 128 || text.starts_with('-') || !text.chars().all(allowed) {
            return Err(Fault::usage(format!("{} is not a user name", quoted(text))));
        }
        Ok(Self(text.to_owned()))
    }
}

impl FromStr for Host {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self> {
        if let Some(what) = placeholder(text) {
            return Err(Fault::usage(format!("{} is {what}, not a host", quoted(text)))
                .help("pass the output's plain value: `stack-output NAME --show-secrets` prints a secret one"));
        }
        let name = |character: char| character.is_ascii_alphanumeric() || "._-".contains(character);
        let address = text.split('%').next().is_some_and(|address| address.parse::<Ipv6Addr>().is_ok())
            && text.split_once('%').is_none_or(|(_, zone)| !zone.is_empty() && zone.chars().all(name));
        let host = address || (text.chars().all(name) && text.chars().any(|one| one.is_ascii_alphanumeric()));
        if !host || text.starts_with('-') || text.len() > 253 {
            return Err(Fault::usage(format!("{} is not a host name or address", quoted(text))));
        }
        Ok(Self(text.to_owned()))
    }
}

impl FromStr for Address {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self> {
        let text = text.strip_prefix("ssh://").unwrap_or(text);
        // A user may hold an `@` (`user@domain`), a host never does.
        let (user, rest) = match text.rsplit_once('@') {
            Some((user, rest)) => (Some(user.parse()?), rest),
            None => (None, text),
        };
        let (host, port) = split_port(rest)?;
        Ok(Self { user, host: host.parse()?, port })
    }
}

impl std::fmt::Display for Address {
    /// `host`, `host:port` or `[v6]:port`: how the server is named where it has no other name.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.port, self.host.0.contains(':')) {
            (Some(port), true) => write!(out, "[{}]:{port}", self.host.0),
            (Some(port), false) => write!(out, "{}:{port}", self.host.0),
            (None, _) => out.write_str(&self.host.0),
        }
    }
}

/// A port number of 1 to 65535.
///
/// # Errors
/// A usage fault that names the text.
pub(crate) fn port(text: &str) -> Result<u16> {
    let number = text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    number.filter(|number| *number != 0).ok_or_else(|| Fault::usage(format!("{} is not a port", quoted(text))))
}

fn split_port(text: &str) -> Result<(&str, Option<u16>)> {
    if text.parse::<Ipv6Addr>().is_ok() || text.contains('%') && !text.starts_with('[') {
        return Ok((text, None));
    }
    // Only an IPv6 address is in brackets; `[secret]` is kept as it is and reported by its name.
    if let Some((host, rest)) = text.strip_prefix('[').and_then(|inner| inner.split_once(']'))
        && host.contains(':')
    {
        return match rest.strip_prefix(':') {
            Some(digits) => Ok((host, Some(port(digits)?))),
            None if rest.is_empty() => Ok((host, None)),
            None => Err(Fault::usage(format!("{} is not a host name or address", quoted(text)))),
        };
    }
    match text.split_once(':') {
        Some((host, digits)) => Ok((host, Some(port(digits)?))),
        None => Ok((text, None)),
    }
}

/// What infrastructure tools print instead of a value: a secret's mask, an unknown value's GUID.
fn placeholder(text: &str) -> Option<&'static str> {
    let groups: Vec<usize> = text.split('-').map(str::len).collect();
    let hexadecimal = text.chars().all(|character| character.is_ascii_hexdigit() || character == '-');
    if hexadecimal && (groups == [8, 4, 4, 4, 12] || groups == [32]) {
        return Some("a GUID: the mark of a secret or unknown value");
    }
    match text {
        "[secret]" | "(sensitive value)" | "(sensitive)" | "***" | "<sensitive>" => Some("the mask of a secret value"),
        "null" | "undefined" | "None" | "(known after apply)" => Some("the mark of a missing value"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Address, Host, User};

    fn parts(text: &str) -> (Option<String>, String, Option<u16>) {
        let address: Address = text.parse().unwrap();
        (address.user.map(|user| user.as_str().to_owned()), address.host.as_str().to_owned(), address.port)
    }

    #[test]
    fn every_spelling_of_an_address_is_understood() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(parts("web1"), (None, "web1".to_owned(), None));
        assert_eq!(parts("deploy@10.0.0.7:2222"), (some("deploy"), "10.0.0.7".to_owned(), Some(2222)));
        assert_eq!(parts("u@corp.example@web1"), (some("u@corp.example"), "web1".to_owned(), None));
        assert_eq!(parts("::1"), (None, "::1".to_owned(), None));
        assert_eq!(parts("root@[2001:db8::7]:2222"), (some("root"), "2001:db8::7".to_owned(), Some(2222)));
        assert_eq!(parts("[2001:db8::7]"), (None, "2001:db8::7".to_owned(), None));
        assert_eq!(parts("fe80::1%eth0"), (None, "fe80::1%eth0".to_owned(), None));
        assert_eq!(parts("ssh://a@b:22"), (some("a"), "b".to_owned(), Some(22)));
    }

    #[test]
    fn what_a_stack_prints_instead_of_a_value_is_named() {
        let message = |text: &str| text.parse::<Address>().unwrap_err().message;
        assert_eq!(message("[secret]"), "`[secret]` is the mask of a secret value, not a host");
        assert!(message("04da6b54-80e4-46f7-96ec-b56ff0331ba9").contains("a GUID"));
        assert!(message("4dabf18193072939515e22adb298388d").contains("a GUID"));
        assert!(message("null").contains("missing value"));
    }

    #[test]
    fn text_that_could_be_an_option_or_shell_is_refused() {
        for text in [
            "-oProxyCommand=x",
            "a b",
            "$(id)",
            "a;b",
            "",
            "@",
            "u@",
            "-",
            ".",
            "web1:0",
            "web1:65536",
            "web1:+2",
            "[::1]x",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
        assert!("-l".parse::<User>().is_err() && "a b".parse::<User>().is_err());
    }

    proptest! {
        #[test]
        fn whatever_parses_is_harmless_in_an_argument_list(text in "\\PC{0,20}") {
            if let Ok(host) = text.parse::<Host>() {
                prop_assert!(!host.as_str().starts_with('-'));
                prop_assert!(host.as_str().chars().all(|one| one.is_ascii_alphanumeric() || "._-:%".contains(one)));
            }
        }

        #[test]
        fn an_address_survives_being_printed(host in "[a-z][a-z0-9.]{0,9}", port in proptest::option::of(1u16..)) {
            let address = Address { user: None, host: host.parse().unwrap(), port };
            prop_assert_eq!(address.to_string().parse::<Address>().unwrap(), address);
        }
    }
}
