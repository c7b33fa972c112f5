//! The command line.

use std::ffi::OsString;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use cli::{Shared, Tool};

use crate::format::Format;

const AFTER_HELP: &str = "\
Environment:
  DOPPLER_TOKEN        the token; --token-file reads it from a file instead
  DOPPLER_PROJECT, DOPPLER_CONFIG
                       where --project and --config are not given; a service token needs neither
  DOPPLER_IDENTITY_ID  signs in with the job's OIDC identity where there is no token
  DOPPLER_API_HOST     another address of Doppler's API (https, or http to loopback)

Exit codes:
  0 done · 1 a secret is missing, or there are none · 2 wrong usage · 75 try again later · 77 not permitted
  With COMMAND: its own code, 128+n for a signal, 125 it could not be started, 126 not executable, 127 not found

Examples:
  secrets-env -c prd -- pulumi up --yes
  secrets-env --only API_KEY,DB_URL --format json | jq -r .DB_URL
  secrets-env --to env --only NPM_TOKEN";

/// Run a command with a Doppler config's secrets, or hand them to a pipe or to later steps
///
/// Reads the secrets of one Doppler config in one request. With COMMAND, it runs with them in its environment; otherwise they
/// are printed in --format or exported with --to. Nothing is written to disk. Without COMMAND, --format and --to, only names
/// are shown.
#[derive(Clone, Debug, Parser)]
#[command(name = env!("CARGO_BIN_NAME"), version, after_long_help = AFTER_HELP, next_display_order = None)]
pub(crate) struct Args {
    /// The command to run, and its arguments
    #[arg(value_name = "COMMAND", trailing_var_arg = true)]
    pub(crate) command: Vec<OsString>,

    #[command(flatten)]
    pub(crate) source: Source,

    #[command(flatten)]
    pub(crate) selection: Selection,

    /// How to print the secrets; `text` shows no value
    #[arg(long, value_enum, default_value_t = Format::Text, value_name = "FORMAT", help_heading = "Output")]
    pub(crate) format: Format,

    /// Where to hand the secrets to
    #[arg(long, value_enum, default_value_t = Destination::Stdout, value_name = "WHERE", help_heading = "Output", conflicts_with = "command")]
    pub(crate) to: Destination,

    #[command(flatten)]
    pub(crate) running: Running,

    #[command(flatten)]
    pub(crate) shared: Shared,
}

/// Where the secrets come from.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Source")]
pub(crate) struct Source {
    /// The Doppler project
    #[arg(short, long, value_name = "PROJECT")]
    pub(crate) project: Option<String>,

    /// The Doppler config
    #[arg(short, long, value_name = "CONFIG")]
    pub(crate) config: Option<String>,

    /// Seconds until everything must have been read, retries included
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    pub(crate) deadline: Duration,
}

/// Which secrets, and in what shape.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Selection")]
pub(crate) struct Selection {
    /// Only these secrets; each must exist
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub(crate) only: Vec<String>,

    /// All but these secrets
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub(crate) except: Vec<String>,

    /// Go on when the config holds no secret
    #[arg(long)]
    pub(crate) allow_empty: bool,
}

/// How the command runs.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Running")]
#[expect(clippy::struct_excessive_bools, reason = "switches of a command line")]
pub(crate) struct Running {
    /// Hide the secrets in what the command prints (the default inside Actions)
    #[arg(long, overrides_with = "no_redact")]
    pub(crate) redact: bool,

    /// Let the command's output through unread, and leave no process of ours behind
    #[arg(long)]
    pub(crate) no_redact: bool,

    /// Give the command the secrets and PATH, and nothing else of the environment
    #[arg(long)]
    pub(crate) pristine: bool,

    /// Leave `DOPPLER_TOKEN` and the OIDC request variables in the command's environment
    #[arg(long)]
    pub(crate) keep_token: bool,
}

/// Where the secrets go without a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Destination {
    /// Standard output
    Stdout,
    /// Variables of the job's later steps (`GITHUB_ENV`)
    Env,
    /// Outputs of this step (`GITHUB_OUTPUT`)
    Output,
}

impl Tool for Args {
    fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Never: what `--format json` prints are the secrets, and a pipe that takes them (`wrangler secret bulk`) must not take an
    /// error for two of them.
    fn prints_json(&self) -> bool {
        false
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().map_err(|error| error.to_string())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}
