//! The usual reasons why a deploy fails, each of them real, and the suggestion that the report makes.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::process::Command;

use emulators::Sshd;

use super::fixtures::side_by_side;
use super::{host, reason, step};
use crate::support::{Seen, Step, peer, skipped};

/// The result of `command` on the server, as JSON.
fn failed(sshd: &Sshd, command: &str) -> Seen {
    step(sshd).args([&host(sshd), "--format", "json", "--", command]).run().exits(1)
}

/// What the report suggests for the only host.
fn help(seen: &Seen) -> String {
    seen.json()["hosts"][0]["help"].as_str().unwrap_or_default().to_owned()
}

/// What a shell needs before a command to run it as a user without rights; only root can become that user.
fn as_nobody() -> Option<&'static str> {
    let id = Command::new("id").arg("-u").output().unwrap();
    if id.stdout == b"0\n" {
        return Some("setpriv --reuid=65534 --regid=65534 --clear-groups");
    }
    skipped("becoming another user needs root");
    None
}

#[test]
fn sudo_that_asks_for_a_password_is_explained() {
    let Some(sshd) = Sshd::start() else { return };
    let (Some(as_nobody), Some(_sudo)) = (as_nobody(), peer("sudo")) else { return };
    for options in ["-n ", ""] {
        let seen = failed(&sshd, &format!("{as_nobody} sudo {options}true"));
        assert!(help(&seen).contains("NOPASSWD: ALL` in /etc/sudoers.d"), "{}", seen.stderr);
        assert!(help(&seen).contains(&format!("`{} ALL=", sshd.user())), "{}", seen.stderr);
    }
}

#[test]
fn a_login_that_may_not_use_sudo_is_77_before_anything_has_changed() {
    let (Some(as_nobody), Some(_sudo)) = (as_nobody(), peer("sudo")) else { return };
    let forced = format!("ForceCommand exec {as_nobody} sh -c \"$SSH_ORIGINAL_COMMAND\"");
    let Some(sshd) = Sshd::start_with(&forced, &[]) else { return };
    let step = step(&sshd).args([&host(&sshd), "--format", "json", "--sudo", "--", "echo it ran"]);
    let seen = step.run().exits(77);
    assert_eq!(reason(&seen), "sudo_refused");
    assert!(seen.stderr.contains("a password is required") && !seen.stderr.contains("it ran"), "{}", seen.stderr);
    assert!(help(&seen).contains("NOPASSWD"), "{}", seen.stderr);
}

#[test]
fn a_full_disk_in_the_middle_is_explained() {
    let Some(sshd) = Sshd::start() else { return };
    let seen = failed(&sshd, "echo release >/dev/full");
    assert!(help(&seen).contains("df -h") && help(&seen).contains("--min-free"), "{}", seen.stderr);
}

#[test]
fn a_login_that_may_not_use_docker_is_explained() {
    let Some(sshd) = Sshd::start() else { return };
    let (Some(as_nobody), Some(docker)) = (as_nobody(), peer("docker")) else { return };
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let socket = folder.path().join("docker.sock");
    let _daemon = UnixListener::bind(&socket).unwrap();
    std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o600)).unwrap();
    let command = format!(
        "{as_nobody} env HOME={0} DOCKER_HOST=unix://{1} {2} ps",
        folder.path().display(),
        socket.display(),
        docker.display()
    );
    let seen = failed(&sshd, &command);
    assert!(help(&seen).contains(&format!("usermod -aG docker {}", sshd.user())), "{}", seen.stderr);
}

#[test]
fn a_command_that_is_not_found_is_explained_by_the_path_of_a_shell_that_is_not_interactive() {
    let Some(sshd) = Sshd::start() else { return };
    let programs = sshd.home().join("node/bin");
    std::fs::create_dir_all(&programs).unwrap();
    std::fs::write(programs.join("npm-of-nvm"), "#!/bin/sh\n").unwrap();
    std::fs::set_permissions(programs.join("npm-of-nvm"), std::fs::Permissions::from_mode(0o755)).unwrap();
    // As the installer of nvm leaves it: below the line that ends shells which are not interactive.
    let bashrc = format!("case $- in *i*) ;; *) return;; esac\nPATH={}:$PATH\n", programs.display());
    std::fs::write(sshd.home().join(".bashrc"), bashrc).unwrap();
    let seen = failed(&sshd, "npm-of-nvm ci");
    assert_eq!(seen.json()["hosts"][0]["exit_code"], 127);
    assert!(help(&seen).contains("a non-interactive shell reads no .bashrc"), "{}", seen.stderr);
}

