//! `--deadline`: one instant for the whole run, which also covers what sends nothing.

use emulators::Doppler;
use emulators::http::Fault;
use serde_json::json;

use super::backends::{STATE, files, program};
use super::refused;
use crate::support::Step;

#[test]
fn a_deadline_is_not_restarted_by_the_next_service() {
    // Both services ask for a pause of a second. Of two seconds that leaves time for one pause, so the second service is asked once.
    let doppler = Doppler::start();
    let busy = || Fault::status(503).header("retry-after", "1");
    let encrypted = std::fs::read_to_string(super::fixtures().join("pulumi-vectors.json")).unwrap();
    let encrypted: serde_json::Value = serde_json::from_str(&encrypted).unwrap();
    let vector = encrypted["opentofu"].get(0).unwrap_or(&encrypted["opentofu"])["state"].clone();
    let server = files("", &[("/state", vector.to_string().into())]);
    server.fail("GET /state", busy().times(1));
    doppler.fail("*", busy());
    let url = format!("{}/state", server.url());
    let step = Step::new("stack-output").args(["ip", "--state", &url, "--deadline", "2"]).doppler(&doppler);
    refused(step, 75, &["secrets/download", "past the deadline"]);
    assert_eq!(server.requests().len(), 2);
    assert_eq!(doppler.requests().len(), 1);
}

#[test]
fn a_deadline_ends_a_pipe_that_sends_nothing() {
    // Opened for reading and writing, a FIFO has a writer that never writes.
    for call in [
        "stack-output ip --state - --deadline 1 <>never",
        "stack-output ip --state never --deadline 1",
        "exec 3<>never; stack-output ip --state never --deadline 1",
        "exec 3<>never; stack-output ip --state /dev/fd/3 --deadline 1",
        "exec 3<>never; echo '{\"version\":4,' >&3; stack-output ip --state - --deadline 1 <&3",
    ] {
        refused(Step::script(&format!("mkfifo never; {call}")), 75, &["before the deadline of 1s", "--deadline"]);
    }
    let passphrase = "mkfifo never; PULUMI_CONFIG_PASSPHRASE_FILE=never exec stack-output --show-secrets --deadline 1 db_password --state ";
    let step = Step::script(&format!("{passphrase} '{}'", super::state("prod")));
    refused(step, 75, &["PULUMI_CONFIG_PASSPHRASE_FILE", "before the deadline"]);
}

#[test]
fn a_pipe_in_place_of_a_file_of_settings_never_hangs() {
    for (setup, code, words) in [
        ("mkdir .terraform; mkfifo .terraform/terraform.tfstate; echo > main.tf", 2, "not a regular file"),
        ("mkdir .terraform; mkfifo .terraform/environment; echo > main.tf", 2, "not a regular file"),
        ("mkfifo main.tf; touch terraform.tfstate", 2, "not a regular file"),
        (
            "mkdir login; mkfifo login/credentials.json; export PULUMI_HOME=$PWD/login PULUMI_STACK=a/b/c",
            77,
            "PULUMI_ACCESS",
        ),
    ] {
        refused(Step::script(&format!("{setup}; exec stack-output ip --deadline 1")), code, &[words]);
    }
    for (variable, state) in [("AWS_SHARED_CREDENTIALS_FILE", "s3"), ("AWS_CONFIG_FILE", "s3")] {
        let call =
            format!("mkfifo never; {variable}=never exec stack-output ip --deadline 1 --state {state}://bucket/key");
        refused(Step::script(&call), 75, &["never", "before the deadline"]);
    }
    let cloud =
        "terraform {\n  cloud {\n    organization = \"acme\"\n    workspaces {\n      name = \"shop\"\n    }\n  }\n}\n";
    let call = "mkfifo never; TF_CLI_CONFIG_FILE=never exec stack-output ip --deadline 1";
    refused(Step::script(call).file("main.tf", cloud), 75, &["never", "before the deadline"]);
}

#[test]
fn a_deadline_ends_a_server_that_sends_nothing() {
    let server = files("", &[("/state", STATE.into())]);
    server.fail("GET /state", Fault::hang());
    let url = format!("{}/state", server.url());
    refused(Step::new("stack-output").args(["ip", "--state", &url, "--deadline", "1"]), 75, &["/state"]);
}

#[test]
fn what_cannot_get_better_is_not_tried_until_the_deadline() {
    // The error counts the attempts if there was more than one.
    let server = files("", &[]);
    let plain = server.url().replace("http://", "https://");
    for (url, words) in [("http://127.0.0.1:1", "Connection refused"), (plain.as_str(), "InvalidContentType")] {
        let seen = Step::new("stack-output").args(["ip", "--state", &format!("{url}/x")]).run().exits(75);
        assert!(seen.stderr.contains(words) && !seen.stderr.contains("tried"), "{}", seen.stderr);
    }
    let seen = Step::new("stack-output").args(["ip", "--state", "https://nosuch.invalid/x"]).run().exits(75);
    assert!(!seen.stderr.contains("until the deadline"), "{}", seen.stderr);
}

#[test]
fn a_long_wait_is_reported_once() {
    // The program that is asked ends as soon as the line is there.
    let script = format!("until grep -q 'waiting for' said; do :; done; echo '{ANSWER}'");
    let pointer = json!({"version": 3, "backend": {"type": "pg", "config": {}}});
    let call = "PATH=$PWD/bin:$PATH stack-output ip 2>said; cat said >&2";
    let step = Step::script(call).file(".terraform/terraform.tfstate", pointer.to_string()).file("said", "");
    let seen = program(step, "terraform", &script).run().exits(0);
    assert_eq!(seen.stdout, "10.0.0.1\n");
    // For 5 s, or a little longer on a busy machine.
    let line = "waiting for `terraform output -json -no-color` for ";
    assert_eq!(seen.stderr.matches(line).count(), 1, "{}", seen.stderr);
}

const ANSWER: &str = r#"{"ip":{"sensitive":false,"type":"string","value":"10.0.0.1"}}"#;
