//! The programs that own a stack are asked only for the named reasons, aloud, and are not believed blindly.

use serde_json::{Value, json};

use super::backends::{alone, initialised, with_program};
use super::refused;
use crate::support::Step;

/// Answers as `terraform output -json` and as `pulumi stack output --json` do.
const ANSWER: &str = r#"case "$0" in
    */pulumi) echo '{"ip":"10.0.0.1"}' ;;
    *) echo '{"ip":{"sensitive":false,"type":"string","value":"10.0.0.1"}}' ;;
esac"#;

/// A Pulumi stack in a store of the working folder, its output `ip` sealed by `provider`.
fn encrypted_by(provider: &Value) -> Step {
    let secret =
        json!({"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "v1:a:b"});
    let root = json!({"type": "pulumi:pulumi:Stack", "outputs": {"ip": secret}});
    let latest = json!({"manifest": {}, "secrets_providers": provider, "resources": [root]});
    let state = json!({"version": 3, "checkpoint": {"stack": "organization/shop/prod", "latest": latest}});
    let step = Step::new("stack-output").args(["ip", "--show-secrets", "--backend", "file://./store"]);
    step.args(["-s", "organization/shop/prod"])
        .file("store/.pulumi/meta.yaml", "version: 1\n")
        .file("store/.pulumi/stacks/shop/prod.json", state.to_string())
}

fn pulumi(backend: &str) -> Step {
    Step::new("stack-output").args(["ip", "-s", "organization/shop/prod", "--backend", backend])
}

#[test]
fn each_reason_to_run_a_program_is_reported_and_is_the_error_without_it() {
    let terraform = "running `terraform output -json -no-color`";
    let asked = "running `pulumi stack output --json --non-interactive --stack organization/shop/prod`";
    let provider = |kind: &str| json!({"type": kind, "state": {"url": "newkms://x", "encryptedkey": "eA=="}});
    let http = |attribute: &str| initialised("http", &json!({"address": "https://x.example", attribute: "y"}), &["ip"]);
    let reasons: [(&dyn Fn() -> Step, &str, &str, &str); 7] = [
        (
            &|| initialised("consul", &json!({"path": "x"}), &["ip"]),
            "terraform",
            "Terraform's backend `consul`",
            terraform,
        ),
        (&|| initialised("pg", &json!({}), &["ip"]), "terraform", "Terraform's backend `pg`", terraform),
        (
            &|| http("client_certificate_pem"),
            "terraform",
            "backend `http`: `client_certificate_pem` is not supported",
            terraform,
        ),
        (
            &|| http("skip_cert_verification"),
            "terraform",
            "backend `http`: `skip_cert_verification` is not supported",
            terraform,
        ),
        (&|| pulumi("postgres://host/db"), "pulumi", "the Pulumi backend `postgres`", asked),
        (&|| encrypted_by(&provider("cloud")), "pulumi", "cannot decrypt the secrets", asked),
        (&|| encrypted_by(&provider("newest")), "pulumi", "cannot decrypt the secrets", asked),
    ];
    for (step, program, reason, call) in reasons {
        let seen = with_program(step(), program, ANSWER).run().exits(0);
        assert_eq!(seen.stdout, "10.0.0.1\n", "{reason}");
        for words in [reason, call] {
            assert!(seen.stderr.contains(words), "{words} is missing in {}", seen.stderr);
        }
        let code = if reason.contains("secrets") { 77 } else { 2 };
        refused(alone(step()), code, &[reason]);
    }
}

#[test]
fn opentofu_is_run_if_terraform_is_not_installed() {
    let step = with_program(initialised("pg", &json!({}), &["ip"]), "tofu", ANSWER);
    assert!(step.run().exits(0).stderr.contains("running `tofu output -json -no-color`"));
}

#[test]
fn no_program_is_run_for_a_supported_state() {
    let state = r#"{"version":4,"terraform_version":"1.11.4","serial":1,"lineage":"l","outputs":{
        "ip":{"value":"203.0.113.9","type":"string"}},"resources":[]}"#;
    let step = Step::new("stack-output").args(["ip"]).file("terraform.tfstate", state);
    let seen = with_program(step, "terraform", "echo asked >&2; exit 1").run().exits(0);
    assert_eq!((seen.stdout.as_str(), seen.stderr.as_str()), ("203.0.113.9\n", ""));
}

#[test]
fn the_output_of_a_program_is_checked_like_any_document() {
    for (script, code, words) in [
        ("echo '<html>sign in</html>'", 2, "not JSON"),
        ("printf '{\"ip\":{\"sensitive\":false,\"type\":\"string\",\"val'", 2, "cut off"),
        ("echo '[1]'", 2, "not an object"),
        ("exit 0", 2, "it is empty"),
        ("echo '{}'", 1, "no output `ip`"),
        ("echo 10.0.0.1; exit 1", 1, "failed with exit code 1"),
        ("kill -9 $$", 1, "was ended by SIGKILL"),
    ] {
        let step = with_program(initialised("pg", &json!({}), &["ip"]), "terraform", script);
        refused(step, code, &[words, "terraform output -json"]);
    }
    let script = "echo '{\"a\":\"'; while :; do printf '%065536d' 0; done";
    let endless = with_program(initialised("pg", &json!({}), &["ip", "--deadline", "2"]), "terraform", script);
    refused(endless, 75, &["before the deadline of 2s"]);
}

#[test]
fn the_stderr_of_a_program_cannot_command_the_runner() {
    let script = "printf '::add-path::/evil\\n##[error]x\\r::set-output name=a::b\\n' >&2; exit 1";
    let step = with_program(initialised("pg", &json!({}), &["ip"]), "terraform", script);
    let seen = step.run().exits(1);
    assert!(seen.outputs.is_empty() && !seen.stderr.contains("##["), "{}", seen.stderr);
    assert!(seen.stderr.contains("terraform | "), "{}", seen.stderr);
}

#[test]
fn a_program_that_is_stopped_at_the_deadline_leaves_no_process_behind() {
    let script = "sleep 1000 & echo $! > pid; wait";
    let pointer = json!({"version": 3, "backend": {"type": "pg", "config": {}}});
    // A killed process may stay in the table as a zombie until the machine's first process collects it.
    let call = "PATH=$PWD/bin:$PATH stack-output ip --deadline 1 || code=$?
        for again in $(seq 2000); do
            case $(sed -n 's/^State:[[:space:]]*//p' \"/proc/$(cat pid)/status\" 2>/dev/null) in
                '' | [ZX]*) exit $code ;;
            esac
        done
        echo 'it is still running'";
    let step = Step::script(call).file(".terraform/terraform.tfstate", pointer.to_string());
    refused(super::backends::program(step, "terraform", script), 75, &["before the deadline of 1s"]);
}
