//! Turns what checks said into one verdict.
//!
//! Gather ([`input`]: files, stdin), decide ([`read`]: every input becomes records; the `report` crate adds them up), act
//! ([`emit`]: the result on stdout, annotations, the job summary). The exit code is the verdict.

mod args;
mod emit;
mod input;
mod read;

use std::process::ExitCode;

use args::Args;
use cli::{Console, Exit};
use report::{Producer, Report, Source, Verdict};

fn main() -> ExitCode {
    cli::main(|args, console| act(&args, console))
}

fn act(args: &Args, console: &Console) -> anyhow::Result<Exit> {
    let inputs = input::gather(&args.reports, console.stdin_is_terminal())?;
    let reading = read::all(&inputs, &read::Setting::of(console.context(), jiff::Timestamp::now()))?;
    let report = report(args, &reading, console);
    emit::result(&report, &reading.records, args.format, console)?;
    emit::annotate(&report, console);
    console.summary(&args.shared, |room| report::markdown(&report, room));
    Ok(match report.result() {
        Verdict::Passed => Exit::Success,
        Verdict::Failed => Exit::No,
        Verdict::Incomplete => Exit::Incomplete,
    })
}

fn report(args: &Args, reading: &read::Reading, console: &Console) -> Report {
    let mut report = Report::of(&reading.records);
    report.gaps.extend(reading.gaps.iter().cloned());
    // An empty expression of a workflow arrives as an empty title.
    let title = args.title.clone().filter(|title| !title.trim().is_empty());
    report.title = title.unwrap_or(report.title);
    report.producer = Some(Producer { name: console.tool().to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() });
    report.source = Source::of(console.context());
    report
}
