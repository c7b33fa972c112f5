//! What a step gets from its host, and what a host may lack.

use emulators::Sshd;

use super::{host, step};
use crate::support::Step;

/// A session whose `PATH` has everything but these programs.
fn without(absent: &[&str]) -> Option<(tempfile::TempDir, Sshd)> {
    let folder = tempfile::tempdir().unwrap();
    for programs in ["/usr/bin", "/bin"] {
        for entry in std::fs::read_dir(programs).unwrap().flatten() {
            if !absent.iter().any(|name| entry.file_name() == *name) {
                // The second folder may be a link to the first.
                let _there = std::os::unix::fs::symlink(entry.path(), folder.path().join(entry.file_name()));
            }
        }
    }
    let sshd = Sshd::start_with("", &[("PATH", &folder.path().display().to_string())])?;
    Some((folder, sshd))
}

#[test]
fn everything_of_a_deploy_goes_over_one_connection() {
    let Some(sshd) = Sshd::start() else { return };
    let options = ["--lock", "shop", "--upload", "file:file", "--check", "web=false", "--check-timeout", "1s"];
    step(&sshd)
        .file("file", "content")
        .args([host(&sshd).as_str(), "--diagnose", "logs=echo log", "--rollback", "true"])
        .args(options)
        .args(["--", "cat $HOME/file"])
        .run()
        .exits(1);
    assert_eq!(sshd.connections(), 1);
}

#[test]
fn a_host_without_bash_runs_the_command_under_sh_and_the_log_reports_it() {
    let Some((_folder, sshd)) = without(&["bash"]) else { return };
    let seen = step(&sshd).args([host(&sshd).as_str(), "--", "echo shell:${BASH_VERSION-none}; false; echo on"]).run();
    let seen = seen.exits(1);
    assert!(seen.stderr.contains("no bash on 1 host: `sh -e` runs the command there"), "{}", seen.stderr);
    assert!(seen.stderr.contains("shell:none") && !seen.stderr.contains("│ on"), "{}", seen.stderr);
}

#[test]
fn a_host_that_computes_no_checksum_is_deployed_to_and_the_record_reports_it() {
    let Some((_folder, sshd)) = without(&["sha256sum", "shasum", "sha256", "openssl"]) else { return };
    let seen = step(&sshd).args([host(&sshd).as_str(), "--format", "jsonl", "--", "true"]).run().exits(0);
    let finding = seen.records().into_iter().find(|record| record["event"] == "finding").unwrap();
    assert_eq!(finding["rule"], "length_only");
}

#[test]
fn checks_and_the_rollback_run_as_the_user_of_sudo() {
    let Some(sshd) = Sshd::start() else { return };
    if crate::support::peer("sudo").is_none() {
        return;
    }
    let options =
        ["--sudo=nobody", "--check", "who=id -un; false", "--check-timeout", "1s", "--rollback", "echo back $(id -un)"];
    let seen = step(&sshd).arg(host(&sshd)).args(options).args(["--", "true"]).run().exits(1);
    assert!(seen.stderr.contains("who: nobody") && seen.stderr.contains("│ back nobody"), "{}", seen.stderr);
}

#[test]
fn no_variable_names_a_host() {
    let step = Step::new("ssh-deploy");
    let names = ["HOST", "HOSTS", "SSH_HOST", "SSH_DEPLOY_HOST", "SSH_DEPLOY_HOSTS", "DEPLOY_HOST"];
    let seen = names.iter().fold(step, |step, name| step.env(name, "127.0.0.1")).args(["--", "true"]).run().exits(2);
    assert!(seen.log.contains("the list of hosts is empty"), "{}", seen.log);
}

/// A server that shows a certificate of `authority` for its key.
fn certified() -> Option<(tempfile::TempDir, Sshd)> {
    let folder = tempfile::tempdir().unwrap();
    let keygen = |arguments: &[&str]| {
        let run =
            std::process::Command::new("ssh-keygen").arg("-q").args(arguments).current_dir(folder.path()).status();
        assert!(run.unwrap().success());
    };
    keygen(&["-t", "ed25519", "-N", "", "-f", "authority"]);
    keygen(&["-t", "ed25519", "-N", "", "-f", "key"]);
    keygen(&["-s", "authority", "-I", "web1", "-h", "-n", "127.0.0.1", "key.pub"]);
    let path = |name: &str| folder.path().join(name).display().to_string();
    let sshd = Sshd::start_with(&format!("HostKey {}\nHostCertificate {}", path("key"), path("key-cert.pub")), &[])?;
    Some((folder, sshd))
}

#[test]
fn a_host_certificate_is_trusted_by_its_authority_and_its_key_by_its_fingerprint() {
    let Some((folder, sshd)) = certified() else { return };
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap().trim().to_owned();
    let run = |known: &str, host: String| {
        Step::new("ssh-deploy").ssh_key(&sshd).env("SSH_KNOWN_HOSTS", known).args([host.as_str(), "--", "true"]).run()
    };
    run(&format!("@cert-authority * {}", read("authority.pub")), host(&sshd)).exits(0);
    run("# none", host(&sshd)).exits(77);
    let print = std::process::Command::new("ssh-keygen").args(["-lf", "key.pub"]).current_dir(folder.path()).output();
    let print = String::from_utf8(print.unwrap().stdout).unwrap();
    let print = print.split(' ').nth(1).unwrap().to_owned();
    run("# none", format!("{} {print}", host(&sshd))).exits(0);
}

#[test]
fn what_cannot_be_done_together_is_2() {
    for (arguments, text) in [
        (&["web1", "--sudo", "--pty", "--", "true"][..], "cannot be used with"),
        (&["web1", "--", "mkdir x\r\ncd x\r\n"], "Windows line ends"),
    ] {
        let seen = Step::new("ssh-deploy").args(arguments.iter().copied()).run().exits(2);
        assert!(seen.log.contains(text), "{}", seen.log);
    }
}

#[test]
fn a_blank_name_of_the_lock_is_none() {
    let Some(sshd) = Sshd::start() else { return };
    let run = |step: Step| step.args([host(&sshd).as_str(), "--lock", "", "--", "true"]).run().exits(0);
    run(step(&sshd));
    assert!(!sshd.home().join(".ssh-deploy").exists());
    run(step(&sshd).env("GITHUB_REPOSITORY", "acme/shop"));
    assert!(sshd.home().join(".ssh-deploy/acme%2Fshop.lock").exists());
}
