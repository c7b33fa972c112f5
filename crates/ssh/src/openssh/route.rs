//! Finds the way to a host.

use std::process::Stdio;
use std::sync::Arc;

use tokio::process::Command;

use super::OpenSsh;
use super::master::{Bastion, Means};
use super::way::Way;
use crate::bastion::Resolved;
use crate::client::{destination, quoted};
use crate::{Refusal, Target};

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
