//! Options of the connection: keys that are remembered, ssh's configuration, the key exchange, the matrix of jobs.

use std::os::unix::fs::PermissionsExt as _;

use emulators::Sshd;

use super::{host, step};
use crate::support::Step;

/// A step that knows no host.
fn stranger(sshd: &Sshd) -> Step {
    Step::new("ssh-deploy").ssh_key(sshd).arg(host(sshd))
}

#[test]
fn accept_new_prints_what_it_learnt_and_writes_it_only_to_a_file_that_is_named() {
    let Some(sshd) = Sshd::start() else { return };
    let line = sshd.known_hosts_line();
    let step = stranger(&sshd).args(["--accept-new", "--", "true"]);
    let home = step.folder().parent().unwrap().join("home");
    let seen = step.run().exits(0);
    assert!(seen.stderr.contains(&format!("accepted: {line}")), "{}", seen.stderr);
    assert!(!home.join(".ssh").exists());

    // A file that is there is added to, also if its last line is open; no line of it changes.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("known_hosts");
    let kept = "# by hand\n@revoked * ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";
    std::fs::write(&file, kept).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let path = file.display().to_string();
    let run = || stranger(&sshd).args(["--accept-new", "--known-hosts", &path, "--", "true"]).run().exits(0);
    let seen = run();
    assert!(seen.stderr.contains(&format!("accepted, written to {path}: {line}")), "{}", seen.stderr);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), format!("{kept}\n{line}\n"));
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o644);
    // Known now: nothing is learnt again, and it is accepted without the option.
    assert!(!run().stderr.contains("accepted"));
    stranger(&sshd).args(["--known-hosts", &path, "--", "true"]).run().exits(0);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), format!("{kept}\n{line}\n"));
}

#[test]
fn a_known_hosts_file_that_accept_new_creates_is_private_and_a_missing_one_is_2_without_it() {
    let Some(sshd) = Sshd::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("known_hosts");
    let path = file.display().to_string();
    stranger(&sshd).args(["--known-hosts", &path, "--", "true"]).run().exits(2);
    stranger(&sshd).args(["--accept-new", "--known-hosts", &path, "--", "true"]).run().exits(0);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), format!("{}\n", sshd.known_hosts_line()));
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn accept_new_holds_a_host_to_the_users_own_file_without_writing_it() {
    let Some(sshd) = Sshd::start() else { return };
    let Some(other) = Sshd::start() else { return };
    // ssh finds the user's own file by the account's home and not by HOME: it is named in the configuration.
    let folder = tempfile::tempdir().unwrap();
    let (own, config) = (folder.path().join("own"), folder.path().join("config"));
    std::fs::write(&config, format!("UserKnownHostsFile {}\n", own.display())).unwrap();
    let changed = format!("[127.0.0.1]:{} {}\n", sshd.port(), other.host_key());
    let run = |code: i32| {
        stranger(&sshd)
            .args(["--ssh-config", &config.display().to_string(), "--accept-new", "--", "true"])
            .run()
            .exits(code)
    };
    std::fs::write(&own, &changed).unwrap();
    run(77);
    std::fs::write(&own, "# mine\n").unwrap();
    run(0);
    assert_eq!(std::fs::read_to_string(&own).unwrap(), "# mine\n");
}

