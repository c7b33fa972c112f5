//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{OsStringValueParser, TypedValueParser as _};
use clap::{Parser, ValueEnum};
use cli::{Shared, Tool};
use fault::{Fault, Result};

const AFTER_HELP: &str = "\
What it does:
  Each stage's command runs under `bash -eo pipefail` (`sh -e` where there is no bash), in a session
  without a terminal. Its start is on the disk before it starts, in `.stage-run/` beside the plan, and
  so is its end: after a crash it is known which stage is half done. The first ^C goes to the stage
  once, and all its processes are waited for. Nothing is undone but by the plan's own `undo`.

Environment:
  STAGE_RUN_PLAN         the plan [default: stages.toml]
  STAGE_RUN_ENV          set for each stage: a file for variables that later stages get (NAME=value)
  XDG_STATE_HOME         where locks are kept [default: ~/.local/state]
  DOPPLER_TOKEN          reads the addresses of [notify] from Doppler, if no variable has them

Exit codes:
  0 all stages passed · 1 a stage or an undo failed · 2 wrong usage, or a plan not understood
  3 stages are pending (--until), or all were skipped · 75 another run has the lock, or a stage
  ended with 75 · 77 a stage ended with 77 · 130, 143 interrupted

Examples:
  stage-run
  stage-run --resume
  stage-run --until infra
  stage-run --undo --yes";

/// Run a deploy's stages in order, go on where it stopped, undo what was done
#[expect(clippy::struct_excessive_bools, reason = "options of a command line")]
#[derive(Clone, Debug, Parser)]
#[command(name = env!("CARGO_BIN_NAME"), version, after_long_help = AFTER_HELP, next_display_order = None)]
pub(crate) struct Args {
    /// Run only these stages, even if they are half done
    #[arg(value_name = "STAGE")]
    pub(crate) stages: Vec<String>,

    /// The plan
    #[arg(long, value_name = "FILE", env = "STAGE_RUN_PLAN", default_value = "stages.toml", value_parser = OsStringValueParser::new().map(PathBuf::from))]
    pub(crate) plan: PathBuf,

    /// Go on with the newest run at its first stage that has not passed
    ///
    /// A stage that passed must be what it was; `--resume=anyway` goes on even if its commands or files have changed.
    #[arg(long, hide_possible_values = true, value_name = "HOW", num_args = 0..=1, require_equals = true, default_missing_value = "safely", value_enum, group = "what", conflicts_with_all = ["stages", "from"])]
    pub(crate) resume: Option<Care>,

    /// Begin at STAGE, even if it is half done
    #[arg(long, value_name = "STAGE", conflicts_with = "stages")]
    pub(crate) from: Option<String>,

    /// Stop after STAGE and leave the rest pending
    #[arg(long, value_name = "STAGE", conflicts_with = "stages")]
    pub(crate) until: Option<String>,

    /// Run each stage's `plan` instead, and show what would change
    #[arg(long, group = "what")]
    pub(crate) dry_run: bool,

    /// With --dry-run, fail if something would be deleted
    #[arg(long, requires = "dry_run", hide_short_help = true)]
    pub(crate) no_destroy: bool,

    /// Undo the newest run's stages, the last first
    ///
    /// Each undo must be the one of that run; `--undo=anyway` runs the plan's as it is now.
    #[arg(long, hide_possible_values = true, value_name = "HOW", num_args = 0..=1, require_equals = true, default_missing_value = "safely", value_enum, group = "what", conflicts_with_all = ["stages", "from", "until"])]
    pub(crate) undo: Option<Care>,

    /// With --undo, do it: without, it is only shown
    #[arg(long, requires = "undo")]
    pub(crate) yes: bool,

    /// When a stage fails, undo what was done, except by an undo that destroys
    #[arg(long, conflicts_with_all = ["undo", "dry_run"])]
    pub(crate) undo_on_failure: bool,

    /// Show how far the newest run came
    #[arg(long, group = "what", conflicts_with_all = ["stages", "from", "until"])]
    pub(crate) status: bool,

    /// Show the stages and their commands
    #[arg(long, group = "what", conflicts_with_all = ["stages", "from", "until"])]
    pub(crate) list: bool,

    /// Keep runs in DIR [default: .stage-run beside the plan]
    #[arg(long, value_name = "DIR", hide_short_help = true, value_parser = OsStringValueParser::new().map(PathBuf::from))]
    pub(crate) journal: Option<PathBuf>,

    /// Wait so long for another run of this plan and target to end [default: none]
    #[arg(long, value_name = "TIME", value_parser = cli::time, hide_short_help = true)]
    pub(crate) lock_wait: Option<Duration>,

    /// Send a test message to each service of [notify] and stop
    #[arg(long, group = "what", hide_short_help = true)]
    pub(crate) notify_test: bool,

    /// On a terminal, show every line that a stage prints
    #[arg(long, hide_short_help = true, help_heading = "Output")]
    pub(crate) verbose: bool,

    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Text, value_name = "FORMAT", help_heading = "Output")]
    pub(crate) format: Format,

    #[command(flatten)]
    pub(crate) shared: Shared,
}

/// How much is checked first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Care {
    /// What has changed since is refused
    #[value(hide = true)]
    Safely,
    /// Changes are accepted
    Anyway,
}

/// How the result is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// One line per stage
    Text,
    /// One document
    Json,
    /// A record per event, as it happens
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

impl Args {
    /// The position of a stage that is named on the command line.
    ///
    /// # Errors
    /// [`fault::Kind::Usage`]: the plan has no such stage.
    pub(crate) fn stage(plan: &plan::stages::Plan, name: &str) -> Result<usize> {
        plan.find(name).ok_or_else(|| {
            let names: Vec<&str> = plan.stages.iter().map(|stage| stage.name.as_str()).collect();
            let fault = Fault::usage(format!("the plan has no stage `{name}`"));
            match fault::nearest(name, names.iter().copied()) {
                Some(near) => fault.help(format!("write `{near}`")),
                None => fault.help(format!("use one of {}", names.join(", "))),
            }
        })
    }
}
