//! Remote backends: Terraform's `http`, `s3`, `remote` and `cloud`, and a Pulumi store in a bucket.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use emulators::Doppler;
use emulators::http::{Fault, Request, Response, Server, Service};
use serde_json::json;

use super::{fixtures, refused};
use crate::support::Step;

pub(super) const STATE: &str = r#"{"version":4,"terraform_version":"1.11.4","serial":1,"lineage":"l","outputs":{
    "ip":{"value":"203.0.113.9","type":"string"}},"resources":[],"check_results":null}"#;

/// Serves bytes by path; asks for whatever `authorization` begins with.
struct Files {
    files: BTreeMap<String, Vec<u8>>,
    authorization: String,
}

impl Service for Files {
    fn answer(&self, request: &Request) -> Response {
        if !request.header("authorization").unwrap_or_default().starts_with(&self.authorization) {
            return Response::new(
                403,
                "application/xml",
                "<Error><Code>AccessDenied</Code><Message>No.</Message></Error>",
            );
        }
        match self.files.get(&request.path) {
            Some(body) => Response::new(200, "application/octet-stream", body.clone()),
            None => {
                Response::new(404, "application/xml", "<Error><Code>NoSuchKey</Code><Message>No.</Message></Error>")
            }
        }
    }
}

pub(super) fn files(authorization: &str, files: &[(&str, Vec<u8>)]) -> Server {
    let files = files.iter().map(|(path, body)| ((*path).to_owned(), body.clone())).collect();
    let authorization = authorization.to_owned();
    Server::start(|_| Files { files, authorization })
}

/// Without terraform, tofu and pulumi on `PATH`.
pub(super) fn alone(step: Step) -> Step {
    step.env("PATH", "/nowhere")
}

/// With a program on `PATH` that notes its arguments in `asked` and runs `script`, and no other.
pub(super) fn with_program(step: Step, name: &str, script: &str) -> Step {
    let step = program(step, name, script);
    let bin = step.folder().join("bin").display().to_string();
    step.env("PATH", bin)
}

/// Writes that program into the folder `bin`.
pub(super) fn program(step: Step, name: &str, script: &str) -> Step {
    use std::os::unix::fs::PermissionsExt as _;

    let path = format!("bin/{name}");
    let step = step.file(&path, format!("#!/bin/bash\necho \"$0 $*\" >> asked\n{script}\n"));
    let file = step.folder().join(path);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    step
}

/// A step in a folder that `terraform init` prepared for this backend.
pub(super) fn initialised(kind: &str, config: &serde_json::Value, arguments: &[&str]) -> Step {
    let pointer =
        json!({"version": 3, "terraform_version": "1.11.4", "backend": {"type": kind, "config": config, "hash": 1}});
    Step::new("stack-output").args(arguments).file(".terraform/terraform.tfstate", pointer.to_string())
}

pub(super) fn with_aws(step: Step) -> Step {
    step.workflow_secret("AWS_SECRET_ACCESS_KEY", "aws-secret-key-value").env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
}

const SIGNED: &str = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/";

#[test]
fn an_http_backend_is_read_with_its_login() {
    let login = format!("Basic {}", BASE64_STANDARD.encode("user:http-password"));
    let server = files(&login, &[("/state/prod", STATE.into())]);
    let config = json!({"address": format!("{}/state/prod?lock=1", server.url()), "username": null, "password": null});
    let step = || initialised("http", &config, &["ip"]).env("TF_HTTP_USERNAME", "user");
    assert_eq!(step().workflow_secret("TF_HTTP_PASSWORD", "http-password").run().exits(0).stdout, "203.0.113.9\n");
    assert_eq!(server.requests()[0].query, "lock=1");
    refused(step().workflow_secret("TF_HTTP_PASSWORD", "wrong-password"), 77, &["403", "TF_HTTP_USERNAME"]);
    let doppler = Doppler::start();
    doppler.set("dev", "TF_HTTP_PASSWORD", "http-password");
    assert_eq!(step().doppler(&doppler).run().exits(0).stdout, "203.0.113.9\n");
}

