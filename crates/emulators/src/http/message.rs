//! A request as it arrived and the answer to it, as plain data.

use axum::body::{Body, Bytes};
use axum::http::request::Parts;
use axum::response::Response as AxumResponse;
use futures_util::{StreamExt as _, stream};
use serde_json::Value;

use super::wire::Severed;

/// A request as it arrived. Its headers hold credentials: for tests only, never for a log.
#[derive(Clone, Debug)]
pub struct Request {
    /// `GET`, `POST`, …
    pub method: String,
    /// The path as sent, without the query.
    pub path: String,
    /// The query as sent, without `?`; empty when there is none.
    pub query: String,
    /// Names in lower case, in the order sent.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Bytes,
    /// When it had arrived.
    pub at: jiff::Timestamp,
    /// The status that answered it; 0 while there is none.
    pub status: u16,
    /// The JSON that answered it, if it is at most 1 MiB.
    pub answer: Vec<u8>,
}

impl Request {
    pub(super) fn new(head: &Parts, body: Bytes) -> Self {
        let headers = head
            .headers
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
        Self {
            method: head.method.to_string(),
            path: head.uri.path().to_owned(),
            query: head.uri.query().unwrap_or_default().to_owned(),
            headers: headers.collect(),
            body,
            at: jiff::Timestamp::now(),
            status: 0,
            answer: Vec::new(),
        }
    }

    /// The first header of that name, whatever its case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The token of `Authorization: Bearer …`.
    #[must_use]
    pub fn bearer(&self) -> Option<&str> {
        self.header("authorization")?.strip_prefix("Bearer ")
    }

    /// The decoded value of one query parameter; the first if it occurs more than once.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<String> {
        url::form_urlencoded::parse(self.query.as_bytes())
            .find(|(other, _)| other == name)
            .map(|(_, value)| value.into_owned())
    }

    /// The path without its encoding.
    #[must_use]
    pub(crate) fn decoded_path(&self) -> String {
        percent_encoding::percent_decode_str(&self.path).decode_utf8_lossy().into_owned()
    }

    /// The segments of the path between slashes, as sent.
    #[must_use]
    pub fn segments(&self) -> Vec<&str> {
        self.path.trim_matches('/').split('/').collect()
    }

    /// The body as JSON; `Null` when it is not.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Whether the request is one of `METHOD /path`: `*` as the method is any method, a `*` in the path any text.
    #[must_use]
    pub fn matches(&self, pattern: &str) -> bool {
        let (method, path) = pattern.split_once(' ').unwrap_or(("*", pattern));
        (method == "*" || method == self.method) && glob(path, &self.path)
    }
}

pub(crate) fn glob(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text
            .strip_prefix(start)
            .is_some_and(|text| (0..=text.len()).any(|at| text.is_char_boundary(at) && glob(rest, &text[at..]))),
    }
}

/// The point at which an answer breaks off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Cut {
    #[default]
    Nowhere,
    MidRequest,
    BeforeAnswer,
    MidBody,
    /// Not off: it stops, and nothing more comes.
    Stall,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Headers; `content-type` among them when there is a body.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Vec<u8>,
    pub(crate) cut: Cut,
}

impl Response {
    /// An answer with that content type.
    #[must_use]
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        Self { status, headers, body: body.into(), cut: Cut::Nowhere }
    }

    /// A compact JSON document.
    #[must_use]
    pub fn json(status: u16, value: &Value) -> Self {
        Self::new(status, "application/json; charset=utf-8", value.to_string())
    }

    /// An answer without a body.
    #[must_use]
    pub const fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), cut: Cut::Nowhere }
    }

    /// Whether it is JSON of a size that the log keeps.
    pub(super) fn is_kept(&self) -> bool {
        let json = |(name, value): &(String, String)| name == "content-type" && value.starts_with("application/json");
        self.body.len() <= 1024 * 1024 && self.headers.iter().any(json)
    }

    /// Adds one header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    pub(super) fn with_headers(mut self, headers: Vec<(String, String)>) -> Self {
        self.headers.extend(headers);
        self
    }

    pub(super) fn into_axum(self, severed: &Severed) -> AxumResponse {
        let mut builder = AxumResponse::builder().status(self.status);
        for (name, value) in &self.headers {
            builder = builder.header(name, value);
        }
        let body = match self.cut {
            Cut::Nowhere => Body::from(self.body),
            Cut::MidRequest | Cut::BeforeAnswer => {
                severed.sever();
                Body::empty()
            }
            Cut::Stall => {
                builder = builder.header("content-length", self.body.len());
                let half = Bytes::copy_from_slice(&self.body[..self.body.len() / 2]);
                let rest = stream::once(std::future::pending::<Result<Bytes, std::io::Error>>());
                Body::from_stream(stream::iter([Ok(half)]).chain(rest))
            }
            Cut::MidBody => {
                // The full length is announced and half of it sent: the reader must notice, whatever it parses.
                builder = builder.header("content-length", self.body.len());
                let half = Bytes::copy_from_slice(&self.body[..self.body.len() / 2]);
                let failure = async {
                    // Only a body that pauses has what it gave so far written out.
                    tokio::task::yield_now().await;
                    Err(std::io::Error::other("cut by a fault"))
                };
                Body::from_stream(stream::iter([Ok(half)]).chain(stream::once(failure)))
            }
        };
        builder.body(body).expect("a well-formed answer")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, path: &str) -> Request {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let (path, query) = (path.to_owned(), query.to_owned());
        let (headers, body, at) = (Vec::new(), Bytes::new(), jiff::Timestamp::UNIX_EPOCH);
        Request { method: method.to_owned(), path, query, headers, body, at, status: 0, answer: Vec::new() }
    }

    #[test]
    fn a_pattern_matches_by_method_and_by_stars_in_the_path() {
        let download = request("GET", "/v3/configs/config/secrets/download?project=a");
        assert!(download.matches("GET /v3/configs/*"));
        assert!(download.matches("* */download"));
        assert!(download.matches("/v3/*/secrets/*"));
        assert!(!download.matches("POST /v3/*"));
        assert!(!download.matches("GET /v3/configs/config/secrets"));
    }

    #[test]
    fn a_parameter_is_decoded() {
        assert_eq!(request("GET", "/?a=x%2Cy&b=").parameter("a").as_deref(), Some("x,y"));
        assert_eq!(request("GET", "/?a=x%2Cy&b=").parameter("b").as_deref(), Some(""));
        assert_eq!(request("GET", "/?a=1").parameter("c"), None);
    }
}
