//! What goes wrong between us and a host, at every moment of a deploy: what is left there, and what the report claims.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::Command;

use emulators::Sshd;

use super::fixtures::{SmallDisk, is_clean, json, list, only_host, until_there};
use super::{command, host, reason, step, until};
use crate::support::{Started, Step, peer, program_path};

#[test]
fn a_step_that_reads_its_ancestors_processes_cannot_forge_a_record() {
    let Some(sshd) = Sshd::start() else { return };
    let script = r#"p=$$
while [ "$p" -gt 1 ]; do
  for file in cmdline environ; do tr '\0' '\n' <"/proc/$p/$file"; done
  p=$(sed -n 's/^PPid:\t//p' "/proc/$p/status")
done 2>/dev/null | grep -aoE '[0-9a-f]{32}' | sort -u | while read -r word; do
  printf '\n%s exit 0 group_gone ended marked\n' "$word" >&2
  printf '\n%s mark\n' "$word"
done || true
exit 5"#;
    let seen = step(&sshd).args([&host(&sshd), "--format", "json", "--", script]).run().exits(1);
    assert_eq!(only_host(&seen)["exit_code"], 5);
}

/// A deploy in batches of one to two hosts whose first one is at work until `go` exists; what the command does on the second is `then`.
fn first_of_two(one: &Sshd, other: &Sshd, then: &str) -> Started {
    let list = list(&[one, other]);
    let home = one.home();
    let script = format!(
        "echo begun; [ \"$HOME\" = {0} ] || {{ {then}; exit 0; }}; while [ ! -e {0}/go ]; do sleep 0.1; done",
        home.display()
    );
    let step = step(one).args(["--batch", "1", "--lock", "shop", "--format", "json", "--", &script]);
    let mut started = step.stdin(list).spawn();
    started.send_stdin();
    until(&mut started, "begun");
    started
}

#[test]
fn the_idle_connection_of_a_later_batch_is_made_again() {
    let Some(one) = Sshd::start() else { return };
    let Some(other) = Sshd::start() else { return };
    let started = first_of_two(&one, &other, "echo ran >>\"$HOME/ran\"");
    other.cut();
    std::fs::write(one.home().join("go"), "").unwrap();
    let seen = started.finish().exits(0);
    assert_eq!([0, 1].map(|index| seen.json()["hosts"][index]["status"].clone()), ["passed", "passed"]);
    assert_eq!(other.connections(), 2);
    assert_eq!(std::fs::read_to_string(other.home().join("ran")).unwrap(), "ran\n");
}

#[test]
fn an_idle_host_that_another_run_has_deployed_to_meanwhile_is_not_changed() {
    let Some(one) = Sshd::start() else { return };
    let Some(other) = Sshd::start() else { return };
    let started = first_of_two(&one, &other, "echo ran >>\"$HOME/ran\"");
    other.cut();
    json(&other).args(["--lock", "shop", "--lock-wait", "60", "--", "true"]).run().exits(0);
    std::fs::write(one.home().join("go"), "").unwrap();
    let seen = started.finish().exits(1);
    assert_eq!(seen.json()["hosts"][0]["status"], "passed");
    assert_eq!(seen.json()["hosts"][1]["reason"]["code"], "not_started");
    assert!(!other.home().join("ran").exists());
}

#[test]
fn a_daemon_that_goes_on_writing_for_ten_seconds_after_a_deploy_lives() {
    let Some(sshd) = Sshd::start() else { return };
    let mark = sshd.home().join("alive");
    let daemon = format!("(for i in $(seq 20); do sleep 0.5; echo line $i; done; echo >{}) &", mark.display());
    let seen = command(&sshd, &daemon).run().exits(0);
    assert!(seen.messages("warning")[0].contains("still run"), "{}", seen.stderr);
    until_there(&mark);
}

#[test]
fn two_hosts_with_one_home_and_two_names_of_one_host_do_not_remove_what_each_other_has_staged() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().display().to_string();
    let shared = [("HOME", home.as_str()), ("XDG_RUNTIME_DIR", home.as_str())];
    let Some(one) = Sshd::start_with("", &shared) else { return };
    let Some(other) = Sshd::start_with("", &shared) else { return };
    let again = format!("{}@localhost:{} {}\n", one.user(), one.port(), one.host_key());
    let hosts = list(&[&one, &other]) + &again;
    // What a run that was killed has left goes all the same.
    let left = format!("{home}/.ssh-deploy.shop.local-0123456789ab.0123456789ab");
    std::fs::create_dir(&left).unwrap();
    let step = step(&one).file("app.conf", "text").args(["--lock", "shop", "--upload", "app.conf:app.conf"]);
    step.args(["--", "cat \"$HOME/app.conf\""]).stdin(hosts).run().exits(0);
    let mut names: Vec<_> = std::fs::read_dir(&home).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, [".ssh-deploy", "app.conf"]);
}

