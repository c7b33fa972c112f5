//! Runs a command with a Doppler config's secrets, or hands them to a pipe or to later steps.
//!
//! Gather ([`gather`]: settings, sign-in, one read), decide ([`select`], [`gate`], [`format`]: pure), act ([`emit`], [`run`]).
//! No value is printed, exported or handed to a process before its masks have been told to the runner.

mod args;
mod emit;
mod format;
mod gate;
mod gather;
mod run;
mod select;
mod settings;

use std::process::ExitCode;

use args::{Args, Destination};
use cli::{Console, Exit};

fn main() -> ExitCode {
    if let Some(code) = run::launched() {
        return code;
    }
    cli::main(|args, console| act(&args, console))
}

fn act(args: &Args, console: &Console) -> anyhow::Result<Exit> {
    let gathered = gather::secrets(args, console)?;
    let secrets = select::apply(gathered.secrets, &args.selection)?;
    let plan = emit::mask(&secrets, args, console);
    if !args.command.is_empty() {
        return run::command(args, &secrets, &plan, console);
    }
    match args.to {
        Destination::Stdout => emit::print(&secrets, args.format, console)?,
        Destination::Env => emit::export(&secrets, cli::Destination::Env, console)?,
        Destination::Output => emit::export(&secrets, cli::Destination::Output, console)?,
    }
    Ok(Exit::Success)
}
