//! How much is read from each source, and the errors for a truncated, broken or endless state.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;

use super::{piped, refused};
use crate::support::Step;

/// The beginning of a state, its outputs first.
const HEAD: &str = r#"{"version":4,"terraform_version":"1.11.4","serial":1,"lineage":"l","outputs":{"ip":{"value":"203.0.113.9","type":"string"}},"resources":[""#;

/// Plays `scripts`, one a connection, each after the request's head was read.
fn serve(scripts: Vec<fn(&mut TcpStream)>) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/state", listener.local_addr().unwrap());
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
    (address, server)
}

fn begin(stream: &mut TcpStream, length: usize) {
    write!(stream, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{HEAD}")
        .unwrap();
}

#[test]
fn a_state_of_200_mb_at_an_address_is_answered_from_its_first_kilobytes() {
    let (address, server) = serve(vec![|stream| {
        begin(stream, 200 << 20);
        stream.write_all(&vec![b'x'; 256 << 10]).unwrap();
        // Nothing more: an answer that needs it never comes.
        assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0);
    }]);
    let seen = Step::new("stack-output").args(["ip", "--state", &address]).run().exits(0);
    assert_eq!(seen.stdout, "203.0.113.9\n");
    server.join().unwrap();
}

#[test]
fn a_truncated_answer_is_requested_again_and_never_used_in_part() {
    let whole = |stream: &mut TcpStream| {
        begin(stream, HEAD.len() + 3);
        stream.write_all(b"\"]}").unwrap();
    };
    let (address, server) = serve(vec![|stream| begin(stream, 4096), whole]);
    let seen = Step::new("stack-output").args(["ip", "--state", &address]).run().exits(0);
    assert_eq!(seen.stdout, "203.0.113.9\n");
    server.join().unwrap();
    let (address, server) = serve(vec![|stream| {
        begin(stream, 4096);
        assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0);
    }]);
    let step = Step::new("stack-output").args(["ip", "--deadline", "1", "--state", &address]);
    refused(step, 75, &["no complete answer", "/state"]);
    server.join().unwrap();
}

#[test]
fn a_page_at_an_address_is_no_state() {
    let (address, server) = serve(vec![|stream| {
        let page = "<!DOCTYPE html><title>Sign in</title>";
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {}\r\n\r\n{page}", page.len())
            .unwrap();
    }]);
    refused(Step::new("stack-output").args(["ip", "--state", &address]), 2, &["/state", "not JSON"]);
    server.join().unwrap();
}

#[test]
fn a_pipe_of_400_mb_is_read_to_its_end_in_little_memory() {
    // With `pipefail`, as in Actions: a writer that is left alone would fail the step.
    let script = format!(
        "{{ printf '%s' '{HEAD}'; head -c 400000000 /dev/zero | tr '\\0' x; printf '\"]}}'; }} \
         | (ulimit -v 120000; stack-output --state - ip)"
    );
    assert_eq!(Step::script(&script).run().exits(0).stdout, "203.0.113.9\n");
}

#[test]
fn a_pipe_that_breaks_off_after_the_outputs_is_refused() {
    refused(piped(HEAD, &["ip"]), 2, &["cut off"]);
    refused(piped(&format!("{HEAD}{}", "x".repeat(1 << 20)), &["ip"]), 2, &["cut off"]);
}

#[test]
fn a_named_pipe_is_read_as_a_pipe() {
    let script = format!("stack-output ip --state <(printf '%s' '{HEAD}\"]}}')");
    assert_eq!(Step::script(&script).run().exits(0).stdout, "203.0.113.9\n");
}

#[test]
fn a_file_of_ten_gigabytes_is_refused_before_it_is_read() {
    let file = tempfile::NamedTempFile::new().unwrap();
    // All of it a hole.
    file.as_file().set_len(10 << 30).unwrap();
    let step = Step::new("stack-output").arg("ip").arg("--state").arg(file.path());
    refused(step, 2, &["larger than 4096 MiB"]);
}

#[test]
fn a_truncated_or_corrupted_compressed_file_is_refused() {
    let pack = format!("printf '%s' '{HEAD}{}\"]}}' | gzip -1 >whole.gz;", "x".repeat(100_000));
    for (change, words) in [
        ("head -c -8 whole.gz >state.gz", "its gzip compression is cut off"),
        ("cat whole.gz - <<<garbage-that-follows >state.gz", "its gzip compression is broken"),
        ("{ head -c -8 whole.gz; printf '12345678'; } >state.gz", "its gzip compression is broken"),
    ] {
        refused(Step::script(&format!("{pack} {change}; stack-output ip --state state.gz")), 2, &["state.gz", words]);
    }
}

#[test]
fn a_backend_that_answers_other_json_than_a_state_is_not_believed() {
    let (address, server) = serve(vec![|stream| {
        let words = r#"{"message":"Sign in first","ip":"192.0.2.66"}"#;
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{words}", words.len()).unwrap();
    }]);
    let pointer = format!(r#"{{"version":3,"backend":{{"type":"http","config":{{"address":"{address}"}}}}}}"#);
    let step = Step::new("stack-output").args(["ip", "--default", "x"]).file(".terraform/terraform.tfstate", pointer);
    refused(step, 2, &["it is JSON, but neither a state"]);
    server.join().unwrap();
}

#[test]
fn yaml_without_end_is_refused_and_ends_no_stack() {
    let deep = "[".repeat(100_000);
    let step =
        |file: &str| Step::new("stack-output").args(["ip", "-s", "prod", "--backend", "file://./s"]).file(file, &deep);
    refused(step("Pulumi.yaml"), 2, &["Pulumi.yaml"]);
    refused(step("s/.pulumi/meta.yaml").file("Pulumi.yaml", "name: shop\n"), 2, &["meta.yaml"]);
}
