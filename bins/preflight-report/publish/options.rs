//! The command line of publishing.

use std::path::{Path, PathBuf};
use std::time::Duration;

use fault::{Fault, Result};

/// How long publishing may take, unless `--deadline` limits the whole run.
pub(super) const TIME: Duration = Duration::from_mins(1);

/// What is published at GitHub, and how.
#[expect(clippy::struct_excessive_bools, reason = "options of a command line")]
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct PublishArgs {
    /// Keep one comment of the pull request up to date; NAME tells several apart [default: the workflow's name]
    #[arg(
        long,
        value_name = "NAME",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "",
        hide_short_help = true,
        help_heading = "Publishing"
    )]
    pub(super) comment: Option<String>,

    /// Create a check run with every finding on the commit
    #[arg(long, hide_short_help = true, help_heading = "Publishing")]
    pub(super) check_run: bool,

    /// Create a GitHub deployment for each check that has an address
    #[arg(long, hide_short_help = true, help_heading = "Publishing")]
    pub(super) deployments: bool,

    /// Put this in front of the deployments' environments, which are the checks' names
    #[arg(long, value_name = "PREFIX", requires = "deployments", hide_short_help = true, help_heading = "Publishing")]
    pub(super) environment_prefix: Option<String>,

    /// Leg of a matrix that this report is about [default: the records' shard]
    #[arg(long, value_name = "NAME", hide_short_help = true, help_heading = "Publishing")]
    pub(super) leg: Option<String>,

    /// Compare with the report in FILE [default: the check run on the merge base]
    #[arg(long, value_name = "FILE", hide_short_help = true, help_heading = "Publishing")]
    pub(super) baseline: Option<PathBuf>,

    /// Publish the report document of an earlier job, which may come from a fork and is not trusted
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["reports", "command", "command_exited", "deployments", "plan"],
        hide_short_help = true,
        help_heading = "Publishing"
    )]
    pub(super) from_json: Option<PathBuf>,

    /// Print what would be published, and its size, instead of publishing it
    #[arg(long, hide_short_help = true, help_heading = "Publishing")]
    pub(super) preview: bool,

    /// Exit with 77 or 75 if something cannot be published; a fork's token is excepted
    #[arg(long, hide_short_help = true, help_heading = "Publishing")]
    pub(super) require_publish: bool,

    /// Hide the value of this variable (repeatable)
    #[arg(long, value_name = "VARIABLE", hide_short_help = true, help_heading = "Publishing")]
    pub(super) mask_env: Vec<String>,
}

impl PublishArgs {
    /// Whether anything is to be published or previewed.
    pub(crate) fn is_asked(&self) -> bool {
        self.wants_comment() || self.wants_check_run() || self.wants_deployments()
    }

    /// Whether the report is about one leg only, so that nothing is missed of the others.
    pub(crate) fn is_of_one_leg(&self) -> bool {
        self.leg.as_deref().is_some_and(|leg| !leg.trim().is_empty())
    }

    /// The file to compare with.
    pub(crate) fn baseline(&self) -> Option<&Path> {
        self.baseline.as_deref()
    }

    /// Whether stdout gets a preview instead of the report.
    pub(crate) fn is_preview(&self) -> bool {
        self.preview
    }

    /// The document of an earlier job.
    pub(crate) fn document(&self) -> Option<&PathBuf> {
        self.from_json.as_ref()
    }

    pub(super) fn wants_comment(&self) -> bool {
        self.comment.is_some() || self.previews_all()
    }

    pub(super) fn wants_check_run(&self) -> bool {
        self.check_run || self.previews_all()
    }

    pub(super) fn wants_deployments(&self) -> bool {
        self.deployments || (self.previews_all() && self.from_json.is_none())
    }

    /// `--preview` alone shows everything.
    fn previews_all(&self) -> bool {
        self.preview && self.comment.is_none() && !self.check_run && !self.deployments
    }

    /// Refuses options that do nothing without another.
    ///
    /// # Errors
    /// [`fault::Kind::Usage`].
    pub(super) fn check(&self) -> Result<()> {
        let needs_one = [("--require-publish", self.require_publish), ("--from-json", self.from_json.is_some())];
        match needs_one.iter().find(|(_, is_given)| *is_given && !self.is_asked()) {
            None => Ok(()),
            Some((option, _)) => {
                Err(Fault::usage(format!("`{option}` has nothing to publish")).help("add --comment or --check-run"))
            }
        }
    }
}
