//! The options that every tool has.

use crate::Generate;

/// Options that every tool has; flatten them into the tool's own.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Shared {
    /// Write no section to the job summary
    #[arg(long, global = true, hide_short_help = true, help_heading = "Output")]
    pub no_summary: bool,

    /// Print a man page or shell completions for this program
    #[arg(long, value_name = "KIND", value_enum, exclusive = true, hide_short_help = true, help_heading = "Output")]
    pub generate: Option<Generate>,
}
