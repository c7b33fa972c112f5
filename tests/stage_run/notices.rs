//! Messages: to stand-ins that hold them to the services' limits.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc;

use super::Project;

/// A server on loopback that answers each request with `status`, and hands on what it was sent: path and body.
pub(crate) fn server(status: &'static str) -> (String, mpsc::Receiver<(String, serde_json::Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut line, mut length, mut path) = (String::new(), 0, String::new());
            loop {
                line.clear();
                if reader.read_line(&mut line).unwrap_or(0) == 0 || line.trim().is_empty() {
                    break;
                }
                let lower = line.to_ascii_lowercase();
                if let Some(value) = lower.strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                } else if line.starts_with("POST ") {
                    line.split(' ').nth(1).unwrap().clone_into(&mut path);
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let _ = write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
            if send.send((path, serde_json::from_slice(&body).unwrap())).is_err() {
                return;
            }
        }
    });
    (address, receive)
}

const PLAN: &str = r#"
title = "Home @everyone"
[notify]
discord = "DISCORD_WEBHOOK"
slack = "SLACK_WEBHOOK"
ntfy = "NTFY_TOPIC"
json = "EVENTS"
[[stage]]
name = "a"
run = "echo a secret line; test -e go"
"#;

#[test]
fn a_failure_and_a_recovery_are_told_without_output_or_mentions() {
    let project = Project::new(PLAN);
    let (address, received) = server("200 OK");
    let call = |arguments: &[&str]| {
        let variable = |path: &str| format!("{address}/{path}");
        project
            .step(arguments)
            .workflow_secret("DISCORD_WEBHOOK", &variable("api/webhooks/1/discord-token-1"))
            .workflow_secret("SLACK_WEBHOOK", &variable("services/T/B/slack-token-1"))
            .workflow_secret("NTFY_TOPIC", &variable("my-secret-topic"))
            .workflow_secret("EVENTS", &variable("events/json-token-1"))
            .run()
    };
    call(&[]).exits(1);
    let sent: Vec<_> = received.try_iter().collect();
    assert_eq!(sent.len(), 4, "{sent:?}");
    let all = serde_json::to_string(&sent.iter().map(|(_, body)| body).collect::<Vec<_>>()).unwrap();
    assert!(!all.contains("a secret line") && !all.contains("test -e go"), "{all}");
    let of = |path: &str| sent.iter().find(|(sent, _)| sent == path).map(|(_, body)| body).unwrap();
    let discord = of("/api/webhooks/1/discord-token-1");
    assert_eq!(discord["allowed_mentions"], serde_json::json!({ "parse": [] }));
    assert!(discord["embeds"][0]["title"].as_str().unwrap().contains(r"\@everyone"), "{discord}");
    assert_eq!(of("/services/T/B/slack-token-1")["blocks"][0]["type"], "header");
    assert_eq!(of("/")["topic"], "my-secret-topic");
    let events = of("/events/json-token-1");
    assert_eq!(
        (&events["result"], &events["stage"], &events["next"]),
        (&"failed".into(), &"a".into(), &"stage-run --resume".into())
    );
    std::fs::write(project.path().join("go"), "").unwrap();
    call(&["--resume"]).exits(0);
    let sent: Vec<_> = received.try_iter().collect();
    assert!(sent.iter().any(|(_, body)| body["result"] == "recovered"), "{sent:?}");
    call(&[]).exits(0);
    assert_eq!(received.try_iter().count(), 0, "a run that passes as the one before is not told");
    call(&["--notify-test"]).exits(0);
    assert_eq!(received.try_iter().count(), 4);
}

#[test]
fn a_message_that_cannot_be_sent_is_a_warning_without_the_address() {
    let plan = "[notify]\ndiscord = \"HOOK\"\n[[stage]]\nname = \"a\"\nrun = \"exit 1\"";
    let project = Project::new(plan);
    let (address, _received) = server("404 Not Found");
    let address = format!("{address}/api/webhooks/1/hidden-token-7");
    let seen = project.step(&[]).workflow_secret("HOOK", &address).run().exits(1);
    assert!(
        seen.stderr.contains("warning: cannot send a message to Discord") && seen.stderr.contains("404"),
        "{}",
        seen.stderr
    );
    let seen = project.call(&[]).exits(1);
    assert!(seen.stderr.contains("`HOOK` is set neither here nor in Doppler"), "{}", seen.stderr);
    let seen = project.step(&[]).workflow_secret("HOOK", "http://192.0.2.1/hidden-token-8").run().exits(1);
    assert!(seen.stderr.contains("neither https nor http to this machine"), "{}", seen.stderr);
}
