//! A server for the tests of the remote loop: a shell of this machine, its programs, and a client that speaks to the loop.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdin, Command, Stdio};

use secrecy::{ExposeSecret as _, SecretString};
use tempfile::TempDir;

use super::{command_line, program};
use crate::wire::{Record, lines, nonce};
use crate::{Ending, Lost, Output, Ready, ScriptEnd, Session, Step};

/// The name of a loop's private folder.
const NAME: &str = ".ssh-deploy.test";

/// The shells that are some system's `sh`.
pub(super) fn shells() -> Vec<&'static str> {
    installed(&["dash", "bash", "busybox", "mksh", "zsh"])
}

/// The shells that are a user's login shell; the command line must pass through them unchanged.
pub(super) fn login_shells() -> Vec<&'static str> {
    installed(&["sh", "bash", "dash", "zsh", "mksh", "tcsh", "fish", "busybox"])
}

/// Those of `names` that this machine has.
fn installed(names: &[&'static str]) -> Vec<&'static str> {
    let (found, missing): (Vec<&str>, Vec<&str>) = names.iter().partition(|name| path_of(name).is_some());
    if !missing.is_empty() {
        absent(&missing.join(", "));
    }
    found
}

/// Reports what a test leaves out because `programs` are absent; with `CI=true`, where nothing may be left out unseen, it fails.
#[expect(clippy::disallowed_methods, reason = "tests know from the environment whether they may skip anything")]
pub(super) fn absent(programs: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "absent: {programs}");
    writeln!(std::io::stderr(), "skipped, because absent: {programs}").unwrap();
}

fn path_of(name: &str) -> Option<PathBuf> {
    ["/bin", "/usr/bin", "/usr/local/bin"].iter().map(|folder| Path::new(folder).join(name)).find(|path| path.exists())
}

/// A server: a folder for its files, and one whose `sh` is the shell under test.
pub(super) struct Server {
    pub(super) folder: TempDir,
    pub(super) path: String,
}

impl Server {
    pub(super) fn new(shell: &str) -> Self {
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

    /// The same, without some of this machine's programs.
    pub(super) fn without(shell: &str, absent: &[&str]) -> Self {
        let server = Self::new(shell);
        let programs = server.folder.path().join("bin");
        for folder in ["/usr/bin", "/bin"] {
            for entry in std::fs::read_dir(folder).unwrap().flatten() {
                if !absent.iter().any(|name| entry.file_name() == *name) {
                    // The shell's own programs are there already, and the second folder may be a link to the first.
                    let _there = symlink(entry.path(), programs.join(entry.file_name()));
                }
            }
        }
        Self { path: programs.display().to_string(), ..server }
    }

    /// Puts a program of a few lines before all others.
    pub(super) fn program(&self, name: &str, text: &str) {
        let path = self.folder.path().join("bin").join(name);
        let _absent = std::fs::remove_file(&path);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Starts the loop under `login`, with so many tenths of a second between TERM and KILL.
    pub(super) fn start(&self, login: &str, grace: u32) -> Loop {
        self.start_named(login, grace, NAME)
    }

    /// The same, with the name of its private folder.
    pub(super) fn start_named(&self, login: &str, grace: u32, name: &str) -> Loop {
        self.start_with(login, grace, name, "")
    }

    /// The same, with `lines` that are there before it begins.
    pub(super) fn start_before(&self, login: &str, lines: &str) -> Loop {
        self.start_with(login, 50, NAME, lines)
    }

    fn start_with(&self, login: &str, grace: u32, name: &str, lines: &str) -> Loop {
        let nonce = nonce();
        let text = program(&nonce, name, grace);
        // As after a login: a test that is itself run in the background ignores SIGINT, and so would its children.
        // A loop that never becomes ready must not hold the test for ever.
        let mut command = Command::new("timeout");
        command.args(["300", "env", "--default-signal", login]);
        if login == "busybox" {
            command.arg("sh");
        }
        command.args(["-c", &command_line(&text)]).env_clear();
        command.env("PATH", &self.path).env("HOME", self.folder.path()).env("TMPDIR", self.folder.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all((text + lines).as_bytes()).unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let ready = Ready { folder: self.folder.path().join(name).display().to_string(), ..Ready::default() };
        let mut started = Loop { child, stdin: Some(stdin), stderr, nonce, output: String::new(), ready };
        let record = started.record();
        assert_eq!(record.word, "ready", "{login}");
        started
    }

    pub(super) fn private_folder(&self) -> PathBuf {
        self.folder.path().join(NAME)
    }
}

/// A running loop.
pub(super) struct Loop {
    pub(super) child: Child,
    pub(super) stdin: Option<ChildStdin>,
    pub(super) stderr: BufReader<ChildStderr>,
    pub(super) nonce: String,
    /// The lines of stderr that are no records.
    pub(super) output: String,
    ready: Ready,
}

impl Loop {
    pub(super) fn send(&mut self, bytes: &[u8]) {
        self.stdin.as_mut().unwrap().write_all(bytes).unwrap();
    }

    /// The next record.
    pub(super) fn record(&mut self) -> Record {
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

    pub(super) fn frame(&mut self, word: &str, text: &str, more: &str) {
        self.nonce = nonce();
        let frame = lines(word, &self.nonce, text, more);
        self.send(&frame);
    }

    pub(super) fn lines(&mut self, text: &str) -> Vec<String> {
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

    /// Sends a file to `$sd_target`, with pulses between its chunks.
    pub(super) fn put(&mut self, content: &[u8]) -> Record {
        self.nonce = nonce();
        self.send(format!("put {}\n", self.nonce.clone()).as_bytes());
        for chunk in content.chunks(128 * 1024) {
            self.send(format!("data {}\n", chunk.len()).as_bytes());
            self.send(chunk);
            self.send(b"beat\n");
        }
        self.send(b"end\n");
        self.record()
    }

    /// Stages a script, and starts it.
    pub(super) fn begin(&mut self, step: &Step, values: usize) {
        self.frame("write", &String::from_utf8_lossy(&step.script), &step.name);
        assert_eq!(self.record().rest, "0");
        let patience = step.patience.as_secs();
        self.frame("step", &step.start(true, values), &format!("{patience} {}", step.name));
        assert_eq!(self.record().word, "started");
    }

    /// The rest of a step's end record, and permission to go on.
    pub(super) fn end(&mut self) -> String {
        let record = self.record();
        assert_eq!(record.word, "exit", "{}", self.output);
        self.send(format!("next {}\n", self.nonce).as_bytes());
        record.rest
    }

    pub(super) fn script(&mut self, text: &str) -> String {
        self.begin(&script(text), 0);
        self.end()
    }

    /// Closes our end; what was on stdout, without the marks.
    pub(super) fn leave(mut self) -> String {
        if let Some(stdin) = &mut self.stdin {
            // The loop may have left already.
            let _sent = stdin.write_all(b"bye\n");
        }
        self.rest()
    }

    pub(super) fn rest(mut self) -> String {
        drop(self.stdin.take());
        let mut stdout = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
        self.child.wait().unwrap();
        stdout.split_inclusive('\n').filter(|line| !line.ends_with(" mark\n") && *line != "\n").collect()
    }
}

pub(super) fn script(text: &str) -> Step {
    Step::new("script", text.as_bytes().to_vec())
}

/// As the product uses it, so that the fragments run with the text that they are sent with.
impl Session for Loop {
    fn ready(&self) -> &Ready {
        &self.ready
    }

    async fn values(&mut self, exports: &SecretString) -> Result<(), Lost> {
        self.frame("values", exports.expose_secret(), "");
        self.record();
        Ok(())
    }

    async fn stage(&mut self, step: &Step) -> Result<(), Lost> {
        self.frame("write", &String::from_utf8_lossy(&step.script), &step.name);
        self.record();
        Ok(())
    }

    async fn upload(&mut self, content: &mut (dyn std::io::Read + Send)) -> Result<(), Lost> {
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes).unwrap();
        self.put(&bytes);
        Ok(())
    }

    async fn ask(&mut self, fragment: &str) -> Result<Vec<String>, Lost> {
        Ok(self.lines(fragment))
    }

    async fn run(&mut self, step: &Step, _stop: impl Future<Output = ()>, _sink: impl FnMut(Output<'_>)) -> Ending {
        self.begin(step, 0);
        let code = self.end().split(' ').next().unwrap().parse().unwrap();
        Ending::of(ScriptEnd::Exited(code))
    }

    async fn close(self) {
        self.leave();
    }
}
