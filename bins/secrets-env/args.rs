//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use cli::{Deadline, Destination, Shared, Tool};

use crate::format::Format;
use crate::name::{Rename, Transform};
use crate::watch_signal::WatchSignal;

const AFTER_HELP: &str = "\
Environment:
  DOPPLER_TOKEN        the token, unless --token-file names a file with it
  DOPPLER_PROJECT, DOPPLER_CONFIG
                       project and config, unless --project and --config are given; a service
                       token needs neither
  DOPPLER_IDENTITY_ID  without a token, sign in with the job's OIDC token as this identity
  DOPPLER_API_HOST     another address of Doppler's API (https, or http to loopback)
  DOPPLER_PASSPHRASE   the key of --fallback
  Then what `doppler setup` stored (~/.doppler/.doppler.yaml), then the repository's doppler.yaml.
  --explain prints which of them is used.

Exit codes:
  0 done · 1 a secret is missing, or there are none · 2 wrong usage
  75 try again later · 77 not permitted
  With COMMAND: its own code, 128+n for a signal, 125 it could not be started, 126 not executable,
  127 not found

Examples:
  secrets-env -c prd -- pulumi up --yes
  secrets-env --only API_KEY,DB_URL --format json | jq -r .DB_URL
  secrets-env --to env --only NPM_TOKEN";

/// Run a command with a Doppler config's secrets, print them, or export them to later steps
///
/// Reads the secrets of a Doppler config in one request. With COMMAND, runs it with them in its environment, without
/// `DOPPLER_TOKEN`; otherwise prints them in --format or exports them with --to. Nothing readable is written to disk. Without
/// COMMAND, --format and --to, only names are shown.
///
/// Your shell expands variables before COMMAND gets them: write `secrets-env -- sh -c 'echo $X'`, not `secrets-env -- echo $X`.
#[derive(Clone, Debug, Parser)]
#[command(name = env!("CARGO_BIN_NAME"), version, after_long_help = AFTER_HELP, next_display_order = None)]
pub(crate) struct Args {
    /// The command to run, and its arguments
    #[arg(value_name = "COMMAND", trailing_var_arg = true, hide_short_help = true)]
    pub(crate) command: Vec<OsString>,

    #[command(flatten)]
    pub(crate) source: Source,

    #[command(flatten)]
    pub(crate) outage: Outage,

    #[command(flatten)]
    pub(crate) selection: Selection,

    /// Only check that the config has these secrets, by name; records with --format jsonl
    #[arg(long, alias = "check", value_name = "NAME,…", value_delimiter = ',', hide_short_help = true, help_heading = "Selection", conflicts_with_all = ["command", "to", "explain"])]
    pub(crate) check_names: Vec<String>,

    #[command(flatten)]
    pub(crate) running: Running,

    #[command(flatten)]
    pub(crate) output: Output,

    #[command(flatten)]
    pub(crate) shared: Shared,
}

/// The source of the secrets.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Source")]
pub(crate) struct Source {
    /// Doppler project
    #[arg(short, long, value_name = "PROJECT")]
    pub(crate) project: Option<String>,

    /// Doppler config, or PROJECT/CONFIG (repeatable; later ones win)
    #[arg(short, long, value_name = "CONFIG")]
    pub(crate) config: Vec<String>,

    /// Fail if two configs have a secret of the same name
    #[arg(long, hide_short_help = true)]
    pub(crate) strict: bool,

    /// Read dotenv, JSON or YAML from this file (`-`: stdin) instead of Doppler
    #[arg(long, value_name = "FILE", conflicts_with_all = ["project", "config", "identity", "token_file"])]
    pub(crate) from: Option<PathBuf>,

    /// Read the Doppler token from this file
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub(crate) token_file: Option<PathBuf>,

    /// Sign in as this Doppler identity with the job's OIDC token, and sign out after reading
    #[arg(long, value_name = "ID", hide_short_help = true, conflicts_with = "token_file")]
    pub(crate) identity: Option<String>,

    /// Audience of the OIDC token, if the identity expects another than the repository owner's URL
    #[arg(long, value_name = "AUDIENCE", hide_short_help = true)]
    pub(crate) audience: Option<String>,

    /// Include dynamic secrets (issues billable leases)
    #[arg(long, hide_short_help = true)]
    pub(crate) dynamic_secrets: bool,

