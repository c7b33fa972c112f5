//! The services of a sandbox.

use std::path::PathBuf;

use crate::{Cloudflare, Doppler, GitHub, PulumiCloud, Sshd};

#[derive(Debug)]
pub(super) struct Services {
    pub(super) doppler: Doppler,
    pub(super) cloudflare: Cloudflare,
    pub(super) github: GitHub,
    pub(super) pulumi: PulumiCloud,
    /// `None` on a machine without `sshd`.
    pub(super) sshd: Option<Sshd>,
    pub(super) folder: PathBuf,
}

/// `number` with `noun`, in the plural if needed.
pub(super) fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
