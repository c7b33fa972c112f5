//! Names to addresses: `localhost` and `*.localhost` are this machine (RFC 6761 §6.3), the rest is as the system resolves it.
//!
//! Not every resolver knows `*.localhost`: musl's does not, nor does glibc's without `nss-myhostname`.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Both loopback addresses: a server may listen on either.
pub(crate) const LOOPBACK: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

/// Whether a name is this machine, by its spelling.
pub(crate) fn is_localhost(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

/// Every address of a name, sorted, each once.
///
/// # Errors
/// What the system's resolver answers.
pub(crate) async fn lookup(name: &str) -> io::Result<Vec<IpAddr>> {
    if is_localhost(name) {
        return Ok(LOOPBACK.to_vec());
    }
    // The port is of no account.
    let mut all: Vec<IpAddr> = tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect();
    all.sort_unstable();
    all.dedup();
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::is_localhost;

    #[test]
    fn localhost_and_what_is_below_it_are_this_machine() {
        for name in ["localhost", "a.localhost", "A.B.LocalHost", "localhost."] {
            assert!(is_localhost(name), "{name}");
        }
        for name in ["notlocalhost", "localhost.example.org", "127.0.0.1", ""] {
            assert!(!is_localhost(name), "{name}");
        }
    }
}
