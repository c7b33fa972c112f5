//! JSON over HTTP: timeouts, a deadline, honest retries, errors that name the request.
//!
//! A read is repeated after connection errors, 408, 429 and any 5xx, with jittered exponential back-off and `Retry-After`, until
//! the deadline. A write is repeated only where it certainly did not take effect (no connection, 429), unless the caller says
//! that repeating it is harmless. Redirects are refused: no API of ours redirects, and a token must not follow one.

mod answer;
mod attempts;
mod base;
mod error;
mod failed;
mod request;
mod resolve;
mod response;
mod retry;
mod scrub;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Once;
use std::time::Duration;

pub use answer::{Answer, Incoming};
pub use attempts::Attempts;
pub use base::Base;
/// The instant by which everything must have been answered, retries included.
pub use deadline::Deadline;
pub use error::{Error, ErrorResponse, ServiceError, reason};
pub use failed::{Advice, FailedAttempt};
use fault::{Fault, Result};
pub use request::Request;
/// A body made piece by piece, for [`Request::stream`].
pub use reqwest::Body;
use reqwest::Method;
/// Multipart forms, for [`Request::multipart`].
pub use reqwest::multipart;
pub use response::Response;
pub use retry::Repeat;
use secrecy::SecretString;

/// How long a connection may take to stand.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The rules of retries, for a client that sends its requests through another library.
pub mod backoff {
    pub use crate::attempts::jitter;
    pub use crate::retry::{End, connecting, is_worthwhile, pause, reset, retry_after};
}

/// One service's API. Clones share their connections.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    service: &'static str,
    base: Base,
    deadline: Deadline,
    bearer: Option<SecretString>,
    decode: fn(&[u8]) -> Option<ServiceError>,
    advise: fn(&[u8]) -> Advice,
    reach: u32,
}

impl Client {
    /// A client for the API of `service` (its name in errors) at `base`.
    ///
    /// # Errors
    /// [`fault::Kind::Usage`] when the system's certificates cannot be read.
    pub fn new(service: &'static str, base: Base, deadline: Deadline) -> Result<Self> {
        let http = transport(service, &base)?;
        let (decode, advise) = (|_: &[u8]| None, |_: &[u8]| Advice::default());
        Ok(Self { http, service, base, deadline, bearer: None, decode, advise, reach: u32::MAX })
    }

    /// Signs every request with `Authorization: Bearer`.
    #[must_use]
    pub fn bearer(mut self, token: SecretString) -> Self {
        self.bearer = Some(token);
        self
    }

    /// Reads the service's own code and text from the body of an error.
    #[must_use]
    pub fn errors(mut self, decode: fn(&[u8]) -> Option<ServiceError>) -> Self {
        self.decode = decode;
        self
    }

    /// Reads the service's advice about retries from the body of an error.
    #[must_use]
    pub fn advice(mut self, advise: fn(&[u8]) -> Advice) -> Self {
        self.advise = advise;
        self
    }

    /// Gives up after so many attempts at connecting, however far the deadline; the first six take some ten seconds.
    #[must_use]
    pub fn reach(mut self, attempts: u32) -> Self {
        self.reach = attempts;
        self
    }

    /// The same service under another deadline.
    #[must_use]
    pub fn until(mut self, deadline: Deadline) -> Self {
        self.deadline = deadline;
        self
    }

    /// What is left until the deadline.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        self.deadline.remaining()
    }

    /// Another host over the same connections, without the token: for addresses that an answer named.
    #[must_use]
    pub fn at(mut self, base: Base) -> Self {
        self.base = base;
        self.bearer = None;
        self
    }

    /// A read of `path`, which begins with `/` and follows the base.
    #[must_use]
    pub fn get(&self, path: &str) -> Request {
        Request::new(self.clone(), Method::GET, path)
    }

    /// A write, not repeated blindly.
    #[must_use]
    pub fn post(&self, path: &str) -> Request {
        Request::new(self.clone(), Method::POST, path)
    }

    /// A write, not repeated blindly unless [`Request::repeatable`].
    #[must_use]
    pub fn put(&self, path: &str) -> Request {
        Request::new(self.clone(), Method::PUT, path)
    }

    /// A write, not repeated blindly unless [`Request::repeatable`].
    #[must_use]
    pub fn delete(&self, path: &str) -> Request {
        Request::new(self.clone(), Method::DELETE, path)
    }
}

/// The connections that every client uses: timeouts, the proxy of the environment, `ring`, no redirects. For another library's client of
/// `service` at `base`.
///
/// # Errors
/// [`fault::Kind::Usage`] when the system's certificates cannot be read.
pub fn transport(service: &str, base: &Base) -> Result<reqwest::Client> {
    install_tls_provider();
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("deploy-action/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .dns_resolver(std::sync::Arc::new(resolve::Resolver))
        .redirect(reqwest::redirect::Policy::none());
    if base.is_plain_http() {
        // Loopback: no proxy is needed, and reading 140 root certificates takes longer than the request.
        builder = builder.no_proxy().tls_certs_only([]);
        if let Some(name) = base.domain().filter(|name| name.ends_with("localhost")) {
            // RFC 6761 §6.3: a `.localhost` name is this machine, which not every resolver knows.
            builder = builder.resolve(name, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        }
    }
    builder.build().map_err(|error| Fault::usage(format!("cannot set up HTTPS for {service}")).cause(reason(&error)))
}

/// rustls takes its cryptography from the process's provider; ring is the only one in the tree.
fn install_tls_provider() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // An error means that a provider is installed already, which is what we want.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}
