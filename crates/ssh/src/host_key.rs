//! A server's public key as it travels beside the server's address: a key line, or the fingerprint of one.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use fault::{Fault, Result};

use crate::text::quoted;

/// What a server's key must be.
#[derive(Clone, PartialEq, Eq)]
pub enum HostKey {
    /// The whole key, as in a `.pub` or known-hosts file.
    Key {
        /// The key's type, such as `ssh-ed25519`.
        kind: String,
        /// The key's base64, as OpenSSH writes it.
        base64: String,
    },
    /// OpenSSH's `SHA256:` fingerprint.
    Fingerprint(String),
}

impl HostKey {
    /// `SHA256:` and the base64 of the key's hash, as `ssh-keygen -l` prints it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        match self {
            Self::Key { base64, .. } => {
                let blob = STANDARD.decode(base64).unwrap_or_default();
                let hash = ring::digest::digest(&ring::digest::SHA256, &blob);
                format!("SHA256:{}", STANDARD_NO_PAD.encode(hash))
            }
            Self::Fingerprint(fingerprint) => fingerprint.clone(),
        }
    }

    /// The keys of a text: one per line, so that `ssh-keyscan`'s and `cloud-init`'s lists can be given as they are.
    ///
    /// # Errors
    /// A usage fault for a line that is no key, and for a text without any.
    pub(crate) fn all_of(text: &str) -> Result<Vec<Self>> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let keys = lines.map(str::parse).collect::<Result<Vec<Self>>>()?;
        if keys.is_empty() {
            return Err(Fault::usage("the host key is empty").help(FORMS));
        }
        Ok(keys)
    }
}

const FORMS: &str = "give a key line (`ssh-ed25519 AAAA…`, as in /etc/ssh/ssh_host_ed25519_key.pub) or `SHA256:…`";

impl FromStr for HostKey {
    type Err = Fault;

    /// `TYPE BASE64 [COMMENT]`, the same behind a known-hosts line's host names, or `SHA256:…`.
    fn from_str(text: &str) -> Result<Self> {
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        if let [word] = words[..]
            && let Some(hash) = word.strip_prefix("SHA256:")
        {
            let hash = hash.trim_end_matches('=');
            return match STANDARD_NO_PAD.decode(hash) {
                Ok(bytes) if bytes.len() == 32 => Ok(Self::Fingerprint(format!("SHA256:{hash}"))),
                _ => Err(Fault::usage(format!("{} is not a SHA256 fingerprint", quoted(word))).help(FORMS)),
            };
        }
        if words.first().is_some_and(|word| word.starts_with('@')) {
            return Err(Fault::usage(format!("a host key cannot be a {} line", quoted(words[0])))
                .help("put lines with a marker into the file of --known-hosts"));
        }
        let mut pairs = words.windows(2).take(2);
        pairs
            .find_map(|pair| key(pair[0], pair[1]))
            .ok_or_else(|| Fault::usage(format!("{} is not a host key", quoted(text))).help(FORMS))
    }
}

/// The key, if `base64` holds one of the type `kind`: a key's blob begins with its type (RFC 4253 §6.6).
fn key(kind: &str, base64: &str) -> Option<HostKey> {
    let blob = STANDARD.decode(base64).ok()?;
    let length = u32::from_be_bytes(blob.get(..4)?.try_into().ok()?);
    let inner = blob.get(4..4 + usize::try_from(length).ok()?)?;
    (inner == kind.as_bytes()).then(|| HostKey::Key { kind: kind.to_owned(), base64: base64.to_owned() })
}

impl fmt::Debug for HostKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.fingerprint())
    }
}

#[cfg(test)]
mod tests {
    use super::HostKey;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";
    /// GitHub's published fingerprint of that key.
    const FINGERPRINT: &str = "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU";

    #[test]
    fn a_key_line_has_the_fingerprint_that_openssh_prints() {
        assert_eq!(KEY.parse::<HostKey>().unwrap().fingerprint(), FINGERPRINT);
        assert_eq!(format!("github.com {KEY} a comment").parse::<HostKey>().unwrap().fingerprint(), FINGERPRINT);
        assert_eq!(FINGERPRINT.parse::<HostKey>().unwrap().fingerprint(), FINGERPRINT);
    }

    #[test]
    fn several_lines_are_several_keys() {
        assert_eq!(HostKey::all_of(&format!("# scanned\nweb1 {KEY}\n\n{FINGERPRINT}\n")).unwrap().len(), 2);
        assert_eq!(HostKey::all_of(" \n").unwrap_err().message, "the host key is empty");
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for text in [
            "SHA256:short",
            "MD5:aa:bb",
            "ssh-rsa AAAAC3NzaC1lZDI1NTE5",
            "@cert-authority * ssh-ed25519 AAAA",
            "AAAA",
            "",
        ] {
            assert!(text.parse::<HostKey>().is_err(), "{text}");
        }
    }
}
