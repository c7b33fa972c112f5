//! The endpoint: HTTP/1.1 on loopback at a path that only the command is given.

use std::convert::Infallible;
use std::io::Read as _;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use prost::Message as _;
use ring::rand::{SecureRandom as _, SystemRandom};
use runner::Environment;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::messages::Export;
use super::spans::{Collected, Received};

/// The largest export, packed or not. Exporters send some hundreds of spans at a time.
const BODY: usize = 16 * 1024 * 1024;
/// Connections at the same time: each may hold an export in memory.
const CONNECTIONS: usize = 8;
/// The longest a request may take. A connection carries one request.
const REQUEST: Duration = Duration::from_secs(20);

/// Variables that name a collector.
pub(crate) const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];

/// Receives the spans of one command. Dropped, it is closed.
#[derive(Debug)]
pub(crate) struct Endpoint {
    address: String,
    collected: Arc<Mutex<Collected>>,
    server: JoinHandle<()>,
}

impl Endpoint {
    /// Listens on a free port of loopback. `None` if the environment names a collector, which then gets the spans as before, or if
    /// the system has no port: the command is judged without spans then, as any other.
    ///
    /// Needs a tokio runtime.
    pub(crate) async fn open(environment: &Environment) -> Option<Self> {
        if ENDPOINTS.iter().any(|name| environment.get(name).is_some()) {
            return None;
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.ok()?;
        // Other users of the machine can connect too, and must not add to the verdict.
        let mut key = [0; 16];
        SystemRandom::new().fill(&mut key).ok()?;
        let path = format!("/{:032x}", u128::from_ne_bytes(key));
        let address = format!("http://{}{path}", listener.local_addr().ok()?);
        let collected = Arc::<Mutex<Collected>>::default();
        let server = tokio::spawn(serve(listener, path, Arc::clone(&collected)));
        Some(Self { address, collected, server })
    }

    /// What the command's environment needs.
    pub(crate) fn variables(&self) -> [(&'static str, String); 2] {
        [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", self.address.clone()),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf".to_owned()),
        ]
    }

    /// Closes it, after the command has ended: an exporter sends what it has before its process ends, and waits for the answer.
    pub(crate) fn close(self) -> Received {
        std::mem::take(&mut *self.collected.lock().unwrap_or_else(PoisonError::into_inner)).finish()
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(listener: TcpListener, path: String, collected: Arc<Mutex<Collected>>) {
    let path: Arc<str> = path.into();
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    while let Ok(permit) = Arc::clone(&room).acquire_owned().await {
        // The error of one connection, or too many open files, ends nothing.
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let (path, collected) = (Arc::clone(&path), Arc::clone(&collected));
        tokio::spawn(async move {
            let _ = tokio::time::timeout(REQUEST, connection(stream, &path, &collected)).await;
            drop(permit);
        });
    }
}

async fn connection(stream: TcpStream, path: &str, collected: &Mutex<Collected>) {
    let service = service_fn(|request| async move { Ok::<_, Infallible>(answer(request, path, collected).await) });
    // A request that is none gets its answer from hyper.
    let _ = hyper::server::conn::http1::Builder::new()
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn answer(request: Request<Incoming>, path: &str, collected: &Mutex<Collected>) -> Response<Full<Bytes>> {
    let Some(signal) = request.uri().path().strip_prefix(path).map(str::to_owned) else {
        return empty(StatusCode::NOT_FOUND);
    };
    if !matches!(signal.as_str(), "/v1/traces" | "/v1/logs" | "/v1/metrics") {
        return empty(StatusCode::NOT_FOUND);
    }
    if request.method() != Method::POST {
        return empty(StatusCode::METHOD_NOT_ALLOWED);
    }
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = header(CONTENT_TYPE).split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_packed = header(CONTENT_ENCODING).eq_ignore_ascii_case("gzip");
    // Logs and metrics have no verdict; they are taken so that their exporter neither waits nor complains.
    let is_traces = signal == "/v1/traces";
    let read = Limited::new(request.into_body(), BODY).collect().await.map(http_body_util::Collected::to_bytes);
    let status = match read {
        Err(_) => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Ok(_) if !is_traces => Ok(None),
        Ok(bytes) => unpacked(&bytes, is_packed).and_then(|bytes| decoded(&kind, &bytes)).map(Some),
    };
    let mut collected = collected.lock().unwrap_or_else(PoisonError::into_inner);
    match status {
        Ok(export) => {
            if let Some(export) = export {
                collected.add(export);
            }
            accepted(&kind)
        }
        Err(status) => {
            if is_traces {
                collected.refuse();
            }
            empty(status)
        }
    }
}

/// The body as it was before it was packed.
fn unpacked(bytes: &Bytes, is_packed: bool) -> Result<Bytes, StatusCode> {
    if !is_packed {
        return Ok(bytes.clone());
    }
    let mut all = Vec::new();
    // A packed body may be a thousand times larger than it looks.
    let read = flate2::read::MultiGzDecoder::new(&bytes[..]).take(BODY as u64 + 1).read_to_end(&mut all);
    match read {
        Err(_) => Err(StatusCode::BAD_REQUEST),
        Ok(length) if length > BODY => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Ok(_) => Ok(all.into()),
    }
}

fn decoded(kind: &str, bytes: &Bytes) -> Result<Export, StatusCode> {
    match kind {
        "application/x-protobuf" => Export::decode(bytes.clone()).ok().ok_or(StatusCode::BAD_REQUEST),
        "application/json" => serde_json::from_slice(bytes).ok().ok_or(StatusCode::BAD_REQUEST),
        _ => Err(StatusCode::UNSUPPORTED_MEDIA_TYPE),
    }
}

/// An export without a remark: an empty message, in the encoding of the request.
fn accepted(kind: &str) -> Response<Full<Bytes>> {
    let is_json = kind == "application/json";
    let body = if is_json { Bytes::from_static(b"{}") } else { Bytes::new() };
    let mut response = Response::new(Full::new(body));
    let kind = if is_json { "application/json" } else { "application/x-protobuf" };
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(kind));
    response
}

fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}
