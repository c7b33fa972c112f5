//! Sizes and shapes of what Doppler may hold.

use std::fmt::Write as _;

use emulators::Doppler;
use emulators::doppler::Visibility;

use super::{refused, step};

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
