//! Pulumi Cloud's answers.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use emulators::PulumiCloud;
use serde_json::{Value, json};

use crate::raw::{self, Answer};

const STACK: &str = "/api/stacks/acme/shop/prod";

fn ask(cloud: &PulumiCloud, method: &str, path: &str, body: &str) -> Answer {
    let token = format!("token {}", cloud.token());
    raw::send(&cloud.url(), method, path, &[("authorization", &token)], body.as_bytes()).unwrap()
}

fn cloud() -> PulumiCloud {
    let cloud = PulumiCloud::start();
    cloud.set("acme/shop/prod", "plain", json!("ok"));
    cloud.set_secret("acme/shop/prod", "pw", &json!("s3cret-value"));
    cloud
}

#[test]
fn a_secret_output_is_ciphertext_that_the_service_opens() {
    let cloud = cloud();
    let answer = ask(&cloud, "GET", &format!("{STACK}/outputs"), "").json();
    assert_eq!((&answer["outputs"]["plain"], &answer["secretsProviders"]["type"]), (&json!("ok"), &json!("service")));
    let ciphertext = answer["outputs"]["pw"]["ciphertext"].as_str().unwrap();
    let one = json!({ "ciphertext": ciphertext }).to_string();
    let plaintext = ask(&cloud, "POST", &format!("{STACK}/decrypt"), &one).json()["plaintext"].clone();
    assert_eq!(BASE64_STANDARD.decode(plaintext.as_str().unwrap()).unwrap(), b"\"s3cret-value\"");
    let many = json!({ "ciphertexts": [ciphertext] }).to_string();
    let plaintexts = ask(&cloud, "POST", &format!("{STACK}/batch-decrypt"), &many).json();
    assert_eq!(plaintexts["plaintexts"][ciphertext], plaintext);
}

#[test]
fn an_older_service_has_only_the_export() {
    let cloud = cloud();
    cloud.forget_outputs_call();
    assert_eq!(ask(&cloud, "GET", &format!("{STACK}/outputs"), "").status, 404);
    let export = ask(&cloud, "GET", &format!("{STACK}/export"), "").json();
    assert_eq!(export["deployment"]["resources"][0]["outputs"]["plain"], "ok");
}

#[test]
fn errors_have_a_code_and_a_message() {
    let cloud = cloud();
    let answer = ask(&cloud, "GET", "/api/stacks/acme/shop/none/export", "");
    assert_eq!((answer.status, answer.json()["code"].clone()), (404, json!(404)));
    let answer = raw::get(&cloud.url(), &format!("{STACK}/export"), "wrong");
    assert_eq!((answer.status, answer.json()["code"].clone()), (401, Value::from(401)));
}
