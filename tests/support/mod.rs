//! Plays the Actions runner for one step: clean environment, fresh files, masks, and the search for leaks.

mod browser;
mod leak;
mod peer;
mod private;
mod seen;
mod terminal;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

pub(crate) use browser::Browser;
use emulators::{Cloudflare, Doppler, GitHub, Internet, PulumiCloud, Runner, Secrets, Sshd};
pub(crate) use peer::{Served, library, peer, skipped};
pub(crate) use private::has_private_opt;
pub(crate) use seen::Seen;
use tempfile::TempDir;
pub(crate) use terminal::Watched;

/// One step of a job, about to run.
#[must_use]
pub(crate) struct Step {
    command: Vec<OsString>,
    environment: BTreeMap<OsString, OsString>,
    stdin: Vec<u8>,
    /// Parent of everything the step may write to; see [`Self::folder`].
    root: TempDir,
    folder: PathBuf,
    secrets: Vec<Secrets>,
    own: Secrets,
    printable: Vec<String>,
    prints_all: bool,
    runner: Runner,
}

impl Step {
    /// A step that runs one of the five programs.
    pub(crate) fn new(program: &str) -> Self {
        Self::of(vec![program_path(program).into()])
    }

    /// A step `run: |` with `shell: bash`, all five programs on its `PATH`.
    pub(crate) fn script(text: &str) -> Self {
        let arguments = ["--noprofile", "--norc", "-e", "-o", "pipefail", "-c", text].map(OsString::from);
        Self::of([OsString::from("/bin/bash")].into_iter().chain(arguments).collect())
    }

    fn of(command: Vec<OsString>) -> Self {
        let root = TempDir::with_prefix("step-").unwrap();
        let own = Secrets::default();
        let folder = root.path().join("work");
        let mut step = Self {
            command,
            environment: BTreeMap::new(),
            stdin: Vec::new(),
            folder,
            secrets: vec![own.clone()],
            own,
            printable: Vec::new(),
            prints_all: false,
            runner: Runner::new(),
            root,
        };
        for name in ["work", "home", "temp", "files"] {
            fs::create_dir(step.root.path().join(name)).unwrap();
        }
        for (variable, name) in FILES {
            let path = step.root.path().join("files").join(name);
            fs::write(&path, "").unwrap();
            step = step.env(variable, path);
        }
        let (home, temp) = (step.root.path().join("home"), step.root.path().join("temp"));
        let programs = program_path("secrets-env").parent().unwrap().display().to_string();
        step.env("PATH", format!("{programs}:/usr/local/bin:/usr/bin:/bin"))
            .env("PULUMI_HOME", home.join(".pulumi"))
            .env("HOME", home)
            .env("RUNNER_TEMP", &temp)
            .env("TMPDIR", &temp)
            .env("LANG", "C.UTF-8")
            .env("CI", "true")
            .env("GITHUB_ACTIONS", "true")
    }

    /// Not in Actions: no variable and no file of the runner.
    pub(crate) fn plain(mut self) -> Self {
        for name in ["CI", "GITHUB_ACTIONS", "RUNNER_TEMP"].into_iter().chain(FILES.map(|(variable, _)| variable)) {
            self.environment.remove(&OsString::from(name));
        }
        self
    }

    /// Adds arguments.
    pub(crate) fn args<A: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.command.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Adds one argument.
    pub(crate) fn arg(self, argument: impl Into<OsString>) -> Self {
        self.args([argument.into()])
    }

