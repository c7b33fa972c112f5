//! The Docker Engine API: five reads, over a unix socket or TCP.
//!
//! Paths have no version: an engine then answers in its own, and each has a lowest version that it still knows.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::json;
use url::Url;

use super::model::{Service, Task};
use crate::http_reason;

/// The most bytes of an answer: 10,000 tasks.
const LIMIT: usize = 64 * 1024 * 1024;
/// The most bytes of a task's log that are read, and how many of its lines are quoted.
const LOG_LIMIT: usize = 64 * 1024;
const LOG_LINES: usize = 10;

/// Where an engine is.
#[derive(Clone, Debug)]
pub enum Endpoint {
    /// A unix socket.
    Socket(PathBuf),
    /// A TCP port, in the clear or with certificates.
    Tcp {
        /// `http://HOST:PORT` or `https://…`.
        url: Url,
        /// The PEM files of the folder that `DOCKER_CERT_PATH` names: authority, then certificate with key.
        certificates: Option<(Vec<u8>, Vec<u8>)>,
    },
}

/// Why an engine gave no answer to the question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// There is no connection.
    Unreachable(String),
    /// This user may not use the engine.
    Denied(String),
    /// It is no manager of a swarm.
    NoManager(String),
    /// Anything else.
    Failed(String),
}

/// An engine.
#[derive(Clone, Debug)]
pub(crate) struct Engine {
    http: reqwest::Client,
    base: Url,
}

impl Engine {
    pub(crate) fn new(endpoint: &Endpoint) -> Result<Self, String> {
        crate::install_tls_provider();
        let builder = reqwest::Client::builder()
            .user_agent(concat!("live-wait/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(30))
            .no_proxy();
        let (builder, base) = match endpoint {
            #[cfg(unix)]
            Endpoint::Socket(path) => {
                (builder.unix_socket(path.clone()).tls_certs_only([]), "http://docker/".to_owned())
            }
            #[cfg(not(unix))]
            Endpoint::Socket(path) => return Err(format!("`{}`: there are no unix sockets here", path.display())),
            Endpoint::Tcp { url, certificates } => {
                let builder = match certificates {
                    Some((authority, identity)) => {
                        let authority =
                            reqwest::Certificate::from_pem(authority).map_err(|error| http_reason(&error))?;
                        let identity = reqwest::Identity::from_pem(identity).map_err(|error| http_reason(&error))?;
                        builder.tls_certs_only([authority]).identity(identity)
                    }
                    None => builder,
                };
                (builder.connect_timeout(Duration::from_secs(10)), url.to_string())
            }
        };
        let http = builder.build().map_err(|error| http_reason(&error))?;
        let base = Url::parse(&base).map_err(|error| error.to_string())?;
        Ok(Self { http, base })
    }

    /// The services that a filter lists, with how many tasks each should have.
    pub(crate) async fn services(&self, filter: &str, value: &str) -> Result<Vec<Service>, Refusal> {
        self.get("services", &[("status", "true".to_owned()), ("filters", filters(filter, value))]).await
    }

    pub(crate) async fn tasks(&self, filter: &str, value: &str) -> Result<Vec<Task>, Refusal> {
        self.get("tasks", &[("filters", filters(filter, value))]).await
    }

    /// The names of all nodes, by their ids; evidence only, so a failure is an empty list.
    pub(crate) async fn nodes(&self) -> BTreeMap<String, String> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Node {
            #[serde(rename = "ID")]
            id: String,
            description: Description,
        }
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Description {
            hostname: String,
        }
        let nodes: Vec<Node> = self.get("nodes", &[]).await.unwrap_or_default();
        nodes.into_iter().map(|node| (node.id, node.description.hostname)).collect()
    }

    /// The last lines of a task's log; evidence only, so a failure is an empty list.
    pub(crate) async fn log(&self, task: &str) -> Vec<String> {
        let query = [("stdout", "1"), ("stderr", "1"), ("tail", "10")];
        let Ok(url) = self.base.join(&format!("tasks/{task}/logs")) else { return Vec::new() };
        let request = self.http.get(url).query(&query).timeout(Duration::from_secs(5));
        let Ok(answer) = request.send().await else { return Vec::new() };
        if !answer.status().is_success() {
            return Vec::new();
        }
        let bytes = read(answer, LOG_LIMIT).await.unwrap_or_default();
        let lines = log_lines(&bytes);
        lines[lines.len().saturating_sub(LOG_LINES)..].to_vec()
    }

    async fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, String)]) -> Result<T, Refusal> {
        let url = self.base.join(path).map_err(|error| Refusal::Failed(error.to_string()))?;
        let answer = self.http.get(url).query(query).send().await.map_err(|error| unreachable(&error))?;
        let status = answer.status().as_u16();
        let body = read(answer, LIMIT).await?;
        if status == 200 {
            return serde_json::from_slice(&body)
                .map_err(|error| Refusal::Failed(format!("GET /{path}: the answer is not Docker's: {error}")));
        }
        let message = serde_json::from_slice::<serde_json::Value>(&body).ok();
        let message = message.as_ref().and_then(|body| body["message"].as_str()).unwrap_or_default();
        let text = format!("GET /{path} answered {status} ({message})");
        Err(match status {
            401 | 403 => Refusal::Denied(text),
            // The same status is answered while a swarm elects a leader.
            406 | 503 if message.contains("not a swarm manager") || message.contains("not part of a swarm") => {
                Refusal::NoManager(text)
            }
            _ => Refusal::Failed(text),
        })
    }
}

