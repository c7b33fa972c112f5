//! Beside the real Doppler CLI, which asks the same stand-in.

use emulators::{Doppler, Fault};

use super::{API_KEY, DB_URL, doppler, step};
use crate::support::{Step, peer};

/// A step that runs the Doppler CLI.
fn cli(doppler: &Doppler, arguments: &str) -> Option<Step> {
    let program = peer("doppler")?;
    Some(Step::script(&format!("{} {arguments}", program.display())).doppler(doppler).plain())
}

#[test]
fn a_command_gets_the_same_variables_as_from_the_doppler_cli() {
    let doppler = doppler();
    doppler.set("dev", "LINES", "first line\nsecond 'line' \"quoted\" $HOME \\n é\n");
    doppler.set("dev", "EMPTY", "");
    doppler.set("dev", "REFERENCE", "at ${API_KEY}");
    let print = "-- sh -c 'env -0 | sort -z | grep -zE \"^(API_KEY|DB_URL|REGION|LINES|EMPTY|REFERENCE|DOPPLER_[CEP])\" | tr \"\\0\" @'";
    let Some(theirs) = cli(&doppler, &format!("run --no-fallback --no-check-version {print}")) else { return };
    let theirs = theirs.may_print_secrets().run().exits(0).stdout;
    let ours = Step::script(&format!("secrets-env {print}")).doppler(&doppler).plain();
    assert_eq!(ours.may_print_secrets().run().exits(0).stdout, theirs);
    assert!(theirs.contains(API_KEY) && theirs.contains(DB_URL) && theirs.contains("second 'line'"), "{theirs}");
}

#[test]
fn a_fallback_that_the_doppler_cli_wrote_is_used_and_may_be_replaced() {
    let doppler = doppler();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("fallback.json");
    let passphrase = "a long and random passphrase 4711";
    let run =
        format!("run --fallback {} --passphrase \"$DOPPLER_PASSPHRASE\" --no-check-version -- true", file.display());
    let Some(theirs) = cli(&doppler, &run) else { return };
    theirs.env("DOPPLER_PASSPHRASE", passphrase).run().exits(0);
    let ours = || {
        let step =
            step(&doppler, &["--deadline", "1", "--only", "API_KEY", "--format", "raw", "--fallback"]).arg(&file);
        step.plain().workflow_secret("DOPPLER_PASSPHRASE", passphrase).may_print(API_KEY).run().exits(0)
    };
    doppler.fail("/v3/configs*", Fault::status(503));
    assert_eq!(ours().stdout, API_KEY);
    doppler.recover();
    ours();
    assert!(std::fs::read_to_string(&file).unwrap().starts_with("secrets-env/1 "));
}
