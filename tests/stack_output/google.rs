//! Google Cloud: stores in Cloud Storage, every way to sign in, and keys of Cloud KMS.

use std::process::Command;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use emulators::google::{ACCOUNT, HOSTS, PROVIDER};
use emulators::http::Fault;
use emulators::{Doppler, GitHub, Google, Internet};
use serde_json::{Value, json};

use super::backends::{STATE, initialised};
use super::key_services::{data_key, state, wrapped};
use super::{fixtures, refused};
use crate::support::{Step, peer};

/// A private key as Google gives them out.
pub(super) fn private_key() -> Option<String> {
    let openssl = peer("openssl")?;
    let made = Command::new(openssl).args(["genpkey", "-quiet", "-algorithm", "RSA"]).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    Some(String::from_utf8(made.stdout).unwrap())
}

/// Google with a Pulumi store in `state/team`, and the way to it.
fn google() -> (Google, Internet) {
    let google = Google::start();
    let state = std::fs::read(fixtures().join("file-v1/.pulumi/stacks/shop/gz.json.gz")).unwrap();
    google.put("state/team a/.pulumi/meta.yaml", "version: 1\n", None);
    google.put("state/team a/.pulumi/stacks/shop/prod.json.gz", state, None);
    let internet = Internet::start(&HOSTS.map(|host| (host, google.address())));
    (google, internet)
}

/// A step that reads that store; it has nothing to sign in with.
fn step(google: &Google, internet: &Internet) -> Step {
    let arguments = ["port", "--backend", "gs://state/team%20a", "--stack", "organization/shop/prod"];
    let step = Step::new("stack-output").args(arguments).internet(internet).knowing(google.secrets());
    // Nobody's metadata server.
    step.env("GCE_METADATA_HOST", "127.0.0.1:1")
}

/// What google-github-actions/auth writes.
pub(super) fn federated(github: &GitHub, impersonated: bool) -> Value {
    let mut file = json!({
        "type": "external_account", "audience": PROVIDER,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt", "token_url": "https://sts.googleapis.com/v1/token",
        "credential_source": {
            "url": format!("{}&audience=https%3A{}", github.id_token_url(), PROVIDER.replace('/', "%2F")),
            "headers": {"Authorization": format!("Bearer {}", github.id_token_bearer())},
            "format": {"type": "json", "subject_token_field_name": "value"},
        },
    });
    if impersonated {
        let url = format!(
            "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{ACCOUNT}:generateAccessToken"
        );
        file["service_account_impersonation_url"] = json!(url);
    }
    file
}

#[track_caller]
fn reads(step: Step) {
    assert_eq!(step.run().exits(0).stdout, "8000\n");
}

#[test]
fn a_service_accounts_key_signs_in_from_each_place() {
    let Some(pem) = private_key() else { return };
    let (google, internet) = google();
    let file = google.service_account(&pem);
    let step = || step(&google, &internet);
    reads(step().workflow_secret("GOOGLE_CREDENTIALS", &file));
    reads(step().workflow_secret("GOOGLE_CREDENTIALS", &BASE64_STANDARD.encode(&file)));
    reads(step().file("key.json", &file).env("GOOGLE_APPLICATION_CREDENTIALS", "key.json"));
    reads(step().file("gcloud/application_default_credentials.json", &file).env("CLOUDSDK_CONFIG", "gcloud"));
    let doppler = Doppler::start();
    doppler.set("dev", "GOOGLE_CREDENTIALS", &file);
    reads(step().doppler(&doppler));
    assert_eq!(internet.asked(), ["oauth2.googleapis.com", "storage.googleapis.com"]);
}

#[test]
fn a_persons_login_and_a_ready_made_token_sign_in() {
    let (google, internet) = google();
    let step = || step(&google, &internet);
    reads(step().workflow_secret("GOOGLE_OAUTH_ACCESS_TOKEN", &google.token()));
    reads(step().file("adc.json", google.user()).env("GOOGLE_APPLICATION_CREDENTIALS", "adc.json"));
    reads(step().env("GCE_METADATA_HOST", google.address().to_string()));
}

