//! The remote loop itself, under every shell of this machine that may be a server's `sh` or login shell.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use secrecy::{ExposeSecret as _, SecretString};
use tempfile::TempDir;

use super::{PROGRAM, command_line, program};
use crate::Step;
use crate::step::exports;
use crate::wire::{Record, lines, nonce};

/// The shells that are some system's `sh`.
fn shells() -> Vec<&'static str> {
    installed(&["dash", "bash", "busybox", "mksh", "zsh"])
}

/// The shells that are somebody's login shell; the command line must pass through them unchanged.
fn login_shells() -> Vec<&'static str> {
    installed(&["sh", "bash", "dash", "zsh", "mksh", "tcsh", "fish", "busybox"])
}

fn installed(names: &[&'static str]) -> Vec<&'static str> {
    names.iter().copied().filter(|name| path_of(name).is_some()).collect()
}

fn path_of(name: &str) -> Option<PathBuf> {
    ["/bin", "/usr/bin", "/usr/local/bin"].iter().map(|folder| Path::new(folder).join(name)).find(|path| path.exists())
}

/// A server: a folder for its files, and one whose `sh` is the shell under test.
struct Server {
    folder: TempDir,
    path: String,
}

impl Server {
    fn new(shell: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let programs = folder.path().join("bin");
        std::fs::create_dir(&programs).unwrap();
        let shell_path = path_of(shell).unwrap();
        symlink(&shell_path, programs.join("sh")).unwrap();
        if shell == "busybox" {
            // Its own applets too: they differ most where bytes are counted.
            for applet in ["dd", "head", "tee", "mkfifo", "sleep", "kill", "setsid", "cat", "rm", "mkdir", "ps"] {
                symlink(&shell_path, programs.join(applet)).unwrap();
            }
        }
        let path = format!("{}:/usr/local/bin:/usr/bin:/bin", programs.display());
        Self { folder, path }
    }

    /// Starts the loop under `login`, with so many tenths of a second between TERM and KILL.
    fn start(&self, login: &str, grace: u32) -> Loop {
        let nonce = nonce();
        let text = program(&nonce, ".ssh-deploy.test", grace);
        let mut command = Command::new(login);
        if login == "busybox" {
            command.arg("sh");
        }
        command.args(["-c", &command_line(&text)]).env_clear();
        command.env("PATH", &self.path).env("HOME", self.folder.path()).env("TMPDIR", self.folder.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(text.as_bytes()).unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let mut started = Loop { child, stdin: Some(stdin), stderr, nonce, output: String::new() };
        let ready = started.record();
        assert_eq!(ready.word, "ready", "{login}");
        started
    }

    fn private_folder(&self) -> PathBuf {
        self.folder.path().join(".ssh-deploy.test")
    }
}

/// A running loop.
struct Loop {
    child: Child,
    stdin: Option<ChildStdin>,
    stderr: BufReader<std::process::ChildStderr>,
    nonce: String,
    /// The lines of stderr that are no records.
    output: String,
}

impl Loop {
    fn send(&mut self, bytes: &[u8]) {
        self.stdin.as_mut().unwrap().write_all(bytes).unwrap();
    }

    /// The next record.
    fn record(&mut self) -> Record {
        loop {
            let mut line = Vec::new();
            assert_ne!(self.stderr.read_until(b'\n', &mut line).unwrap(), 0, "ended: {}", self.output);
            let line = String::from_utf8_lossy(&line).into_owned();
            if let Some(rest) = line.trim_end_matches('\n').strip_prefix(&format!("{} ", self.nonce)) {
                let (word, rest) = rest.split_once(' ').unwrap_or((rest, ""));
                return Record { word: word.to_owned(), rest: rest.to_owned() };
            }
            self.output += &line;
        }
    }

    fn frame(&mut self, word: &str, text: &str, more: &str) {
        self.nonce = nonce();
        let frame = lines(word, &self.nonce, text, more);
        self.send(&frame);
    }

    fn ask(&mut self, text: &str) -> Vec<String> {
        self.frame("eval", text, "");
        let mut said = Vec::new();
        loop {
            let record = self.record();
            if record.word == "done" {
                return said;
            }
            said.push(format!("{} {}", record.word, record.rest));
        }
    }

    /// Stages a script, and starts it.
    fn begin(&mut self, step: &Step, values: usize) {
        self.frame("write", &String::from_utf8_lossy(&step.script), &step.name);
        assert_eq!(self.record().rest, "0");
        let patience = step.patience.as_secs();
        self.frame("step", &step.start(true, values), &format!("{patience} {}", step.name));
        assert_eq!(self.record().word, "started");
    }

    /// The rest of a step's end record, and permission to go on.
    fn end(&mut self) -> String {
        let record = self.record();
        assert_eq!(record.word, "exit", "{}", self.output);
        self.send(format!("next {}\n", self.nonce).as_bytes());
        record.rest
    }

    fn run(&mut self, text: &str) -> String {
        self.begin(&script(text), 0);
        self.end()
    }

    /// Closes our end; what was on stdout, without the marks.
    fn leave(mut self) -> String {
        if let Some(stdin) = &mut self.stdin {
            // The loop may have left already.
            let _sent = stdin.write_all(b"bye\n");
        }
        self.rest()
    }

    fn rest(mut self) -> String {
        drop(self.stdin.take());
        let mut stdout = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
        self.child.wait().unwrap();
        stdout.split_inclusive('\n').filter(|line| !line.ends_with(" mark\n") && *line != "\n").collect()
    }
}

fn script(text: &str) -> Step {
    Step::new("script", text.as_bytes().to_vec())
}

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
            assert_eq!(started.run(text), format!("{end} group_gone ended marked"), "{shell}: {}", started.output);
        }
        assert!(started.output.contains("open"), "{shell}");
        assert_eq!(started.leave(), "one\ntwo\n", "{shell}");
        assert!(!server.private_folder().exists(), "{shell}");
    }
}

