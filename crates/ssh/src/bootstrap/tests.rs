//! The remote loop itself, under every shell of this machine that may be a server's `sh` or login shell.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use secrecy::{ExposeSecret as _, SecretString};

use super::harness::{Server, login_shells, script, shells};
use super::{command_line, program};
use crate::step::exports;
use crate::wire::{Record, nonce};

fn runs(pid: &str) -> bool {
    let state = std::fs::read_to_string(format!("/proc/{}/status", pid.trim())).unwrap_or_default();
    !state.is_empty() && !state.contains("State:\tZ")
}

#[test]
fn every_shell_runs_steps_one_after_the_other_and_reports_their_codes() {
    for shell in shells() {
        let server = Server::new(shell);
        let mut started = server.start(shell, 50);
        for (text, end) in
            [("echo one; printf open >&2; exit 7\n", "7"), ("kill -KILL $$\n", "137"), ("echo two\n", "0")]
        {
            assert_eq!(started.script(text), format!("{end} group_gone ended marked"), "{shell}: {}", started.output);
        }
        assert!(started.output.contains("open"), "{shell}");
        assert_eq!(started.leave(), "one\ntwo\n", "{shell}");
        assert!(!server.private_folder().exists(), "{shell}");
    }
}

#[test]
fn a_pulse_that_arrives_before_the_loop_has_begun_does_no_harm() {
    // As after a handshake of more than five seconds.
    for shell in shells() {
        for _ in 0..20 {
            let server = Server::new(shell);
            let mut started = server.start_before(shell, &"beat\n".repeat(3));
            assert_eq!(started.script("true\n"), "0 group_gone ended marked", "{shell}");
            started.leave();
        }
    }
}

#[test]
fn every_login_shell_passes_the_loop_on() {
    for login in login_shells() {
        let server = Server::new("dash");
        let mut started = server.start(login, 50);
        assert_eq!(started.script("echo out\n"), "0 group_gone ended marked", "{login}");
        assert_eq!(started.leave(), "out\n", "{login}");
    }
}

#[test]
fn no_signal_is_ignored_in_a_step_and_the_logins_umask_and_locale_are_kept() {
    for shell in shells() {
        let server = Server::new(shell);
        let mut started = server.start(shell, 50);
        started.script("sed -n 's/^SigIgn:.//p' /proc/self/status; umask; echo ${LC_ALL-none}\n");
        let stdout = started.leave();
        let lines: Vec<&str> = stdout.lines().collect();
        // The C library keeps signals 32 and 33 for itself: a program can neither set nor reset them.
        let ignored = u64::from_str_radix(lines[0], 16).unwrap() & !(0b11 << 31);
        assert_eq!(ignored, 0, "{shell}: {stdout}");
        assert_ne!(lines[1], "0077", "{shell}");
        assert_eq!(lines[2], "none", "{shell}");
    }
}

#[test]
fn values_arrive_whole_and_are_in_no_argument_list_and_no_file() {
    for shell in shells() {
        // Found nowhere else on this machine. The script must not hold it itself, so it looks for its two halves.
        let word = nonce();
        let value = format!("it's a \"secret\" $HOME \\n\n  {word} ");
        let (first, second) = word.split_at(16);
        let pattern = format!("{first}[{}]{}", &second[..1], &second[1..]);
        // The lists themselves are longer than a pipe takes that is read at the end.
        let find = format!(
            "cat /proc/[0-9]*/cmdline 2>/dev/null | grep -aq '{pattern}' || echo no argument\ngrep -rl '{pattern}' $TMPDIR || echo no file\n"
        );
        let server = Server::new(shell);
        let mut started = server.start(shell, 50);
        let text = exports(&[("VALUE".to_owned(), SecretString::from(value.as_str()))]).unwrap();
        let text = text.expose_secret();
        started.frame("values", text, "");
        assert_eq!(started.record().rest, format!("0 {}", text.len()), "{shell}");
        started.begin(&script(&format!("printf %s \"$VALUE\"\n{find}")), text.matches('\n').count());
        assert!(started.end().starts_with("0 "), "{shell}: {}", started.output);
        let stdout = started.leave();
        let rest = stdout.strip_prefix(&value).unwrap_or_else(|| panic!("{shell}"));
        assert_eq!(rest, "no argument\nno file\n", "{shell}");
    }
}

