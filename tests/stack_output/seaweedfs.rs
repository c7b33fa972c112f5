//! Pulumi's and Terraform's layouts in a real S3 store that is not Amazon's.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::written::applied;
use super::{fixtures, refused};
use crate::support::{Served, Step, peer};

const KEY: (&str, &str) = ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE");
const SECRET: (&str, &str) = ("AWS_SECRET_ACCESS_KEY", "aws-secret-key-value");

/// SeaweedFS with the empty bucket `states`.
struct SeaweedFs {
    served: Served,
    curl: PathBuf,
}

impl SeaweedFs {
    fn start() -> Option<Self> {
        let curl = peer("curl")?;
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("s3.json");
        let identity = serde_json::json!({"identities": [{"name": "deploy", "actions": ["Admin", "Read", "List", "Write"],
            "credentials": [{"accessKey": KEY.1, "secretKey": SECRET.1}]}]});
        fs::write(&config, identity.to_string()).unwrap();
        // Every part of it has a port for HTTP and one for gRPC. All are reserved before the first is given back.
        let reserved: Vec<TcpListener> = (0..7).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let parts = [
            "master.port",
            "master.port.grpc",
            "volume.port",
            "volume.port.grpc",
            "filer.port",
            "filer.port.grpc",
            "s3.port.grpc",
        ];
        let mut arguments: Vec<String> = reserved
            .iter()
            .zip(parts)
            .map(|(port, name)| format!("-{name}={}", port.local_addr().unwrap().port()))
            .collect();
        drop(reserved);
        arguments.insert(0, "server".to_owned());
        let fixed = "-dir=. -ip=127.0.0.1 -ip.bind=127.0.0.1 -volume.max=5 -master.volumeSizeLimitMB=64 -master.telemetry=false \
                     -filer -s3 -s3.port={port} -s3.port.iceberg=0 -s3.port.lance=0";
        arguments.extend(fixed.split(' ').filter(|word| !word.is_empty()).map(str::to_owned));
        arguments.push(format!("-s3.config={}", config.display()));
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let served = Served::start("weed", &arguments, &[])?;
        let store = Self { served, curl };
        store.put("states", None);
        Some(store)
    }

    /// Stores a file; creates a bucket without one.
    fn put(&self, path: &str, file: Option<&Path>) {
        let mut curl = Command::new(&self.curl);
        // It answers before it can store.
        curl.args(["-sSf", "--retry", "60", "--retry-all-errors", "--retry-delay", "1", "-X", "PUT"]);
        curl.args(["--aws-sigv4", "aws:amz:us-east-1:s3", "--user", &format!("{}:{}", KEY.1, SECRET.1)]);
        if let Some(file) = file {
            curl.arg("--upload-file").arg(file);
        }
        let output = curl.arg(format!("{}/{path}", self.served.url())).output().unwrap();
        assert!(output.status.success(), "{path}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// A call with the store's key in its environment.
fn step(arguments: &[&str]) -> Step {
    Step::new("stack-output").args(arguments).env(KEY.0, KEY.1).workflow_secret(SECRET.0, SECRET.1)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn pulumis_stores_are_read_in_each_layout_and_compression() {
    let Some(store) = SeaweedFs::start() else { return };
    for case in ["plain", "gzip", "zstd", "legacy"] {
        let folder = fixtures().join("real/pulumi").join(case);
        for file in files(&folder.join("store")) {
            let key = file.strip_prefix(folder.join("store")).unwrap().display().to_string();
            store.put(&format!("states/team/{case}/{key}"), Some(&file));
        }
        let backend = format!("s3://states/team/{case}?region=us-east-1&endpoint={}", store.served.url());
        let step = |arguments: &[&str]| {
            let step = step(&["--backend", &backend, "--cwd", &folder.join("project").display().to_string()]);
            step.args(arguments)
        };
        let expected = fs::read_to_string(folder.join("hidden.json")).unwrap();
        let public: serde_json::Value = serde_json::from_str(&expected).unwrap();
        let ip = step(&["django_server_ip", "--stack", "dev"]).run().exits(0).stdout;
        assert_eq!(Some(ip.trim_end()), public["django_server_ip"].as_str(), "{case}");
        let passphrase = fs::read_to_string(folder.join("passphrase")).unwrap();
        let shown = step(&["--stack", "dev", "--format", "json", "--show-secrets"])
            .workflow_secret("PULUMI_CONFIG_PASSPHRASE", passphrase.trim_end())
            .run()
            .exits(0);
        assert_eq!(shown.stdout, fs::read_to_string(folder.join("shown.json")).unwrap(), "{case}");
        let nearest = if case == "legacy" { "help" } else { "--stack dev, the nearest name" };
        refused(step(&["django_server_ip", "--stack", "def"]), 1, &["no stack `def`", nearest]);
    }
}

#[test]
fn terraforms_workspaces_are_read_before_and_after_init() {
    let Some(store) = SeaweedFs::start() else { return };
    if peer("terraform").is_none() {
        return;
    }
    for (key, prefix) in [("app/terraform.tfstate", None), ("b", Some("")), ("c/d", Some("teams/web"))] {
        let prefix = prefix.map(|prefix| format!("workspace_key_prefix = \"{prefix}\"\n")).unwrap_or_default();
        let block = format!(
            "backend \"s3\" {{\nbucket = \"states\"\nkey = \"{key}\"\nregion = \"us-east-1\"\nuse_path_style = true\n{prefix}\
             endpoints = {{ s3 = \"{0}\" }}\nskip_credentials_validation = true\nskip_requesting_account_id = true\n\
             skip_metadata_api_check = true\nskip_s3_checksum = true\n}}",
            store.served.url()
        );
        let folder = applied(&block, &["default", "prod"], &[KEY, SECRET]);
        let step = |arguments: &[&str]| step(arguments).cwd(folder.path());
        assert_eq!(step(&["workspace", "list[0]"]).run().exits(0).stdout, "prod\na\n");
        // As in a fresh checkout, and beside a state from before the move.
        fs::remove_dir_all(folder.path().join(".terraform")).unwrap();
        fs::write(folder.path().join("terraform.tfstate"), super::backends::STATE).unwrap();
        assert_eq!(step(&["workspace"]).run().exits(0).stdout, "default\n");
        assert_eq!(step(&["workspace", "--stack", "prod"]).run().exits(0).stdout, "prod\n");
        let mistyped = step(&["workspace", "--stack", "prd", "--default", "x"]);
        refused(mistyped, 1, &["the workspace `prd` does not exist", "--stack prod, the nearest name"]);
    }
}
