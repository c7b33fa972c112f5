//! Pulumi projects and stores of one's own, and the passphrase.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use emulators::Doppler;

use super::{PASSPHRASE, fixtures, refused};
use crate::support::Step;

/// A step in the fixtures' project, whose `backend.url` is the store `file-v1`.
fn project(arguments: &[&str]) -> Step {
    Step::new("stack-output").args(arguments).cwd(fixtures().join("project"))
}

/// A step that reads from a store of the fixtures, without a project.
fn store(name: &str, arguments: &[&str]) -> Step {
    let url = format!("file://{}", fixtures().join(name).display());
    Step::new("stack-output").args(arguments).env("PULUMI_BACKEND_URL", url)
}

fn store_in(folder: &Path, arguments: &[&str]) -> Step {
    Step::new("stack-output").args(arguments).env("PULUMI_BACKEND_URL", format!("file://{}", folder.display()))
}

fn state(value: &str) -> String {
    format!(
        r#"{{"version":3,"checkpoint":{{"stack":"s","latest":{{"manifest":{{}},"resources":[{{"type":"pulumi:pulumi:Stack","outputs":{{"a":"{value}"}}}}]}}}}}}"#
    )
}

#[test]
fn a_projects_stack_is_read_by_name_flag_or_variable() {
    assert_eq!(project(&["django_server_ip", "--stack", "prod"]).run().exits(0).stdout, "203.0.113.7\n");
    assert_eq!(project(&["port"]).env("PULUMI_STACK", "prod").run().exits(0).stdout, "8000\n");
    assert_eq!(project(&["port", "-s", "organization/shop/prod"]).run().exits(0).stdout, "8000\n");
    let cwd = fixtures().join("project").display().to_string();
    let step = Step::new("stack-output").args(["port", "-s", "prod", "--cwd", &cwd]);
    assert_eq!(step.run().exits(0).stdout, "8000\n");
}

#[test]
fn a_project_is_found_from_a_folder_below_it() {
    let root = tempfile::tempdir().unwrap();
    let stacks = root.path().join("state/.pulumi/stacks/shop");
    fs::create_dir_all(&stacks).unwrap();
    fs::create_dir_all(root.path().join("src/deep")).unwrap();
    fs::write(stacks.join("dev.json"), state("here")).unwrap();
    fs::write(root.path().join("Pulumi.yaml"), "name: shop\nruntime: yaml\nbackend:\n  url: file://./state\n").unwrap();
    let step = Step::new("stack-output").args(["a", "-s", "dev"]).cwd(root.path().join("src/deep"));
    assert_eq!(step.run().exits(0).stdout, "here\n");
}

#[test]
fn the_selected_stack_is_read_if_none_is_named() {
    let root = fs::canonicalize(std::env::temp_dir()).unwrap().join("stack-output-selected");
    let stacks = root.join("state/.pulumi/stacks/shop");
    fs::create_dir_all(&stacks).unwrap();
    fs::write(stacks.join("dev.json"), state("selected")).unwrap();
    let file = root.join("Pulumi.yaml");
    fs::write(&file, "name: shop\nruntime: yaml\nbackend:\n  url: file://./state\n").unwrap();
    let digest = Step::script("printf %s \"$FILE\" | sha1sum | cut -d' ' -f1").env("FILE", &file).run().stdout;
    let workspace = format!("home/workspaces/shop-{}-workspace.json", digest.trim());
    fs::create_dir_all(root.join("home/workspaces")).unwrap();
    fs::write(root.join(workspace), r#"{"stack":"dev"}"#).unwrap();
    let step = || Step::new("stack-output").args(["a"]).cwd(&root);
    assert_eq!(step().env("PULUMI_HOME", root.join("home")).run().exits(0).stdout, "selected\n");
    refused(step(), 2, &["no stack is selected", "--stack"]);
    fs::remove_dir_all(&root).unwrap();
}

#[test]
fn a_stack_that_is_not_there_exits_1_and_names_the_nearest() {
    refused(project(&["port", "--stack", "prdo"]), 1, &["no stack `prdo`"]);
    refused(project(&["port", "--stack", "prod1"]), 1, &["no stack `prod1`", "--stack prod"]);
    refused(project(&["port", "--stack", "nosuch"]), 1, &["its stacks: "]);
    refused(project(&["port", "--stack", "../../etc/passwd"]), 2, &["not the name of a stack"]);
    refused(project(&["port", "--stack", "acme/shop/prod"]), 2, &["organization `acme`"]);
}

#[test]
fn compressed_states_are_recognised_by_content() {
    for stack in ["gz", "zst"] {
        assert_eq!(project(&["port", "-s", stack]).run().exits(0).stdout, "8000\n", "{stack}");
    }
    project(&["a", "-s", "lying"]).run().exits(0);
}

#[test]
fn of_two_files_of_a_stack_the_newer_counts() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join(".pulumi/stacks/shop");
    fs::create_dir_all(&folder).unwrap();
    fs::write(root.path().join(".pulumi/meta.yaml"), "version: 1\n").unwrap();
    let age = |name: &str, seconds: u64| {
        let file = fs::File::options().append(true).open(folder.join(name)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(seconds)).unwrap();
    };
    fs::write(folder.join("dev.json"), state("plain")).unwrap();
    fs::write(folder.join("dev.json.zst"), state("packed")).unwrap();
    fs::write(folder.join("dev.json.bak"), state("backup")).unwrap();
    fs::write(folder.join("dev.json.1700000000"), state("retained")).unwrap();
    let read = || store_in(root.path(), &["a", "-s", "organization/shop/dev"]).run().exits(0).stdout;
    age("dev.json", 200);
    age("dev.json.zst", 100);
    assert_eq!(read(), "packed\n");
    age("dev.json", 50);
    age("dev.json.bak", 1);
    assert_eq!(read(), "plain\n");
}