    /// Sets a variable.
    pub(crate) fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.insert(name.into(), value.into());
        self
    }

    /// Unsets a variable.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.environment.remove(&OsString::from(name));
        self
    }

    /// The standard input; empty without this.
    pub(crate) fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// Runs in `folder` instead of a fresh one.
    pub(crate) fn cwd(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = folder.into();
        self
    }

    /// Writes a file into the step's fresh working folder.
    pub(crate) fn file(self, path: &str, contents: impl AsRef<[u8]>) -> Self {
        let path = self.folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, contents).unwrap();
        self
    }

    /// The working folder, fresh unless [`Self::cwd`] named another.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A value that must show up nowhere unmasked.
    pub(crate) fn secret(self, value: &str) -> Self {
        self.own.add(value);
        self
    }

    /// A secret of the workflow (`secrets.NAME`): set as a variable and masked by the runner from the start.
    pub(crate) fn workflow_secret(mut self, name: &str, value: &str) -> Self {
        self.runner.mask(value);
        self.secret(value).env(name, value)
    }

    /// A secret that the command is asked to print on standard output.
    pub(crate) fn may_print(mut self, value: &str) -> Self {
        self.printable.push(value.to_owned());
        self
    }

    /// Standard output is where the secrets are asked to go.
    pub(crate) fn may_print_secrets(mut self) -> Self {
        self.prints_all = true;
        self
    }

    /// Talks to that Doppler, with the token of `dev` as the workflow's secret `DOPPLER_TOKEN`.
    pub(crate) fn doppler(mut self, doppler: &Doppler) -> Self {
        self.secrets.push(doppler.secrets());
        self.env("DOPPLER_API_HOST", doppler.url()).workflow_secret("DOPPLER_TOKEN", doppler.token())
    }

    /// Talks to that Cloudflare; gives the account but no token, see [`Self::cloudflare_token`].
    pub(crate) fn cloudflare(mut self, cloudflare: &Cloudflare) -> Self {
        self.secrets.push(cloudflare.secrets().clone());
        self.env("CLOUDFLARE_API_BASE_URL", cloudflare.url()).env("CLOUDFLARE_ACCOUNT_ID", cloudflare.account())
    }

    /// Gives the token that may deploy as the workflow's secret `CLOUDFLARE_API_TOKEN`.
    pub(crate) fn cloudflare_token(self, cloudflare: &Cloudflare) -> Self {
        self.workflow_secret("CLOUDFLARE_API_TOKEN", cloudflare.token())
    }

    /// Talks to that GitHub with the job's own token, as a step does that was given `github.token`.
    pub(crate) fn github(mut self, github: &GitHub) -> Self {
        self.secrets.push(github.secrets().clone());
        self.env("GITHUB_API_URL", github.url())
            .env("GITHUB_REPOSITORY", emulators::github::REPOSITORY)
            .workflow_secret("GITHUB_TOKEN", github.token())
    }

    /// May ask that GitHub for the job's identity token, as with `id-token: write`.
    pub(crate) fn identity(mut self, github: &GitHub) -> Self {
        self.secrets.push(github.secrets().clone());
        self.env("ACTIONS_ID_TOKEN_REQUEST_URL", github.id_token_url())
            .workflow_secret("ACTIONS_ID_TOKEN_REQUEST_TOKEN", github.id_token_bearer())
    }

    /// Reaches hosts by their names through that proxy, and none but its certificates are trusted.
    pub(crate) fn internet(self, internet: &Internet) -> Self {
        self.env("HTTPS_PROXY", internet.url()).env("SSL_CERT_FILE", internet.certificates())
    }

    /// None of these may show up anywhere unmasked.
    pub(crate) fn knowing(mut self, secrets: Secrets) -> Self {
        self.secrets.push(secrets);
        self
    }

    /// Talks to that Pulumi Cloud, with its token as a secret of the workflow.
    pub(crate) fn pulumi(mut self, cloud: &PulumiCloud) -> Self {
        self.secrets.push(cloud.secrets());
        self.env("PULUMI_BACKEND_URL", cloud.url()).workflow_secret("PULUMI_ACCESS_TOKEN", cloud.token())
    }

    /// Holds that server's user keys for secrets; gives none, see [`Self::ssh_key`].
    pub(crate) fn sshd(mut self, sshd: &Sshd) -> Self {
        self.secrets.push(sshd.secrets());
        self
    }

    /// Gives the user's key as the workflow's secret `SSH_PRIVATE_KEY`.
    pub(crate) fn ssh_key(self, sshd: &Sshd) -> Self {
        self.sshd(sshd).workflow_secret("SSH_PRIVATE_KEY", &sshd.user_key())
    }

    /// Starts the command and leaves it running: for a signal, or an end of its streams. It ends the step's checks.
    pub(crate) fn spawn(self) -> Started {
        // What a test put there itself is no leak.
        let known = leak::holders(self.root.path(), &self.secrets());
        let child = self.start();
        Started { step: self, known, child }
    }

    /// Runs to the end. Panics if a secret leaked.
    pub(crate) fn run(self) -> Seen {
        self.spawn().finish()
    }

    fn start(&self) -> Child {
        let mut command = Command::new(&self.command[0]);
        command.args(&self.command[1..]).env_clear().envs(&self.environment).current_dir(&self.folder);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap_or_else(|error| panic!("{}: {error}", self.command[0].display()))
    }

    fn secrets(&self) -> Vec<String> {
        self.secrets.iter().flat_map(Secrets::all).collect()
    }
}

