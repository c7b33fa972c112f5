//! Writes: the report on stdout and into files, annotations on stderr, the job summary, the step's outputs.

use std::io::Write as _;
use std::path::Path;

use cli::{Console, Exit};
use fault::{Fault, Result};
use report::{Annotations, Diff, Report, Screen, Style, Verdict};

use crate::args::{Args, Format};
use crate::gather::{self, NotStarted};
use crate::read::Reading;

/// The most bytes of Markdown on stdout: what a job summary may hold.
const MARKDOWN: usize = runner::file::SUMMARY_LIMIT;

/// Writes everything but the step's outputs. With a `preview`, stdout gets that instead.
///
/// # Errors
/// Stdout or a file cannot be written.
pub(crate) fn all(
    report: &Report,
    reading: &Reading,
    preview: Option<&str>,
    args: &Args,
    console: &Console,
) -> anyhow::Result<()> {
    for to in &args.write {
        let text = rendered(report, reading, to.format, Style::PLAIN, console);
        replace(&to.file, &text)?;
    }
    if args.format != Format::Text || preview.is_some() {
        console.status(&format!("{}: {}", report.title, report.result().name()));
    }
    if let Some(preview) = preview {
        console.print(preview)?;
    } else if args.format == Format::Json {
        print_json(report, console)?;
    } else if !(reading.printed && args.format == Format::Jsonl) {
        console.print(rendered(report, reading, args.format, style(console), console))?;
    }
    if args.format != Format::Annotations {
        annotate(report, console);
    }
    console.summary(&args.shared, |room| report::markdown(report, room));
    Ok(())
}

/// Hands the step's outputs over.
///
/// # Errors
/// The runner's file cannot be written.
pub(crate) fn step_outputs(report: &Report, comment_url: Option<&str>, args: &Args, console: &Console) -> Result<()> {
    match args.to.step_file() {
        Some(file) => console.export(file, &outputs(report, comment_url)),
        None => Ok(()),
    }
}

/// Prints the document piece by piece: it may be larger than the report is in memory.
fn print_json(report: &Report, console: &Console) -> Result<()> {
    const PIECE: usize = 64 * 1024;
    let (mut waiting, mut printed) = (String::new(), Ok(()));
    report::json_pieces(report, &mut |piece| {
        waiting.push_str(piece);
        if waiting.len() >= PIECE && printed.is_ok() {
            printed = console.print(&waiting);
            waiting.clear();
        }
    });
    printed?;
    console.print(&waiting)
}

/// Writes a file as a whole: a reader sees the old one or the new one.
fn replace(path: &Path, text: &str) -> Result<()> {
    let cannot =
        |error: std::io::Error| Fault::usage(format!("cannot write `{}`", path.display())).cause(error.to_string());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    // A report is for everyone who may read the folder; a temporary file would be for its owner only.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
    let mut file = builder.tempfile_in(folder).map_err(cannot)?;
    file.write_all(text.as_bytes()).map_err(cannot)?;
    file.persist(path).map_err(|error| cannot(error.error))?;
    Ok(())
}

fn rendered(report: &Report, reading: &Reading, format: Format, style: Style, console: &Console) -> String {
    match format {
        Format::Text => report::text(report, style),
        Format::Json => report::json_text(report),
        Format::Jsonl => reading.records.iter().map(|record| record.line() + "\n").collect(),
        Format::Html => report::html(report, report::HTML_LIMIT),
        Format::Markdown => report::markdown(report, MARKDOWN),
        Format::Junit => report::junit(report),
        Format::Ctrf => report::neutral(&format!("{:#}\n", report::ctrf(report))),
        Format::Sarif => report::neutral(&format!("{:#}\n", report::sarif(report))),
        Format::Agent => report::agent(report),
        Format::Changes => report::changes(report),
        Format::Annotations => {
            let annotations = annotations(report, console);
            let hidden = |level| annotations.hidden.of(level);
            cli::within_budget(&annotations.shown, hidden, console.tool()).join("\n") + "\n"
        }
    }
}

/// The most useful annotations; the console keeps the runner's budget.
fn annotate(report: &Report, console: &Console) {
    if console.context().in_actions {
        let annotations = annotations(report, console);
        console.annotate_some(&annotations.shown, |level| annotations.hidden.of(level));
    }
}

/// The annotations, those on lines of the commit's change first.
fn annotations(report: &Report, console: &Console) -> Annotations {
    let has_findings = report.checks().any(|(_, check)| !check.findings.is_empty());
    let diff = if has_findings { gather::changes(console.environment()) } else { Diff::default() };
    report::annotations(report, &diff)
}

fn style(console: &Console) -> Style {
    let screen = if console.stdout_is_terminal() { Screen::Terminal } else { Screen::Other };
    Style::of(console.environment(), screen)
}

/// Reports a command that could not be started.
pub(crate) fn not_started(not_started: &NotStarted, args: &Args, console: &Console) -> Exit {
    // The exit code is the one that shells have for it, not the fault's own.
    let _ = cli::report_fault(console, &not_started.fault, args.format == Format::Json);
    not_started.exit
}

/// The step's outputs.
fn outputs(report: &Report, comment_url: Option<&str>) -> Vec<(String, String)> {
    let counts = report.counts();
    let tests_failed = counts.tests.map_or(0, |tests| tests.failed);
    [
        ("result", report.result().name().to_owned()),
        ("ready", (report.result() == Verdict::Passed).to_string()),
        ("exit_code", report.exit_code().to_string()),
        ("failed", counts.failed.to_string()),
        ("tests_failed", tests_failed.to_string()),
        ("comment_url", comment_url.unwrap_or_default().to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}
