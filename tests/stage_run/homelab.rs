//! The example of a homelab, with the real Terraform, Ansible, task, just and webhook.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use super::{Project, until};
use crate::support::{Seen, Step, peer, program_path};

/// The example in a fresh repository, what it deploys, and the PATH for it.
struct Homelab {
    project: Project,
    path: String,
    /// Where the application answers with the commit.
    url: String,
}

/// `None`, with a word, if a program is absent.
fn example(peers: &[&str]) -> Option<Homelab> {
    let mut folders = vec![program_path("stage-run").parent().unwrap().display().to_string()];
    for name in peers {
        folders.push(peer(name)?.parent().unwrap().display().to_string());
    }
    let project = Project::new("");
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/homelab"), project.path());
    let git = |arguments: &[&str]| {
        let identity = ["-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "commit.gpgsign=false"];
        let git = Command::new("git").arg("-C").arg(project.path()).args(identity).args(arguments).output().unwrap();
        assert!(git.status.success(), "{}", String::from_utf8_lossy(&git.stderr));
        String::from_utf8(git.stdout).unwrap().trim().to_owned()
    };
    git(&["init", "--quiet"]);
    git(&["add", "--all"]);
    git(&["commit", "--quiet", "--message", "The homelab"]);
    let url = serve(format!("{{\"commit\": \"{}\"}}", git(&["rev-parse", "HEAD"])));
    Some(Homelab { project, path: format!("{}:/usr/local/bin:/usr/bin:/bin", folders.join(":")), url })
}

/// The application: it answers every request with `body`.
fn serve(body: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://app.localhost:{}/version", listener.local_addr().unwrap().port());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _head = stream.read(&mut [0; 4096]);
            let length = body.len();
            let _sent =
                write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
        }
    });
    url
}

pub(super) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

const PROGRAMS: [&str; 2] = ["terraform", "ansible-playbook"];

impl Homelab {
    fn step(&self, arguments: &[&str]) -> Step {
        let step = self.project.step(arguments).env("PATH", &self.path);
        step.env("DEPLOY_TARGET", "lab").env("APP_URL", &self.url)
    }

    fn call(&self, arguments: &[&str]) -> Seen {
        self.step(arguments).run()
    }
}

#[test]
fn it_is_deployed_dry_whole_and_undone() {
    let Some(lab) = example(&PROGRAMS) else { return };
    let project = &lab.project;
    let seen = lab.call(&["--dry-run"]).exits(0);
    assert!(seen.stdout.contains("1 to create") && seen.stdout.contains("no plan"), "{}", seen.stdout);
    assert!(!project.path().join("infra/terraform.tfstate").exists());
    lab.call(&[]).exits(0);
    assert_eq!(project.read("deployed"), "configured\n");
    assert!(project.read("infra/terraform.tfstate").contains("terraform_data"));
    let seen = lab.call(&["--undo"]).exits(2);
    assert!(seen.stdout.contains("(destroys)"), "{}", seen.stdout);
    lab.call(&["--undo", "--yes"]).exits(0);
    assert!(!project.read("infra/terraform.tfstate").contains("\"type\": \"terraform_data\""));
}

#[test]
fn a_failure_in_each_stage_is_resumed() {
    let Some(lab) = example(&PROGRAMS) else { return };
    let project = &lab.project;
    let break_and_mend = |file: &str, broken: &str| {
        let whole = project.read(file);
        std::fs::write(project.path().join(file), broken).unwrap();
        whole
    };
    let whole = break_and_mend("infra/main.tf", "variable \"target\" {}\nresource \"no_such\" \"x\" {}\n");
    lab.call(&[]).exits(1);
    std::fs::write(project.path().join("infra/main.tf"), whole).unwrap();
    let whole =
        break_and_mend("site.yml", "- hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.fail:\n");
    let seen = lab.call(&["--resume"]).exits(1);
    assert!(seen.stdout.contains("failed     configure"), "{}", seen.stdout);
    std::fs::write(project.path().join("site.yml"), whole).unwrap();
    let whole = break_and_mend("apps/main.tf", "resource \"terraform_data\" \"app\" {\n  nonsense = 1\n}\n");
    let seen = lab.call(&["--resume"]).exits(1);
    assert!(!seen.stderr.contains("infra | "), "a stage that passed does not run again: {}", seen.stderr);
    std::fs::write(project.path().join("apps/main.tf"), whole).unwrap();
    lab.call(&["--resume"]).exits(0);
    lab.call(&["--status"]).exits(0);
}

#[test]
fn task_and_just_start_it() {
    let Some(lab) = example(&["terraform", "ansible-playbook", "task", "just"]) else { return };
    let project = &lab.project;
    let run = |program: &str, recipe: &str| {
        let output = Command::new(peer(program).unwrap())
            .arg(recipe)
            .current_dir(project.path())
            .env_clear()
            .envs([("PATH", lab.path.as_str()), ("DEPLOY_TARGET", "lab"), ("APP_URL", &lab.url), ("LANG", "C.UTF-8")])
            .env("XDG_STATE_HOME", project.path().join("state"))
            .env("HOME", project.path())
            .output()
            .unwrap();
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr),
        )
    };
    for (program, recipe, expected) in [
        ("task", "deploy", "passed     configure"),
        ("just", "status", "apps       passed"),
        ("just", "undo", "undone"),
    ] {
        let (code, printed) = run(program, recipe);
        assert_eq!(code, Some(0), "{program} {recipe}: {printed}");
        assert!(printed.contains(expected), "{program} {recipe}: {printed}");
    }
}

#[test]
fn killed_in_each_stage_it_is_resumed_and_ends_as_a_whole_run_does() {
    let Some(mut lab) = example(&PROGRAMS) else { return };
    let bin = lab.project.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    for (name, stage) in [("terraform", "${PWD##*/}"), ("ansible-playbook", "configure")] {
        // Stops in the stage whose `hold` is there, until it is interrupted.
        let real = peer(name).unwrap();
        let root = lab.project.path().display();
        let script = format!(
            "#!/bin/sh\n[ \"$1\" = init ] || [ ! -e {root}/hold-{stage} ] || {{ touch {root}/held-{stage}; trap 'exit 130' INT; while :; do sleep 0.1; done; }}\nexec {} \"$@\"\n",
            real.display()
        );
        std::fs::write(bin.join(name), script).unwrap();
        std::fs::set_permissions(bin.join(name), std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    lab.path = format!("{}:{}", bin.display(), lab.path);
    let file = |name: String| lab.project.path().join(name);
    let stages = ["infra", "configure", "apps"];
    for stage in stages {
        std::fs::write(file(format!("hold-{stage}")), "").unwrap();
    }
    for stage in stages {
        let started = lab.step(if stage == "infra" { &[] } else { &["--resume"] }).spawn();
        until(|| file(format!("held-{stage}")).exists());
        super::crashes::kill(started);
        std::fs::remove_file(file(format!("hold-{stage}"))).unwrap();
        until(|| lab.call(&["--status"]).stdout.contains("half done"));
    }
    let seen = lab.call(&["--resume"]).exits(0);
    assert!(!seen.stderr.contains("infra | ") && seen.stderr.contains("live after"), "{}", seen.stderr);
    assert_eq!(lab.project.read("deployed"), "configured\n");
    lab.call(&["--status"]).exits(0);
}
