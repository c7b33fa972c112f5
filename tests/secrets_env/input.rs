//! Sizes and shapes of what Doppler may hold.

use std::fmt::Write as _;

use emulators::Doppler;
use emulators::doppler::Visibility;

use super::{doppler, refused, step};
use crate::support::Step;

#[test]
fn a_config_at_dopplers_limits_runs_and_prints() {
    // 1,200 secrets and 500 KiB; the search for leaks is for a few of them, it would take minutes for all.
    let doppler = Doppler::start();
    for number in 0..1_200u64 {
        let mut value = String::new();
        while value.len() < 400 {
            write!(value, "{:016x}", (number + value.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)).unwrap();
        }
        let visibility = if number < 8 { Visibility::Masked } else { Visibility::Unmasked };
        doppler.set_with("dev", &format!("SECRET_{number:04}"), &value, visibility);
    }
    let seen = step(&doppler, &["--", "sh", "-c", "echo $SECRET_0007; env | grep -c ^SECRET_"]).run().exits(0);
    assert_eq!(seen.stdout, "***\n1200\n");
    let seen = step(&doppler, &["--format", "names"]).plain().run().exits(0);
    assert_eq!(seen.stdout.lines().count(), 1_203);
}

#[test]
fn each_format_refuses_what_it_cannot_hold_and_names_one_that_can() {
    let doppler = Doppler::start();
    doppler.set("dev", "LINES", "first line\nsecond line");
    doppler.set("dev", "QUOTE", "it's a quote");
    let with = |name: &str, format: &str| step(&doppler, &["--only", name, "--format", format]).plain();
    refused(with("LINES", "docker"), 2, &["--format docker cannot hold the value of LINES", "--format json"]);
    refused(with("QUOTE", "dotenv"), 2, &["--format dotenv cannot hold the value of QUOTE", "json or shell"]);
    refused(with("LINES,QUOTE", "raw"), 2, &["exactly one secret", "--only"]);
    assert_eq!(with("QUOTE", "shell").may_print_secrets().run().exits(0).stdout, "export QUOTE='it'\\''s a quote'\n");
}

#[test]
fn every_format_prints_what_its_reader_reads() {
    let doppler = Doppler::start();
    doppler.set("dev", "KEY", "k3y $x \"y\" \\z");
    for (format, text) in [
        ("json", "{\n  \"KEY\": \"k3y $x \\\"y\\\" \\\\z\"\n}\n"),
        ("dotenv", "KEY='k3y $x \"y\" \\z'\n"),
        ("yaml", "KEY: \"k3y $x \\\"y\\\" \\\\z\"\n"),
        ("shell", "export KEY='k3y $x \"y\" \\z'\n"),
        ("fish", "set -gx KEY 'k3y $x \"y\" \\\\z'\n"),
        ("powershell", "$env:KEY = 'k3y $x \"y\" \\z'\n"),
        ("docker", "KEY=k3y $x \"y\" \\z\n"),
        ("tfvars", "KEY = \"k3y $x \\\"y\\\" \\\\z\"\n"),
        ("names", "KEY\n"),
        ("raw", "k3y $x \"y\" \\z"),
    ] {
        let seen = step(&doppler, &["--only", "KEY", "--format", format]).plain().may_print_secrets().run().exits(0);
        assert_eq!(seen.stdout, text, "{format}");
    }
}

