//! One repository, its stand-ins, and act.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use emulators::sandbox::{Sandbox, Setup};
use tempfile::TempDir;

use super::super::published::{Release, executable};
use super::super::tools;
use super::accepted;
use crate::support::{peer, skipped};

/// Actions of others that our workflows use, as `owner/name@commit` of [`pinned`], and what plays them.
const STAND_INS: [(&str, &str); 4] = [
    ("actions/setup-node", "runs:\n  using: composite\n  steps: [{shell: sh, run: 'true'}]\n"),
    ("actions/setup-python", "runs:\n  using: composite\n  steps: [{shell: sh, run: 'true'}]\n"),
    (
        "actions/upload-artifact",
        "inputs: {name: {}, path: {}, if-no-files-found: {}, retention-days: {}, include-hidden-files: {}}
runs:
  using: composite
  steps:
    - shell: bash
      env: {NAME: '${{ inputs.name }}', FROM: '${{ inputs.path }}'}
      run: |
        if [ -e \"$STORE/$NAME\" ]; then echo \"an artifact named $NAME exists already\"; exit 1; fi
        if [ -n \"$(ls -A \"$FROM\" 2>/dev/null)\" ]; then mkdir \"$STORE/$NAME\" && cp -R \"$FROM/.\" \"$STORE/$NAME/\"; fi
",
    ),
    (
        "actions/download-artifact",
        "inputs: {pattern: {}, path: {}}
runs:
  using: composite
  steps:
    - shell: bash
      env: {PATTERN: '${{ inputs.pattern }}', TO: '${{ inputs.path }}'}
      run: |
        mkdir -p \"$TO\"
        for artifact in \"$STORE\"/$PATTERN; do [ ! -e \"$artifact\" ] || cp -R \"$artifact\" \"$TO/\"; done
",
    ),
];

/// A repository with a deployment, and everything that it talks to.
pub(super) struct Play {
    act: PathBuf,
    root: TempDir,
    release: Release,
    pub(super) sandbox: Sandbox,
    environment: BTreeMap<String, String>,
    arguments: Vec<String>,
}

/// What act showed.
pub(super) struct Played {
    pub(super) succeeded: bool,
    /// The log, without the lines of masks.
    pub(super) log: String,
    /// The command lines of our tools, in their order, but for `--version`.
    pub(super) calls: Vec<String>,
}

impl Play {
    /// The example repository with `workflow`; `None` without act, sshd or Python.
    pub(super) fn start(workflow: &str) -> Option<Self> {
        let act = peer("act")?;
        let root = tempfile::tempdir().unwrap();
        let calls = root.path().join("calls");
        let built = Path::new(env!("CARGO_BIN_EXE_secrets-env")).parent().unwrap();
        let release = Release::of(|tool| {
            let (calls, program) = (calls.display(), built.join(tool));
            format!("#!/bin/sh\necho \"{tool} $*\" >>'{calls}'\nexec '{}' \"$@\"\n", program.display())
        })?;
        let pages = ["consult-coffee-shop", "consult-hauler"].map(str::to_owned).to_vec();
        let (project, config) = ("consult".to_owned(), "dev".to_owned());
        let secrets = BTreeMap::from([("API_KEY".to_owned(), "key-7f3a9c1e5b2d4860".to_owned())]);
        let setup = Setup { project, config, secrets, pages, state: None, in_actions: false };
        let sandbox = Sandbox::start(setup);
        let environment = sandbox.environment();
        if !environment.contains_key("EMULATED_SSH_USER") {
            skipped("no sshd on this machine");
            return None;
        }
        for name in ["bin", "home", "store", "action/.github/workflows"] {
            fs::create_dir_all(root.path().join(name)).unwrap();
        }
        let play = Self { act, root, release, sandbox, environment, arguments: Vec::new() };
        play.prepare_action();
        play.prepare_repository(workflow);
        Some(play)
    }

    fn prepare_action(&self) {
        let (source, action) = (Path::new(env!("CARGO_MANIFEST_DIR")), self.root.path().join("action"));
        copy(&source.join("action"), &action);
        for name in ["Cargo.toml", "action.yml"] {
            fs::copy(source.join(name), action.join(name)).unwrap();
        }
        let workflow = fs::read_to_string(source.join(".github/workflows/deploy.yml")).unwrap();
        fs::write(action.join(".github/workflows/deploy.yml"), accepted(&workflow, None)).unwrap();
        fs::write(action.join("dist.json"), &self.release.dist).unwrap();
        for (name, text) in STAND_INS {
            let folder = self.root.path().join(name);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("action.yml"), format!("name: {name}\ndescription: A stand-in\n{text}")).unwrap();
        }
    }

    fn prepare_repository(&self, workflow: &str) {
        let repository = self.repository();
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples"), &self.root.path().join("repository-of"));
        fs::rename(self.root.path().join("repository-of/examples"), &repository).unwrap();
        fs::remove_dir_all(repository.join(".github")).unwrap();
        self.file(".github/workflows/deploy.yml", workflow);
        // The user travels with the address, since `deploy` is no user of this machine.
        let variable = |name: &str| &self.environment[name];
        let (user, port) = (variable("EMULATED_SSH_USER"), variable("EMULATED_SSH_PORT"));
        let state = "infra/state/.pulumi/stacks/consult-infra/dev.json";
        let before = fs::read_to_string(repository.join(state)).unwrap();
        let address = format!("\"django_server_ip\": \"{user}@127.0.0.1:{port}\"");
        let after = before.replace("\"django_server_ip\": \"127.0.0.1\"", &address);
        assert_ne!(before, after);
        self.file(state, &after);
        let known = fs::read_to_string(variable("EMULATED_SSH_KNOWN_HOSTS")).unwrap();
        self.file("infra/known_hosts", &known);
        self.git(&["init", "--quiet", "--initial-branch", "main"]);
        self.git(&["remote", "add", "origin", "https://github.com/acme/shop.git"]);
    }

    pub(super) fn repository(&self) -> PathBuf {
        self.root.path().join("repository")
    }

    pub(super) fn store(&self) -> PathBuf {
        self.root.path().join("store")
    }

    /// Writes a file of the repository.
    pub(super) fn file(&self, path: &str, text: &str) {
        let file = self.repository().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, text).unwrap();
        if text.starts_with("#!") {
            executable(&file);
        }
    }

    /// Puts a script on the runner's PATH, beside the system's programs.
    pub(super) fn program(&self, name: &str, text: &str) {
        let file = self.root.path().join("bin").join(name);
        fs::write(&file, text).unwrap();
        executable(&file);
    }

    /// Adds an option of act.
    pub(super) fn option(&mut self, name: &str, value: &str) {
        self.arguments.extend([name.to_owned(), value.to_owned()]);
    }

    fn commit(&self) {
        self.git(&["add", "--all"]);
        self.git(&[
            "-c",
            "user.name=act",
            "-c",
            "user.email=act@localhost",
            "commit",
            "--quiet",
            "--allow-empty",
            "-mx",
        ]);
    }

    fn git(&self, arguments: &[&str]) {
        let mut git = Command::new("git");
        git.args(arguments).current_dir(self.repository()).env("GIT_CONFIG_GLOBAL", "/dev/null");
        assert!(git.status().unwrap().success());
    }

    /// Plays `event` with the secret `DOPPLER_TOKEN`.
    pub(super) fn run(&self, event: &str) -> Played {
        self.run_with(event, &[("DOPPLER_TOKEN", self.sandbox.token())])
    }

    /// Plays `event` with these secrets.
    pub(super) fn run_with(&self, event: &str, secrets: &[(&str, &str)]) -> Played {
        self.commit();
        let calls = self.root.path().join("calls");
        let _ = fs::remove_file(&calls);
        let path = format!("{}:/usr/bin:/bin:/usr/sbin:/sbin", self.root.path().join("bin").display());
        for tool in tools() {
            let found = std::env::split_paths(&path).find(|folder| folder.join(&tool).exists());
            assert_eq!(found, None, "{tool} is on PATH without the action");
        }
        let mut act = Command::new(&self.act);
        act.args([event, "-P", "ubuntu-latest=-self-hosted", "--no-cache-server", "--pull=false"]);
        act.args(["--env-file", "/dev/null", "--action-offline-mode"]);
        // Not as variables of act, which it would hand on to every step.
        let file = self.root.path().join("secrets");
        let lines = secrets.iter().map(|(name, value)| format!("{name}={value}\n"));
        fs::write(&file, lines.collect::<String>()).unwrap();
        act.arg("--secret-file").arg(file);
        for name in ["DOPPLER_API_HOST", "CLOUDFLARE_API_BASE_URL", "PULUMI_API"] {
            act.args(["--env", &format!("{name}={}", self.environment[name])]);
        }
        act.args(["--env", &format!("STORE={}", self.store().display())]);
        act.args(self.local()).args(&self.arguments).current_dir(self.repository()).stdin(Stdio::null());
        act.env_clear().env("LANG", "C.UTF-8").env("PATH", path).env("HOME", self.root.path().join("home"));
        let output = act.output().unwrap();
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        for secret in self.sandbox.secrets() {
            assert!(!text.contains(&secret), "a secret is in the log");
        }
        let log = text.split_inclusive('\n').filter(|line| !line.trim_end().ends_with("⚙  ***")).collect();
        let calls = fs::read_to_string(calls).unwrap_or_default();
        let calls = calls.lines().filter(|line| !line.ends_with(" --version")).map(str::to_owned).collect();
        let played = Played { succeeded: output.status.success(), log, calls };
        played.without_secrets(&self.sandbox, &self.store());
        played
    }

    /// The folders that act takes for repositories of GitHub.
    fn local(&self) -> Vec<String> {
        let folder = |name: &str| self.root.path().join(name).display().to_string();
        let mut all = vec![format!("consult/deploy-action@v1={}", folder("action"))];
        for (name, _) in STAND_INS {
            for reference in references(name) {
                all.push(format!("{name}@{reference}={}", folder(name)));
            }
        }
        all.into_iter().flat_map(|value| ["--local-repository".to_owned(), value]).collect()
    }

    /// What the site of `project` serves, if anything.
    pub(super) fn site(&self, project: &str) -> Option<String> {
        let url = format!("{}/", self.environment["EMULATED_SITES"].replace("%s", project));
        let output = Command::new("curl").args(["--fail", "--silent", &url]).output().unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    }
}

