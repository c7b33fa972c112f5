//! Checks from here: an address that must answer, a port that must accept connections.

use std::time::Duration;

use fault::{Fault, Result};
use ssh::Target;
use tokio::net::TcpStream;

use crate::args::{HttpCheck, TcpCheck};

/// How much of an answer is read.
const BODY_LIMIT: usize = 64 * 1024;

/// A check that runs here.
#[derive(Clone, Debug)]
pub(crate) enum Probe {
    /// An address must answer.
    Http(HttpCheck, reqwest::Client),
    /// A port must accept connections.
    Tcp(TcpCheck),
}

impl Probe {
    /// The checks of a command line, in their order.
    ///
    /// # Errors
    /// A usage fault if there can be no HTTP client.
    pub(crate) fn all(http: &[HttpCheck], tcp: &[TcpCheck]) -> Result<Vec<Self>> {
        if http.is_empty() {
            return Ok(tcp.iter().cloned().map(Self::Tcp).collect());
        }
        // A second installation changes nothing; the first one counts.
        let _installed = rustls::crypto::ring::default_provider().install_default();
        // A redirect is reported as the answer: a health check should not need to follow one.
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build();
        let client =
            client.map_err(|error| Fault::usage("cannot make HTTP requests").cause(error.without_url().to_string()))?;
        let http = http.iter().map(|check| Self::Http(check.clone(), client.clone()));
        Ok(http.chain(tcp.iter().cloned().map(Self::Tcp)).collect())
    }

    /// The check's name.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Http(check, _) => &check.name,
            Self::Tcp(check) => &check.name,
        }
    }

    /// Tries once. The error is what was found instead.
    pub(crate) async fn try_once(&self, target: &Target, limit: Duration) -> Result<(), String> {
        let probe = async {
            match self {
                Self::Http(check, client) => get(check, client, target).await,
                Self::Tcp(check) => connect(check, target).await,
            }
        };
        tokio::time::timeout(limit, probe).await.unwrap_or_else(|_elapsed| Err("no answer in time".to_owned()))
    }
}

async fn get(check: &HttpCheck, client: &reqwest::Client, target: &Target) -> Result<(), String> {
    let host = target.address.host.as_str();
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let url = check.url.replace("{host}", &host);
    let sent = client.get(&url).send().await;
    // What is reported has neither a password nor a query: both may hold secrets.
    let url = without_secrets(&url);
    let answer = sent.map_err(|error| format!("{url}: {}", innermost(&error.without_url())))?;
    let status = answer.status().as_u16();
    if status != check.status {
        return Err(format!("{url} answered {status}, not {}", check.status));
    }
    let Some(text) = &check.text else { return Ok(()) };
    let body = beginning(answer).await.map_err(|error| format!("{url}: {}", innermost(&error.without_url())))?;
    if body.contains(text.as_str()) { Ok(()) } else { Err(format!("{url} answered {status} without `{text}`")) }
}

/// A URL without the parts that may hold secrets.
fn without_secrets(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

/// The first part of a body.
async fn beginning(mut answer: reqwest::Response) -> Result<String, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() >= BODY_LIMIT {
            break;
        }
    }
    Ok(String::from_utf8_lossy(&body).into_owned())
}

/// The most useful cause: `connection refused`, not `error sending request`.
fn innermost(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), innermost)
}

async fn connect(check: &TcpCheck, target: &Target) -> Result<(), String> {
    let host = target.address.host.as_str();
    let connected = TcpStream::connect((host, check.port)).await;
    connected.map(drop).map_err(|error| format!("port {}: {error}", check.port))
}
