//! Amazon Web Services: which host holds a bucket, and every way to an access key.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use emulators::amazon::{AUTHORIZATION, EXTERNAL_ID, ROLE, USER};
use emulators::{Amazon, Doppler, GitHub, Internet};
use serde_json::{Value, json};

use super::backends::{STATE, alone, initialised, with_program};
use super::{FAR, refused, token};
use crate::support::Step;

/// Amazon with a state that a user reads, one that only the role reads and one for everybody; and the way to them.
fn amazon() -> (Amazon, Internet) {
    let amazon = Amazon::start();
    for bucket in ["states", "role-states", "public-states", "dotted.states"] {
        amazon.put(&format!("{bucket}/a b/prod.json"), STATE, None);
    }
    let internet = Internet::start(&[("*.amazonaws.com", amazon.address())]);
    (amazon, internet)
}

/// A step that reads a bucket's state. It has nothing to sign in with.
fn step(amazon: &Amazon, internet: &Internet, bucket_and_query: &str) -> Step {
    let (bucket, query) = bucket_and_query.split_once('?').unwrap_or((bucket_and_query, ""));
    let url = format!("s3://{bucket}/a b/prod.json?region=eu-west-1&{query}");
    let step =
        alone(Step::new("stack-output").args(["ip", "--state", &url])).internet(internet).knowing(amazon.secrets());
    step.env("AWS_EC2_METADATA_DISABLED", "true")
}

fn as_user(step: Step, amazon: &Amazon) -> Step {
    step.workflow_secret("AWS_SECRET_ACCESS_KEY", amazon.secret()).env("AWS_ACCESS_KEY_ID", USER)
}

#[track_caller]
fn reads(step: Step) {
    assert_eq!(step.run().exits(0).stdout, "203.0.113.9\n");
}

#[test]
fn an_address_chooses_amazons_hosts() {
    for (query, host) in [
        ("states", "states.s3.eu-west-1.amazonaws.com"),
        ("states?dualstack=true", "states.s3.dualstack.eu-west-1.amazonaws.com"),
        ("states?fips=true", "states.s3-fips.eu-west-1.amazonaws.com"),
        ("states?accelerate=true", "states.s3-accelerate.amazonaws.com"),
        ("dotted.states", "s3.eu-west-1.amazonaws.com"),
    ] {
        let (amazon, internet) = amazon();
        reads(as_user(step(&amazon, &internet, query), &amazon));
        assert_eq!(internet.asked(), [host]);
    }
    let (amazon, internet) = amazon();
    reads(
        as_user(step(&amazon, &internet, "states"), &amazon)
            .env("AWS_USE_FIPS_ENDPOINT", "true")
            .env("AWS_USE_DUALSTACK_ENDPOINT", "true"),
    );
    assert_eq!(internet.asked(), ["states.s3-fips.dualstack.eu-west-1.amazonaws.com"]);
    let both = step(&amazon, &internet, "states?fips=true&accelerate=true");
    refused(as_user(both, &amazon), 2, &["there is no accelerated FIPS endpoint"]);
}

#[test]
fn a_public_bucket_is_read_without_a_key() {
    let (amazon, internet) = amazon();
    reads(step(&amazon, &internet, "public-states?anonymous=true"));
    refused(step(&amazon, &internet, "states?anonymous=true"), 77, &["`states`", "`anonymous`"]);
    assert!(amazon.requests().iter().all(|request| request.header("authorization").is_none()));
}

#[test]
fn a_jobs_identity_assumes_the_role_without_a_stored_key() {
    let (amazon, internet) = amazon();
    let github = GitHub::start();
    let step = || step(&amazon, &internet, "role-states").env("AWS_ROLE_ARN", ROLE);
    reads(step().identity(&github));
    let token_file =
        |token: &str| step().file("token", token).env("AWS_WEB_IDENTITY_TOKEN_FILE", "token").secret(token);
    reads(token_file(&token("sts.amazonaws.com", FAR)));
    assert_eq!(internet.asked(), ["sts.eu-west-1.amazonaws.com", "role-states.s3.eu-west-1.amazonaws.com"]);
    refused(
        token_file(&token("api://other", FAR)),
        77,
        &["cannot assume the role", ROLE, "AccessDenied", "trust policy"],
    );
    refused(token_file(&token("sts.amazonaws.com", 1)), 77, &["ExpiredTokenException"]);
    refused(step().env("AWS_WEB_IDENTITY_TOKEN_FILE", "nosuch"), 77, &["nosuch", "AWS_WEB_IDENTITY_TOKEN_FILE"]);
    refused(step(), 77, &["AWS_ROLE_ARN is set", "id-token: write"]);
}

