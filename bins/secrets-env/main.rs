//! Runs a command with a Doppler config's secrets, or hands them to a pipe or to later steps.
//!
//! Gather ([`gather`]: settings, sign-in, one read), decide ([`select`], [`gate`], [`mod@format`]: pure), act ([`emit`], [`run`]).
//! No value is printed, exported or handed to a process before its masks have been told to the runner.

mod args;
mod cache;
mod check;
mod emit;
mod fallback;
mod format;
mod from;
mod gate;
mod gather;
mod local;
mod name;
mod run;
mod seal;
mod select;
mod settings;

use std::process::ExitCode;

use args::Args;
use cli::{Console, Destination, Exit};
use fault::Fault;
use format::Format;

fn main() -> ExitCode {
    if let Some(code) = run::launched() {
        return code;
    }
    cli::main(|args, console| act(&args, console))
}

fn act(args: &Args, console: &Console) -> anyhow::Result<Exit> {
    if args.source.explain {
        return emit::explain(&gather::settings(args, console)?, console);
    }
    if !args.check.is_empty() {
        return check::run(args, console);
    }
    if args.output.to != Destination::Stdout && args.output.format != Format::Text {
        // What later steps get are names and values, whatever a format makes of them.
        return Err(Fault::usage("--to env and --to output take no --format").help("leave one of them out").into());
    }
    let secrets = select::apply(gather::secrets(args, console)?, &args.selection)?;
    let plan = emit::mask(&secrets, args, console);
    if !args.command.is_empty() {
        return run::command(args, secrets, &plan, console);
    }
    match args.output.to.step_file() {
        None => emit::print(&secrets, args.output.format, console)?,
        Some(file) => emit::export(&secrets, file, console)?,
    }
    Ok(Exit::Success)
}
