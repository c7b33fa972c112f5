//! The command line.

mod resuming;
mod values;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use cli::{Shard, Shared, Tool};
use ssh::User;

use crate::gather::select::Only;
use crate::plan::batches::{Batches, Share};
use crate::plan::{Wait, pause};
use resuming::Resuming;
pub(crate) use values::{Fence, Floor, HttpCheck, TcpCheck};
use values::{account, floor, named, paths, release, release_name, shared, time_or_zero};

const AFTER_HELP: &str = "\
Hosts, as arguments or on stdin:
  [user@]host[:port] [HOST-KEY], one per line; IPv6 in brackets if a port follows; or JSON: a
  string, a list of strings or of objects {host, user, port, host_key, name, labels}, or an object
  of names to these. HOST-KEY and host_key are a public key (`ssh-ed25519 AAAA…`) or its
  fingerprint (`SHA256:…`).

What is changed:
  Nothing on any host, unless every host is reached, known, logged in to and holds its script. Then
  COMMAND runs on all of them under `bash -eo pipefail` (`sh -e` if there is no bash), its stdin
  /dev/null. It ends when this program ends, however that ends; a rollback goes on. On the hosts
  remain uploads, releases, and with a lock the directory ~/.ssh-deploy; here, only after SIGKILL, a
  temporary directory without secrets.

Environment:
  SSH_PRIVATE_KEY      the key, else a secret of that name in Doppler, else your own agent and files
  SSH_KEY_PASSPHRASE   its passphrase
  SSH_KNOWN_HOSTS      the lines of a known-hosts file, else a secret of that name in Doppler, else
                       your own files
  DOPPLER_TOKEN        signs in to Doppler
  GITHUB_REPOSITORY    the default of --lock
  GITHUB_RUN_ID        the number of --fence run

Exit codes:
  0 done on every host · 1 it failed on a host · 2 wrong usage · 3 the --deadline passed
  75 a host cannot be reached, is locked or fenced, or has no room; nothing was changed
  77 a host key is unknown or changed, or the login is refused; nothing was changed
  130, 143 interrupted, after the hosts were told to stop

Examples:
  ssh-deploy --user deploy --lock shop web1.example.org -- 'cd /opt/app && ./deploy.sh'
  ssh-deploy --user deploy --check 'up=curl -fsS localhost' --rollback ./undo.sh web1 -- ./deploy.sh
  stack-output servers --format json | ssh-deploy --release dist:/srv/app --batch 1,50% -- make";

/// Run a deploy on servers over SSH, safely
///
/// Every host is checked before the first is changed, host keys are strict, the private key never touches a disk, and an interrupted
/// deploy leaves nothing running.
#[derive(Clone, Debug, Parser)]
#[command(name = env!("CARGO_BIN_NAME"), version, after_long_help = AFTER_HELP, next_display_order = None)]
pub(crate) struct Args {
    /// Where to deploy; with `-` or without any, hosts are read from stdin
    #[arg(value_name = "HOST")]
    pub(crate) hosts: Vec<String>,

    /// What to run: one string for the shell, or a program and its arguments
    #[arg(last = true, value_name = "COMMAND", required_unless_present_any = ["script", "generate", "list", "lock_status", "unlock", "rollback_to", "only_rollback"])]
    pub(crate) command: Vec<String>,

    /// Login user of hosts that name none
    #[arg(short, long, value_name = "USER", help_heading = "Hosts")]
    pub(crate) user: Option<User>,

    /// Succeed when there are no hosts
    #[arg(hide_short_help = true, long, help_heading = "Hosts")]
    pub(crate) allow_empty: bool,

    /// Only hosts with this name, address or label
    #[arg(
        hide_short_help = true,
        long,
        value_name = "NAME|LABEL=VALUE,…",
        value_delimiter = ',',
        help_heading = "Hosts"
    )]
    pub(crate) only: Vec<Only>,

    /// Only this part of the hosts, for a matrix of jobs (`2/8`)
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

    #[command(flatten)]
    pub(crate) files: Files,

    #[command(flatten)]
    pub(crate) locking: Locking,

    #[command(flatten)]
    pub(crate) resuming: Resuming,

    /// Print the hosts and do nothing; `--format matrix` is for strategy.matrix
    #[arg(hide_short_help = true, long, help_heading = "Hosts")]
    pub(crate) list: bool,

    /// Check every host, stage everything, change nothing
    #[arg(long, help_heading = "Running")]
    pub(crate) dry_run: bool,

    /// Time limit for the whole run [default: none]
    #[arg(hide_short_help = true, long, value_name = "TIME", help_heading = "Running")]
    pub(crate) deadline: Option<cli::Deadline>,

    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Text, value_name = "FORMAT", help_heading = "Output")]
    pub(crate) format: Format,

    #[command(flatten)]
    pub(crate) shared: Shared,
}

