//! OpenSSH's programs: whether they are there, and the fault if one is missing.

use std::process::Stdio;

use fault::{Fault, Result};
use tokio::process::Command;

/// Checks that `ssh` can be started.
///
/// # Errors
/// That of [`missing`].
pub(crate) async fn is_installed(environment: &[(String, String)]) -> Result<()> {
    let mut command = Command::new("ssh");
    command.arg("-V").env_clear().envs(environment.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().await.map(drop).map_err(|error| missing("ssh", &error))
}

/// The fault of a program that cannot be started.
pub(crate) fn missing(program: &str, error: &std::io::Error) -> Fault {
    if error.kind() == std::io::ErrorKind::NotFound {
        return Fault::usage(format!("{program} is not installed"))
            .help("install the OpenSSH client: apt-get install openssh-client, apk add openssh-client, dnf install openssh-clients");
    }
    Fault::usage(format!("{program} cannot be started: {error}"))
}
