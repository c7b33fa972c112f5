//! The HTTP server that every stand-in is: one thread, one log of requests, one list of faults.

mod fault;
mod message;
mod multipart;
mod wire;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::header::CONTENT_LENGTH;
use axum::http::request::Parts;
use axum::response::Response as AxumResponse;
use futures_util::StreamExt as _;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

pub use fault::Fault;
pub(crate) use fault::Faults;
pub(crate) use message::glob;
pub use message::{Request, Response};
pub(crate) use multipart::find;
pub use multipart::{Part, parts};
use wire::{Listener, Severed};

/// What answers the requests of one stand-in.
pub trait Service: Send + Sync + 'static {
    /// The answer to one request; it may change the service's state.
    fn answer(&self, request: &Request) -> Response;

    /// Headers that every answer of the service carries, faults included (rate limits, request ids).
    fn everywhere(&self) -> Vec<(String, String)> {
        Vec::new()
    }
}

/// The secrets that a stand-in holds or has handed out; a test must find none of them where it does not belong.
#[derive(Clone, Debug, Default)]
pub struct Secrets(Arc<Mutex<Vec<String>>>);

impl Secrets {
    /// Remembers one more.
    pub fn add(&self, value: impl Into<String>) {
        let value = value.into();
        let mut values = lock(&self.0);
        if !value.is_empty() && !values.contains(&value) {
            values.push(value);
        }
    }

    /// All of them so far.
    #[must_use]
    pub fn all(&self) -> Vec<String> {
        lock(&self.0).clone()
    }
}

/// A running server; dropping it closes the port and every connection.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Makes a stand-in with a field `server` its server too: what was asked of it, and what is to fail.
macro_rules! served {
    ($stand_in:ty) => {
        impl std::ops::Deref for $stand_in {
            type Target = $crate::http::Server;

            fn deref(&self) -> &Self::Target {
                &self.server
            }
        }
    };
}
pub(crate) use served;

struct Shared {
    service: Box<dyn Service>,
    log: Mutex<Vec<Request>>,
    faults: Faults,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Shared").field("requests", &lock(&self.log).len()).finish_non_exhaustive()
    }
}

impl Server {
    /// Serves on a free loopback port until dropped. The service learns the address before the first request.
    pub fn start<S: Service>(service: impl FnOnce(SocketAddr) -> S) -> Self {
        Self::start_at(0, service)
    }

    /// Serves on `port` (0: any free one) of 127.0.0.1.
    pub(crate) fn start_at<S: Service>(port: u16, service: impl FnOnce(SocketAddr) -> S) -> Self {
        let socket = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("a free loopback port");
        socket.set_nonblocking(true).expect("a non-blocking socket");
        let address = socket.local_addr().expect("the address of a bound socket");
        let shared =
            Arc::new(Shared { service: Box::new(service(address)), log: Mutex::default(), faults: Faults::default() });
        let (stop, stopped) = oneshot::channel();
        let state = Arc::clone(&shared);
        let thread = std::thread::spawn(move || serve(socket, state, stopped));
        Self { address, shared, stop: Some(stop), thread: Some(thread) }
    }

    /// Host and port, `127.0.0.1:4010`.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:4010`, without a final slash.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every request so far, in the order of arrival, those that a fault answered included.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.shared.log).clone()
    }

    /// From now on requests that match `when` (see [`Request::matches`]) meet `fault`.
    pub fn fail(&self, when: &str, fault: Fault) {
        self.shared.faults.add(when, fault);
    }

    /// Forgets all faults.
    pub fn recover(&self) {
        self.shared.faults.clear();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
            && !std::thread::panicking()
        {
            panic!("the stand-in's thread panicked");
        }
    }
}

fn serve(socket: std::net::TcpListener, shared: Arc<Shared>, stopped: oneshot::Receiver<()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async move {
        let listener = Listener(TcpListener::from_std(socket).expect("a socket of the runtime"));
        let router = Router::new().fallback(answer).with_state(shared);
        let service = router.into_make_service_with_connect_info::<Severed>();
        tokio::select! {
            served = axum::serve(listener, service) => served.expect("the loopback server"),
            _ = stopped => {}
        }
    });
    // Whoever still waits for a delayed answer is cut off here, not waited for.
    runtime.shutdown_background();
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(severed): ConnectInfo<Severed>,
    request: axum::extract::Request,
) -> AxumResponse {
    let (head, body) = request.into_parts();
    if shared.faults.cuts(&Request::new(&head, Bytes::new())) {
        severed.sever();
        return AxumResponse::new(Body::empty());
    }
    let Ok(body) = whole(&head, body).await else {
        severed.sever();
        return AxumResponse::new(Body::empty());
    };
    let request = Request::new(&head, body);
    let place = {
        let mut log = lock(&shared.log);
        log.push(request.clone());
        log.len() - 1
    };
    let fault = shared.faults.take(&request);
    let response = match fault {
        None => shared.service.answer(&request),
        Some(fault) => {
            if let Some(delay) = fault.delay {
                tokio::time::sleep(delay).await;
            }
            let real = fault.carried_out.then(|| shared.service.answer(&request));
            fault.answer(real, || shared.service.answer(&request))
        }
    };
    let mut everywhere = shared.service.everywhere();
    // A header that the answer gives itself replaces the usual one.
    everywhere.retain(|(name, _)| !response.headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(name)));
    {
        let entry = &mut lock(&shared.log)[place];
        entry.status = response.status;
        if response.is_kept() {
            entry.answer.clone_from(&response.body);
        }
    }
    response.with_headers(everywhere).into_axum(&severed)
}

/// The whole body, each piece copied once into memory of the announced length: a body of 56 MB arrives at the speed of the wire.
async fn whole(head: &Parts, body: Body) -> Result<Bytes, axum::Error> {
    let announced = head.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let mut whole = Vec::with_capacity(announced.unwrap_or(0));
    let mut pieces = body.into_data_stream();
    while let Some(piece) = pieces.next().await {
        whole.extend_from_slice(&piece?);
    }
    Ok(whole.into())
}

/// A panicking test thread must not hide what the stand-in saw.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
