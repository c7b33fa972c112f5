//! Looks at what is live, and the judgement over them.
//!
//! A [`Target`] is looked at; each [`Look`] holds what was read and what it proves. [`judge()`] decides over all looks, without a clock or
//! a network; [`Watch`] is the one loop that makes them. Nothing is ever live because a look failed.

mod ancestry;
pub mod flux;
pub mod http;
pub mod image;
mod judge;
pub mod kubernetes;
mod look;
mod names;
mod revision;
pub mod swarm;
mod watch;

use std::sync::Once;

pub(crate) use http::reason as http_reason;
/// Decides which URLs are reached through a proxy.
pub use hyper_util::client::proxy::matcher::Matcher as Proxies;
pub use judge::{Tally, Verdict, Want, judge};
pub use look::{End, Failure, Look, Lost, Patience, State};
pub use revision::Revision;
pub use watch::{Item, Looking, Noted, Observer, Over, Target, Watch};

/// rustls takes its cryptography from the process's provider; ring is the only one in the tree.
pub(crate) fn install_tls_provider() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // An error means that a provider is installed already, which is what we want.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}