    /// Time limit for reading the secrets, retries included
    #[arg(long, value_name = "TIME", default_value = "60s", hide_short_help = true)]
    pub(crate) deadline: Deadline,

    /// Print where project, config and token come from, and exit
    #[arg(long, hide_short_help = true, conflicts_with_all = ["command", "from"])]
    pub(crate) explain: bool,
}

/// What is used while Doppler is unreachable.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Outages")]
pub(crate) struct Outage {
    /// Keep an encrypted copy in this file, and use it while Doppler is unreachable
    #[arg(long, value_name = "FILE", hide_short_help = true, conflicts_with = "from")]
    pub(crate) fallback: Option<PathBuf>,

    /// Maximum age of the copy (`90m`, `24h`)
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = cli::time, hide_short_help = true)]
    pub(crate) fallback_max_age: Duration,
}

/// Which secrets, and under which names.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Selection")]
pub(crate) struct Selection {
    /// Use only these secrets; each must exist
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub(crate) only: Vec<String>,

    /// Leave out these secrets
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', hide_short_help = true)]
    pub(crate) except: Vec<String>,

    /// Fail unless these exist and are neither empty nor placeholders
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', hide_short_help = true)]
    pub(crate) require: Vec<String>,

    /// Add PREFIX to every name
    #[arg(long, value_name = "PREFIX", default_value = "", hide_default_value = true, hide_short_help = true)]
    pub(crate) prefix: String,

    /// Use the name NEW for the secret OLD
    #[arg(long, value_name = "OLD=NEW", hide_short_help = true)]
    pub(crate) rename: Vec<Rename>,

    /// Change every name as Doppler's name transformer of that name does
    #[arg(long, value_enum, value_name = "STYLE", hide_short_help = true)]
    pub(crate) transform: Option<Transform>,

    /// Do not hide these secrets in output and logs; restricted ones are always hidden
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', hide_short_help = true)]
    pub(crate) show: Vec<String>,

    /// Continue if the config has no secrets
    #[arg(long, hide_short_help = true)]
    pub(crate) allow_empty: bool,
}

/// How the command runs.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Running")]
#[expect(clippy::struct_excessive_bools, reason = "switches of a command line")]
pub(crate) struct Running {
    /// Pass these secrets as files: the variable holds the path
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', requires = "command")]
    pub(crate) file: Vec<String>,

    /// Hide secrets in the output of the command (default in Actions)
    #[arg(long, overrides_with = "no_redact", requires = "command")]
    pub(crate) redact: bool,

    /// Do not redact; exec the command directly
    #[arg(long, hide_short_help = true, requires = "command")]
    pub(crate) no_redact: bool,

    /// Start the command again when its secrets have changed
    #[arg(long, hide_short_help = true, requires = "command")]
    pub(crate) watch: bool,

    /// With --watch, send this signal instead, for programs that read --file again: `HUP`, `USR1`, `USR2`, `INT`, `QUIT`, `TERM`, `WINCH`
    #[arg(long, value_name = "SIGNAL", hide_short_help = true, requires = "watch", value_parser = WatchSignal::parse)]
    pub(crate) watch_signal: Option<WatchSignal>,

    /// With --watch, how often to read the secrets
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = cli::time, hide_short_help = true)]
    pub(crate) watch_interval: Duration,

    /// Start with an empty environment: only PATH and the secrets
    #[arg(long, hide_short_help = true, requires = "command")]
    pub(crate) pristine: bool,

    /// Keep `DOPPLER_TOKEN` and the OIDC request variables in the environment
    #[arg(long, hide_short_help = true, requires = "command")]
    pub(crate) keep_token: bool,
}

/// Where the secrets go without a command.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct Output {
    /// Output format; `text` shows no values
    #[arg(long, value_enum, default_value_t = Format::Text, value_name = "FORMAT", hide_possible_values = true, conflicts_with = "command",
        long_help = Format::LONG_HELP)]
    pub(crate) format: Format,

    /// Export to later steps: `env`, `output`
    #[arg(long, value_enum, default_value_t = Destination::Stdout, value_name = "WHERE", hide_possible_values = true, conflicts_with = "command")]
    pub(crate) to: Destination,
}

impl Tool for Args {
    fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Never: `--format json` prints the secrets, and a program that reads them from a pipe (`wrangler secret bulk`) must not
    /// mistake an error document for secrets.
    fn prints_json(&self) -> bool {
        false
    }
}