#[test]
fn what_is_not_masked_is_named_with_its_reason() {
    let doppler = Doppler::start();
    doppler.set_with("dev", "REGION", "eu-central-1", Visibility::Unmasked);
    for (name, value) in [("DEBUG", "true"), ("COUNT", "3"), ("STAGE", "production"), ("KEY", "k3y-4711-0815")] {
        let visibility = if name == "KEY" { Visibility::Masked } else { Visibility::Unmasked };
        // The stand-in takes every masked value for a secret; these four are not.
        doppler.set_with("dev", name, value, visibility);
    }
    let from =
        Step::new("secrets-env").args(["--from", "-", "--", "true"]).stdin("DEBUG=true\nCOUNT=3\nKEY=k3y-4711-0815");
    let seen = from.run().exits(0);
    assert!(
        seen.stderr.contains("not masked: COUNT (under 4 characters), DEBUG (a common word or number)"),
        "{}",
        seen.stderr
    );
    assert_eq!(seen.masks[0], "k3y-4711-0815");
    let seen = step(&doppler, &["--to", "env", "--only", "REGION,KEY,DEBUG"]).run().exits(0);
    assert!(
        seen.stderr.contains("not masked: DEBUG (unmasked in Doppler), REGION (unmasked in Doppler)"),
        "{}",
        seen.stderr
    );
}

#[test]
fn leases_are_issued_only_when_asked_for_and_are_not_remembered() {
    let doppler = doppler();
    let temp = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        step(&doppler, &["--dynamic-secrets", "--", "true"]).env("RUNNER_TEMP", temp.path()).run().exits(0);
    }
    let requests = doppler.requests();
    assert_eq!(doppler.full_reads(), 2);
    assert!(requests.iter().all(|request| request.parameter("include_dynamic_secrets").as_deref() == Some("true")));
    assert!(std::fs::read_dir(temp.path()).unwrap().next().is_none());
}

#[test]
fn a_value_that_is_required_and_not_filled_in_stops_the_command_before_it_starts() {
    let doppler = doppler();
    doppler.set("dev", "BLANK", "  ");
    doppler.set("dev", "LATER", "<your key here>");
    let touch = |name: &str| step(&doppler, &["--require", name, "--", "touch", "started"]);
    for (name, why) in [("GONE", "GONE is missing"), ("BLANK", "BLANK is empty"), ("LATER", "LATER is a placeholder")] {
        let step = touch(name);
        let started = step.folder().join("started");
        refused(step, 1, &[why]);
        assert!(!started.exists());
    }
    touch("API_KEY,DB_URL").run().exits(0);
}

#[test]
fn a_shown_secret_is_not_hidden_and_a_restricted_one_always_is() {
    let doppler = Doppler::start();
    // The stand-in takes what is masked for a secret wherever it is seen; this one is to be seen.
    doppler.set_with("dev", "BUCKET", "acme-uploads-7731", Visibility::Unmasked);
    doppler.set_with("dev", "HIDDEN", "restricted-k3y-4711", Visibility::Restricted);
    let from = || Step::new("secrets-env").args(["--from", "-"]).stdin("BUCKET=acme-uploads-7731\nKEY=k3y-4711-0815\n");
    let show = |name: &str| from().args(["--show", name, "--", "sh", "-c", "echo $BUCKET $KEY"]);
    let seen = show("BUCKET").run().exits(0);
    assert_eq!(seen.stdout, "acme-uploads-7731 ***\n");
    assert!(seen.stderr.contains("not masked: BUCKET ("), "{}", seen.stderr);
    assert!(seen.masks[0] == "k3y-4711-0815" && !seen.masks.iter().any(|mask| mask.contains("acme")));
    refused(show("BUCKTE"), 1, &["not among the secrets: BUCKTE", "--show"]);
    let restricted = |options: &[&str]| step(&doppler, options).args(["--", "sh", "-c", "echo $HIDDEN"]);
    refused(restricted(&["--show", "HIDDEN"]), 77, &["--show cannot show HIDDEN", "restricted"]);
    assert_eq!(restricted(&[]).run().exits(0).stdout, "***\n");
}

#[test]
fn a_restricted_value_is_hidden_however_short_or_common_it_is() {
    let doppler = Doppler::start();
    for value in ["true", "ab", "us-east-1"] {
        doppler.set_with("dev", "HIDDEN", value, Visibility::Restricted);
        let seen = step(&doppler, &["--only", "HIDDEN", "--", "sh", "-c", "echo \"<$HIDDEN>\""]).run().exits(0);
        assert_eq!(seen.stdout, "<***>\n", "{value}");
    }
}
