//! The key of a stack's secrets: AES-256-GCM, either derived from a passphrase or unwrapped by a key service.
//!
//! Source: pulumi/pulumi `sdk/go/common/resource/config/crypt.go`, `pkg/secrets/passphrase/manager.go`.

use std::fmt;
use std::num::NonZeroU32;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fault::{Fault, Result};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::pbkdf2;
use secrecy::{ExposeSecret as _, SecretString};

/// PBKDF2-HMAC-SHA256 rounds.
const ROUNDS: u32 = 1_000_000;

/// The plaintext of the check value that is stored beside a passphrase's salt.
const CHECK: &[u8] = b"pulumi";

/// A stack's key. `Debug` does not show it.
pub struct Key(LessSafeKey);

impl Key {
    /// Derives the key from a passphrase and the provider's salt: about 0.1 s of work, once per call.
    ///
    /// # Errors
    /// [`fault::Kind::Usage`] for a malformed salt, [`fault::Kind::Permission`] for a wrong passphrase.
    pub fn derive(passphrase: &SecretString, salt: &str) -> Result<Self> {
        let malformed = || Fault::usage("the salt of the stack's secrets provider is malformed");
        let (salt, check) = salt.strip_prefix("v1:").and_then(|rest| rest.split_once(':')).ok_or_else(malformed)?;
        let salt = STANDARD.decode(salt).ok().filter(|salt| !salt.is_empty()).ok_or_else(malformed)?;
        if parts(check).is_none() {
            return Err(malformed());
        }
        let mut key = [0; 32];
        let rounds = NonZeroU32::new(ROUNDS).ok_or_else(malformed)?;
        let passphrase = passphrase.expose_secret().as_bytes();
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, &salt, passphrase, &mut key);
        let key = Self::from_bytes(&key)?;
        match key.decrypt(check) {
            Ok(plaintext) if plaintext == CHECK => Ok(key),
            _ => Err(Fault::permission("the passphrase is not the one this stack's secrets are encrypted with")),
        }
    }

    /// A data key of 32 bytes.
    ///
    /// # Errors
    /// [`fault::Kind::Usage`] for another length.
    pub fn from_bytes(key: &[u8]) -> Result<Self> {
        UnboundKey::new(&AES_256_GCM, key)
            .map(|key| Self(LessSafeKey::new(key)))
            .map_err(|error| Fault::usage("the stack's data key is not 32 bytes long").cause(error.to_string()))
    }

    /// Decrypts `v1:<nonce>:<body and tag>`.
    ///
    /// # Errors
    /// [`fault::Kind::Usage`] for a malformed or altered ciphertext.
    pub fn decrypt(&self, ciphertext: &str) -> Result<Vec<u8>> {
        let (nonce, mut body) = parts(ciphertext)
            .ok_or_else(|| Fault::usage("the ciphertext is malformed: it is not `v1:<nonce>:<body>`"))?;
        let nonce = Nonce::assume_unique_for_key(nonce);
        match self.0.open_in_place(nonce, Aad::empty(), &mut body) {
            Ok(plaintext) => Ok(plaintext.to_vec()),
            // ring does not report why it failed.
            Err(_) => Err(Fault::usage("the ciphertext was altered, or encrypted with another key")),
        }
    }
}

fn parts(ciphertext: &str) -> Option<([u8; NONCE_LEN], Vec<u8>)> {
    let (nonce, body) = ciphertext.strip_prefix("v1:")?.split_once(':')?;
    Some((STANDARD.decode(nonce).ok()?.try_into().ok()?, STANDARD.decode(body).ok()?))
}

impl fmt::Debug for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Key")
    }
}
