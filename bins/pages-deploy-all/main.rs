//! Builds and deploys every site of a directory to Cloudflare Pages, all of them or none.
//!
//! [`discover`], [`configure`] and [`origin`] gather what there is and where it goes. Then the run acts in two phases: [`prepare`]
//! builds and uploads every site, which no visitor can see; only if that succeeded everywhere, [`publish`] makes them live. [`emit`]
//! prints the result once.

mod activity;
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
mod list;
mod origin;
mod outcome;
mod prepare;
mod previews;
mod publish;
mod rollback;
mod sign_in;
mod words;

use std::process::ExitCode;

use args::Args;
use cli::{Console, Exit};

fn main() -> ExitCode {
    cli::main(|args: Args, console| run(&args.without_blanks(), console))
}

fn run(args: &Args, console: &Console) -> anyhow::Result<Exit> {
    let sites = deploy::sites(args, console)?;
    if args.selection.list {
        return deploy::list(args, &sites, console);
    }
    let plan = deploy::plan(args, sites, console)?;
    Ok(cli::block_on(deploy::run(args, plan, console))??)
}