#[test]
fn an_http_backend_without_a_state_exits_1() {
    let server = files("", &[]);
    let config = json!({"address": format!("{}/state", server.url())});
    refused(initialised("http", &config, &["ip"]), 1, &["no output `ip`", "nothing was applied"]);
    server.fail("GET /state", Fault::status(204));
    refused(initialised("http", &config, &["ip"]), 1, &["nothing was applied"]);
    server.recover();
    server.fail("GET /state", Fault::status(200).body("text/html", "<html>sign in</html>"));
    refused(initialised("http", &config, &["ip"]), 2, &["not JSON"]);
    let config = json!({"address": format!("{}/state", server.url()), "skip_cert_verification": true});
    refused(alone(initialised("http", &config, &["ip"])), 2, &["skip_cert_verification"]);
    refused(initialised("http", &json!({"address": "http://example.com/state"}), &["ip"]), 2, &["plain http"]);
}

#[test]
fn an_s3_backend_is_read_by_workspace() {
    let qa = STATE.replace("203.0.113.9", "198.51.100.1");
    let server = files(SIGNED, &[("/bucket/app/state", STATE.into()), ("/bucket/env%3A/qa/app/state", qa.into())]);
    let config =
        json!({"bucket": "bucket", "key": "app/state", "region": "eu-west-1", "endpoints": {"s3": server.url()}});
    let step = |arguments: &[&str]| with_aws(initialised("s3", &config, arguments));
    assert_eq!(step(&["ip"]).run().exits(0).stdout, "203.0.113.9\n");
    assert_eq!(step(&["ip", "--stack", "qa"]).run().exits(0).stdout, "198.51.100.1\n");
    refused(step(&["ip", "--stack", "nope"]), 1, &["the workspace `nope` does not exist"]);
    assert!(server.requests()[0].header("authorization").unwrap().contains("/eu-west-1/s3/aws4_request"));
    refused(initialised("s3", &config, &["ip"]), 77, &["AWS_ACCESS_KEY_ID is missing"]);
    let config = json!({"bucket": "bucket", "key": "k", "assume_role": {"role_arn": "arn", "tags": {"a": "b"}}});
    refused(alone(initialised("s3", &config, &["ip"])), 2, &["assume_role.tags", "terraform output -json"]);
    let config = json!({"bucket": "bucket", "key": "k", "custom_ca_bundle": "ca.pem"});
    refused(alone(initialised("s3", &config, &["ip"])), 2, &["custom_ca_bundle", "terraform output -json"]);
}

#[test]
fn a_pulumi_store_in_a_bucket_is_read() {
    let state = |name: &str| std::fs::read(fixtures().join("file-v1/.pulumi/stacks/shop").join(name)).unwrap();
    let server = files(
        SIGNED,
        &[
            ("/bucket/team/.pulumi/meta.yaml", b"version: 1\n".to_vec()),
            ("/bucket/team/.pulumi/stacks/shop/prod.json", state("prod.json")),
            ("/bucket/team/.pulumi/stacks/shop/gz.json.gz", state("gz.json.gz")),
        ],
    );
    let url = format!("s3://bucket/team?region=eu-west-1&s3ForcePathStyle=true&endpoint={}", server.url());
    let step = |stack: &str| with_aws(Step::new("stack-output")).args(["port", "--backend", &url, "--stack", stack]);
    assert_eq!(step("organization/shop/prod").run().exits(0).stdout, "8000\n");
    assert_eq!(step("organization/shop/gz").run().exits(0).stdout, "8000\n");
    refused(step("organization/shop/nosuch"), 1, &["no stack `nosuch`"]);
    refused(step("shop"), 2, &["the project of the stack"]);
    server.fail("GET /bucket/*", Fault::status(503));
    refused(step("organization/shop/prod").args(["--deadline", "1"]), 75, &["GET http://127.0.0.1"]);
    let other = Step::new("stack-output").args(["port", "-s", "prod", "--backend", "s3://bucket?role=me"]);
    refused(other, 2, &["not a role's ARN"]);
}

#[test]
fn a_local_backend_may_store_its_state_in_another_folder() {
    let config = json!({"path": "state/custom.tfstate", "workspace_dir": "state/ws"});
    let qa = STATE.replace("203.0.113.9", "198.51.100.1");
    let step = |arguments: &[&str]| {
        let step = initialised("local", &config, arguments).file("state/custom.tfstate", STATE);
        step.file("state/ws/qa/terraform.tfstate", &qa)
    };
    assert_eq!(step(&["ip"]).run().exits(0).stdout, "203.0.113.9\n");
    assert_eq!(step(&["ip", "--stack", "qa"]).run().exits(0).stdout, "198.51.100.1\n");
    refused(step(&["ip", "--stack", "../../etc"]), 2, &["cannot be a workspace"]);
}

