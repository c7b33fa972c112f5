//! Doppler unreachable, wrong or slow, and the fallback. Each of the eight known failures of the Doppler CLI's fallback has a test.

use std::path::Path;

use emulators::{Doppler, Fault};

use super::{API_KEY, doppler, refused, step};
use crate::support::Step;

const PASSPHRASE: &str = "a long and random passphrase 4711";

/// A step that prints the key, with a fallback in `folder`. No retries are worth their time here.
fn with_fallback(doppler: &Doppler, folder: &Path, more: &[&str]) -> Step {
    let file = folder.join("fallback").display().to_string();
    step(doppler, &["--deadline", "1", "--only", "API_KEY", "--format", "raw", "--fallback", &file])
        .args(more)
        .plain()
        .workflow_secret("DOPPLER_PASSPHRASE", PASSPHRASE)
        .may_print(API_KEY)
}

/// A folder whose fallback holds the key.
fn kept(doppler: &Doppler) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(with_fallback(doppler, folder.path(), &[]).run().exits(0).stdout, API_KEY);
    folder
}

#[test]
fn an_outage_is_bridged_and_the_age_of_the_copy_is_printed() {
    let doppler = doppler();
    let folder = kept(&doppler);
    for fault in
        [Fault::status(503), Fault::status(500), Fault::reset(), Fault::status(429).header("retry-after", "60")]
    {
        doppler.fail("/v3/configs*", fault);
        let seen = with_fallback(&doppler, folder.path(), &[]).run().exits(0);
        assert_eq!(seen.stdout, API_KEY);
        assert!(seen.stderr.contains("Doppler is unreachable; using the encrypted copy from "), "{}", seen.stderr);
        doppler.recover();
    }
}

#[test]
fn an_answer_that_stalls_or_breaks_off_is_bridged_too() {
    let doppler = doppler();
    let folder = kept(&doppler);
    for fault in [Fault::none().cut_mid_body(), Fault::none().stalled_mid_body()] {
        doppler.fail("/v3/configs*", fault);
        assert_eq!(with_fallback(&doppler, folder.path(), &[]).run().exits(0).stdout, API_KEY);
        doppler.recover();
    }
}

#[test]
fn a_limit_that_ends_after_the_deadline_is_75_and_says_how_long_to_wait() {
    let doppler = doppler();
    doppler.fail("/v3/configs*", Fault::status(429).header("retry-after", "60"));
    let step = step(&doppler, &["--deadline", "1", "--", "true"]).plain();
    refused(step, 75, &["answered 429", "asks to wait 60 s, which is past the deadline"]);
    assert_eq!(doppler.requests().len(), 1);
}

#[test]
fn f1_a_page_in_place_of_an_answer_is_75_and_the_fallback_stays_as_it_is() {
    let doppler = doppler();
    let folder = kept(&doppler);
    let before = std::fs::read(folder.path().join("fallback")).unwrap();
    doppler.fail("/v3/configs*", Fault::none().body("text/html", "<html>Sign in to the hotel's network</html>"));
    refused(with_fallback(&doppler, folder.path(), &[]), 75, &["text/html", "proxy"]);
    refused(step(&doppler, &["--format", "json"]).plain(), 75, &["text/html"]);
    assert_eq!(std::fs::read(folder.path().join("fallback")).unwrap(), before);
}

#[test]
fn f2_a_refusal_deletes_nothing_and_uses_nothing() {
    let doppler = doppler();
    let folder = kept(&doppler);
    let before = std::fs::read(folder.path().join("fallback")).unwrap();
    for (status, code) in [(401, 77), (403, 77), (404, 1)] {
        doppler.fail("/v3/configs*", Fault::status(status));
        refused(with_fallback(&doppler, folder.path(), &[]), code, &[&status.to_string()]);
        doppler.recover();
    }
    assert_eq!(std::fs::read(folder.path().join("fallback")).unwrap(), before);
}

#[test]
fn f3_a_token_without_access_gets_no_old_secrets() {
    let doppler = doppler();
    let folder = kept(&doppler);
    let step = with_fallback(&doppler, folder.path(), &["-c", "prd"]);
    refused(step, 77, &["may not read config `prd`", "DOPPLER_TOKEN"]);
}

#[test]
fn f4_a_new_token_opens_the_same_fallback() {
    let doppler = doppler();
    let folder = kept(&doppler);
    let other = doppler.service_token("dev");
    doppler.fail("/v3/configs*", Fault::status(503));
    let seen = with_fallback(&doppler, folder.path(), &[]).workflow_secret("DOPPLER_TOKEN", &other).run().exits(0);
    assert_eq!(seen.stdout, API_KEY);
}

#[test]
fn f5_a_name_transformer_does_not_prevent_the_fallback() {
    let doppler = doppler();
    let folder = tempfile::tempdir().unwrap();
    let shaped = || with_fallback(&doppler, folder.path(), &["--transform", "tf-var"]);
    shaped().run().exits(0);
    doppler.fail("/v3/configs*", Fault::status(503));
    assert_eq!(shaped().run().exits(0).stdout, API_KEY);
}

