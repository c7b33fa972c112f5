//! The encrypted copy of the secrets that is used while Doppler is unreachable.
//!
//! It is written only from a response that was an object of strings, so an error page cannot replace it. It is used for outages only: a
//! token that may no longer read the config gets no old copy. Its key does not depend on a token, because tokens change. There are two
//! generations, and neither is used after --fallback-max-age.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::Duration;

use fault::{Fault, Result};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use secrets::Secret;
use serde::{Deserialize, Serialize};

use crate::seal::{self, PassphraseKey};
use crate::stored::{Entry, write_atomically};

/// The beginning of files of ours; the rest is encrypted as in version 4 of the Doppler CLI.
const MARK: &str = "secrets-env/1 ";

/// The beginning of files of the Doppler CLI, version 4.
const CLI_MARK: &str = "4:base64:";

/// So many bytes show whether a file is ours: both marks, and the rounds of the key derivation.
const HEADER: u64 = 40;

#[derive(Serialize, Deserialize)]
struct Copy {
    /// RFC 3339.
    written_at: String,
    place: String,
    secrets: Vec<Entry>,
}

/// The fallback file and its key.
pub(crate) struct Fallback {
    file: PathBuf,
    max_age: Duration,
    passphrase: SecretString,
    /// Derived while Doppler answers.
    key: JoinHandle<Option<PassphraseKey>>,
}

/// A usable copy, and how old it is.
pub(crate) struct Found {
    pub(crate) secrets: Vec<Secret>,
    pub(crate) age: Duration,
}

impl Fallback {
    /// Prepares `file`, whose key comes from the passphrase.
    ///
    /// # Errors
    /// [`fault::Kind::Permission`] without a passphrase. [`fault::Kind::Usage`] if `file`, or the older copy beside it, is something that
    /// we did not write: it would be overwritten.
    pub(crate) fn new(file: &Path, max_age: Duration, passphrase: Option<&str>) -> Result<Self> {
        let passphrase = passphrase.ok_or_else(|| {
            Fault::permission("--fallback has no key: DOPPLER_PASSPHRASE is missing")
                .help("set DOPPLER_PASSPHRASE to a long random text that outlives the token")
        })?;
        if file.as_os_str().as_encoded_bytes().ends_with(b"/") {
            return Err(refused(file, "a path that ends with `/` is a directory"));
        }
        // Through a link, so that its target is replaced and not the link.
        let file = if file.is_symlink() { std::fs::canonicalize(file) } else { Ok(file.to_owned()) }
            .map_err(|error| refused(file, &format!("it is a link that leads nowhere: {error}")))?;
        check_are_ours(&file)?;
        let owned = SecretString::from(passphrase);
        let derived = owned.clone();
        let key = std::thread::spawn(move || PassphraseKey::derive(derived.expose_secret()));
        Ok(Self { file, max_age, passphrase: owned, key })
    }

    /// Stores `secrets` of `place`, and keeps the copy before as the older one.
    ///
    /// # Errors
    /// [`fault::Kind::Usage`] if the file cannot be written.
    pub(crate) fn store(self, secrets: &[Secret], place: &str, now: Timestamp) -> Result<()> {
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
        // Again, as the files may have changed while Doppler answered.
        check_are_ours(&self.file)?;
        let write = || {
            let previous = std::fs::read(&self.file).ok().filter(|previous| !previous.is_empty());
            write_atomically(&self.file, format!("{MARK}{sealed}\n").as_bytes())?;
            previous.map_or(Ok(()), |previous| write_atomically(&older(&self.file), &previous))
        };
        write().map_err(|error| about(error.to_string()))
    }

    /// Finds the newest copy of `place` that can be decrypted and is young enough.
    ///
    /// # Errors
    /// [`fault::Kind::Temporary`] if there is none, with the reason for each file.
    pub(crate) fn find(&self, place: &str, now: Timestamp) -> Result<Found> {
        let mut reasons = Vec::new();
        for file in [self.file.clone(), older(&self.file)] {
            match self.open(&file, place, now) {
                Ok(found) => return Ok(found),
                Err(reason) => reasons.push(format!("{}: {reason}", file.display())),
            }
        }
        let mut fault = Fault::temporary("no fallback can be used");
        fault.causes = reasons;
        Err(fault)
    }

