//! Passes secrets as files: the variable holds a path that can be opened, read and sized as often as the command likes.
//!
//! On Linux the files are in the memory of a process that lives as long as the command ([`super::holder`]); nothing is left after it,
//! however it ends. Elsewhere they are private temporary files, which the supervisor removes when the command has ended.

use std::io;
use std::path::PathBuf;

use fault::{Fault, Result};
use secrecy::{ExposeSecret as _, SecretString};

use super::store::Store;
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
            return Err(Fault::failed(format!("not among the secrets: {name}"))
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