#[test]
fn no_argument_environment_or_file_that_a_script_can_read_has_its_nonce() {
    for shell in shells() {
        let server = Server::new(shell);
        let mut started = server.start(shell, 50);
        // The whole ancestry of the script, and every file of the private folder.
        started.begin(
            &script("p=$$; while [ \"$p\" -gt 1 ]; do cat /proc/$p/cmdline /proc/$p/environ; p=$(sed -n 's/^PPid:.//p' /proc/$p/status); done; cd \"$TMPDIR/.ssh-deploy.test\"; cat pid end script env line remove\n"),
            0,
        );
        started.end();
        let nonce = started.nonce.clone();
        let shown = started.output.clone() + &started.leave();
        assert!(shown.contains("ssh-deploy") && !shown.contains(&nonce), "{shell}");
    }
}

#[test]
fn a_file_arrives_byte_for_byte_and_the_next_line_is_understood() {
    let mut content = vec![0; 300_000];
    for (index, byte) in content.iter_mut().enumerate() {
        *byte = u8::try_from(index * 7 % 256).unwrap();
    }
    for shell in shells() {
        let server = Server::new(shell);
        let mut started = server.start(shell, 50);
        started.lines(&format!("sd_target='{}/it'\n", server.folder.path().display()));
        assert_eq!(started.put(&content), Record { word: "done".to_owned(), rest: "0".to_owned() }, "{shell}");
        assert!(std::fs::read(server.folder.path().join("it")).unwrap() == content, "{shell}");
        assert_eq!(started.script("true\n"), "0 group_gone ended marked", "{shell}");
        started.leave();
    }
}

#[test]
fn bytes_are_counted_by_head_only_if_it_leaves_the_next_byte() {
    // BusyBox' head reads ahead. A dd that knows no fullblock reads what is there, again and again.
    let old_dd = "#!/bin/bash\ncase \"$*\" in *iflag*) exit 1 ;; esac\nexec /bin/dd \"$@\"\n";
    let greedy_head = "#!/bin/bash\nexec busybox head \"$@\"\n";
    for shell in shells() {
        let server = Server::new(shell);
        let own = if shell == "busybox" { "full" } else { "head" };
        for (programs, found) in
            [(vec![], own), (vec![("head", greedy_head)], "full"), (vec![("head", greedy_head), ("dd", old_dd)], "dd")]
        {
            for (name, text) in programs {
                server.program(name, text);
            }
            let mut started = server.start(shell, 50);
            assert_eq!(started.lines("sd_find_exact; sd_say $sd_exact\n"), [format!("{found} ")], "{shell}");
            started.lines("sd_target=$HOME/it\n");
            let content = vec![b'x'; 200_001];
            assert_eq!(started.put(&content).rest, "0", "{shell}: {found}");
            assert_eq!(
                std::fs::read(server.folder.path().join("it")).unwrap().len(),
                content.len(),
                "{shell}: {found}"
            );
            assert_eq!(started.script("true\n"), "0 group_gone ended marked", "{shell}: {found}");
            started.leave();
        }
    }
}

#[test]
fn when_the_client_is_gone_the_process_group_ends_and_the_folder_is_removed() {
    for shell in shells() {
        for text in
            ["trap '' HUP; sleep 600 & echo $$; sleep 600\n", "trap '' TERM; echo $$; while :; do sleep 1; done\n"]
        {
            let server = Server::new(shell);
            let mut started = server.start(shell, 3);
            started.begin(&script(text), 0);
            let mut pid = String::new();
            BufReader::new(started.child.stdout.as_mut().unwrap()).read_line(&mut pid).unwrap();
            drop(started.stdin.take());
            let end = started.record().rest;
            assert!(end.ends_with("group_gone client_gone marked"), "{shell}: {end}");
            started.rest();
            assert!(!runs(&pid), "{shell}");
            assert!(!server.private_folder().exists(), "{shell}");
        }
    }
}

#[test]
fn a_step_that_is_asked_to_stop_ends_and_the_loop_goes_on() {
    for shell in shells() {
        let server = Server::new(shell);
        let mut started = server.start(shell, 3);
        started.begin(&script("sleep 600\n"), 0);
        started.send(b"stop\n");
        assert_eq!(started.end(), "143 group_gone stopped marked", "{shell}");
        assert_eq!(started.script("exit 3\n"), "3 group_gone ended marked", "{shell}");
        started.leave();
    }
}