    fn open(&self, file: &Path, place: &str, now: Timestamp) -> Result<Found, String> {
        let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
        let undecryptable = || "it cannot be decrypted with DOPPLER_PASSPHRASE, or was changed".to_owned();
        let (written_at, secrets) = if let Some(sealed) = text.strip_prefix(MARK) {
            let plain = seal::open(self.passphrase.expose_secret(), sealed).ok_or_else(undecryptable)?;
            // The text is secret and must not appear in an error.
            let copy: Copy = serde_json::from_slice(&plain).ok().ok_or("it does not hold secrets")?;
            if copy.place != place {
                return Err(format!("it holds {}", copy.place));
            }
            let written_at = copy.written_at.parse().ok().ok_or("its time cannot be read")?;
            (written_at, copy.secrets.into_iter().map(Secret::from).collect())
        } else {
            let plain = seal::open(self.passphrase.expose_secret(), &text).ok_or_else(undecryptable)?;
            of_the_cli(file, &plain)?
        };
        let age = Duration::try_from(written_at.until(now).map_err(|error| error.to_string())?).unwrap_or_default();
        if age > self.max_age {
            return Err(format!("it is {} old, and --fallback-max-age allows {}", shown(age), shown(self.max_age)));
        }
        Ok(Found { secrets, age })
    }
}

/// Reads the content of a file of the Doppler CLI: an object of strings, whose age is that of the file.
fn of_the_cli(file: &Path, plain: &[u8]) -> Result<(Timestamp, Vec<Secret>), String> {
    let values: std::collections::BTreeMap<String, String> =
        serde_json::from_slice(plain).ok().ok_or("it does not hold an object of strings")?;
    let changed =
        std::fs::metadata(file).and_then(|metadata| metadata.modified()).map_err(|error| error.to_string())?;
    let at = Timestamp::try_from(changed).map_err(|error| error.to_string())?;
    Ok((at, values.into_iter().map(|(name, value)| Secret::masked(name, value)).collect()))
}

/// The file of the copy before.
fn older(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".old");
    PathBuf::from(name)
}

/// Refuses `file` if it, or the copy before it, is something that we did not write.
fn check_are_ours(file: &Path) -> Result<()> {
    not_ours(file).map_or(Ok(()), |cause| Err(refused(file, &cause)))?;
    let older = older(file);
    not_ours(&older).map_or(Ok(()), |cause| {
        Err(refused(file, &format!("the copy before it would replace {}", older.display())).cause(cause))
    })
}

/// Why `file` must not be replaced: it is anything but a regular file that is empty or begins like one of ours or of the Doppler CLI.
/// `None` if it may be, or if it does not exist.
fn not_ours(file: &Path) -> Option<String> {
    let found = match std::fs::metadata(file) {
        Err(error) if error.kind() == ErrorKind::NotFound && !file.is_symlink() => return None,
        Err(error) => return Some(error.to_string()),
        Ok(found) => found,
    };
    // Before it is opened: a FIFO would wait for a writer.
    if !found.is_file() {
        return Some(if found.is_dir() { "it is a directory" } else { "it is not a regular file" }.to_owned());
    }
    let mut start = Vec::new();
    match File::open(file).and_then(|file| file.take(HEADER).read_to_end(&mut start)) {
        Err(error) => Some(error.to_string()),
        Ok(_) if start.is_empty() || is_header(&start) => None,
        Ok(_) => Some("it was not written by secrets-env or the Doppler CLI, and would be overwritten".to_owned()),
    }
}

/// Whether a file that begins like this is ours or the Doppler CLI's: a text of the user's may begin with the same words.
fn is_header(start: &[u8]) -> bool {
    let start = start.strip_prefix(MARK.as_bytes()).unwrap_or(start);
    let Some(rest) = start.strip_prefix(CLI_MARK.as_bytes()) else { return false };
    // The rounds of the key derivation, then the salt.
    let rounds = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    rounds > 0 && rest.get(rounds) == Some(&b':')
}