#[test]
fn a_workflows_federated_identity_signs_in_directly_and_as_a_service_account() {
    let (google, internet) = google();
    let github = GitHub::start();
    for impersonated in [true, false] {
        let step = step(&google, &internet).knowing(github.secrets().clone());
        let file = federated(&github, impersonated).to_string();
        reads(step.file("gha-creds.json", file).env("GOOGLE_APPLICATION_CREDENTIALS", "gha-creds.json"));
    }
    let mut of_file = federated(&github, true);
    of_file["credential_source"] = json!({"file": "nosuch-token"});
    let step = || step(&google, &internet).env("GOOGLE_APPLICATION_CREDENTIALS", "c.json");
    refused(step().file("c.json", of_file.to_string()), 77, &["nosuch-token", "GOOGLE_APPLICATION_CREDENTIALS"]);
    of_file["credential_source"] = json!({"environment_id": "aws1", "region_url": "x"});
    refused(step().file("c.json", of_file.to_string()), 77, &["AWS's metadata", "GOOGLE_OAUTH_ACCESS_TOKEN"]);
    let user = serde_json::from_str::<Value>(&google.user()).unwrap();
    let url =
        format!("https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{ACCOUNT}:generateAccessToken");
    let impersonated = json!({"type": "impersonated_service_account", "service_account_impersonation_url": url, "source_credentials": user});
    reads(step().file("c.json", impersonated.to_string()));
}

#[test]
fn what_google_refuses_exits_77_and_says_with_which_credentials() {
    let Some(pem) = private_key() else { return };
    let (google, internet) = google();
    let mut file: Value = serde_json::from_str(&google.service_account(&pem)).unwrap();
    let step = || step(&google, &internet);
    file["private_key"] = json!(private_key().unwrap());
    let other = step().workflow_secret("GOOGLE_CREDENTIALS", &file.to_string());
    refused(other, 77, &["cannot sign in with GOOGLE_CREDENTIALS", "invalid_grant: Invalid JWT Signature.", ACCOUNT]);
    file["private_key"] = json!("-----BEGIN PRIVATE KEY-----\nhunter2hunter2hunter2\n-----END PRIVATE KEY-----\n");
    let broken = step().workflow_secret("GOOGLE_CREDENTIALS", &file.to_string()).secret("hunter2hunter2hunter2");
    refused(broken, 77, &["the private key of the service account", "malformed"]);
    let garbage = step().workflow_secret("GOOGLE_CREDENTIALS", "hunter2-of-google");
    refused(garbage, 77, &["GOOGLE_CREDENTIALS", "neither JSON, nor JSON in base64, nor the path of a file"]);
    let mut user: Value = serde_json::from_str(&google.user()).unwrap();
    user["refresh_token"] = json!("1//revoked-token");
    let user = step().file("a.json", user.to_string()).env("GOOGLE_APPLICATION_CREDENTIALS", "a.json");
    refused(user.secret("1//revoked-token"), 77, &["expired or revoked", "gcloud auth application-default login"]);
    let absent = step().env("GOOGLE_APPLICATION_CREDENTIALS", "nosuch.json");
    refused(absent, 77, &["nosuch.json", "GOOGLE_APPLICATION_CREDENTIALS"]);
    refused(step(), 77, &["GOOGLE_CREDENTIALS is missing", "google-github-actions/auth"]);
    let wrong = step().workflow_secret("GOOGLE_OAUTH_ACCESS_TOKEN", "ya29.wrong-token");
    refused(wrong, 77, &["`state`", "GOOGLE_OAUTH_ACCESS_TOKEN", "AccessDenied", "roles/storage.objectViewer"]);
}

#[test]
fn the_error_names_what_is_missing() {
    let (google, internet) = google();
    let signed_in = |url: &str, stack: &str| {
        let step = Step::new("stack-output").args(["port", "--backend", url, "--stack", stack]).internet(&internet);
        step.knowing(google.secrets()).workflow_secret("GOOGLE_OAUTH_ACCESS_TOKEN", &google.token())
    };
    refused(signed_in("gs://nosuch", "organization/shop/prod"), 1, &["there is no bucket `nosuch`", "NoSuchBucket"]);
    refused(signed_in("gs://state/team a", "organization/shop/qa"), 1, &["there is no stack `qa` in the bucket"]);
    refused(signed_in("gs://state?region=x", "organization/shop/qa"), 2, &["gs:// address", "`region` is not known"]);
    refused(signed_in("gs://state?universe_domain=evil.example", "organization/shop/qa"), 2, &["evil.example"]);
    refused(signed_in("gs://s", "organization/shop/qa"), 2, &["`s` is not the name of a bucket"]);
    google.fail("GET /state/*", Fault::status(503));
    refused(
        signed_in("gs://state", "organization/shop/qa").args(["--deadline", "1"]),
        75,
        &["storage.googleapis.com", "503"],
    );
    assert!(!internet.asked().iter().any(|host| host.contains("evil")));
}

#[test]
fn a_public_bucket_is_read_without_an_account() {
    let (google, internet) = google();
    google.put("public-state/prod.json", STATE, None);
    for url in ["gs://public-state/prod.json?anonymous=true", "gs://public-state/prod.json?access_id=-"] {
        let step = Step::new("stack-output").args(["ip", "--state", url]).internet(&internet);
        assert_eq!(step.run().exits(0).stdout, "203.0.113.9\n");
    }
    assert!(google.requests().iter().all(|request| request.header("authorization").is_none()));
}

