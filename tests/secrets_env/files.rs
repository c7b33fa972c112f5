//! `--file`: the path works wherever the command's processes open it, and nothing is left after them.

use std::process::Command;

use emulators::{Doppler, Sshd};

use super::step;
use crate::support::{Seen, Step, peer};

/// A key of OpenSSH, and its fingerprint, which is public.
fn key() -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    let status = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&file).status();
    assert!(status.unwrap().success());
    let shown = Command::new("ssh-keygen").arg("-lf").arg(&file).output().unwrap();
    (std::fs::read_to_string(&file).unwrap(), String::from_utf8(shown.stdout).unwrap())
}

/// Prints the fingerprint, if the file is one that ssh accepts as a key.
const SHOW: &str = "ssh-keygen -y -f $SSH_KEY >/dev/null && ssh-keygen -lf $SSH_KEY";

/// Runs a command with the key as a file, prefixed with `before`; with and without a supervisor.
fn both(before: &str, command: &str, check: impl Fn(Seen, &str)) {
    let (key, fingerprint) = key();
    let doppler = Doppler::start();
    doppler.set("dev", "SSH_KEY", &key);
    for mode in ["--redact", "--no-redact"] {
        let script = format!("cd /; {before} secrets-env {mode} --file SSH_KEY -- {command}");
        check(Step::script(&script).doppler(&doppler).plain().run(), &fingerprint);
    }
}

/// Stops the test unless the command printed the fingerprint.
#[track_caller]
fn shows(before: &str, command: &str) {
    both(before, command, |seen, fingerprint| assert_eq!(seen.exits(0).stdout, fingerprint, "{before} {command}"));
}

#[test]
fn ssh_accepts_the_file_as_a_key() {
    shows("", &format!("sh -c '{SHOW}'"));
}

#[test]
fn programs_that_close_descriptors_in_their_children_find_the_file() {
    let python = "import subprocess; subprocess.run([\"sh\", \"-c\", \"SHOW\"], check=True)".replace("SHOW", SHOW);
    let node = "require(\"child_process\").spawnSync(\"sh\", [\"-c\", \"SHOW\"], { stdio: \"inherit\" })";
    let node = node.replace("SHOW", SHOW);
    for (program, command) in [
        ("python3", format!("python3 -c '{python}'")),
        ("node", format!("node -e '{node}'")),
        ("sudo", format!("sudo -nE sh -c '{SHOW}'")),
        ("make", format!("make -s --eval 'show:;@{}' show", SHOW.replace('$', "$$"))),
    ] {
        if peer(program).is_some() && (program != "sudo" || is_root()) {
            shows("", &command);
        }
    }
}

#[test]
fn scripts_of_npm_find_the_file() {
    if peer("npm").is_none() {
        return;
    }
    let package = serde_json::json!({ "scripts": { "show": SHOW } }).to_string();
    let (key, fingerprint) = key();
    let doppler = Doppler::start();
    doppler.set("dev", "SSH_KEY", &key);
    let step = step(&doppler, &["--file", "SSH_KEY", "--", "npm", "run", "--silent", "show"]).plain();
    assert_eq!(step.file("package.json", package).run().exits(0).stdout, fingerprint);
}

#[test]
fn an_ordinary_user_and_a_container_s_root_find_the_file() {
    if !is_root() || peer("setpriv").is_none() {
        // Everything here ran as an ordinary user already.
        return;
    }
    let python = "import subprocess; subprocess.run([\"sh\", \"-c\", \"SHOW\"], check=True)".replace("SHOW", SHOW);
    for before in ["setpriv --reuid 65534 --regid 65534 --clear-groups", "setpriv --bounding-set -sys_ptrace"] {
        shows(before, &format!("sh -c '{SHOW}'"));
        if peer("python3").is_some() {
            shows(before, &format!("python3 -c '{python}'"));
        }
    }
    // The reader has fewer capabilities than the holder was started with.
    shows("", &format!("setpriv --bounding-set -sys_ptrace,-net_admin,-chown --inh-caps=-all sh -c '{SHOW}'"));
}

#[test]
fn ssh_signs_in_with_the_file() {
    let Some(sshd) = Sshd::start() else { return };
    let doppler = Doppler::start();
    doppler.set("dev", "SSH_KEY", &sshd.user_key());
    let script = format!(
        "secrets-env --redact --file SSH_KEY -- sh -c 'ssh -F none -i $SSH_KEY -o IdentitiesOnly=yes -o BatchMode=yes \
         -o UserKnownHostsFile={} -p {} {}@127.0.0.1 echo signed in'",
        sshd.known_hosts().display(),
        sshd.port(),
        sshd.user()
    );
    assert_eq!(Step::script(&script).doppler(&doppler).plain().run().exits(0).stdout, "signed in\n");
}

#[test]
fn only_its_owner_may_open_it_and_nothing_is_left_of_it() {
    // The id of the process that holds it is in the path.
    let script =
        "stat -Lc %a $SSH_KEY; echo x >>$SSH_KEY || echo sealed; holder=${SSH_KEY#/proc/}; echo ${holder%/fd*}";
    both("", &format!("sh -c '{script}' 2>/dev/null"), |seen, _| {
        let lines: Vec<&str> = seen.stdout.lines().collect();
        assert_eq!(lines[..2], ["600", "sealed"], "{}", seen.stderr);
        // Ends when the system has carried it out; the test runner's own limit stops a failure.
        let holder = std::path::PathBuf::from("/proc").join(lines[2]);
        while std::fs::read_to_string(holder.join("cmdline")).is_ok_and(|line| line.contains("secrets-env:")) {
            std::thread::yield_now();
        }
    });
}

#[test]
fn the_process_that_holds_it_has_no_environment_and_no_other_descriptor() {
    let script = "holder=${SSH_KEY%/fd*}; tr \"\\\\0\" \"\\\\n\" <$holder/environ; ls -l $holder/fd | grep -c memfd; \
                  ls $holder/fd | wc -l; grep -E \"^Cap(Prm|Eff)\" $holder/status";
    both("exec 8</etc/passwd; env -u RUNNER_TRACKING_ID", &format!("sh -c '{script}'"), |seen, _| {
        // The three streams, the handle of the command, and the file.
        let none = "CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n";
        assert_eq!(seen.exits(0).stdout, format!("1\n5\n{none}"));
    });
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout == b"0\n"
}
