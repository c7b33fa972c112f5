//! `live-wait swarm`.

use std::path::PathBuf;

use clap::ArgGroup;
use live::image::Reference;

use super::{pair, some};

/// Wait until the tasks of a Swarm service run an image or have a label
///
/// The service's spec must be the one asked for, and every task must run it without a failure for --stable. What Swarm itself reports
/// is not enough: after a rollback, and while every task crashes, its client exits 0.
#[derive(Clone, Debug, clap::Args)]
#[command(group = ArgGroup::new("what").required(true).multiple(true).args(["image", "label"]))]
#[command(group = ArgGroup::new("which").required(true).args(["service", "stack"]))]
pub(crate) struct SwarmArgs {
    /// The services
    #[arg(value_name = "SERVICE", value_parser = some)]
    pub(crate) service: Vec<String>,

    /// All services of this stack, in place of SERVICE
    #[arg(long, value_name = "NAME", value_parser = some)]
    pub(crate) stack: Option<String>,

    /// Services of the stack that need not have it
    #[arg(long, value_name = "SERVICE,…", value_delimiter = ',', requires = "stack")]
    pub(crate) except: Vec<String>,

    /// Containers of this repository must run this tag, or this digest
    #[arg(long, value_name = "REF")]
    pub(crate) image: Vec<Reference>,

    /// A label that the service or its containers must have
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) label: Vec<(String, String)>,

    /// Read the digests of --image from its registry first
    #[arg(long, requires = "image", hide_short_help = true)]
    pub(crate) resolve_image: bool,

    /// A manager's engine: `unix://PATH`, `tcp://HOST:PORT` or `ssh://[USER@]HOST[:PORT][/SOCKET]` [default: `DOCKER_HOST`, else /var/run/docker.sock]
    #[arg(long, value_name = "URL", value_parser = some)]
    pub(crate) host: Option<String>,

    /// Known hosts for ssh://, in place of your own file
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub(crate) known_hosts: Option<PathBuf>,

    /// Accept unknown host keys for ssh://; changed keys are still rejected
    #[arg(long, hide_short_help = true)]
    pub(crate) accept_new: bool,
}
