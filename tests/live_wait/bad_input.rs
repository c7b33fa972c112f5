//! What is given wrongly, and services that misbehave.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use super::server::{Server, answer, version};
use super::{NEW, target, wait};
use crate::support::{Seen, Step};

#[track_caller]
fn refused(arguments: &[&str], text: &str) -> Seen {
    let seen = Step::new("live-wait").plain().args(arguments.to_vec()).run().exits(2);
    assert!(seen.stderr.contains(text), "{arguments:?}: {}", seen.stderr);
    assert_eq!(seen.stdout, "");
    seen
}

#[test]
fn no_target_no_revision_and_an_empty_one_are_2() {
    refused(&[], "no target is given");
    refused(&["http", "--json", ".a", "--revision", NEW], "<URL>");
    refused(&["http", "https://example.com", "--json", ".a"], "--revision");
    refused(&["http", "https://example.com", "--revision", NEW], "--json");
    for empty in ["", " ", "null", "undefined"] {
        refused(&["http", "https://example.com", "--json", ".a", "--revision", empty], "the revision is");
    }
    refused(&["swarm", "web"], "--image");
    refused(&["swarm", "web", "--label", "rev="], "empty");
    refused(&["swarm", "--image", "web:1"], "--stack");
    refused(&["image", "ghcr.io/acme/app:"], "tag is empty");
    refused(&["image", "app", "--digest", "sha256:1"], "not a digest");
    refused(&["image", "app", "--platform", "amd64"], "not a platform");
    refused(&["kube", "deployment"], "KIND/NAME");
    refused(&["kube", "gateway/web"], "unknown kind `gateway`");
}

#[test]
fn an_address_that_cannot_be_asked_is_2_and_no_password_in_it_is_shown() {
    let url = |text: &str, why: &str| refused(&["http", text, "--json", ".a", "--revision", NEW], why);
    url("ftp://example.com", "only http and https");
    url("example.com", "cannot be asked");
    let seen = url("https://user:hunter2@example.com/?token=hunter2", "--send-header");
    assert!(!seen.stderr.contains("hunter2"), "{}", seen.stderr);
    let step = Step::new("live-wait").plain().args(["http", "http://example.com", "--json", ".a", "--revision", NEW]);
    let seen = step.args(["--send-header", "A=B"]).env("B", "x").run().exits(2);
    assert!(seen.stderr.contains("readable on the way"), "{}", seen.stderr);
    refused(&["http", "https://example.com", "--json", "a b", "--revision", NEW], "not a path");
    refused(&["http", "https://example.com", "--text", "build", "--revision", NEW], "0 groups");
    refused(&["swarm", "web", "--image", "web:1", "--host", "nonsense"], "not the address of a Docker engine");
}

#[test]
fn a_name_that_does_not_resolve_and_a_port_that_refuses_are_75_after_the_grace() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let refusing = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    for (url, code) in [("http://no-such-name.invalid/", "no_such_name"), (refusing.as_str(), "refused")] {
        let seen = wait("http").args([url, "--json", ".a", "--revision", NEW]).run().exits(75);
        assert_eq!(target(&seen)["reason"]["code"], code);
    }
}

#[test]
fn a_socket_that_accepts_and_is_silent_does_not_outlast_the_deadline() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let begun = Instant::now();
    wait("http").args([&url, "--json", ".a", "--revision", NEW, "--deadline", "1s"]).run().exits(75);
    let docker = format!("tcp://{}", silent.local_addr().unwrap());
    wait("swarm").args(["web", "--image", "web:1", "--host", &docker, "--deadline", "1s"]).run().exits(75);
    assert!(begun.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_body_without_end_is_bounded() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            std::thread::spawn(move || {
                let _head = stream.read(&mut [0; 4096]);
                let _sent = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
                let piece = vec![b'x'; 65536];
                while stream.write_all(&piece).is_ok() {}
            });
        }
    });
    let seen = wait("http").args([&url, "--json", ".a", "--revision", NEW, "--deadline", "2s"]).run().exits(3);
    assert!(seen.stderr.contains("only the first 1 MiB"), "{}", seen.stderr);
}

#[test]
fn what_a_server_answers_starts_no_workflow_command_and_no_secret_in_it_is_shown() {
    let hostile = "::error::no ##[add-mask]e \u{1b}[31m";
    let server = Server::start("127.0.0.1", 0, move |_| version(hostile));
    let step = Step::new("live-wait").args(["http", &server.url(), "--json", ".build.commit", "--revision", NEW]);
    let seen = step.args(["--interval", "0.1s", "--deadline", "1s"]).run().exits(3);
    assert_eq!((seen.annotations.len(), &seen.complaints), (1, &Vec::new()), "{}", seen.stderr);
    assert!(!seen.stderr.contains('\u{1b}'), "{}", seen.stderr);
    let echo = Server::start("127.0.0.1", 0, |head| {
        let header = head.lines().find_map(|line| line.to_lowercase().strip_prefix("x-token: ").map(str::to_owned));
        answer("200 OK", &format!("X-Rev: {}\r\n", header.unwrap_or_default()), "")
    });
    let step = wait("http").args([&echo.url(), "--from-header", "x-rev", "--revision", NEW, "--deadline", "1s"]);
    step.args(["--send-header", "X-Token=APP_TOKEN"])
        .workflow_secret("APP_TOKEN", "hunter2-hunter2-hunter2")
        .run()
        .exits(3);
}
