//! `workflow_dispatch` starts `stage-run`, whole or one stage, as the workflow of examples/ has it.

use super::play::Play;

const WORKFLOW: &str = include_str!("../../../examples/.github/workflows/stages.yml");

/// The example with programs that say what they are asked for.
fn start() -> Option<Play> {
    let play = Play::start(WORKFLOW)?;
    let state = r#"{"version": 4, "outputs": {"hosts": {"value": ["127.0.0.1"], "type": ["list", "string"]}}}"#;
    play.program("terraform", &format!("#!/bin/sh\necho \"terraform $*\"\necho '{state}' >terraform.tfstate\n"));
    play.program("ansible-playbook", "#!/bin/sh\necho \"ansible-playbook $*\"\n");
    Some(play)
}

#[test]
fn one_stage_is_started_by_its_name() {
    let Some(mut play) = start() else { return };
    play.option("--input", "stage=infra");
    play.option("--input", "target=lab");
    let played = play.run("workflow_dispatch").succeeds();
    assert!(played.called("stage-run infra"), "{:?}", played.calls);
    let played = played.shows("terraform apply -auto-approve -input=false -var target=lab");
    assert!(!played.log.contains("ansible-playbook -i"), "{}", played.log);
    let journals = std::fs::read_dir(play.store().join("stages")).unwrap().count();
    assert!(journals > 0, "the journal is kept as an artifact");
}

#[test]
fn without_a_stage_all_are_run_and_a_failure_is_the_jobs() {
    let Some(mut play) = start() else { return };
    play.option("--input", "target=prod");
    play.program("ansible-playbook", "#!/bin/sh\nexit 4\n");
    let played = play.run("workflow_dispatch").fails();
    assert!(played.calls.iter().any(|call| call.trim() == "stage-run"), "{:?}", played.calls);
    played.shows("target=prod").shows("exit code 4").shows("stage-run --resume");
}
