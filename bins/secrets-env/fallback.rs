//! The copy that stands in while Doppler is away: encrypted, written from good answers only, two generations, never older than allowed.
//!
//! It cannot be poisoned (only a response that was an object of strings is written), is not deleted by a refusal, is not read for one
//! (a token that may not read the config must not get an old copy of it), and is not tied to a token that changes.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::Duration;

use fault::{Fault, Result};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use secrets::{Secret, Visibility};
use serde::{Deserialize, Serialize};

use crate::seal::{self, PassphraseKey};

/// Marks our own files; the rest of the text is sealed as the Doppler CLI's v4 is.
const MARK: &str = "secrets-env/1 ";

#[derive(Serialize, Deserialize)]
struct Copy {
    /// RFC 3339.
    written_at: String,
    place: String,
    secrets: Vec<Entry>,
}

/// A secret at rest.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Entry {
    name: String,
    value: Option<String>,
    visibility: u8,
}

impl Entry {
    /// Whether this is the same name and value.
    pub(crate) fn is_of(&self, secret: &Secret) -> bool {
        // Exposed to compare.
        self.name == secret.name
            && self.value.as_deref() == secret.value.as_ref().map(secrecy::ExposeSecret::expose_secret)
    }
}

impl From<&Secret> for Entry {
    fn from(secret: &Secret) -> Self {
        let visibility = match secret.visibility {
            Visibility::Masked => 0,
            Visibility::Unmasked => 1,
            Visibility::Restricted => 2,
        };
        // Exposed to be encrypted.
        let value = secret.value.as_ref().map(|value| value.expose_secret().to_owned());
        Self { name: secret.name.clone(), value, visibility }
    }
}

impl From<Entry> for Secret {
    fn from(entry: Entry) -> Self {
        let visibility = match entry.visibility {
            1 => Visibility::Unmasked,
            2 => Visibility::Restricted,
            _ => Visibility::Masked,
        };
        Self { name: entry.name, value: entry.value.map(Into::into), visibility }
    }
}

/// The fallback that the arguments name.
pub(crate) struct Fallback {
    file: PathBuf,
    max_age: Duration,
    passphrase: SecretString,
    /// The key for the next copy, derived while Doppler answers.
    key: JoinHandle<Option<PassphraseKey>>,
}

/// What a copy holds, and how old it is.
pub(crate) struct Found {
    pub(crate) secrets: Vec<Secret>,
    pub(crate) age: Duration,
}

impl Fallback {
    /// Prepares `file`; the passphrase is the key's source.
    pub(crate) fn new(file: &Path, max_age: Duration, passphrase: Option<&str>) -> Result<Self> {
        let passphrase = passphrase.ok_or_else(|| {
            Fault::permission("--fallback has no key: DOPPLER_PASSPHRASE is missing")
                .help("set DOPPLER_PASSPHRASE to a long random text that outlives the token")
        })?;
        let owned = SecretString::from(passphrase);
        let derived = owned.clone();
        let key = std::thread::spawn(move || PassphraseKey::derive(derived.expose_secret()));
        Ok(Self { file: file.to_owned(), max_age, passphrase: owned, key })
    }

    /// Keeps `secrets` of `place`, the copy before as a second generation.
    ///
    /// # Errors
    /// [`fault::Kind::Usage`] when the file cannot be written.
    pub(crate) fn keep(self, secrets: &[Secret], place: &str, now: Timestamp) -> Result<()> {
        let about =
            |cause: String| Fault::usage(format!("cannot write the fallback {}", self.file.display())).cause(cause);
        let copy = Copy {
            written_at: now.to_string(),
            place: place.to_owned(),
            secrets: secrets.iter().map(Entry::from).collect(),
        };
        let plain = serde_json::to_vec(&copy).map_err(|error| about(error.to_string()))?;
        let key = self.key.join().ok().flatten().ok_or_else(|| about("no key could be derived".to_owned()))?;
        let sealed = key.seal(&plain).ok_or_else(|| about("it could not be encrypted".to_owned()))?;
        let write = || {
            if let Some(folder) = self.file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
                std::fs::create_dir_all(folder)?;
            }
            let next = beside(&self.file, &format!("{}.new", std::process::id()));
            write_private(&next, format!("{MARK}{sealed}\n").as_bytes())?;
            if self.file.exists() {
                std::fs::rename(&self.file, beside(&self.file, "old"))?;
            }
            std::fs::rename(&next, &self.file)
        };
        write().map_err(|error| about(error.to_string()))
    }

    /// The newest copy of `place` that opens and is young enough.
    ///
    /// # Errors
    /// [`fault::Kind::Temporary`] when there is none, saying what was wrong with those there are.
    pub(crate) fn find(&self, place: &str, now: Timestamp) -> Result<Found> {
        let mut wrong = Vec::new();
        for file in [self.file.clone(), beside(&self.file, "old")] {
            match self.open(&file, place, now) {
                Ok(found) => return Ok(found),
                Err(why) => wrong.push(format!("{}: {why}", file.display())),
            }
        }
        let mut fault = Fault::temporary("no fallback can stand in");
        fault.causes = wrong;
        Err(fault)
    }

    fn open(&self, file: &Path, place: &str, now: Timestamp) -> Result<Found, String> {
        let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
        let closed = || "it does not open with DOPPLER_PASSPHRASE, or was changed".to_owned();
        let (written_at, secrets) = if let Some(sealed) = text.strip_prefix(MARK) {
            let plain = seal::open(self.passphrase.expose_secret(), sealed).ok_or_else(closed)?;
            // Nothing of the text may stand in an error.
            let copy: Copy = serde_json::from_slice(&plain).ok().ok_or("it holds something else")?;
            if copy.place != place {
                return Err(format!("it is of {}", copy.place));
            }
            let written_at = copy.written_at.parse().ok().ok_or("it holds no time")?;
            (written_at, copy.secrets.into_iter().map(Secret::from).collect())
        } else {
            let plain = seal::open(self.passphrase.expose_secret(), &text).ok_or_else(closed)?;
            of_the_cli(file, &plain)?
        };
        let age = Duration::try_from(written_at.until(now).map_err(|error| error.to_string())?).unwrap_or_default();
        if age > self.max_age {
            return Err(format!("it is {} old, and --fallback-max-age allows {}", shown(age), shown(self.max_age)));
        }
        Ok(Found { secrets, age })
    }
}