/// A step under way.
pub(crate) struct Started {
    step: Step,
    known: BTreeSet<PathBuf>,
    pub(crate) child: Child,
}

impl Started {
    /// Gives the step its input now, for a test that reads its output before it waits for the end.
    pub(crate) fn send_stdin(&mut self) {
        let input = std::mem::take(&mut self.step.stdin);
        self.child.stdin.take().unwrap().write_all(&input).unwrap();
    }

    /// The working folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.step.folder
    }

    /// Waits for the end, and checks as [`Step::run`] does.
    pub(crate) fn finish(mut self) -> Seen {
        let mut stdin = self.child.stdin.take();
        let input = std::mem::take(&mut self.step.stdin);
        let writer = std::thread::spawn(move || {
            if let Some(pipe) = &mut stdin {
                // A command that does not read all of its input is its own affair.
                let _ = pipe.write_all(&input);
            }
        });
        let stdout = self.child.stdout.take().map(drain);
        let stderr = self.child.stderr.take().map(drain);
        let mut arguments = watch::arguments_until_end(&mut self.child);
        // Its own may have ended before the first look.
        arguments.extend(self.step.command.iter().map(|argument| argument.as_encoded_bytes().to_vec()));
        let status = self.child.wait().unwrap();
        let streams = [stdout, stderr].map(|it| it.map(|it| it.join().unwrap()).unwrap_or_default());
        writer.join().unwrap();
        leak::check_arguments(&arguments, &self.step.secrets());
        seen::judge(self.step, &self.known, status, streams)
    }
}

fn drain(mut pipe: impl Read + Send + 'static) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).unwrap();
        bytes
    })
}

/// The runner's files: variable and name in the step's folder `files`.
const FILES: [(&str, &str); 4] =
    [("GITHUB_ENV", "env"), ("GITHUB_OUTPUT", "output"), ("GITHUB_PATH", "path"), ("GITHUB_STEP_SUMMARY", "summary")];

/// The path of one of the programs that Cargo built.
pub(crate) fn program_path(name: &str) -> &'static Path {
    Path::new(match name {
        "secrets-env" => env!("CARGO_BIN_EXE_secrets-env"),
        "preflight-report" => env!("CARGO_BIN_EXE_preflight-report"),
        "stack-output" => env!("CARGO_BIN_EXE_stack-output"),
        "pages-deploy-all" => env!("CARGO_BIN_EXE_pages-deploy-all"),
        "ssh-deploy" => env!("CARGO_BIN_EXE_ssh-deploy"),
        "live-wait" => env!("CARGO_BIN_EXE_live-wait"),
        "stage-run" => env!("CARGO_BIN_EXE_stage-run"),
        other => panic!("no program of ours: {other}"),
    })
}
