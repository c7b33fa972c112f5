//! Runs a deploy on servers over SSH, safely.
//!
//! Gather ([`gather`]: hosts, key, script), decide ([`classify`]: what an ending means; `ssh`: everything about the connection), act
//! ([`deploy`]: make every host ready, then change them), report ([`log`] while it runs, [`emit`] at the end). A host is changed
//! only if all of them can be.

mod args;
mod batches;
mod classify;
mod connection;
mod deploy;
mod diagnosis;
mod emit;
mod fingerprint;
mod gather;
mod hashes;
mod host_runner;
mod list;
mod lock_report;
mod locking;
mod log;
mod plan;
mod probe;
mod resume;
mod select;
mod stop;

use std::process::ExitCode;

use args::Args;
use cli::{Console, Exit};
use log::Log;
use ssh::{OpenSsh, Target};

fn main() -> ExitCode {
    cli::main(|args: Args, console| act(&args, console))
}

fn act(args: &Args, console: &Console) -> anyhow::Result<Exit> {
    let targets = gather::targets(args, console)?;
    if args.list {
        console.print(list::render(&targets, args.format)?)?;
        return Ok(Exit::Success);
    }
    list::check_format(args.format)?;
    if targets.is_empty() {
        console.status("no hosts: nothing to do");
        return Ok(emit::finish(Log::new(&targets, None, args, || None, console), &targets, None, args, console));
    }
    console.block_on(connected(args, targets, console))?
}

async fn connected(args: &Args, targets: Vec<Target>, console: &Console) -> anyhow::Result<Exit> {
    let recorded = resume::read::recorded(args)?;
    let found = gather::credentials(args, console).await?;
    let settings = connection::settings(args, console, &found, targets.len())?;
    if args.locking.lock_status || args.locking.unlock {
        let plan = gather::lock(args, console)?;
        let (stop, transport) = (run::Stop::watch(args.deadline)?, OpenSsh::prepare(settings).await?);
        let exit = match plan {
            Some(plan) => lock_report::report(args, &targets, &plan.lock, &transport, &stop, console).await,
            None => Exit::Usage,
        };
        transport.close().await;
        return Ok(exit);
    }
    let mut plan = gather::plan(args, console, &found, targets)?;
    if let Some(recorded) = recorded {
        plan = resume::read::resumed(plan, recorded, args, console)?;
    }
    let values = gather::hidden(args, &found);
    let (stop, transport) = (run::Stop::watch(args.deadline)?, OpenSsh::prepare(settings).await?);
    let log =
        Log::new(&plan.targets, Some(plan.start()), args, || values.as_ref().map(redact::Plan::redactor), console);
    deploy::Deploy { plan: &plan, transport: &transport, stop: &stop, observer: &log }.carry_out().await;
    connection::remember(args, &transport.learnt(), console);
    transport.close().await;
    Ok(emit::finish(log, &plan.targets, stop.reason(), args, console))
}
