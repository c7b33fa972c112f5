//! The credentials of this run: from variables, files or Doppler, each masked before anything else is done with it.

pub(crate) mod aws;
pub(crate) mod azure;
pub(crate) mod google;
pub(crate) mod pulumi_cloud;

use std::path::{Path, PathBuf};

use api::Deadline;
use cli::Console;
use credentials::{Credential, Credentials, FoundIn};
use deadline::Wait;
use fault::{Fault, Result};
use redact::Plan;
use runner::oidc::IdTokenRequest;
use runner::{Environment, HomeRule};
use secrecy::{ExposeSecret as _, SecretString};
use stack::Decryption;

use crate::args::Args;

/// A value we could read, or why we must fall back to the `pulumi` or `terraform` program.
#[derive(Debug)]
pub(crate) enum Support<T> {
    /// The value.
    Native(T),
    /// What is not supported here: the error to report if that program is not installed.
    NeedsProgram(Fault),
}

/// One run: its arguments, its streams, and the one deadline that every wait in it shares.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Session<'a> {
    /// The command line.
    pub(crate) args: &'a Args,
    /// The streams and the environment.
    pub(crate) console: &'a Console,
    /// The folder that relative paths start from: `--cwd`.
    folder: &'a Path,
    /// The instant by which the run must end, however many services it calls.
    pub(crate) deadline: Deadline,
}

impl<'a> Session<'a> {
    /// The session of this run.
    pub(crate) fn new(args: &'a Args, console: &'a Console) -> Self {
        let folder = args.source.cwd.as_deref().unwrap_or(Path::new(""));
        Self { args, console, folder, deadline: args.source.deadline }
    }

