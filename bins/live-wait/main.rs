//! Waits until this revision is live.
//!
//! Gather ([`gather`]: what to look at, credentials), look ([`live`]: every protocol, the judgement and its loop), report ([`log`] while
//! it waits, [`emit`] at the end). A wait changes nothing but with `flux --reconcile`.

mod args;
mod emit;
mod gather;
mod log;
mod waits;

use std::process::ExitCode;
use std::time::Instant;

use args::Args;
use cli::{Console, Exit};
use futures_util::future::join_all;
use log::Log;

fn main() -> ExitCode {
    cli::main(|args: Args, console| act(&args, console))
}

fn act(args: &Args, console: &Console) -> anyhow::Result<Exit> {
    let requests = gather::requests(args)?;
    Ok(console.block_on(wait(args, requests, console))??)
}

async fn wait(args: &Args, requests: Vec<waits::Request>, console: &Console) -> fault::Result<Exit> {
    let begun = Instant::now();
    let stop = run::Stop::watch(None)?;
    let mut gathered = gather::gather(&requests, console).await?;
    let mut waits = gathered.watches(&requests, args, console).await?;
    let log = Log::new(args, &waits, &gathered, begun, console);
    let all = join_all(waits.iter_mut().map(|wait| wait.watch.run(begun, &log)));
    let reason = tokio::select! { _ = all => None, reason = stop.requested() => Some(reason) };
    let exit = emit::finish(&log, &waits, reason, args, console);
    drop((log, waits));
    // Tunnels end here, which hold what is closed next.
    tokio::task::yield_now().await;
    gathered.close().await;
    Ok(exit)
}
