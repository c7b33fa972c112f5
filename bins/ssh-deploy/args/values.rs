//! The values of options that are more than text.

use std::str::FromStr;
use std::time::Duration;

use ssh::{Space, User};

/// `SIZE[:PATH]`: what must be free, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Floor(pub(crate) Space);

pub(super) fn floor(text: &str) -> Result<Floor, String> {
    let (size, path) = text.split_once(':').unwrap_or((text, ""));
    let digits = size.trim_end_matches(|one: char| one.is_ascii_alphabetic());
    let factor: u64 = match size[digits.len()..].to_ascii_uppercase().trim_end_matches('B').trim_end_matches('I') {
        "" => 1,
        "K" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        "T" => 1 << 40,
        _ => return Err("expected SIZE[:PATH]: 500M or 2G:/var".to_owned()),
    };
    let number: u64 = digits.parse().map_err(|_invalid| "expected SIZE[:PATH]: 500M or 2G:/var".to_owned())?;
    let bytes = number.checked_mul(factor).ok_or_else(|| "too large".to_owned())?;
    if path.chars().any(char::is_control) {
        return Err("a path has no control characters".to_owned());
    }
    Ok(Floor(Space { path: path.to_owned(), bytes }))
}

/// The name of an account, for sudo.
pub(super) fn account(text: &str) -> Result<String, String> {
    text.parse::<User>().map(|user| user.as_str().to_owned()).map_err(|fault| fault.message)
}

/// `NAME=COMMAND`.
pub(super) fn named(text: &str) -> Result<(String, String), String> {
    let (name, command) = text.split_once('=').ok_or_else(|| "not NAME=COMMAND".to_owned())?;
    let plain = |one: char| one.is_alphanumeric() || "-_.".contains(one);
    if name.is_empty() || !name.chars().all(plain) || command.trim().is_empty() {
        return Err("not NAME=COMMAND: a name has letters, digits, `-`, `_` and `.`".to_owned());
    }
    Ok((name.to_owned(), command.to_owned()))
}

/// `SRC:DEST`: a path here and one on the hosts.
pub(super) fn paths(text: &str) -> Result<(String, String), String> {
    let (source, destination) = text.rsplit_once(':').ok_or_else(|| "expected SRC:DEST".to_owned())?;
    let destination = destination.trim_end_matches('/');
    if source.is_empty() || destination.is_empty() {
        return Err("expected SRC:DEST, both of them paths".to_owned());
    }
    if destination.split('/').any(|part| part == "..") || destination.chars().any(char::is_control) {
        return Err("DEST has no `..` and no control characters".to_owned());
    }
    Ok((source.to_owned(), destination.to_owned()))
}

/// `SRC:BASE`, or `:BASE` for what is there already.
pub(super) fn release(text: &str) -> Result<(String, String), String> {
    match text.strip_prefix(':') {
        Some(base) => paths(&format!("-:{base}")).map(|(_, base)| (String::new(), base)),
        None => paths(text),
    }
}

/// A path below the release, relative.
pub(super) fn shared(text: &str) -> Result<String, String> {
    let inside =
        !text.starts_with('/') && text.split('/').all(|part| part != "..") && !text.trim_matches('/').is_empty();
    if inside && !text.chars().any(char::is_control) {
        Ok(text.to_owned())
    } else {
        Err("expected a path inside of the release, such as .env or uploads/".to_owned())
    }
}

/// The name of a release: one part of a path.
pub(super) fn release_name(text: &str) -> Result<String, String> {
    let plain = |one: char| one.is_ascii_alphanumeric() || "._-".contains(one);
    if !text.is_empty() && !text.starts_with(['.', '-']) && text.chars().all(plain) {
        Ok(text.to_owned())
    } else {
        Err("expected `previous` or the name of a release".to_owned())
    }
}

/// A time, or 0: no limit, or no wait.
pub(super) fn time_or_zero(text: &str) -> Result<Duration, String> {
    if matches!(text, "0" | "0s") { Ok(Duration::ZERO) } else { cli::time(text) }
}

/// `--fence`: the place of a run in the order of deploys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fence {
    /// This number.
    Number(u64),
    /// The number of the workflow run.
    Run,
    /// None: an older run may follow a newer one.
    None,
}

