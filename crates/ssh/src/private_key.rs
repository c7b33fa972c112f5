//! A private key as it comes out of a secret store: repaired where that is safe, refused by name where it is something else.
//!
//! Seen in the wild: CRLF, spaces or `\n` in place of line ends, no last line end, a byte-order mark, base64 around the whole, an
//! `EC PARAMETERS` block in front.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fault::{Fault, Result};
use secrecy::{ExposeSecret as _, SecretString};

/// A private key that `ssh-add` reads.
#[derive(Debug)]
pub struct PrivateKey {
    text: SecretString,
    encrypted: bool,
}

impl PrivateKey {
    /// The key in `value`, whose source is called `name` in errors.
    ///
    /// # Errors
    /// A usage fault where the value is no private key in OpenSSH's or PEM form; it never shows the value.
    pub fn repaired(name: &str, value: &SecretString) -> Result<Self> {
        let value = value.expose_secret().trim_start_matches('\u{feff}').trim();
        let unwrapped = unwrapped(value);
        let value = after_parameters(unwrapped.as_deref().unwrap_or(value));
        let refused = |what: &str| Err(Fault::usage(format!("{name} holds {what}, not a private key")).help(HELP));
        if value.starts_with("PuTTY-User-Key-File") {
            return Err(Fault::usage(format!("{name} holds a PuTTY key"))
                .help("convert it: puttygen KEY.ppk -O private-openssh-new"));
        }
        if value.starts_with("ssh-") || value.starts_with("ecdsa-") || value.starts_with("---- BEGIN SSH2") {
            return refused("a public key");
        }
        let Some((label, body)) = pem(value) else { return refused("something else, or a part of a key") };
        if !label.ends_with("PRIVATE KEY") {
            return refused("something else");
        }
        let Some(body) = wrapped(body) else { return refused("a damaged key") };
        let encrypted = label.contains("ENCRYPTED") || body.contains("Proc-Type:") || is_encrypted_openssh(&body);
        let text = format!("-----BEGIN {label}-----\n{body}-----END {label}-----\n").into();
        Ok(Self { text, encrypted })
    }

    /// The key's text, for `ssh-add`'s stdin and nothing else.
    pub(crate) fn text(&self) -> &SecretString {
        &self.text
    }

    /// Whether a passphrase is needed.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.encrypted
    }
}

const HELP: &str = "give the whole file, from -----BEGIN to -----END";

/// The key inside a base64 of the whole file.
fn unwrapped(value: &str) -> Option<String> {
    let compact: String = value.split_ascii_whitespace().collect();
    let text = String::from_utf8(STANDARD.decode(compact).ok()?).ok()?;
    text.trim_start().starts_with("-----BEGIN").then_some(text)
}

/// What follows an `EC PARAMETERS` block, which openssl writes in front of a key and `ssh-add` does not read.
fn after_parameters(value: &str) -> &str {
    let rest = value.strip_prefix("-----BEGIN EC PARAMETERS-----").and_then(|rest| {
        rest.split_once("-----END EC PARAMETERS-----").map(|(_, rest)| rest.trim_start_matches("\\n").trim_start())
    });
    rest.unwrap_or(value)
}

/// The label and the text between the first BEGIN line and its END line.
fn pem(value: &str) -> Option<(&str, &str)> {
    let (_, rest) = value.split_once("-----BEGIN ")?;
    let (label, rest) = rest.split_once("-----")?;
    let (body, _) = rest.split_once(&format!("-----END {label}-----"))?;
    Some((label, body))
}

