//! The command line.

use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Parser, ValueEnum};
use cli::{Deadline, Destination, Shared, Tool};
use fault::{Fault, Result};
use stack::value::Value;
use stack::value_type::ValueType;

const AFTER_HELP: &str = "\
Environment:
  PULUMI_STACK, PULUMI_BACKEND_URL, PULUMI_HOME
                                  as for the pulumi program
  PULUMI_ACCESS_TOKEN             signs in to Pulumi Cloud; also from Doppler; else the job's OIDC
                                  token is exchanged for one (`permissions: id-token: write`)
  PULUMI_CONFIG_PASSPHRASE, PULUMI_CONFIG_PASSPHRASE_FILE
                                  decrypt a stack's secrets; the first also from Doppler
  TF_WORKSPACE, TF_DATA_DIR       as for the terraform program
  AWS_…, GOOGLE_…, AZURE_…, ARM_… sign in to stores and key services, as for those programs;
                                  secrets also from Doppler
  TF_ENCRYPTION, TF_VAR_…         decrypt a state that OpenTofu encrypted, as for the tofu program
  STACK_OUTPUT_STATE_PASSPHRASE   decrypts it if there is no configuration; also from Doppler
  DOPPLER_TOKEN                   fetches those of the above that are not set

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
/// Reads them from the stack's state, without those programs and without a lock, and changes nothing. Stdout has only the values:
/// one value and a newline, or one value per line. Without NAME it is a table of all outputs. A secret needs --show-secrets, and is
/// masked first in Actions. A value that is missing, unknown or not of --type is an error, so it never reaches a pipe.
#[derive(Clone, Debug, Parser)]
#[command(name = env!("CARGO_BIN_NAME"), version, after_long_help = AFTER_HELP, next_display_order = None)]
pub(crate) struct Args {
    /// An output, or a path into its value: `db.host`, `servers[*].ip` [default: all]
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,

    #[command(flatten)]
    pub(crate) source: Source,

    #[command(flatten)]
    pub(crate) selection: Selection,

    /// Output format: text, json, lines (of a list), shell or dotenv
    #[arg(long, value_enum, default_value_t = Format::Text, value_name = "FORMAT", help_heading = "Output", hide_possible_values = true, hide_default_value = true)]
    pub(crate) format: Format,

    /// Destination: stdout, env (of later steps) or output (of this step)
    #[arg(long, value_enum, default_value_t = Destination::Stdout, value_name = "WHERE", help_heading = "Output", hide_possible_values = true, hide_default_value = true)]
    pub(crate) to: Destination,

    /// With `--format shell`, write `export NAME=VALUE`
    #[arg(long, help_heading = "Output", hide_short_help = true)]
    pub(crate) export: bool,

    /// Begin every variable's name with this
    ///
    /// For `--format shell` and `dotenv`, and for `--to env` and `output`.
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true,
        help_heading = "Output",
        hide_short_help = true
    )]
    pub(crate) prefix: String,

    #[command(flatten)]
    pub(crate) shared: Shared,
}

/// Where the stack is stored.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Source")]
pub(crate) struct Source {
    /// The stack or workspace [default: the selected one]
    #[arg(short, long, value_name = "STACK")]
    pub(crate) stack: Option<String>,

    /// Run as if started in this directory
    #[arg(short = 'C', long, value_name = "DIR")]
    pub(crate) cwd: Option<PathBuf>,

    /// Read this state or printed outputs; `-` for stdin
    ///
    /// A file, or an address: `https://…`, `s3://bucket/key`, `gs://bucket/object` or `azblob://container/blob`. It holds a state of
    /// Pulumi, Terraform or OpenTofu, compressed or not, or the output of `pulumi stack output --json`, `terraform output -json` or
    /// `terraform show -json`.
    #[arg(long, value_name = "FILE|URL")]
    pub(crate) state: Option<String>,