#[test]
fn f6_a_server_error_in_json_is_retried() {
    let doppler = doppler();
    let error = serde_json::json!({ "messages": ["try again"], "success": false });
    doppler.fail("/v3/configs*", Fault::json(500, &error).times(1));
    step(&doppler, &["--", "true"]).run().exits(0);
    assert_eq!(doppler.requests().len(), 2);
}

#[test]
fn f7_an_empty_config_is_an_answer_of_no() {
    let doppler = Doppler::start();
    refused(step(&doppler, &["--", "true"]), 1, &["there are no secrets", "--allow-empty"]);
    step(&doppler, &["--allow-empty", "--", "true"]).run().exits(0);
}

#[test]
fn f8_a_fallback_older_than_allowed_is_not_used() {
    let doppler = doppler();
    let folder = kept(&doppler);
    doppler.fail("/v3/configs*", Fault::status(503));
    let step = with_fallback(&doppler, folder.path(), &["--fallback-max-age", "0.01"]);
    refused(step, 75, &["503", "--fallback-max-age allows 0 s"]);
}

#[test]
fn what_is_not_a_fallback_is_refused_before_doppler_is_asked_and_stays_as_it_is() {
    let doppler = doppler();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("fallback");
    let refused = |words: &[&str]| {
        for _ in 0..2 {
            refused(with_fallback(&doppler, folder.path(), &[]), 2, words);
        }
        assert!(doppler.requests().is_empty());
    };
    std::fs::create_dir(&file).unwrap();
    std::fs::write(file.join("mine"), "mine").unwrap();
    refused(&["cannot be used as the fallback", "it is a directory"]);
    assert_eq!(std::fs::read_to_string(file.join("mine")).unwrap(), "mine");
    std::fs::remove_dir_all(&file).unwrap();
    std::fs::write(&file, "{ \"name\": \"shop\" }").unwrap();
    refused(&["it was not written by secrets-env"]);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "{ \"name\": \"shop\" }");
    std::fs::remove_file(&file).unwrap();
    // The older copy would replace this one.
    std::fs::write(folder.path().join("fallback.old"), "mine").unwrap();
    refused(&["the copy before it would replace", "fallback.old"]);
    assert!(std::process::Command::new("mkfifo").arg(&file).status().unwrap().success());
    refused(&["it is not a regular file"]);
    std::fs::remove_file(&file).unwrap();
    std::fs::remove_file(folder.path().join("fallback.old")).unwrap();
    std::fs::write(&file, "").unwrap();
    with_fallback(&doppler, folder.path(), &[]).run().exits(0);
    with_fallback(&doppler, folder.path(), &[]).run().exits(0);
    let mut names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["fallback", "fallback.old"]);
}

#[test]
fn a_fallback_needs_its_passphrase() {
    let doppler = doppler();
    let folder = kept(&doppler);
    refused(
        with_fallback(&doppler, folder.path(), &[]).without("DOPPLER_PASSPHRASE"),
        77,
        &["DOPPLER_PASSPHRASE is missing"],
    );
    doppler.fail("/v3/configs*", Fault::status(503));
    let step =
        with_fallback(&doppler, folder.path(), &[]).workflow_secret("DOPPLER_PASSPHRASE", "another passphrase 0815");
    refused(step, 75, &["cannot be decrypted with DOPPLER_PASSPHRASE"]);
}

#[test]
fn an_answer_that_stalls_or_breaks_off_is_75_within_the_deadline() {
    let doppler = doppler();
    for fault in [Fault::none().cut_mid_body(), Fault::hang(), Fault::none().stalled_mid_body()] {
        doppler.fail("/v3/configs*", fault);
        refused(step(&doppler, &["--deadline", "0.5", "--format", "json"]).plain(), 75, &["cannot read the secrets"]);
        doppler.recover();
    }
}

#[test]
fn a_redirect_is_75_and_bridged_like_an_outage() {
    let doppler = doppler();
    doppler.fail("/v3/configs*", Fault::status(302).header("location", "https://login.example/"));
    refused(step(&doppler, &["--deadline", "1", "--format", "json"]).plain(), 75, &["302"]);
}

#[test]
fn a_refusal_that_quotes_our_token_is_printed_without_it() {
    let doppler = doppler();
    let text = format!("cannot parse the header `Authorization: Bearer {}`", doppler.token());
    let body = serde_json::json!({ "messages": [text], "success": false });
    doppler.fail("/v3/configs*", Fault::json(400, &body));
    // In Actions and elsewhere: the step's search for leaks covers both streams.
    for step in [step(&doppler, &["--format", "json"]), step(&doppler, &["--", "true"]).plain()] {
        let seen = step.run();
        assert!(seen.stderr.contains("cannot parse the header"), "{}", seen.stderr);
    }
}
