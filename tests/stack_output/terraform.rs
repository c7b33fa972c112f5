//! Terraform's state, compared with the real `terraform` if it is installed.

use std::fs;
use std::path::Path;

use emulators::http::{Request, Response, Server, Service};
use serde_json::json;
use tempfile::TempDir;

use super::refused;
use crate::support::{Step, peer};

/// Outputs of every kind that Terraform has.
const CONFIGURATION: &str = r#"
output "s" { value = "plain" }
output "multi" { value = "line one\nline two\n" }
output "html" { value = "<a href='x'>&\u2028\u0001\u0008\u000c\"\\</a>" }
output "unicode" { value = "héllo 💜" }
output "empty" { value = "" }
output "n" { value = 8000 }
output "big" { value = 12345678901234567890123 }
output "fraction" { value = 0.123456789012345678901234567890123456 }
output "tiny" { value = 0.000000001 }
output "yes" { value = true }
output "list" { value = tolist(["a", "b"]) }
output "set" { value = toset(["b", "a"]) }
output "tuple" { value = ["a", 1, true, null] }
output "map" { value = tomap({ z = "1", a = "2" }) }
output "object" { value = { z = 1, a = { b = [] }, n = null } }
output "none" { value = null }
output "pw" {
  value     = "hunter2"
  sensitive = true
}
"#;

fn terraform(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = std::process::Command::new("terraform");
    command.args(arguments).current_dir(folder).env("CHECKPOINT_DISABLE", "1");
    let output = command.output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

/// A folder in which the real terraform applied [`CONFIGURATION`]; `None` without terraform.
fn applied() -> Option<TempDir> {
    let folder = tempfile::tempdir().unwrap();
    peer("terraform")?;
    fs::write(folder.path().join("main.tf"), CONFIGURATION).unwrap();
    assert_eq!(terraform(folder.path(), &["init"]).0, Some(0));
    assert_eq!(terraform(folder.path(), &["apply", "-auto-approve"]).0, Some(0));
    Some(folder)
}

fn ours(folder: &Path, arguments: &[&str]) -> Step {
    Step::new("stack-output").args(arguments).cwd(folder).plain()
}

const STATE: &str = r#"{"version":4,"terraform_version":"1.11.4","serial":1,"lineage":"l","outputs":{
    "ip":{"value":"203.0.113.9","type":"string"},
    "pw":{"value":{"user":"root","key":"hunter2"},"type":["object",{"user":"string","key":"string"}],"sensitive":true}
},"resources":[],"check_results":null}"#;

#[test]
fn values_print_as_terraform_prints_them() {
    let Some(folder) = applied() else { return };
    let folder = folder.path();
    for name in ["s", "multi", "html", "unicode", "empty", "n", "big", "fraction", "tiny", "yes"] {
        let (code, raw) = terraform(folder, &["output", "-raw", name]);
        assert_eq!(code, Some(0), "{name}");
        assert_eq!(ours(folder, &[name]).run().exits(0).stdout, raw + "\n", "{name}");
    }
    for name in ["s", "html", "n", "big", "list", "set", "tuple", "map", "object"] {
        let (_, json) = terraform(folder, &["output", "-json", name]);
        assert_eq!(ours(folder, &[name, "--format", "json"]).run().exits(0).stdout, json, "{name}");
    }
    let (_, json) = terraform(folder, &["output", "-json"]);
    let all = ours(folder, &["--format", "json", "--show-secrets"]).secret("hunter2").may_print_secrets();
    assert_eq!(all.run().exits(0).stdout, json);
    refused(ours(folder, &["none"]), 1, &["no output `none`"]);
    let show = terraform(folder, &["show", "-json"]).1;
    let step = ours(folder, &["--state", "-", "object.a", "big"]).stdin(show);
    assert_eq!(step.run().exits(0).stdout, "{\"b\":[]}\n12345678901234567890123\n");
}

#[test]
fn a_sensitive_output_needs_show_secrets_and_is_masked_leaf_by_leaf() {
    let step = |arguments: &[&str]| Step::new("stack-output").args(arguments).file("terraform.tfstate", STATE);
    assert_eq!(step(&["ip"]).run().exits(0).stdout, "203.0.113.9\n");
    refused(step(&["pw"]), 77, &["--show-secrets"]);
    refused(step(&["pw.key"]), 77, &["--show-secrets"]);
    let seen = step(&["pw.key", "--show-secrets"]).secret("hunter2").run().exits(0);
    assert_eq!(seen.stdout, "hunter2\n");
    let seen = step(&["--format", "json"]).secret("hunter2").run().exits(0);
    assert!(seen.json().get("pw").is_none() && seen.stderr.contains("pw"));
}