#[test]
fn a_role_is_assumed_that_an_address_a_profile_or_a_backend_names() {
    let (amazon, internet) = amazon();
    let config = format!(
        "[default]\nregion = eu-west-1\n[profile reader]\nrole_arn = {ROLE}\nsource_profile = base\nexternal_id = {EXTERNAL_ID}\n\
         [profile base]\naws_access_key_id = {USER}\naws_secret_access_key = {}\n\
         [profile of-variables]\nrole_arn = {ROLE}\ncredential_source = Environment\nexternal_id = {EXTERNAL_ID}\n\
         [profile round]\nrole_arn = x\nsource_profile = about\n[profile about]\nrole_arn = y\nsource_profile = round\n",
        amazon.secret()
    );
    let profile = |name: &str| {
        step(&amazon, &internet, "role-states")
            .file("config", &config)
            .env("AWS_CONFIG_FILE", "config")
            .env("AWS_PROFILE", name)
    };
    reads(profile("reader"));
    reads(as_user(profile("of-variables"), &amazon));
    refused(profile("base").args(["--deadline", "5"]), 77, &["AccessDenied", USER, "of the profile `base`"]);
    refused(profile("round"), 77, &["refers to itself"]);
    let by_address = step(&amazon, &internet, &format!("role-states?role={ROLE}"));
    refused(as_user(by_address, &amazon), 77, &["cannot assume the role", "AccessDenied", USER]);
    let backend = |role: Value| {
        let config =
            json!({"bucket": "role-states", "key": "a b/prod.json", "region": "eu-west-1", "assume_role": role});
        let step = alone(initialised("s3", &config, &["ip"])).internet(&internet).knowing(amazon.secrets());
        as_user(step, &amazon)
    };
    reads(backend(json!({"role_arn": ROLE, "external_id": EXTERNAL_ID, "duration": "1h", "tags": null})));
    refused(
        backend(json!({"role_arn": "arn:aws:iam::1:role/other", "external_id": EXTERNAL_ID})),
        77,
        &["arn:aws:iam::1:role/other"],
    );
    let web = json!({"role_arn": ROLE, "web_identity_token": token("sts.amazonaws.com", FAR)});
    let config = json!({"bucket": "role-states", "key": "a b/prod.json", "region": "eu-west-1", "assume_role_with_web_identity": web});
    let step = alone(initialised("s3", &config, &["ip"])).internet(&internet).knowing(amazon.secrets());
    reads(step.secret(&token("sts.amazonaws.com", FAR)));
}

#[test]
fn a_container_and_a_machine_provide_a_key() {
    let (amazon, internet) = amazon();
    let step = || step(&amazon, &internet, "role-states").without("AWS_EC2_METADATA_DISABLED");
    reads(step().env("AWS_EC2_METADATA_SERVICE_ENDPOINT", amazon.url()));
    let container = |authorization: &str| {
        let url = format!("{}/v1/credentials", amazon.url());
        let step = step().env("AWS_CONTAINER_CREDENTIALS_FULL_URI", url);
        step.workflow_secret("AWS_CONTAINER_AUTHORIZATION_TOKEN", authorization)
    };
    reads(container(AUTHORIZATION));
    refused(container("wrong-authorization"), 77, &["the container's agent gave no AWS access key", "401"]);
    let far = step().env("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://example.com/credentials");
    refused(far, 2, &["plain http"]);
}

