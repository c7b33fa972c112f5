//! A connection whose input and output are a program's on the server: `docker system dial-stdio`.

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use tokio::process::{Child, ChildStdin, ChildStdout};

use super::{OpenSsh, unreachable};
use crate::evidence::{read_log, refusal};
use crate::{Refusal, Target};

/// A program on a server. Dropping it closes the connection.
#[derive(Debug)]
pub struct Pipe {
    /// The program's input.
    pub input: ChildStdin,
    /// The program's output.
    pub output: ChildStdout,
    child: Child,
    log: PathBuf,
}

impl Pipe {
    /// What ended a connection that brought nothing: the refusal that ssh's own log and the program's last words show.
    pub async fn refusal(mut self) -> Refusal {
        drop((self.input, self.output));
        let mut text = String::new();
        if let Some(mut errors) = self.child.stderr.take() {
            use tokio::io::AsyncReadExt as _;
            let mut bytes = Vec::new();
            let mut beginning = (&mut errors).take(64 * 1024);
            let read = beginning.read_to_end(&mut bytes);
            // A program that keeps its stderr open has nothing more to report.
            let _ = tokio::time::timeout(std::time::Duration::from_secs(2), read).await;
            text = String::from_utf8_lossy(&bytes).into_owned();
        }
        refusal(&read_log(&self.log), &text)
    }
}

impl OpenSsh {
    /// Runs `command_line` in the login shell on `target`, with pipes to its input and output.
    ///
    /// # Errors
    /// ssh cannot be started. That it cannot connect is seen when nothing comes: [`Pipe::refusal`].
    pub fn pipe(&self, target: &Target, command_line: &str) -> Result<Pipe, Refusal> {
        let number = self.connections.fetch_add(1, Ordering::Relaxed);
        let log = self.folder.path().join(format!("log-{number}"));
        let mut child = self.spawn(target, command_line, number, (&[], &[]))?;
        match (child.stdin.take(), child.stdout.take()) {
            (Some(input), Some(output)) => Ok(Pipe { input, output, child, log }),
            _ => Err(unreachable("ssh has no pipes")),
        }
    }
}