#[test]
fn terraform_is_run_if_its_backend_is_not_supported_and_stderr_reports_it() {
    let step = |script: &str| {
        let step = initialised("consul", &json!({"path": "x"}), &["ip", "--stack", "qa"]);
        with_program(step, "terraform", script)
    };
    let answer = r#"echo "{\"ip\":{\"sensitive\":false,\"type\":\"string\",\"value\":\"$TF_WORKSPACE ${DOPPLER_TOKEN-none}\"}}""#;
    let seen = step(answer).env("DOPPLER_TOKEN", "dp.st.token").run().exits(0);
    assert_eq!(seen.stdout, "qa none\n");
    assert!(
        seen.stderr.contains("cannot read Terraform's backend `consul`; running `terraform output -json"),
        "{}",
        seen.stderr
    );
    let seen = step("echo '::set-output name=x::y' >&2; exit 1").run().exits(1);
    assert!(seen.stdout.is_empty() && seen.outputs.is_empty(), "{}", seen.stderr);
    refused(alone(initialised("consul", &json!({}), &["ip"])), 2, &["`consul`", "on PATH", "terraform output -json"]);
}

#[test]
fn pulumi_is_run_if_its_backend_or_secrets_provider_is_not_supported() {
    let script = r#"case "$*" in
        *--show-secrets*) echo '{"ip":"10.0.0.1","pw":"hunter2-of-pulumi"}' ;;
        *) echo '{"ip":"10.0.0.1","pw":"[secret]"}' ;;
    esac"#;
    let backend = |arguments: &[&str]| {
        let step =
            Step::new("stack-output").args(["--backend", "postgres://bucket", "--stack", "organization/shop/prod"]);
        with_program(step.args(arguments), "pulumi", script)
    };
    assert_eq!(backend(&["ip"]).run().exits(0).stdout, "10.0.0.1\n");
    refused(backend(&["pw"]), 77, &["--show-secrets"]);
    let seen = backend(&["pw", "--show-secrets"]).secret("hunter2-of-pulumi").run().exits(0);
    assert_eq!(seen.stdout, "hunter2-of-pulumi\n");
    let other = Step::new("stack-output")
        .args(["-s", "prod", "ip"])
        .workflow_secret("PULUMI_BACKEND_URL", "postgres://u:hunter2@h");
    refused(alone(other.secret("hunter2")), 2, &["`postgres`", "`pulumi` on PATH"]);

    let state = std::fs::read_to_string(fixtures().join("file-v1/.pulumi/stacks/shop/kms.json")).unwrap();
    let state = state.replace("awskms://alias/deploy", "otherkms://v/keys/k");
    let step = Step::new("stack-output").args(["pw", "--show-secrets", "-s", "organization/shop/kms"]);
    let step = step.file("store/.pulumi/stacks/shop/kms.json", state).args(["--backend", "file://./store"]);
    let seen = with_program(step, "pulumi", script).secret("hunter2-of-pulumi").run().exits(0);
    assert_eq!(seen.stdout, "hunter2-of-pulumi\n");
    assert!(seen.stderr.contains("cannot decrypt the secrets"), "{}", seen.stderr);
}

#[test]
fn a_state_at_an_address_is_read() {
    let server = files("", &[("/a/state", STATE.into()), ("/bucket/k/state", STATE.into())]);
    let step = |url: &str| with_aws(Step::new("stack-output")).args(["ip", "--state", url]);
    assert_eq!(step(&format!("{}/a/state?token=x", server.url())).run().exits(0).stdout, "203.0.113.9\n");
    let url = format!("s3://bucket/k/state?region=eu-west-1&endpoint={}", server.url());
    assert_eq!(step(&url).run().exits(0).stdout, "203.0.113.9\n");
    let profile = format!("[default]\nregion = eu-west-1\nendpoint_url = {}\n", server.url());
    let of_profile = step("s3://bucket/k/state").file("config", profile).env("AWS_CONFIG_FILE", "config");
    assert_eq!(of_profile.run().exits(0).stdout, "203.0.113.9\n");
    assert!(server.requests().last().unwrap().header("authorization").unwrap().contains("/eu-west-1/s3/"));
    refused(step(&format!("{}/nosuch", server.url())), 1, &["nothing found at"]);
    refused(step("ftp://x/y"), 2, &["--state"]);
}
