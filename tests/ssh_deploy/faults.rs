//! What goes wrong between us and a host, at every moment of a deploy: what is left there, and what the report claims.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use emulators::Sshd;

use super::{command, host, reason, runs, signal, step, until};
use crate::support::Step;

/// Waits until no process has `word` among its arguments: the host's promise, not ours.
fn until_gone(word: &str) {
    until_true(|| !runs(word));
}

fn until_there(path: &std::path::Path) {
    until_true(|| path.exists());
}

/// A host keeps each of its promises within 30 s; a broken one must not hold the test for ever.
fn until_true(holds: impl Fn() -> bool) {
    let begun = std::time::Instant::now();
    while !holds() {
        assert!(begun.elapsed() < std::time::Duration::from_mins(2), "not within two minutes");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

/// Lets the key of `sshd` log in to `other`, too.
fn trust(sshd: &Sshd, other: &Sshd) {
    let keys = [sshd, other].map(|sshd| std::fs::read_to_string(sshd.authorized_keys()).unwrap()).concat();
    std::fs::write(other.authorized_keys(), keys).unwrap();
}

fn json(sshd: &Sshd) -> Step {
    step(sshd).args([host(sshd).as_str(), "--format", "json"])
}

fn only_host(seen: &crate::support::Seen) -> serde_json::Value {
    seen.json()["hosts"][0].clone()
}

#[test]
fn after_a_partition_the_report_does_not_claim_an_end_and_the_host_ends_the_command() {
    let Some(sshd) = Sshd::start() else { return };
    let mut started = json(&sshd).args(["--lock", "shop", "--", "echo begun; sleep 86401"]).spawn();
    until(&mut started, "begun");
    sshd.stall(true);
    let seen = started.finish().exits(1);
    assert_eq!(reason(&seen), "connection_lost");
    let text = only_host(&seen)["reason"]["text"].as_str().unwrap().to_owned();
    assert!(text.contains("its end was not confirmed; the host ends its process group within 30 s"), "{text}");
    assert!(!text.contains("was ended"), "{text}");
    until_gone("sleep\086401");
    sshd.stall(false);
    // The lock is free, too.
    json(&sshd).args(["--lock", "shop", "--lock-wait", "20", "--", "true"]).run().exits(0);
}

#[test]
fn a_partition_before_a_command_begins_is_75_and_nothing_ran() {
    let Some(sshd) = Sshd::start() else { return };
    let Some(other) = Sshd::start() else { return };
    trust(&sshd, &other);
    let list = [&sshd, &other].map(|sshd| format!("{} {}\n", host(sshd), sshd.host_key())).concat();
    // The lock of the second host is held, so the first waits with its own.
    let holder = step(&other).args([host(&other).as_str(), "--lock", "shop", "--", "echo begun; sleep 86402"]);
    let mut holder = holder.spawn();
    until(&mut holder, "begun");
    let mark = sshd.home().join("changed");
    let mut started = step(&sshd)
        .args(["--lock", "shop", "--lock-wait", "60", "--", &format!("touch {}", mark.display())])
        .stdin(list)
        .spawn();
    started.send_stdin();
    until(&mut started, "waiting for the deploy lock");
    sshd.stall(true);
    signal(&holder, "-TERM");
    holder.finish().exits(143);
    started.finish().exits(75);
    assert!(!mark.exists());
}

#[test]
fn a_client_that_is_stopped_for_half_a_minute_finds_its_command_ended_by_the_host() {
    let Some(sshd) = Sshd::start() else { return };
    let mut started = json(&sshd).args(["--", "echo begun; sleep 86403"]).spawn();
    until(&mut started, "begun");
    signal(&started, "-STOP");
    until_gone("sleep\086403");
    signal(&started, "-CONT");
    let seen = started.finish().exits(1);
    assert_eq!((reason(&seen).as_str(), only_host(&seen)["group"].as_str()), ("pulse_lost", Some("group_gone")));
}

#[test]
fn a_command_longer_than_the_pulse_allows_silence_is_not_ended() {
    let Some(sshd) = Sshd::start() else { return };
    command(&sshd, "sleep 24; echo end").run().exits(0);
}

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

#[test]
fn killed_interrupted_or_out_of_time_while_it_checks_nothing_of_the_deploy_goes_on() {
    let Some(sshd) = Sshd::start() else { return };
    for (name, code, time) in [("-KILL", None, "86404"), ("-TERM", Some(143), "86405"), ("-INT", Some(130), "86406")] {
        let check = format!("web=echo checking >{}/checking; exec sleep {time}", sshd.home().display());
        let started = json(&sshd).args(["--check", &check, "--rollback", "false", "--", "true"]).spawn();
        until_there(&sshd.home().join("checking"));
        signal(&started, name);
        let seen = started.finish();
        if let Some(code) = code {
            let seen = seen.exits(code);
            assert_eq!(reason(&seen), "interrupted");
            assert!(only_host(&seen)["reason"]["text"].as_str().unwrap().contains("before its checks had passed"));
        }
        until_gone(&format!("sleep\0{time}"));
        std::fs::remove_file(sshd.home().join("checking")).unwrap();
    }
}

#[test]
fn a_rollback_goes_on_when_its_client_is_killed_or_interrupted_and_the_next_deploy_learns_its_end() {
    let Some(sshd) = Sshd::start() else { return };
    for (name, code) in [("-KILL", None), ("-INT", Some(130))] {
        let mark = sshd.home().join("mark");
        let rollback = format!("echo rolling; sleep 2; echo back >{}", mark.display());
        let mut started =
            json(&sshd).args(["--lock", "shop", "--rollback", &rollback, "--", "echo changed; exit 1"]).spawn();
        until(&mut started, "rolling");
        signal(&started, name);
        let seen = started.finish();
        if let Some(code) = code {
            assert_eq!(reason(&seen.exits(code)), "rolling_back");
        }
        // It keeps the lock until its end.
        json(&sshd).args(["--lock", "shop", "--lock-wait", "60", "--", "true"]).run().exits(0);
        assert!(mark.exists());
        std::fs::remove_file(&mark).unwrap();
    }
}

#[test]
fn a_rollback_without_a_client_writes_its_result_into_the_state() {
    let Some(sshd) = Sshd::start() else { return };
    let state = sshd.home().join(".ssh-deploy/shop.state");
    let mut started =
        json(&sshd).args(["--lock", "shop", "--rollback", "echo rolling; sleep 2", "--", "exit 1"]).spawn();
    until(&mut started, "rolling");
    signal(&started, "-KILL");
    started.child.wait().unwrap();
    until_true(|| std::fs::read_to_string(&state).unwrap_or_default().contains("phase=rolled_back"));
}

#[test]
fn the_idle_connection_of_a_later_batch_is_made_again() {
    let Some(sshd) = Sshd::start() else { return };
    let Some(other) = Sshd::start() else { return };
    trust(&sshd, &other);
    let list = [&sshd, &other].map(|sshd| format!("{} {}\n", host(sshd), sshd.host_key())).concat();
    let go = sshd.home().join("go");
    let script = format!(
        "echo begun; [ \"$HOME\" = {} ] || exit 0; while [ ! -e {} ]; do sleep 0.1; done",
        sshd.home().display(),
        go.display()
    );
    let mut started = step(&sshd).args(["--batch", "1", "--lock", "shop", "--", &script]).stdin(list).spawn();
    started.send_stdin();
    until(&mut started, "begun");
    other.cut();
    std::fs::write(&go, "").unwrap();
    let seen = started.finish().exits(0);
    assert!(seen.stdout.contains("2 hosts: 2 passed"), "{}", seen.stdout);
    assert_eq!(other.connections(), 2);
}

#[test]
fn a_daemon_that_goes_on_writing_after_a_deploy_lives() {
    let Some(sshd) = Sshd::start() else { return };
    let mark = sshd.home().join("alive");
    let daemon = format!("(for i in 1 2 3 4; do sleep 1; echo line $i; done; echo >{}) &", mark.display());
    let seen = command(&sshd, &daemon).run().exits(0);
    assert!(seen.messages("warning")[0].contains("still run"), "{}", seen.stderr);
    until_there(&mark);
}

#[test]
fn a_host_without_room_keeps_every_host_unchanged_and_nothing_staged() {
    let Some(full) = Sshd::start() else { return };
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(full.temporary()).status();
    if !mounted.is_ok_and(|status| status.success()) {
        writeln!(std::io::stderr(), "skipped: mount needs root").unwrap();
        return;
    }
    let hosts: Vec<Sshd> = (0..2).filter_map(|_| Sshd::start()).collect();
    for sshd in &hosts {
        trust(&full, sshd);
    }
    let all = [&hosts[0], &hosts[1], &full];
    let list = all.map(|sshd| format!("{} {}\n", host(sshd), sshd.host_key())).concat();
    let seen = step(&full).args(["--format", "json", "--", "touch \"$HOME/changed\""]).stdin(list).run();
    let left: Vec<usize> = all
        .iter()
        .map(|sshd| {
            std::fs::read_dir(sshd.temporary()).unwrap().count() + std::fs::read_dir(sshd.home()).unwrap().count()
        })
        .collect();
    assert!(Command::new("umount").arg(full.temporary()).status().unwrap().success());
    let seen = seen.exits(75);
    assert_eq!(seen.json()["hosts"][2]["reason"]["code"], "no_space");
    assert!(seen.json()["hosts"][2]["reason"]["text"].as_str().unwrap().contains("tmp"), "{}", seen.stdout);
    assert_eq!(seen.json()["hosts"][0]["reason"]["code"], "held_back");
    assert_eq!(left, [0, 0, 0]);
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
fn a_full_folder_for_temporary_files_is_not_used() {
    // /proc takes no folders at all; /tmp does.
    let Some(sshd) = Sshd::start_with("", &[("TMPDIR", "/proc")]) else { return };
    command(&sshd, "true").run().exits(0);
}

#[test]
fn our_own_folder_is_private_whatever_the_umask_and_a_long_tmpdir_is_not_used() {
    let Some(sshd) = Sshd::start() else { return };
    let long = tempfile::Builder::new().prefix(&"x".repeat(101)).tempdir().unwrap();
    let program = crate::support::program_path("ssh-deploy").display().to_string();
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

/// What a server's `.bashrc` does to us, and what we report.
fn with_bashrc(text: &str) -> Option<(Sshd, Step)> {
    let sshd = Sshd::start()?;
    std::fs::write(sshd.home().join(".bashrc"), text).unwrap();
    let step = json(&sshd).args(["--connect-timeout", "2", "--", "echo it ran"]);
    Some((sshd, step))
}

#[test]
fn a_bashrc_that_prints_does_no_harm() {
    let Some((_sshd, step)) = with_bashrc("echo welcome; echo hello >&2\n") else { return };
    let seen = step.run().exits(0);
    assert!(seen.stderr.contains("it ran"), "{}", seen.stderr);
}

#[test]
fn logins_with_other_shells_work_and_a_restricted_one_is_named() {
    for shell in ["fish", "tcsh", "zsh", "dash", "mksh", "busybox sh"] {
        let program = shell.split(' ').next().unwrap();
        if crate::support::peer(program).is_none() {
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
fn an_output_of_many_lines_is_whole_and_a_huge_line_is_cut_with_a_mark() {
    let Some(sshd) = Sshd::start() else { return };
    let seen =
        command(&sshd, "i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo line $i; done; printf open").run().exits(0);
    assert_eq!(seen.stderr.matches("│ line ").count(), 3000);
    assert!(seen.stderr.contains("│ open\n"), "{}", seen.stderr);
    let seen = command(&sshd, "head -c 10000000 /dev/zero | tr '\\0' x; echo; echo after").run().exits(0);
    assert!(seen.stderr.contains("bytes cut]") && seen.stderr.contains("│ after\n"));
    assert!(seen.stderr.len() < 200_000, "{}", seen.stderr.len());
}

#[test]
fn a_secret_that_is_written_in_two_halves_a_pause_apart_is_hidden() {
    let Some(sshd) = Sshd::start() else { return };
    let seen = step(&sshd)
        .workflow_secret("TOKEN", "first-half-second-half-9f3c")
        .args([
            &host(&sshd),
            "--env",
            "TOKEN",
            "--",
            "a=${TOKEN%second*}; printf 'token %s' \"$a\"; sleep 3; echo \"${TOKEN#$a} end\"",
        ])
        .run()
        .exits(0);
    let shown: String = seen.stderr.lines().filter(|line| line.contains('│')).collect();
    assert!(!shown.contains("half") && shown.contains(" end"), "{shown}");
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
