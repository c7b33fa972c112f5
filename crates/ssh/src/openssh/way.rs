//! How a host is reached: what the user's configuration has about it, and through which bastion.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use tokio::process::Command;
use tokio::sync::Mutex;

use super::master::{Bastion, Means};
use super::{OpenSsh, Settings};
use crate::bastion::{Jump, Resolved, may_jump};
use crate::client::{destination, quoted};
use crate::{Refusal, Target, UnknownHosts};

/// What is known of the hosts' ways.
#[derive(Debug)]
pub(super) struct Ways {
    /// Whether a host may be behind a bastion.
    may_jump: bool,
    /// Whether keys are accepted that the user's own files do not have: these must not be written.
    spares_own_files: bool,
    resolved: Mutex<HashMap<String, Resolved>>,
    bastions: Mutex<HashMap<Jump, Arc<Bastion>>>,
}

/// The way to one host.
#[derive(Default)]
pub(super) struct Way {
    /// Options of its client.
    pub(super) options: Vec<String>,
    /// The bastion that it is behind.
    pub(super) bastion: Option<Arc<Bastion>>,
}

impl Ways {
    pub(super) fn new(settings: &Settings) -> Self {
        let home = settings.environment.iter().find(|(name, _)| name == "HOME");
        let home = Path::new(home.map_or("/", |(_, home)| home.as_str()));
        let own = settings.configuration.clone().unwrap_or_else(|| home.join(".ssh/config"));
        Self {
            may_jump: may_jump(&[own, PathBuf::from("/etc/ssh/ssh_config")], home),
            spares_own_files: settings.unknown_hosts == UnknownHosts::Accept && settings.known_hosts.is_none(),
            resolved: Mutex::default(),
            bastions: Mutex::default(),
        }
    }

    /// Ends the connections to bastions.
    pub(super) async fn close(self) {
        for bastion in self.bastions.into_inner().into_values().filter_map(Arc::into_inner) {
            bastion.close().await;
        }
    }
}

impl OpenSsh {
    /// Finds the way to a host; connects to its bastion, if it is behind one that no other host has needed yet.
    pub(super) async fn way(&self, target: &Target) -> Result<Way, Refusal> {
        if !self.ways.may_jump && !self.ways.spares_own_files {
            return Ok(Way::default());
        }
        let resolved = self.resolved(target).await;
        let folder = self.folder.path();
        let known_hosts = resolved.known_hosts.filter(|_| self.ways.spares_own_files).map(|files| {
            // ssh writes to the first file.
            ["-o".to_owned(), format!("UserKnownHostsFile={} {files}", quoted(&folder.join("known_hosts")))]
        });
        let known_hosts: Vec<String> = known_hosts.into_iter().flatten().collect();
        let pinned = !target.host_keys.is_empty();
        let mut options = if pinned { Vec::new() } else { known_hosts.clone() };
        let Some(jump) = resolved.jump else { return Ok(Way { options, bastion: None }) };
        let bastion = {
            let mut bastions = self.ways.bastions.lock().await;
            let number = bastions.len();
            Arc::clone(bastions.entry(jump).or_insert_with_key(|jump| Arc::new(Bastion::new(jump.clone(), number))))
        };
        let limit = self.connect_timeout * 2;
        let means = Means { folder, environment: &self.environment, limit, options: &known_hosts };
        let socket = bastion.socket(&means).await?;
        let command = bastion.jump.proxy_command(&folder.join("config"), &socket);
        options.extend(["-o".to_owned(), format!("ProxyCommand={command}")]);
        Ok(Way { options, bastion: Some(bastion) })
    }

    /// What ssh makes of the configuration for a host. A configuration that is not valid is reported by the client itself.
    async fn resolved(&self, target: &Target) -> Resolved {
        let name = target.address.to_string();
        if let Some(known) = self.ways.resolved.lock().await.get(&name) {
            return known.clone();
        }
        let mut command = Command::new("ssh");
        command.arg("-F").arg(self.folder.path().join("config")).arg("-G").args(destination(target));
        command.env_clear().envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).kill_on_drop(true);
        let text = {
            let _turn = self.handshakes.acquire().await;
            match tokio::time::timeout(self.connect_timeout, command.output()).await {
                Ok(Ok(output)) => String::from_utf8_lossy(&output.stdout).into_owned(),
                _ => String::new(),
            }
        };
        let resolved = Resolved::of(&text);
        self.ways.resolved.lock().await.insert(name, resolved.clone());
        resolved
    }
}
