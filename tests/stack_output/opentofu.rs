//! Projects of OpenTofu whose state is encrypted, as the real program wrote them: with the keys of the configuration, of
//! `TF_ENCRYPTION`, and without keys that are ours to use.

use std::fs;

use super::backends::{alone, initialised, with_program};
use super::refused;
use crate::support::Step;

const PASSPHRASE: &str = "correct-horse-battery-staple";

/// A file of the state `case` that the real OpenTofu wrote.
fn fixture(case: &str, file: &str) -> String {
    fs::read_to_string(super::fixtures().join("real/opentofu").join(case).join(file)).unwrap()
}

/// A step in the project of `case`, its configuration changed by `change`.
fn changed(case: &str, change: &dyn Fn(String) -> String, arguments: &[&str]) -> Step {
    let step = Step::new("stack-output").args(arguments).secret(PASSPHRASE).secret("hunter2 & <x>");
    step.file("terraform.tfstate", fixture(case, "terraform.tfstate"))
        .file("encryption.tf", change(fixture(case, "encryption.tf")))
}

fn project(case: &str, arguments: &[&str]) -> Step {
    changed(case, &|block| block, arguments)
}

/// A key provider that overrides the one of the configurations.
fn provider(passphrase: &str) -> String {
    format!("key_provider \"pbkdf2\" \"my\" {{ passphrase = \"{passphrase}\" }}\n")
}

#[test]
fn an_encrypted_project_is_read_with_its_own_configuration_and_prints_as_tofu_does() {
    for case in ["aad", "alias", "chained", "key24", "unicode"] {
        let folder = super::fixtures().join("real/opentofu").join(case).display().to_string();
        let all = Step::new("stack-output").args(["--cwd", &folder, "--format", "json", "--show-secrets"]).plain();
        assert_eq!(all.run().exits(0).stdout, fixture(case, "expected.json"), "{case}");
    }
    assert_eq!(project("iterations", &["django_server_ip"]).run().exits(0).stdout, "203.0.113.7\n");
    refused(project("iterations", &["pw"]), 77, &["is a secret"]);
}

#[test]
fn a_passphrase_of_the_configuration_is_masked() {
    let seen = project("iterations", &["django_server_ip"]).run().exits(0);
    assert!(seen.masks.iter().any(|mask| mask == PASSPHRASE));
}

#[test]
fn tf_encryption_holds_the_keys_or_overrides_them() {
    let method = "method \"aes_gcm\" \"m\" { keys = key_provider.pbkdf2.my }\nstate { method = method.aes_gcm.m }\n";
    let env = |block: &str| {
        let step = Step::new("stack-output").args(["django_server_ip"]).secret(PASSPHRASE);
        step.file("terraform.tfstate", fixture("env", "terraform.tfstate")).env("TF_ENCRYPTION", block)
    };
    assert_eq!(env(&(provider(PASSPHRASE) + method)).run().exits(0).stdout, "203.0.113.7\n");
    refused(env(&(provider("another-passphrase-of-some-length") + method)), 77, &["passphrase", "`aad`"]);
    let wrong = |block: String| block.replace(PASSPHRASE, "another-passphrase-of-some-length");
    let step = || changed("iterations", &wrong, &["django_server_ip"]);
    refused(step(), 77, &["cannot be decrypted", "TF_ENCRYPTION"]);
    assert_eq!(step().env("TF_ENCRYPTION", provider(PASSPHRASE)).run().exits(0).stdout, "203.0.113.7\n");
    let variable = step().workflow_secret("STACK_OUTPUT_STATE_PASSPHRASE", PASSPHRASE);
    assert_eq!(variable.run().exits(0).stdout, "203.0.113.7\n");
}

#[test]
fn a_passphrase_in_a_variable_is_read_from_its_variable_or_file_or_is_missing_by_name() {
    let referring = |block: String| {
        block.replace(&format!("\"{PASSPHRASE}\""), "var.state_passphrase") + "variable \"state_passphrase\" {}\n"
    };
    let step = || changed("iterations", &referring, &["django_server_ip"]);
    let value = format!("state_passphrase = \"{PASSPHRASE}\"\n");
    assert_eq!(step().env("TF_VAR_state_passphrase", PASSPHRASE).run().exits(0).stdout, "203.0.113.7\n");
    assert_eq!(step().file("terraform.tfvars", &value).run().exits(0).stdout, "203.0.113.7\n");
    assert_eq!(step().file("ci.auto.tfvars", &value).run().exits(0).stdout, "203.0.113.7\n");
    refused(step(), 2, &["`state_passphrase` has no value", "TF_VAR_state_passphrase"]);
    let known = step().workflow_secret("STACK_OUTPUT_STATE_PASSPHRASE", PASSPHRASE);
    assert_eq!(known.run().exits(0).stdout, "203.0.113.7\n");
}

