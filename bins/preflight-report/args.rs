//! The command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use cli::{Shared, Tool};

const AFTER_HELP: &str = "\
Reports:
  - the JSON of a Dagger pipeline: `stages` with their `checks`, times optional
  - records: what pages-deploy-all and ssh-deploy print with --format jsonl, shards in any order
  - `toJSON(needs)` of a workflow
  Noise around them, colours and several in one stream are fine. A check is as bad as the worst
  that is said about it; what was planned and did not report is missing.

Environment:
  PREFLIGHT_REPORT_TITLE
                       the title, where --title is not given
  GITHUB_STEP_SUMMARY  where the job summary goes
  NO_COLOR, CLICOLOR_FORCE, LC_ALL, LC_CTYPE, LANG
                       colours and characters of the text

Exit codes:
  0 every check passed · 1 a check failed · 2 wrong usage, or an input that is no report
  3 incomplete: something promised did not report, or nothing ran

Examples:
  dagger call pre-deploy --source=.. --json-output | preflight-report
  cat shard-*.jsonl | preflight-report --title Deployment
  preflight-report --format json report.json | jq -r '.reasons[]'";

/// Turn what checks said into one verdict
///
/// Reads reports, each told by its content, adds them up, prints the outcome and writes it to the job summary. Changes nothing
/// else. Exits with 1 when a check failed, and with 3 when something promised did not report.
#[derive(Clone, Debug, Parser)]
#[command(name = env!("CARGO_BIN_NAME"), version, after_long_help = AFTER_HELP, next_display_order = None)]
pub(crate) struct Args {
    /// The reports; `-` is standard input, which is also read when none is named
    #[arg(value_name = "REPORT")]
    pub(crate) reports: Vec<PathBuf>,

    /// What the report is called, instead of what its inputs say
    #[arg(long, value_name = "TITLE", env = "PREFLIGHT_REPORT_TITLE", help_heading = "Output")]
    pub(crate) title: Option<String>,

    /// How to print the report
    #[arg(long, value_enum, default_value_t = Format::Text, value_name = "FORMAT", help_heading = "Output")]
    pub(crate) format: Format,

    #[command(flatten)]
    pub(crate) shared: Shared,
}

/// How the report is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Text,
    /// One document
    Json,
    /// The inputs as records, one a line
    Jsonl,
    /// The job summary's section
    Markdown,
}

impl Tool for Args {
    fn shared(&self) -> &Shared {
        &self.shared
    }

    fn prints_json(&self) -> bool {
        self.format == Format::Json
    }
}
