//! The job's memory of what Doppler answered, so that twenty steps make one full read and nineteen small ones (304).
//!
//! It lives in `RUNNER_TEMP`, which the runner empties with each job, encrypted with a key from the token: without the token it says
//! nothing, and with another token it is not found. It holds a whole config with its visibilities, so that steps that want different
//! parts of it in different forms share it. Every step asks Doppler whether it still holds.

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

use crate::fallback::{Entry, write_private};
use crate::seal::TokenKey;

/// How often a step that waits for another's read looks whether it has ended.
const LOOK: Duration = Duration::from_millis(10);

/// What an answer's `ETag` is an answer to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Tag {
    /// The list of secrets with their visibility.
    List(String),
    /// The download of the values.
    Download(String),
}

/// What Doppler answered, and what to ask it with whether that still holds.
#[derive(Serialize, Deserialize)]
pub(crate) struct Answer {
    pub(crate) tag: Option<Tag>,
    entries: Vec<Entry>,
}

/// One answer's place in the memory.
pub(crate) struct Slot {
    file: PathBuf,
    key: TokenKey,
}

impl Slot {
    /// The place for the answer to `question`, known to those who have `token`; `None` outside a job.
    pub(crate) fn of(environment: &Environment, token: &SecretString, question: &str) -> Option<Self> {
        let folder = PathBuf::from(environment.get("RUNNER_TEMP")?).join("secrets-env");
        // Exposed to derive keys from it, which do not lead back.
        let token = token.expose_secret();
        let key = TokenKey::derive(token, "cache")?;
        let digest =
            ring::hmac::sign(&ring::hmac::Key::new(ring::hmac::HMAC_SHA256, token.as_bytes()), question.as_bytes());
        Some(Self { file: folder.join(URL_SAFE_NO_PAD.encode(&digest.as_ref()[..18])), key })
    }

    /// What is remembered; nothing when it does not open.
    pub(crate) fn recall(&self) -> Option<Answer> {
        serde_json::from_slice(&self.key.open(&std::fs::read(&self.file).ok()?)?).ok()
    }

    /// Remembers. A memory that cannot be written is none: the next step reads again.
    pub(crate) fn keep(&self, tag: Option<Tag>, secrets: &[Secret]) {
        let answer = Answer { tag, entries: secrets.iter().map(Entry::from).collect() };
        let write = || {
            let sealed = self.key.seal(&serde_json::to_vec(&answer).ok()?)?;
            std::fs::create_dir_all(self.file.parent()?).ok()?;
            let next = self.file.with_extension(std::process::id().to_string());
            write_private(&next, &sealed).ok()?;
            std::fs::rename(next, &self.file).ok()
        };
        // See above.
        let _ = write();
    }

    /// Waits until no other step is about to fill this place. Dropping the answer, or dying with it, lets the next one in; where there
    /// is no waiting, or none until `deadline`, this step reads like any other.
    pub(crate) async fn turn(&self, deadline: Deadline) -> Option<File> {
        std::fs::create_dir_all(self.file.parent()?).ok()?;
        let lock = File::create(self.file.with_extension("lock")).ok()?;
        while let Err(TryLockError::WouldBlock) = lock.try_lock() {
            if deadline.remaining() < LOOK {
                return None;
            }
            tokio::time::sleep(LOOK).await;
        }
        Some(lock)
    }
}

impl Answer {
    /// Whether these are the same names and values.
    pub(crate) fn holds(&self, secrets: &[Secret]) -> bool {
        self.entries.len() == secrets.len()
            && self.entries.iter().zip(secrets).all(|(entry, secret)| entry.is_of(secret))
    }

    pub(crate) fn secrets(self) -> Vec<Secret> {
        self.entries.into_iter().map(Secret::from).collect()
    }
}
