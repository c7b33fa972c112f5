//! Runs a command with the secrets of a Doppler config, prints them, or exports them to later steps.
//!
//! Gather ([`gather`]: settings, sign-in, reads), decide ([`select`], [`validate`], [`mod@format`]: pure), act ([`emit`], [`run`]).
//! No value is printed, exported or handed to a process before the runner has its masks.

mod args;
mod cache;
mod check;
mod chosen;
mod emit;
mod fallback;
mod format;
mod from;
mod gather;
mod hidden;
mod local;
mod name;
mod run;
mod seal;
mod select;
mod settings;
mod stored;
mod validate;
mod watch_signal;

use std::process::ExitCode;

use args::Args;
use cli::{Console, Destination, Exit};
use fault::Fault;
use format::Format;

fn main() -> ExitCode {
    if let Some(code) = run::reexec_entry() {
        return code;
    }
    cli::main(|args, console| act(&args, console))
}

fn act(args: &Args, console: &Console) -> anyhow::Result<Exit> {
    if args.source.explain {
        return emit::explain(&gather::settings(args, console)?, console);
    }
    if !args.check_names.is_empty() {
        return check::run(args, console);
    }
    if args.output.to != Destination::Stdout && args.output.format != Format::Text {
        // Later steps get names and values; a format would have no effect.
        return Err(Fault::usage("--to env and --to output take no --format").help("leave one of them out").into());
    }
    let secrets = select::apply(gather::secrets(args, console)?, &args.selection)?;
    let hidden = emit::mask(&secrets, args, console)?;
    if !args.command.is_empty() {
        return run::command(args, secrets, &hidden, console);
    }
    match args.output.to.step_file() {
        None => emit::print(&secrets, args.output.format, console)?,
        Some(file) => emit::export(&secrets, file, console)?,
    }
    Ok(Exit::Success)
}
