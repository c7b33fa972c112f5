//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use cli::{Shared, Tool};
use ssh::User;

use crate::batches::{Batches, Share};
use crate::deploy::{Wait, pause};
use crate::select::{Only, Shard};

const AFTER_HELP: &str = "\
Hosts, as arguments or on stdin:
  [user@]host[:port] [HOST-KEY], one a line; IPv6 in brackets where a port follows; or JSON: a text,
  a list of texts or of objects {host, user, port, host_key, name, labels}, or an object of names to
  these. HOST-KEY and host_key are a public key (`ssh-ed25519 AAAA…`) or its fingerprint
  (`SHA256:…`).

What is changed:
  Nothing, on any host, unless every host is reached, known, logged in to and ready. Then COMMAND
  runs on all of them under `bash -euo pipefail` (`sh -eu` where there is no bash), its stdin
  /dev/null. When this program ends, however it ends, so does what it runs. Nothing is left on the
  hosts; here, only a folder without secrets in the temporary folder, and only after SIGKILL.

Environment:
  SSH_PRIVATE_KEY      the key, else a secret of that name in Doppler, else your own agent and files
  SSH_KEY_PASSPHRASE   its passphrase
  SSH_KNOWN_HOSTS      the lines of a known-hosts file, else a secret of that name in Doppler, else
                       your own files
  DOPPLER_TOKEN        signs in to Doppler

Exit codes:
  0 done on every host · 1 it failed on a host · 2 wrong usage
  75 a host cannot be reached, try again later
  77 a host key is unknown or changed, or the key is refused
  130, 143 interrupted, after the hosts were told to stop

Examples:
  ssh-deploy --user deploy web1.example.org -- 'cd /opt/app && ./deploy.sh'
  stack-output servers --format json | ssh-deploy --user deploy --timeout 10m -- ./deploy.sh
  printf '10.0.0.7 SHA256:…\\n' | ssh-deploy --script deploy.sh --env API_TOKEN";

/// Run a deploy on servers over SSH, safely
///
/// Every host is checked before the first is changed, host keys are strict, the private key never touches a disk, and a deploy that
/// is interrupted leaves nothing running.
#[derive(Clone, Debug, Parser)]
#[command(name = env!("CARGO_BIN_NAME"), version, after_long_help = AFTER_HELP, next_display_order = None)]
pub(crate) struct Args {
    /// Where to deploy; without any, or with `-`, the hosts are read from stdin
    #[arg(value_name = "HOST")]
    pub(crate) hosts: Vec<String>,

    /// What to run: one text for the shell, or a program and its arguments
    #[arg(last = true, value_name = "COMMAND", required_unless_present_any = ["script", "generate"])]
    pub(crate) command: Vec<String>,

    /// The login of hosts that name none
    #[arg(short, long, value_name = "USER", help_heading = "Hosts")]
    pub(crate) user: Option<User>,

    /// Succeed when there are no hosts
    #[arg(hide_short_help = true, long, help_heading = "Hosts")]
    pub(crate) allow_empty: bool,

    /// Only the hosts of this name or address, or with this label
    #[arg(
        hide_short_help = true,
        long,
        value_name = "NAME|LABEL=VALUE,…",
        value_delimiter = ',',
        help_heading = "Hosts"
    )]
    pub(crate) only: Vec<Only>,

    /// Only this part of the hosts, for a matrix of jobs: `2/8`
    #[arg(hide_short_help = true, long, value_name = "I/N", help_heading = "Hosts")]
    pub(crate) shard: Option<Shard>,

    #[command(flatten)]
    pub(crate) connection: Connection,

    #[command(flatten)]
    pub(crate) running: Running,

    #[command(flatten)]
    pub(crate) rollout: Rollout,

    #[command(flatten)]
    pub(crate) checks: Checks,

    /// Check every host and change none
    #[arg(long, help_heading = "Running")]
    pub(crate) dry_run: bool,

    /// Time (`90`, `5m`, `1h`) until a host's command is ended
    #[arg(long, value_name = "TIME", value_parser = cli::time, help_heading = "Running")]
    pub(crate) timeout: Option<Duration>,

    /// The form of the result
    #[arg(long, value_enum, default_value_t = Format::Text, value_name = "FORMAT", help_heading = "Output")]
    pub(crate) format: Format,

    #[command(flatten)]
    pub(crate) shared: Shared,
}

/// How hosts are reached.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct Connection {
    /// The known hosts, in place of your own file
    #[arg(hide_short_help = true, long, value_name = "FILE")]
    pub(crate) known_hosts: Option<PathBuf>,

    /// Accept host keys that nobody knows, and say which; a changed one is refused all the same
    #[arg(hide_short_help = true, long)]
    pub(crate) accept_new: bool,

    /// The variable or Doppler secret that holds the private key, in place of `SSH_PRIVATE_KEY`
    #[arg(hide_short_help = true, long, value_name = "NAME")]
    pub(crate) key_env: Option<String>,

    /// A variable that ssh itself needs, for a `ProxyCommand`
    #[arg(hide_short_help = true, long, value_name = "NAME")]
    pub(crate) ssh_env: Vec<String>,

    /// How long to try to connect to a host
    #[arg(hide_short_help = true, long, value_name = "TIME", value_parser = cli::time, default_value = "15")]
    pub(crate) connect_timeout: Duration,

    /// How long to wait for hosts that are booting
    #[arg(hide_short_help = true, long, value_name = "TIME", value_parser = cli::time)]
    pub(crate) wait: Option<Duration>,
}

