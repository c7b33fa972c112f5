//! A complete answer.

use reqwest::header::HeaderMap;

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
}
