//! A state that OpenTofu encrypted as a whole.
//!
//! Source: opentofu `internal/encryption/{base,state}.go`, `keyprovider/pbkdf2`, `method/aesgcm`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::num::NonZeroU32;

use aes_gcm::aead::consts::U12;
use aes_gcm::aead::{Aead as _, Payload};
use aes_gcm::aes::{Aes128, Aes192, Aes256};
use aes_gcm::{AesGcm as Cipher, KeyInit as _, Nonce};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fault::{Fault, Result};
use ring::pbkdf2;
use secrecy::{ExposeSecret as _, SecretString};

use super::{AesGcm, Method};
use crate::json::{Json, parse};

/// The most PBKDF2 rounds of one state, however many keys are tried: half a minute of work. OpenTofu's default is 600,000.
const ROUNDS_LIMIT: u64 = 50_000_000;

/// The longest key that is derived: one of a chain may be longer than a cipher's.
const KEY_LIMIT: usize = 4096;

/// The most key providers that are tried in every order, when only the passphrase is known.
const CHAIN_LIMIT: usize = 3;

/// The bytes of a nonce.
const NONCE: usize = 12;

/// An encrypted state, and how its keys are derived. `Debug` shows no part of it.
pub struct EncryptedState {
    document: Json,
    data: Vec<u8>,
    /// The metadata of each key provider by its name or alias; `None` for another kind than `pbkdf2`.
    keys: BTreeMap<String, Option<Metadata>>,
}

/// What decrypting has come to.
#[derive(Debug)]
pub enum Decrypted {
    /// The state.
    State(Vec<u8>),
    /// It needs the `tofu` program: the error if that is not installed.
    Unsupported(Fault),
}

/// The metadata of a `pbkdf2` key provider.
struct Metadata {
    salt: Vec<u8>,
    rounds: NonZeroU32,
    hash: pbkdf2::Algorithm,
    key_length: usize,
}

impl EncryptedState {
    /// Reads an encrypted state.
    ///
    /// # Errors
    /// [`fault::Kind::Usage`] if it is malformed or of an unknown version.
    pub fn read(text: &[u8]) -> Result<Self> {
        let document = parse(text)?;
        let version = document.text_of("encryption_version").unwrap_or_default();
        if version != "v0" {
            return Err(Fault::usage(format!("its encryption has the version `{}`", version.escape_debug()))
                .help("update stack-output, or pipe the outputs: tofu output -json | stack-output --state - NAME"));
        }
        let mut keys = BTreeMap::new();
        match document.get("meta") {
            Some(Json::Map(meta)) => {
                for (name, text) in meta {
                    let text = text.text().and_then(|text| STANDARD.decode(text).ok());
                    let json = text.and_then(|text| parse(&text).ok()).ok_or_else(|| malformed("meta"))?;
                    keys.insert(name.clone(), Metadata::read(name, &json)?);
                }
            }
            None | Some(Json::Null) => {}
            Some(_) => return Err(malformed("meta")),
        }
        let data = document.text_of("encrypted_data").and_then(|data| STANDARD.decode(data).ok());
        let data = data.filter(|data| data.len() > NONCE).ok_or_else(|| malformed("encrypted_data"))?;
        Ok(Self { document, data, keys })
    }

    /// Decrypts the state with the first of `methods` that fits.
    ///
    /// # Errors
    /// [`fault::Kind::Permission`] if none fits: a wrong key and an altered file look the same. [`fault::Kind::Usage`] if a method
    /// cannot be evaluated, and for a state whose serial or lineage differs inside and outside.
    pub fn decrypt(&self, methods: &[Method]) -> Result<Decrypted> {
        let (mut budget, mut unevaluated, mut unsupported) = (ROUNDS_LIMIT, None, None);
        for method in methods {
            let found = match method {
                Method::Unencrypted => None,
                Method::AesGcm(method) => self.with_chain(method, &mut budget)?,
                Method::Passphrase { passphrase, aads } => self.with_passphrase(passphrase, aads, &mut budget)?,
                Method::Unsupported(what) => {
                    unsupported.get_or_insert_with(|| beyond(what));
                    None
                }
                Method::Unevaluated(fault) => {
                    unevaluated.get_or_insert_with(|| fault.clone());
                    None
                }
            };
            if let Some(state) = found {
                return self.checked(state).map(Decrypted::State);
            }
        }
        if let Some(fault) = unsupported.or_else(|| self.unsupported()) {
            return Ok(Decrypted::Unsupported(fault));
        }
        Err(unevaluated.unwrap_or_else(|| {
            Fault::permission("the state cannot be decrypted")
                .cause("the passphrase is not the one it was encrypted with, or the method had another `aad`")
        }))
    }

    /// Why only the `tofu` program can decrypt it, judged by its metadata.
    #[must_use]
    pub fn unsupported(&self) -> Option<Fault> {
        match self.keys.iter().find(|(_, metadata)| metadata.is_none()) {
            Some((name, _)) => Some(beyond(&format!("`{}`", name.escape_debug()))),
            None if self.keys.is_empty() => Some(beyond("a method without keys")),
            None => None,
        }
    }

    fn with_chain(&self, method: &AesGcm, budget: &mut u64) -> Result<Option<Vec<u8>>> {
        // Exposed to derive the key from.
        let mut key = method.passphrase.expose_secret().as_bytes().to_vec();
        for name in &method.chain {
            let Some(metadata) = self.metadata(name, method.chain.len()) else { return Ok(None) };
            key = metadata.derive(&key, budget)?;
        }
        Ok(self.opened(&key, &method.aad))
    }