#[test]
fn a_file_that_cannot_be_executed_is_explained() {
    let Some(sshd) = Sshd::start() else { return };
    std::fs::write(sshd.home().join("deploy.sh"), "#!/bin/sh\n").unwrap();
    let seen = failed(&sshd, "\"$HOME/deploy.sh\"");
    assert_eq!(seen.json()["hosts"][0]["exit_code"], 126);
    assert!(help(&seen).contains("chmod +x"), "{}", seen.stderr);
    // Made for another processor.
    std::fs::write(sshd.home().join("app"), b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x16\0").unwrap();
    let seen = failed(&sshd, "chmod +x \"$HOME/app\"; \"$HOME/app\"");
    assert!(help(&seen).contains("uname -m"), "{}", seen.stderr);
}

#[test]
fn a_reader_that_ends_before_its_writer_is_explained() {
    let Some(sshd) = Sshd::start() else { return };
    let seen = failed(&sshd, "yes | head -n 1");
    assert_eq!(seen.json()["hosts"][0]["exit_code"], 141);
    assert!(help(&seen).contains("pipefail"), "{}", seen.stderr);
}

#[test]
fn a_script_with_windows_line_ends_on_the_host_is_explained() {
    let Some(sshd) = Sshd::start() else { return };
    std::fs::write(sshd.home().join("deploy.sh"), "echo begun\r\nmake-it-so\r\n").unwrap();
    let seen = failed(&sshd, "bash \"$HOME/deploy.sh\"");
    assert!(help(&seen).contains("CRLF"), "{}", seen.stderr);
}

#[test]
fn a_container_that_asks_for_a_terminal_is_explained() {
    let Some(sshd) = Sshd::start() else { return };
    let Some(docker) = peer("docker") else { return };
    // Docker looks at its terminal before it looks for its daemon.
    let seen = failed(&sshd, &format!("DOCKER_HOST=unix:///nowhere {} run -it web true", docker.display()));
    assert!(help(&seen).contains("remove -t from docker"), "{}", seen.stderr);
}

#[test]
fn a_host_that_cannot_fetch_from_another_server_is_explained() {
    let Some(sshd) = Sshd::start() else { return };
    let known = sshd.home().join("known");
    let fetch = format!(
        "ssh -F none -o BatchMode=yes -o IdentityFile=none -o UserKnownHostsFile={} -p {} {}@127.0.0.1 true",
        known.display(),
        sshd.port(),
        sshd.user()
    );
    let seen = failed(&sshd, &fetch);
    assert!(help(&seen).contains("a server that it does not know"), "{}", seen.stderr);
    std::fs::write(&known, sshd.known_hosts_line() + "\n").unwrap();
    let seen = failed(&sshd, &fetch);
    assert!(help(&seen).contains("give it a deploy key"), "{}", seen.stderr);
}

#[test]
fn a_command_that_was_killed_is_explained_by_the_memory_of_the_host() {
    let Some(sshd) = Sshd::start() else { return };
    let seen = failed(&sshd, "bash -c 'kill -KILL $$'");
    assert!(help(&seen).contains("journalctl -k"), "{}", seen.stderr);
}

#[test]
fn the_keys_that_were_offered_are_named_or_that_there_was_none() {
    let Some(sshd) = Sshd::start() else { return };
    let stranger = sshd.strangers_key();
    let run = |step: Step| {
        let step = step.env("SSH_KNOWN_HOSTS", sshd.known_hosts_line());
        step.args([&host(&sshd), "--format", "json", "--", "true"]).run().exits(77)
    };
    let seen = run(Step::new("ssh-deploy").workflow_secret("SSH_PRIVATE_KEY", &stranger));
    assert!(seen.stderr.contains("offered: ED25519 SHA256:"), "{}", seen.stderr);
    assert!(help(&seen).contains(&format!("authorized_keys of {}", sshd.user())), "{}", seen.stderr);
    let seen = run(Step::new("ssh-deploy"));
    assert!(
        seen.stderr.contains("no key was offered") && help(&seen).contains("set SSH_PRIVATE_KEY"),
        "{}",
        seen.stderr
    );
}

#[test]
fn what_a_diagnosis_prints_is_not_taken_for_the_cause() {
    let Some(sshd) = Sshd::start() else { return };
    let seen = step(&sshd)
        .args([&host(&sshd), "--format", "json", "--diagnose", "logs=seq 100; echo last >/dev/full"])
        .args(["--", "not-there-at-all"])
        .run()
        .exits(1);
    assert!(help(&seen).contains("set PATH"), "{}", seen.stderr);
}

#[test]
fn a_wrong_passphrase_is_named_and_no_host_is_asked() {
    let Some(sshd) = Sshd::start() else { return };
    let locked = sshd.another_key("ed25519", "open sesame");
    let step =
        step(&sshd).workflow_secret("SSH_PRIVATE_KEY", &locked).workflow_secret("SSH_KEY_PASSPHRASE", "close sesame");
    let seen = step.args([&host(&sshd), "--", "true"]).run().exits(2);
    assert!(seen.log.contains("check SSH_KEY_PASSPHRASE"), "{}", seen.log);
    assert_eq!(sshd.connections(), 0);
}

#[test]
fn a_key_of_openssl_behind_its_parameters_logs_in() {
    let Some(sshd) = Sshd::start() else { return };
    let Some(openssl) = peer("openssl") else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    let made = Command::new(openssl).args(["ecparam", "-name", "prime256v1", "-genkey", "-out"]).arg(&file).output();
    assert!(made.unwrap().status.success());
    let key = std::fs::read_to_string(&file).unwrap();
    assert!(key.starts_with("-----BEGIN EC PARAMETERS-----"), "{key}");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let public = Command::new("ssh-keygen").arg("-yf").arg(&file).output().unwrap();
    assert!(public.status.success());
    std::fs::write(sshd.authorized_keys(), public.stdout).unwrap();
    for text in [key.clone(), key.replace('\n', " "), key.replace('\n', "\r\n")] {
        let step = Step::new("ssh-deploy").workflow_secret("SSH_PRIVATE_KEY", &text);
        step.env("SSH_KNOWN_HOSTS", sshd.known_hosts_line()).args([&host(&sshd), "--", "true"]).run().exits(0);
    }
}

/// A step on a server whose login reads `text` as its `.bashrc`.
fn with_bashrc(text: &str) -> Option<Seen> {
    let sshd = Sshd::start()?;
    std::fs::write(sshd.home().join(".bashrc"), text).unwrap();
    let step = step(&sshd).args([&host(&sshd), "--format", "json", "--connect-timeout", "10", "--", "echo it ran"]);
    Some(step.run())
}

#[test]
fn a_login_that_ends_reads_or_starts_something_else_is_told_apart() {
    let cases = [
        ("exit 3\n", "ended before it started our program", "no `exit`"),
        ("echo welcome; exit 3\n", "ended before it started our program", "no `exit`"),
        ("cat >/dev/null\n", "read our program as its own input", "read no input"),
        ("read -r answer\n", "read our program as its own input", "read no input"),
        ("exec sleep 86391\n", "did not start our program", "start no other program"),
        ("exec cat >/dev/null\n", "did not start our program", "start no other program"),
    ];
    side_by_side(&cases, |(bashrc, text, suggestion)| {
        let Some(seen) = with_bashrc(bashrc) else { return };
        let seen = seen.exits(1);
        assert_eq!(reason(&seen), "no_shell", "{bashrc}");
        let host = &seen.json()["hosts"][0];
        assert!(host["reason"]["text"].as_str().unwrap().contains(text), "{bashrc}: {}", seen.stderr);
        assert!(help(&seen).contains(suggestion) && help(&seen).contains(".bashrc"), "{bashrc}: {}", seen.stderr);
    });
}

#[test]
fn a_restricted_shell_and_a_closed_account_are_named() {
    for (forced, text, suggestion) in [
        ("rbash -c \"$SSH_ORIGINAL_COMMAND\"", "restricted shell", "usermod -s /bin/bash"),
        ("/usr/sbin/nologin", "runs no commands", "usermod -s /bin/sh"),
        ("echo only git here; exit 1", "ended before it started", "ForceCommand"),
    ] {
        let Some(sshd) = Sshd::start_with(&format!("ForceCommand {forced}"), &[]) else { return };
        let step: Step = step(&sshd).args([&host(&sshd), "--format", "json", "--", "true"]);
        let seen = step.run().exits(1);
        assert_eq!(reason(&seen), "no_shell", "{forced}");
        let text_of_host = seen.json()["hosts"][0]["reason"]["text"].as_str().unwrap().to_owned();
        assert!(text_of_host.contains(text), "{forced}: {}", seen.stderr);
        assert!(help(&seen).contains(suggestion), "{forced}: {}", seen.stderr);
    }
}
