//! Runs a deploy on servers over SSH, safely.
//!
//! Gather ([`gather`]: hosts, key, script), decide ([`plan`]; [`classify`]: what an ending means), act ([`deploy`]: make every host
//! ready, then change them), report ([`log`] while it runs, [`emit`] at the end). A host is changed only if all of them can be.

mod args;
mod classify;
mod connection;
mod deploy;
mod emit;
mod gather;
mod host_runner;
mod list;
mod locking;
mod log;
mod plan;
mod resume;
mod stop;

use std::process::ExitCode;

use args::Args;
use cli::{Console, Exit};
use fault::Result;
use log::Log;
use ssh::{OpenSsh, Target};

fn main() -> ExitCode {
    cli::main(|args: Args, console| {
        let targets = gather::targets(&args, console)?;
        if args.list || targets.is_empty() {
            return Ok(list::print(&args, &targets, console)?);
        }
        list::check_format(args.format)?;
        Ok(console.block_on(act(&args, targets, console))??)
    })
}

async fn act(args: &Args, targets: Vec<Target>, console: &Console) -> Result<Exit> {
    let recorded = resume::read::recorded(args)?;
    let found = gather::credentials(args, console).await?;
    let settings = connection::settings(args, console, &found, targets.len())?;
    if args.locking.lock_status || args.locking.unlock {
        return locking::report::report(args, &targets, settings, console).await;
    }
    let plan = gather::plan(args, console, &found, targets)?;
    let plan = resume::read::resumed(plan, recorded, args, console)?;
    let (stop, transport) = (run::Stop::watch(args.deadline)?, OpenSsh::prepare(settings).await?);
    let hidden = gather::hidden(args, &found);
    let redactor = || hidden.as_ref().map(redact::Plan::redactor);
    let log = Log::new(&plan.targets, Some(plan.start()), args, redactor, console);
    let deploy = deploy::Deploy { plan: &plan, transport: &transport, stop: &stop, observer: &log };
    let stopped = deploy.carry_out().await;
    connection::remember(args, &transport.learnt(), console);
    transport.close().await;
    Ok(emit::finish(log, &plan.targets, stopped, args, console))
}
