//! The client against a scripted server: what it sends, repeats, refuses and reports.

#![expect(clippy::unwrap_used, reason = "a stand-in that fails should fail its test")]

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use api::{Advice, Client, Deadline, Error, ServiceError};
use fault::{Fault, Kind};
use serde_json::Value;

/// Answers each connection with the next of `answers`; an empty one breaks the connection. Gives the requests' heads.
fn serve(answers: &'static [&'static str]) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/base", listener.local_addr().unwrap());
    let (sender, requests) = channel();
    std::thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
                head.push(byte[0]);
            }
            sender.send(String::from_utf8(head).unwrap()).unwrap();
            let (first, body) = answer.split_once("\n\n").unwrap_or((answer, ""));
            if !answer.is_empty() {
                let head = first.replace('\n', "\r\n");
                write!(stream, "HTTP/1.1 {head}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len())
                    .unwrap();
            }
        }
    });
    (address, requests)
}

fn client(address: &str) -> Client {
    Client::new("Example", address.parse().unwrap(), Deadline::after(Duration::from_secs(20)))
        .unwrap()
        .bearer("hunter2-token".into())
        .errors(|body| {
            let message = serde_json::from_slice::<Value>(body).ok()?["message"].as_str()?.to_owned();
            Some(ServiceError { code: Some("10000".to_owned()), message })
        })
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

#[test]
fn a_read_is_repeated_after_a_broken_connection_and_a_server_error() {
    let (address, requests) = serve(&["", "503 Busy\nretry-after: 0", "200 OK\n\n{\"a\":1}"]);
    let value: Value = run(client(&address).get("/x").query("q", "a b&c").receive()).unwrap();
    assert_eq!(value["a"], 1);
    let heads: Vec<_> = requests.try_iter().collect();
    assert_eq!(heads.len(), 3);
    assert!(heads[2].starts_with("GET /base/x?q=a+b%26c HTTP/1.1\r\n"), "{}", heads[2]);
    assert!(heads[2].contains("authorization: Bearer hunter2-token\r\n"));
}

#[test]
fn a_localhost_name_is_this_machine() {
    let (address, requests) = serve(&["200 OK\n\n{}"]);
    let address = address.replace("127.0.0.1", "docs.localhost");
    run(client(&address).get("/x").receive::<Value>()).unwrap();
    assert!(requests.recv().unwrap().contains("host: docs.localhost:"));
}

#[test]
fn a_write_is_not_repeated_after_a_lost_answer() {
    let (address, requests) = serve(&["", "200 OK\n\n{}"]);
    let error = run(client(&address).post("/deployments").send()).unwrap_err();
    assert_eq!(Fault::from(error).kind, Kind::Temporary);
    assert_eq!(requests.try_iter().count(), 1);
}

#[test]
fn a_wait_past_the_deadline_is_not_begun() {
    let (address, requests) = serve(&["429 Slow\nretry-after: 3600"]);
    let fault = Fault::from(run(client(&address).get("/x").send()).unwrap_err());
    assert_eq!(fault.kind, Kind::Temporary);
    assert!(fault.causes[0].contains("3600 s"), "{fault:?}");
    assert_eq!(requests.try_iter().count(), 1);
}

#[test]
fn an_attempt_in_the_last_moment_does_not_hide_what_failed() {
    // How long a pause is depends on chance.
    for _ in 0..30 {
        let (address, requests) = serve(&["503 Busy\nretry-after: 1"]);
        let deadline = Deadline::after(Duration::from_millis(1040));
        let client = Client::new("Example", address.parse().unwrap(), deadline).unwrap();
        let fault = Fault::from(run(client.get("/x").send()).unwrap_err());
        assert!(format!("{fault:?}").contains("503"), "{fault:?}");
        assert_eq!(requests.try_iter().count(), 1);
    }
}

#[test]
fn a_refusal_names_request_status_code_text_and_request_id() {
    let (address, _requests) = serve(&["403 No\nx-request-id: r-17\n\n{\"message\":\"Authentication error\"}"]);
    let error = run(client(&address).get("/x").query("secret", "s3cret").send()).unwrap_err();
    let Error::Refused(refusal) = &error else { panic!("{error:?}") };
    assert_eq!((refusal.status, refusal.code.as_deref()), (403, Some("10000")));
    let fault = Fault::from(error);
    assert_eq!(fault.kind, Kind::Permission);
    assert_eq!(fault.message, format!("GET {address}/x answered 403 (10000: Authentication error), request id r-17"));
    assert!(!format!("{fault:?}").contains("hunter2"));
}

#[test]
fn a_page_with_status_200_is_an_error_and_is_not_quoted() {
    let (address, _requests) = serve(&["200 OK\ncontent-type: text/html; charset=utf-8\n\n<html>log in</html>"]);
    let fault = Fault::from(run(client(&address).get("/x").receive::<Value>()).unwrap_err());
    assert_eq!(fault.kind, Kind::Temporary);
    assert!(fault.causes[0].ends_with("answered 200: text/html, 19 bytes"), "{fault:?}");
    assert!(!format!("{fault:?}").contains("log in"));
}

#[test]
fn a_token_does_not_follow_a_redirect() {
    let (address, requests) = serve(&["302 Found\nlocation: http://127.0.0.1:1/"]);
    let error = run(client(&address).get("/x").send()).unwrap_err();
    assert!(matches!(error, Error::Refused(refusal) if refusal.status == 302));
    assert_eq!(requests.try_iter().count(), 1);
}

#[test]
fn a_refused_connection_is_temporary_and_reported_as_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let client = Client::new("Example", address.parse().unwrap(), Deadline::after(Duration::from_millis(300))).unwrap();
    let fault = Fault::from(run(client.get("/x").send()).unwrap_err());
    assert_eq!(fault.kind, Kind::Temporary);
    assert!(fault.message.contains("refused"), "{fault:?}");
}

