//! A complete answer.

use fault::{Fault, Result};
use reqwest::header::HeaderMap;
use serde::de::DeserializeOwned;

/// An answer with a status of 2xx or 304.
#[derive(Debug)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The headers, lower-case names.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Response {
    /// A header's text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// What the body looks like, without quoting it: it may hold secrets.
    pub(crate) fn describe(&self) -> String {
        let kind = self.header("content-type").and_then(|kind| kind.split(';').next()).unwrap_or("no content type");
        format!("{kind}, {} bytes", self.body.len())
    }

    /// The body as the JSON that the API of `service` promises.
    pub(crate) fn decoded<T: DeserializeOwned>(&self, service: &str, request: &str) -> Result<T> {
        serde_json::from_slice(&self.body).map_err(|error| {
            Fault::temporary(format!("{service} answered with something else than its API promises"))
                .cause(format!("{request} answered {}: {}", self.status, self.describe()))
                // Only the position: serde_json's full text can quote the body.
                .cause(format!("not the expected JSON at line {} column {}", error.line(), error.column()))
                .help("check whether a proxy or a login page is between here and the service")
        })
    }
}
