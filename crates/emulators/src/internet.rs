//! The way to hosts that everybody knows by name: a proxy on loopback that leads each of them to a stand-in.
//!
//! A program that honours `HTTPS_PROXY` and `SSL_CERT_FILE` reaches `https://storage.googleapis.com` here as it would outside: it
//! asks for a tunnel, and the certificate it is shown was issued by our own authority. Behind the name is a plain
//! HTTP server. Names that lead nowhere are refused, and every name that was asked for is remembered.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};

use crate::http::lock;

/// A running proxy; dropping it closes the port.
#[derive(Debug)]
pub struct Internet {
    address: SocketAddr,
    certificates: PathBuf,
    asked: Arc<Mutex<Vec<String>>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    _folder: TempDir,
}

/// Who vouches for the names, and where they lead.
struct Names {
    issuer: Issuer<'static, KeyPair>,
    root: CertificateDer<'static>,
    hosts: Vec<(String, SocketAddr)>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Internet {
    /// Leads each name to an address of this machine; `*.example.com` matches all names below `example.com`.
    #[must_use]
    pub fn start(hosts: &[(&str, SocketAddr)]) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "the stand-ins' authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let root = params.self_signed(&key).expect("a certificate").der().clone();
        let folder = tempfile::tempdir().expect("a folder");
        let certificates = folder.path().join("certificates.pem");
        std::fs::write(&certificates, pem(&root)).expect("a file");

        let asked = Arc::new(Mutex::default());
        let hosts = hosts.iter().map(|(name, address)| ((*name).to_owned(), *address)).collect();
        let names = Names { issuer: Issuer::new(params, key), root, hosts, asked: Arc::clone(&asked) };
        let socket = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free loopback port");
        socket.set_nonblocking(true).expect("a non-blocking socket");
        let address = socket.local_addr().expect("the address of a bound socket");
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || serve(socket, names, stopped));
        Self { address, certificates, asked, stop: Some(stop), thread: Some(thread), _folder: folder }
    }

    /// For `HTTPS_PROXY`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// For `SSL_CERT_FILE`: the authority that vouches for every name.
    #[must_use]
    pub fn certificates(&self) -> &Path {
        &self.certificates
    }

    /// The names that were asked for, in the order of the first request.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        lock(&self.asked).clone()
    }
}

impl Drop for Internet {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
            && !std::thread::panicking()
        {
            panic!("the proxy's thread panicked");
        }
    }
}

fn serve(socket: std::net::TcpListener, names: Names, stopped: oneshot::Receiver<()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let names = Arc::new(names);
    runtime.block_on(async move {
        let listener = TcpListener::from_std(socket).expect("a socket of the runtime");
        let accept = async {
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                let names = Arc::clone(&names);
                // A tunnel that breaks is its ends' affair.
                tokio::spawn(async move { names.tunnel(stream).await });
            }
        };
        tokio::select! {
            () = accept => {}
            _ = stopped => {}
        }
    });
    runtime.shutdown_background();
}

impl Names {
    /// `CONNECT host:443`, then TLS, behind which the host's stand-in is spoken to in plain HTTP.
    async fn tunnel(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let Some(host) = host(&mut stream).await? else {
            return stream.write_all(b"HTTP/1.1 405 Only tunnels\r\ncontent-length: 0\r\n\r\n").await;
        };
        {
            let mut asked = lock(&self.asked);
            if !asked.contains(&host) {
                asked.push(host.clone());
            }
        }
        let Some(address) = self.address(&host) else {
            return stream.write_all(b"HTTP/1.1 502 No such host\r\ncontent-length: 0\r\n\r\n").await;
        };
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
        let mut inside = self.acceptor(&host).accept(stream).await?;
        let mut server = TcpStream::connect(address).await?;
        tokio::io::copy_bidirectional(&mut inside, &mut server).await.map(|_| ())
    }

    fn address(&self, host: &str) -> Option<SocketAddr> {
        let leads = |name: &str| match name.strip_prefix('*') {
            Some(below) => host.ends_with(below),
            None => host == name,
        };
        self.hosts.iter().find(|(name, _)| leads(name)).map(|(_, address)| *address)
    }

    fn acceptor(&self, host: &str) -> TlsAcceptor {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(vec![host.to_owned()]).expect("a name");
        // Not its issuer's: OpenSSL would take it for one that signed itself.
        params.distinguished_name.push(DnType::CommonName, host);
        let leaf = params.signed_by(&key, &self.issuer).expect("a certificate");
        let chain = vec![leaf.der().clone(), self.root.clone()];
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the usual versions")
            .with_no_client_auth()
            .with_single_cert(chain, PrivatePkcs8KeyDer::from(key.serialize_der()).into())
            .expect("a key that fits");
        TlsAcceptor::from(Arc::new(config))
    }
}

/// The host that a `CONNECT` asks for; `None` for another request.
async fn host(stream: &mut TcpStream) -> std::io::Result<Option<String>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let authority = head.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next());
    Ok(authority.and_then(|authority| authority.strip_suffix(":443")).map(str::to_owned))
}

fn pem(certificate: &CertificateDer<'_>) -> String {
    let text = BASE64_STANDARD.encode(certificate);
    let lines: Vec<&str> = (0..text.len()).step_by(64).map(|at| &text[at..text.len().min(at + 64)]).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}