/// How hosts are reached.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct Connection {
    /// Known hosts, in place of your own file
    #[arg(hide_short_help = true, long, value_name = "FILE")]
    pub(crate) known_hosts: Option<PathBuf>,

    /// Accept and print unknown host keys; changed keys are still rejected
    #[arg(hide_short_help = true, long)]
    pub(crate) accept_new: bool,

    /// Variable or Doppler secret with the private key, in place of `SSH_PRIVATE_KEY`
    #[arg(hide_short_help = true, long, value_name = "NAME")]
    pub(crate) key_env: Option<String>,

    /// Variable that ssh itself needs, for a `ProxyCommand`
    #[arg(hide_short_help = true, long, value_name = "NAME")]
    pub(crate) ssh_env: Vec<String>,

    /// Key exchange: `fast` selects curve25519, if the default is several times dearer
    #[arg(hide_short_help = true, long, value_name = "KIND", value_enum)]
    pub(crate) kex: Option<KeyExchange>,

    /// Configuration of ssh, in place of `~/.ssh/config`
    #[arg(hide_short_help = true, long, value_name = "FILE")]
    pub(crate) ssh_config: Option<PathBuf>,

    /// Go on without this many hosts that cannot be reached
    #[arg(hide_short_help = true, long, value_name = "N", default_value_t = 0)]
    pub(crate) allow_unreachable: usize,

    /// Go on without hosts that cannot be reached, and try them once more at the end
    #[arg(hide_short_help = true, long)]
    pub(crate) retry_unreachable: bool,

    /// How long to try to connect to a host
    #[arg(hide_short_help = true, long, value_name = "TIME", value_parser = cli::time, default_value = "15s")]
    pub(crate) connect_timeout: Duration,

    /// How long to wait for hosts that are booting
    #[arg(hide_short_help = true, long, value_name = "TIME", value_parser = cli::time)]
    pub(crate) wait: Option<Duration>,
}

/// What runs, and how much of it at once.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Running")]
pub(crate) struct Running {
    /// Run this file, under its `#!` line if it has one
    #[arg(long, value_name = "FILE", conflicts_with = "command")]
    pub(crate) script: Option<PathBuf>,

    /// Variables for the command, from here or Doppler, invisible to other users
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub(crate) env: Vec<String>,

    /// Kill a host's command after this long; 0 never does
    #[arg(long, value_name = "TIME", value_parser = time_or_zero, default_value = "30m")]
    pub(crate) timeout: Duration,

    /// Run the command, checks and rollback as this user, through `sudo -n`
    #[arg(hide_short_help = true, long, value_name = "USER", num_args = 0..=1, require_equals = true, default_missing_value = "root", value_parser = account, conflicts_with = "pty")]
    pub(crate) sudo: Option<String>,

    /// Shell for the command, in place of `bash -eo pipefail`
    #[arg(hide_short_help = true, long, value_name = "WORDS")]
    pub(crate) shell: Option<String>,

    /// Run the command under a terminal (`script` on the host)
    #[arg(hide_short_help = true, long)]
    pub(crate) pty: bool,

    /// Space that must be free on every host, at a path if one is given (`2G:/var`)
    #[arg(hide_short_help = true, long, value_name = "SIZE[:PATH]", value_parser = floor)]
    pub(crate) min_free: Vec<Floor>,

    /// Run the command on this many hosts at the same time [default: all]
    #[arg(hide_short_help = true, short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) jobs: Option<u16>,
}

/// In what order hosts are changed.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Rollout")]
pub(crate) struct Rollout {
    /// Deploy in batches of this size (`2`, `25%`), or a list of sizes (`1,10%,100%`)
    #[arg(hide_short_help = true, long, value_name = "SHARE,…", value_delimiter = ',')]
    pub(crate) batch: Vec<Share>,

    /// Pause between two batches
    #[arg(hide_short_help = true, long, value_name = "TIME", value_parser = cli::time, requires = "batch")]
    pub(crate) pause: Option<Duration>,

    /// Stop starting batches after this many failed hosts (`3`, `10%`); any failure in the first batch stops the rollout
    #[arg(hide_short_help = true, long, value_name = "SHARE", requires = "batch")]
    pub(crate) max_failures: Option<Share>,
}

/// What follows the command on each host.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Checks")]
pub(crate) struct Checks {
    /// Command that must succeed on the host after the deploy, and again a moment later; retried until then
    #[arg(hide_short_help = true, long, value_name = "NAME=COMMAND", value_parser = named)]
    pub(crate) check: Vec<(String, String)>,