#[test]
fn one_host_of_five_without_room_keeps_every_host_unchanged_and_nothing_staged() {
    let hosts: Vec<Sshd> = (0..5).map_while(|_| Sshd::start()).collect();
    let [_, _, full, _, _] = hosts.as_slice() else { return };
    let Some(disk) = SmallDisk::of(full, "1m") else { return };
    let list = list(&hosts.iter().collect::<Vec<_>>());
    let step = step(&hosts[0]).file("app.conf", "text").args(["--upload", "app.conf:app.conf", "--lock", "shop"]);
    let seen = step.args(["--format", "json", "--", "touch \"$HOME/changed\""]).stdin(list).run().exits(75);
    for sshd in &hosts {
        assert!(is_clean(sshd));
    }
    drop(disk);
    let reason = |index: usize| seen.json()["hosts"][index]["reason"].clone();
    assert_eq!(reason(2)["code"], "no_space");
    assert!(reason(2)["text"].as_str().unwrap().contains("tmp"), "{}", seen.stdout);
    for index in [0, 1, 3, 4] {
        assert_eq!(reason(index)["code"], "held_back");
    }
}

#[test]
fn a_command_that_fills_the_disk_is_reported_and_rolled_back() {
    let Some(sshd) = Sshd::start() else { return };
    // More than preflight asks for.
    let Some(_disk) = SmallDisk::of(&sshd, "80m") else { return };
    let step = json(&sshd).args(["--rollback", "rm \"$TMPDIR/fill\"; echo went back", "--env", "TOKEN"]);
    let step = step.workflow_secret("TOKEN", "a-secret-of-the-deploy");
    let seen = step.args(["--", "cat /dev/zero >\"$TMPDIR/fill\" || exit 7"]).run().exits(1);
    assert_eq!(
        (only_host(&seen)["exit_code"].as_i64(), only_host(&seen)["rolled_back"].as_bool()),
        (Some(7), Some(true))
    );
    assert!(only_host(&seen)["help"].as_str().unwrap().contains("make room"), "{}", seen.stdout);
    assert!(seen.stderr.contains("│ went back\n"), "{}", seen.stderr);
    assert!(is_clean(&sshd));
}

#[test]
fn a_full_or_read_only_folder_for_temporary_files_is_not_used_and_a_long_one_is() {
    let Some(sshd) = Sshd::start() else { return };
    if let Some(_disk) = SmallDisk::of(&sshd, "16k") {
        let full = std::fs::write(sshd.temporary().join("fill"), vec![0; 64 * 1024]);
        assert_eq!(full.unwrap_err().kind(), std::io::ErrorKind::StorageFull);
        command(&sshd, "true").run().exits(0);
    }
    // It takes no folders at all.
    let Some(sshd) = Sshd::start_with("", &[("TMPDIR", "/proc")]) else { return };
    command(&sshd, "true").run().exits(0);
    let long = tempfile::Builder::new().prefix(&"x".repeat(101)).tempdir().unwrap();
    let Some(sshd) = Sshd::start_with("", &[("TMPDIR", &long.path().display().to_string())]) else { return };
    command(&sshd, "ls \"$TMPDIR\"/.ssh-deploy.*/command").run().exits(0);
}

#[test]
fn a_folder_for_temporary_files_that_runs_no_programs_is_good_enough_for_every_step() {
    let Some(sshd) = Sshd::start() else { return };
    let Some(_disk) = SmallDisk::of(&sshd, "200m,noexec") else { return };
    let program = sshd.temporary().join("program");
    std::fs::write(&program, "#!/bin/sh\n").unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(Command::new(program).status().unwrap_err().kind(), std::io::ErrorKind::PermissionDenied);
    let script = "#!/bin/sh -e\necho in $TMPDIR, by $0; exit 7\n";
    let step = json(&sshd).file("deploy.sh", script).args(["--script", "deploy.sh", "--release", "site:app"]);
    let step = step.file("site/page", "text").args(["--rollback", "echo went back"]);
    let seen = step.run().exits(1);
    assert_eq!(
        (only_host(&seen)["exit_code"].as_i64(), only_host(&seen)["rolled_back"].as_bool()),
        (Some(7), Some(true))
    );
    let place = format!("by {}/.ssh-deploy.", sshd.temporary().display());
    assert!(seen.stderr.contains(&place) && seen.stderr.contains("│ went back\n"), "{}", seen.stderr);
}