    /// The Pulumi backend, as for `pulumi login`
    #[arg(long, value_name = "URL", env = "PULUMI_BACKEND_URL", hide_short_help = true)]
    pub(crate) backend: Option<String>,

    /// Without a token, exchange the job's OIDC token for one of this organization
    ///
    /// The default is the stack's own organization. In Actions the job needs `permissions: id-token: write`. This option and the next
    /// two are as for `pulumi login`.
    #[arg(long, value_name = "NAME", env = "PULUMI_OPTION_OIDC_ORG", hide_short_help = true)]
    pub(crate) oidc_org: Option<String>,

    /// Request a token of this team instead of the organization
    #[arg(long, value_name = "NAME", env = "PULUMI_OPTION_OIDC_TEAM", hide_short_help = true)]
    pub(crate) oidc_team: Option<String>,

    /// Request a token of this user instead of the organization
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

/// Which values are printed, and what is printed in place of a missing one.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct Selection {
    /// Print secrets too, masked first in Actions
    #[arg(long)]
    pub(crate) show_secrets: bool,

    /// Fail unless this output exists, also if no NAME is given
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    pub(crate) require: Vec<String>,

    /// Print this for an output that does not exist
    ///
    /// Also for an output that is not known yet. Not for a stack that does not exist, a broken state or a secret. Without NAME, and
    /// with `--format json`, it is the object to print for a stack without outputs: `--default '{}'`.
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    pub(crate) default: Option<String>,

    /// Fail unless the value is of this type (ip, url, int, bool, list, object)
    #[arg(long = "type", value_parser = kinds(), value_name = "TYPE", hide_possible_values = true)]
    pub(crate) kind: Option<ValueType>,
}

/// The output format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A string as it is, any other value as one line of JSON; a table without NAME
    Text,
    /// The same bytes as `pulumi stack output --json` and `terraform output -json`
    Json,
    /// The items of a list, one per line
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
            return Err(Fault::usage("--to env and --to output write values as they are").help("leave out --format"));
        }
        if self.export && self.format != Format::Shell {
            return Err(Fault::usage("--export needs --format shell"));
        }
        if let (Some(_), Some(stack)) =
            (&self.source.state, self.source.stack.as_deref().filter(|name| !name.is_empty()))
        {
            let cause = format!("--state names one state, so `{}` cannot choose another", stack.escape_debug());
            return Err(Fault::usage("--stack has no meaning with --state").cause(cause).help("leave out one of them"));
        }
        let is_prefix = |(at, character): (usize, char)| match character {
            'a'..='z' | 'A'..='Z' | '_' => true,
            '0'..='9' => at > 0,
            '-' => at > 0 && self.to == Destination::Output,
            _ => false,
        };
        if !self.prefix.char_indices().all(is_prefix) {
            return Err(Fault::usage(format!("--prefix `{}` cannot begin a name", self.prefix.escape_debug()))
                .help("give letters, digits and underscores, and no digit first"));
        }
        let has_variables = matches!(self.format, Format::Shell | Format::Dotenv) || self.to != Destination::Stdout;
        if !self.prefix.is_empty() && !has_variables {
            return Err(Fault::usage("--prefix needs --format shell or dotenv, or --to env or output"));
        }
        self.whole_default().map(|_| ())
    }
}

impl Args {
    /// The object to print for a stack without outputs.
    ///
    /// # Errors
    /// [`fault::Kind::Usage`] for a default without NAME that is no object, or not for JSON.
    pub(crate) fn whole_default(&self) -> Result<Option<Value>> {
        let Some(text) = self.selection.default.as_deref().filter(|_| self.names.is_empty()) else { return Ok(None) };
        if self.format != Format::Json {
            return Err(Fault::usage("--default needs NAME").help("add NAME, or --format json with --default '{}'"));
        }
        ValueType::Object.value(text).map(Some)
    }
}

impl Tool for Args {
    fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Never. `--format json` prints the stack's own names and values, and the program that reads them must not take an error for
    /// one of them.
    fn prints_json(&self) -> bool {
        false
    }
}