    /// Address that must answer from here; `{host}` is the host's own
    #[arg(hide_short_help = true, long, value_name = "NAME=URL [=STATUS] [~TEXT]")]
    pub(crate) check_http: Vec<HttpCheck>,

    /// Port of the host that must accept connections from here
    #[arg(hide_short_help = true, long, value_name = "NAME=PORT")]
    pub(crate) check_tcp: Vec<TcpCheck>,

    /// Time for a check to pass
    #[arg(hide_short_help = true, long, value_name = "TIME", value_parser = cli::time, default_value = "60s")]
    pub(crate) check_timeout: Duration,

    /// Time between two tries of a check
    #[arg(hide_short_help = true, long, value_name = "TIME", value_parser = cli::time, default_value = "2s")]
    pub(crate) check_interval: Duration,

    /// Command that runs on a failed host, for the log and the report
    #[arg(hide_short_help = true, long, value_name = "NAME=COMMAND", value_parser = named)]
    pub(crate) diagnose: Vec<(String, String)>,

    /// Command that restores a host that was changed and failed
    #[arg(hide_short_help = true, long, value_name = "COMMAND")]
    pub(crate) rollback: Option<String>,

    /// If one host fails, roll back every changed host, in reverse order
    #[arg(hide_short_help = true, long)]
    pub(crate) rollback_all: bool,

    /// How long a rollback may take, also without us
    #[arg(hide_short_help = true, long, value_name = "TIME", value_parser = cli::time, default_value = "2m")]
    pub(crate) rollback_timeout: Duration,
}

/// What is sent to the hosts.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Files")]
pub(crate) struct Files {
    /// File or directory to put on every host before the command runs; equal content is skipped
    #[arg(hide_short_help = true, long, value_name = "SRC:DEST", value_parser = paths)]
    pub(crate) upload: Vec<(String, String)>,

    /// Directory to deploy as a release: BASE/releases/ID, then the link BASE/current
    #[arg(hide_short_help = true, long, value_name = "SRC:BASE", value_parser = release)]
    pub(crate) release: Option<(String, String)>,

    /// Command in BASE/current after every switch, forward and back
    #[arg(hide_short_help = true, long, value_name = "COMMAND", requires = "release")]
    pub(crate) activate: Option<String>,

    /// Good releases to keep on each host
    #[arg(hide_short_help = true, long, value_name = "N", default_value_t = 5, requires = "release")]
    pub(crate) keep: usize,

    /// Paths below BASE/shared that every release links to; a directory's ends with `/`
    #[arg(hide_short_help = true, long, value_name = "PATH,…", value_delimiter = ',', value_parser = shared, requires = "release")]
    pub(crate) shared: Vec<String>,

    /// Make an earlier release current again, with `--release :BASE`
    #[arg(hide_short_help = true, long, value_name = "previous|ID", value_parser = release_name, requires = "release", conflicts_with_all = ["command", "script"])]
    pub(crate) rollback_to: Option<String>,
}

/// What keeps two deploys apart.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Lock")]
pub(crate) struct Locking {
    /// Deploy lock on every host; `none` for none [default: the repository's name in Actions]
    #[arg(hide_short_help = true, long, value_name = "NAME")]
    pub(crate) lock: Option<String>,

    /// Directory of the lock on the hosts, which must exist [default: ~/.ssh-deploy]
    #[arg(hide_short_help = true, long, value_name = "DIR")]
    pub(crate) lock_dir: Option<String>,

    /// How long to wait for the lock
    #[arg(hide_short_help = true, long, value_name = "TIME", value_parser = time_or_zero, default_value = "10m")]
    pub(crate) lock_wait: Duration,

    /// Refuse to deploy over a higher number; `run` is the workflow run's
    #[arg(hide_short_help = true, long, value_name = "N|run|none")]
    pub(crate) fence: Option<Fence>,

    /// Refuse hosts whose last deploy did not reach its end
    #[arg(hide_short_help = true, long)]
    pub(crate) require_clean: bool,

    /// Print who holds the lock on each host
    #[arg(hide_short_help = true, long, conflicts_with_all = ["command", "script"])]
    pub(crate) lock_status: bool,

    /// Remove a lock whose holder is gone
    #[arg(hide_short_help = true, long, conflicts_with_all = ["command", "script", "lock_status"])]
    pub(crate) unlock: bool,
}

/// How connections agree on keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum KeyExchange {
    /// curve25519
    Fast,
}

/// How the result is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// One line per host
    Text,
    /// One document
    Json,
    /// Records, one JSON object per line, while it runs
    Jsonl,
    /// What strategy.matrix takes, with --list
    Matrix,
}

impl Args {
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

#[cfg(test)]
mod tests;
