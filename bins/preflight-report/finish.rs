//! Makes the report of everything that was read.

use std::path::Path;

use cli::Console;
use report::{CodeOrigin, Policy, Producer, Report};

use crate::args::Args;
use crate::gather::Input;
use crate::read::{self, Reading, Setting};

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
    report.title = args.title().map_or(report.title, str::to_owned);
    report.producer = Some(Producer { name: console.tool().to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() });
    report.source = CodeOrigin::of(console.context());
    report.rerun = args.rerun.clone().or_else(|| reading.rerun.take());
    report
}

/// Reads the report that this one is compared with.
///
/// # Errors
/// It cannot be read.
pub(crate) fn baseline(path: &Path, args: &Args, policy: &Policy, console: &Console) -> anyhow::Result<Report> {
    let input = Input { name: None, path: Some(path.to_owned()), is_incidental: false };
    let reading = read::all(vec![input], None, &Setting::of_baseline(args, console, policy))?;
    Ok(reading.merger.finish(policy))
}
