//! Credentials in files and variables may hold anything: they are read or refused, and an error never quotes them.

use clouds::aws::profile::Files;
use clouds::azure::Connection;
use clouds::google::Account;
use proptest::prelude::*;

const SECRET: &str = "hunter2hunter2";

/// Pieces that files are made of, in any order, among them a secret.
fn shuffled(pieces: &'static [&'static str]) -> impl Strategy<Value = String> {
    proptest::collection::vec(proptest::sample::select(pieces), 0..12).prop_map(|pieces| pieces.concat())
}

const CREDENTIALS: &[&str] = &[
    "{",
    "}",
    ",",
    ":",
    "[",
    "]",
    "null",
    "\"type\":",
    "\"service_account\"",
    "\"authorized_user\"",
    "\"external_account\"",
    "\"impersonated_service_account\"",
    "\"private_key\":",
    "\"refresh_token\":",
    "\"credential_source\":{\"url\":",
    "\"client_email\":",
    "\"hunter2hunter2\"",
    "hunter2hunter2",
    "1e9",
];

const CONNECTION: &[&str] = &[
    "AccountName=",
    "AccountKey=",
    "SharedAccessSignature=",
    "BlobEndpoint=",
    "EndpointSuffix=",
    ";",
    "=",
    "hunter2hunter2",
    "é",
];

const PROFILES: &[&str] =
    &["[", "]", "default", "profile ", "\n", "=", "aws_secret_access_key", "role_arn", "#", " ", "é"];

proptest! {
    #[test]
    fn google_credentials_are_read_or_refused_without_quoting_them(text in shuffled(CREDENTIALS)) {
        if let Err(fault) = Account::read(&text) {
            prop_assert!(!format!("{fault:?}").contains(SECRET), "{fault:?}");
        }
    }

    #[test]
    fn a_connection_string_is_read_or_refused_without_quoting_it(text in shuffled(CONNECTION)) {
        if let Err(fault) = Connection::read(&text) {
            prop_assert!(!format!("{fault:?}").contains(SECRET), "{fault:?}");
        }
    }

    #[test]
    fn aws_files_of_any_shape_are_read(credentials in shuffled(PROFILES), config in ".{0,200}") {
        let profile = Files { credentials, config }.profile("default");
        let _ = (profile.key(), profile.role(), profile.beyond());
    }
}
