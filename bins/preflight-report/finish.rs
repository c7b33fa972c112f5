//! Makes the report of everything that was read.

use cli::Console;
use report::{CodeOrigin, Policy, Producer, Report};

use crate::args::Args;
use crate::read::Reading;

/// Adds up everything that was read, with what only the command line and the environment know.
pub(crate) fn report(args: &Args, reading: &mut Reading, policy: &Policy, console: &Console) -> Report {
    let mut report = std::mem::take(&mut reading.merger).finish(policy);
    report.gaps.extend(reading.gaps.iter().cloned());
    report.notes.extend(reading.notes.iter().cloned());
    for expected in args.expected() {
        let is_there = report.checks().any(|(_, check)| expected.matches(&check.id));
        if !is_there && expected.is_name() {
            let stage = if expected.text().contains('/') { "" } else { "checks/" };
            report.promise(&format!("{stage}{}", expected.text()));
        } else if !is_there {
            report.gaps.push(format!("no check matches `{}`, which was expected", expected.text()));
        }
    }
    // An empty expression of a workflow arrives as an empty title.
    let title = args.title.clone().filter(|title| !title.trim().is_empty());
    report.title = title.unwrap_or(report.title);
    report.producer = Some(Producer { name: console.tool().to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() });
    report.source = CodeOrigin::of(console.context());
    report.rerun = args.rerun.clone().or_else(|| reading.rerun.take());
    report
}
