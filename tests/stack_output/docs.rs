//! The examples of `--help` and the recipes of docs/stack-output.md are run unchanged. They pipe into a stand-in that prints its
//! input; tests/pipes.rs has the real `ssh-deploy`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use saphyr::{LoadableYamlNode as _, Yaml};
use serde_json::{Value, json};

use crate::support::Step;

const PAGE: &str = include_str!("../../docs/stack-output.md");

/// A shell beside a Pulumi project in `infra`, which it is also in, with a store of three stacks.
fn shell(script: &str) -> Step {
    let state = |ip: &str| {
        let outputs = json!({"django_server_ip": ip, "servers": [{"ip": ip, "name": "a"}, {"ip": "10.0.0.2"}],
            "db": {"host": "db.internal"}, "regions": ["fsn1", "nbg1"]});
        let root = json!({"type": "pulumi:pulumi:Stack", "outputs": outputs});
        json!({"version": 3, "checkpoint": {"latest": {"manifest": {}, "resources": [root]}}}).to_string()
    };
    let tells = "#!/bin/sh\nprintf '%s' \"ssh-deploy $*: \"; test -t 0 || cat\n";
    let prints = "#!/bin/sh\ntest \"$*\" = 'stack output --json' && echo '{\"db\":{\"host\":\"printed\"}}'\n";
    let step = Step::script(script)
        .file("Pulumi.yaml", "name: shop\nruntime: yaml\nbackend:\n  url: file://./infra/state\n")
        .file("infra/Pulumi.yaml", "name: shop\nruntime: yaml\nbackend:\n  url: file://./state\n")
        .file("infra/state/.pulumi/meta.yaml", "version: 1\n")
        .file("infra/state/.pulumi/stacks/shop/prod.json", state("203.0.113.7"))
        .file("infra/state/.pulumi/stacks/shop/dev.json", state("198.51.100.1"))
        .file("bin/ssh-deploy", tells)
        .file("bin/pulumi", prints);
    let bin = step.folder().join("bin");
    for program in ["ssh-deploy", "pulumi"] {
        fs::set_permissions(bin.join(program), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let ours = crate::support::program_path("stack-output").parent().unwrap();
    fs::hard_link(ours.join("stack-output"), bin.join("stack-output"))
        .or_else(|_| fs::copy(ours.join("stack-output"), bin.join("stack-output")).map(|_| ()))
        .unwrap();
    step.env("PATH", format!("{}:/usr/bin:/bin", bin.display())).env("PULUMI_STACK", "prod")
}

/// What `ssh-deploy` is given of the servers.
const PIPED: &str = r#"ssh-deploy --user deploy -- ./deploy.sh: [
  {
    "ip": "203.0.113.7",
    "name": "a"
  },
  {
    "ip": "10.0.0.2"
  }
]
"#;

fn fence(language: &str) -> &'static str {
    let (_, rest) = PAGE.split_once(&format!("```{language}\n")).unwrap();
    rest.split_once("\n```").unwrap().0
}

#[test]
fn every_line_for_a_shell_prints_what_the_page_promises() {
    let expected = [
        ("", "203.0.113.7\n"),
        ("", PIPED),
        ("", "203.0.113.7\ndb.internal\n"),
        ("", "region fsn1\nregion nbg1\n"),
        ("", "1\n"),
        ("; echo \"$django_server_ip $regions\"", "203.0.113.7 [\"fsn1\",\"nbg1\"]\n"),
        ("", "db.internal\n"),
        ("", "printed\n"),
    ];
    let lines: Vec<&str> = fence("sh").lines().map(|line| line.split("  #").next().unwrap().trim()).collect();
    assert_eq!(lines.len(), expected.len(), "{lines:?}");
    for (line, (after, stdout)) in lines.into_iter().zip(expected) {
        assert_eq!(shell(&format!("{line}{after}")).run().exits(0).stdout, stdout, "{line}");
    }
}

#[test]
fn the_workflow_makes_a_matrix_of_a_list() {
    let documents = Yaml::load_from_str(fence("yaml")).unwrap();
    let jobs = documents[0].as_mapping_get("jobs").unwrap();
    let step = |job: &str| {
        let steps = jobs.as_mapping_get(job).unwrap().as_mapping_get("steps").unwrap();
        let mut steps = steps.as_sequence().unwrap().iter();
        steps.find_map(|step| step.as_mapping_get("run")).unwrap().as_str().unwrap().to_owned()
    };
    let seen = shell(&step("infra")).without("PULUMI_STACK").run().exits(0);
    assert_eq!(seen.outputs["db_host"], "db.internal");
    let servers: Value = serde_json::from_str(&seen.outputs["servers"]).unwrap();
    let server = servers[0]["ip"].as_str().unwrap();
    let seen = shell(&step("deploy")).env("SERVER", server).run().exits(0);
    assert_eq!(seen.stdout, "ssh-deploy deploy@203.0.113.7 -- ./deploy.sh: ");
}

#[test]
fn the_recipe_of_the_justfile_deploys_the_stack_it_names() {
    let recipe = fence("just").lines().nth(1).unwrap().trim().replace("{{ENV}}", "dev");
    let seen = shell(&recipe).without("PULUMI_STACK").run().exits(0);
    assert_eq!(seen.stdout, "ssh-deploy --user deploy -- cd /opt/consult && ./deploy.sh: 198.51.100.1\n");
}

#[test]
fn the_examples_of_the_help_run() {
    let help = Step::new("stack-output").args(["--help"]).run().exits(0).stdout;
    let examples: Vec<&str> = help.split("Examples:\n").nth(1).unwrap().lines().map(str::trim).collect();
    let expected = ["203.0.113.7\n", "203.0.113.7\ndb.internal\n", PIPED, "printed\n"];
    assert_eq!(examples.len(), expected.len(), "{examples:?}");
    for (example, stdout) in examples.into_iter().zip(expected) {
        assert_eq!(shell(example).run().exits(0).stdout, stdout, "{example}");
    }
}
