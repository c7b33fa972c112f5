//! Pulumi Cloud, on its stand-in.

use emulators::http::Fault;
use emulators::{Doppler, PulumiCloud};
use serde_json::json;

use super::refused;
use crate::support::Step;

const STACK: &str = "acme/shop/prod";

fn cloud() -> PulumiCloud {
    let cloud = PulumiCloud::start();
    cloud.set(STACK, "ip", json!("203.0.113.7"));
    cloud.set(STACK, "db", json!({"host": "h"}));
    cloud.set_secret(STACK, "pw", &json!("hunter2-of-cloud"));
    cloud.set_secret(STACK, "other", &json!("never-asked-for"));
    cloud
}

fn without_token(cloud: &PulumiCloud, arguments: &[&str]) -> Step {
    let secrets = cloud.secrets().all();
    let step = Step::new("stack-output").args(arguments).env("PULUMI_BACKEND_URL", cloud.url());
    secrets.iter().fold(step, |step, secret| step.secret(secret))
}

fn step(cloud: &PulumiCloud, arguments: &[&str]) -> Step {
    without_token(cloud, arguments).args(["--stack", STACK]).workflow_secret("PULUMI_ACCESS_TOKEN", cloud.token())
}

fn paths(cloud: &PulumiCloud) -> Vec<String> {
    cloud.requests().iter().map(|request| request.path.rsplit('/').next().unwrap().to_owned()).collect()
}

#[test]
fn a_public_output_takes_one_request() {
    let cloud = cloud();
    assert_eq!(step(&cloud, &["ip", "db.host"]).run().exits(0).stdout, "203.0.113.7\nh\n");
    assert_eq!(paths(&cloud), ["outputs"]);
}

#[test]
fn an_older_service_is_read_by_export() {
    let cloud = cloud();
    cloud.forget_outputs_call();
    assert_eq!(step(&cloud, &["ip"]).run().exits(0).stdout, "203.0.113.7\n");
    assert_eq!(paths(&cloud), ["outputs", "export"]);
}

#[test]
fn only_the_named_secret_is_decrypted() {
    let cloud = cloud();
    let seen = step(&cloud, &["pw", "--show-secrets"]).run().exits(0);
    assert_eq!(seen.stdout, "hunter2-of-cloud\n");
    assert!(seen.masks.contains(&"hunter2-of-cloud".to_owned()));
    assert_eq!(paths(&cloud), ["outputs", "batch-decrypt", "log-batch-decryption"]);
    assert_eq!(cloud.requests()[1].json()["ciphertexts"].as_array().unwrap().len(), 1);
    refused(step(&cloud, &["pw"]), 77, &["--show-secrets"]);
}

#[test]
fn the_token_comes_from_pulumi_login_or_from_doppler() {
    let cloud = cloud();
    let credentials = json!({"current": cloud.url(), "accounts": {cloud.url(): {"accessToken": cloud.token()}}});
    let step = || without_token(&cloud, &["ip", "--stack", STACK]);
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("credentials.json"), credentials.to_string()).unwrap();
    let logged_in = step().without("PULUMI_BACKEND_URL").env("PULUMI_HOME", home.path());
    assert_eq!(logged_in.run().exits(0).stdout, "203.0.113.7\n");
    let doppler = Doppler::start();
    doppler.set("dev", "PULUMI_ACCESS_TOKEN", cloud.token());
    assert_eq!(step().doppler(&doppler).run().exits(0).stdout, "203.0.113.7\n");
    refused(step(), 77, &["PULUMI_ACCESS_TOKEN is missing"]);
    let locked = tempfile::tempdir().unwrap();
    std::fs::write(locked.path().join("credentials.json"), r#"{"$pulumiSecureStore":1}"#).unwrap();
    refused(step().env("PULUMI_HOME", locked.path()), 77, &["key store", "PULUMI_ACCESS_TOKEN"]);
}

#[test]
fn a_bare_name_belongs_to_the_default_organization() {
    let cloud = cloud();
    let step = without_token(&cloud, &["ip", "--stack", "prod"]).workflow_secret("PULUMI_ACCESS_TOKEN", cloud.token());
    let step = step.file("Pulumi.yaml", "name: shop\nruntime: yaml\n");
    let seen = step.env("PULUMI_DEFAULT_ORGANIZATION", "acme").run().exits(0);
    assert_eq!(seen.stdout, "203.0.113.7\n");
}

#[test]
fn a_refusal_has_its_exit_code_and_the_services_words() {
    let cloud = cloud();
    let wrong =
        without_token(&cloud, &["ip", "--stack", STACK]).workflow_secret("PULUMI_ACCESS_TOKEN", "pul-wrong-token");
    refused(wrong, 77, &["401", "No credentials provided", "PULUMI_ACCESS_TOKEN"]);
    let nosuch = without_token(&cloud, &["ip", "--stack", "acme/shop/nosuch"]);
    refused(nosuch.workflow_secret("PULUMI_ACCESS_TOKEN", cloud.token()), 1, &["404", "acme/shop/nosuch"]);
    cloud.fail("GET /api/*", Fault::status(503));
    refused(step(&cloud, &["ip", "--deadline", "1"]), 75, &["acme/shop/prod"]);
    cloud.recover();
    cloud.fail("GET /api/*", Fault::status(200).body("text/html", "<html>"));
    refused(step(&cloud, &["ip"]), 2, &["not what its API promises"]);
}

#[test]
fn the_services_warnings_are_printed_on_stderr() {
    let cloud = cloud();
    let answer = Fault::json(200, &json!({"outputs": {"ip": "x"}}));
    cloud.fail("GET /api/*", answer.header("x-pulumi-warning", "this stack will be archived"));
    let seen = step(&cloud, &["ip"]).run().exits(0);
    assert_eq!(seen.stdout, "x\n");
    assert_eq!(seen.messages("warning").len(), 1);
    assert!(seen.stderr.contains("Pulumi Cloud: this stack will be archived"), "{}", seen.stderr);
}

#[test]
fn a_state_cannot_redirect_the_token() {
    let cloud = cloud();
    let other = PulumiCloud::start();
    let provider =
        json!({"type": "service", "state": {"url": other.url(), "owner": "a", "project": "b", "stack": "c"}});
    let secret = json!({"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "eA=="});
    let document = json!({"outputs": {"pw": secret}, "secretsProviders": provider}).to_string();
    let arguments = ["--state", "-", "pw", "--show-secrets"];
    let step = Step::new("stack-output").args(arguments).stdin(document);
    refused(step.workflow_secret("PULUMI_ACCESS_TOKEN", cloud.token()), 77, &["the token is not sent to"]);
    assert!(other.requests().is_empty());
}

#[test]
fn a_state_cannot_lead_the_token_to_another_call() {
    let cloud = cloud();
    let state = json!({"url": cloud.url(), "owner": "../../user", "project": "b", "stack": "c"});
    let secret = json!({"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "eA=="});
    let provider = json!({"type": "service", "state": state});
    let document = json!({"outputs": {"pw": secret}, "secretsProviders": provider}).to_string();
    let step = Step::new("stack-output").args(["--state", "-", "pw", "--show-secrets"]).stdin(document);
    let step = step.env("PULUMI_API", cloud.url()).workflow_secret("PULUMI_ACCESS_TOKEN", cloud.token());
    refused(step, 2, &["is not the name of a stack"]);
    assert!(cloud.requests().is_empty());
}
