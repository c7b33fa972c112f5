//! Checks from here: addresses and ports.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use emulators::Sshd;

use super::{host, reason, step};

/// An address that answers every request so, for as long as the test runs.
fn answering(answer: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let _read = stream.read(&mut [0; 4096]);
            let _sent = stream.write_all(answer.as_bytes());
        }
    });
    port
}

const READY: &str = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\nall ready";
const MOVED: &str = "HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

#[test]
fn an_address_must_answer_with_its_status_and_text_and_a_port_must_accept() {
    let Some(sshd) = Sshd::start() else { return };
    let (ready, moved) = (answering(READY), answering(MOVED));
    let run = |arguments: &[&str]| {
        step(&sshd)
            .args([host(&sshd).as_str(), "--format", "json", "--check-timeout", "1s", "--check-interval", "1s"])
            .args(arguments.iter().copied())
            .args(["--", "true"])
            .run()
    };
    let http = |rest: &str, port: u16| format!("web=http://{{host}}:{port}/up{rest}");
    for good in [http("", ready), http(" =200 ~all ready", ready), http(" =302", moved)] {
        run(&["--check-http", &good]).exits(0);
    }
    run(&["--check-tcp", &format!("app={ready}")]).exits(0);
    for (bad, text) in [
        (http("", moved), "answered 302, not 200"),
        (http(" ~not there", ready), "without `not there`"),
        (http("", 1), "refused"),
    ] {
        let seen = run(&["--check-http", &bad]).exits(1);
        assert_eq!(reason(&seen), "check_failed");
        assert!(seen.stderr.to_lowercase().contains(text), "{bad}: {}", seen.stderr);
    }
    let secret = format!("web=http://user:hunter2-pass@{{host}}:{moved}/up?token=t0ken-in-query");
    let seen = run(&["--check-http", &secret]).exits(1);
    assert!(seen.stderr.contains(&format!(":{moved}/up answered 302")), "{}", seen.stderr);
    assert!(!seen.stderr.contains("hunter2") && !seen.stderr.contains("t0ken"), "{}", seen.stderr);
    let seen = run(&["--check-tcp", "app=1"]).exits(1);
    assert!(seen.stderr.contains("app: port 1:"), "{}", seen.stderr);
}