    /// The folder that the project is looked for in.
    pub(crate) fn folder(self) -> &'a Path {
        if self.folder.as_os_str().is_empty() { Path::new(".") } else { self.folder }
    }

    /// Whether secrets are going to be decrypted.
    pub(crate) fn secrets(self) -> Decryption {
        if self.args.selection.show_secrets { Decryption::Wanted } else { Decryption::NotNeeded }
    }

    /// Reads from `source`, which may never send anything, until the deadline. The thread that reads cannot be stopped; it ends
    /// with the process.
    pub(crate) async fn read<T: Send + 'static>(
        self,
        source: &str,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let _wait = Wait::begin(source.to_owned(), self.deadline);
        let (send, receive) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            // The receiver is gone if the deadline has passed; that is not an error.
            let _ = send.send(work());
        });
        match self.deadline.limit(receive).await {
            Ok(Ok(read)) => read,
            _ => Err(Fault::temporary(format!(
                "{source} was not sent to its end before the deadline of {}",
                self.deadline
            ))
            .help("check the program that writes into it, or raise --deadline")),
        }
    }

    /// All variables.
    pub(crate) fn environment(self) -> &'a Environment {
        self.console.environment()
    }

    /// A variable that is not blank and not a secret.
    pub(crate) fn variable(self, name: &str) -> Option<&'a str> {
        self.environment().get(name)
    }

    /// The first of `names` that is set.
    pub(crate) fn first(self, names: &[&str]) -> Option<&'a str> {
        names.iter().find_map(|name| self.variable(name))
    }

    /// Whether a variable is true, as Go reads booleans.
    pub(crate) fn is_true(self, name: &str) -> bool {
        self.variable(name).is_some_and(|value| matches!(value.trim(), "1" | "t" | "T" | "true" | "TRUE" | "True"))
    }

    /// A secret that was not read from a variable, masked.
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

    /// Masks `values` in every encoding in which they may appear in a log.
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

    /// Those of `names` that exist, from variables, else from Doppler by name.
    pub(crate) async fn find(self, names: &[&str]) -> Result<Vec<Credential>> {
        let mask = |values: &[String]| self.console.mask(values);
        self.credentials().find_all(names, &mask).await
    }

    /// The secret `name`, from its variable, else from Doppler.
    pub(crate) async fn require(self, name: &str) -> Result<SecretString> {
        let mask = |values: &[String]| self.console.mask(values);
        Ok(self.credentials().require(name, &mask).await?.value)
    }

    /// The error when none of several secrets was found; its advice names `name`.
    pub(crate) fn missing(self, name: &str) -> Fault {
        self.credentials().missing(name)
    }

    /// This job's OIDC token for `audience`; `None` without `id-token: write`.
    pub(crate) async fn identity(self, audience: &str) -> Result<Option<SecretString>> {
        match IdTokenRequest::of(self.environment(), Some(audience)) {
            Some(request) => self.identity_token(&request).await.map(Some),
            None => Ok(None),
        }
    }

    /// The identity token that `request` asks for, masked.
    pub(crate) async fn identity_token(self, request: &IdTokenRequest) -> Result<SecretString> {
        Ok(self.issued(credentials::identity_token(request, self.deadline).await?))
    }

    /// The text of a file that the variable or setting `named` names, masked and trimmed.
    pub(crate) fn file(self, path: &str, named: &str) -> Result<SecretString> {
        Ok(self.masked(&self.text(path, named)?))
    }

    /// The text of a file that is not secret, trimmed.
    pub(crate) fn text(self, path: &str, named: &str) -> Result<String> {
        let text = self.contents(&self.path(path)).map_err(|error| {
            let about = format!("cannot read {path}, which {named} names");
            let is_late = error.kind() == std::io::ErrorKind::TimedOut;
            let fault = if is_late { Fault::temporary(about) } else { Fault::permission(about) };
            fault.cause(error.to_string())
        })?;
        Ok(text.trim().to_owned())
    }

    /// The text of a file that may also be a pipe, such as a process substitution of a shell.
    pub(crate) fn contents(self, file: &Path) -> std::io::Result<String> {
        if std::fs::metadata(file)?.is_file() {
            return std::fs::read_to_string(file);
        }
        let file = file.to_owned();
        let late = || std::io::Error::new(std::io::ErrorKind::TimedOut, "it sent nothing before the deadline");
        self.deadline.limit_blocking(|| std::fs::read_to_string(file)).unwrap_or_else(|_elapsed| Err(late()))
    }

    /// The text of a file of settings that may be missing.
    ///
    /// # Errors
    /// [`fault::Kind::Temporary`] for a pipe that sends nothing before the deadline.
    pub(crate) fn settings(self, file: &Path) -> Result<Option<String>> {
        match self.contents(file) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == std::io::ErrorKind::TimedOut => {
                Err(Fault::temporary(format!("cannot read {}", file.display())).cause(error.to_string()))
            }
            Err(_) => Ok(None),
        }
    }

    /// A path as the cloud vendors' tools write it: `~/` is the home folder, and relative paths start from `--cwd`.
    pub(crate) fn path(self, text: &str) -> PathBuf {
        let below_home = text.strip_prefix("~/").and_then(|below| self.home(below));
        below_home.unwrap_or_else(|| self.folder.join(text))
    }

    /// A path below the home folder, by the rule that Terraform and the clouds' own tools share.
    pub(crate) fn home(self, below: impl AsRef<Path>) -> Option<PathBuf> {
        Some(self.environment().home(HomeRule::VariableFirst)?.join(below))
    }

    fn credentials(self) -> Credentials {
        Credentials::new(self.environment(), self.deadline)
    }
}

/// The place in which one of several secrets was found, for messages.
pub(crate) fn origin(found: &[Credential], name: &str) -> String {
    match found.iter().find(|found| found.name == name).map(|found| found.found_in) {
        Some(FoundIn::Doppler) => format!("{name} in Doppler"),
        _ => name.to_owned(),
    }
}

/// One of several secrets.
pub(crate) fn value(found: &[Credential], name: &str) -> Option<SecretString> {
    found.iter().find(|found| found.name == name).map(|found| found.value.clone())
}
