//! Directories of the machine that a test has to itself.

use std::process::Command;

use super::skipped;

/// Whether this process has an `/opt` to itself, with an empty `/opt/consult`: there the printed command lines deploy.
/// Otherwise runs the test `name` once more, in a mount namespace where that is so, and fails if it fails there.
pub(crate) fn has_private_opt(name: &str) -> bool {
    const INSIDE: &str = "TEST_HAS_A_PRIVATE_OPT";
    if runner::Environment::of_process().get(INSIDE).is_some() {
        return true;
    }
    let script = "mount -t tmpfs tmpfs /opt && mkdir /opt/consult && exec \"$@\"";
    let allowed = Command::new("unshare").args(["--mount", "sh", "-c", script, "sh", "true"]).output();
    if !allowed.is_ok_and(|output| output.status.success()) {
        skipped("no mount namespace is allowed here, and the deploy writes to /opt/consult");
        return false;
    }
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", script, "sh"]).arg(std::env::current_exe().unwrap());
    command.args([name, "--exact", "--nocapture"]).env(INSIDE, "1");
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    false
}