/// The body with one line end a line and a last one.
fn wrapped(body: &str) -> Option<String> {
    let body = body.replace("\\r", "").replace("\\n", "\n").replace("\r\n", "\n").replace('\r', "\n");
    if body.contains("Proc-Type:") {
        // Headers of the old encrypted form are separate lines; without line ends they cannot be told apart.
        return body.trim().contains('\n').then(|| format!("{}\n", body.trim()));
    }
    let compact: String = body.split_ascii_whitespace().collect();
    STANDARD.decode(&compact).ok()?;
    let mut lines = String::with_capacity(compact.len() + compact.len() / 64 + 1);
    for (index, character) in compact.chars().enumerate() {
        if index > 0 && index % 70 == 0 {
            lines.push('\n');
        }
        lines.push(character);
    }
    lines.push('\n');
    Some(lines)
}

/// Whether an `openssh-key-v1` blob names a cipher (OpenSSH's PROTOCOL.key).
fn is_encrypted_openssh(body: &str) -> bool {
    let compact: String = body.split_ascii_whitespace().collect();
    let blob = STANDARD.decode(compact).unwrap_or_default();
    blob.strip_prefix(b"openssh-key-v1\0").is_some_and(|rest| !rest.starts_with(b"\0\0\0\x04none"))
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use secrecy::{ExposeSecret as _, SecretString};

    use super::{PrivateKey, STANDARD};

    /// The shape of a key; nothing in it opens anything.
    fn sample(cipher: &str) -> String {
        let mut blob = b"openssh-key-v1\0".to_vec();
        blob.extend(u32::try_from(cipher.len()).unwrap().to_be_bytes());
        blob.extend(cipher.bytes().chain([7; 120]));
        let base64 = STANDARD.encode(blob);
        let lines: Vec<&str> = base64.as_bytes().chunks(70).map(|line| std::str::from_utf8(line).unwrap()).collect();
        format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{}\n-----END OPENSSH PRIVATE KEY-----\n", lines.join("\n"))
    }

    fn repaired(text: &str) -> fault::Result<String> {
        PrivateKey::repaired("SSH_PRIVATE_KEY", &SecretString::from(text))
            .map(|key| key.text().expose_secret().to_owned())
    }

    #[test]
    fn what_secret_stores_do_to_a_key_is_undone() {
        let whole = sample("none");
        let damaged = [
            whole.clone(),
            whole.replace('\n', "\r\n"),
            whole.replace('\n', " "),
            whole.replace('\n', "\\n"),
            whole.replace('\n', ""),
            whole.trim_end().to_owned(),
            format!("\u{feff}  {whole}\n\n"),
            STANDARD.encode(&whole),
        ];
        for text in damaged {
            assert_eq!(repaired(&text).unwrap(), whole, "{text}");
        }
    }

    #[test]
    fn a_block_of_parameters_in_front_of_the_key_is_removed() {
        let parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
        let whole = sample("none");
        for text in [format!("{parameters}{whole}"), format!("{parameters}{whole}").replace('\n', "\\n")] {
            assert_eq!(repaired(&text).unwrap(), whole);
        }
    }

    #[test]
    fn a_key_with_a_passphrase_is_told_apart() {
        let encrypted = |text: &str| PrivateKey::repaired("K", &SecretString::from(text)).unwrap().is_encrypted();
        assert!(!encrypted(&sample("none")));
        assert!(encrypted(&sample("aes256-ctr")));
    }

    #[test]
    fn what_is_no_private_key_is_refused_by_name_without_being_shown() {
        for (text, what) in [
            ("ssh-ed25519 AAAAC3Nz me@laptop", "a public key"),
            ("PuTTY-User-Key-File-3: ssh-ed25519", "a PuTTY key"),
            ("hunter2", "something else"),
            ("-----BEGIN OPENSSH PRIVATE KEY-----\nabc", "a part of a key"),
            ("-----BEGIN CERTIFICATE-----\nYWJj\n-----END CERTIFICATE-----", "something else"),
            ("-----BEGIN OPENSSH PRIVATE KEY-----\n!!\n-----END OPENSSH PRIVATE KEY-----", "a damaged key"),
        ] {
            let fault = repaired(text).unwrap_err();
            assert!(fault.message.contains(what), "{}", fault.message);
            assert!(!fault.message.contains("hunter2"));
        }
    }
}
