//! Writes: the report on stdout and into files, annotations on stderr, the job summary, the step's outputs.

use cli::{Console, Exit};
use fault::{Fault, Result};
use report::{Annotations, Diff, Report, Screen, Style, Verdict};

use crate::args::{Args, Format};
use crate::gather::{self, NotStarted};
use crate::read::Reading;
use crate::target::{self, Target};

/// The most bytes of Markdown on stdout: what a job summary may hold.
const MARKDOWN: usize = runner::file::SUMMARY_LIMIT;

/// The report on its way out. What cannot be written is remembered: the rest is written all the same, and the exit code is the worst of
/// it all.
pub(crate) struct Emission<'a> {
    args: &'a Args,
    console: &'a Console,
    faults: Vec<Fault>,
}

impl<'a> Emission<'a> {
    /// `faults` are those that came before.
    pub(crate) fn new(args: &'a Args, console: &'a Console, faults: Vec<Fault>) -> Self {
        Self { args, console, faults }
    }

    /// Gives the report the exit code that the process will end with: the worst of its verdict, of the faults and of `other`.
    /// Returns whether that changed it.
    pub(crate) fn worsen(&self, report: &mut Report, other: Option<Exit>) -> bool {
        let before = report.exit_code;
        let faults = self.faults.iter().map(|fault| fault.kind.into());
        let worst = Exit::worst(faults.chain(other).chain([exit(report)]));
        report.exit_code = Some(worst.code()).filter(|code| *code != report.result().exit_code());
        report.exit_code != before
    }

    /// Writes everything but the step's outputs. With a `preview`, stdout gets that instead.
    pub(crate) fn all(&mut self, report: &mut Report, reading: &Reading, preview: Option<&str>) {
        self.files(report, reading);
        let (args, console) = (self.args, self.console);
        if args.format != Format::Text || preview.is_some() {
            console.status(&format!("{}: {}", report.title, report.result().name()));
        }
        if let Err(fault) = self.print(report, reading, preview) {
            self.faults.push(fault);
            if self.worsen(report, None) {
                self.replace(report, reading);
            }
        }
        if args.format != Format::Annotations {
            annotate(report, console);
        }
        console.summary(&args.shared, |room| report::markdown(report, room));
    }

    /// Hands the step's outputs over and reports what could not be written. Returns how the process ends.
    pub(crate) fn end(mut self, report: &Report, comment_url: Option<&str>) -> Exit {
        if let Some(file) = self.args.to.step_file() {
            self.faults.extend(self.console.export(file, &outputs(report, comment_url)).err());
        }
        let ends = self.faults.iter().map(|fault| cli::report_fault(self.console, fault, false));
        Exit::worst(ends.chain([exit(report)]))
    }

    /// Writes the files of `--write`. They hold the exit code, so those that can be are written again if another one changes it.
    fn files(&mut self, report: &mut Report, reading: &Reading) {
        self.faults.extend(self.replace(report, reading));
        self.worsen(report, None);
        for to in &self.args.write {
            if let Target::Stream(path) = Target::of(&to.file) {
                let written = target::append(&path, &rendered(report, reading, to.format, Style::PLAIN, self.console));
                self.faults.extend(written.err().map(|error| target::cannot_write(&to.file, &error)));
            }
        }
        if !self.faults.is_empty() {
            self.worsen(report, None);
            self.replace(report, reading);
        }
    }

    fn replace(&self, report: &Report, reading: &Reading) -> Vec<Fault> {
        let mut faults = Vec::new();
        for to in &self.args.write {
            if let Target::File(path) = Target::of(&to.file) {
                let written = target::replace(&path, &rendered(report, reading, to.format, Style::PLAIN, self.console));
                faults.extend(written.err().map(|error| target::cannot_write(&to.file, &error)));
            }
        }
        faults
    }

    fn print(&self, report: &Report, reading: &Reading, preview: Option<&str>) -> Result<()> {
        let (format, console) = (self.args.format, self.console);
        if let Some(preview) = preview {
            return console.print(preview);
        }
        match format {
            Format::Json => print_json(report, console),
            Format::Jsonl if reading.printed => Ok(()),
            _ => console.print(rendered(report, reading, format, style(console), console)),
        }
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

fn exit(report: &Report) -> Exit {
    // A signal stopped the run, publishing was required and failed, or something could not be read or written.
    let stopped = [Exit::Interrupted, Exit::Terminated];
    let others = [Exit::Permission, Exit::Failed, Exit::Usage, Exit::Temporary, Exit::Incomplete];
    let given = stopped.into_iter().chain(others).find(|exit| report.exit_code == Some(exit.code()));
    given.unwrap_or(match report.result() {
        Verdict::Passed => Exit::Success,
        Verdict::Failed => Exit::Failed,
        Verdict::Incomplete => Exit::Incomplete,
    })
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
