//! States that the real terraform wrote through its own backends: to S3 (moto serves it) and over http.
//!
//! `./check` installs moto; without it, or without terraform, these tests are skipped.

use std::fs;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use emulators::http::{Request, Response, Server, Service};
use tempfile::TempDir;

use crate::support::{Step, peer};

/// moto's server, ended when dropped.
struct Moto {
    child: Child,
    port: u16,
}

impl Drop for Moto {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Moto {
    fn start() -> Option<Self> {
        let program = peer("moto_server")?;
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new(program);
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().unwrap();
        let moto = Self { child, port };
        let begun = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begun.elapsed() < Duration::from_mins(1), "moto does not answer");
            std::thread::yield_now();
        }
        Some(moto)
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

/// A folder in which terraform applied one output per workspace through the backend `block`.
fn applied(block: &str, workspaces: &[&str], variables: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let outputs = "output \"workspace\" { value = terraform.workspace }\noutput \"list\" { value = [\"a\", 1] }\n";
    fs::write(folder.path().join("main.tf"), format!("terraform {{\n{block}\n}}\n{outputs}")).unwrap();
    let terraform = |arguments: &[&str]| {
        let mut command = Command::new("terraform");
        command
            .args(arguments)
            .current_dir(folder.path())
            .env("CHECKPOINT_DISABLE", "1")
            .envs(variables.iter().copied());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    terraform(&["init", "-no-color"]);
    for workspace in workspaces {
        if *workspace != "default" {
            terraform(&["workspace", "new", workspace]);
        }
        terraform(&["apply", "-auto-approve", "-no-color"]);
    }
    folder
}

#[test]
fn what_terraform_wrote_to_s3_is_read_in_every_workspace() {
    let (Some(moto), Some(_), Some(curl)) = (Moto::start(), peer("terraform"), peer("curl")) else { return };
    let bucket = format!("{}/states", moto.url());
    assert!(Command::new(curl).args(["-s", "-f", "-X", "PUT", &bucket]).status().unwrap().success());
    let block = format!(
        "backend \"s3\" {{\nbucket = \"states\"\nkey = \"app/terraform.tfstate\"\nregion = \"us-east-1\"\nuse_path_style = true\n\
         endpoints = {{ s3 = \"{}\" }}\nskip_credentials_validation = true\nskip_requesting_account_id = true\n\
         skip_metadata_api_check = true\n}}",
        moto.url()
    );
    let keys = [("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "aws-secret-key-value")];
    let folder = applied(&block, &["default", "prod"], &keys);
    let step = |arguments: &[&str]| {
        let step = Step::new("stack-output").args(arguments).cwd(folder.path()).env(keys[0].0, keys[0].1);
        step.workflow_secret(keys[1].0, keys[1].1)
    };
    assert_eq!(step(&["workspace", "list[0]"]).run().exits(0).stdout, "prod\na\n");
    assert_eq!(step(&["workspace", "--stack", "default"]).run().exits(0).stdout, "default\n");
}

/// Terraform's `http` backend, without locks.
#[derive(Default)]
struct Http(Mutex<Option<Vec<u8>>>);

impl Service for Http {
    fn answer(&self, request: &Request) -> Response {
        let mut state = self.0.lock().unwrap();
        match (request.method.as_str(), state.as_ref()) {
            ("GET", Some(state)) => Response::new(200, "application/json", state.clone()),
            ("GET", None) => Response::empty(404),
            _ => {
                *state = Some(request.body.to_vec());
                Response::empty(200)
            }
        }
    }
}

#[test]
fn what_terraform_wrote_over_http_is_read() {
    if peer("terraform").is_none() {
        return;
    }
    let server = Server::start(|_| Http::default());
    let folder = applied("backend \"http\" {}", &["default"], &[("TF_HTTP_ADDRESS", &server.url())]);
    let step = Step::new("stack-output").args(["workspace"]).cwd(folder.path()).env("TF_HTTP_ADDRESS", server.url());
    assert_eq!(step.run().exits(0).stdout, "default\n");
}