/// A file of the Doppler CLI: an object of strings, as old as the file.
fn of_the_cli(file: &Path, plain: &[u8]) -> Result<(Timestamp, Vec<Secret>), String> {
    let values: std::collections::BTreeMap<String, String> =
        serde_json::from_slice(plain).ok().ok_or("it holds something else than an object of strings")?;
    let changed =
        std::fs::metadata(file).and_then(|metadata| metadata.modified()).map_err(|error| error.to_string())?;
    let at = Timestamp::try_from(changed).map_err(|error| error.to_string())?;
    Ok((at, values.into_iter().map(|(name, value)| Secret::masked(name, value)).collect()))
}

fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    PathBuf::from(name)
}

/// Writes a new file that only its owner can read.
pub(crate) fn write_private(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(file)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// A span for people: `40 s`, `12 min`, `3.5 h`.
pub(crate) fn shown(span: Duration) -> String {
    let seconds = span.as_secs_f64();
    match seconds {
        ..90.0 => format!("{seconds:.0} s"),
        90.0..5400.0 => format!("{:.0} min", seconds / 60.0),
        _ => format!("{:.1} h", seconds / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use fault::Kind;
    use jiff::Timestamp;
    use secrecy::ExposeSecret as _;
    use secrets::{Secret, Visibility};

    use super::{Fallback, shown};

    const PLACE: &str = "project `shop`, config `prd`";

    fn secrets(value: &str) -> Vec<Secret> {
        vec![
            Secret { name: "API_KEY".to_owned(), value: Some(value.into()), visibility: Visibility::Unmasked },
            Secret { name: "HIDDEN".to_owned(), value: None, visibility: Visibility::Restricted },
        ]
    }

    fn fallback(file: &std::path::Path) -> Fallback {
        Fallback::new(file, Duration::from_hours(1), Some("correct horse")).unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_copy_is_unreadable_private_and_gives_back_what_was_kept() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("deep/fallback");
        fallback(&file).keep(&secrets("hunter2"), PLACE, at("2026-11-21T05:00:00Z")).unwrap();
        assert!(!std::fs::read_to_string(&file).unwrap().contains("hunter2"));
        #[cfg(unix)]
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&file.metadata().unwrap().permissions()) & 0o777, 0o600);
        let found = fallback(&file).find(PLACE, at("2026-11-21T05:30:00Z")).unwrap();
        assert_eq!(found.age, Duration::from_mins(30));
        assert_eq!(found.secrets[0].value.as_ref().unwrap().expose_secret(), "hunter2");
        assert_eq!(found.secrets[0].visibility, Visibility::Unmasked);
        assert!(found.secrets[1].value.is_none());
    }

    #[test]
    fn a_copy_that_is_too_old_or_of_another_config_does_not_stand_in() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("fallback");
        fallback(&file).keep(&secrets("x"), PLACE, at("2026-11-21T05:00:00Z")).unwrap();
        let fault = fallback(&file).find(PLACE, at("2026-11-21T06:01:00Z")).err().unwrap();
        assert_eq!(fault.kind, Kind::Temporary);
        assert!(fault.causes[0].contains("61 min old, and --fallback-max-age allows 60 min"), "{fault:?}");
        assert!(fallback(&file).find("config `dev`", at("2026-11-21T05:01:00Z")).is_err());
    }

    #[test]
    fn a_broken_copy_gives_way_to_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("fallback");
        fallback(&file).keep(&secrets("first"), PLACE, at("2026-11-21T05:00:00Z")).unwrap();
        fallback(&file).keep(&secrets("second"), PLACE, at("2026-11-21T05:10:00Z")).unwrap();
        std::fs::write(&file, "<html>").unwrap();
        let found = fallback(&file).find(PLACE, at("2026-11-21T05:20:00Z")).unwrap();
        assert_eq!(found.secrets[0].value.as_ref().unwrap().expose_secret(), "first");
    }

    #[test]
    fn without_a_passphrase_there_is_no_fallback() {
        let fault = Fallback::new("x".as_ref(), Duration::ZERO, None).err().unwrap();
        assert!(fault.kind == Kind::Permission && fault.message.contains("DOPPLER_PASSPHRASE"));
    }

    #[test]
    fn spans_are_shown_in_the_unit_that_fits() {
        assert_eq!([40, 720, 12_600].map(|seconds| shown(Duration::from_secs(seconds))), ["40 s", "12 min", "3.5 h"]);
    }
}