#[test]
fn stores_of_every_known_version_are_read_and_others_refused() {
    assert_eq!(store("legacy", &["port", "-s", "dev"]).run().exits(0).stdout, "8000\n");
    store("meta-v0", &["a", "-s", "dev"]).run().exits(0);
    refused(store("meta-future", &["a", "-s", "dev"]), 2, &["its version is 999"]);
    refused(store("meta-empty", &["a", "-s", "dev"]), 2, &["no `version`"]);
    refused(store("project", &["a", "-s", "dev"]), 2, &["no Pulumi store"]);
    refused(store("file-v1", &["a", "-s", "dev"]), 2, &["the project of the stack `dev`", "--cwd"]);
}

#[test]
fn a_relative_address_is_resolved() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("state/.pulumi/stacks/shop");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("dev.json"), state("found")).unwrap();
    for url in ["file://./state", "file://state", "file://state?no_tmp_dir=true"] {
        let step = Step::new("stack-output").args(["a", "-s", "organization/shop/dev", "--backend", url]);
        let step = step.cwd(root.path());
        assert_eq!(step.run().exits(0).stdout, "found\n", "{url}");
    }
}

#[test]
fn a_stack_that_was_never_updated_exits_1_and_says_so() {
    for (stack, why) in [
        ("never-updated", "it was never updated"),
        ("no-resources", "destroyed"),
        ("no-outputs", "it has no outputs"),
        ("no-stack-resource", "no stack resource"),
    ] {
        refused(project(&["ip", "-s", stack]), 1, &["no output `ip`", why]);
        refused(project(&["--format", "json", "-s", stack]), 1, &["nothing to print", why]);
    }
}

#[test]
fn a_wrong_passphrase_exits_77_and_names_the_variable() {
    let secret = |arguments: &[&str]| project(&["db_password", "-s", "prod", "--show-secrets"]).args(arguments);
    refused(secret(&[]).env("PULUMI_CONFIG_PASSPHRASE", "wrong"), 77, &["PULUMI_CONFIG_PASSPHRASE"]);
    refused(secret(&[]), 77, &["PULUMI_CONFIG_PASSPHRASE", "DOPPLER_TOKEN"]);
    refused(secret(&[]).env("PULUMI_CONFIG_PASSPHRASE", ""), 77, &["which is blank"]);
    refused(secret(&[]).env("PULUMI_CONFIG_PASSPHRASE_FILE", "/no/such/file"), 77, &["/no/such/file"]);
}

#[test]
fn the_passphrase_comes_from_a_file_or_from_doppler() {
    let secret = || project(&["db_password", "-s", "prod", "--show-secrets"]).secret("hunter2");
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(&file, format!("  {PASSPHRASE}\n")).unwrap();
    let step = secret().secret(PASSPHRASE).env("PULUMI_CONFIG_PASSPHRASE_FILE", file.path());
    assert_eq!(step.run().exits(0).stdout, "hunter2\n");
    let doppler = Doppler::start();
    doppler.set("dev", "PULUMI_CONFIG_PASSPHRASE", PASSPHRASE);
    assert_eq!(secret().doppler(&doppler).run().exits(0).stdout, "hunter2\n");
}

#[test]
fn nothing_is_fetched_or_derived_for_a_public_value() {
    let doppler = Doppler::start();
    let step = project(&["port", "-s", "prod", "--show-secrets"]).doppler(&doppler);
    assert_eq!(step.run().exits(0).stdout, "8000\n");
    assert!(doppler.requests().is_empty());
}

#[test]
fn secrets_of_other_providers_leave_public_outputs_readable() {
    for stack in ["kms", "service"] {
        assert_eq!(project(&["plain", "-s", stack]).run().exits(0).stdout, "ok\n", "{stack}");
        refused(project(&["pw", "-s", stack]), 77, &["--show-secrets"]);
    }
}

#[test]
fn an_empty_passphrase_is_used_if_the_variable_is_set_and_empty() {
    let vectors = fs::read_to_string(fixtures().join("pulumi-vectors.json")).unwrap();
    let vectors: serde_json::Value = serde_json::from_str(&vectors).unwrap();
    let sets = vectors["passphrase"].as_array().unwrap();
    let set = sets.iter().find(|set| set["passphrase"] == "").unwrap();
    let secret = serde_json::json!({
        "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
        "ciphertext": set["values"][0]["ciphertext"],
    });
    let provider = serde_json::json!({"type": "passphrase", "state": {"salt": set["state"]}});
    let document = serde_json::json!({"outputs": {"pw": secret}, "secretsProviders": provider}).to_string();
    let step = || Step::new("stack-output").args(["--state", "-", "pw", "--show-secrets"]).stdin(document.clone());
    let seen = step().env("PULUMI_CONFIG_PASSPHRASE", "").run().exits(0);
    assert_eq!(format!("{}\n", set["values"][0]["value"].as_str().unwrap()), seen.stdout);
    refused(step(), 77, &["PULUMI_CONFIG_PASSPHRASE is missing"]);
}
