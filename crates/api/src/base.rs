//! The address of a service: https, or plain http to this machine only, so that no token crosses a network in the clear.
//! A cloud's metadata service, which has no certificate, may be on the machine's own link.

use std::fmt;
use std::str::FromStr;

use fault::Fault;
use url::{Host, Url};

/// An API's base URL, its path included, without a trailing slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base(Url);

impl Base {
    /// The address of a metadata service: as any other, and plain http to a link-local address (RFC 3927), which no router
    /// forwards.
    ///
    /// # Errors
    /// [`fault::Kind::Usage`] for any other address.
    pub fn nearby(text: &str) -> Result<Self, Fault> {
        match Url::parse(text.trim()) {
            Ok(url) if url.scheme() == "http" && is_link_local(&url) && url.username().is_empty() => Ok(Self(url)),
            _ => text.parse(),
        }
    }

    /// Plain http, hence loopback or nearby.
    #[must_use]
    pub(crate) fn is_plain_http(&self) -> bool {
        self.0.scheme() == "http"
    }

    /// On this machine, where a refused connection does not get better.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.0)
    }

    pub(crate) fn domain(&self) -> Option<&str> {
        self.0.domain()
    }

    pub(crate) fn join(&self, path: &str) -> String {
        format!("{}{path}", self.0.as_str().trim_end_matches('/'))
    }
}

impl FromStr for Base {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let refuse = |why: &str| Err(Fault::usage(format!("`{}` cannot be an API's address", shown(text))).cause(why));
        let url = match Url::parse(text.trim()) {
            Ok(url) => url,
            Err(error) => return refuse(&error.to_string()),
        };
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
            return refuse("it holds a user name, a query or a fragment");
        }
        match url.scheme() {
            "https" => Ok(Self(url)),
            "http" if is_loopback(&url) => Ok(Self(url)),
            "http" => refuse("plain http is for loopback addresses only: a token would be readable on the way"),
            _ => refuse("only https is spoken"),
        }
    }
}

impl fmt::Display for Base {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

fn is_link_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_link_local(),
        // Where AWS's services stand for IPv6, and Google's name for its own.
        Some(Host::Ipv6(address)) => address.is_unicast_link_local() || address.segments()[..2] == [0xfd00, 0x0ec2],
        Some(Host::Domain(name)) => name == "metadata.google.internal",
        None => false,
    }
}

/// The text up to where a secret could stand: user info or a query.
fn shown(text: &str) -> &str {
    let end = text.find(['?', '#']).unwrap_or(text.len());
    let text = &text[..end];
    text.rfind('@').map_or(text, |at| &text[at + 1..])
}

#[cfg(test)]
mod tests {
    use super::Base;

    #[test]
    fn plain_http_is_refused_except_to_loopback() {
        for address in ["http://127.0.0.1:8080", "http://[::1]:1", "http://localhost/client/v4", "http://a.localhost:9"]
        {
            assert!(address.parse::<Base>().is_ok(), "{address}");
        }
        for address in ["http://api.doppler.com", "http://10.0.0.1", "ftp://x", "api.doppler.com", ""] {
            assert!(address.parse::<Base>().is_err(), "{address}");
        }
    }

    #[test]
    fn a_metadata_service_may_stand_on_the_machines_own_link_only() {
        for address in
            ["http://169.254.169.254", "http://[fd00:ec2::254]", "http://metadata.google.internal", "http://[::1]:9"]
        {
            assert!(Base::nearby(address).is_ok(), "{address}");
        }
        for address in ["http://169.253.0.1", "http://example.com", "http://u@169.254.169.254", "ftp://169.254.169.254"]
        {
            assert!(Base::nearby(address).is_err(), "{address}");
        }
        assert!("http://169.254.169.254".parse::<Base>().is_err());
    }

    #[test]
    fn a_password_in_an_address_is_not_repeated_in_the_error() {
        let fault = "http://user:hunter2@example.com?k=hunter2".parse::<Base>().unwrap_err();
        assert!(!format!("{fault:?}").contains("hunter2"));
    }

    #[test]
    fn a_path_follows_the_base_with_one_slash() {
        let base: Base = "https://api.cloudflare.com/client/v4/".parse().unwrap();
        assert_eq!(base.join("/accounts"), "https://api.cloudflare.com/client/v4/accounts");
    }
}
