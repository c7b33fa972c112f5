//! The command line.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Parser, ValueEnum};
use cli::{Deadline, Destination, Shared, Tool};
use fault::{Fault, Result};
use report::{FailOn, Flaky, Pattern, Policy};

use crate::gather::{Operand, Plan};
use crate::notice::NotifyArgs;
use crate::plan::PlanOptions;
use crate::publish::PublishArgs;

/// The part of a run's time that is kept for publishing.
const PUBLISHING: Duration = Duration::from_secs(15);

const AFTER_HELP: &str = "\
Reports, each recognised by its content:
  tests     JUnit XML, TRX, TAP, CTRF, jest, vitest, mocha and Playwright JSON, go test -json,
            libtest JSON
  findings  SARIF, Checkstyle, GitLab code quality, JSON of ruff, mypy, pyright, eslint,
            golangci-lint, shellcheck, cargo and terraform validate, text of compilers and linters
  plans     terraform plan and test, pulumi preview, dbt
  checks    a Dagger pipeline's JSON, records (--format jsonl), a report document, toJSON(needs)
  A report is a file, a glob, a directory or - (standard input). Files of one program are one check.
  STAGE/CHECK=FILE names the check, STAGE/CHECK/LEG=FILE also the leg of a matrix.

Command:
  With -- COMMAND, its output is copied to stderr as it comes. It is judged by its exit code, by the
  reports that --report names, and by what it prints. Only this sees what reports leave out, such as
  a test file that cannot be loaded. Without a report, exit code 0 passes; it also makes a
  blank report of text clean, which alone proves nothing. Checks and tests that the command sends
  as OpenTelemetry spans, as `dagger check` does, count too.

Plan:
  A plan file has stages with checks: a command, or a builtin (untracked, clean-after, image-tag,
  secrets, disk). Stages run one after the other, or as their `needs` have it; checks of a stage run
  at once. Each check is judged as a command is. docs/preflight-report.md has the keys.

Environment:
  PREFLIGHT_REPORT_TITLE
                       the title, if --title is not given
  PREFLIGHT_REPORT_FORMAT
                       the format, if --format is not given
  PREFLIGHT_REPORT_CACHE_DIR
                       where checks with `inputs` keep what they found when they last passed
  GITHUB_STEP_SUMMARY  where the job summary goes
  GITHUB_OUTPUT        where --to output writes
  OTEL_EXPORTER_OTLP_ENDPOINT
                       set for COMMAND, unless it or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is set
  GITHUB_TOKEN         what publishing signs in with; commands do not inherit it then
  GITHUB_API_URL, GITHUB_REPOSITORY, GITHUB_EVENT_PATH
                       where and for what it publishes, as the runner sets them
  NO_COLOR, CLICOLOR_FORCE, LC_ALL, LC_CTYPE, LANG
                       colours and characters of the text

Exit codes:
  0 every check passed · 1 a check failed · 2 wrong usage, or nothing that can be read
  3 incomplete: something promised did not report, nothing ran, or the --deadline passed
  125, 126, 127: COMMAND cannot be started, is not executable, is not found
  130, 143 interrupted, after the report was written

Publishing:
  Failures are warnings and do not change the exit code. --comment needs `pull-requests: write`,
  --check-run `checks: write`, --deployments `deployments: write`.

