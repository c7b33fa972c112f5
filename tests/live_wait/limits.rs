//! Answers without end: what is kept of them is bounded. Each wait runs with less memory than the answer is long.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use emulators::Kubernetes;

use super::NEW;
use super::cluster::recording;
use crate::support::Step;

/// 100 MB.
const LENGTH: usize = 100_000_000;

/// A `live-wait` that may use some 80 MB of data.
fn limited(arguments: &str) -> Step {
    Step::script(&format!("ulimit -d 80000; exec live-wait {arguments}")).plain()
}

#[test]
fn a_body_of_100_mb_is_not_kept() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _head = stream.read(&mut [0; 4096]);
            let _sent = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n");
            let piece = vec![b'x'; 65536];
            (0..LENGTH / piece.len()).take_while(|_| stream.write_all(&piece).is_ok()).for_each(drop);
        }
    });
    let arguments = format!("http {url} --json .a --revision {NEW} --interval 0.2s --deadline 2s");
    let seen = limited(&arguments).run().exits(3);
    assert!(seen.stderr.contains("only the first 1 MiB of the body was read"), "{}", seen.stderr);
}

#[test]
fn a_log_of_100_mb_is_not_kept() {
    let mut all: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(recording("deployment-crash")).unwrap()).unwrap();
    let line = format!("{}\n", "y".repeat(99));
    let pods = all["/api/v1/namespaces/deployment-crash/pods"]["items"].as_array().unwrap().clone();
    for pod in pods {
        let name = pod["metadata"]["name"].as_str().unwrap();
        all[format!("/api/v1/namespaces/deployment-crash/pods/{name}/log")] = line.repeat(LENGTH / line.len()).into();
    }
    let kubernetes = Kubernetes::start(&all.to_string());
    let step =
        limited("kube deployment/web -n deployment-crash --grace 0.5s --interval 0.2s --deadline 20s --format json");
    let step = step.file("kubeconfig", kubernetes.kubeconfig()).env("KUBECONFIG", "kubeconfig");
    let seen = step.knowing(kubernetes.secrets()).run().exits(1);
    let shown = seen.stdout.matches("yyyyyyyyyy\"").count();
    assert!(shown > 0 && seen.stdout.len() < 200_000, "{} lines of the log in {} bytes", shown, seen.stdout.len());
}