#[test]
fn a_state_in_which_nothing_was_applied_exits_1_and_prints_nothing() {
    let empty = r#"{"version":4,"terraform_version":"1.11.4","serial":1,"lineage":"l","outputs":{},"resources":[]}"#;
    let step = |state: &str| Step::new("stack-output").args(["ip"]).file("terraform.tfstate", state);
    refused(step(empty), 1, &["no output `ip`", "nothing was applied"]);
    refused(step(""), 1, &["no output `ip`", "nothing was applied"]);
    refused(step("{}"), 2, &["neither a state"]);
    refused(Step::new("stack-output").args(["ip"]).file("main.tf", ""), 1, &["has no state"]);
}

#[test]
fn a_workspace_is_read_by_flag_variable_or_selection() {
    let qa = STATE.replace("203.0.113.9", "198.51.100.1");
    let step = || {
        let step = Step::new("stack-output").args(["ip"]).file("terraform.tfstate", STATE);
        step.file("terraform.tfstate.d/qa/terraform.tfstate", &qa)
    };
    assert_eq!(step().run().exits(0).stdout, "203.0.113.9\n");
    assert_eq!(step().args(["--stack", "qa"]).run().exits(0).stdout, "198.51.100.1\n");
    assert_eq!(step().env("TF_WORKSPACE", "qa").run().exits(0).stdout, "198.51.100.1\n");
    assert_eq!(step().file(".terraform/environment", "qa").run().exits(0).stdout, "198.51.100.1\n");
    refused(step().env("TF_WORKSPACE", "nope"), 1, &["the workspace `nope` has no state"]);
}

#[test]
fn a_state_from_before_terraform_0_12_is_read() {
    let state = r#"{"version":3,"terraform_version":"0.11.14","serial":1,"lineage":"l","modules":[
        {"path":["root","child"],"outputs":{"ip":{"sensitive":false,"type":"string","value":"child"}}},
        {"path":["root"],"outputs":{"ip":{"sensitive":false,"type":"string","value":"10.0.0.9"}}}]}"#;
    let step = Step::new("stack-output").args(["ip"]).file("terraform.tfstate", state);
    assert_eq!(step.run().exits(0).stdout, "10.0.0.9\n");
}

#[test]
fn a_truncated_state_exits_2_though_its_outputs_are_whole() {
    let state = &STATE[..STATE.find("\"resources\"").unwrap()];
    refused(Step::new("stack-output").args(["ip"]).file("terraform.tfstate", state), 2, &["cut off"]);
    let resource = r#"{"mode":"managed","type":"x","name":"y","instances":[{"attributes":{"a":"b"}}]}"#;
    let large = STATE.replace("\"resources\":[", &format!("\"resources\":[{},", vec![resource; 10_000].join(",")));
    let cut = &large[..large.len() - resource.len() * 100];
    let cut = &cut[..=cut.rfind('}').unwrap()];
    refused(Step::new("stack-output").args(["ip"]).file("terraform.tfstate", cut), 2, &["cut off"]);
}

#[test]
fn an_encrypted_state_of_opentofu_is_read_with_its_passphrase() {
    let vectors = fs::read_to_string(super::fixtures().join("pulumi-vectors.json")).unwrap();
    let vectors: serde_json::Value = serde_json::from_str(&vectors).unwrap();
    let vector = vectors["opentofu"].get(0).unwrap_or(&vectors["opentofu"]).clone();
    let step = || Step::new("stack-output").args(["ip"]).file("terraform.tfstate", vector["state"].to_string());
    let variable = "STACK_OUTPUT_STATE_PASSPHRASE";
    let seen = step().workflow_secret(variable, vector["passphrase"].as_str().unwrap()).run().exits(0);
    assert_eq!(seen.stdout, "203.0.113.7\n");
    refused(step().workflow_secret(variable, "not-the-passphrase"), 77, &["the passphrase is not the one", variable]);
    refused(step(), 77, &[variable]);
}

