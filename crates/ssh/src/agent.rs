//! A private `ssh-agent` that holds one key for the length of a run: the key goes from memory to memory, never to disk.
//!
//! The agent ends with us, however we end: it runs under a shell that reads a pipe of ours and kills the agent at its end, which
//! also comes when we are killed. Should that shell be killed as well, the agent notices within ten seconds (`ssh-agent COMMAND`).

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use fault::{Fault, Result};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdin, Command};

use crate::PrivateKey;
use crate::program::missing;

/// The agent removes its socket when it ends.
const UNTIL_THE_PIPE_ENDS: &str = r#"echo; cat >/dev/null; kill "$SSH_AGENT_PID"
n=0; while [ -S "$SSH_AUTH_SOCK" ] && [ "$n" -lt 100 ]; do n=$((n + 1)); sleep 0.01; done"#;
const PATIENCE: Duration = Duration::from_secs(15);

/// A running agent with one key in it.
#[derive(Debug)]
pub(crate) struct Agent {
    /// Where it listens.
    pub(crate) socket: PathBuf,
    /// The key's public half, by which ssh asks the agent for it.
    pub(crate) public_key: PathBuf,
    shell: Child,
    lifeline: ChildStdin,
}

impl Agent {
    /// Starts an agent in `folder`, which only we can enter, and gives it `key`.
    pub(crate) async fn start(
        folder: &Path,
        key: &PrivateKey,
        passphrase: Option<&SecretString>,
        environment: &[(String, String)],
    ) -> Result<Self> {
        if key.is_encrypted() && passphrase.is_none() {
            return Err(Fault::usage("the private key has a passphrase").help("set SSH_KEY_PASSPHRASE"));
        }
        let (socket, public_key) = (folder.join("agent"), folder.join("key.pub"));
        let mut shell = command("ssh-agent", environment)
            .arg("-a")
            .arg(&socket)
            .args(["sh", "-c", UNTIL_THE_PIPE_ENDS])
            .process_group(0)
            .spawn()
            .map_err(|error| missing("ssh-agent", &error))?;
        let (Some(lifeline), Some(mut stdout)) = (shell.stdin.take(), shell.stdout.take()) else {
            return Err(Fault::usage("cannot talk to ssh-agent"));
        };
        let begun = tokio::time::timeout(PATIENCE, stdout.read(&mut [0; 1])).await;
        let agent = Self { socket, public_key, shell, lifeline };
        if !matches!(begun, Ok(Ok(1))) {
            return Err(Fault::usage("ssh-agent does not start"));
        }
        let agent_variable = ("SSH_AUTH_SOCK".to_owned(), agent.socket.display().to_string());
        let environment: Vec<_> = environment.iter().cloned().chain([agent_variable]).collect();
        add(folder, key, passphrase, &environment).await?;
        let public = finished(command("ssh-add", &environment).arg("-L"), &[]).await?;
        std::fs::write(&agent.public_key, public)
            .map_err(|error| Fault::usage("cannot write the public key").cause(error.to_string()))?;
        Ok(agent)
    }

    /// Ends the agent, and waits for its end.
    pub(crate) async fn stop(mut self) {
        drop(self.lifeline);
        let _ended = tokio::time::timeout(PATIENCE, self.shell.wait()).await;
    }
}

/// Hands the key over through stdin. A passphrase reaches `ssh-add` through its environment and a program that prints it.
async fn add(
    folder: &Path,
    key: &PrivateKey,
    passphrase: Option<&SecretString>,
    environment: &[(String, String)],
) -> Result<()> {
    let ask = folder.join("askpass");
    let mut command = command("ssh-add", environment);
    command.args(["-q", "-"]).env("DISPLAY", "none").env("SSH_ASKPASS_REQUIRE", "force").env("SSH_ASKPASS", "false");
    if let Some(passphrase) = passphrase.filter(|_| key.is_encrypted()) {
        write_program(&ask)
            .map_err(|error| Fault::usage("cannot write the askpass program").cause(error.to_string()))?;
        // Only its owner can read a process's environment.
        command.env("SSH_ASKPASS", &ask).env("SSH_DEPLOY_PASSPHRASE", passphrase.expose_secret());
    }
    finished(&mut command, key.text().expose_secret().as_bytes()).await.map(drop).map_err(|fault| {
        let advice =
            if key.is_encrypted() { "check SSH_KEY_PASSPHRASE" } else { "check the key with ssh-keygen -y -f KEY" };
        fault.context("the private key cannot be loaded").help(advice)
    })
}