fn refused(file: &Path, cause: &str) -> Fault {
    Fault::usage(format!("{} cannot be used as the fallback", file.display()))
        .cause(cause)
        .help("name a file that does not exist yet, or a fallback written earlier: --fallback FILE")
}

/// Formats an age for people: `40 s`, `12 min`, `3.5 h`.
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

    use super::{Fallback, MARK, shown};

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
    fn a_copy_is_encrypted_private_and_returns_what_was_stored() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("deep/fallback");
        fallback(&file).store(&secrets("hunter2"), PLACE, at("2026-11-21T05:00:00Z")).unwrap();
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
    fn a_copy_that_is_too_old_or_of_another_config_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("fallback");
        fallback(&file).store(&secrets("x"), PLACE, at("2026-11-21T05:00:00Z")).unwrap();
        let fault = fallback(&file).find(PLACE, at("2026-11-21T06:01:00Z")).err().unwrap();
        assert_eq!(fault.kind, Kind::Temporary);
        assert!(fault.causes[0].contains("61 min old, and --fallback-max-age allows 60 min"), "{fault:?}");
        assert!(fallback(&file).find("config `dev`", at("2026-11-21T05:01:00Z")).is_err());
    }

    #[test]
    fn a_broken_copy_is_replaced_by_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("fallback");
        fallback(&file).store(&secrets("first"), PLACE, at("2026-11-21T05:00:00Z")).unwrap();
        fallback(&file).store(&secrets("second"), PLACE, at("2026-11-21T05:10:00Z")).unwrap();
        std::fs::write(&file, format!("{MARK}4:base64:500000:torn")).unwrap();
        let found = fallback(&file).find(PLACE, at("2026-11-21T05:20:00Z")).unwrap();
        assert_eq!(found.secrets[0].value.as_ref().unwrap().expose_secret(), "first");
    }

    #[test]
    fn what_is_not_a_fallback_of_ours_is_refused_and_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("cache")).unwrap();
        std::fs::write(at("package.json"), "{}").unwrap();
        std::fs::write(at("x.old"), "mine").unwrap();
        std::fs::write(at("version-3"), "3:base64:500000:AA-AA-AA").unwrap();
        std::fs::write(at("notes"), "secrets-env/1 is a header").unwrap();
        std::fs::write(at("versions"), "4:base64: see above").unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(at("nowhere"), at("dangling")).unwrap();
        let names = [
            "cache",
            "package.json",
            "x",
            "version-3",
            "notes",
            "versions",
            "new/",
            #[cfg(unix)]
            "dangling",
        ];
        for name in names {
            let fault = Fallback::new(&at(name), Duration::from_hours(1), Some("p")).err().unwrap();
            assert!(fault.kind == Kind::Usage && fault.message.contains("cannot be used as the fallback"), "{name}");
        }
        let fault = Fallback::new(&at("x"), Duration::from_hours(1), Some("p")).err().unwrap();
        assert!(fault.message.contains("/x cannot be used") && fault.causes[0].contains("replace "), "{fault:?}");
        assert!(at("cache").is_dir() && !at("cache.old").exists() && !at("x").exists());
        assert_eq!(std::fs::read_to_string(at("package.json")).unwrap(), "{}");
        std::fs::write(at("empty"), "").unwrap();
        fallback(&at("empty")).store(&secrets("x"), PLACE, Timestamp::UNIX_EPOCH).unwrap();
        assert!(!at("empty.old").exists());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_a_fallback_stays_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("real"), folder.path().join("link"));
        std::fs::write(&file, "").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        fallback(&link).store(&secrets("x"), PLACE, at("2026-11-21T05:00:00Z")).unwrap();
        assert!(link.is_symlink() && std::fs::read_to_string(&file).unwrap().starts_with(MARK));
    }

    #[test]
    fn a_failed_write_leaves_no_temporary_file_and_the_copy_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("fallback");
        let stored = fallback(&file);
        std::fs::create_dir(&file).unwrap();
        assert!(stored.store(&secrets("x"), PLACE, at("2026-11-21T05:00:00Z")).is_err());
        assert!(super::write_atomically(&file, b"x").is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
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
