//! Secrets as this run finds them: in variables, in files, in Doppler; masked before anything else is done with them.

use std::path::{Path, PathBuf};

use api::Deadline;
use cli::Console;
use credentials::{Credentials, Found, Source};
use fault::{Fault, Result};
use redact::Plan;
use runner::Environment;
use runner::oidc::IdTokenRequest;
use secrecy::{ExposeSecret as _, SecretString};

use crate::args::Args;

/// Something that was reached, or why only the program that owns it reaches it.
#[derive(Debug)]
pub(crate) enum Reached<T> {
    /// It.
    Here(T),
    /// What is beyond us; an error where there is no program to ask.
    Beyond(Fault),
}

/// What signing in takes: the environment, the time that is left, and where masks go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Session<'a> {
    console: &'a Console,
    /// What relative paths are relative to: `--cwd`.
    folder: &'a Path,
    /// By when everything must have been answered.
    pub(crate) deadline: Deadline,
}

impl<'a> Session<'a> {
    /// The session of this run.
    pub(crate) fn new(args: &'a Args, console: &'a Console) -> Self {
        let folder = args.source.cwd.as_deref().unwrap_or(Path::new(""));
        Self { console, folder, deadline: Deadline::after(args.source.deadline) }
    }

    /// All variables.
    pub(crate) fn environment(self) -> &'a Environment {
        self.console.environment()
    }

    /// A variable that is not blank and no secret.
    pub(crate) fn variable(self, name: &str) -> Option<&'a str> {
        self.environment().get(name)
    }

    /// The first of `names` that is set.
    pub(crate) fn first(self, names: &[&str]) -> Option<&'a str> {
        names.iter().find_map(|name| self.variable(name))
    }

    /// Whether a variable says yes, as Go reads it.
    pub(crate) fn says(self, name: &str) -> bool {
        self.variable(name).is_some_and(|value| matches!(value.trim(), "1" | "t" | "T" | "true" | "TRUE" | "True"))
    }

    /// A secret that stands somewhere else than in a variable, masked.
    pub(crate) fn masked(self, value: &str) -> SecretString {
        self.mask(&[value]);
        value.into()
    }

    /// A token that was just issued, masked.
    pub(crate) fn issued(self, token: SecretString) -> SecretString {
        // Exposed to be masked.
        self.mask(&[token.expose_secret()]);
        token
    }

    /// Masks `values` in every form in which they may meet a log.
    pub(crate) fn mask(self, values: &[&str]) {
        let mut plan = Plan::new();
        for value in values {
            plan.add("credential", value);
        }
        self.console.mask(&plan.masks());
    }

    /// A secret from the variable of that name alone, masked.
    pub(crate) fn given(self, name: &str) -> Option<SecretString> {
        self.variable(name).map(|value| self.masked(value))
    }

    /// Those of `names` that there are, from variables, else from Doppler by name.
    pub(crate) async fn find(self, names: &[&str]) -> Result<Vec<Found>> {
        let mask = |values: &[String]| self.console.mask(values);
        self.credentials().find_all(names, &mask).await
    }

    /// That none of several secrets is there, of which `name` is the one to ask for.
    pub(crate) fn missing(self, name: &str) -> Fault {
        self.credentials().missing(name)
    }

    /// This job's identity for `audience`, as the runner vouches for it; `None` without `id-token: write`.
    pub(crate) async fn identity(self, audience: &str) -> Result<Option<SecretString>> {
        match IdTokenRequest::of(self.environment(), Some(audience)) {
            Some(request) => self.asked(&request).await.map(Some),
            None => Ok(None),
        }
    }

    /// The identity token that `request` asks for, masked.
    pub(crate) async fn asked(self, request: &IdTokenRequest) -> Result<SecretString> {
        Ok(self.issued(credentials::identity_token(request, self.deadline).await?))
    }

    /// The text of a file that the variable or setting `named` names, masked and trimmed.
    pub(crate) fn file(self, path: &str, named: &str) -> Result<SecretString> {
        Ok(self.masked(&self.text(path, named)?))
    }

    /// The text of a file that holds no secret, trimmed.
    pub(crate) fn text(self, path: &str, named: &str) -> Result<String> {
        let text = std::fs::read_to_string(self.path(path)).map_err(|error| {
            Fault::permission(format!("cannot read {path}, which {named} names")).cause(error.to_string())
        })?;
        Ok(text.trim().to_owned())
    }

    /// A path as the tools of the clouds write it: `~/` is home, and what is relative is so to `--cwd`.
    pub(crate) fn path(self, text: &str) -> PathBuf {
        let below_home = text.strip_prefix("~/").and_then(|below| self.home(below));
        below_home.unwrap_or_else(|| self.folder.join(text))
    }

    /// A path below the home folder.
    pub(crate) fn home(self, below: impl AsRef<Path>) -> Option<PathBuf> {
        Some(PathBuf::from(self.variable("HOME")?).join(below))
    }

    fn credentials(self) -> Credentials {
        Credentials::new(self.environment(), self.deadline)
    }
}

/// Where one of several secrets was found, for messages.
pub(crate) fn origin(found: &[Found], name: &str) -> String {
    match found.iter().find(|found| found.name == name).map(|found| found.source) {
        Some(Source::Doppler) => format!("{name} in Doppler"),
        _ => name.to_owned(),
    }
}

/// One of several secrets that were found.
pub(crate) fn value(found: &[Found], name: &str) -> Option<SecretString> {
    found.iter().find(|found| found.name == name).map(|found| found.value.clone())
}
