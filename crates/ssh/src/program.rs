//! OpenSSH's programs: whether they are there, and the fault if one is missing.

use std::process::Stdio;

use fault::{Fault, Result};
use tokio::process::Command;

/// What OpenSSH needs of an environment. `LANG` and `LC_*` are not among it, because many systems' `ssh_config` sends them on to the
/// host.
const NEEDED: [&str; 14] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "TMPDIR",
    "SSH_AUTH_SOCK",
    "SSH_SK_PROVIDER",
    "KRB5CCNAME",
    "KRB5_CONFIG",
    "XDG_CONFIG_HOME",
    "XDG_RUNTIME_DIR",
    "HTTPS_PROXY",
    "NO_PROXY",
];

/// The part of an environment that ssh gets, with what its `ProxyCommand` needs besides. The rest may hold secrets.
pub fn environment<'a>(all: impl Iterator<Item = (&'a str, &'a str)>, more: &[String]) -> Vec<(String, String)> {
    let wanted = all.filter(|(name, _)| NEEDED.contains(name) || more.iter().any(|one| one == name));
    wanted.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The version of `ssh`, which it prints as `OpenSSH_9.2p1 Debian-2, …`; 0.0 for one that calls itself something else.
///
/// # Errors
/// That of [`missing`].
pub(crate) async fn version(environment: &[(String, String)]) -> Result<(u32, u32)> {
    let mut command = Command::new("ssh");
    command.arg("-V").env_clear().envs(environment.iter().map(|(name, value)| (name, value)));
    let output = command.stdin(Stdio::null()).output().await.map_err(|error| missing("ssh", &error))?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let mut numbers = text.split_once('_').map_or("", |(_, rest)| rest).split(|one: char| !one.is_ascii_digit());
    let mut next = || numbers.next().and_then(|number| number.parse().ok()).unwrap_or(0);
    Ok((next(), next()))
}

/// The fault of a program that cannot be started.
pub(crate) fn missing(program: &str, error: &std::io::Error) -> Fault {
    if error.kind() == std::io::ErrorKind::NotFound {
        return Fault::usage(format!("{program} is not installed"))
            .help("install the OpenSSH client: apt-get install openssh-client, apk add openssh-client, dnf install openssh-clients");
    }
    Fault::usage(format!("{program} cannot be started: {error}"))
}
