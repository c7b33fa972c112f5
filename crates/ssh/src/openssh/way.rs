//! How a host is reached: what the user's configuration has about it, and through which bastion.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::Mutex;

use super::master::Bastion;
use crate::bastion::{Jump, Resolved, may_jump};

/// What is known of the hosts' ways.
#[derive(Debug)]
pub(super) struct Ways {
    /// Whether a host may be behind a bastion.
    pub(super) may_jump: bool,
    /// Whether keys are accepted that the user's own files do not have: these must not be written.
    pub(super) spares_own_files: bool,
    pub(super) resolved: Mutex<HashMap<String, Resolved>>,
    pub(super) bastions: Mutex<HashMap<Jump, Arc<Bastion>>>,
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
    /// `configuration` is the user's own, if another file than usual; `spares_own_files` keeps ssh from writing to the user's files.
    pub(super) fn new(environment: &[(String, String)], configuration: Option<&Path>, spares_own_files: bool) -> Self {
        let home = environment.iter().find(|(name, _)| name == "HOME");
        let home = Path::new(home.map_or("/", |(_, home)| home.as_str()));
        let own = configuration.map_or_else(|| home.join(".ssh/config"), Path::to_owned);
        Self {
            may_jump: may_jump(&[own, PathBuf::from("/etc/ssh/ssh_config")], home),
            spares_own_files,
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
