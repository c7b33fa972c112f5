//! The real `sshd` with the real `ssh`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output};

use emulators::Sshd;
use emulators::sshd::Trouble;

fn ssh(sshd: &Sshd, key: &str, command: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    fs::write(&file, key).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let known = format!("UserKnownHostsFile={}", sshd.known_hosts().display());
    Command::new("ssh")
        .args(["-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "IdentitiesOnly=yes"])
        .args(["-o", "ConnectTimeout=10", "-o", &known, "-i"])
        .arg(&file)
        .args(["-p", &sshd.port().to_string(), &format!("{}@{}", sshd.user(), sshd.host()), command])
        .output()
        .unwrap()
}

#[test]
fn a_command_runs_and_its_exit_code_comes_back() {
    let Some(sshd) = Sshd::start() else { return };
    let output = ssh(&sshd, &sshd.user_key(), "echo here; exit 7");
    assert_eq!(output.status.code(), Some(7), "{}\n{}", String::from_utf8_lossy(&output.stderr), sshd.log());
    assert_eq!(output.stdout, b"here\n");
    let output = ssh(&sshd, &sshd.another_key("rsa", ""), "echo rsa");
    assert_eq!(output.stdout, b"rsa\n");
}

#[test]
fn a_strangers_key_is_refused() {
    let Some(sshd) = Sshd::start() else { return };
    let output = ssh(&sshd, &sshd.strangers_key(), "true");
    assert_eq!(output.status.code(), Some(255));
    assert!(String::from_utf8_lossy(&output.stderr).contains("Permission denied"));
}

#[test]
fn the_proxy_refuses_and_drops_as_told() {
    let Some(sshd) = Sshd::start() else { return };
    for trouble in [Trouble::Refuse, Trouble::DropAfter(900), Trouble::ResetAfter(900)] {
        sshd.trouble(trouble);
        assert_eq!(ssh(&sshd, &sshd.user_key(), "true").status.code(), Some(255), "{trouble:?}");
    }
    sshd.trouble(None);
    assert_eq!(ssh(&sshd, &sshd.user_key(), "true").status.code(), Some(0));
}
