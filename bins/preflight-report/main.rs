//! Turns what checks reported into one verdict.
//!
//! Gather ([`gather`]: operands, files, standard input, the files that git tracks), decide ([`read`]: every input becomes records
//! of its checks; the `report` crate adds them up), act ([`emit`]: the result on stdout, files, annotations, the job summary).
//! The exit code is the verdict.

mod args;
mod conclude;
mod emit;
mod finish;
mod gather;
mod notice;
mod otlp;
mod plan;
mod publish;
mod read;
mod target;

use std::process::ExitCode;

use args::Args;
use cli::{Console, Exit};
use publish::Publishing;

fn main() -> ExitCode {
    cli::main(|args, console| act(&args, console))
}

fn act(args: &Args, console: &Console) -> anyhow::Result<Exit> {
    let publishing = Publishing::new(&args.publish, args.deadline, console)?;
    args.planned.check()?;
    if args.planned.plan.is_some() {
        return plan::run(args, &publishing, console);
    }
    let policy = args.policy();
    let operands = args.operands()?;
    target::check(args, &operands, console)?;
    let command = match args.plan()?.map(|plan| gather::run(&plan, console.environment())).transpose()? {
        Some(Err(not_started)) => return Ok(emit::not_started(&not_started, args, console)),
        Some(Ok(ran)) => Some(ran),
        None => None,
    };
    let stopped = command.as_ref().and_then(|ran| ran.stopped);
    // The command has our standard input.
    let reads_nothing = command.is_some() && operands.is_empty();
    let inputs = if reads_nothing { Ok(Vec::new()) } else { gather::sources(&operands, console.stdin_is_terminal()) };
    let (inputs, unread) = match inputs {
        Ok(inputs) => (inputs, None),
        // How the command ended must not be lost.
        Err(fault) if command.is_some() => (Vec::new(), Some(fault)),
        Err(fault) => return Err(fault.into()),
    };
    let setting = read::Setting::new(args, console, &policy, publishing.masks.clone());
    let mut reading = read::all(inputs, command, &setting)?;
    reading.unread = unread;
    conclude::conclude(&publishing, &mut reading, &policy, stopped, args, console)
}
