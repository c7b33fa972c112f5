//! The real consumers read back what was written: bash, dash, zsh, fish, node, npm's dotenv and yaml, python-dotenv, `PyYAML`, Terraform.
//! One that is not installed is passed over. Docker's and PowerShell's rules have ports beside their formats.

use std::process::Command;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use secrets::Visibility;

use super::{Format, render};
use crate::chosen::Chosen;

/// Values that have broken some reader: every quote, expansion, comment, blank and line end, in any order.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("'"),
        Just("\""),
        Just("`"),
        Just("\\"),
        Just("$"),
        Just("${HOME}"),
        Just("$(id)"),
        Just("#"),
        Just(" # x"),
        Just(" "),
        Just("\n"),
        Just("\r\n"),
        Just("\t"),
        Just("="),
        Just("!"),
        Just("%"),
        Just("%{x}"),
        Just("\\n"),
        Just("é"),
        Just("\u{2019}"),
        Just("\u{2028}"),
        Just("\u{85}"),
        Just("word"),
        Just("EOF"),
        Just("-"),
        Just(":"),
        Just("\u{1b}[0m"),
        Just("~"),
        Just("{}"),
        Just("&"),
        Just("$${x}"),
        Just("%%{"),
        Just("|"),
        Just("<<EOF"),
        Just("e\u{301}"),
        Just("\u{feff}"),
        Just("\u{7f}"),
        Just("😀"),
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

fn values() -> Vec<String> {
    let mut runner = TestRunner::deterministic();
    let strategy = hostile();
    let mut values: Vec<String> = (0..400).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect();
    values.extend(["", " ", "\n", "plain", "null", "true", "0123", "1e3", "'\"'", "a\n\n", "\n\na"].map(str::to_owned));
    values
}

fn chosen(number: usize, value: &str) -> Chosen {
    let name = format!("V{number}");
    Chosen { origin: name.clone(), name, value: value.into(), visibility: Visibility::Masked }
}

/// Says that a consumer is left out; with `CI=true`, where nothing may be left out unseen, that is a failure.
#[expect(clippy::disallowed_methods, reason = "speaks for the test that is skipped")]
fn absent(what: &str) {
    assert!(std::env::var_os("CI").is_none_or(|value| value != "true"), "absent: {what}; ./check installs it");
    eprintln!("skipped: absent: {what}");
}

/// Runs `program` with a file of those values that the format takes, and compares the JSON object that it prints with them.
fn reads_back(format: Format, program: &str, arguments: &[&str]) {
    if Command::new(program).arg("--version").output().is_err() {
        return absent(program);
    }
    let mut kept = serde_json::Map::new();
    let mut text = String::new();
    for (number, value) in values().iter().enumerate() {
        if let Ok(line) = render(&[chosen(number, value)], format) {
            kept.insert(format!("V{number}"), value.as_str().into());
            text.push_str(&line);
        }
    }
    assert!(kept.len() > 40, "{format:?} takes only {}", kept.len());
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let output = Command::new(program)
        .args(arguments.iter().map(|argument| argument.replace("FILE", file.path().to_str().unwrap())))
        .env("LC_ALL", "C.UTF-8")
        .output()
        .unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    if complaint.contains("ModuleNotFoundError") {
        return absent(complaint.lines().last().unwrap_or_default());
    }
    assert!(output.status.success(), "{complaint}");
    let read: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
    for (name, value) in &kept {
        assert_eq!(read.get(name), Some(value), "{format:?} read by {program} as {name}");
    }
}

/// Prints the environment as JSON, whatever is in it.
const PRINT: &str =
    "import os,json; print(json.dumps({k: v for k, v in os.environ.items() if k[:1] == 'V' and k[1:].isdigit()}))";

#[test]
fn shells_read_back_the_shell_format() {
    for shell in ["bash", "dash", "zsh"] {
        reads_back(Format::Shell, shell, &["-c", &format!(". FILE; exec python3 -c \"{PRINT}\"")]);
    }
}

#[test]
fn fish_reads_back_its_format() {
    reads_back(Format::Fish, "fish", &["-c", &format!("source FILE; exec python3 -c \"{PRINT}\"")]);
}

#[test]
fn node_reads_back_dotenv() {
    reads_back(Format::Dotenv, "node", &["--env-file=FILE", "-p", "JSON.stringify(process.env)"]);
}

#[test]
fn python_dotenv_reads_back_dotenv() {
    reads_back(
        Format::Dotenv,
        "python3",
        &["-c", "import dotenv,json; print(json.dumps(dotenv.dotenv_values('FILE')))"],
    );
}

#[test]
fn shells_read_back_dotenv() {
    for shell in ["bash", "dash"] {
        reads_back(Format::Dotenv, shell, &["-c", &format!("set -a; . FILE; exec python3 -c \"{PRINT}\"")]);
    }
}

#[test]
fn pyyaml_and_json_readers_read_back_theirs() {
    reads_back(
        Format::Yaml,
        "python3",
        &["-c", "import yaml,json; print(json.dumps(yaml.safe_load(open('FILE', newline=''))))"],
    );
}

/// Where `./check` puts the packages of npm, for `require`.
fn npm(script: &str) -> String {
    let tools = concat!(env!("CARGO_MANIFEST_DIR"), "/target/tools/");
    format!(
        "const load = require('module').createRequire('{tools}'); const text = require('fs').readFileSync('FILE', 'utf8'); {script}"
    )
}

#[test]
fn npms_dotenv_reads_back_dotenv() {
    let script = npm("console.log(JSON.stringify(load('dotenv').parse(text)))");
    reads_back(Format::Dotenv, "node", &["-e", &script]);
}

#[test]
fn npms_yaml_reads_back_yaml_of_both_versions() {
    for version in ["1.1", "1.2"] {
        let script = npm(&format!("console.log(JSON.stringify(load('yaml').parse(text, {{ version: '{version}' }})))"));
        reads_back(Format::Yaml, "node", &["-e", &script]);
    }
}

/// Declares each variable of the file, plans, and prints what Terraform took for their values.
const TERRAFORM: &str = r#"
dir=$(mktemp -d) && trap 'rm -rf "$dir"' EXIT && cd "$dir" || exit
export CHECKPOINT_DISABLE=1 TF_DATA_DIR="$dir/.terraform"
sed -n 's/^\(V[0-9]*\) = .*/variable "\1" { type = string }/p' FILE >main.tf
{ terraform init -no-color && terraform plan -no-color -input=false -var-file=FILE -out=plan; } >&2 || exit
terraform show -json plan | jq '.variables | map_values(.value)'
"#;

#[test]
fn terraform_reads_back_tfvars() {
    if Command::new("terraform").arg("--version").output().is_err() {
        return absent("terraform");
    }
    // Terraform recognises variable files by their name.
    let script = TERRAFORM
        .replace("-var-file=FILE", "-var-file=it.tfvars")
        .replace("dir\" || exit\n", "dir\" || exit\ncp FILE it.tfvars\n");
    reads_back(Format::Tfvars, "bash", &["-c", &script]);
}
