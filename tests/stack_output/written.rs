//! States that the real terraform wrote through its own backends: to S3 (moto serves it), to Cloud Storage (gcp-storage-emulator), to
//! Azure (azurite) and over http.
//!
//! `./check` installs the servers; without one, or without terraform, its test is skipped.

use std::fs;
use std::process::Command;
use std::sync::Mutex;

use emulators::http::{Request, Response, Server, Service};
use tempfile::TempDir;

use super::azure::Azurite;
use crate::support::{Served, Step, peer};

/// moto, which serves S3 and STS.
pub(super) fn moto() -> Option<Served> {
    Served::start("moto_server", &["-H", "127.0.0.1", "-p", "{port}"], &[])
}

/// A folder in which terraform applied one output per workspace through the backend `block`.
pub(super) fn applied(block: &str, workspaces: &[&str], variables: &[(&str, &str)]) -> TempDir {
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
    let (Some(moto), Some(_), Some(curl)) = (moto(), peer("terraform"), peer("curl")) else { return };
    let bucket = format!("{}/states", moto.url());
    assert!(Command::new(curl).args(["-s", "-f", "-X", "PUT", &bucket]).status().unwrap().success());
    let role = "arn:aws:iam::123456789012:role/reader";
    let block = |key: &str, more: &str| {
        format!(
            "backend \"s3\" {{\nbucket = \"states\"\nkey = \"{key}\"\nregion = \"us-east-1\"\nuse_path_style = true\n\
             endpoints = {{ s3 = \"{0}\", sts = \"{0}\" }}\nskip_credentials_validation = true\nskip_requesting_account_id = true\n\
             skip_metadata_api_check = true\n{more}}}",
            moto.url()
        )
    };
    let keys = [("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "aws-secret-key-value")];
    for (key, more) in [("a", String::new()), ("b/c", format!("assume_role = {{ role_arn = \"{role}\" }}\n"))] {
        let folder = applied(&block(key, &more), &["default", "prod"], &keys);
        let step = |arguments: &[&str]| {
            let step = Step::new("stack-output").args(arguments).cwd(folder.path()).env(keys[0].0, keys[0].1);
            step.workflow_secret(keys[1].0, keys[1].1)
        };
        assert_eq!(step(&["workspace", "list[0]"]).run().exits(0).stdout, "prod\na\n");
        assert_eq!(step(&["workspace", "--stack", "default"]).run().exits(0).stdout, "default\n");
    }
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

#[test]
fn what_terraform_wrote_to_cloud_storage_is_read_in_every_workspace() {
    let arguments = ["start", "--host=127.0.0.1", "--port={port}", "--in-memory", "--default-bucket=states"];
    let Some(storage) = Served::start("gcp-storage-emulator", &arguments, &[]) else { return };
    if peer("terraform").is_none() {
        return;
    }
    let host = storage.address.to_string();
    let block = "backend \"gcs\" {\nbucket = \"states\"\nprefix = \"app\"\n}";
    let folder = applied(block, &["default", "prod"], &[("STORAGE_EMULATOR_HOST", &host)]);
    let step = |arguments: &[&str]| {
        Step::new("stack-output").args(arguments).cwd(folder.path()).env("STORAGE_EMULATOR_HOST", &host)
    };
    assert_eq!(step(&["workspace", "list[0]"]).run().exits(0).stdout, "prod\na\n");
    assert_eq!(step(&["workspace", "--stack", "default"]).run().exits(0).stdout, "default\n");
    let url = ["workspace", "--state", "gs://states/app/prod.tfstate"];
    assert_eq!(step(&url).run().exits(0).stdout, "prod\n");
}

#[test]
fn what_terraform_wrote_to_azure_is_read_in_every_workspace() {
    let Some(azurite) = Azurite::start() else { return };
    if peer("terraform").is_none() {
        return;
    }
    let block = "backend \"azurerm\" {\nstorage_account_name = \"acme\"\ncontainer_name = \"states\"\nkey = \"app/terraform.tfstate\"\n}";
    let (proxy, certificates) = (azurite.internet.url(), azurite.internet.certificates().display().to_string());
    let variables =
        [("ARM_ACCESS_KEY", azurite.key()), ("HTTPS_PROXY", proxy.as_str()), ("SSL_CERT_FILE", certificates.as_str())];
    let folder = applied(block, &["default", "prod"], &variables);
    let step = |arguments: &[&str]| {
        let step = Step::new("stack-output").args(arguments).cwd(folder.path()).internet(&azurite.internet);
        step.workflow_secret("ARM_ACCESS_KEY", azurite.key())
    };
    assert_eq!(step(&["workspace", "list[0]"]).run().exits(0).stdout, "prod\na\n");
    assert_eq!(step(&["workspace", "--stack", "default"]).run().exits(0).stdout, "default\n");
    assert_eq!(azurite.internet.asked(), ["acme.blob.core.windows.net"]);
}