#[test]
fn no_signal_is_ignored_in_a_step_whatever_the_sh_of_the_host_is() {
    for shell in ["dash", "bash", "busybox", "mksh"] {
        let Some(program) = peer(shell) else { continue };
        let folder = tempfile::tempdir().unwrap();
        symlink(program, folder.path().join("sh")).unwrap();
        let path = format!("{}:/usr/local/bin:/usr/bin:/bin", folder.path().display());
        // As after a boot: tests that run in the background ignore SIGINT, and so would their sshd.
        let forced = "ForceCommand exec env --default-signal sh -c \"$SSH_ORIGINAL_COMMAND\"";
        let Some(sshd) = Sshd::start_with(forced, &[("PATH", &path)]) else { return };
        let seen = command(&sshd, "sed -n 's/^SigIgn:./ignored /p' /proc/self/status").run().exits(0);
        let mask = seen.stderr.split("│ ignored ").nth(1).and_then(|rest| rest.split('\n').next()).unwrap();
        // The C library keeps signals 32 and 33 for itself.
        assert_eq!(u64::from_str_radix(mask, 16).unwrap() & !(0b11 << 31), 0, "{shell}");
    }
}

#[test]
fn more_room_can_be_asked_for_at_a_path() {
    let Some(sshd) = Sshd::start() else { return };
    let seen = json(&sshd).args(["--min-free", "900000G:/", "--", "true"]).run().exits(75);
    assert_eq!(reason(&seen), "no_space");
    assert!(seen.stderr.contains("too little space at /"), "{}", seen.stderr);
    json(&sshd).args(["--min-free", "1K:/", "--min-free", "1K:not/there/yet", "--", "true"]).run().exits(0);
}

#[test]
fn our_own_folder_is_private_whatever_the_umask_and_a_long_tmpdir_is_not_used() {
    let Some(sshd) = Sshd::start() else { return };
    let long = tempfile::Builder::new().prefix(&"x".repeat(101)).tempdir().unwrap();
    let program = program_path("ssh-deploy").display().to_string();
    let script = format!("umask 000; exec {program} {} -- 'echo begun; sleep 2'", host(&sshd));
    let step = Step::script(&script).ssh_key(&sshd).env("SSH_KNOWN_HOSTS", sshd.known_hosts_line());
    let temp = step.folder().parent().unwrap().join("temp");
    let mut started = step.spawn();
    until(&mut started, "begun");
    let folders = std::fs::read_dir(temp).unwrap().flatten();
    let modes: Vec<u32> = folders.map(|folder| folder.metadata().unwrap().permissions().mode() & 0o777).collect();
    assert_eq!(modes, [0o700]);
    started.finish().exits(0);
    command(&sshd, "true").env("TMPDIR", long.path()).run().exits(0);
}

#[test]
fn a_bashrc_that_prints_does_no_harm() {
    let Some(sshd) = Sshd::start() else { return };
    std::fs::write(sshd.home().join(".bashrc"), "echo welcome; echo hello >&2\n").unwrap();
    let seen = command(&sshd, "echo it ran").run().exits(0);
    assert!(seen.stderr.contains("it ran"), "{}", seen.stderr);
}

#[test]
fn logins_with_other_shells_work_and_a_restricted_one_is_named() {
    for shell in ["fish", "tcsh", "zsh", "dash", "mksh", "busybox sh"] {
        let program = shell.split(' ').next().unwrap();
        if peer(program).is_none() {
            continue;
        }
        let Some(sshd) = Sshd::start_with(&format!("ForceCommand {shell} -c \"$SSH_ORIGINAL_COMMAND\""), &[]) else {
            return;
        };
        let seen = command(&sshd, "echo it ran").run().exits(0);
        assert!(seen.stderr.contains("it ran"), "{shell}: {}", seen.stderr);
    }
    let Some(sshd) = Sshd::start_with("ForceCommand rbash -c \"$SSH_ORIGINAL_COMMAND\"", &[]) else { return };
    let seen = json(&sshd).args(["--", "true"]).run().exits(1);
    assert_eq!(reason(&seen), "no_shell");
    assert!(seen.stderr.contains("restricted"), "{}", seen.stderr);
}

#[test]
fn the_commands_of_a_script_stop_at_its_first_failure_and_its_line_is_named() {
    let Some(sshd) = Sshd::start() else { return };
    let step = step(&sshd).file("deploy.sh", "set -x 2>/dev/null\ntrue\n\nls /not/there\necho after\n");
    let seen = step.args([&host(&sshd), "--script", "deploy.sh", "--format", "json"]).run().exits(1);
    assert_eq!(only_host(&seen)["causes"][0], "line 4: ls /not/there");
    assert!(!seen.stderr.contains("│ after"), "{}", seen.stderr);
}

#[test]
fn a_script_with_windows_line_ends_is_2_and_says_how_to_convert_it() {
    let Some(sshd) = Sshd::start() else { return };
    let step = step(&sshd).file("deploy.sh", "echo a\r\necho b\r\n");
    let seen = step.args([&host(&sshd), "--script", "deploy.sh"]).run().exits(2);
    assert!(seen.log.contains("CRLF") && seen.log.contains("sed -i"), "{}", seen.log);
}
