//! Key services that unwrap a stack's data key, each compared with the wire format of its vendor's clients.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use emulators::http::{Request, Response, Server, Service};
use serde_json::{Value, json};

use super::{fixtures, refused};
use crate::support::Step;

fn vector() -> Value {
    let vectors = std::fs::read_to_string(fixtures().join("pulumi-vectors.json")).unwrap();
    serde_json::from_str::<Value>(&vectors).unwrap()["data_key"][0].clone()
}

/// A state whose one secret a data key seals that the service at `url` wraps.
pub(super) fn state(url: &str, encrypted_key: &str) -> String {
    let secret = json!({
        "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
        "ciphertext": vector()["ciphertext"],
    });
    let provider = json!({"type": "cloud", "state": {"url": url, "encryptedkey": encrypted_key}});
    json!({"outputs": {"pw": secret, "plain": "ok"}, "secretsProviders": provider}).to_string()
}

pub(super) fn wrapped() -> String {
    vector()["kms_ciphertext_base64"].as_str().unwrap().to_owned()
}

pub(super) fn data_key() -> String {
    let hex = vector()["data_key_hex"].as_str().unwrap().to_owned();
    let bytes: Vec<u8> = (0..32).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect();
    BASE64_STANDARD.encode(bytes)
}

/// All three services: each unwraps the vector's key for its own request only.
struct Services;

impl Service for Services {
    fn answer(&self, request: &Request) -> Response {
        let body = request.json();
        let authorization = request.header("authorization").unwrap_or_default();
        match request.path.as_str() {
            "/" if request.header("x-amz-target") == Some("TrentService.Decrypt") => {
                let is_signed = authorization.contains("/us-east-1/kms/aws4_request")
                    && authorization
                        .contains("SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date;x-amz-target");
                if is_signed && body["CiphertextBlob"] == wrapped() && body["EncryptionContext"]["env"] == "prod" {
                    return Response::json(200, &json!({"Plaintext": data_key(), "KeyId": "k"}));
                }
                Response::json(400, &json!({"__type": "AccessDeniedException", "Message": "not allowed"}))
            }
            "/v1/projects/p/locations/global/keyRings/r/cryptoKeys/k:decrypt" if body["ciphertext"] == wrapped() => {
                if authorization == "Bearer google-token-value" {
                    return Response::json(200, &json!({"plaintext": data_key()}));
                }
                Response::json(401, &json!({"error": {"code": 401}}))
            }
            "/v1/transit/decrypt/deploy" if body["ciphertext"] == "vault:v1:wrapped" => {
                if request.header("x-vault-token") == Some("vault-token-value") {
                    return Response::json(200, &json!({"data": {"plaintext": data_key()}}));
                }
                Response::json(403, &json!({"errors": ["permission denied"]}))
            }
            _ => Response::json(404, &json!({})),
        }
    }
}

fn step(name: &str, document: String) -> Step {
    Step::new("stack-output").args(["--state", "-", "--show-secrets", name]).stdin(document).secret("kms-secret")
}

#[test]
fn aws_kms_unwraps_the_key() {
    let server = Server::start(|_| Services);
    let document = || state("awskms://alias/deploy?region=us-east-1&context_env=prod", &wrapped());
    let reach = |step: Step| step.env("AWS_ENDPOINT_URL", server.url()).env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE");
    let signed = |step: Step| reach(step).workflow_secret("AWS_SECRET_ACCESS_KEY", "aws-secret-key-value");
    assert_eq!(signed(step("pw", document())).run().exits(0).stdout, "kms-secret\n");
    assert_eq!(server.requests().len(), 1);
    assert_eq!(step("plain", document()).run().exits(0).stdout, "ok\n");
    refused(step("pw", document()), 77, &["AWS_ACCESS_KEY_ID is missing"]);
    let other = state("awskms://alias/deploy?region=us-east-1", &wrapped());
    refused(signed(step("pw", other)), 77, &["AccessDeniedException", "did not unwrap"]);
}

#[test]
fn google_cloud_kms_unwraps_the_key() {
    let server = Server::start(|_| Services);
    let url = "gcpkms://projects/p/locations/global/keyRings/r/cryptoKeys/k";
    let step = || step("pw", state(url, &wrapped())).env("CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS", server.url());
    let seen = step().workflow_secret("GOOGLE_OAUTH_ACCESS_TOKEN", "google-token-value").run().exits(0);
    assert_eq!(seen.stdout, "kms-secret\n");
    refused(step().workflow_secret("GOOGLE_OAUTH_ACCESS_TOKEN", "wrong-token-value"), 77, &["401"]);
    refused(step(), 77, &["GOOGLE_OAUTH_ACCESS_TOKEN"]);
}

#[test]
fn vault_unwraps_the_key() {
    let server = Server::start(|_| Services);
    let wrapped = BASE64_STANDARD.encode("vault:v1:wrapped");
    let step = || step("pw", state("hashivault://deploy", &wrapped));
    let reached = || step().env("VAULT_ADDR", server.url());
    assert_eq!(reached().workflow_secret("VAULT_TOKEN", "vault-token-value").run().exits(0).stdout, "kms-secret\n");
    refused(reached().workflow_secret("VAULT_TOKEN", "wrong-token-value"), 77, &["permission denied"]);
    refused(step(), 77, &["VAULT_ADDR"]);
}

#[test]
fn an_unsupported_key_service_is_named() {
    let document = state("otherkms://v/keys/k", &wrapped());
    refused(step("pw", document), 77, &["otherkms", "pulumi stack output --json --show-secrets"]);
}