#[test]
fn advice_in_a_body_counts_more_than_the_status() {
    let advised = |address: &str| {
        client(address).advice(|body| {
            let after = Some(Duration::ZERO);
            let retryable = serde_json::from_slice::<Value>(body).ok().and_then(|body| body["again"].as_bool());
            Advice { retryable, after }
        })
    };
    let (address, requests) = serve(&["409 Conflict\n\n{\"again\":true}", "200 OK\n\n{}"]);
    run(advised(&address).get("/x").receive::<Value>()).unwrap();
    assert_eq!(requests.try_iter().count(), 2);
    let (address, requests) = serve(&["503 Closed\n\n{\"again\":false}", "200 OK\n\n{}"]);
    run(advised(&address).get("/x").receive::<Value>()).unwrap_err();
    assert_eq!(requests.try_iter().count(), 1);
}

#[test]
fn without_retry_after_the_reset_of_the_limit_counts() {
    let (address, requests) = serve(&["429 Slow down\nx-ratelimit-reset: 3600", "200 OK\n\n{}"]);
    let fault = Fault::from(run(client(&address).get("/x").send()).unwrap_err());
    assert!(fault.causes[0].contains("asks to wait 3600 s"), "{fault:?}");
    assert_eq!(requests.try_iter().count(), 1);
}

#[test]
fn an_unreachable_service_is_tried_as_often_as_the_caller_allows() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = client(&format!("https://{}", listener.local_addr().unwrap())).reach(2);
    // Each connection is closed in the middle of its handshake.
    let server = std::thread::spawn(move || (0..2).for_each(|_| drop(listener.accept().unwrap())));
    let fault = Fault::from(run(client.get("/x").send()).unwrap_err());
    server.join().unwrap();
    assert_eq!((fault.kind, fault.causes.last().map(String::as_str)), (Kind::Temporary, Some("tried 2 times")));
}

#[test]
fn an_answer_that_echoes_our_token_does_not_put_it_into_the_error() {
    let (address, _requests) = serve(&[
        "400 Bad Request\nx-request-id: hunter2-token\n\n{\"message\":\"bad header Authorization: Bearer hunter2-token\"}",
    ]);
    let error = run(client(&address).get("/x").send()).unwrap_err();
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    assert!(Fault::from(error).message.contains("(10000: bad header Authorization: Bearer ***), request id ***"));
}

#[test]
fn a_secret_in_the_body_is_not_quoted_either() {
    let (address, _requests) = serve(&["400 Bad Request\n\n{\"message\":\"no such token: eyJhbGci.x\"}"]);
    let jwt = "eyJhbGci.x".into();
    let error = run(client(&address).post("/x").secret(&jwt).send()).unwrap_err();
    assert!(Fault::from(error).message.contains("no such token: ***"));
}

#[test]
fn a_redirect_is_temporary_and_not_followed() {
    let (address, requests) = serve(&["302 Found\nlocation: https://example.org/"]);
    let error = run(client(&address).get("/x").send()).unwrap_err();
    assert_eq!(Fault::from(error).kind, Kind::Temporary);
    assert_eq!(requests.try_iter().count(), 1);
}

#[test]
fn a_closed_port_of_this_machine_is_tried_once() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = run(client(&format!("http://127.0.0.1:{port}")).get("/x").send()).unwrap_err();
    let fault = Fault::from(error);
    assert_eq!((fault.kind, fault.causes.len()), (Kind::Temporary, 0));
}

#[test]
fn a_certificate_that_is_not_trusted_is_not_tried_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let issued = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(issued.signing_key.serialize_der());
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![issued.cert.der().clone()], key.into()).unwrap();
    let config = std::sync::Arc::new(config);
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut connection = rustls::ServerConnection::new(config).unwrap();
        // The client ends the handshake.
        connection.complete_io(&mut stream).unwrap_err().to_string()
    });
    let fault = Fault::from(run(client(&format!("https://localhost:{port}")).get("/x").send()).unwrap_err());
    // The only connection there was: for another the listener would be gone, and the error would be "refused".
    assert!(server.join().unwrap().contains("UnknownCA") && fault.message.contains("certificate"), "{fault:?}");
    assert_eq!((fault.kind, fault.causes.len()), (Kind::Temporary, 0), "{fault:?}");
}

#[test]
fn a_name_that_does_not_resolve_is_looked_up_three_times() {
    // RFC 6761 §6.4: names under `.invalid` never resolve.
    let fault = Fault::from(run(client("https://nosuch.invalid").get("/x").send()).unwrap_err());
    assert_eq!((fault.kind, fault.causes.last().map(String::as_str)), (Kind::Temporary, Some("tried 3 times")));
}

#[test]
fn tls_spoken_to_a_port_that_has_none_is_tried_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("https://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 1024]);
        write!(stream, "HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
    });
    let fault = Fault::from(run(client(&address).get("/x").send()).unwrap_err());
    server.join().unwrap();
    assert_eq!((fault.kind, fault.causes.len()), (Kind::Temporary, 0), "{fault:?}");
}
