//! One request to one address, on a new connection.

use std::error::Error as _;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, LOCATION};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::answer::{Answer, CACHE_HEADERS, shortened};
use super::place::Place;

/// How much of a body is read.
const BODY: usize = 1024 * 1024;
const CONNECT: Duration = Duration::from_secs(5);
const WHOLE: Duration = Duration::from_secs(15);

/// What came of a request.
#[derive(Debug)]
pub(super) enum Reply {
    /// An answer, and the headers that say why it may be old.
    Answered(Answer, Vec<String>),
    /// A redirect: its status, and where to.
    Moved(u16, Url),
}

/// A client that reaches one host at one address.
#[derive(Clone, Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    host: String,
    address: Option<SocketAddr>,
}

impl Client {
    /// A client for the host of `url` at `address`, or through its proxy.
    pub(super) fn new(url: &Url, address: Option<SocketAddr>, proxies: &Matcher) -> Result<Self, String> {
        crate::install_tls_provider();
        let host = host(url);
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("live-wait/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            // A connection that is kept pins to one of several servers behind an address.
            .pool_max_idle_per_host(0)
            .connect_timeout(CONNECT)
            .timeout(WHOLE)
            .no_proxy();
        match (address, proxy(proxies, url)) {
            (Some(address), _) => builder = builder.resolve(&host, address),
            (None, Some(proxy)) => {
                builder = builder.proxy(reqwest::Proxy::all(proxy).map_err(|error| reason(&error))?);
            }
            (None, None) => {}
        }
        if url.scheme() == "http" {
            // Reading the system's certificates takes longer than the request.
            builder = builder.tls_certs_only([]);
        }
        let http = builder.build().map_err(|error| reason(&error))?;
        Ok(Self { http, host: format!("{}://{host}", url.scheme()), address })
    }

    pub(super) fn serves(&self, url: &Url) -> bool {
        self.host == format!("{}://{}", url.scheme(), host(url))
    }

    pub(super) async fn get(&self, url: &Url, headers: &[(String, SecretString)], place: &Place) -> Reply {
        let mut request = self.http.get(url.clone());
        for (name, value) in headers {
            match (HeaderName::try_from(name), HeaderValue::try_from(value.expose_secret())) {
                (Ok(name), Ok(mut value)) => {
                    value.set_sensitive(true);
                    request = request.header(name, value);
                }
                _ => return Reply::Answered(Answer::Failed(format!("the header `{name}` cannot be sent")), Vec::new()),
            }
        }
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) => return Reply::Answered(classify(&error, self.address), Vec::new()),
        };
        let (status, headers) = (answer.status(), answer.headers().clone());
        let cache = cache_notes(&headers);
        if status.is_redirection() && status != reqwest::StatusCode::NOT_MODIFIED {
            return moved(status.as_u16(), url, &headers);
        }
        if !status.is_success() {
            return Reply::Answered(Answer::Status(status.as_u16()), cache);
        }
        let body = if place.needs_body() { body(answer).await } else { Ok((Vec::new(), false)) };
        let answer = match body {
            Ok((body, is_cut)) => place.read(&headers, &body).map_or_else(
                |why| {
                    let cut = if is_cut { "; only the first 1 MiB of the body was read" } else { "" };
                    Answer::NoRevision(format!("status {}, but {why}{cut}", status.as_u16()))
                },
                Answer::Revision,
            ),
            Err(why) => Answer::Failed(why),
        };
        Reply::Answered(answer, cache)
    }
}

/// The host as the resolver takes it: an IPv6 address without brackets.
pub(super) fn host(url: &Url) -> String {
    url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned()
}

/// The proxy for a URL, if it is reached through one.
pub(super) fn proxy(proxies: &Matcher, url: &Url) -> Option<String> {
    let uri = url.as_str().parse().ok()?;
    proxies.intercept(&uri).map(|found| found.uri().to_string())
}

fn moved(status: u16, from: &Url, headers: &HeaderMap) -> Reply {
    let location = headers.get(LOCATION).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let to = location.as_deref().and_then(|text| from.join(text).ok());
    match to {
        Some(to) if matches!(to.scheme(), "http" | "https") && to.host().is_some() => Reply::Moved(status, to),
        _ => Reply::Answered(Answer::Redirect(format!("status {status} without an address to go to")), Vec::new()),
    }
}

fn cache_notes(headers: &HeaderMap) -> Vec<String> {
    let note = |name: &&str| {
        let value = headers.get(*name)?;
        Some(format!("{name}: {}", shortened(&String::from_utf8_lossy(value.as_bytes()))))
    };
    CACHE_HEADERS.iter().filter_map(note).collect()
}

/// The first part of a body, and whether there was more.
async fn body(mut answer: reqwest::Response) -> Result<(Vec<u8>, bool), String> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| reason(&error))? {
        body.extend_from_slice(&chunk);
        if body.len() > BODY {
            body.truncate(BODY);
            return Ok((body, true));
        }
    }
    Ok((body, false))
}

/// What a request that got no answer came to.
fn classify(error: &reqwest::Error, address: Option<SocketAddr>) -> Answer {
    let mut next: Option<&(dyn std::error::Error + 'static)> = error.source();
    while let Some(cause) = next {
        if cause.is::<rustls::Error>() {
            return Answer::Tls(cause.to_string());
        }
        if let Some(failed) = cause.downcast_ref::<io::Error>() {
            match failed.kind() {
                io::ErrorKind::ConnectionRefused => return Answer::Refused,
                io::ErrorKind::NetworkUnreachable | io::ErrorKind::AddrNotAvailable => {
                    return Answer::NoRoute(failed.to_string());
                }
                // A machine without IPv6 says so too. Over IPv4 it is a dead host, or a firewall that rejects.
                io::ErrorKind::HostUnreachable if address.is_some_and(|one| one.is_ipv6()) => {
                    return Answer::NoRoute(failed.to_string());
                }
                _ => {}
            }
            // `source` skips the error that an `io::Error` wraps.
            if let Some(inner) = failed.get_ref() {
                next = Some(inner);
                continue;
            }
        }
        next = cause.source();
    }
    Answer::Failed(reason(error))
}

/// The innermost cause, which names what happened; never the URL.
pub(crate) fn reason(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let text = cause.to_string();
    if error.source().is_none() { "the request failed".to_owned() } else { text }
}
