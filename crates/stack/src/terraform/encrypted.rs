//! OpenTofu's state encryption, of the kind that needs only a passphrase: `pbkdf2` keys, `aes_gcm`.
//!
//! Source: opentofu `internal/encryption/{base,state}.go`, `keyprovider/pbkdf2`, `method/aesgcm`.

use std::fmt;
use std::num::NonZeroU32;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fault::{Fault, Result};
use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::pbkdf2;
use secrecy::{ExposeSecret as _, SecretString};

use crate::json::{Json, parse};

/// More rounds than anybody waits for; OpenTofu's default is 600,000.
const ROUNDS_LIMIT: u32 = 50_000_000;

/// An encrypted state, and how its key is derived.
pub struct Encrypted {
    document: Json,
    salt: Vec<u8>,
    rounds: NonZeroU32,
    hash: pbkdf2::Algorithm,
    key_length: usize,
}

impl Encrypted {
    /// Reads an encrypted state.
    ///
    /// # Errors
    /// [`fault::Kind::Usage`] for another kind of encryption than this one, or what is malformed.
    pub fn read(text: &[u8]) -> Result<Self> {
        let document = parse(text)?;
        let version = document.text_of("encryption_version").unwrap_or_default();
        if version != "v0" {
            return Err(beyond(format!("its encryption has the version `{}`", version.escape_debug())));
        }
        let Some(Json::Map(providers)) = document.get("meta") else { return Err(malformed("meta")) };
        let mut providers = providers.iter();
        let (Some((name, meta)), None) = (providers.next(), providers.next()) else {
            return Err(beyond("it has several key providers, or none".to_owned()));
        };
        if !name.starts_with("key_provider.pbkdf2.") {
            return Err(beyond(format!("its key comes from `{}`", name.escape_debug())));
        }
        let meta = meta.text().and_then(|meta| STANDARD.decode(meta).ok()).ok_or_else(|| malformed("meta"))?;
        let meta = parse(&meta)?;
        let number = |key: &str| match meta.get(key) {
            Some(Json::Number(text)) => text.parse::<u32>().ok(),
            _ => None,
        };
        let rounds = number("iterations").filter(|rounds| *rounds <= ROUNDS_LIMIT).and_then(NonZeroU32::new);
        let hash = match meta.text_of("hash_function") {
            Some("sha256") => pbkdf2::PBKDF2_HMAC_SHA256,
            Some("sha384") => pbkdf2::PBKDF2_HMAC_SHA384,
            Some("sha512") => pbkdf2::PBKDF2_HMAC_SHA512,
            _ => return Err(beyond("its key is derived with another hash function".to_owned())),
        };
        Ok(Self {
            salt: meta.text_of("salt").and_then(|salt| STANDARD.decode(salt).ok()).ok_or_else(|| malformed("salt"))?,
            rounds: rounds.ok_or_else(|| malformed("iterations"))?,
            hash,
            key_length: number("key_length").map_or(0, |length| length as usize),
            document,
        })
    }

    /// The state inside.
    ///
    /// # Errors
    /// [`fault::Kind::Permission`] for another passphrase (or an altered file, which nobody can tell from it);
    /// [`fault::Kind::Usage`] for a state that is not the one on the outside.
    pub fn open(&self, passphrase: &SecretString) -> Result<Vec<u8>> {
        let data = self.document.text_of("encrypted_data").and_then(|data| STANDARD.decode(data).ok());
        let mut data = data.ok_or_else(|| malformed("encrypted_data"))?;
        let cipher = match self.key_length {
            16 => &AES_128_GCM,
            32 => &AES_256_GCM,
            other => return Err(beyond(format!("its key is {other} bytes long"))),
        };
        let mut key = vec![0; self.key_length];
        // Exposed to derive the key from.
        pbkdf2::derive(self.hash, self.rounds, &self.salt, passphrase.expose_secret().as_bytes(), &mut key);
        let key = UnboundKey::new(cipher, &key).map_err(|error| malformed("key").cause(error.to_string()))?;
        let nonce = data.get(..NONCE_LEN).and_then(|nonce| <[u8; NONCE_LEN]>::try_from(nonce).ok());
        let nonce = Nonce::assume_unique_for_key(nonce.ok_or_else(|| malformed("encrypted_data"))?);
        let body = data.get_mut(NONCE_LEN..).unwrap_or_default();
        let Ok(state) = LessSafeKey::new(key).open_in_place(nonce, Aad::empty(), body) else {
            return Err(Fault::permission("the passphrase is not the one this state is encrypted with"));
        };
        let state = state.to_vec();
        let inner = parse(&state)?;
        for key in ["serial", "lineage"] {
            if inner.get(key) != self.document.get(key) {
                return Err(Fault::usage(format!(
                    "the encrypted state was put together: `{key}` differs inside and outside"
                )));
            }
        }
        Ok(state)
    }
}

impl fmt::Debug for Encrypted {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Encrypted")
    }
}

fn malformed(what: &str) -> Fault {
    Fault::usage(format!("the encrypted state is malformed: its `{what}` cannot be read"))
}

fn beyond(cause: String) -> Fault {
    Fault::usage("the state's encryption is beyond stack-output")
        .cause(cause)
        .help("pipe the outputs: tofu output -json | stack-output --state - NAME")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::Encrypted;

    fn vector() -> Value {
        let vectors: Value = serde_json::from_str(include_str!("../../tests/fixtures/pulumi-vectors.json")).unwrap();
        let opentofu = &vectors["opentofu"];
        opentofu.get(0).unwrap_or(opentofu).clone()
    }

    fn read(state: &Value) -> Encrypted {
        Encrypted::read(state.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn an_encrypted_state_opens_with_its_passphrase_only() {
        let vector = vector();
        let passphrase = vector["passphrase"].as_str().unwrap();
        let state = read(&vector["state"]).open(&passphrase.into()).unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&state).unwrap(), vector["plaintext"]);
        let fault = read(&vector["state"]).open(&"another passphrase".into()).unwrap_err();
        assert_eq!(fault.kind, fault::Kind::Permission);
    }

    #[test]
    fn a_state_under_anothers_serial_is_refused() {
        let vector = vector();
        let mut state = vector["state"].clone();
        state["serial"] = 4.into();
        let fault = read(&state).open(&vector["passphrase"].as_str().unwrap().into()).unwrap_err();
        assert!(fault.message.contains("`serial` differs"), "{fault:?}");
    }

    #[test]
    fn other_encryption_is_refused_by_name() {
        let mut state = vector()["state"].clone();
        state["meta"] = serde_json::json!({"key_provider.aws_kms.my": "e30="});
        let fault = Encrypted::read(state.to_string().as_bytes()).unwrap_err();
        assert!(fault.causes[0].contains("key_provider.aws_kms.my"), "{fault:?}");
    }
}
