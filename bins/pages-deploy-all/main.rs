//! Builds and deploys every site of a folder to Cloudflare Pages, all of them or none.
//!
//! Gather ([`discover`], [`configure`], [`origin`]: what there is and where it goes), act in two steps: [`prepare`] does all that no
//! visitor can see, for all sites; only if all of that succeeded, [`publish`] makes them live. [`emit`] tells it once.

mod args;
mod build;
mod changed;
mod code;
mod configure;
mod context;
mod deploy;
mod discover;
mod emit;
mod errors;
mod interrupt;
mod journal;
mod list;
mod origin;
mod outcome;
mod prepare;
mod progress;
mod publish;
mod rollback;
mod sign_in;

use std::process::ExitCode;

use args::Args;
use cli::{Console, Exit};

fn main() -> ExitCode {
    cli::main(|args, console| run(&args, console))
}

fn run(args: &Args, console: &Console) -> anyhow::Result<Exit> {
    let sites = deploy::sites(args, console)?;
    if args.selection.list {
        return deploy::list(args, &sites, console);
    }
    let plan = deploy::plan(args, sites, console)?;
    Ok(cli::block_on(deploy::run(args, plan, console))??)
}
