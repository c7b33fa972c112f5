//! The job's cache of Doppler's responses: of twenty steps, one reads everything and nineteen get a short answer (304).
//!
//! It is stored in `RUNNER_TEMP`, which the runner empties with each job. The file is encrypted with a key derived from the token, and
//! its name depends on the token too. It holds a whole config with its visibilities, so that steps that want different parts of it in
//! different formats share it. Every step asks Doppler whether it is still current.

use std::fs::{File, TryLockError};
use std::path::PathBuf;
use std::time::Duration;

use api::Deadline;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use runner::Environment;
use secrecy::{ExposeSecret as _, SecretString};
use secrets::Secret;
use serde::{Deserialize, Serialize};

use crate::seal::TokenKey;
use crate::stored::{Entry, write_atomically};

/// How often a step that waits for another step's read checks whether it has finished.
const POLL: Duration = Duration::from_millis(10);

/// An `ETag`, by the request it belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Tag {
    /// The list of secrets with their visibility.
    List(String),
    /// The download of the values.
    Download(String),
}

/// A response of Doppler, with the tag to revalidate it.
#[derive(Serialize, Deserialize)]
pub(crate) struct CachedResponse {
    pub(crate) tag: Option<Tag>,
    entries: Vec<Entry>,
}

/// The cache file for one request.
pub(crate) struct CacheEntry {
    file: PathBuf,
    key: TokenKey,
}

impl CacheEntry {
    /// The entry for `request`, which only holders of `token` can find and decrypt; `None` outside a job.
    pub(crate) fn of(environment: &Environment, token: &SecretString, request: &str) -> Option<Self> {
        let folder = PathBuf::from(environment.get("RUNNER_TEMP")?).join("secrets-env");
        // Exposed to derive keys from it, which cannot be reversed.
        let token = token.expose_secret();
        let key = TokenKey::derive(token, "cache")?;
        let digest =
            ring::hmac::sign(&ring::hmac::Key::new(ring::hmac::HMAC_SHA256, token.as_bytes()), request.as_bytes());
        Some(Self { file: folder.join(URL_SAFE_NO_PAD.encode(&digest.as_ref()[..18])), key })
    }

    /// Reads the entry; `None` if there is none, or if it cannot be decrypted.
    pub(crate) fn load(&self) -> Option<CachedResponse> {
        serde_json::from_slice(&self.key.open(&std::fs::read(&self.file).ok()?)?).ok()
    }

    /// Writes the cache entry. Failures are ignored; the next step then fetches again.
    pub(crate) fn store(&self, tag: Option<Tag>, secrets: &[Secret]) {
        let response = CachedResponse { tag, entries: secrets.iter().map(Entry::from).collect() };
        let write = || {
            let sealed = self.key.seal(&serde_json::to_vec(&response).ok()?)?;
            write_atomically(&self.file, &sealed).ok()
        };
        let _ = write();
    }

    /// Waits until no other step is about to write this entry, and locks it. Dropping the lock, or dying with it, lets the next step
    /// in. `None` if the file cannot be locked before `deadline`; the step then fetches as if there were no cache.
    pub(crate) async fn lock(&self, deadline: Deadline) -> Option<File> {
        std::fs::create_dir_all(self.file.parent()?).ok()?;
        let lock = File::create(self.file.with_extension("lock")).ok()?;
        while let Err(TryLockError::WouldBlock) = lock.try_lock() {
            if deadline.remaining() < POLL {
                return None;
            }
            tokio::time::sleep(POLL).await;
        }
        Some(lock)
    }
}

impl CachedResponse {
    /// Whether `secrets` are the same names and values.
    pub(crate) fn matches(&self, secrets: &[Secret]) -> bool {
        self.entries.len() == secrets.len()
            && self.entries.iter().zip(secrets).all(|(entry, secret)| entry.matches(secret))
    }

    pub(crate) fn secrets(self) -> Vec<Secret> {
        self.entries.into_iter().map(Secret::from).collect()
    }
}
