//! What was read before the wait: credentials, the proxies, the connections over SSH.

use std::collections::BTreeMap;
use std::sync::Arc;

use cli::Console;
use live::Proxies;
use redact::Plan;
use secrecy::{ExposeSecret as _, SecretString};

/// Everything that was read.
pub(crate) struct Gathered {
    variables: BTreeMap<String, SecretString>,
    proxies: Arc<Proxies>,
    hidden: Plan,
    /// The connections over SSH, once there is a target that needs one.
    #[cfg(unix)]
    pub(super) ssh: Option<Arc<ssh::OpenSsh>>,
}

impl Gathered {
    pub(super) fn new(proxies: Proxies) -> Self {
        Self {
            variables: BTreeMap::new(),
            proxies: Arc::new(proxies),
            hidden: Plan::new(),
            #[cfg(unix)]
            ssh: None,
        }
    }

    /// Keeps a credential, which is masked already.
    pub(super) fn keep(&mut self, name: String, value: SecretString) {
        self.hidden.add(&name, value.expose_secret());
        self.variables.insert(name, value);
    }

    /// A credential.
    pub(super) fn found(&self, name: &str) -> Option<&SecretString> {
        self.variables.get(name)
    }

    /// The proxies of the environment.
    pub(super) fn proxies(&self) -> Arc<Proxies> {
        Arc::clone(&self.proxies)
    }

    /// Masks a credential that was found later.
    pub(super) fn hide(&mut self, name: &str, value: &str, console: &Console) {
        self.hidden.add(name, value);
        console.mask(&self.hidden.masks());
    }

    /// Hides every credential that was read in text of other programs.
    pub(crate) fn clean(&self, text: &str) -> String {
        let mut redactor = self.hidden.redactor();
        let mut bytes = redactor.push(text.as_bytes());
        bytes.extend(redactor.finish());
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Ends the agent that was started for SSH.
    pub(crate) async fn close(self) {
        #[cfg(unix)]
        if let Some(ssh) = self.ssh.and_then(Arc::into_inner) {
            ssh.close().await;
        }
    }
}
