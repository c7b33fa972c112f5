//! The name of an image: registry, repository, tag or digest.

use std::fmt;
use std::str::FromStr;

/// `[REGISTRY/]REPOSITORY[:TAG][@DIGEST]`, as Docker reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The registry's host, with its port: `docker.io`, `ghcr.io`, `127.0.0.1:5000`.
    pub registry: String,
    /// The repository in it: `library/nginx`, `acme/app`.
    pub repository: String,
    /// The tag, if one is given.
    pub tag: Option<String>,
    /// The digest, if one is given: `sha256:…`.
    pub digest: Option<String>,
    /// The name as it was given, without tag and digest.
    name: String,
}

impl Reference {
    /// The name as it was given, with this digest.
    #[must_use]
    pub fn pinned(&self, digest: &str) -> String {
        format!("{}@{digest}", self.name)
    }

    /// Whether two references name the same repository: `nginx` and `docker.io/library/nginx` do.
    #[must_use]
    pub fn same_repository(&self, other: &Self) -> bool {
        self.registry == other.registry && self.repository == other.repository
    }

    /// The tag that is asked for: `latest` if neither a tag nor a digest is given.
    #[must_use]
    pub fn tag_or_latest(&self) -> Option<&str> {
        match (&self.tag, &self.digest) {
            (Some(tag), _) => Some(tag),
            (None, Some(_)) => None,
            (None, None) => Some("latest"),
        }
    }

    /// Whether the registry is this machine, where plain http is spoken.
    #[must_use]
    pub(crate) fn is_loopback(&self) -> bool {
        is_loopback(&self.registry)
    }
}

/// Whether a host with an optional port is this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    crate::names::is_localhost(name) || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Whether this is a digest: an algorithm and its hexadecimal digits.
#[must_use]
pub fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:")
        .is_some_and(|hash| hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

impl FromStr for Reference {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) if is_digest(digest) => (rest, Some(digest.to_lowercase())),
            Some(_) => return Err("what follows the `@` is not a digest (sha256: and 64 digits)".to_owned()),
            None => (text, None),
        };
        // A colon after the last slash begins a tag, one before it a port.
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag.to_owned())),
            _ => (rest, None),
        };
        if tag.as_deref().is_some_and(|tag| !is_tag(tag)) {
            return Err("the tag is empty or not one: is an expression or a variable empty?".to_owned());
        }
        let (registry, repository) = match name.split_once('/') {
            Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => {
                (host.to_lowercase(), path.to_owned())
            }
            _ => ("docker.io".to_owned(), name.to_owned()),
        };
        let registry = if registry == "index.docker.io" { "docker.io".to_owned() } else { registry };
        let is_short = registry == "docker.io" && !repository.contains('/');
        let repository = if is_short { format!("library/{repository}") } else { repository };
        let is_path = |part: &str| {
            !part.is_empty()
                && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte))
        };
        if !repository.split('/').all(is_path) {
            return Err("not the name of an image: [REGISTRY/]NAME[:TAG][@DIGEST], in lower case".to_owned());
        }
        Ok(Self { registry, repository, tag, digest, name: name.to_owned() })
    }
}

fn is_tag(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

impl fmt::Display for Reference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.name)?;
        if let Some(tag) = &self.tag {
            write!(out, ":{tag}")?;
        }
        self.digest.iter().try_for_each(|digest| write!(out, "@{digest}"))
    }
}

#[cfg(test)]
mod tests {
    use super::Reference;

    #[test]
    fn names_are_read_as_docker_reads_them() {
        let digest = format!("sha256:{}", "a".repeat(64));
        for (text, registry, repository, tag) in [
            ("nginx", "docker.io", "library/nginx", None),
            ("acme/app:1", "docker.io", "acme/app", Some("1")),
            ("ghcr.io/acme/app:sha-abc", "ghcr.io", "acme/app", Some("sha-abc")),
            ("127.0.0.1:5000/app:v1", "127.0.0.1:5000", "app", Some("v1")),
            ("localhost/app", "localhost", "app", None),
            ("[::1]:5000/app", "[::1]:5000", "app", None),
        ] {
            let found: Reference = text.parse().unwrap();
            assert_eq!(
                (found.registry.as_str(), found.repository.as_str(), found.tag.as_deref()),
                (registry, repository, tag),
                "{text}"
            );
            assert_eq!(found.to_string(), text);
            assert_eq!(format!("{text}@{digest}").parse::<Reference>().unwrap().digest, Some(digest.clone()));
        }
        for bad in ["", "ghcr.io/acme/app:", "App", "a b", "ghcr.io/", "app@sha256:1", "app:a b", "app@"] {
            assert!(bad.parse::<Reference>().is_err(), "{bad}");
        }
    }

    #[test]
    fn only_this_machine_is_loopback() {
        for (name, expected) in [
            ("localhost:5000", true),
            ("127.0.0.1:1", true),
            ("[::1]:5000", true),
            ("ghcr.io", false),
            ("localhost.evil.example:1", false),
        ] {
            assert_eq!(super::is_loopback(name), expected, "{name}");
        }
    }
}
