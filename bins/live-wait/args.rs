//! The command line.

mod flux;
mod http;
mod image;
mod kube;
mod swarm;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use cli::{Shared, Tool};
use live::Revision;

pub(crate) use flux::FluxArgs;
pub(crate) use http::HttpArgs;
pub(crate) use image::ImageArgs;
pub(crate) use kube::KubeArgs;
pub(crate) use swarm::SwarmArgs;

const AFTER_HELP: &str = "\
What is proved:
  Never that something ran without an error, always that the revision was seen. A look that failed
  proves nothing. `live-wait TARGET --help` has the rules of each target.

What is changed:
  Nothing, but an annotation with `flux --reconcile`.

Environment:
  HTTPS_PROXY, NO_PROXY  the way to URLs, as for curl
  DOCKER_HOST            the engine for swarm; with DOCKER_TLS_VERIFY and DOCKER_CERT_PATH over TLS
  DOCKER_CONFIG          the folder of Docker's config.json, with logins for registries
  KUBECONFIG             the files for kube and flux
  REGISTRY_USERNAME, REGISTRY_PASSWORD, SSH_PRIVATE_KEY, SSH_KEY_PASSPHRASE, SSH_KNOWN_HOSTS
                         credentials, else secrets of these names in Doppler
  DOPPLER_TOKEN          signs in to Doppler

Exit codes:
  0 live · 1 it will not come: failed, rolled back, superseded · 2 wrong usage
  3 the --deadline passed on the way · 75 it could not be looked at · 77 looking is not permitted
  130, 143 interrupted, with the last look

Examples:
  live-wait http https://app.example.com/version --json .commit --revision \"$GITHUB_SHA\"
  live-wait image ghcr.io/acme/app:sha-abc1234 --also latest --platform linux/amd64
  live-wait swarm web --host ssh://deploy@10.0.0.7 --image ghcr.io/acme/web:v2 --stable 1m
  live-wait kube deployment/web statefulset/db -n shop --image ghcr.io/acme/web:v2
  live-wait flux kustomization/apps -n flux-system --revision \"$GITHUB_SHA\" --reconcile
  live-wait --plan wait.toml --revision \"$GITHUB_SHA\" --deadline 15m";

/// Wait until this revision is live
///
/// Other tools wait for something; this one waits for the revision it was given, and reports what is in its way.
#[derive(Clone, Debug, Parser)]
#[command(name = env!("CARGO_BIN_NAME"), version, after_long_help = AFTER_HELP, next_display_order = None)]
#[command(
    subcommand_value_name = "TARGET",
    subcommand_help_heading = "Targets",
    disable_help_subcommand = true,
    args_override_self = true
)]
#[command(
    override_usage = "live-wait [OPTIONS] <http|image|swarm|kube|flux> …\n       live-wait [OPTIONS] --plan <FILE>"
)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) target: Option<TargetArgs>,

    /// Wait for the targets of this file, all at once
    #[arg(long, value_name = "FILE")]
    pub(crate) plan: Option<PathBuf>,

    /// The revision of the plan's targets that name none
    #[arg(long, value_name = "REV", requires = "plan", hide_short_help = true)]
    pub(crate) revision: Option<Revision>,

    #[command(flatten)]
    pub(crate) time: TimeArgs,

    /// Output format
    #[arg(long, global = true, value_enum, default_value_t = Format::Text, value_name = "FORMAT", help_heading = "Output")]
    pub(crate) format: Format,

    #[command(flatten)]
    pub(crate) shared: Shared,
}

/// What is waited for.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum TargetArgs {
    /// URLs: every address of the name answers with the revision
    Http(HttpArgs),
    /// Images: the registry serves the tag, and others are the same digest
    Image(ImageArgs),
    /// Services of Docker Swarm: the spec is ours, its tasks run it and go on running
    Swarm(SwarmArgs),
    /// Workloads of Kubernetes: rolled out, and the new pods run
    Kube(KubeArgs),
    /// Objects of Flux: the source, what was applied and what it owns have the revision
    Flux(FluxArgs),
}

/// How long is waited, and what is enough.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Time")]
pub(crate) struct TimeArgs {
    /// Time limit for the whole wait
    #[arg(long, global = true, value_name = "TIME", value_parser = cli::time, default_value = "10m")]
    pub(crate) deadline: Duration,

    /// Pause between two looks; longer, up to 15s, until one is good
    #[arg(long, global = true, value_name = "TIME", value_parser = cli::time, default_value = "2s", hide_short_help = true)]
    pub(crate) interval: Duration,

    /// Good looks in a row [http, image: 3; else 1]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) times: Option<u32>,

    /// Time without a failure [swarm, kube, flux: 30s; else 0s]
    #[arg(long, global = true, value_name = "TIME", value_parser = cli::time)]
    pub(crate) stable: Option<Duration>,

    /// How long a crash loop, a pull failure, an absent object or a refused connection may last
    #[arg(long, global = true, value_name = "TIME", value_parser = cli::time, default_value = "60s", hide_short_help = true)]
    pub(crate) grace: Duration,
}

/// How the result is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// An image's reference with its digest; else nothing
    Text,
    /// One document
    Json,
    /// Records, one JSON object per line, while it waits
    Jsonl,
}

impl Tool for Args {
    fn shared(&self) -> &Shared {
        &self.shared
    }

    fn prints_json(&self) -> bool {
        self.format == Format::Json
    }
}

/// A value that may not be empty: an empty expression must never wait for "anything".
pub(crate) fn some(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        Err("it is empty: is an expression or a variable empty?".to_owned())
    } else {
        Ok(text.trim().to_owned())
    }
}

/// `NAME=VALUE`, both not empty.
pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    if name.trim().is_empty() || value.trim().is_empty() {
        return Err("a side of the `=` is empty: is an expression or a variable empty?".to_owned());
    }
    if value.trim() == "null" {
        return Err("the value is `null`: an expression had no value".to_owned());
    }
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}