impl Played {
    fn without_secrets(&self, sandbox: &Sandbox, store: &Path) {
        let mut files = vec![self.calls.join("\n")];
        for artifact in fs::read_dir(store).unwrap() {
            for file in files_of(&artifact.unwrap().path()) {
                let text = fs::read_to_string(file).unwrap();
                assert!(!text.contains("\"event\":\"output\""), "an artifact has output");
                files.push(text);
            }
        }
        for text in files {
            assert_eq!(sandbox.leaks(&text), Vec::<String>::new(), "in an artifact or an argument");
        }
    }

    pub(super) fn succeeds(self) -> Self {
        assert!(self.succeeded, "{}", self.log);
        self
    }

    pub(super) fn fails(self) -> Self {
        assert!(!self.succeeded, "{}", self.log);
        self
    }

    /// Whether a call of a tool begins so.
    pub(super) fn called(&self, start: &str) -> bool {
        self.calls.iter().any(|call| call.starts_with(start))
    }

    /// Fails unless the log has `text`.
    pub(super) fn shows(self, text: &str) -> Self {
        assert!(self.log.contains(text), "{text} is missing in:\n{}", self.log);
        self
    }

    /// The sections of the job summary with this heading, one text.
    pub(super) fn summary(&self, heading: &str) -> String {
        let begin = self.log.find(&format!("Summary - ## {heading}"));
        let begin = begin.unwrap_or_else(|| panic!("no section {heading} in:\n{}", self.log));
        self.log[begin..]
            .lines()
            .skip(1)
            .take_while(|line| !line.starts_with('['))
            .fold(self.log[begin..].lines().next().unwrap().to_owned(), |text, line| text + "\n" + line)
    }
}

/// Every file below a folder.
fn files_of(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_of(&path) } else { vec![path] }).collect()
}

/// The commits or tags by which our workflows and the example name an action.
fn references(action: &str) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for file in [
        ".github/workflows/deploy.yml",
        "examples/.github/workflows/deploy.yml",
        "examples/.github/workflows/stages.yml",
    ] {
        let text = fs::read_to_string(root.join(file)).unwrap();
        let after = text.split(&format!("uses: {action}@")).skip(1).map(str::to_owned).collect::<Vec<_>>();
        found.extend(after.iter().filter_map(|rest| rest.split_whitespace().next()).map(str::to_owned));
    }
    found.sort();
    found.dedup();
    found
}

/// Copies a folder into another one.
fn copy(from: &Path, into: &Path) {
    fs::create_dir_all(into).unwrap();
    assert!(Command::new("cp").arg("-R").arg(from).arg(into).status().unwrap().success());
}
