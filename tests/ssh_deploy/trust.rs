//! Host keys and logins.

use std::path::Path;
use std::process::Command;

use emulators::{Doppler, Sshd};

use super::fixtures::only_host;
use super::{host, reason, step};
use crate::support::{Seen, Step};

#[test]
fn an_unknown_host_key_is_77_and_comes_with_the_text_that_pins_it() {
    let Some(sshd) = Sshd::start() else { return };
    let seen = Step::new("ssh-deploy")
        .ssh_key(&sshd)
        .env("SSH_KNOWN_HOSTS", "# none")
        .args([&host(&sshd), "--", "true"])
        .run()
        .exits(77);
    let help = seen.stderr.lines().find(|line| line.starts_with("  help:")).unwrap();
    let pin = help.split('`').nth(1).unwrap();
    assert_eq!(pin.split(' ').next(), Some(format!("127.0.0.1:{}", sshd.port()).as_str()));
    let line = format!("{}@{pin}", sshd.user());
    Step::new("ssh-deploy").ssh_key(&sshd).args(["--", "true"]).stdin(line).run().exits(0);
}

#[test]
fn a_changed_host_key_is_77_even_with_accept_new() {
    let Some(sshd) = Sshd::start() else { return };
    let Some(other) = Sshd::start() else { return };
    let changed = format!("[127.0.0.1]:{} {}", sshd.port(), other.host_key());
    let seen = Step::new("ssh-deploy")
        .ssh_key(&sshd)
        .env("SSH_KNOWN_HOSTS", changed)
        .args([&host(&sshd), "--accept-new", "--format", "json", "--", "true"])
        .run()
        .exits(77);
    assert_eq!(reason(&seen), "host_key_changed");
    assert!(seen.stderr.contains("its key is ssh-ed25519 SHA256:"), "{}", seen.stderr);
}

#[test]
fn a_revoked_host_key_is_77_even_if_it_is_pinned() {
    let Some(sshd) = Sshd::start() else { return };
    let revoked = format!("{0}\n@revoked * {1}", sshd.known_hosts_line(), sshd.host_key());
    for host in [host(&sshd), format!("{} {}", host(&sshd), sshd.host_key())] {
        let step = Step::new("ssh-deploy").ssh_key(&sshd).env("SSH_KNOWN_HOSTS", &revoked);
        let seen = step.args([&host, "--format", "json", "--", "true"]).run().exits(77);
        assert_eq!(reason(&seen), "host_key_revoked");
    }
}

#[test]
fn a_host_key_that_came_with_the_address_is_the_only_one_accepted() {
    let Some(sshd) = Sshd::start() else { return };
    let Some(other) = Sshd::start() else { return };
    let list = |key: String| {
        format!(
            r#"[{{"host":"127.0.0.1","port":{},"user":"{}","host_key":"{key}","name":"web1"}}]"#,
            sshd.port(),
            sshd.user()
        )
    };
    let run = |key: String| {
        Step::new("ssh-deploy").ssh_key(&sshd).args(["--format", "json", "--", "true"]).stdin(list(key)).run()
    };
    assert_eq!(run(sshd.host_key()).exits(0).json()["hosts"][0]["name"], "web1");
    // Also with the server's real key in the known hosts.
    let step = step(&sshd).args(["--format", "json", "--", "true"]).stdin(list(other.host_key()));
    assert_eq!(reason(&step.run().exits(77)), "host_key_changed");
}

