//! Access keys for programs that run inside AWS: from a container's agent, or from a machine's metadata service (version 2).
//!
//! Both are tried last and with a short timeout, since neither exists outside AWS.

use std::time::Duration;

use api::{Base, Client, Deadline};
use fault::{Fault, Result};
use secrecy::SecretString;

use super::{AccessKey, Issued};
use crate::text::{exposed, split};

/// The machine's metadata service.
pub const MACHINE: &str = "http://169.254.169.254";

/// A container's agent, for `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI`.
pub const CONTAINER: &str = "http://169.254.170.2";

/// The service is one network hop away: if it does not answer at once, it does not exist.
const PATIENCE: Duration = Duration::from_secs(1);

const ROLES: &str = "/latest/meta-data/iam/security-credentials/";

/// Fetches the key from a container's agent at `url`, sending `authorization` if given.
///
/// # Errors
/// Those of any request; also if the address is neither https nor in this machine's own network.
pub async fn of_container(url: &str, authorization: Option<&SecretString>, deadline: Deadline) -> Result<AccessKey> {
    let about = |fault: Fault| fault.context("the container's agent gave no AWS access key");
    let (origin, path) = split(url);
    let base = Base::nearby(origin).map_err(about)?;
    let request = Client::new("the container's agent", base, deadline)?.get(path).timeout(PATIENCE * 3);
    let request = match authorization {
        Some(value) => request.header("authorization", exposed(value)),
        None => request,
    };
    let issued: Issued = request.receive().await.map_err(|error| about(error.into()))?;
    Ok(issued.by("the container's agent"))
}

/// Fetches the key of this machine's role; `None` if there is no metadata service or no role.
pub async fn of_machine(base: Base, deadline: Deadline) -> Option<AccessKey> {
    let client = Client::new("the machine's metadata service", base, deadline).ok()?;
    let lifetime = ("x-aws-ec2-metadata-token-ttl-seconds", "60");
    let request = client.put("/latest/api/token").header(lifetime.0, lifetime.1).once().timeout(PATIENCE);
    let token = String::from_utf8(request.send().await.ok()?.body).ok()?;
    let get = |path: &str| client.get(path).header("x-aws-ec2-metadata-token", &token).once().timeout(PATIENCE);
    let roles = String::from_utf8(get(ROLES).send().await.ok()?.body).ok()?;
    let role = roles.lines().next().filter(|role| !role.is_empty())?;
    let issued: Issued = get(&format!("{ROLES}{role}")).receive().await.ok()?;
    Some(issued.by("the machine's metadata service"))
}
