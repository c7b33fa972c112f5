//! Promises that a tool without a journal, or one that notifies of anything, would break.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc;

use super::super::Project;

/// The journal of a whole run, cut at every place where a write may have ended: no stage that had begun is started again by itself.
#[test]
fn after_a_power_cut_anywhere_no_stage_that_had_begun_runs_a_second_time() {
    let project = Project::new(
        "[[stage]]\nname = \"a\"\nrun = \"echo a >> done\"\n[[stage]]\nname = \"b\"\nrun = \"echo b >> done\"",
    );
    project.call(&[]).exits(0);
    let (whole, path) = (std::fs::read_to_string(project.journal()).unwrap(), project.journal());
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    let mut refused = 0;
    for count in 1..=lines.len() {
        let kept = lines[..count].concat();
        let begun = |stage: &str| {
            lines[..count]
                .iter()
                .any(|line| line.contains("\"step_started\"") && line.contains(&format!("deploy/{stage}")))
        };
        std::fs::write(&path, &kept).unwrap();
        let _ = std::fs::remove_file(project.path().join("done"));
        let code = project.call(&["--resume"]).code;
        let done = project.read("done");
        for stage in ["a", "b"] {
            assert!(!(begun(stage) && done.contains(stage)), "{count} lines: `{stage}` ran again");
            assert!(code != 0 || begun(stage) || done.contains(stage), "{count} lines: `{stage}` was left out");
        }
        refused += u32::from(code == 2 && count < lines.len());
    }
    assert!(refused >= 2, "no stage was ever half done");
}

/// A service on loopback that hands on each body.
fn service() -> (String, mpsc::Receiver<serde_json::Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/events", listener.local_addr().unwrap());
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut line, mut length) = (String::new(), 0);
            while reader.read_line(&mut line).unwrap_or(0) > 0 && !line.trim().is_empty() {
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                line.clear();
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let _ = send.send(serde_json::from_slice(&body).unwrap());
            let _ = write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
        }
    });
    (address, receive)
}

#[test]
fn a_message_says_what_happened() {
    let plan = "[notify]\njson = \"EVENTS\"\non = [\"passed\", \"failed\", \"recovered\"]\n\
        [[stage]]\nname = \"a\"\nrun = \"true\"\nundo = \"true\"\n[[stage]]\nname = \"b\"\nrun = \"test ! -e broken\"";
    let project = Project::new(plan);
    let (address, received) = service();
    let call = |arguments: &[&str], code: i32| {
        project.step(arguments).workflow_secret("EVENTS", &address).run().exits(code);
        received.try_iter().map(|body| body["result"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert!(call(&["--until", "a"], 3).is_empty());
    assert_eq!(call(&["--resume"], 0), ["passed"], "nothing had failed");
    assert!(call(&["--undo", "--yes"], 0).is_empty(), "what was undone has not passed");
    assert_eq!(call(&[], 0), ["passed"], "an undo is no failure");
    std::fs::write(project.path().join("broken"), "").unwrap();
    assert_eq!(call(&[], 1), ["failed"]);
    std::fs::remove_file(project.path().join("broken")).unwrap();
    assert!(call(&["--resume", "--until", "a"], 3).is_empty());
    assert_eq!(call(&["--resume"], 0), ["recovered"]);
}
