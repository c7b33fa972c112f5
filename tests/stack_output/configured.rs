//! Projects whose configuration names a backend: a state file beside it is never read in its place.

use serde_json::json;

use super::backends::{STATE, alone, files, initialised, with_aws, with_program};
use super::refused;
use crate::support::{Step, peer};

/// What a move to another backend leaves behind.
const STALE: &str = r#"{"version":4,"terraform_version":"1.11.4","serial":1,"lineage":"l","outputs":{
    "ip":{"value":"192.0.2.66","type":"string"}},"resources":[]}"#;

/// A fresh checkout that holds a stale local state and these files.
fn checkout(configuration: &[(&str, &str)], arguments: &[&str]) -> Step {
    let step = with_aws(Step::new("stack-output")).args(arguments).file("terraform.tfstate", STALE);
    configuration.iter().fold(alone(step), |step, (name, text)| step.file(name, text))
}

fn s3(url: &str) -> String {
    format!(
        "terraform {{\n  backend \"s3\" {{\n    bucket    = \"bucket\"\n    key       = \"k/state\"\n    region    = \"eu-west-1\"\n    \
         endpoints = {{ s3 = \"{url}\" }}\n  }}\n}}\n"
    )
}

#[test]
fn a_literal_backend_is_read_from_its_store_and_not_from_a_state_file_beside_it() {
    let server = files("", &[("/bucket/k/state", STATE.into())]);
    let native = s3(&server.url());
    let json = json!({"terraform": {"backend": {"s3": {
        "bucket": "bucket", "key": "k/state", "region": "eu-west-1", "endpoints": {"s3": server.url()}}}}});
    for (name, text) in [
        ("main.tf", native.clone()),
        ("backend.tofu", native.clone()),
        ("backend_override.tf", native.clone()),
        ("main.tf.json", json.to_string()),
        ("main.tofu.json", json.to_string()),
    ] {
        let step = checkout(&[("output.tf", "locals {}"), (name, &text)], &["ip"]);
        assert_eq!(step.run().exits(0).stdout, "203.0.113.9\n", "{name}");
    }
    let http =
        format!("terraform {{\n  backend \"http\" {{\n    address = \"{}/bucket/k/state\"\n  }}\n}}\n", server.url());
    assert_eq!(checkout(&[("main.tf", &http)], &["ip"]).run().exits(0).stdout, "203.0.113.9\n");
    let variable = checkout(&[("main.tf", "terraform {\n  backend \"http\" {}\n}\n")], &["ip"]);
    let variable = variable.env("TF_HTTP_ADDRESS", format!("{}/bucket/k/state", server.url()));
    assert_eq!(variable.run().exits(0).stdout, "203.0.113.9\n");
}

#[test]
fn a_tofu_file_hides_the_tf_file_of_its_name() {
    let local = "terraform {\n  backend \"local\" {\n    path = \"kept.tfstate\"\n  }\n}\n";
    let gone = s3("http://127.0.0.1:1");
    let step = checkout(&[("main.tf", &gone), ("main.tofu", local), ("kept.tfstate", STATE)], &["ip"]);
    assert_eq!(step.run().exits(0).stdout, "203.0.113.9\n");
    let step = checkout(&[("main.tf", &gone), ("override.tf", local), ("kept.tfstate", STATE)], &["ip"]);
    assert_eq!(step.run().exits(0).stdout, "203.0.113.9\n");
}

#[test]
fn a_backend_that_needs_init_exits_2_and_names_it() {
    let empty = |kind: &str| format!("terraform {{\n  backend \"{kind}\" {{}}\n}}\n");
    let variable = "terraform {\n  backend \"s3\" {\n    bucket = var.bucket\n    key = \"k\"\n  }\n}\n";
    for (files, words) in [
        (vec![("main.tf", empty("s3"))], ["`bucket`", "main.tf", "`terraform init`", "--state s3://"]),
        (vec![("main.tf", empty("gcs"))], ["`bucket`", "main.tf", "`terraform init`", "--state gs://"]),
        (
            vec![("main.tf", empty("azurerm"))],
            ["`storage_account_name`", "main.tf", "`terraform init`", "--state azblob://"],
        ),
        (vec![("main.tf", empty("http"))], ["`address`", "main.tf", "`terraform init`", "--state https://"]),
        (vec![("main.tofu", empty("s3"))], ["`bucket`", "main.tofu", "`tofu init`", "--state s3://"]),
        (vec![("main.tofu", variable.to_owned())], ["`bucket`", "not a literal", "`tofu init`", "--state s3://"]),
        (
            vec![("main.tf", "terraform {\n  cloud {}\n}\n".to_owned())],
            ["`cloud`", "`organization`", "`terraform init`", "--state -"],
        ),
        (
            vec![("main.tf", variable.to_owned()), (".terraform.lock.hcl", "# registry.opentofu.org/x/y".to_owned())],
            ["`bucket`", "not a literal", "`tofu init`", "--state s3://"],
        ),
    ] {
        let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
        for arguments in [&["ip"][..], &["ip", "--default", "192.0.2.1"]] {
            refused(checkout(&files, arguments), 2, &words);
        }
    }
}

