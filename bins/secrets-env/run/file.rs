//! Secrets handed over as files: the variable holds a path that can be opened, read and sized as often as the command likes.
//!
//! Linux: an anonymous file in memory (`memfd`), sealed against change, inherited by the command and by nothing of ours; it is gone with
//! the last process that has it, however that ends. Elsewhere: a file that only its owner can read, removed when the command has
//! ended; there a supervisor stays to do that.

use std::io;
use std::path::PathBuf;

use fault::{Fault, Result};
use secrecy::ExposeSecret as _;

use crate::chosen::Chosen;

/// A secret as a file, there until this is dropped.
#[derive(Debug)]
pub(super) struct Handed {
    /// The variable.
    pub(super) name: String,
    /// What it holds.
    pub(super) path: PathBuf,
    #[cfg(target_os = "linux")]
    _open: std::fs::File,
}

/// Takes the secrets that `names` asks for out of `secrets` and makes files of them.
///
/// # Errors
/// [`fault::Kind::No`] for a name that is not there; [`fault::Kind::Temporary`] when the system gives no file.
pub(super) fn hand_over(names: &[String], secrets: &mut Vec<Chosen>) -> Result<Vec<Handed>> {
    let mut handed = Vec::new();
    for name in names.iter().filter(|name| !name.is_empty()) {
        let Some(at) = secrets.iter().position(|secret| secret.name == *name || secret.origin == *name) else {
            return Err(Fault::no(format!("not among the secrets: {name}"))
                .help("check --file against `secrets-env --format names`"));
        };
        let secret = secrets.remove(at);
        crate::validate::check_name(&secret)?;
        // Exposed to the command, which is given the file.
        let file = make(&secret.name, secret.value.expose_secret().as_bytes());
        handed.push(file.map_err(|error| {
            Fault::temporary(format!("cannot hand {name} over as a file")).cause(error.to_string())
        })?);
    }
    Ok(handed)
}

#[cfg(target_os = "linux")]
fn make(name: &str, content: &[u8]) -> io::Result<Handed> {
    use std::io::Write as _;
    use std::os::fd::AsRawFd as _;

    use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

    // Without CLOEXEC: it is there to be inherited.
    let mut file = std::fs::File::from(memfd_create(name, MemfdFlags::ALLOW_SEALING)?);
    file.write_all(content)?;
    fcntl_add_seals(&file, SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE)?;
    // Opening this path opens the file anew, at its start, on Linux.
    let path = PathBuf::from(format!("/dev/fd/{}", file.as_raw_fd()));
    Ok(Handed { name: name.to_owned(), path, _open: file })
}

#[cfg(not(target_os = "linux"))]
fn make(name: &str, content: &[u8]) -> io::Result<Handed> {
    use std::io::Write as _;

    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let path = std::env::temp_dir().join(format!("secrets-env-{}-{name}", std::process::id()));
    options.open(&path)?.write_all(content)?;
    Ok(Handed { name: name.to_owned(), path })
}

#[cfg(not(target_os = "linux"))]
impl Drop for Handed {
    fn drop(&mut self) {
        // Somebody else removed it, which is as good.
        let _ = std::fs::remove_file(&self.path);
    }
}