impl FromStr for Fence {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "run" => Ok(Self::Run),
            "none" => Ok(Self::None),
            number => {
                number.parse().map(Self::Number).map_err(|_invalid| "expected a number, `run` or `none`".to_owned())
            }
        }
    }
}

/// `--check-http`: what an address must answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HttpCheck {
    /// The check's name.
    pub(crate) name: String,
    /// The address; `{host}` is the host's own.
    pub(crate) url: String,
    /// The status that passes.
    pub(crate) status: u16,
    /// What the body must contain.
    pub(crate) text: Option<String>,
}

impl FromStr for HttpCheck {
    type Err = String;

    /// `NAME=URL [=STATUS] [~TEXT]`; the text may have blanks.
    fn from_str(text: &str) -> Result<Self, String> {
        let form =
            || "expected NAME=URL, then perhaps =STATUS and ~TEXT: `web=http://{host}/up =200 ~ready`".to_owned();
        let (name, rest) = named(text).map_err(|_invalid| form())?;
        let (rest, word) = match rest.split_once(" ~") {
            Some((rest, word)) if !word.is_empty() => (rest.to_owned(), Some(word.to_owned())),
            Some(_) => return Err(form()),
            None => (rest, None),
        };
        let mut parts = rest.split_ascii_whitespace();
        let url = parts.next().ok_or_else(form)?.to_owned();
        let status = match parts.next() {
            Some(status) => status.strip_prefix('=').and_then(|status| status.parse().ok()).ok_or_else(form)?,
            None => 200,
        };
        let known = url.starts_with("http://") || url.starts_with("https://");
        if !known || parts.next().is_some() || !(100..600).contains(&status) {
            return Err(form());
        }
        Ok(Self { name, url, status, text: word })
    }
}

/// `--check-tcp`: a port that must accept connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TcpCheck {
    /// The check's name.
    pub(crate) name: String,
    /// The port of the host.
    pub(crate) port: u16,
}

impl FromStr for TcpCheck {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, port) = named(text)?;
        let port = port.trim().parse().ok().filter(|port| *port != 0);
        Ok(Self { name, port: port.ok_or_else(|| "expected NAME=PORT: web=8080".to_owned())? })
    }
}

#[cfg(test)]
mod tests {
    use super::{Fence, HttpCheck, TcpCheck, floor, named};

    #[test]
    fn a_size_has_a_unit_and_may_have_a_path() {
        let parts = |text: &str| floor(text).map(|floor| (floor.0.bytes, floor.0.path)).unwrap();
        assert_eq!(parts("500M"), (500 << 20, String::new()));
        assert_eq!(parts("2GiB:/var"), (2 << 30, "/var".to_owned()));
        assert_eq!(parts("7"), (7, String::new()));
        for text in ["", "G", "2X", "-1", "99999999T"] {
            assert!(floor(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_check_has_a_name_and_a_command() {
        assert_eq!(named("web=curl -f localhost?a=b").unwrap(), ("web".to_owned(), "curl -f localhost?a=b".to_owned()));
        for text in ["web", "=x", "web=", "a b=x"] {
            assert!(named(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_http_check_expects_200_unless_it_names_another_status_and_may_look_for_a_text() {
        let check = |text: &str| text.parse::<HttpCheck>();
        let plain = check("web=http://{host}:8080/up?a=b").unwrap();
        assert_eq!((plain.url.as_str(), plain.status, plain.text), ("http://{host}:8080/up?a=b", 200, None));
        let full = check("web=https://x/ =204 ~all good").unwrap();
        assert_eq!((full.status, full.text.as_deref()), (204, Some("all good")));
        for text in
            ["web", "web=ftp://x", "web=http://x =abc", "web=http://x =999", "web=http://x 200", "web=http://x ~"]
        {
            assert!(check(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_tcp_check_has_a_port_and_a_fence_a_number_or_a_word() {
        assert_eq!("web=8080".parse::<TcpCheck>().unwrap().port, 8080);
        assert!("web=0".parse::<TcpCheck>().is_err() && "web=x".parse::<TcpCheck>().is_err());
        assert_eq!("7".parse(), Ok(Fence::Number(7)));
        assert_eq!(("run".parse(), "none".parse()), (Ok(Fence::Run), Ok(Fence::None)));
        assert!("-1".parse::<Fence>().is_err());
    }
}
