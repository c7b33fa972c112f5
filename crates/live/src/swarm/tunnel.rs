//! An engine on another host, over SSH: a socket here, each of whose connections is `docker system dial-stdio` there, as Docker's own
//! client does it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use fault::{Fault, Result};
use ssh::{Cause, OpenSsh, Refusal, Target};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{UnixListener, UnixStream};

use crate::look::{Look, Patience};

/// A socket that leads to an engine on another host. Dropping it closes it and every connection.
#[derive(Debug)]
pub struct Tunnel {
    folder: tempfile::TempDir,
    task: tokio::task::JoinHandle<()>,
    refused: Arc<Mutex<Option<Refusal>>>,
}

impl Tunnel {
    /// Opens the socket. Nothing is connected to `target` before something connects to it.
    ///
    /// # Errors
    /// A usage fault if no socket can be made.
    pub fn open(ssh: Arc<OpenSsh>, target: Target, socket: Option<&str>) -> Result<Self> {
        let failed =
            |error: std::io::Error| Fault::usage("cannot make a socket for the Docker engine").cause(error.to_string());
        // The path of a socket must be shorter than 108 bytes, so a long `TMPDIR` is not used.
        let folder = tempfile::Builder::new().prefix("live-wait-").tempdir_in("/tmp").map_err(failed)?;
        let listener = UnixListener::bind(folder.path().join("docker.sock")).map_err(failed)?;
        let host = socket.map(|path| format!("--host {} ", ssh::quote(&format!("unix://{path}")))).unwrap_or_default();
        let command = format!("docker {host}system dial-stdio");
        let refused = Arc::new(Mutex::new(None));
        let task = tokio::spawn(serve(listener, ssh, target, command, Arc::clone(&refused)));
        Ok(Self { folder, task, refused })
    }

    /// The socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("docker.sock")
    }

    /// What the last connection was refused with, as a look.
    pub(super) fn refused(&self) -> Option<Look> {
        self.refused.lock().ok()?.as_ref().map(look)
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    listener: UnixListener,
    ssh: Arc<OpenSsh>,
    target: Target,
    command: String,
    refused: Arc<Mutex<Option<Refusal>>>,
) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (ssh, target, command, refused) = (Arc::clone(&ssh), target.clone(), command.clone(), Arc::clone(&refused));
        connections.spawn(async move {
            let refusal = carry(stream, &ssh, &target, &command).await;
            if let Ok(mut last) = refused.lock() {
                *last = refusal;
            }
        });
        while connections.try_join_next().is_some() {}
    }
}

/// Carries one connection; why there was none, if nothing came back.
async fn carry(mut stream: UnixStream, ssh: &OpenSsh, target: &Target, command: &str) -> Option<Refusal> {
    let mut pipe = match ssh.pipe(target, command) {
        Ok(pipe) => pipe,
        Err(refusal) => return Some(refusal),
    };
    let (mut from_us, mut to_us) = stream.split();
    let there = async {
        // Its end of input ends the program on the host.
        let _ = tokio::io::copy(&mut from_us, &mut pipe.input).await;
        let _ = pipe.input.shutdown().await;
    };
    let back = tokio::io::copy(&mut pipe.output, &mut to_us);
    let came = tokio::select! {
        came = back => came.unwrap_or_default(),
        () = there => 1,
    };
    if came == 0 { Some(pipe.refusal().await) } else { None }
}

/// What a look proves that ended in a refusal of ssh.
fn look(refusal: &Refusal) -> Look {
    let text = format!("no connection over SSH: {}", refusal.text);
    match refusal.cause {
        Cause::UnknownHostKey | Cause::ChangedHostKey | Cause::RevokedHostKey | Cause::Authentication => {
            Look::denied(Patience::Looks(1), "ssh_denied", text)
        }
        _ => Look::unreachable(Patience::Grace, "ssh_unreachable", text),
    }
}
