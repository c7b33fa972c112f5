//! Names to addresses: the system's resolver, and `*.localhost` as RFC 6761 §6.3 wants it, which not every system does.

use std::net::{Ipv4Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// The system's resolver found no address. Our own type, so that it can be recognised among the causes of a failed connection.
#[derive(Debug)]
pub(crate) struct NoAddress(std::io::Error);

impl std::fmt::Display for NoAddress {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(out)
    }
}

impl std::error::Error for NoAddress {}

/// Resolves `localhost` and everything below it to this machine, the rest as the system does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Resolver;

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let name = name.as_str().trim_end_matches('.');
            if name.ends_with(".localhost") {
                let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
                return Ok(Box::new(std::iter::once(loopback)) as Addrs);
            }
            // The port is put in by the connector.
            let addresses: Vec<SocketAddr> = tokio::net::lookup_host((name, 0)).await.map_err(NoAddress)?.collect();
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}
