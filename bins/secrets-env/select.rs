//! Which of the secrets, and in what shape: pure.

use doppler::{MANAGED, Secret, Visibility};
use fault::{Fault, Result};
use secrecy::SecretString;

use crate::args::Selection;

/// A secret whose value is known.
#[derive(Clone, Debug)]
pub(crate) struct Chosen {
    /// The name it is handed on under.
    pub(crate) name: String,
    /// The value.
    pub(crate) value: SecretString,
    /// Who may see it.
    pub(crate) visibility: Visibility,
}

/// The secrets that `selection` leaves, sorted by name.
pub(crate) fn apply(secrets: Vec<Secret>, selection: &Selection) -> Result<Vec<Chosen>> {
    let only = |secret: &Secret| selection.only.is_empty() || selection.only.contains(&secret.name);
    let kept: Vec<Secret> =
        secrets.into_iter().filter(|secret| only(secret) && !selection.except.contains(&secret.name)).collect();
    absent(&kept, &selection.only)?;
    if !selection.allow_empty
        && kept.iter().all(|secret| MANAGED.contains(&secret.name.as_str()))
        && selection.only.is_empty()
    {
        return Err(Fault::no("the config holds no secret").help("check --config, or give --allow-empty"));
    }
    kept.into_iter().map(chosen).collect()
}

fn absent(secrets: &[Secret], wanted: &[String]) -> Result<()> {
    let missing: Vec<&str> =
        wanted.iter().filter(|name| !secrets.iter().any(|secret| secret.name == **name)).map(String::as_str).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Fault::no(format!("not in the config: {}", missing.join(", ")))
        .help("check --only against `secrets-env --format names`"))
}

fn chosen(secret: Secret) -> Result<Chosen> {
    let Secret { name, value, visibility } = secret;
    match value {
        Some(value) => Ok(Chosen { name, value, visibility }),
        None => Err(Fault::permission(format!("Doppler does not show the value of {name} to this token"))
            .cause("its visibility is restricted, and the token is a personal or CLI token")
            .help(format!("use a service token or a service account, or leave it out with --except {name}"))),
    }
}
