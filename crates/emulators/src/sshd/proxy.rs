//! A TCP proxy that can refuse, delay, drop, reset, and stall as a network does that swallows packets.

use std::net::{Ipv4Addr, TcpListener as StdListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot, watch};

use crate::http::lock;

/// What a new connection meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It is reset at once, as by a firewall that rejects.
    Refuse,
    /// Nothing ever answers, as behind a firewall that drops.
    Silence,
    /// It is served, that much later.
    Delay(Duration),
    /// It is served, and each piece that either side sends takes that long: a machine or a network with far too much to do.
    Slow(Duration),
    /// It ends in order after the server sent that many bytes.
    DropAfter(u64),
    /// It is reset after the server sent that many bytes.
    ResetAfter(u64),
    /// Once the client has sent that many bytes, nothing gets through any more, in either direction and on no connection.
    StallAfter(u64),
}

#[derive(Debug)]
pub(super) struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    upstream: u16,
    trouble: Mutex<Option<Trouble>>,
    connections: AtomicUsize,
    cut: Notify,
    /// Whether nothing gets through.
    stalled: watch::Sender<bool>,
}

impl Proxy {
    pub(super) fn start(upstream: u16) -> Self {
        let socket = StdListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free loopback port");
        socket.set_nonblocking(true).expect("a non-blocking socket");
        let port = socket.local_addr().expect("the address of a bound socket").port();
        let shared = Shared {
            upstream,
            trouble: Mutex::default(),
            connections: AtomicUsize::new(0),
            cut: Notify::new(),
            stalled: watch::Sender::new(false),
        };
        let shared = Arc::new(shared);
        let (stop, stopped) = oneshot::channel();
        let state = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                tokio::select! { () = accept(socket, state) => {}, _ = stopped => {} }
            });
            runtime.shutdown_background();
        });
        Self { port, shared, stop: Some(stop), thread: Some(thread) }
    }

    pub(super) const fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn set(&self, trouble: Option<Trouble>) {
        *lock(&self.shared.trouble) = trouble;
    }

    pub(super) fn cut(&self) {
        self.shared.cut.notify_waiters();
    }

    pub(super) fn stall(&self, stalled: bool) {
        self.shared.stalled.send_replace(stalled);
    }

    pub(super) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn accept(socket: StdListener, shared: Arc<Shared>) {
    let listener = TcpListener::from_std(socket).expect("a socket of the runtime");
    loop {
        if let Ok((client, _)) = listener.accept().await {
            shared.connections.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(carry(client, Arc::clone(&shared)));
        }
    }
}

async fn carry(mut client: TcpStream, shared: Arc<Shared>) {
    let trouble = *lock(&shared.trouble);
    let (mut limit, mut stall_after, mut pause) = (u64::MAX, u64::MAX, Duration::ZERO);
    match trouble {
        Some(Trouble::Refuse) => return reset(&client),
        Some(Trouble::Silence) => {
            // Held open until the peer gives up or the stand-in ends.
            let mut rest = Vec::new();
            let _ = client.read_to_end(&mut rest).await;
            return;
        }
        Some(Trouble::Slow(time)) => pause = time,
        Some(Trouble::Delay(delay)) => tokio::time::sleep(delay).await,
        Some(Trouble::DropAfter(bytes) | Trouble::ResetAfter(bytes)) => limit = bytes,
        Some(Trouble::StallAfter(bytes)) => stall_after = bytes,
        None => {}
    }
    let Ok(mut server) = TcpStream::connect((Ipv4Addr::LOCALHOST, shared.upstream)).await else { return };
    let (mut from_client, mut to_client) = client.split();
    let (from_server, mut to_server) = server.split();
    let mut from_server = from_server.take(limit);
    let up = async {
        pass(&mut from_client, &mut to_server, &shared, (stall_after, pause)).await;
        let _ = to_server.shutdown().await;
        // The server still answers after the client's end; only its own end, or a cut, ends the connection.
        std::future::pending::<()>().await;
    };
    let ended = tokio::select! {
        () = pass(&mut from_server, &mut to_client, &shared, (u64::MAX, pause)) => true,
        () = up => true,
        () = shared.cut.notified() => false,
    };
    if !ended || matches!(trouble, Some(Trouble::ResetAfter(_))) {
        reset(&client);
    }
}

/// Passes bytes on until their source ends. While the network stalls, neither bytes nor an end get through; it begins to stall after
/// `stall_after` bytes. Each piece takes `pause`.
async fn pass(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    shared: &Shared,
    (stall_after, pause): (u64, Duration),
) {
    let mut stalled = shared.stalled.subscribe();
    let mut chunk = vec![0; 64 * 1024];
    let mut passed = 0;
    loop {
        let count = from.read(&mut chunk).await.unwrap_or(0);
        let before = passed;
        passed += count as u64;
        if before < stall_after && passed >= stall_after {
            shared.stalled.send_replace(true);
        }
        tokio::time::sleep(pause).await;
        let _ = stalled.wait_for(|stalled| !stalled).await;
        if count == 0 || to.write_all(&chunk[..count]).await.is_err() {
            return;
        }
    }
}

fn reset(stream: &TcpStream) {
    // Closing with a zero linger sends RST.
    let _ = stream.set_zero_linger();
}