#[test]
fn the_configuration_of_ssh_may_be_a_file_of_the_repository_and_cannot_weaken_ours() {
    let Some(sshd) = Sshd::start() else { return };
    let text = format!(
        "Host web1\n  HostName 127.0.0.1\n  Port {}\n  User {}\n  StrictHostKeyChecking no\n  ForwardAgent yes\n",
        sshd.port(),
        sshd.user()
    );
    let run = |known: &str| {
        Step::new("ssh-deploy")
            .ssh_key(&sshd)
            .file("ssh_config", &text)
            .env("SSH_KNOWN_HOSTS", known)
            .args(["--ssh-config", "ssh_config", "web1", "--", "echo agent:${SSH_AUTH_SOCK-none}."])
            .run()
    };
    let seen = run(&sshd.known_hosts_line()).exits(0);
    assert!(seen.stdout.starts_with("web1  passed") && seen.stderr.contains("agent:none."), "{}", seen.stderr);
    run("# none").exits(77);
    // Neither these, which would each let an unknown host in, or keep our program from being started.
    for line in
        ["NoHostAuthenticationForLocalhost yes", "KnownHostsCommand /bin/cat known", "GlobalKnownHostsFile known"]
    {
        let step = Step::new("ssh-deploy").ssh_key(&sshd).file("known", sshd.known_hosts_line() + "\n");
        let line = line.replace("known", &step.folder().join("known").display().to_string());
        let step = step.file("ssh_config", format!("{text}  {line}\n")).env("SSH_KNOWN_HOSTS", "# none");
        step.args(["--ssh-config", "ssh_config", "web1", "--", "true"]).run().exits(77);
    }
    for line in ["SessionType none", "StdinNull yes", "ForkAfterAuthentication yes"] {
        let step = Step::new("ssh-deploy").ssh_key(&sshd).file("ssh_config", format!("{text}  {line}\n"));
        let step = step.env("SSH_KNOWN_HOSTS", sshd.known_hosts_line());
        step.args(["--ssh-config", "ssh_config", "web1", "--", "true"]).run().exits(0);
    }
    let missing = step(&sshd).args([host(&sshd).as_str(), "--ssh-config", "absent", "--", "true"]).run().exits(2);
    assert!(missing.log.contains("cannot read the configuration of ssh absent"), "{}", missing.log);
}

#[test]
fn a_fast_key_exchange_is_the_one_that_the_server_sees_and_only_if_it_is_asked_for() {
    // The server has no other; its client's default is not among its algorithms.
    let Some(sshd) = Sshd::start_with("KexAlgorithms curve25519-sha256\nLogLevel DEBUG1", &[]) else { return };
    step(&sshd).args([host(&sshd).as_str(), "--kex", "fast", "--", "true"]).run().exits(0);
    assert!(sshd.log().contains("kex: algorithm: curve25519-sha256"), "{}", sshd.log());
    let Some(other) = Sshd::start_with("KexAlgorithms ecdh-sha2-nistp256\nLogLevel DEBUG1", &[]) else { return };
    step(&other).args([host(&other).as_str(), "--kex", "fast", "--", "true"]).run().exits(75);
    step(&other).args([host(&other).as_str(), "--", "true"]).run().exits(0);
}

#[test]
fn the_jobs_of_a_matrix_deploy_to_each_host_once_and_their_records_are_one_report() {
    let Some(sshd) = Sshd::start() else { return };
    let entry = |name: &str, address: &str| {
        let (port, user, key) = (sshd.port(), sshd.user(), sshd.host_key());
        format!(r#"{{"name":"{name}","host":"{address}","port":{port},"user":"{user}","host_key":"{key}"}}"#)
    };
    let list = format!("[{},{}]", entry("a", "127.0.0.1"), entry("b", "localhost"));
    let matrix = Step::new("ssh-deploy").args(["--list", "--format", "matrix"]).stdin(list.clone()).run().exits(0);
    let jobs: serde_json::Value = serde_json::from_str(&matrix.stdout).unwrap();
    let names: Vec<&str> =
        jobs["include"].as_array().unwrap().iter().map(|job| job["host"].as_str().unwrap()).collect();
    assert_eq!(names, ["a", "b"]);
    let run = |arguments: &[&str]| {
        let step =
            step(&sshd).args(arguments.iter().copied()).args(["--format", "jsonl", "--", "echo ran >>$HOME/log"]);
        step.stdin(list.clone()).run().exits(0).stdout
    };
    let by_name: String = names.iter().map(|name| run(&["--only", name])).collect();
    let log = || std::fs::read_to_string(sshd.home().join("log")).unwrap().lines().count();
    assert_eq!((by_name.matches("check_finished").count(), log()), (2, 2));
    let by_shard: String = ["1/2", "2/2"].iter().map(|shard| run(&["--shard", shard])).collect();
    assert_eq!((by_shard.matches("check_finished").count(), log()), (2, 4));
    Step::new("preflight-report").stdin(by_shard).run().exits(0);
}
