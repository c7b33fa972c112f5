//! The part of the Actions runner that plays a composite action: inputs and their defaults, `if`, a step's `env`,
//! `sh` and `bash` as the runner starts them, fresh file commands for each step, `GITHUB_PATH` for the next one.
//!
//! Expressions are only what `action.yml` uses: a name, `a || b`, `a == 'text'`, `a != 'text'`; anything else panics.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use saphyr::{LoadableYamlNode as _, Yaml};
use tempfile::TempDir;

type Variables = BTreeMap<String, String>;

/// A job on a runner whose PATH holds only what the test put there.
pub(super) struct Job {
    root: TempDir,
    variables: Variables,
    path: Vec<PathBuf>,
    steps_run: u32,
}

/// What the runner knows after a step, or after all steps of a composite action.
pub(super) struct Outcome {
    /// The first failing step's exit code, else 0.
    pub(super) code: i32,
    /// Both streams, as they came.
    pub(super) log: String,
    pub(super) outputs: Variables,
    /// What was appended to `GITHUB_ENV`.
    pub(super) variables: String,
}

impl Job {
    /// A Linux X64 job that finds `programs` of the machine, and nothing else of it.
    pub(super) fn new(programs: &[&str]) -> Self {
        let root = tempfile::tempdir().unwrap();
        for name in ["bin", "temp", "workspace", "action"] {
            std::fs::create_dir(root.path().join(name)).unwrap();
        }
        for name in programs {
            std::os::unix::fs::symlink(on_this_machine(name), root.path().join("bin").join(name)).unwrap();
        }
        let source = Path::new(env!("CARGO_MANIFEST_DIR"));
        for name in ["Cargo.toml", "action.yml"] {
            std::fs::copy(source.join(name), root.path().join("action").join(name)).unwrap();
        }
        std::os::unix::fs::symlink(source.join("action"), root.path().join("action/action")).unwrap();
        let path = vec![root.path().join("bin")];
        let mut job = Self { root, variables: Variables::new(), path, steps_run: 0 };
        for (name, value) in [("RUNNER_OS", "Linux"), ("RUNNER_ARCH", "X64"), ("GITHUB_ACTIONS", "true")] {
            job.variable(name, value);
        }
        job.variable("RUNNER_TOOL_CACHE", job.tool_cache().to_str().unwrap().to_owned().as_str());
        job.variable("RUNNER_TEMP", job.temp().to_str().unwrap().to_owned().as_str());
        job.variable("GITHUB_ACTION_PATH", job.action().to_str().unwrap().to_owned().as_str());
        job
    }

    pub(super) fn temp(&self) -> PathBuf {
        self.root.path().join("temp")
    }

    pub(super) fn tool_cache(&self) -> PathBuf {
        self.root.path().join("tool-cache")
    }

    pub(super) fn action(&self) -> PathBuf {
        self.root.path().join("action")
    }

    pub(super) fn workspace(&self) -> PathBuf {
        self.root.path().join("workspace")
    }

