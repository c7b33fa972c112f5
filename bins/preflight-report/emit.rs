//! Writes: the report on stdout, annotations on stderr.

use cli::Console;
use fault::Result;
use report::{Record, Report, Screen, Style};

use crate::args::Format;

/// The most bytes of Markdown on stdout: what a job summary may hold.
const MARKDOWN: usize = runner::file::SUMMARY_LIMIT;

/// Prints the report.
///
/// # Errors
/// Stdout cannot be written, for another reason than that nobody reads it any more.
pub(crate) fn result(report: &Report, records: &[Record], format: Format, console: &Console) -> Result<()> {
    let text = match format {
        Format::Text => report::text(report, style(console)),
        Format::Json => format!("{}\n", report::neutral(&format!("{:#}", report::json(report)))),
        Format::Jsonl => records.iter().map(|record| record.line() + "\n").collect(),
        Format::Markdown => report::markdown(report, MARKDOWN),
    };
    if format != Format::Text {
        console.status(&format!("{}: {}", report.title, report.result().name()));
    }
    console.print(text)
}

/// The most useful annotations; the console keeps the runner's budget.
pub(crate) fn annotate(report: &Report, console: &Console) {
    let annotations = report::annotations(report);
    let commands: Vec<_> = annotations.iter().map(report::Annotation::as_command).collect();
    console.annotate(&commands);
}

fn style(console: &Console) -> Style {
    let screen = if console.stdout_is_terminal() { Screen::Terminal } else { Screen::Other };
    Style::of(console.environment(), screen)
}
