//! Names to addresses: the system's resolver, and `*.localhost` as RFC 6761 §6.3 wants it, which not every system does.

use std::net::{Ipv4Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

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
            let addresses: Vec<SocketAddr> = tokio::net::lookup_host((name, 0)).await?.collect();
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}