    /// Sets a variable of the job's `env`.
    pub(super) fn variable(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    /// Puts an executable script on PATH.
    pub(super) fn program(&mut self, name: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let file = self.root.path().join("bin").join(name);
        // It may be a link to the machine's own program, which must not be written to.
        if file.is_symlink() {
            std::fs::remove_file(&file).unwrap();
        }
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// A step `run: script` of the workflow.
    pub(super) fn step(&mut self, script: &str) -> Outcome {
        self.run("bash", script, &Variables::new())
    }

    /// A step `uses:` of the workflow with these inputs.
    pub(super) fn uses(&mut self, inputs: &[(&str, &str)]) -> Outcome {
        let text = std::fs::read_to_string(self.action().join("action.yml")).unwrap();
        let manifest = &Yaml::load_from_str(&text).unwrap()[0];
        let mut known = Variables::from([
            ("runner.os".to_owned(), self.variables["RUNNER_OS"].clone()),
            ("github.token".to_owned(), self.variables.get("GITHUB_TOKEN").cloned().unwrap_or_default()),
        ]);
        for (name, input) in entries(&manifest["inputs"]) {
            known.insert(format!("inputs.{name}"), expand(input["default"].as_str().unwrap(), &known));
        }
        for (name, value) in inputs {
            let before = known.insert(format!("inputs.{name}"), (*value).to_owned());
            assert!(before.is_some(), "the action has no input {name}");
        }
        let mut whole = Outcome { code: 0, log: String::new(), outputs: Variables::new(), variables: String::new() };
        for step in manifest["runs"]["steps"].as_vec().unwrap() {
            let (id, condition) = (step["id"].as_str().unwrap(), step["if"].as_str().unwrap());
            // Without a function of the status in it, a condition has `success() &&` in front.
            let has_failed = whole.code != 0;
            if has_failed != condition.starts_with(FAILURE) || !holds(condition, &known) {
                known.insert(format!("steps.{id}.outcome"), "skipped".to_owned());
                continue;
            }
            let env = step.as_mapping_get("env").into_iter().flat_map(entries);
            let env = env.map(|(name, value)| (name.to_owned(), expand(value.as_str().unwrap(), &known)));
            let seen = self.run(step["shell"].as_str().unwrap(), step["run"].as_str().unwrap(), &env.collect());
            let outcome = if seen.code == 0 { "success" } else { "failure" };
            known.insert(format!("steps.{id}.outcome"), outcome.to_owned());
            known.extend(seen.outputs.into_iter().map(|(name, value)| (format!("steps.{id}.outputs.{name}"), value)));
            whole.code = if has_failed { whole.code } else { seen.code };
            whole.log += &seen.log;
            whole.variables += &seen.variables;
        }
        for (name, output) in entries(&manifest["outputs"]) {
            whole.outputs.insert(name.to_owned(), expand(output["value"].as_str().unwrap(), &known));
        }
        whole
    }

    fn run(&mut self, shell: &str, script: &str, env: &Variables) -> Outcome {
        self.steps_run += 1;
        let file = |name: &str| self.temp().join(format!("{name}-{}", self.steps_run));
        let commands = ["GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_PATH", "GITHUB_STEP_SUMMARY"];
        for name in commands {
            std::fs::write(file(name), "").unwrap();
        }
        std::fs::write(file("script"), script).unwrap();
        let mut command = match shell {
            "sh" => Command::new(on_this_machine("sh")),
            "bash" => Command::new(on_this_machine("bash")),
            other => panic!("no shell {other} here"),
        };
        if shell == "bash" {
            command.args(["--noprofile", "--norc", "-eo", "pipefail"]);
        } else {
            command.arg("-e");
        }
        command
            .arg(file("script"))
            .current_dir(self.workspace())
            .env_clear()
            .envs(&self.variables)
            .envs(env)
            .envs(commands.map(|name| (name, file(name))))
            .env("PATH", std::env::join_paths(&self.path).unwrap())
            .stdin(Stdio::null());
        let output = match command.output() {
            Ok(output) => output,
            // What the runner shows when it cannot start a step's shell.
            Err(error) => {
                let log = format!("An error occurred trying to start process '{shell}'. {error}\n");
                return Outcome { code: 1, log, outputs: Variables::new(), variables: String::new() };
            }
        };
        let read = |name: &str| std::fs::read_to_string(file(name)).unwrap();
        let added: Vec<PathBuf> = read("GITHUB_PATH").lines().map(PathBuf::from).collect();
        let outcome = Outcome {
            code: output.status.code().unwrap(),
            log: String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned(),
            outputs: read("GITHUB_OUTPUT").lines().map(pair).collect(),
            variables: read("GITHUB_ENV"),
        };
        self.path.splice(0..0, added);
        outcome
    }
}

fn on_this_machine(program: &str) -> PathBuf {
    let environment = runner::Environment::of_process();
    std::env::split_paths(environment.get("PATH").unwrap())
        .map(|dir| dir.join(program))
        .find(|file| file.is_file())
        .unwrap_or_else(|| panic!("no {program} on PATH"))
}

fn pair(line: &str) -> (String, String) {
    let (name, value) = line.split_once('=').unwrap();
    (name.to_owned(), value.to_owned())
}

fn entries<'a>(node: &'a Yaml<'a>) -> impl Iterator<Item = (&'a str, &'a Yaml<'a>)> {
    node.as_mapping().unwrap().iter().map(|(name, value)| (name.as_str().unwrap(), value))
}

/// `text`, with each `${{ … }}` replaced by its value.
fn expand(text: &str, known: &Variables) -> String {
    let Some((before, rest)) = text.split_once("${{") else {
        return text.to_owned();
    };
    let (expression, after) = rest.split_once("}}").unwrap();
    let value = expression.split("||").map(|name| value(name.trim(), known)).find(|value| !value.is_empty());
    format!("{before}{}{}", value.unwrap_or_default(), expand(after, known))
}

fn value<'a>(name: &str, known: &'a Variables) -> &'a str {
    assert!(
        name.starts_with("inputs.") || name.starts_with("steps.") || ["runner.os", "github.token"].contains(&name),
        "no context for {name}"
    );
    // An output of a step that did not run is empty; a misspelt input is a mistake.
    match known.get(name) {
        Some(value) => value,
        None if name.starts_with("steps.") => "",
        None => panic!("unknown name {name}"),
    }
}

const FAILURE: &str = "failure() && ";

fn holds(condition: &str, known: &Variables) -> bool {
    let parts = condition.strip_prefix(FAILURE).unwrap_or(condition).split(" && ");
    parts.into_iter().all(|part| compare(part, known))
}

fn compare(condition: &str, known: &Variables) -> bool {
    let (name, equal, text) = match (condition.split_once(" == "), condition.split_once(" != ")) {
        (Some((name, text)), None) => (name, true, text),
        (None, Some((name, text))) => (name, false, text),
        _ => panic!("not a condition that this runner knows: {condition}"),
    };
    (value(name, known) == text.trim_matches('\'')) == equal
}
