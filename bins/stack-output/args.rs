//! The command line.

use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Parser, ValueEnum};
use cli::{Deadline, Destination, Shared, Tool};
use fault::{Fault, Result};
use stack::value_type::ValueType;

const AFTER_HELP: &str = "\
Environment:
  PULUMI_STACK, PULUMI_BACKEND_URL, PULUMI_HOME
                                  as for the pulumi program
  PULUMI_ACCESS_TOKEN             signs in to Pulumi Cloud; also from Doppler; without one the job's
                                  OIDC identity does (`permissions: id-token: write`)
  PULUMI_CONFIG_PASSPHRASE, PULUMI_CONFIG_PASSPHRASE_FILE
                                  open a stack's secrets; the first also from Doppler, by name
  TF_WORKSPACE, TF_DATA_DIR       as for the terraform program
  AWS_…, GOOGLE_…, AZURE_…, ARM_… sign in to stores and key services, as for those programs;
                                  secrets also from Doppler
  TF_ENCRYPTION, TF_VAR_…         decrypt a state that OpenTofu encrypted, as for the tofu program
  STACK_OUTPUT_STATE_PASSPHRASE   decrypts it if there is no configuration; also from Doppler
  DOPPLER_TOKEN                   fetches credentials that are missing above

Exit codes:
  0 printed · 1 no such output, stack or value · 2 wrong usage or a broken state
  75 try again later · 77 not permitted

Examples:
  stack-output django_server_ip --cwd infra
  stack-output 'servers[0].ip' db.host
  stack-output servers --format json | ssh-deploy --user deploy -- ./deploy.sh
  pulumi stack output --json | stack-output --state - db.host";

/// Print the outputs of a Pulumi, Terraform or OpenTofu stack
///
/// Reads them from the stack's state, without those programs and without a lock, and prints nothing else on stdout: one value
/// with a newline, several one a line, all of them when none is named. Changes nothing. A secret needs --show-secrets; in Actions
/// it is masked first. A value that is missing, unknown or of another --type is an error, so that it never reaches a pipe.
#[derive(Clone, Debug, Parser)]
#[command(name = env!("CARGO_BIN_NAME"), version, after_long_help = AFTER_HELP, next_display_order = None)]
pub(crate) struct Args {
    /// An output, or a path into its value; all when there is none
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,

    #[command(flatten)]
    pub(crate) source: Source,

    #[command(flatten)]
    pub(crate) selection: Selection,

    /// text, json, lines (of a list), shell or dotenv
    #[arg(long, value_enum, default_value_t = Format::Text, value_name = "FORMAT", help_heading = "Output", hide_possible_values = true, hide_default_value = true)]
    pub(crate) format: Format,

    /// stdout, env (later steps) or output (this step's)
    #[arg(long, value_enum, default_value_t = Destination::Stdout, value_name = "WHERE", help_heading = "Output", hide_possible_values = true, hide_default_value = true)]
    pub(crate) to: Destination,

    #[command(flatten)]
    pub(crate) shared: Shared,
}

/// Where the stack is.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Source")]
pub(crate) struct Source {
    /// The stack or workspace, else the selected one
    #[arg(short, long, value_name = "STACK")]
    pub(crate) stack: Option<String>,

    /// Look as if started in this folder
    #[arg(short = 'C', long, value_name = "FOLDER")]
    pub(crate) cwd: Option<PathBuf>,

    /// Read this state or printed outputs; `-` for stdin
    ///
    /// A file, or an address: `https://…`, `s3://bucket/key`, `gs://bucket/object` or `azblob://container/blob`. A state of Pulumi, Terraform or OpenTofu, packed or not, or what `pulumi stack output --json`, `terraform output -json` or
    /// `terraform show -json` printed.
    #[arg(long, value_name = "FILE|URL")]
    pub(crate) state: Option<String>,

    /// The Pulumi backend, as for `pulumi login`
    #[arg(long, value_name = "URL", env = "PULUMI_BACKEND_URL", hide_short_help = true)]
    pub(crate) backend: Option<String>,

    /// Where there is no token, trade this job's OIDC identity for one of this organization
    ///
    /// In Actions that needs `id-token: write`. Else the stack's own organization; these three are as for `pulumi login`.
    #[arg(long, value_name = "NAME", env = "PULUMI_OPTION_OIDC_ORG", hide_short_help = true)]
    pub(crate) oidc_org: Option<String>,

    /// Ask for a token of this team, not the organization
    #[arg(long, value_name = "NAME", env = "PULUMI_OPTION_OIDC_TEAM", hide_short_help = true)]
    pub(crate) oidc_team: Option<String>,

    /// Ask for a token of this user, not the organization
    #[arg(
        long,
        value_name = "NAME",
        env = "PULUMI_OPTION_OIDC_USER",
        hide_short_help = true,
        conflicts_with = "oidc_team"
    )]
    pub(crate) oidc_user: Option<String>,

    /// Time limit for reading everything, retries included
    #[arg(long, value_name = "TIME", default_value = "60s", hide_short_help = true)]
    pub(crate) deadline: Deadline,
}

/// What may be printed, and what instead.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct Selection {
    /// Print secrets too, after masking them
    #[arg(long)]
    pub(crate) show_secrets: bool,

    /// Fail unless this output exists; for use without NAME
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    pub(crate) require: Vec<String>,

    /// Print this for an output that does not exist
    ///
    /// Also for one that is not known yet. Not for a stack that does not exist, a broken state or a secret.
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    pub(crate) default: Option<String>,

    /// Fail on others than ip, url, int, bool, list, object
    #[arg(long = "type", value_parser = kinds(), value_name = "TYPE", hide_possible_values = true)]
    pub(crate) kind: Option<ValueType>,
}

/// How values are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A string as it is, anything else as one line of JSON; a table when none is named
    Text,
    /// As `pulumi stack output --json` and `terraform output -json` print it
    Json,
    /// The items of a list, one a line
    Lines,
    /// `name=value` lines for `eval` in a POSIX shell
    Shell,
    /// `name="value"` lines for a .env file
    Dotenv,
}

fn kinds() -> impl TypedValueParser<Value = ValueType> {
    let values = ValueType::ALL.map(|kind| PossibleValue::new(kind.name()).help(kind.article()));
    PossibleValuesParser::new(values).try_map(|name| name.parse::<ValueType>())
}

impl Args {
    /// Refuses combinations of arguments that mean nothing.
    pub(crate) fn check(&self) -> Result<()> {
        if self.format == Format::Lines && self.names.is_empty() {
            return Err(Fault::usage("--format lines needs NAME").help("name the output whose items are to be printed"));
        }
        if self.to != Destination::Stdout && self.format != Format::Text {
            return Err(Fault::usage("--to env and --to output write values as they are").help("leave --format away"));
        }
        if self.names.is_empty() && self.selection.default.is_some() {
            return Err(Fault::usage("--default needs NAME"));
        }
        Ok(())
    }
}

impl Tool for Args {
    fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Never: what `--format json` prints are the stack's own names and values, and whatever takes them from the pipe must not
    /// take an error for one of them.
    fn prints_json(&self) -> bool {
        false
    }
}
