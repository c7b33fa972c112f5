//! The options of a plan.

use std::path::PathBuf;

use fault::{Fault, Result};
use report::Pattern;

/// The options of a plan.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct PlanOptions {
    /// Run the checks of a plan file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["reports", "command", "command_exited"], help_heading = "Command")]
    pub(crate) plan: Option<PathBuf>,

    /// Run only these checks, whatever they need (repeatable, globs)
    #[arg(long, value_name = "STAGE/CHECK", requires = "plan", hide_short_help = true, help_heading = "Plan")]
    pub(crate) only: Vec<Pattern>,

    /// How many checks run at once [default: the number of processors]
    #[arg(long, value_name = "N", requires = "plan", value_parser = clap::value_parser!(u32).range(1..), hide_short_help = true, help_heading = "Plan")]
    pub(crate) jobs: Option<u32>,

    /// Cancel all other checks when a required one fails
    #[arg(long, requires = "plan", hide_short_help = true, help_heading = "Plan")]
    pub(crate) fail_fast: bool,

    /// Run checks with `inputs` even if nothing has changed since they last passed
    #[arg(long, requires = "plan", hide_short_help = true, help_heading = "Plan")]
    pub(crate) no_cache: bool,

    /// Keep each check's output as DIR/STAGE/CHECK.log
    #[arg(long, value_name = "DIR", requires = "plan", hide_short_help = true, help_heading = "Plan")]
    pub(crate) log_dir: Option<PathBuf>,

    /// Print the checks of the plan and run nothing
    #[arg(long, requires = "plan", hide_short_help = true, help_heading = "Plan")]
    pub(crate) list: bool,

    /// Print what would run, what is skipped and what is cached, and run nothing
    #[arg(long, requires = "plan", hide_short_help = true, help_heading = "Plan")]
    pub(crate) dry_run: bool,
}

impl PlanOptions {
    /// Refuses options that do nothing without a plan. clap does not: an operand, which conflicts with `--plan`, lifts what requires it.
    ///
    /// # Errors
    /// [`fault::Kind::Usage`].
    pub(crate) fn check(&self) -> Result<()> {
        let given = [
            ("--only", !self.only.is_empty()),
            ("--jobs", self.jobs.is_some()),
            ("--fail-fast", self.fail_fast),
            ("--no-cache", self.no_cache),
            ("--log-dir", self.log_dir.is_some()),
            ("--list", self.list),
            ("--dry-run", self.dry_run),
        ];
        match given.iter().find(|(_, is_given)| *is_given && self.plan.is_none()) {
            None => Ok(()),
            Some((option, _)) => {
                Err(Fault::usage(format!("`{option}` is about a plan")).help("add --plan FILE, or leave it out"))
            }
        }
    }
}