fn filters(name: &str, value: &str) -> String {
    json!({ name: { value: true } }).to_string()
}

fn unreachable(error: &reqwest::Error) -> Refusal {
    let reason = http_reason(error);
    if reason.contains("ermission denied") {
        return Refusal::Denied(format!("the engine's socket: {reason}"));
    }
    if error.is_connect() {
        Refusal::Unreachable(format!("no connection to the engine: {reason}"))
    } else {
        Refusal::Failed(format!("the engine: {reason}"))
    }
}

/// At most `limit` bytes of a body; a longer log is cut, a longer list is an error.
async fn read(mut answer: reqwest::Response, limit: usize) -> Result<Vec<u8>, Refusal> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| Refusal::Failed(http_reason(&error)))? {
        body.extend_from_slice(&chunk);
        if body.len() > limit {
            if limit == LOG_LIMIT {
                return Ok(body);
            }
            return Err(Refusal::Failed(format!("the engine answered with more than {limit} bytes")));
        }
    }
    Ok(body)
}

/// The lines of a log: frames of a stream's number, three zeros, a length, and text; with a terminal, plain text.
fn log_lines(bytes: &[u8]) -> Vec<String> {
    let (mut text, mut rest) = (Vec::new(), bytes);
    while let [stream, 0, 0, 0, a, b, c, d, after @ ..] = rest {
        if *stream > 2 {
            break;
        }
        let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        let (frame, next) = after.split_at(length.min(after.len()));
        text.extend_from_slice(frame);
        rest = next;
    }
    text.extend_from_slice(rest);
    String::from_utf8_lossy(&text)
        .lines()
        .map(|line| line.trim_end().to_owned())
        .filter(|line| !line.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_log_is_read_from_its_frames() {
        let bytes = [&[1, 0, 0, 0, 0, 0, 0, 5][..], b"boom\n", &[2, 0, 0, 0, 0, 0, 0, 6], b"again\n"].concat();
        assert_eq!(super::log_lines(&bytes), ["boom", "again"]);
        assert_eq!(super::log_lines(b"plain\r\nlines\n"), ["plain", "lines"]);
        assert_eq!(super::log_lines(&[1, 0, 0, 0, 255, 255, 255, 255, b'x']), ["x"]);
    }
}