fn keygen(arguments: &[&str], file: &Path) -> String {
    let output = Command::new("ssh-keygen").arg("-q").args(arguments).arg(file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_host_that_shows_a_certificate_is_known_by_its_authority_and_by_the_fingerprint_of_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let [authority, key] = ["authority", "host_key"].map(|name| folder.path().join(name));
    for file in [&authority, &key] {
        keygen(&["-t", "ed25519", "-N", "", "-f"], file);
    }
    let authority_path = authority.display().to_string();
    keygen(&["-s", &authority_path, "-I", "web1", "-h", "-n", "127.0.0.1"], &key.with_extension("pub"));
    let lines = format!("HostKey {0}\nHostCertificate {0}-cert.pub", key.display());
    let Some(sshd) = Sshd::start_with(&lines, &[]) else { return };
    let public = |file: &Path| std::fs::read_to_string(file.with_extension("pub")).unwrap();
    let fingerprint = keygen(&["-l", "-f"], &key.with_extension("pub")).split(' ').nth(1).unwrap().to_owned();
    let run = |known: &str, host: &str| -> Seen {
        let step = Step::new("ssh-deploy").ssh_key(&sshd).env("SSH_KNOWN_HOSTS", known);
        step.args(["--format", "json", "--", "true"]).stdin(host).run()
    };
    let known = |seen: Seen| {
        let shown = only_host(&seen.exits(0))["host_key"].clone();
        assert_eq!(shown, format!("ssh-ed25519 {fingerprint}"));
    };
    let host = host(&sshd);
    known(run(&format!("@cert-authority * {}", public(&authority)), &host));
    known(run("# none", &format!("{host} {fingerprint}")));
    known(run("# none", &format!("{host} {}", public(&key))));
    // The key that the server also has, and does not show.
    let other = run("# none", &format!("{host} {}", sshd.host_key())).exits(77);
    assert_eq!(reason(&other), "host_key_changed");
    // Neither the authority nor the key is known: the advice is what works.
    let unknown = run("# none", &host).exits(77);
    let help = only_host(&unknown)["help"].as_str().unwrap().to_owned();
    assert!(help.contains("ssh_host_ed25519_key.pub") && help.contains(&fingerprint), "{help}");
    // A certificate for another name is no proof.
    let known_as_other = format!("@cert-authority web9 {}", public(&authority));
    assert_eq!(reason(&run(&known_as_other, &host).exits(77)), "host_key_unknown");
}

#[test]
fn accept_new_takes_an_unknown_key_and_warns_with_its_fingerprint() {
    let Some(sshd) = Sshd::start() else { return };
    let step = Step::new("ssh-deploy").ssh_key(&sshd).env("SSH_KNOWN_HOSTS", "# none");
    let seen = step.args([&host(&sshd), "--accept-new", "--", "true"]).run().exits(0);
    assert!(seen.messages("warning")[0].contains("was accepted without being known"), "{}", seen.stderr);
}

#[test]
fn a_key_that_the_server_does_not_know_is_77_and_says_what_was_offered() {
    let Some(sshd) = Sshd::start() else { return };
    let step = Step::new("ssh-deploy").workflow_secret("SSH_PRIVATE_KEY", &sshd.strangers_key());
    let seen = step
        .env("SSH_KNOWN_HOSTS", sshd.known_hosts_line())
        .args([&host(&sshd), "--format", "json", "--", "true"])
        .run()
        .exits(77);
    assert_eq!(reason(&seen), "authentication_refused");
    assert!(seen.stderr.contains("offered: ED25519 SHA256:"), "{}", seen.stderr);
}

#[test]
fn a_key_with_spaces_for_line_ends_and_one_with_a_passphrase_log_in() {
    let Some(sshd) = Sshd::start() else { return };
    let spaced = sshd.user_key().trim_end().replace('\n', " ");
    step(&sshd).workflow_secret("SSH_PRIVATE_KEY", &spaced).args([&host(&sshd), "--", "true"]).run().exits(0);
    let locked = sshd.another_key("rsa", "open sesame");
    let step = || step(&sshd).workflow_secret("SSH_PRIVATE_KEY", &locked).args([&host(&sshd), "--", "true"]);
    step().workflow_secret("SSH_KEY_PASSPHRASE", "open sesame").run().exits(0);
    let seen = step().run().exits(2);
    assert!(seen.log.contains("set SSH_KEY_PASSPHRASE"), "{}", seen.log);
}

#[test]
fn a_key_that_only_doppler_has_is_enough() {
    let Some(sshd) = Sshd::start() else { return };
    let doppler = Doppler::start();
    doppler.set("dev", "SSH_PRIVATE_KEY", &sshd.user_key());
    let step = Step::new("ssh-deploy").doppler(&doppler).sshd(&sshd).env("SSH_KNOWN_HOSTS", sshd.known_hosts_line());
    step.args([&host(&sshd), "--", "true"]).run().exits(0);
}

#[test]
fn without_a_key_or_an_agent_the_login_is_refused_with_77() {
    let Some(sshd) = Sshd::start() else { return };
    let step = Step::new("ssh-deploy").env("SSH_KNOWN_HOSTS", sshd.known_hosts_line());
    step.args([&host(&sshd), "--", "true"]).run().exits(77);
    let named = Step::new("ssh-deploy").args([&host(&sshd), "--key-env", "DEPLOY_KEY", "--", "true"]).run().exits(77);
    assert!(named.log.contains("the credential DEPLOY_KEY is missing"), "{}", named.log);
}
