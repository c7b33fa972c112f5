//! Runs a deploy's stages in order, goes on where it stopped, and undoes what it was told how to undo.
//!
//! Gather ([`loaded`]: the plan, its target, what identifies each stage; [`history`]: what the journal says), decide ([`decide`]: what runs
//! next and what is undone, pure), act ([`deploy`], [`undo`], [`dry_run`]; each command by [`step`], under [`supervise`]), report ([`emit`]).
//! Nothing starts before its start is in the journal.

mod args;
mod context;
mod decide;
mod deploy;
mod dry_run;
mod emit;
mod findings;
mod folder;
mod frame;
mod group;
mod hash;
mod history;
mod inputs;
mod launch;
mod loaded;
mod lock;
mod lonely;
mod newest;
mod notices;
mod planned;
mod ran;
mod relay;
mod show;
mod stage;
mod status;
mod step;
mod supervise;
mod undo;
mod values;

use std::process::ExitCode;

use args::Args;
use cli::{Console, Exit};
use loaded::Loaded;

fn main() -> ExitCode {
    if let Some(code) = supervise::entry() {
        return code;
    }
    cli::main(|args, console| act(&args, console))
}

fn act(args: &Args, console: &Console) -> anyhow::Result<Exit> {
    let loaded = Loaded::read(args, console)?;
    if args.list {
        return Ok(show::list(&loaded, args, console)?);
    }
    if args.status {
        return Ok(status::status(&loaded, args, console)?);
    }
    Ok(console.block_on(async {
        if args.notify_test {
            notices::test(&loaded, console).await
        } else if args.dry_run {
            dry_run::run(&loaded, args, console).await
        } else if args.undo.is_some() {
            undo::asked_for(&loaded, args, console).await
        } else {
            deploy::run(&loaded, args, console).await
        }
    })??)
}
