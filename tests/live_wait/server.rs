//! A web server whose answers a test decides, one per connection.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

type Answer = Box<dyn Fn(&str) -> String + Send>;

/// A server on loopback, ended when dropped.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    answer: Arc<Mutex<Answer>>,
    pub(super) connections: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<String>>>,
    ends: Arc<AtomicBool>,
}

impl Server {
    /// A server at `ip`, which gives `answer` the head of each request. A connection that is kept open gets the same version for good, as
    /// one of several instances behind a port does.
    pub(super) fn start(ip: &str, port: u16, answer: impl Fn(&str) -> String + Send + 'static) -> Self {
        let listener = TcpListener::bind((ip.parse::<IpAddr>().unwrap(), port)).unwrap();
        let address = listener.local_addr().unwrap();
        let server = Self {
            address,
            answer: Arc::new(Mutex::new(Box::new(answer))),
            connections: Arc::default(),
            requests: Arc::default(),
            ends: Arc::default(),
        };
        let (answer, connections, requests, ends) = (
            Arc::clone(&server.answer),
            Arc::clone(&server.connections),
            Arc::clone(&server.requests),
            Arc::clone(&server.ends),
        );
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if ends.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(mut stream) = stream else { continue };
                connections.fetch_add(1, Ordering::Relaxed);
                stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
                let head = head(&mut stream);
                let text = answer.lock().unwrap()(&head);
                requests.lock().unwrap().push(head);
                let _sent = stream.write_all(text.as_bytes());
            }
        });
        server
    }

    /// From now on it answers so.
    pub(super) fn answers(&self, answer: impl Fn(&str) -> String + Send + 'static) {
        *self.answer.lock().unwrap() = Box::new(answer);
    }

    /// The heads of all requests so far.
    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/version", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        let _woken = TcpStream::connect(self.address);
    }
}

fn head(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 1024];
    while !bytes.windows(4).any(|four| four == b"\r\n\r\n") {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(length) => bytes.extend_from_slice(&buffer[..length]),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// An answer with this status, these headers and this body.
pub(super) fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n{body}", body.len())
}

/// A good answer with a revision in its JSON.
pub(super) fn version(revision: &str) -> String {
    answer("200 OK", "Content-Type: application/json\r\n", &format!("{{\"build\":{{\"commit\":\"{revision}\"}}}}"))
}