#[test]
fn terraforms_data_folder_may_be_another_one() {
    let qa = STATE.replace("203.0.113.9", "198.51.100.1");
    let step = || {
        let pointer = r#"{"version":3,"backend":{"type":"local","config":{"path":"moved.tfstate"}}}"#;
        let step = Step::new("stack-output").args(["ip"]).env("TF_DATA_DIR", "data/tf");
        step.file("data/tf/terraform.tfstate", pointer).file("moved.tfstate", STATE)
    };
    assert_eq!(step().run().exits(0).stdout, "203.0.113.9\n");
    let selected = step().file("data/tf/environment", "qa").file("terraform.tfstate.d/qa/terraform.tfstate", &qa);
    assert_eq!(selected.run().exits(0).stdout, "198.51.100.1\n");
}

#[test]
fn a_state_file_can_be_named_from_anywhere() {
    let step = |state: &str| Step::new("stack-output").args(["ip", "-C", "infra", "--state", state]);
    let step = |state: &str| step(state).file("infra/terraform.tfstate.backup", STATE);
    assert_eq!(step("terraform.tfstate.backup").run().exits(0).stdout, "203.0.113.9\n");
    refused(step("terraform.tfstate"), 2, &["infra/terraform.tfstate", "No such file"]);
}

#[test]
fn the_pointer_of_terraform_init_is_read_or_refused_with_a_reason() {
    let step = |pointer: &str| Step::new("stack-output").args(["ip"]).file(".terraform/terraform.tfstate", pointer);
    for (pointer, words) in [
        ("{", "it is cut off"),
        ("<html>", "it is not JSON"),
        (r#"{"version":3,"backend":{"config":{}}}"#, "its backend has no type"),
        (r#"{"version":3,"state_store":{"type":"x"}}"#, "only terraform reads"),
        (r#"{"version":3,"backend":{"type":"http","config":{}}}"#, "TF_HTTP_ADDRESS"),
        (r#"{"version":3,"backend":{"type":"remote","config":{"organization":"acme"}}}"#, "TF_WORKSPACE"),
    ] {
        refused(step(pointer), 2, &[words]);
    }
    // Before 0.9 there was none, and a local state has none still.
    let none = step(r#"{"version":3,"backend":null}"#).file("terraform.tfstate", STATE);
    assert_eq!(none.run().exits(0).stdout, "203.0.113.9\n");
}

#[test]
fn a_state_of_a_newer_terraform_is_read_and_of_a_newer_version_refused() {
    let step = |state: String| Step::new("stack-output").args(["ip"]).file("terraform.tfstate", state);
    assert_eq!(step(STATE.replace("1.11.4", "99.0.0")).run().exits(0).stdout, "203.0.113.9\n");
    refused(step(STATE.replace("\"version\":4", "\"version\":5")), 2, &["its version is 5"]);
}

#[test]
fn an_http_backend_gets_one_request_and_no_lock() {
    struct Recorded;
    impl Service for Recorded {
        fn answer(&self, _: &Request) -> Response {
            Response::new(200, "application/json", STATE)
        }
    }
    let server = Server::start(|_| Recorded);
    let address = format!("{}/state", server.url());
    let config = json!({"address": address, "lock_address": format!("{address}/lock"), "lock_method": "POST"});
    let pointer = json!({"version": 3, "backend": {"type": "http", "config": config}});
    let step = Step::new("stack-output").args(["ip"]).file(".terraform/terraform.tfstate", pointer.to_string());
    assert_eq!(step.run().exits(0).stdout, "203.0.113.9\n");
    let calls: Vec<String> = server.requests().iter().map(|it| format!("{} {}", it.method, it.path)).collect();
    assert_eq!(calls, ["GET /state"]);
}

#[test]
fn a_mistyped_workspace_is_met_with_the_nearest_name() {
    let step = |name: &str| {
        let state = super::backends::STATE;
        Step::new("stack-output")
            .args(["ip", "--stack", name])
            .file("terraform.tfstate.d/prod/terraform.tfstate", state)
    };
    assert_eq!(step("prod").run().exits(0).stdout, "203.0.113.9\n");
    refused(step("prd"), 1, &["the workspace `prd` has no state", "--stack prod, the nearest name"]);
}