#[test]
fn a_gcs_backend_is_read_by_workspace() {
    let (google, internet) = google();
    let key = BASE64_STANDARD.encode([7; 32]);
    google.put("states/app/default.tfstate", STATE, None);
    google.put("states/app/qa.tfstate", STATE.replace("203.0.113.9", "198.51.100.1"), None);
    google.put("states/sealed/default.tfstate", STATE, Some(&key));
    let step = |config: &Value, arguments: &[&str]| {
        initialised("gcs", config, arguments).internet(&internet).knowing(google.secrets())
    };
    let config = json!({"bucket": "states", "prefix": "/app", "credentials": null});
    let signed_in = |config: &Value, arguments: &[&str]| {
        step(config, arguments).workflow_secret("GOOGLE_OAUTH_ACCESS_TOKEN", &google.token())
    };
    assert_eq!(signed_in(&config, &["ip"]).run().exits(0).stdout, "203.0.113.9\n");
    assert_eq!(signed_in(&config, &["ip", "--stack", "qa"]).run().exits(0).stdout, "198.51.100.1\n");
    refused(signed_in(&config, &["ip", "--stack", "nope"]), 1, &["the workspace `nope` does not exist"]);
    let endpoint = json!({"bucket": "states", "prefix": "app", "storage_custom_endpoint": format!("{}/storage/v1/", google.url())});
    assert_eq!(signed_in(&endpoint, &["ip"]).without("HTTPS_PROXY").run().exits(0).stdout, "203.0.113.9\n");
    let path = json!({"bucket": "states", "prefix": "app", "credentials": "keys/user.json"});
    let elsewhere = step(&path, &["ip", "--cwd", "infra"]).file("infra/keys/user.json", google.user());
    let pointer = std::fs::read(elsewhere.folder().join(".terraform/terraform.tfstate")).unwrap();
    let elsewhere = elsewhere.file("infra/.terraform/terraform.tfstate", pointer);
    assert_eq!(elsewhere.run().exits(0).stdout, "203.0.113.9\n");
    let given = json!({"bucket": "states", "prefix": "app/", "access_token": google.token()});
    assert_eq!(step(&given, &["ip"]).run().exits(0).stdout, "203.0.113.9\n");
    let given = json!({"bucket": "states", "prefix": "app/", "credentials": google.user(), "impersonate_service_account": ACCOUNT});
    assert_eq!(step(&given, &["ip"]).run().exits(0).stdout, "203.0.113.9\n");
    let sealed = json!({"bucket": "states", "prefix": "sealed"});
    refused(signed_in(&sealed, &["ip"]), 77, &["GOOGLE_ENCRYPTION_KEY"]);
    let opened = signed_in(&sealed, &["ip"]).workflow_secret("GOOGLE_ENCRYPTION_KEY", &key);
    assert_eq!(opened.run().exits(0).stdout, "203.0.113.9\n");
    refused(signed_in(&sealed, &["ip"]).workflow_secret("GOOGLE_ENCRYPTION_KEY", "c2hvcnQ="), 77, &["malformed"]);
    refused(signed_in(&json!({"prefix": "app"}), &["ip"]), 2, &["has no `bucket`"]);
    let other = json!({"bucket": "states", "impersonate_service_account": "other@acme.iam.gserviceaccount.com"});
    refused(signed_in(&other, &["ip"]), 77, &["cannot impersonate", "roles/iam.serviceAccountTokenCreator"]);
}

#[test]
fn cloud_kms_is_called_with_the_same_credentials() {
    let (google, internet) = google();
    google.unwraps(&wrapped(), &data_key());
    let url = "gcpkms://projects/p/locations/global/keyRings/r/cryptoKeys/k";
    let step = |encrypted: &str| {
        let step =
            Step::new("stack-output").args(["--state", "-", "--show-secrets", "pw"]).stdin(state(url, encrypted));
        step.secret("kms-secret").internet(&internet).knowing(google.secrets())
    };
    let signed_in = |encrypted: &str| {
        step(encrypted).file("adc.json", google.user()).env("GOOGLE_APPLICATION_CREDENTIALS", "adc.json")
    };
    assert_eq!(signed_in(&wrapped()).run().exits(0).stdout, "kms-secret\n");
    refused(signed_in("b3RoZXI="), 77, &["PERMISSION_DENIED", "asked as the signed-in user"]);
    let reader = step(&wrapped()).workflow_secret("GOOGLE_OAUTH_ACCESS_TOKEN", &google.token());
    refused(reader, 77, &["cloudkms.cryptoKeyVersions.useToDecrypt"]);
}
