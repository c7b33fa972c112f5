//! Passes secrets as files: the variable holds a path that can be opened, read and sized as often as the command likes.
//!
//! On Linux the files are in the memory of a process that lives as long as the command ([`super::holder`]); nothing is left after it,
//! however it ends. Elsewhere they are private temporary files, which the supervisor removes when the command has ended.

use std::io;
use std::path::PathBuf;

use fault::{Fault, Result};
use secrecy::{ExposeSecret as _, SecretString};

use crate::chosen::Chosen;

/// Secrets as files, which last until this is dropped or the command ends.
#[derive(Debug, Default)]
pub(super) struct Files {
    /// The variables.
    names: Vec<String>,
    store: Option<Store>,
}

/// Takes the secrets that `names` asks for out of `secrets`.
///
/// # Errors
/// [`fault::Kind::Failed`] for a name that does not exist; [`fault::Kind::Usage`] for one that cannot name a variable.
pub(super) fn take(names: &[String], secrets: &mut Vec<Chosen>) -> Result<Vec<Chosen>> {
    let mut taken = Vec::new();
    for name in names.iter().filter(|name| !name.is_empty()) {
        let Some(at) = secrets.iter().position(|secret| secret.name == *name || secret.origin == *name) else {
            return Err(Fault::no(format!("not among the secrets: {name}"))
                .help("check --file against `secrets-env --format names`"));
        };
        let secret = secrets.remove(at);
        crate::validate::check_name(&secret)?;
        taken.push(secret);
    }
    Ok(taken)
}

impl Files {
    /// Makes files of `secrets`.
    ///
    /// # Errors
    /// [`fault::Kind::Temporary`] if the system has no room for them.
    pub(super) fn new(secrets: Vec<Chosen>) -> Result<Self> {
        let (names, values): (Vec<String>, Vec<SecretString>) =
            secrets.into_iter().map(|secret| (secret.name, secret.value)).unzip();
        if names.is_empty() {
            return Ok(Self::default());
        }
        let about = |error: io::Error| {
            Fault::temporary(format!("cannot pass {} as a file", names.join(", "))).cause(error.to_string())
        };
        let store = Store::new(&contents(&values)).map_err(about)?;
        Ok(Self { names, store: Some(store) })
    }

    /// Whether there are any.
    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Each variable and its path.
    pub(super) fn variables(&self) -> impl Iterator<Item = (&str, PathBuf)> {
        let paths = self.store.iter().flat_map(Store::paths);
        self.names.iter().map(String::as_str).zip(paths)
    }

    /// Gives the files new contents, under the same paths.
    ///
    /// # Errors
    /// They cannot be written.
    pub(super) fn replace(&mut self, secrets: &[Chosen]) -> io::Result<()> {
        let values: Vec<SecretString> = secrets.iter().map(|secret| secret.value.clone()).collect();
        self.store.as_mut().map_or(Ok(()), |store| store.replace(&contents(&values)))
    }
}

/// Exposed to the command, which is given the files.
fn contents(values: &[SecretString]) -> Vec<&[u8]> {
    values.iter().map(|value| value.expose_secret().as_bytes()).collect()
}

#[cfg(target_os = "linux")]
use linux::Store;

#[cfg(target_os = "linux")]
mod linux {
    //! Files in the memory of a process of ours.

    use std::io::{self, BufRead as _, BufReader, Write as _};
    use std::path::PathBuf;
    use std::process::{ChildStdin, ChildStdout, Stdio};

    use rustix::io::{FdFlags, fcntl_setfd};

    use super::super::holder::framed;
    use super::super::reexec::{self, Start};

    /// The process that holds the files.
    #[derive(Debug)]
    pub(super) struct Store {
        id: u32,
        input: ChildStdin,
        answers: BufReader<ChildStdout>,
        numbers: Vec<u32>,
    }

    impl Store {
        pub(super) fn new(contents: &[&[u8]]) -> io::Result<Self> {
            let mut command = reexec::helper(Start::Hold)?;
            let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
            let missing = || io::Error::from(io::ErrorKind::BrokenPipe);
            let input = child.stdin.take().ok_or_else(missing)?;
            let answers = BufReader::new(child.stdout.take().ok_or_else(missing)?);
            let mut store = Self { id: child.id(), input, answers, numbers: vec![0; contents.len()] };
            store.replace(contents)?;
            // For the command to inherit: processes that outlive it keep the files by it.
            fcntl_setfd(&store.input, FdFlags::empty())?;
            Ok(store)
        }

        pub(super) fn replace(&mut self, contents: &[&[u8]]) -> io::Result<()> {
            self.input.write_all(&framed(contents))?;
            for number in &mut self.numbers {
                let mut line = String::new();
                self.answers.read_line(&mut line)?;
                *number = line.trim().parse().map_err(|_| io::Error::other("the process that holds it has ended"))?;
            }
            Ok(())
        }

        pub(super) fn paths(&self) -> impl Iterator<Item = PathBuf> {
            self.numbers.iter().map(|number| PathBuf::from(format!("/proc/{}/fd/{number}", self.id)))
        }
    }
}

#[cfg(not(target_os = "linux"))]
use elsewhere::Store;

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    //! Private temporary files.

    use std::io::{self, Write as _};
    use std::path::PathBuf;

    use tempfile::NamedTempFile;

    /// The files; dropping them removes them.
    #[derive(Debug)]
    pub(super) struct Store(Vec<NamedTempFile>);

    impl Store {
        pub(super) fn new(contents: &[&[u8]]) -> io::Result<Self> {
            let file = |content: &&[u8]| {
                let mut file = tempfile::Builder::new().prefix("secrets-env-").tempfile()?;
                file.write_all(content)?;
                Ok(file)
            };
            contents.iter().map(file).collect::<io::Result<_>>().map(Self)
        }

        pub(super) fn replace(&mut self, contents: &[&[u8]]) -> io::Result<()> {
            for (file, content) in self.0.iter().zip(contents) {
                crate::stored::write_atomically(file.path(), content)?;
            }
            Ok(())
        }

        pub(super) fn paths(&self) -> impl Iterator<Item = PathBuf> {
            self.0.iter().map(|file| file.path().to_owned())
        }
    }
}