    /// The metadata that is stored under `name`. If it is the only one it counts under any name: the key provider may have been
    /// renamed since.
    fn metadata(&self, name: &str, wanted: usize) -> Option<&Metadata> {
        let only = || self.keys.values().next().filter(|_| wanted == 1 && self.keys.len() == 1);
        self.keys.get(name).or_else(only)?.as_ref()
    }

    /// Which key provider comes first in a chain is not stored, so every order is tried.
    fn with_passphrase(
        &self,
        passphrase: &SecretString,
        aads: &BTreeSet<Vec<u8>>,
        budget: &mut u64,
    ) -> Result<Option<Vec<u8>>> {
        let metadata: Option<Vec<&Metadata>> = self.keys.values().map(Option::as_ref).collect();
        let Some(metadata) = metadata.filter(|metadata| metadata.len() <= CHAIN_LIMIT) else { return Ok(None) };
        let none = Vec::new();
        // Exposed to derive the key from.
        let mut open = vec![(passphrase.expose_secret().as_bytes().to_vec(), metadata)];
        while let Some((key, left)) = open.pop() {
            for (at, first) in left.iter().enumerate() {
                let key = first.derive(&key, budget)?;
                let mut rest = left.clone();
                rest.remove(at);
                if !rest.is_empty() {
                    open.push((key, rest));
                    continue;
                }
                let state = std::iter::once(&none).chain(aads).find_map(|aad| self.opened(&key, aad));
                if state.is_some() {
                    return Ok(state);
                }
            }
        }
        Ok(None)
    }

    fn opened(&self, key: &[u8], aad: &[u8]) -> Option<Vec<u8>> {
        let (nonce, body) = self.data.split_at(NONCE);
        let nonce = Nonce::<U12>::try_from(nonce).ok()?;
        let payload = Payload { msg: body, aad };
        match key.len() {
            16 => Cipher::<Aes128, U12>::new_from_slice(key).ok()?.decrypt(&nonce, payload).ok(),
            24 => Cipher::<Aes192, U12>::new_from_slice(key).ok()?.decrypt(&nonce, payload).ok(),
            32 => Cipher::<Aes256, U12>::new_from_slice(key).ok()?.decrypt(&nonce, payload).ok(),
            _ => None,
        }
    }

    /// Checks that the state inside is the one that the outside names.
    fn checked(&self, state: Vec<u8>) -> Result<Vec<u8>> {
        let inner = parse(&state)?;
        for key in ["serial", "lineage"] {
            if self.document.get(key).is_some_and(|outer| inner.get(key) != Some(outer)) {
                return Err(Fault::usage(format!(
                    "the encrypted state was put together: `{key}` differs inside and outside"
                )));
            }
        }
        Ok(state)
    }
}

impl Metadata {
    /// Recognised by its content, since `encrypted_metadata_alias` may give it any name. `None` for other metadata.
    fn read(name: &str, json: &Json) -> Result<Option<Self>> {
        if json.get("salt").is_none() || json.get("iterations").is_none() {
            return Ok(None);
        }
        let number = |key: &str| match json.get(key) {
            Some(Json::Number(text)) => text.parse::<u32>().ok(),
            _ => None,
        };
        let malformed = |what: &str| malformed(&format!("{what}` of `{}", name.escape_debug()));
        let salt = json.text_of("salt").and_then(|salt| STANDARD.decode(salt).ok());
        let hash = match json.text_of("hash_function") {
            Some("sha256") => pbkdf2::PBKDF2_HMAC_SHA256,
            Some("sha512") => pbkdf2::PBKDF2_HMAC_SHA512,
            _ => return Err(malformed("hash_function")),
        };
        let key_length = number("key_length").and_then(|length| usize::try_from(length).ok());
        Ok(Some(Self {
            salt: salt.ok_or_else(|| malformed("salt"))?,
            rounds: number("iterations").and_then(NonZeroU32::new).ok_or_else(|| malformed("iterations"))?,
            hash,
            key_length: key_length
                .filter(|length| (1..=KEY_LIMIT).contains(length))
                .ok_or_else(|| malformed("key_length"))?,
        }))
    }

    fn derive(&self, passphrase: &[u8], budget: &mut u64) -> Result<Vec<u8>> {
        // Each block of a hash's length takes all rounds again.
        let blocks = self.key_length.div_ceil(32) as u64;
        let rounds = u64::from(self.rounds.get()) * blocks;
        *budget = budget.checked_sub(rounds).ok_or_else(|| {
            Fault::usage(format!("its keys take more than {ROUNDS_LIMIT} rounds of PBKDF2"))
                .help("lower `iterations`, which only protects a weak passphrase")
        })?;
        let mut key = vec![0; self.key_length];
        pbkdf2::derive(self.hash, self.rounds, &self.salt, passphrase, &mut key);
        Ok(key)
    }
}

impl fmt::Debug for EncryptedState {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("EncryptedState")
    }
}

fn malformed(what: &str) -> Fault {
    Fault::usage(format!("the encrypted state is malformed: its `{what}` cannot be read"))
}

fn beyond(what: &str) -> Fault {
    Fault::usage("the state's encryption is not supported")
        .cause(format!("it uses {what}; `pbkdf2` keys with `aes_gcm` are supported"))
        .help("pipe the outputs: tofu output -json | stack-output --state - NAME")
}
