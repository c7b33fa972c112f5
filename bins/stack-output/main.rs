//! Prints the outputs of a Pulumi, Terraform or OpenTofu stack.

mod args;
mod aws;
mod azure;
mod azurerm;
mod backends;
mod choose;
mod cloud;
mod decrypt;
mod emit;
mod gather;
mod google;
mod key_services;
mod locate;
mod object_backends;
mod program;
mod session;
mod stores;

use std::process::ExitCode;

use cli::{Console, Exit};

use crate::args::{Args, Destination};

fn main() -> ExitCode {
    cli::main(|args, console| run(&args, console))
}

fn run(args: &Args, console: &Console) -> anyhow::Result<Exit> {
    emit::check(args)?;
    let place = locate::place(args, console)?;
    let mut stack = gather::stack(&place, args, console)?;
    let asked = choose::asked(&stack, args)?;
    decrypt::open(&mut stack, &asked, &place, args, console)?;
    let chosen = choose::chosen(&stack, &asked, args)?;
    emit::withheld(&asked, args, console);
    emit::mask(&chosen, console);
    match args.to {
        Destination::Stdout => emit::print(&chosen, stack.outputs.dialect, args, console)?,
        Destination::Env | Destination::Output => emit::export(&chosen, stack.outputs.dialect, args, console)?,
    }
    Ok(Exit::Success)
}
