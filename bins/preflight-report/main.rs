//! Turns what checks reported into one verdict.
//!
//! Gather ([`gather`]: operands, files, standard input, the files that git tracks), decide ([`read`]: every input becomes records
//! of its checks; the `report` crate adds them up), act ([`emit`]: the result on stdout, files, annotations, the job summary).
//! The exit code is the verdict.

mod args;
mod emit;
mod gather;
mod read;

use std::process::ExitCode;

use args::Args;
use cli::{Console, Exit};
use report::{CodeOrigin, Producer, Report};

fn main() -> ExitCode {
    cli::main(|args, console| act(&args, console))
}

fn act(args: &Args, console: &Console) -> anyhow::Result<Exit> {
    let policy = args.policy();
    let operands = args.operands()?;
    let command = match args.plan()?.map(|plan| gather::run(&plan)).transpose()? {
        Some(Err(not_started)) => return Ok(emit::not_started(&not_started, args, console)),
        Some(Ok(ran)) => Some(ran),
        None => None,
    };
    let stopped = command.as_ref().and_then(|ran| ran.stopped);
    // The command has our standard input.
    let reads_nothing = command.is_some() && operands.is_empty();
    let inputs = if reads_nothing { Vec::new() } else { gather::sources(&operands, console.stdin_is_terminal())? };
    let setting = read::Setting::new(args, console, &policy);
    let mut reading = read::all(inputs, command, &setting)?;
    let report = finished(args, &mut reading, &policy, console);
    let exit = emit::all(&report, &reading, args, console)?;
    Ok(stopped.map_or(exit, run::StopReason::exit))
}

/// The report of everything that was read, with what only the command line and the environment know.
fn finished(args: &Args, reading: &mut read::Reading, policy: &report::Policy, console: &Console) -> Report {
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
