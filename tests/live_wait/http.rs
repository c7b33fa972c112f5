//! Two servers behind one port, two addresses of one name, redirects, logins.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::server::{Server, answer, version};
use super::{NEW, OLD, evidence, target, wait};
use crate::support::{Seen, Step, skipped};

fn json(step: Step) -> Step {
    step.args(["--json", ".build.commit", "--revision", NEW])
}

fn asks(url: &str) -> Step {
    json(wait("http").arg(url))
}

/// An answer that changes with each request.
fn in_turn(revisions: &'static [&'static str]) -> impl Fn(&str) -> String + Send + 'static {
    let count = AtomicUsize::new(0);
    move |_| version(revisions[count.fetch_add(1, Ordering::Relaxed).min(revisions.len() - 1)])
}

#[test]
fn what_is_live_already_ends_after_three_rounds_on_three_connections() {
    let server = Server::start("127.0.0.1", 0, |_| version(NEW));
    let found = target(&asks(&server.url()).run().exits(0));
    assert_eq!((&found["status"], &found["proof_count"]), (&"passed".into(), &3.into()));
    assert_eq!(server.connections.load(Ordering::Relaxed), 3);
    assert!(server.requests().iter().all(|head| head.starts_with("GET /version ")), "never HEAD, no query");
}

#[test]
fn an_old_answer_begins_the_count_again() {
    let server = Server::start("127.0.0.1", 0, in_turn(&[OLD, NEW, NEW, OLD, NEW, NEW, NEW]));
    let found = target(&asks(&server.url()).run().exits(0));
    assert_eq!(found["look_count"], 7, "{found}");
    assert!(evidence(&found).contains(&format!("OLD {OLD}")), "{found}");
}

#[test]
fn an_old_instance_behind_the_same_port_is_seen_by_new_connections() {
    // Every third connection meets the old one, as it does behind a balancer or with SO_REUSEPORT.
    let count = AtomicUsize::new(0);
    let server = Server::start("127.0.0.1", 0, move |_| {
        version(if count.fetch_add(1, Ordering::Relaxed) % 3 == 2 { OLD } else { NEW })
    });
    let seen = asks(&server.url()).args(["--deadline", "2s"]).run().exits(3);
    let found = target(&seen);
    assert_eq!(found["reason"]["code"], "deadline");
    assert!(seen.stderr.starts_with("waiting for"), "{}", seen.stderr);
    assert!(seen.stderr.contains("is not live on"), "{}", seen.stderr);
}

/// Runs `test` if both addresses of `localhost` can be used.
fn with_two_addresses(test: impl Fn(&Server, &Server, u16)) {
    let first = Server::start("127.0.0.1", 0, |_| version(NEW));
    let port = first.address.port();
    if std::net::TcpListener::bind(("::1", port)).is_err() {
        skipped("this machine has no IPv6 loopback address");
        return;
    }
    let second = Server::start("::1", port, |_| version(OLD));
    test(&first, &second, port);
}

#[test]
fn an_old_version_at_the_second_address_of_a_name_is_found_and_named() {
    with_two_addresses(|_, _, port| {
        let url = format!("http://shop.localhost:{port}/version");
        let found = target(&asks(&url).args(["--deadline", "1s"]).run().exits(3));
        let why = found["reason"]["text"].as_str().unwrap();
        assert!(why.starts_with(&format!("::1: OLD {OLD}")) && why.contains("1 of 2 addresses"), "{why}");
        asks(&url).arg("-4").run().exits(0);
        asks(&url).args(["-6", "--deadline", "1s"]).run().exits(3);
    });
}

#[test]
fn every_localhost_name_is_this_machine_and_a_loopback_address_that_refuses_is_told() {
    let server = Server::start("127.0.0.1", 0, |_| version(NEW));
    for name in ["localhost", "shop.localhost", "a.b.localhost."] {
        let found = target(&asks(&format!("http://{name}:{}/version", server.address.port())).run().exits(0));
        let text = evidence(&found);
        assert!(text.contains("127.0.0.1: NEW") && text.contains("::1: "), "{found}");
    }
}

#[test]
fn redirects_are_followed_and_told_and_a_login_page_proves_nothing() {
    let target_server = Server::start("127.0.0.1", 0, |_| version(NEW));
    let to = target_server.url();
    let first = Server::start("127.0.0.1", 0, move |_| answer("302 Found", &format!("Location: {to}\r\n"), ""));
    let found = target(&asks(&first.url()).run().exits(0));
    assert!(evidence(&found).contains(&format!("302 → {}", target_server.url())), "{found}");
    let round = Server::start("127.0.0.1", 0, |_| answer("302 Found", "Location: /version\r\n", ""));
    let found = target(&asks(&round.url()).args(["--deadline", "1s"]).run().exits(3));
    assert!(found["reason"]["text"].as_str().unwrap().contains("more than 5 redirects"), "{found}");
    let login = Server::start("127.0.0.1", 0, |_| answer("200 OK", "", &format!("<html>please log in {NEW}</html>")));
    let found = target(&asks(&login.url()).args(["--deadline", "1s"]).run().exits(3));
    assert!(found["reason"]["text"].as_str().unwrap().contains("the body is not JSON"), "{found}");
}

