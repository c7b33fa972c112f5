//! Doppler's answers, against the recorded ones.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use emulators::{Doppler, Visibility};
use serde_json::json;

use crate::raw;

const DOWNLOAD: &str = "/v3/configs/config/secrets/download";

#[test]
fn a_download_is_a_sorted_flat_object_with_the_managed_names() {
    let doppler = Doppler::start();
    doppler.set("dev", "FOO", "bar");
    let answer = raw::get(&doppler.url(), DOWNLOAD, doppler.token());
    assert_eq!(answer.status, 200);
    let expected = r#"{"DOPPLER_CONFIG":"dev","DOPPLER_ENVIRONMENT":"dev","DOPPLER_PROJECT":"app","FOO":"bar"}"#;
    assert_eq!(answer.text(), expected);
}

#[test]
fn an_etag_that_still_holds_is_answered_304_without_a_body() {
    let doppler = Doppler::start();
    doppler.set("dev", "FOO", "bar");
    let bearer = format!("Bearer {}", doppler.token());
    let etag = raw::get(&doppler.url(), DOWNLOAD, doppler.token()).header("etag").unwrap();
    let headers = [("authorization", bearer.as_str()), ("if-none-match", etag.as_str())];
    let again = raw::send(&doppler.url(), "GET", DOWNLOAD, &headers, b"").unwrap();
    assert_eq!((again.status, again.body.len()), (304, 0));
    doppler.set("dev", "FOO", "baz");
    assert_eq!(raw::send(&doppler.url(), "GET", DOWNLOAD, &headers, b"").unwrap().status, 200);
}

#[test]
fn the_filter_and_the_transformer_apply() {
    let doppler = Doppler::start();
    doppler.set("dev", "API_KEY", "k");
    doppler.set("dev", "OTHER", "o");
    let path = format!("{DOWNLOAD}?secrets=API_KEY,ABSENT&name_transformer=tf-var&format=env");
    assert_eq!(raw::get(&doppler.url(), &path, doppler.token()).text(), "TF_VAR_api_key=\"k\"");
}

#[test]
fn errors_have_the_recorded_statuses_and_texts() {
    let doppler = Doppler::start();
    let account = doppler.service_account_token();
    for (path, token, status, message) in [
        (DOWNLOAD.to_owned(), "dp.st.nonsense", 401, "Invalid Auth token"),
        (
            format!("{DOWNLOAD}?project=app&config=prd"),
            doppler.token(),
            400,
            "This token does not have access to requested config 'prd'",
        ),
        (
            format!("{DOWNLOAD}?project=other&config=dev"),
            doppler.token(),
            400,
            "This token does not have access to requested project 'other'",
        ),
        (format!("{DOWNLOAD}?project=x&config=dev"), &account, 404, "Could not find requested project 'x'"),
        (format!("{DOWNLOAD}?project=app&config=x"), &account, 404, "Could not find requested config 'x'"),
    ] {
        let answer = raw::get(&doppler.url(), &path, token);
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(answer.json(), json!({ "messages": [message], "success": false }));
    }
}

#[test]
fn the_list_tells_visibility_and_withholds_restricted_values_from_people() {
    let doppler = Doppler::start();
    doppler.set_with("dev", "LEVEL", "debug", Visibility::Unmasked);
    doppler.set_with("dev", "VAULT", "v4ult", Visibility::Restricted);
    let path = "/v3/configs/config/secrets?project=app&config=dev&include_managed_secrets=false";
    let secrets = raw::get(&doppler.url(), path, &doppler.personal_token()).json();
    assert_eq!(secrets["secrets"]["LEVEL"]["computed"], "debug");
    assert_eq!(secrets["secrets"]["LEVEL"]["computedVisibility"], "unmasked");
    assert_eq!(secrets["secrets"]["VAULT"]["computed"], json!(null));
    assert!(secrets["secrets"].get("DOPPLER_CONFIG").is_none());
    let secrets = raw::get(&doppler.url(), path, doppler.token()).json();
    assert_eq!(secrets["secrets"]["VAULT"]["computed"], "v4ult");
}

#[test]
fn the_limit_of_secret_reads_answers_429_with_the_real_headers() {
    let doppler = Doppler::start();
    doppler.limit_secret_reads(2, Duration::from_mins(1));
    let answers = [(); 3].map(|()| raw::get(&doppler.url(), DOWNLOAD, doppler.token()));
    assert_eq!(answers.each_ref().map(|answer| answer.status), [200, 200, 429]);
    assert_eq!(answers[0].header("x-ratelimit-limit").as_deref(), Some("2"));
    assert_eq!(answers[2].header("x-ratelimit-remaining").as_deref(), Some("0"));
    let wait = answers[2].header("retry-after").unwrap().parse::<u64>().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
}

#[test]
fn an_identity_gets_a_short_lived_token_that_can_be_revoked() {
    let doppler = Doppler::start();
    doppler.set("prd", "KEY", "value");
    doppler.trust("11111111-2222", Some("https://github.com/acme"));
    let jwt = |exp: i64| {
        let claims = json!({ "aud": "https://github.com/acme", "exp": exp }).to_string();
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
    };
    let ask = |jwt: &str| {
        let body = json!({ "identity": "11111111-2222", "token": jwt });
        raw::send(&doppler.url(), "POST", "/v3/auth/oidc", &[], body.to_string().as_bytes()).unwrap()
    };
    assert_eq!(ask(&jwt(1)).status, 401);
    let token = ask(&jwt(4_000_000_000)).json()["token"].as_str().unwrap().to_owned();
    assert!(token.starts_with("dp.said."));
    let path = format!("{DOWNLOAD}?project=app&config=prd&secrets=KEY");
    assert_eq!(raw::get(&doppler.url(), &path, &token).text(), r#"{"KEY":"value"}"#);
    let body = json!({ "token": token }).to_string();
    let revoked = raw::send(&doppler.url(), "POST", "/v3/auth/revoke", &[], body.as_bytes()).unwrap();
    assert_eq!((revoked.status, revoked.body.len()), (200, 0));
    assert_eq!(raw::get(&doppler.url(), &path, &token).status, 401);
}