#[test]
fn a_configuration_that_cannot_be_read_is_not_passed_over() {
    refused(
        checkout(&[("main.tf", "terraform {\n  backend \"s3\" {\n")], &["ip"]),
        2,
        &["main.tf", "line 2", "--state"],
    );
    refused(checkout(&[("main.tf.json", "{\"terraform\": ")], &["ip"]), 2, &["main.tf.json", "cut off", "--state"]);
    let (one, other) = (s3("http://127.0.0.1:1"), "terraform {\n  cloud {}\n}\n");
    refused(checkout(&[("a.tf", &one), ("b.tf", other)], &["ip"]), 2, &["several backends", "a.tf", "b.tf"]);
    // What names no backend may hold anything.
    assert_eq!(checkout(&[("main.tf", "resource {{{")], &["ip"]).run().exits(0).stdout, "192.0.2.66\n");
}

#[test]
fn a_stored_backend_that_differs_from_the_configuration_exits_2() {
    let server = files("", &[("/bucket/k/state", STATE.into())]);
    let stored =
        json!({"bucket": "bucket", "key": "k/state", "region": "eu-west-1", "endpoints": [{"s3": server.url()}]});
    let step = |name: &str, configuration: &str| {
        let step = with_aws(initialised("s3", &stored, &["ip"])).file("terraform.tfstate", STALE);
        alone(step.file(name, configuration))
    };
    let block = |attributes: &str| format!("terraform {{\n  backend \"s3\" {{\n{attributes}\n  }}\n}}\n");
    for same in ["", "bucket = \"bucket\"", "key = var.key"] {
        assert_eq!(step("main.tf", &block(same)).run().exits(0).stdout, "203.0.113.9\n", "{same}");
    }
    refused(
        step("main.tf", &block("bucket = \"other\"")),
        2,
        &["`bucket`", "main.tf", "`terraform init`", "--state s3://"],
    );
    refused(step("main.tofu", &block("key = \"other\"")), 2, &["`key`", "main.tofu", "`tofu init`"]);
    let gcs = "terraform {\n  backend \"gcs\" {\n    bucket = \"bucket\"\n  }\n}\n";
    refused(step("main.tf", gcs), 2, &["`s3`", "`gcs`", "`terraform init`", "--state gs://"]);
    refused(step("main.tf", "locals {}"), 2, &["`s3`", "names none", "`terraform init`"]);
}

#[test]
fn terraform_refuses_what_is_refused_here_and_reads_what_is_read_here() {
    let Some(terraform) = peer("terraform") else { return };
    let refuses = |folder: &std::path::Path| {
        let mut command = std::process::Command::new(&terraform);
        let command = command.args(["output", "-raw", "ip"]).current_dir(folder).env("CHECKPOINT_DISABLE", "1");
        !command.output().unwrap().status.success()
    };
    for block in ["backend \"s3\" {}", "cloud {\n organization = \"acme\"\n}"] {
        let step = checkout(&[("main.tf", &format!("terraform {{\n{block}\n}}\n"))], &["ip", "--deadline", "5"]);
        assert!(refuses(step.folder()), "{block}");
        assert_ne!(step.run().code, 0, "{block}");
    }
    let step = checkout(&[("main.tf", "locals {}\n")], &["ip"]);
    assert!(!refuses(step.folder()));
    assert_eq!(step.run().exits(0).stdout, "192.0.2.66\n");
}

#[test]
fn terraform_is_never_run_for_a_project_of_opentofu() {
    let answer = r#"echo '{"ip":{"sensitive":false,"type":"string","value":"10.0.0.1"}}'"#;
    let pg = "terraform {\n  backend \"pg\" {}\n}\n";
    let step = |name: &str, program: &str| with_program(checkout(&[(name, pg)], &["ip"]), program, answer);
    assert_eq!(step("main.tofu", "tofu").run().exits(0).stdout, "10.0.0.1\n");
    refused(step("main.tofu", "terraform"), 2, &["`pg`", "on PATH"]);
    assert_eq!(step("main.tf", "terraform").run().exits(0).stdout, "10.0.0.1\n");
    let locked = step("main.tf", "terraform").file(".terraform.lock.hcl", "provider \"registry.opentofu.org/a/b\" {}");
    refused(locked, 2, &["`pg`", "on PATH"]);
}