/// What runs, and how much of it at once.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Running")]
pub(crate) struct Running {
    /// Run this file, under the program of its `#!` line if it has one
    #[arg(long, value_name = "FILE", conflicts_with = "command")]
    pub(crate) script: Option<PathBuf>,

    /// Give the command this variable, from here or Doppler, unseen by other users
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub(crate) env: Vec<String>,

    /// Hosts that run the command at the same time
    #[arg(hide_short_help = true, short, long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) jobs: u16,
}

/// In what order hosts are changed.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Rollout")]
pub(crate) struct Rollout {
    /// Change so many hosts at a time (`2`, `25%`, or a list: `1,10%,100%`), each batch after the one before it
    #[arg(hide_short_help = true, long, value_name = "SHARE,…", value_delimiter = ',')]
    pub(crate) batch: Vec<Share>,

    /// How long to wait between two batches
    #[arg(hide_short_help = true, long, value_name = "TIME", value_parser = cli::time, requires = "batch")]
    pub(crate) pause: Option<Duration>,

    /// Begin no further batch once so many hosts have failed (`3`, `10%`); after the first batch, one is enough
    #[arg(hide_short_help = true, long, value_name = "SHARE", requires = "batch")]
    pub(crate) max_failures: Option<Share>,
}

/// What follows the command on each host.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Checks")]
pub(crate) struct Checks {
    /// A command on the host that must succeed after the deploy, and once more a moment later; tried until it does
    #[arg(hide_short_help = true, long, value_name = "NAME=COMMAND", value_parser = named)]
    pub(crate) check: Vec<(String, String)>,

    /// How long a check has to pass
    #[arg(hide_short_help = true, long, value_name = "TIME", value_parser = cli::time, default_value = "60")]
    pub(crate) check_timeout: Duration,

    /// Time between two tries of a check
    #[arg(hide_short_help = true, long, value_name = "TIME", value_parser = cli::time, default_value = "2")]
    pub(crate) check_interval: Duration,

    /// A command on a host that has failed, for the log and the report
    #[arg(hide_short_help = true, long, value_name = "NAME=COMMAND", value_parser = named)]
    pub(crate) diagnose: Vec<(String, String)>,

    /// A command on a host that was changed and has failed, to get its old state back
    #[arg(hide_short_help = true, long, value_name = "COMMAND")]
    pub(crate) rollback: Option<String>,
}

/// How the result is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A line a host
    Text,
    /// One document
    Json,
    /// Records, one JSON a line, while it runs
    Jsonl,
}

impl Args {
    pub(crate) fn jobs(&self) -> usize {
        usize::from(self.running.jobs)
    }

    pub(crate) fn batches(&self, hosts: usize) -> Batches {
        Batches::new(&self.rollout.batch, self.rollout.max_failures, self.rollout.pause.unwrap_or_default(), hosts)
    }

    pub(crate) fn wait(&self) -> Option<Wait> {
        self.connection.wait.map(|limit| Wait { limit, pause })
    }
}

impl Tool for Args {
    fn shared(&self) -> &Shared {
        &self.shared
    }

    fn prints_json(&self) -> bool {
        self.format == Format::Json
    }
}

/// `NAME=COMMAND`.
fn named(text: &str) -> Result<(String, String), String> {
    let (name, command) = text.split_once('=').ok_or_else(|| "not NAME=COMMAND".to_owned())?;
    let plain = |one: char| one.is_alphanumeric() || "-_.".contains(one);
    if name.is_empty() || !name.chars().all(plain) || command.trim().is_empty() {
        return Err("not NAME=COMMAND: a name has letters, digits, `-`, `_` and `.`".to_owned());
    }
    Ok((name.to_owned(), command.to_owned()))
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};

    use super::{Args, named};

    #[test]
    fn the_command_line_is_consistent_and_short_help_fits_a_screen() {
        Args::command().debug_assert();
        let help = Args::command().render_help().to_string();
        assert!(help.lines().count() <= 24, "{help}");
    }

    #[test]
    fn hosts_stand_before_the_dashes_and_the_command_behind_them() {
        let args = Args::try_parse_from(["ssh-deploy", "a", "b:22", "--", "ls", "-l"]).unwrap();
        assert_eq!(
            (args.hosts, args.command),
            (vec!["a".to_owned(), "b:22".to_owned()], vec!["ls".to_owned(), "-l".to_owned()])
        );
        assert!(Args::try_parse_from(["ssh-deploy", "a"]).is_err());
        assert!(Args::try_parse_from(["ssh-deploy", "a", "--script", "x", "--", "ls"]).is_err());
    }

    #[test]
    fn a_check_has_a_name_and_a_command() {
        assert_eq!(named("web=curl -f localhost?a=b").unwrap(), ("web".to_owned(), "curl -f localhost?a=b".to_owned()));
        for text in ["web", "=x", "web=", "a b=x"] {
            assert!(named(text).is_err(), "{text}");
        }
    }
}
