//! The justfile and the Taskfile of examples/, run by the real `just` and `task` (PyPI) against the stand-ins.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use emulators::sandbox::{Sandbox, Setup};

use crate::support::{has_private_opt, peer, program_path, skipped};

const STACKS: &str = "infra/state/.pulumi/stacks/consult-infra";

/// A copy of the example repository, its stand-ins, and the programs that the recipes call.
struct Repository {
    root: tempfile::TempDir,
    sandbox: Sandbox,
    runner: std::path::PathBuf,
}

impl Repository {
    /// `None` without `runner` (just or task), wrangler or sshd.
    fn start(runner: &str) -> Option<Self> {
        let (runner, wrangler) = (peer(runner)?, peer("wrangler")?);
        let root = tempfile::tempdir().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
        assert!(Command::new("cp").arg("-R").args([&source, &root.path().join("work")]).status().unwrap().success());
        let pages = ["consult-coffee-shop", "consult-hauler"].map(str::to_owned).to_vec();
        let secrets = BTreeMap::from([("API_KEY".to_owned(), "key-7f3a9c1e5b2d4860".to_owned())]);
        let (project, config) = ("consult".to_owned(), "dev".to_owned());
        let sandbox = Sandbox::start(Setup { project, config, secrets, pages, state: None, in_actions: false });
        let environment = sandbox.environment();
        let Some(user) = environment.get("EMULATED_SSH_USER") else {
            skipped("no sshd on this machine");
            return None;
        };
        let work = root.path().join("work");
        let state = fs::read_to_string(work.join(STACKS).join("dev.json")).unwrap();
        let address = format!("\"{user}@127.0.0.1:{}\"", environment["EMULATED_SSH_PORT"]);
        fs::write(work.join(STACKS).join("dev.json"), state.replace("\"127.0.0.1\"", &address)).unwrap();
        fs::copy(&environment["EMULATED_SSH_KNOWN_HOSTS"], work.join("infra/known_hosts")).unwrap();
        fs::copy(work.join("deploy.sh"), "/opt/consult/deploy.sh").unwrap();
        let repository = Self { root, sandbox, runner };
        let git = "git init --quiet --initial-branch main && git add --all && \
                   git -c user.name=a -c user.email=a@localhost commit --quiet -mx";
        assert!(Command::new("sh").args(["-c", git]).current_dir(&work).status().unwrap().success());
        repository.program("dagger", "echo \"dagger $*\" >&2\ncat preflight/passing.json");
        repository.program("pulumi", "echo \"pulumi $* as ${DOPPLER_CONFIG} with ${#DATABASE_URL} characters\"");
        let folder = wrangler.parent().unwrap().display();
        let quiet = "export WRANGLER_SEND_METRICS=false WRANGLER_WRITE_LOGS=false";
        repository.program("wrangler", &format!("{quiet}\nPATH={folder}:$PATH exec {folder}/wrangler \"$@\""));
        Some(repository)
    }

    fn program(&self, name: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = self.root.path().join("bin");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(name), format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Runs a recipe; returns how it ended, and both streams.
    fn run(&self, arguments: &[&str]) -> (Output, String) {
        let ours = program_path("secrets-env").parent().unwrap().display().to_string();
        let own = self.root.path().join("bin").display().to_string();
        let mut command = Command::new(&self.runner);
        command.args(arguments).current_dir(self.root.path().join("work")).stdin(Stdio::null()).env_clear();
        command.envs(self.sandbox.environment()).env("HOME", self.root.path()).env_remove("DOPPLER_CONFIG");
        let output = command.env("PATH", format!("{own}:{ours}:/usr/bin:/bin:/usr/sbin")).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert_eq!(self.sandbox.leaks(&text), Vec::<String>::new());
        (output, text)
    }

    /// The whole pipeline, then a failure of each stage; a failed stage is the last one that runs.
    fn holds(&self, deploy: &[&str], outputs: &[&str]) {
        let (output, text) = self.run(deploy);
        assert!(output.status.success(), "{text}");
        for claim in [
            "dagger call pre-deploy",
            "pulumi up --stack dev --yes as dev with",
            "Uploaded acme-api",
            "hauler: live at",
        ] {
            assert!(text.contains(claim), "{claim} is missing in {text}");
        }
        assert_eq!(fs::read_to_string("/opt/consult/release").unwrap(), "1\n");
        let (output, text) = self.run(outputs);
        assert!(output.status.success(), "{text}");
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let json: serde_json::Value = serde_json::from_str(&printed[printed.find('{').unwrap()..]).unwrap();
        assert!(json["django_server_ip"].as_str().unwrap().contains("127.0.0.1"), "{printed}");

        for (program, script, ran, did_not) in [
            ("wrangler", "exit 1", "pulumi up", "live at"),
            ("pulumi", "exit 255", "dagger call", "live at"),
            ("dagger", "cat preflight/failing.json; exit 1", "src/index.ts", "pulumi up --stack dev --yes as"),
        ] {
            self.program(program, script);
            let (output, text) = self.run(deploy);
            assert!(!output.status.success(), "{program} failed: {text}");
            assert!(text.contains(ran) && !text.contains(did_not), "{program} failed: {text}");
        }
        assert_eq!(fs::read_to_string("/opt/consult/release").unwrap(), "1\n");
    }
}

#[test]
fn just_deploy_runs_the_whole_pipeline_and_stops_where_it_fails() {
    if !has_private_opt("recipes::just_deploy_runs_the_whole_pipeline_and_stops_where_it_fails") {
        return;
    }
    let Some(repository) = Repository::start("just") else { return };
    repository.holds(&["deploy", "dev"], &["infra-outputs", "dev"]);
}

#[test]
fn task_deploy_runs_the_whole_pipeline_and_stops_where_it_fails() {
    if !has_private_opt("recipes::task_deploy_runs_the_whole_pipeline_and_stops_where_it_fails") {
        return;
    }
    let Some(repository) = Repository::start("task") else { return };
    repository.holds(&["deploy", "ENV=dev"], &["infra-outputs", "ENV=dev"]);
}

#[test]
fn the_justfile_and_the_taskfile_have_the_same_command_lines() {
    let lines = |text: &str| {
        let ours = text.lines().map(|line| line.trim().trim_start_matches("- ").to_owned());
        let ours = ours.map(|line| line.replace("{{DOPPLER_CONFIG}}", "{{.ENV}}"));
        let ours = ours.map(|line| line.replace("cd infra && ", "").replace("cd worker && ", ""));
        let mut found: Vec<String> =
            ours.filter(|line| crate::contract::TOOLS.iter().any(|it| line.starts_with(it))).collect();
        found.sort();
        found
    };
    let (just, task) = (include_str!("../examples/justfile"), include_str!("../examples/Taskfile.yml"));
    assert_eq!(lines(just), lines(task));
    assert_eq!(lines(just).len(), 7);
}