#[test]
fn an_unsupported_profile_is_named_or_terraform_is_run() {
    let (amazon, internet) = amazon();
    for (setting, name) in
        [("sso_session = x", "`sso_session`"), ("credential_process = /bin/x", "`credential_process`")]
    {
        let profile = |step: Step| {
            step.file("config", format!("[profile ci]\n{setting}\n"))
                .env("AWS_CONFIG_FILE", "config")
                .env("AWS_PROFILE", "ci")
        };
        let words = [name, "aws configure export-credentials --profile ci --format env"];
        refused(profile(step(&amazon, &internet, "states")), 77, &words);
        let config = json!({"bucket": "states", "key": "k", "region": "eu-west-1"});
        let answer = r#"echo '{"ip":{"sensitive":false,"type":"string","value":"of terraform"}}'"#;
        let asked = with_program(profile(initialised("s3", &config, &["ip"])), "terraform", answer);
        assert_eq!(asked.run().exits(0).stdout, "of terraform\n");
        let asked = Step::new("stack-output").args(["ip", "--backend", "s3://states", "-s", "organization/shop/prod"]);
        let asked = with_program(profile(asked), "pulumi", r#"echo "{\"ip\": \"$PULUMI_BACKEND_URL\"}""#);
        assert_eq!(asked.run().exits(0).stdout, "s3://states\n");
    }
}

#[test]
fn an_object_encrypted_with_a_customer_key_is_decrypted_with_it() {
    let (amazon, internet) = amazon();
    let key = BASE64_STANDARD.encode([9; 32]);
    amazon.put("states/sealed", STATE, Some(&key));
    let step = |more: Value| {
        let mut config =
            json!({"bucket": "states", "key": "sealed", "region": "eu-west-1", "use_dualstack_endpoint": true});
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let step = alone(initialised("s3", &config, &["ip"])).internet(&internet).knowing(amazon.secrets());
        as_user(step, &amazon)
    };
    reads(step(json!({"sse_customer_key": key})).secret(&key));
    reads(step(json!({})).workflow_secret("AWS_SSE_CUSTOMER_KEY", &key));
    assert_eq!(internet.asked(), ["states.s3.dualstack.eu-west-1.amazonaws.com"]);
    refused(step(json!({})), 77, &["InvalidRequest", "AWS_SSE_CUSTOMER_KEY"]);
    refused(
        step(json!({})).workflow_secret("AWS_SSE_CUSTOMER_KEY", "c2hvcnQ="),
        77,
        &["malformed", "AWS_SSE_CUSTOMER_KEY"],
    );
    let other = BASE64_STANDARD.encode([8; 32]);
    refused(step(json!({})).workflow_secret("AWS_SSE_CUSTOMER_KEY", &other), 77, &["AccessDenied"]);
}

#[test]
fn what_s3_refuses_names_the_bucket_and_the_key() {
    let (amazon, internet) = amazon();
    let user = |bucket: &str| as_user(step(&amazon, &internet, bucket), &amazon);
    refused(user("nosuch-bucket"), 1, &["there is no bucket `nosuch-bucket`", "NoSuchBucket"]);
    let words =
        ["cannot read the bucket `role-states` with the access key", "AccessDenied", USER, "of AWS_ACCESS_KEY_ID"];
    refused(user("role-states"), 77, &words);
    let doppler = Doppler::start();
    doppler.set("dev", "AWS_ACCESS_KEY_ID", USER);
    doppler.set("dev", "AWS_SECRET_ACCESS_KEY", amazon.secret());
    let stored = |bucket: &str| step(&amazon, &internet, bucket).doppler(&doppler);
    reads(stored("states"));
    refused(stored("role-states"), 77, &["of AWS_ACCESS_KEY_ID in Doppler"]);
    let wrong = step(&amazon, &internet, "states").env("AWS_ACCESS_KEY_ID", USER);
    refused(wrong.workflow_secret("AWS_SECRET_ACCESS_KEY", "wrong-secret-key"), 77, &["SignatureDoesNotMatch", USER]);
    refused(step(&amazon, &internet, "states"), 77, &["AWS_ACCESS_KEY_ID is missing", "no metadata service"]);
    let stale = user("states").workflow_secret("AWS_SESSION_TOKEN", "stale-session-token");
    refused(stale, 77, &["InvalidToken", "renew"]);
    let elsewhere =
        Step::new("stack-output").args(["ip", "--state", "s3://states/a?region=us-east-1"]).internet(&internet);
    refused(as_user(elsewhere.knowing(amazon.secrets()), &amazon), 2, &["AWS_REGION"]);
}
