//! What decides the result of a deploy, as hashes: a run that resumes it is held to them.
//!
//! Not in them: how hosts are reached, limits of time, what is printed, and the values of `--env`, which are secrets.

use serde::{Deserialize, Serialize};
use ssh::sha256;

/// The hashes of a deploy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fingerprint {
    /// Of the command and what runs it.
    pub(crate) script: String,
    /// Of what is sent, and where it goes.
    pub(crate) uploads: String,
    /// Of the options that decide which hosts change, in what order, and when a host has succeeded.
    pub(crate) options: String,
}

impl Fingerprint {
    /// What of a deploy is not the same, for a message.
    pub(crate) fn differences(&self, other: &Self) -> Vec<&'static str> {
        let parts = [
            ("commands", self.script != other.script),
            ("uploads", self.uploads != other.uploads),
            ("options", self.options != other.options),
        ];
        parts.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
    }

    /// A name for the deploy that all shards and attempts of a workflow run have in common, and no other.
    pub(crate) fn name(&self, run: Option<&str>) -> String {
        match run {
            Some(run) => hash(&(run, &self.script, &self.uploads, &self.options))[..12].to_owned(),
            None => ssh::random_word(),
        }
    }
}

/// The text of a value for debugging has all of it, and differs when the value does.
pub(crate) fn hash(value: &impl std::fmt::Debug) -> String {
    sha256(format!("{value:?}").as_bytes())
}
