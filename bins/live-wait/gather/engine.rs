//! The way to a Docker engine: a socket, TCP with or without certificates, SSH.

use cli::Console;
use fault::{Fault, Result};
use live::swarm::Endpoint;
use url::Url;

#[cfg(unix)]
use super::gathered::Gathered;
use crate::args::SwarmArgs;

/// Where an engine listens unless told otherwise.
const SOCKET: &str = "/var/run/docker.sock";

/// The address of the engine: `--host`, else `DOCKER_HOST`.
pub(super) fn address(args: &SwarmArgs, console: &Console) -> String {
    let given = args.host.as_deref().or_else(|| console.environment().get("DOCKER_HOST"));
    given.map_or_else(|| format!("unix://{SOCKET}"), str::to_owned)
}

/// What is needed to reach it.
pub(super) enum Way {
    /// Directly.
    Direct(Endpoint),
    /// Over SSH: `[user@]host[:port]`, and the engine's socket there.
    #[cfg(unix)]
    Ssh(String, Option<String>),
}

/// Reads an address.
///
/// # Errors
/// A usage fault for one that is none.
pub(super) fn way(address: &str, console: &Console) -> Result<Way> {
    let refuse = |why: &str| {
        Fault::usage(format!("`{address}` is not the address of a Docker engine"))
            .cause(why.to_owned())
            .help("write it as unix://PATH, tcp://HOST:PORT or ssh://[USER@]HOST[:PORT]")
    };
    let (scheme, rest) = address.split_once("://").ok_or_else(|| refuse("it has no scheme"))?;
    match scheme {
        "unix" if !rest.is_empty() => Ok(Way::Direct(Endpoint::Socket(rest.into()))),
        "tcp" | "http" | "https" => {
            let certificates = certificates(console)?;
            let scheme = if certificates.is_some() || scheme == "https" { "https" } else { "http" };
            let url = Url::parse(&format!("{scheme}://{rest}/")).map_err(|error| refuse(&error.to_string()))?;
            Ok(Way::Direct(Endpoint::Tcp { url, certificates }))
        }
        #[cfg(unix)]
        "ssh" if !rest.is_empty() => {
            let (host, socket) = match rest.split_once('/') {
                Some((host, path)) if !path.is_empty() => (host, Some(format!("/{path}"))),
                Some((host, _)) => (host, None),
                None => (rest, None),
            };
            Ok(Way::Ssh(host.to_owned(), socket))
        }
        _ => Err(refuse("its scheme is not known here")),
    }
}

/// The certificates of `DOCKER_CERT_PATH`, if `DOCKER_TLS_VERIFY` asks for TLS.
fn certificates(console: &Console) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
    let environment = console.environment();
    let (Some(_), Some(folder)) = (environment.get("DOCKER_TLS_VERIFY"), environment.get("DOCKER_CERT_PATH")) else {
        return Ok(None);
    };
    let read = |name: &str| {
        let path = std::path::Path::new(folder).join(name);
        std::fs::read(&path)
            .map_err(|error| Fault::usage(format!("cannot read `{}`", path.display())).cause(error.to_string()))
    };
    Ok(Some((read("ca.pem")?, [read("cert.pem")?, read("key.pem")?].concat())))
}

#[cfg(unix)]
impl Gathered {
    /// A tunnel to the engine on a host.
    pub(super) async fn tunnel(
        &mut self,
        (host, socket): (&str, Option<&str>),
        args: &SwarmArgs,
        console: &Console,
    ) -> Result<std::sync::Arc<live::swarm::Tunnel>> {
        let target = ssh::inventory::of_line(host)?;
        if self.ssh.is_none() {
            self.ssh = Some(std::sync::Arc::new(ssh::OpenSsh::prepare(self.ssh_settings(args, console)?).await?));
        }
        let ssh = self.ssh.clone().ok_or_else(|| Fault::usage("ssh is not ready"))?;
        Ok(std::sync::Arc::new(live::swarm::Tunnel::open(ssh, target, socket)?))
    }

    fn ssh_settings(&self, args: &SwarmArgs, console: &Console) -> Result<ssh::Settings> {
        use secrecy::ExposeSecret as _;
        let known_hosts = match &args.known_hosts {
            Some(path) => Some(std::fs::read_to_string(path).map_err(|error| {
                Fault::usage(format!("cannot read the known hosts {}", path.display())).cause(error.to_string())
            })?),
            None => self.found("SSH_KNOWN_HOSTS").map(|lines| format!("{}\n", lines.expose_secret())),
        };
        let key =
            self.found("SSH_PRIVATE_KEY").map(|key| ssh::PrivateKey::repaired("SSH_PRIVATE_KEY", key)).transpose()?;
        Ok(ssh::Settings {
            environment: ssh::environment(console.environment().iter(), &[]),
            known_hosts,
            key: key.map(|key| (key, self.found("SSH_KEY_PASSPHRASE").cloned())),
            unknown_hosts: if args.accept_new { ssh::UnknownHosts::Accept } else { ssh::UnknownHosts::Refuse },
            connect_timeout: std::time::Duration::from_secs(15),
            handshakes: 2,
            key_exchange: None,
            configuration: None,
            name: ".live-wait".to_owned(),
        })
    }
}