Examples:
  preflight-report --report junit.xml -- pytest --junitxml=junit.xml
  preflight-report --plan preflight.toml
  preflight-report junit/*.xml lint=ruff.sarif tsc.txt
  dagger call pre-deploy --source=.. --json-output | preflight-report
  cat shard-*.jsonl | preflight-report --title Deployment
  preflight-report --comment --check-run reports/*.xml
  preflight-report --format json report.json | jq -r '.reasons[]'";

/// Turn what checks reported into one verdict
///
/// Reads reports, each recognised by its content, adds them up, prints the outcome and writes it to the job summary. Publishes it at
/// GitHub if asked to. Changes nothing else. Exits with 1 if a check failed, and with 3 if something promised did not report.
#[derive(Clone, Debug, Parser)]
#[command(name = env!("CARGO_BIN_NAME"), version, after_long_help = AFTER_HELP, next_display_order = None)]
pub(crate) struct Args {
    /// Reports: files, globs, directories, or `-` (stdin, the default)
    #[arg(value_name = "[STAGE/CHECK=]REPORT")]
    reports: Vec<OsString>,

    /// Title of the report
    #[arg(long, value_name = "TITLE", env = "PREFLIGHT_REPORT_TITLE", help_heading = "Output")]
    title: Option<String>,

    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Text, value_name = "FORMAT", env = "PREFLIGHT_REPORT_FORMAT", help_heading = "Output")]
    pub(crate) format: Format,

    /// Also write the report to a file (repeatable)
    #[arg(long, value_name = "FORMAT=FILE", help_heading = "Output")]
    pub(crate) write: Vec<WriteTo>,

    /// `output` also sets the step outputs `result`, `ready`, `exit_code`, `failed`, `tests_failed` and `comment_url`
    #[arg(long, value_parser = cli::stdout_or_output(), default_value = "stdout", value_name = "WHERE", hide_short_help = true, help_heading = "Output")]
    pub(crate) to: Destination,

    /// Command that runs the checks again, shown with a failure
    #[arg(long, value_name = "COMMAND", hide_short_help = true, help_heading = "Output")]
    pub(crate) rerun: Option<String>,

    /// Fail unless a check with this name reports (repeatable, globs)
    #[arg(long, value_name = "STAGE/CHECK", help_heading = "Verdict")]
    expect: Vec<Pattern>,

    /// Lowest level of a finding that fails a check: error, warning, notice or none (repeatable)
    #[arg(long, value_name = "[CHECK=]LEVEL", hide_short_help = true, help_heading = "Verdict")]
    fail_on: Vec<FailOnCheck>,

    /// How to count a test that passed only when it was repeated
    #[arg(long, value_enum, default_value_t = FlakyArg::Pass, value_name = "OUTCOME", hide_short_help = true, help_heading = "Verdict")]
    flaky: FlakyArg,

    /// Accept a check that ran no tests (repeatable, globs)
    #[arg(long, value_name = "CHECK", hide_short_help = true, help_heading = "Verdict")]
    allow_empty: Vec<Pattern>,

    /// Accept a skipped job in `toJSON(needs)` (repeatable, globs)
    #[arg(long, value_name = "JOB", hide_short_help = true, help_heading = "Verdict")]
    may_skip: Vec<Pattern>,

    /// Fail checks that did nothing and reports with an empty part
    #[arg(long, hide_short_help = true, help_heading = "Verdict")]
    strict: bool,

    /// Fail if a plan deletes or replaces a resource
    #[arg(long, hide_short_help = true, help_heading = "Verdict")]
    no_destroy: bool,

    /// A report that the command writes (repeatable, globs)
    #[arg(long, value_name = "GLOB", requires = "command", help_heading = "Command")]
    report: Vec<String>,

    /// Name of the command's check [default: the program's]
    #[arg(long, value_name = "STAGE/CHECK", requires = "command", hide_short_help = true, help_heading = "Command")]
    name: Option<String>,

    /// Read reports that the command did not write
    #[arg(long, requires = "command", hide_short_help = true, help_heading = "Command")]
    allow_stale: bool,

    /// Also write all that the command prints to this file
    #[arg(long, value_name = "FILE", requires = "command", hide_short_help = true, help_heading = "Command")]
    log: Option<PathBuf>,

    /// Exit code of the command that wrote the report (one check only)
    #[arg(long, value_name = "CODE", conflicts_with = "command", hide_short_help = true, help_heading = "Verdict")]
    pub(crate) command_exited: Option<i64>,

    /// Time limit for the whole run; without it, publishing may take 60s [default: none]
    #[arg(long, value_name = "TIME", hide_short_help = true, help_heading = "Command")]
    pub(crate) deadline: Option<Deadline>,

    #[command(flatten)]
    pub(crate) planned: PlanOptions,

    /// A command to run and judge by its exit code, its output and its reports
    #[arg(last = true, value_name = "COMMAND", help_heading = "Command")]
    command: Vec<OsString>,

    #[command(flatten)]
    pub(crate) publish: PublishArgs,

    #[command(flatten)]
    pub(crate) notice: NotifyArgs,

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
    /// Records, one per line
    Jsonl,
    /// JUnit XML
    Junit,
    /// Common Test Report Format
    Ctrf,
    /// SARIF 2.1.0
    Sarif,
    /// One page that needs nothing else, for a browser
    Html,
    /// The job summary's section
    Markdown,
    /// Workflow commands
    Annotations,
    /// The shortest, for language models
    Agent,
    /// What plans would change
    Changes,
}

/// Another place for the report.
#[derive(Clone, Debug)]
pub(crate) struct WriteTo {
    pub(crate) format: Format,
    pub(crate) file: PathBuf,
}

impl std::str::FromStr for WriteTo {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self> {
        let (format, file) = text.split_once('=').filter(|(_, file)| !file.is_empty()).ok_or_else(|| {
            Fault::usage(format!("`{text}` is not FORMAT=FILE")).help("write it like `--write junit=report.xml`")
        })?;
        let format = Format::from_str(format, true).ok().ok_or_else(|| {
            let names: Vec<_> = Format::value_variants().iter().filter_map(ValueEnum::to_possible_value).collect();
            let names: Vec<_> = names.iter().map(clap::builder::PossibleValue::get_name).collect();
            Fault::usage(format!("unknown format `{format}`")).help(format!("use one of {}", names.join(", ")))
        })?;
        Ok(Self { format, file: file.into() })
    }
}

/// What a flaky test is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FlakyArg {
    /// It passes and is named
    Pass,
    /// It fails
    Fail,
}

/// `warning`, `lint=none`.
#[derive(Clone, Debug)]
struct FailOnCheck(Pattern, FailOn);

impl std::str::FromStr for FailOnCheck {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self> {
        let (check, level) = text.rsplit_once('=').map_or((None, text), |(check, level)| (Some(check), level));
        Ok(Self(check.map_or(Ok(Pattern::any()), str::parse)?, level.parse()?))
    }
}

impl Args {
    /// The reports to read.
    ///
    /// # Errors
    /// [`fault::Kind::Usage`]: a name that is blank.
    pub(crate) fn operands(&self) -> Result<Vec<Operand>> {
        if let Some(document) = self.publish.document() {
            return Ok(vec![Operand { name: None, path: document.clone() }]);
        }
        self.reports.iter().map(|text| Operand::parse(text)).collect()
    }

    /// The command to run, if there is one.
    ///
    /// # Errors
    /// [`fault::Kind::Usage`]: a name that is none.
    pub(crate) fn plan(&self) -> Result<Option<Plan<'_>>> {
        if let Some(name) = &self.name {
            name.parse::<crate::gather::Name>()?;
        }
        let (command, reports, name) = (&self.command, &self.report, self.name.as_deref());
        let (log, allow_stale, withheld) = (self.log.as_deref(), self.allow_stale, self.withheld());
        let deadline = self.commands_deadline();
        Ok((!command.is_empty()).then_some(Plan { command, reports, name, log, allow_stale, withheld, deadline }))
    }

    /// Variables that commands do not inherit, unless their check of a plan names them: the token that we publish with.
    pub(crate) fn withheld(&self) -> &'static [&'static str] {
        if self.publish.is_asked() { &["GITHUB_TOKEN"] } else { &[] }
    }

    /// When commands are stopped: at the deadline, or early enough that the report can still be published.
    pub(crate) fn commands_deadline(&self) -> Option<Deadline> {
        let deadline = self.deadline?;
        let margin = if self.publish.is_asked() { PUBLISHING.min(deadline.remaining() / 2) } else { Duration::ZERO };
        Some(deadline.before(margin))
    }

    /// What is accepted.
    pub(crate) fn policy(&self) -> Policy {
        Policy {
            fail_on: self.fail_on.iter().map(|FailOnCheck(check, level)| (check.clone(), *level)).collect(),
            flaky: if self.flaky == FlakyArg::Fail { Flaky::Fail } else { Flaky::Pass },
            strict: self.strict,
            allow_empty: self.allow_empty.clone(),
            may_skip: self.may_skip.clone(),
            no_destroy: self.no_destroy,
            // What runs a command may itself be one shard of several.
            all_shards: self.command.is_empty() && self.planned.plan.is_none() && !self.publish.is_of_one_leg(),
        }
    }

    /// The title. An empty expression of a workflow arrives as an empty one, which is none.
    pub(crate) fn title(&self) -> Option<&str> {
        self.title.as_deref().filter(|title| !title.trim().is_empty())
    }

    /// The checks that were promised.
    pub(crate) fn expected(&self) -> &[Pattern] {
        &self.expect
    }

    /// The globs of `--report`, and the file of `--log`.
    pub(crate) fn files_of_command(&self) -> (&[String], Option<&Path>) {
        (&self.report, self.log.as_deref())
    }

    /// Whether any rendering is made of the records themselves.
    pub(crate) fn needs_records(&self) -> bool {
        self.format == Format::Jsonl || self.write.iter().any(|to| to.format == Format::Jsonl)
    }
}

impl Tool for Args {
    const SCHEMA: &str = report::SCHEMA;

    fn shared(&self) -> &Shared {
        &self.shared
    }

    fn prints_json(&self) -> bool {
        self.format == Format::Json && !self.publish.is_preview()
    }
}