#[test]
fn a_refused_login_is_77_only_when_it_is_the_last_answer() {
    let server = Server::start("127.0.0.1", 0, |_| answer("401 Unauthorized", "", ""));
    let seen = asks(&server.url()).args(["--deadline", "1s"]).run().exits(77);
    assert!(seen.stderr.contains("help: send a credential with --send-header"), "{}", seen.stderr);
    let count = AtomicUsize::new(0);
    server.answers(move |_| {
        if count.fetch_add(1, Ordering::Relaxed) < 3 { answer("403 Forbidden", "", "") } else { version(NEW) }
    });
    asks(&server.url()).run().exits(0);
}

#[test]
fn a_header_is_sent_to_its_own_host_only_and_never_shown() {
    let other = Server::start("127.0.0.1", 0, |_| version(NEW));
    let to = other.url();
    let own =
        Server::start("127.0.0.1", 0, move |_| answer("307 Temporary Redirect", &format!("Location: {to}\r\n"), ""));
    let step = asks(&own.url()).args(["--send-header", "Authorization=APP_TOKEN"]);
    step.workflow_secret("APP_TOKEN", "Bearer hunter2-hunter2-hunter2").run().exits(0);
    let sends = |server: &Server| server.requests().iter().filter(|head| head.contains("hunter2")).count();
    assert_eq!((sends(&own), sends(&other)), (3, 0));
    let seen = asks(&own.url()).args(["--send-header", "Authorization=NO_SUCH_TOKEN"]).run().exits(77);
    assert!(seen.stderr.contains("NO_SUCH_TOKEN"), "{}", seen.stderr);
}

#[test]
fn a_revision_is_read_from_a_header_or_by_a_group() {
    let server = Server::start("127.0.0.1", 0, |_| {
        answer("200 OK", &format!("X-Revision: {}\r\n", &NEW[..7]), &format!("<p>build {}</p>", &NEW[..12]))
    });
    let run = |options: &[&str]| wait("http").arg(server.url()).args(options.to_vec()).args(["--revision", NEW]).run();
    run(&["--from-header", "x-revision"]).exits(0);
    run(&["--text", "build ([0-9a-f]{7,40})"]).exits(0);
    let seen = run(&["--from-header", "x-other", "--deadline", "1s"]).exits(3);
    assert!(seen.stderr.contains("no header `x-other`"), "{}", seen.stderr);
}

#[test]
fn a_status_and_a_broken_answer_are_waited_through() {
    let count = AtomicUsize::new(0);
    let server = Server::start("127.0.0.1", 0, move |_| match count.fetch_add(1, Ordering::Relaxed) {
        0 => answer("503 Service Unavailable", "", ""),
        1 => String::new(),
        2 => answer("304 Not Modified", "", ""),
        _ => version(NEW),
    });
    let found = target(&asks(&server.url()).run().exits(0));
    assert!(evidence(&found).contains("status 503") && evidence(&found).contains("status 304"), "{found}");
}

#[test]
fn an_answer_that_was_seen_once_is_never_superseded() {
    let server = Server::start("127.0.0.1", 0, in_turn(&[NEW, OLD]));
    let found = target(&asks(&server.url()).args(["--deadline", "2s"]).run().exits(3));
    assert_eq!(found["reason"]["code"], "deadline");
}

#[test]
fn records_name_the_target_and_its_url() {
    let server = Server::start("127.0.0.1", 0, |_| version(NEW));
    let step = Step::new("live-wait").args(["http", &server.url(), "--interval", "0.05s", "--format", "jsonl"]);
    let seen: Seen = json(step).run().exits(0);
    let records = seen.records();
    let check = format!("live/{}/version", server.address);
    assert_eq!(records[0]["plan"][0], check.as_str());
    let end = records.iter().find(|record| record["event"] == "check_finished").unwrap();
    assert_eq!((&end["check"], &end["status"], &end["url"]), (&check.into(), &"passed".into(), &server.url().into()));
    assert!(seen.summary.contains("/version"), "{}", seen.summary);
}

#[test]
fn an_interrupted_wait_ends_with_its_last_look() {
    let server = Server::start("127.0.0.1", 0, |_| version(OLD));
    let mut started = asks(&server.url()).spawn();
    while server.connections.load(Ordering::Relaxed) < 2 {
        std::thread::yield_now();
    }
    let id = started.child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    started.child.stdin.take();
    let seen = started.finish().exits(143);
    assert!(seen.stderr.contains("interrupted") && seen.stderr.contains(OLD), "{}", seen.stderr);
    assert_eq!(seen.json()["exit_code"], 143);
}
