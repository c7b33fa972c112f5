//! The environment of the command: ours with the secrets, without the variables to sign in with.

use std::process::Command;

use cli::Console;
use secrecy::{ExposeSecret as _, SecretString};

use super::file::Files;
use crate::args::Args;
use crate::chosen::Chosen;
use crate::validate::KEPT;

/// With these, a process could read every secret again, or identify as this job.
const WITHHELD: [&str; 4] =
    ["DOPPLER_TOKEN", "DOPPLER_PASSPHRASE", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_URL"];

/// The differences from our own environment.
#[derive(Debug, Default)]
pub(super) struct Changes {
    cleared: bool,
    removed: Vec<&'static str>,
    set: Vec<(String, SecretString)>,
}

/// Decides the environment for the command of `args`, and prints which secrets are not set in it.
pub(super) fn of_command(args: &Args, secrets: Vec<Chosen>, files: &Files, console: &Console) -> Changes {
    let kept = |name: &str| KEPT.contains(&name);
    let dropped: Vec<&str> = secrets.iter().map(|secret| secret.name.as_str()).filter(|name| kept(name)).collect();
    if !dropped.is_empty() {
        console.status(&format!("not set for the command, which keeps its own: {}", dropped.join(", ")));
    }
    let mut set: Vec<(String, SecretString)> = Vec::new();
    if args.running.pristine
        && let Some(path) = console.environment().get("PATH")
    {
        set.push(("PATH".to_owned(), path.into()));
    }
    let given = secrets.into_iter().filter(|secret| !kept(&secret.name));
    set.extend(given.map(|secret| (secret.name, secret.value)));
    set.extend(files.variables().map(|(name, path)| (name.to_owned(), path.display().to_string().into())));
    let removed = if args.running.keep_token { Vec::new() } else { WITHHELD.to_vec() };
    Changes { cleared: args.running.pristine, removed, set }
}

impl Changes {
    /// Gives `command` this environment.
    pub(super) fn apply(&self, command: &mut Command) {
        if self.cleared {
            command.env_clear();
        }
        for name in &self.removed {
            command.env_remove(name);
        }
        // Exposed to the one process they were fetched for.
        command.envs(self.set.iter().map(|(name, value)| (name, value.expose_secret())));
    }
}
