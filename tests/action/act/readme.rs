//! The README's first workflow, exactly as printed there, and `uses: ./`.

use std::fs;

use super::play::Play;
use crate::support::has_private_opt;

/// The first workflow of the README.
fn workflow() -> &'static str {
    include_str!("../../../README.md").split("```yaml\n").nth(1).unwrap().split("```").next().unwrap()
}

/// The workflow as printed, with a validation that passes and a `pulumi` that has nothing to do.
fn start() -> Option<Play> {
    let play = Play::start(workflow())?;
    play.file("validate.sh", "#!/bin/sh\ncat preflight/passing.json\n");
    play.program("pulumi", "#!/bin/sh\necho \"pulumi $* in ${PWD##*/} for ${PULUMI_STACK}\"\n");
    fs::copy(play.repository().join("deploy.sh"), "/opt/consult/deploy.sh").unwrap();
    // The stack that it names; the example's is called dev.
    let stacks = play.repository().join("infra/state/.pulumi/stacks/consult-infra");
    let state = fs::read_to_string(stacks.join("dev.json")).unwrap();
    play.file("infra/state/.pulumi/stacks/consult-infra/prd.json", &state.replace("::dev::", "::prd::"));
    fs::copy(play.repository().join("infra/Pulumi.dev.yaml"), play.repository().join("infra/Pulumi.prd.yaml")).unwrap();
    Some(play)
}

#[test]
fn the_first_workflow_of_the_readme_deploys_as_printed() {
    if !has_private_opt("action::act::readme::the_first_workflow_of_the_readme_deploys_as_printed") {
        return;
    }
    let Some(play) = start() else { return };
    let played = play.run("push").succeeds();
    let played = played.shows("pulumi up --yes in infra for prd").shows("release 1 is in service");
    for tool in ["preflight-report", "secrets-env", "pages-deploy-all", "stack-output", "ssh-deploy"] {
        assert!(played.called(tool), "{tool} came from the action");
    }
    assert!(play.site("consult-hauler").is_some_and(|page| page.contains("We move it")));
    assert_eq!(fs::read_to_string("/opt/consult/release").unwrap(), "1\n");
}

#[test]
fn the_first_workflow_of_the_readme_stops_at_the_stage_that_fails() {
    if !has_private_opt("action::act::readme::the_first_workflow_of_the_readme_stops_at_the_stage_that_fails") {
        return;
    }
    let Some(play) = start() else { return };
    let is_released = || fs::exists("/opt/consult/release").unwrap();

    fs::write("/opt/consult/deploy.sh", "#!/bin/sh\nexit 7\n").unwrap();
    let played = play.run("push").fails().shows("exit code 7");
    assert!(played.called("ssh-deploy") && !is_released());

    play.file("sites/hauler/wrangler.toml", "name = \"consult-hauler\"\npages_build_output_dir = \"nowhere\"\n");
    let played = play.run("push").fails();
    assert!(played.called("pages-deploy-all") && !played.called("ssh-deploy"));

    play.program("pulumi", "#!/bin/sh\nexit 255\n");
    let played = play.run("push").fails();
    assert!(played.called("secrets-env") && !played.called("pages-deploy-all"));

    play.file("validate.sh", "#!/bin/sh\ncat preflight/failing.json\n");
    let played = play.run("push").fails().shows("src/index.ts");
    assert!(played.called("preflight-report") && !played.called("secrets-env"));
}

#[test]
fn the_action_of_this_checkout_installs_ready_programs_and_declares_its_outputs() {
    let Some(mut play) = Play::start(
        "on: push
jobs:
  install:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v6
      - id: tools
        uses: ./
        with:
          bin-dir: ready
          doppler-config: dev
          working-directory: sites
          run: |
            secrets-env --version
            test \"$DOPPLER_CONFIG\" = dev
            echo \"result=$(basename \"$PWD\") $(printf %s 'it'\\''s \"$(here)\" ::add-mask::e')\" >>\"$GITHUB_OUTPUT\"
      - env:
          VERSION: ${{ steps.tools.outputs.version }}
          BIN: ${{ steps.tools.outputs.bin-dir }}
          RESULT: ${{ steps.tools.outputs.result }}
        run: |
          echo \"version [$VERSION] result [$RESULT] config [$DOPPLER_CONFIG]\"
          test \"$(command -v ssh-deploy)\" = \"$BIN/ssh-deploy\"
",
    ) else {
        return;
    };
    for name in ["action.yml", "Cargo.toml"] {
        let text = fs::read_to_string(format!("{}/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        play.file(name, &text);
    }
    for name in ["install.sh", "run.sh", "install.ps1"] {
        let text = fs::read_to_string(format!("{}/action/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        play.file(&format!("action/{name}"), &text);
    }
    for tool in super::super::tools() {
        play.file(&format!("ready/{tool}"), &format!("#!/bin/sh\necho '{tool} 1.2.3'\n"));
    }
    // The runner's own option for what is in the repository.
    play.option("--defaultbranch", "main");
    play.run("push").succeeds().shows("version [1.2.3] result [sites it's \"$(here)\" ::add-mask::e] config []");
}
