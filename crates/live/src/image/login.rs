//! Docker's `config.json`: logins in it, and the programs that keep them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fault::{Fault, Result};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use tokio::io::AsyncWriteExt as _;

use super::registry::Login;

/// How long a helper may take.
const HELPER: Duration = Duration::from_secs(30);
/// What Docker calls its own registry in this file.
const DOCKER_IO: &str = "https://index.docker.io/v1/";

/// Where logins are kept.
#[derive(Clone, Debug)]
pub struct DockerConfig {
    /// The folder of `config.json`.
    pub folder: PathBuf,
    /// The environment of helpers: all of it, since those of clouds sign in with variables.
    pub environment: Vec<(String, String)>,
}

#[derive(Default, Deserialize)]
struct File {
    #[serde(default)]
    auths: BTreeMap<String, Auth>,
    #[serde(default, rename = "credHelpers")]
    helpers: BTreeMap<String, String>,
    #[serde(default, rename = "credsStore")]
    store: Option<String>,
}

#[derive(Default, Deserialize)]
struct Auth {
    #[serde(default, rename = "auth")]
    encoded: Option<SecretString>,
    #[serde(default)]
    username: Option<String>,
    #[serde(default)]
    password: Option<SecretString>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Kept {
    username: String,
    secret: SecretString,
}

impl DockerConfig {
    /// The login for a registry, if there is one.
    ///
    /// # Errors
    /// A usage fault for a file that cannot be read; a permission fault for a helper that fails.
    pub async fn login(&self, registry: &str) -> Result<Option<Login>> {
        let path = self.folder.join("config.json");
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            Err(error) => {
                return Err(Fault::usage(format!("cannot read `{}`", path.display())).cause(error.to_string()));
            }
        };
        // The parser's message could quote a value.
        let file: File = serde_json::from_slice(&bytes)
            .map_err(|error| Fault::usage(format!("`{}` is malformed, line {}", path.display(), error.line())))?;
        let is_it = |key: &str| host(key) == registry || (registry == "docker.io" && key == DOCKER_IO);
        if let Some((key, helper)) = file.helpers.iter().find(|(key, _)| is_it(key)) {
            return self.helper(helper, key).await;
        }
        let given = file.auths.iter().find(|(key, _)| is_it(key)).and_then(|(_, auth)| auth.login());
        match (given, &file.store) {
            (Some(login), _) => Ok(Some(login)),
            (None, Some(store)) => {
                let key = if registry == "docker.io" { DOCKER_IO } else { registry };
                self.helper(store, key).await
            }
            (None, None) => Ok(None),
        }
    }

    /// Asks a helper, as Docker does: the registry on its stdin, JSON on its stdout.
    async fn helper(&self, name: &str, key: &str) -> Result<Option<Login>> {
        let program = format!("docker-credential-{name}");
        let failed = |why: String| {
            Fault::permission(format!("the login for `{key}` cannot be read"))
                .cause(format!("`{program}`, which Docker's config.json names: {why}"))
                .help("install the helper, or set REGISTRY_USERNAME and REGISTRY_PASSWORD")
        };
        let mut command = tokio::process::Command::new(&program);
        command.arg("get").env_clear().envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
        if let Some(mut stdin) = child.stdin.take() {
            // A helper that does not read its input answers all the same, or fails.
            let _ = stdin.write_all(key.as_bytes()).await;
        }
        let output = tokio::time::timeout(HELPER, child.wait_with_output()).await;
        let output = output.map_err(|_elapsed| failed(format!("no answer within {} s", HELPER.as_secs())))?;
        let output = output.map_err(|error| failed(error.to_string()))?;
        if !output.status.success() {
            // Its message is on stdout, and may be all that it has to report: no login is no error.
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            return if text.contains("credentials not found") {
                Ok(None)
            } else {
                Err(failed(output.status.to_string()))
            };
        }
        let kept: Kept =
            serde_json::from_slice(&output.stdout).map_err(|_other| failed("its answer is not a login".to_owned()))?;
        Ok((!kept.username.is_empty()).then_some(Login { user: kept.username, password: kept.secret }))
    }
}

impl Auth {
    fn login(&self) -> Option<Login> {
        if let (Some(user), Some(password)) = (&self.username, &self.password) {
            return Some(Login { user: user.clone(), password: password.clone() });
        }
        let decoded = STANDARD.decode(self.encoded.as_ref()?.expose_secret().trim()).ok()?;
        let text = String::from_utf8(decoded).ok()?;
        let (user, password) = text.split_once(':')?;
        Some(Login { user: user.to_owned(), password: password.trim_end_matches('\0').to_owned().into() })
    }
}

/// The host of a key: keys may be URLs.
fn host(key: &str) -> &str {
    let rest = key.split_once("://").map_or(key, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest)
}
