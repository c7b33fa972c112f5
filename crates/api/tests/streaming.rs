//! A body that is read as it arrives, against a server that stalls, breaks off or would never end.

#![expect(clippy::unwrap_used, reason = "a stand-in that fails should fail its test")]

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use api::{Client, Deadline, Incoming};
use fault::{Fault, Kind};

type Script = Box<dyn FnOnce(&mut TcpStream) + Send>;

/// Plays one script a connection, after the request's head was read.
fn serve(scripts: Vec<Script>) -> (Client, std::thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        for script in scripts {
            let (mut stream, _) = listener.accept().unwrap();
            let (mut head, mut byte) = (Vec::new(), [0]);
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
                head.push(byte[0]);
            }
            script(&mut stream);
        }
    });
    let deadline = Deadline::after(Duration::from_secs(20));
    (Client::new("Example", address.parse().unwrap(), deadline).unwrap(), server)
}

/// A head that promises `length` bytes, and those of `body`.
fn answer(length: usize, body: &'static [u8]) -> Script {
    Box::new(move |stream| {
        write!(stream, "HTTP/1.1 200 OK\r\nx-of: it\r\ncontent-length: {length}\r\n\r\n").unwrap();
        stream.write_all(body).unwrap();
    })
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn whole(mut body: Incoming) -> std::io::Result<String> {
    let mut text = String::new();
    body.read_to_string(&mut text).map(|_| text)
}

#[test]
fn a_reader_that_is_done_does_not_wait_for_the_rest() {
    let (client, server) = serve(vec![Box::new(|stream| {
        answer(200 << 20, b"enough")(stream);
        // Nothing more until the other side has closed.
        assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0);
    })]);
    let read = async {
        let answer = client.get("/state").open().await.unwrap();
        assert_eq!((answer.status(), answer.header("x-of")), (200, Some("it")));
        let first = |mut body: Incoming| {
            let mut first = [0; 6];
            body.read_exact(&mut first).map(|()| first)
        };
        answer.read(first).await.unwrap().unwrap()
    };
    assert_eq!(&run(read), b"enough");
    server.join().unwrap();
}

#[test]
fn a_body_that_breaks_off_is_read_again_from_its_start() {
    let (client, server) = serve(vec![answer(11, b"hello"), answer(11, b"hello world")]);
    let text = run(async { client.get("/x").open().await.unwrap().read(whole).await }).unwrap();
    assert_eq!(text.unwrap(), "hello world");
    server.join().unwrap();
}

#[test]
fn a_body_that_breaks_off_is_an_error_and_what_was_made_of_it_is_gone() {
    let (client, server) = serve(vec![answer(11, b"hello")]);
    let lenient = |body: Incoming| whole(body).unwrap_or_default();
    let outcome =
        run(async { client.get("/x").query("k", "hunter2").once().open().await.unwrap().read(lenient).await });
    let fault = Fault::from(outcome.unwrap_err());
    assert_eq!(fault.kind, Kind::Temporary);
    assert!(fault.message.contains("/x broke off"), "{fault:?}");
    assert!(!format!("{fault:?}").contains("hunter2"));
    server.join().unwrap();
}

#[test]
fn chunks_without_the_last_one_are_a_body_that_broke_off() {
    let script: Script = Box::new(|stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n").unwrap();
    });
    let (client, server) = serve(vec![script]);
    let outcome = run(async { client.get("/x").once().open().await.unwrap().read(whole).await });
    assert_eq!(Fault::from(outcome.unwrap_err()).kind, Kind::Temporary);
    server.join().unwrap();
}

#[test]
fn a_body_that_stalls_is_given_up_after_the_time_for_one_piece() {
    let (client, server) = serve(vec![Box::new(|stream| {
        answer(11, b"hello")(stream);
        assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0);
    })]);
    let request = client.get("/x").once().timeout(Duration::from_millis(200));
    let fault = Fault::from(run(async { request.open().await.unwrap().read(whole).await }).unwrap_err());
    assert!(fault.message.contains("no complete answer within 200.0ms"), "{fault:?}");
    server.join().unwrap();
}

#[test]
fn a_refusal_is_reported_before_there_is_a_body_to_read() {
    let (client, server) = serve(vec![Box::new(|stream| {
        stream.write_all(b"HTTP/1.1 403 No\r\ncontent-length: 0\r\n\r\n").unwrap();
    })]);
    let fault = Fault::from(run(client.get("/x").open()).err().unwrap());
    assert_eq!(fault.kind, Kind::Permission);
    server.join().unwrap();
}

/// The most memory that this process ever had, KiB.
#[cfg(target_os = "linux")]
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn a_body_of_any_size_is_read_in_little_memory() {
    const SIZE: usize = 256 << 20;
    let (client, server) = serve(vec![Box::new(|stream| {
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {SIZE}\r\n\r\n").unwrap();
        let piece = vec![b'x'; 1 << 16];
        (0..SIZE >> 16).for_each(|_| stream.write_all(&piece).unwrap());
    })]);
    let count = |mut body: Incoming| std::io::copy(&mut body, &mut std::io::sink()).unwrap();
    let before = peak();
    let count = run(async { client.get("/x").open().await.unwrap().read(count).await }).unwrap();
    assert_eq!(count, SIZE as u64);
    assert!(peak() - before < 32 << 10, "{} KiB more", peak() - before);
    server.join().unwrap();
}
