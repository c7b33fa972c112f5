//! The tutorial of docs/ works: its blocks run in their order, in one shell, against the stand-ins.

use std::fmt::Write as _;
use std::process::{Command, Stdio};

use emulators::Sshd;
use emulators::sandbox::{Sandbox, Setup};

use crate::support::program_path;

const PAGE: &str = include_str!("../docs/tutorial.md");

/// The blocks for a shell as one script. A line that ends with `# exit code N` has to end so.
fn script() -> String {
    let mut script = String::from("set -eo pipefail\n");
    for block in PAGE.split("```sh\n").skip(1) {
        let block = block.split("```").next().unwrap();
        for line in block.lines() {
            match line.rsplit_once("# exit code ") {
                Some((command, code)) => {
                    writeln!(
                        script,
                        "code=0\n{{ {command}\n}} || code=$?\necho \"exit code $code\"\ntest $code = {code}"
                    )
                }
                None => writeln!(script, "{line}"),
            }
            .unwrap();
        }
    }
    script
}

#[test]
fn the_tutorial_ends_with_a_deployed_site_and_server() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start(Setup {
        project: "shop".to_owned(),
        config: "dev".to_owned(),
        secrets: std::collections::BTreeMap::new(),
        pages: Vec::new(),
        state: None,
        in_actions: false,
    });
    let environment = sandbox.environment();
    // `start` prints that the test is skipped, or fails with CI=true, on a machine without `sshd`.
    let Some(user) = environment.get("EMULATED_SSH_USER") else {
        assert!(Sshd::start().is_none(), "the sandbox has no server, and the machine has an sshd");
        return;
    };
    let tools = program_path("secrets-env").parent().unwrap().display().to_string();
    let mut bash = Command::new("bash");
    bash.args(["--noprofile", "--norc", "-c", &script()]).current_dir(folder.path()).stdin(Stdio::null()).env_clear();
    bash.envs(&environment).env("HOME", folder.path()).env("USER", user);
    let output = bash.env("PATH", format!("{tools}:/usr/bin:/bin:/usr/sbin")).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    for claim in ["characters, token: none", "Open all day", "exit code 77", "deployed on ", "exit code 3"] {
        assert!(text.contains(claim), "{claim} is missing in {text}");
    }
    assert_eq!(sandbox.leaks(&text), Vec::<String>::new());
}
