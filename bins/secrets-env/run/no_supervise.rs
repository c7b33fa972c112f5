//! Runs the command as a child, its output redacted, on systems without signals.

use std::io::{self, Read};
use std::process::Stdio;
use std::time::Duration;

use cli::Exit;
use tokio::sync::mpsc::UnboundedReceiver;

use super::copy::{Copies, Target};
use super::launch::Launch;
use super::outcome::{OWN_FAILURE, Outcome};

/// How long what the command leaves running in the background may go on writing.
const REST: Duration = Duration::from_secs(2);

/// What is to be done about changed secrets: there are no updates here.
pub(super) enum Update {}

/// Runs the command.
pub(super) fn run(launch: Launch, _: Option<UnboundedReceiver<Update>>) -> io::Result<Outcome> {
    let event_loop = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    event_loop.block_on(supervise(launch))
}

async fn supervise(launch: Launch) -> io::Result<Outcome> {
    let mut command = launch.plain();
    launch.environment.apply(&mut command);
    if launch.redaction.is_some() {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
    }
    let mut child = command.spawn()?;
    let mut copies = Copies::<Box<dyn Read + Send>>::new()?;
    if let Some(redaction) = &launch.redaction {
        if let Some(output) = child.stdout.take() {
            copies.start(Box::new(output), Target::Stdout, &redaction.plan)?;
        }
        if let Some(output) = child.stderr.take() {
            copies.start(Box::new(output), Target::Stderr, &redaction.plan)?;
        }
    }
    // Ctrl-C reaches the command itself, which shares the console; we wait for how it ends.
    let _ignored = tokio::spawn(async { while tokio::signal::ctrl_c().await.is_ok() {} });
    let (sender, ended) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || sender.send(child.wait()));
    let status = ended.await.map_err(io::Error::other)??;
    let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(OWN_FAILURE);
    let lost = tokio::time::timeout(REST, copies.finish()).await.map_or(None, |outcome| outcome.lost);
    Ok(Outcome { exit: Exit::Child(code), lost })
}