/// The program answers once: `ssh-add` asks again and again while the passphrase is wrong.
fn write_program(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, "#!/bin/sh\nrm -f \"$0\"\nprintf '%s\\n' \"$SSH_DEPLOY_PASSPHRASE\"\n")?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))
}

fn command(program: &str, environment: &[(String, String)]) -> Command {
    let mut command = Command::new(program);
    command.env_clear().envs(environment.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

/// Runs a short program with `input` on its stdin; its stdout, if it succeeds.
async fn finished(command: &mut Command, input: &[u8]) -> Result<Vec<u8>> {
    let name = command.as_std().get_program().to_string_lossy().into_owned();
    let run = async {
        let mut child = command.stderr(Stdio::piped()).kill_on_drop(true).spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // A program that refuses its input early reports why itself.
            let _closed = stdin.write_all(input).await;
        }
        child.wait_with_output().await
    };
    let output = match tokio::time::timeout(PATIENCE, run).await {
        Ok(output) => output.map_err(|error| missing(&name, &error))?,
        Err(_elapsed) => return Err(Fault::usage(format!("{name} does not answer"))),
    };
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Fault::usage(format!("{name} says: {}", said.lines().last().unwrap_or("nothing").trim())))
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::Agent;
    use crate::PrivateKey;

    fn path() -> Vec<(String, String)> {
        vec![("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".to_owned())]
    }

    fn generated(folder: &std::path::Path, passphrase: &str) -> PrivateKey {
        let file = folder.join("generated");
        let made = std::process::Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", passphrase, "-f"])
            .arg(&file)
            .status();
        assert!(made.unwrap().success());
        PrivateKey::repaired("KEY", &SecretString::from(std::fs::read_to_string(file).unwrap())).unwrap()
    }

    fn in_runtime<F: Future>(future: F) -> F::Output {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    #[test]
    fn the_agent_holds_the_key_and_is_gone_after_stop() {
        let (keys, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let key = generated(keys.path(), "");
        in_runtime(async {
            let agent = Agent::start(folder.path(), &key, None, &path()).await.unwrap();
            let public = std::fs::read_to_string(&agent.public_key).unwrap();
            assert!(
                std::fs::read_to_string(keys.path().join("generated.pub"))
                    .unwrap()
                    .starts_with(public.split(' ').next().unwrap())
            );
            let socket = agent.socket.clone();
            agent.stop().await;
            assert!(std::os::unix::net::UnixStream::connect(socket).is_err());
        });
    }

    #[test]
    fn a_passphrase_opens_the_key_and_is_asked_for_by_name() {
        let (keys, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let key = generated(keys.path(), "it's \"odd\" $HOME");
        in_runtime(async {
            let without = Agent::start(folder.path(), &key, None, &path()).await.unwrap_err();
            assert_eq!(without.help.as_deref(), Some("set SSH_KEY_PASSPHRASE"));
            let right = SecretString::from("it's \"odd\" $HOME");
            Agent::start(folder.path(), &key, Some(&right), &path()).await.unwrap().stop().await;
            let wrong = Agent::start(folder.path(), &key, Some(&SecretString::from("no")), &path()).await.unwrap_err();
            assert_eq!(wrong.help.as_deref(), Some("check SSH_KEY_PASSPHRASE"));
        });
    }
}