#[test]
fn a_daemon_is_reported_and_its_later_output_does_not_kill_it() {
    for shell in shells() {
        let server = Server::new(shell);
        let mark = server.folder.path().join("alive");
        let mut started = server.start(shell, 50);
        let text =
            format!("(sleep 1; echo a; echo b; sleep 0.3; echo c; echo c >'{}') & echo started\n", mark.display());
        assert_eq!(started.script(&text), "0 group_alive ended marked", "{shell}");
        // Both of our ends are closed while it writes.
        let mut child = started.child;
        drop((started.stdin, started.stderr, child.stdout.take()));
        child.wait().unwrap();
        while !mark.exists() {
            std::thread::yield_now();
        }
    }
}

#[test]
fn a_connection_without_a_pulse_ends_its_step_and_itself() {
    // Side by side, for each takes its 20 s.
    let mut waiting = Vec::new();
    for shell in shells() {
        let (busy, idle) = (Server::new(shell), Server::new(shell));
        let mut step = busy.start(shell, 3);
        step.begin(&script("sleep 600\n"), 0);
        let still = idle.start(shell, 3);
        waiting.push((shell, busy, step, idle, still));
    }
    for (shell, busy, mut step, idle, mut still) in waiting {
        assert_eq!(step.record().rest, "143 group_gone pulse_lost marked", "{shell}");
        assert!(!step.child.wait().unwrap().success() || !busy.private_folder().exists(), "{shell}");
        still.child.wait().unwrap();
        assert!(!idle.private_folder().exists() && !busy.private_folder().exists(), "{shell}");
    }
}

#[test]
fn a_rollback_goes_on_without_a_client_and_its_result_is_written() {
    for shell in shells() {
        let server = Server::new(shell);
        let (mark, state) = (server.folder.path().join("mark"), server.folder.path().join("state"));
        let mut started = server.start(shell, 3);
        let mut step = script(&format!("sleep 1; echo back >'{}'\n", mark.display()));
        step.patience = std::time::Duration::from_mins(2);
        started.frame("write", &format!("echo \"$sd_code\" >'{}'\n", state.display()), "script.after");
        started.record();
        started.begin(&step, 0);
        drop(started.stdin.take());
        assert_eq!(started.record().rest, "0 group_gone ended marked", "{shell}");
        started.rest();
        assert_eq!(std::fs::read_to_string(state).unwrap(), "0\n", "{shell}");
        assert!(mark.exists() && !server.private_folder().exists(), "{shell}");
    }
}

#[test]
fn half_a_program_and_half_a_step_run_nothing() {
    for shell in shells() {
        let server = Server::new(shell);
        let text = program(&nonce(), ".ssh-deploy.test", 50);
        let mut child = Command::new(shell);
        if shell == "busybox" {
            child.arg("sh");
        }
        let mut child =
            child.args(["-c", &command_line(&text)]).env("PATH", &server.path).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(&text.as_bytes()[..text.len() - 1]).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(98), "{shell}");
        let mut started = server.start(shell, 50);
        started.send(format!("eval {} 2 \necho ran >'{}/ran'\n", nonce(), server.folder.path().display()).as_bytes());
        started.rest();
        assert!(!server.folder.path().join("ran").exists(), "{shell}");
    }
}

#[test]
fn the_line_that_failed_is_reported_by_bash() {
    let server = Server::new("dash");
    let mut started = server.start("sh", 50);
    started.frame("write", crate::step::BASH_ENVIRONMENT, "env");
    started.record();
    started.begin(&script("true\nif false; then echo never; fi\n\nnpm_is_missing ci\necho after\n"), 0);
    assert_eq!(started.record(), Record { word: "line".to_owned(), rest: "4: npm_is_missing ci".to_owned() });
    assert!(started.end().starts_with("127 "));
    started.leave();
}

#[test]
fn the_command_line_has_nothing_on_which_login_shells_differ() {
    let line = command_line("x");
    assert_eq!(line.matches('\'').count(), 2);
    assert!(!line.contains(['\\', '!', '\n', '`']));
}