#[test]
fn every_login_shell_passes_the_loop_on() {
    for login in login_shells() {
        let server = Server::new("dash");
        let mut started = server.start(login, 50);
        assert_eq!(started.run("echo out\n"), "0 group_gone ended marked", "{login}");
        assert_eq!(started.leave(), "out\n", "{login}");
    }
}

#[test]
fn sigint_and_sigquit_are_not_ignored_in_a_step_and_the_logins_umask_and_locale_are_kept() {
    for shell in shells() {
        let server = Server::new(shell);
        let mut started = server.start(shell, 50);
        started.run("sed -n 's/^SigIgn:.//p' /proc/self/status; umask; echo ${LC_ALL-none}\n");
        let stdout = started.leave();
        let said: Vec<&str> = stdout.lines().collect();
        // Bit 1 is SIGINT, bit 2 SIGQUIT, bit 0 SIGHUP, bit 12 SIGPIPE.
        assert_eq!(u64::from_str_radix(said[0], 16).unwrap() & 0x1007, 0, "{shell}: {stdout}");
        assert_ne!(said[1], "0077", "{shell}");
        assert_eq!(said[2], "none", "{shell}");
    }
}

#[test]
fn values_arrive_whole_and_are_in_no_argument_list_and_no_file() {
    let list = "for process in /proc/[0-9]*; do tr '\\0' ' ' <$process/cmdline || true; done 2>/dev/null\n";
    for shell in shells() {
        // Found nowhere else on this machine. The script must not hold it itself, so it looks for its two halves.
        let word = nonce();
        let value = format!("it's a \"secret\" $HOME \\n\n  {word} ");
        let (first, second) = word.split_at(16);
        let find = format!("grep -rl '{first}[{}]{}' $TMPDIR || echo no file\n", &second[..1], &second[1..]);
        let server = Server::new(shell);
        let mut started = server.start(shell, 50);
        let text = exports(&[("VALUE".to_owned(), SecretString::from(value.as_str()))]).unwrap();
        let text = text.expose_secret();
        started.frame("values", text, "");
        assert_eq!(started.record().rest, format!("0 {}", text.len()), "{shell}");
        started.begin(&script(&format!("printf %s \"$VALUE\"\n{list}{find}")), text.matches('\n').count());
        assert!(started.end().starts_with("0 "), "{shell}: {}", started.output);
        let stdout = started.leave();
        let rest = stdout.strip_prefix(&value).unwrap_or_else(|| panic!("{shell}"));
        assert!(!rest.contains(&word) && rest.contains("no file"), "{shell}");
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
        started.ask(&format!("sd_target='{}/it'\n", server.folder.path().display()));
        started.nonce = nonce();
        started.send(format!("put {}\n", started.nonce.clone()).as_bytes());
        for chunk in content.chunks(128 * 1024) {
            started.send(format!("data {}\n", chunk.len()).as_bytes());
            started.send(chunk);
            started.send(b"beat\n");
        }
        started.send(b"end\n");
        assert_eq!(started.record(), Record { word: "done".to_owned(), rest: "0".to_owned() }, "{shell}");
        assert!(std::fs::read(server.folder.path().join("it")).unwrap() == content, "{shell}");
        assert_eq!(started.run("true\n"), "0 group_gone ended marked", "{shell}");
        started.leave();
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
        assert_eq!(started.run("exit 3\n"), "3 group_gone ended marked", "{shell}");
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
        assert_eq!(started.run(&text), "0 group_alive ended marked", "{shell}");
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

#[test]
fn shellcheck_accepts_the_remote_loop() {
    let set = "sd_nonce=x sd_name=x sd_grace=1 sd_target=x sd_script=x sd_feed=x sd_receiver=x\n";
    let Ok(mut child) =
        Command::new("shellcheck").args(["-s", "sh", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()
    else {
        return;
    };
    child.stdin.take().unwrap().write_all(format!("{set}{PROGRAM}").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
