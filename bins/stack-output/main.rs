//! Prints the outputs of a Pulumi, Terraform or OpenTofu stack.

mod args;
mod backends;
mod choose;
mod cli_fallback;
mod decrypt;
mod emit;
mod encryption_block;
mod gather;
mod key_services;
mod loaded;
mod locate;
mod sign_in;
mod state_encryption;

use std::process::ExitCode;

use cli::{Console, Exit};

use crate::args::Args;
use crate::sign_in::Session;

fn main() -> ExitCode {
    cli::main(|args: Args, console| console.block_on(run(&args, console))?)
}

async fn run(args: &Args, console: &Console) -> anyhow::Result<Exit> {
    args.check()?;
    let session = Session::new(args, console);
    let location = locate::location(session)?;
    // Boxed: it awaits every kind of backend, which makes it too large for the stack.
    let mut stack = Box::pin(gather::stack(&location, session)).await?;
    let request = choose::request(&stack, args)?;
    decrypt::secrets(&mut stack, &request, &location, session).await?;
    let chosen = choose::chosen(&stack, &request, args)?;
    emit::withheld(&request, args, console);
    emit::mask(&chosen, console);
    match args.to.step_file() {
        None => emit::print(&request, &chosen, stack.outputs.dialect, args, console)?,
        Some(file) => emit::export(&chosen, stack.outputs.dialect, file, args, console)?,
    }
    Ok(Exit::Success)
}
