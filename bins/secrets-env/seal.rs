//! Encryption at rest: AES-256-GCM, its key from a passphrase (PBKDF2-HMAC-SHA256) or from a token (HKDF-SHA256).
//!
//! The passphrase form is the Doppler CLI's (`crypto/aes.go`), `4:base64:<rounds>:<salt>-<nonce>-<ciphertext>`, so that its files can be read.

use std::num::NonZeroU32;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::{hkdf, pbkdf2};

/// The Doppler CLI's count.
const ROUNDS: NonZeroU32 = match NonZeroU32::new(500_000) {
    Some(rounds) => rounds,
    None => NonZeroU32::MIN,
};

/// An upper limit, so that a broken file is refused quickly.
const MOST_ROUNDS: u32 = 10_000_000;

const KEY: usize = 32;

/// A key derived from a passphrase with its own salt; this takes 0.1 s of CPU.
pub(crate) struct PassphraseKey {
    salt: [u8; 16],
    key: LessSafeKey,
}

impl PassphraseKey {
    /// A new key; `None` when the system has no random numbers.
    pub(crate) fn derive(passphrase: &str) -> Option<Self> {
        let salt = random()?;
        Some(Self { salt, key: passphrase_key(passphrase, &salt, ROUNDS)? })
    }

    /// `plain` encrypted, as text.
    pub(crate) fn seal(&self, plain: &[u8]) -> Option<String> {
        let (nonce, sealed) = seal(&self.key, plain)?;
        let [salt, nonce, sealed] = [&self.salt[..], &nonce, &sealed].map(|part| STANDARD.encode(part));
        Some(format!("4:base64:{ROUNDS}:{salt}-{nonce}-{sealed}"))
    }
}

/// Decrypts `text`; `None` for another passphrase, a changed file, or another format.
pub(crate) fn open(passphrase: &str, text: &str) -> Option<Vec<u8>> {
    let [rounds, data] = text.trim().strip_prefix("4:base64:")?.split(':').collect::<Vec<_>>().try_into().ok()?;
    let rounds = NonZeroU32::new(rounds.parse().ok()?).filter(|rounds| rounds.get() <= MOST_ROUNDS)?;
    let parts: Option<Vec<Vec<u8>>> = data.split('-').map(|part| STANDARD.decode(part).ok()).collect();
    let [salt, nonce, sealed] = parts?.try_into().ok()?;
    unseal(&passphrase_key(passphrase, &salt, rounds)?, &nonce, sealed)
}

/// A key for files that last as long as a job, derived from its token. A token is random, so one round of hashing is enough.
pub(crate) struct TokenKey(LessSafeKey);

impl TokenKey {
    /// The key that `token` gives for `purpose`.
    pub(crate) fn derive(token: &str, purpose: &str) -> Option<Self> {
        let mut key = [0; KEY];
        let source = hkdf::Salt::new(hkdf::HKDF_SHA256, b"deploy-action secrets-env").extract(token.as_bytes());
        source.expand(&[purpose.as_bytes()], hkdf::HKDF_SHA256).ok()?.fill(&mut key).ok()?;
        Some(Self(aes(&key)?))
    }

    /// `plain` encrypted.
    pub(crate) fn seal(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = seal(&self.0, plain)?;
        Some([&nonce[..], &sealed].concat())
    }

    /// Decrypts `bytes`; `None` for another token or changed bytes.
    pub(crate) fn open(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = bytes.split_at_checked(NONCE_LEN)?;
        unseal(&self.0, nonce, sealed.to_vec())
    }
}

fn passphrase_key(passphrase: &str, salt: &[u8], rounds: NonZeroU32) -> Option<LessSafeKey> {
    let mut key = [0; KEY];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, salt, passphrase.as_bytes(), &mut key);
    aes(&key)
}

fn aes(key: &[u8; KEY]) -> Option<LessSafeKey> {
    UnboundKey::new(&AES_256_GCM, key).ok().map(LessSafeKey::new)
}

fn seal(key: &LessSafeKey, plain: &[u8]) -> Option<([u8; NONCE_LEN], Vec<u8>)> {
    let nonce: [u8; NONCE_LEN] = random()?;
    let mut sealed = plain.to_vec();
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut sealed).ok()?;
    Some((nonce, sealed))
}

fn unseal(key: &LessSafeKey, nonce: &[u8], mut sealed: Vec<u8>) -> Option<Vec<u8>> {
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let length = key.open_in_place(nonce, Aad::empty(), &mut sealed).ok()?.len();
    sealed.truncate(length);
    Some(sealed)
}

fn random<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::{PassphraseKey, TokenKey, open};

    #[test]
    fn what_is_sealed_opens_with_the_passphrase_and_with_no_other() {
        let text = PassphraseKey::derive("correct horse").unwrap().seal(b"{}").unwrap();
        assert_eq!(open("correct horse", &text).unwrap(), b"{}");
        assert_eq!(open("wrong", &text), None);
        assert_eq!(open("correct horse", &text.replace("4:base64", "3:base64")), None);
        assert_eq!(open("correct horse", "4:base64:500000:AA-AA"), None);
        assert_eq!(open("correct horse", "<html>"), None);
    }

    #[test]
    fn a_file_of_the_doppler_cli_opens() {
        // Written with Python's `cryptography` by the description of the format: 8-byte salt, as the CLI has it.
        let text = include_str!("fixtures/doppler-cli-v4");
        assert_eq!(open("dp.st.dev.token:shop:dev", text).unwrap(), br#"{"API_KEY":"from-the-cli"}"#);
    }

    #[test]
    fn a_token_opens_what_it_sealed_and_no_other_does() {
        let sealed = TokenKey::derive("dp.st.a", "cache").unwrap().seal(b"x").unwrap();
        assert_eq!(TokenKey::derive("dp.st.a", "cache").unwrap().open(&sealed).unwrap(), b"x");
        assert!(TokenKey::derive("dp.st.b", "cache").unwrap().open(&sealed).is_none());
        assert!(TokenKey::derive("dp.st.a", "cache").unwrap().open(b"short").is_none());
    }
}