#[test]
fn a_broken_tf_encryption_exits_2_even_for_a_plain_state_and_is_not_printed() {
    for block in [
        "hunter2 & <x>",
        "key_provider \"pbkdf2\" \"my\" { passphrase = \"hunter2 & <x>",
        "{\"state\": \"hunter2 & <x>\"}",
    ] {
        for case in ["plain", "iterations"] {
            let step = Step::new("stack-output").args(["django_server_ip"]).secret("hunter2 & <x>");
            let step = step.file("terraform.tfstate", fixture(case, "terraform.tfstate"));
            refused(step.env("TF_ENCRYPTION", block), 2, &["TF_ENCRYPTION"]);
        }
    }
}

#[test]
fn a_plain_state_is_read_unless_encryption_is_enforced() {
    let step = |case: &str| {
        let step = Step::new("stack-output").args(["django_server_ip"]);
        step.file("terraform.tfstate", fixture("plain", "terraform.tfstate"))
            .file("encryption.tf", fixture(case, "encryption.tf"))
    };
    for case in ["default", "fallback"] {
        assert_eq!(step(case).run().exits(0).stdout, "203.0.113.7\n", "{case}");
    }
    refused(step("enforced"), 2, &["not encrypted", "`enforced = true`"]);
    refused(step("default").env("TF_ENCRYPTION", "state { enforced = true }"), 2, &["`enforced = true`"]);
    // A state that is named need not be this folder's, unless the folder is named too.
    let named = || step("enforced").args(["--state", "terraform.tfstate"]);
    assert_eq!(named().run().exits(0).stdout, "203.0.113.7\n");
    refused(named().args(["--cwd", "."]), 2, &["`enforced = true`"]);
}

#[test]
fn tofu_and_never_terraform_is_asked_about_encryption_that_is_not_supported() {
    let answer = "echo '{\"ip\":{\"sensitive\":false,\"type\":\"string\",\"value\":\"10.0.0.1\"}}'";
    let kms = |block: String| block.replace("pbkdf2", "aws_kms");
    let external = |block: String| block.replace("aes_gcm", "external");
    let changes: [(&dyn Fn(String) -> String, &str); 2] =
        [(&kms, "the key provider `aws_kms`"), (&external, "the method `external`")];
    for (change, what) in changes {
        let step = || changed("iterations", change, &["ip"]);
        let seen = with_program(step(), "tofu", answer).run().exits(0);
        assert_eq!(seen.stdout, "10.0.0.1\n");
        assert!(seen.stderr.contains("running `tofu output -json -no-color`"), "{}", seen.stderr);
        refused(with_program(step(), "terraform", answer), 2, &[what, "no `tofu` on PATH"]);
        refused(alone(step()).args(["--state", "terraform.tfstate"]), 2, &[what, "tofu output -json | stack-output"]);
    }
    // A project with OpenTofu's files or lock file is not terraform's either.
    let lock = "provider \"registry.opentofu.org/hashicorp/null\" {\n}\n";
    let backend = "terraform {\n  backend \"pg\" {}\n}\n";
    for (name, text, extra, lock) in
        [("main.tofu", backend, ".keep", ""), ("main.tf", backend, ".terraform.lock.hcl", lock)]
    {
        let step = || initialised("pg", &serde_json::json!({}), &["ip"]).file(name, text).file(extra, lock);
        assert_eq!(with_program(step(), "tofu", answer).run().exits(0).stdout, "10.0.0.1\n");
        refused(with_program(step(), "terraform", answer), 2, &["`pg`"]);
    }
    // Neither is one whose state may be encrypted.
    let pg = || initialised("pg", &serde_json::json!({}), &["ip"]).file("main.tf", backend);
    assert_eq!(with_program(pg(), "terraform", answer).run().exits(0).stdout, "10.0.0.1\n");
    let encrypted = || pg().env("TF_ENCRYPTION", "state { enforced = true }");
    refused(with_program(encrypted(), "terraform", answer), 2, &["`pg`"]);
    assert_eq!(with_program(encrypted(), "tofu", answer).run().exits(0).stdout, "10.0.0.1\n");
}