#[test]
fn an_empty_workspace_key_prefix_is_not_the_default_one() {
    let server = files("", &[("/bucket/wq/k/state", STATE.into()), ("/bucket/env:/wq/k/state", STALE.into())]);
    let endpoints = json!({"s3": server.url()});
    let config = json!({"bucket": "bucket", "key": "k/state", "endpoints": endpoints, "workspace_key_prefix": ""});
    let step = alone(with_aws(initialised("s3", &config, &["ip", "--stack", "wq"])));
    assert_eq!(step.run().exits(0).stdout, "203.0.113.9\n");
}

#[test]
fn a_default_does_not_hide_a_mistyped_workspace() {
    let server = files("", &[("/bucket/k/state", STATE.into())]);
    let config = json!({"bucket": "bucket", "key": "k/state", "endpoints": {"s3": server.url()}});
    let step = |arguments: &[&str]| alone(with_aws(initialised("s3", &config, arguments)));
    refused(
        step(&["ip", "--stack", "wq", "--default", "x"]),
        1,
        &["the workspace `wq` does not exist", "env:/wq/k/state"],
    );
    // The workspace `default` exists before anything was applied.
    let config = json!({"bucket": "bucket", "key": "other", "endpoints": {"s3": server.url()}});
    let step = alone(with_aws(initialised("s3", &config, &["ip", "--default", "x"])));
    assert_eq!(step.run().exits(0).stdout, "x\n");
}

#[test]
fn a_configuration_that_cannot_be_read_is_never_taken_for_one_without_a_backend() {
    let utf16: Vec<u8> = "terraform {\n  backend \"s3\" {}\n}\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let store = "terraform {\n  state_store \"acme_bucket\" {\n    provider \"acme\" {}\n  }\n}\n";
    let misspelt = "terraform {\n  backend \"local\" {\n    paht = \"kept.tfstate\"\n  }\n}\n";
    refused(checkout(&[], &["ip"]).file("backend.tf", &utf16), 2, &["backend.tf", "not UTF-8"]);
    refused(checkout(&[("main.tf", store)], &["ip"]), 2, &["main.tf", "only terraform reads", "--state -"]);
    refused(checkout(&[("main.tf", misspelt)], &["ip"]), 2, &["`paht`", "main.tf"]);
    let script = |setup: &str| {
        let step = Step::script(&format!("{setup}\nPATH=$PWD/bin:$PATH exec stack-output ip"));
        step.file("terraform.tfstate", STALE).file("main.tf", "locals {}\n")
    };
    refused(script("ln -s ../nowhere/backend.tf backend.tf"), 2, &["backend.tf", "No such file"]);
    let name = "printf 'terraform {\\n  backend \"s3\" {}\\n}\\n' > \"$(printf 'b\\377.tf')\"";
    refused(script(name), 2, &["`s3`", "`bucket`"]);
}

#[test]
fn a_selected_workspace_that_cannot_be_read_is_never_default() {
    let selected: Vec<u8> = "\u{feff}prod\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let step =
        || checkout(&[("main.tf", "locals {}")], &["ip"]).file("terraform.tfstate.d/prod/terraform.tfstate", STATE);
    refused(step().file(".terraform/environment", &selected), 2, &[".terraform/environment", "UTF-8", "--stack"]);
    refused(step().file(".terraform/environment/folder", ""), 2, &[".terraform/environment", "TF_WORKSPACE"]);
    let marked = step().file(".terraform/environment", "\u{feff}prod\r\n");
    assert_eq!(marked.run().exits(0).stdout, "203.0.113.9\n");
}

#[test]
fn what_terraform_accepts_is_read() {
    let local = |path: &str| format!("terraform {{\n  backend \"local\" {{\n    path = {path}\n  }}\n}}\n");
    // A number is converted, and the last override file wins.
    let number = checkout(&[("main.tf", &local("5")), ("5", STATE)], &["ip"]);
    assert_eq!(number.run().exits(0).stdout, "203.0.113.9\n");
    let files = [
        ("main.tf", s3("http://127.0.0.1:1")),
        ("a_override.tf", local("\"gone.tfstate\"")),
        ("b_override.tf", local("\"kept.tfstate\"")),
        ("kept.tfstate", STATE.to_owned()),
    ];
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    assert_eq!(checkout(&files, &["ip"]).run().exits(0).stdout, "203.0.113.9\n");
    let latin1 = [b"# Stra\xdfe\n".as_slice(), local("\"kept.tfstate\"").as_bytes()].concat();
    let step = checkout(&[("kept.tfstate", STATE)], &["ip"]).file("main.tf", &latin1);
    assert_eq!(step.run().exits(0).stdout, "203.0.113.9\n");
}

#[test]
fn the_error_of_a_missing_workspace_lists_those_that_exist() {
    let step = checkout(&[("main.tf", "locals {}")], &["ip", "--stack", "europe"]);
    let step = step.file("terraform.tfstate.d/prod/terraform.tfstate", STATE);
    let seen = step.run().exits(1);
    assert!(seen.stderr.contains("exists: prod") && !seen.stderr.contains("terraform apply"), "{}", seen.stderr);
}
