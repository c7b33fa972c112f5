//! The programs in pipes with each other, as a workflow's `run:` or a recipe joins them.

use emulators::Sshd;

use crate::support::Step;

/// A script that may log in to the server, with its address in `HOST` and its key in `HOST_KEY`.
fn script(sshd: &Sshd, text: &str) -> Step {
    let host = format!("{}@127.0.0.1:{}", sshd.user(), sshd.port());
    Step::script(text).ssh_key(sshd).env("HOST", host).env("HOST_KEY", sshd.host_key())
}

#[test]
fn a_printed_address_with_its_key_is_a_deploy() {
    let Some(sshd) = Sshd::start() else { return };
    let seen = script(&sshd, r#"printf '%s %s\n' "$HOST" "$HOST_KEY" | ssh-deploy -- 'echo deployed'"#).run().exits(0);
    assert!(seen.stderr.contains("│ deployed\n"), "{}", seen.stderr);
}

#[test]
fn an_empty_output_is_no_green_deploy() {
    let seen = Step::script("printf '' | ssh-deploy -- true").run().exits(2);
    assert!(seen.log.contains("the list of hosts is empty"), "{}", seen.log);
}

#[test]
fn a_producer_that_fails_midway_fails_the_step() {
    let Some(sshd) = Sshd::start() else { return };
    script(&sshd, r#"{ echo "$HOST $HOST_KEY"; exit 9; } | ssh-deploy -- true"#).run().exits(9);
}

#[test]
fn records_of_a_deploy_become_a_report() {
    let Some(sshd) = Sshd::start() else { return };
    let seen =
        script(&sshd, r#"ssh-deploy "$HOST $HOST_KEY" --format jsonl -- 'exit 3' | preflight-report"#).run().exits(1);
    assert!(seen.stdout.contains("the command failed with exit code 3"), "{}", seen.stdout);
}

#[test]
fn a_reader_that_leaves_early_changes_neither_the_deploy_nor_its_code() {
    let Some(sshd) = Sshd::start() else { return };
    let text = r#"set +o pipefail; ssh-deploy "$HOST $HOST_KEY" --format jsonl -- 'echo whole; exit 3' | true; exit ${PIPESTATUS[0]}"#;
    let seen = script(&sshd, text).run().exits(1);
    assert!(seen.stderr.contains("│ whole\n"), "{}", seen.stderr);
}

#[test]
fn secrets_env_hands_the_key_to_ssh_deploy() {
    let Some(sshd) = Sshd::start() else { return };
    let doppler = emulators::Doppler::start();
    doppler.set("dev", "SSH_PRIVATE_KEY", &sshd.user_key());
    let text = r#"secrets-env -c dev --only SSH_PRIVATE_KEY -- ssh-deploy "$HOST $HOST_KEY" -- 'echo deployed'"#;
    let step = script(&sshd, text).without("SSH_PRIVATE_KEY").doppler(&doppler);
    let seen = step.run().exits(0);
    assert!(seen.stderr.contains("│ deployed\n"), "{}", seen.stderr);
}

/// A local Terraform state with one output.
fn state(value: &serde_json::Value) -> String {
    let outputs = serde_json::json!({ "servers": { "value": value, "type": "dynamic" } });
    serde_json::json!({ "version": 4, "terraform_version": "1.9.8", "serial": 1, "lineage": "x", "outputs": outputs, "resources": [] })
        .to_string()
}

#[test]
fn a_stacks_servers_and_their_host_keys_are_deployed_to() {
    let Some(sshd) = Sshd::start() else { return };
    let server = serde_json::json!({ "host": "127.0.0.1", "port": sshd.port(), "user": sshd.user(), "host_key": sshd.host_key(), "name": "web1" });
    for value in [serde_json::json!([server]), serde_json::json!({ "web1": server }), server.clone()] {
        let text = "stack-output servers --state infra.tfstate --format json | ssh-deploy -- 'echo deployed'";
        let seen = script(&sshd, text).file("infra.tfstate", state(&value)).run().exits(0);
        assert!(seen.stderr.contains("web1 │ deployed\n"), "{}", seen.stderr);
    }
}

#[test]
fn a_stacks_address_alone_is_a_host() {
    let Some(sshd) = Sshd::start() else { return };
    let text = "stack-output servers --state infra.tfstate | ssh-deploy --user \"${HOST%@*}\" -- 'echo deployed'";
    let address = serde_json::json!(format!("127.0.0.1:{}", sshd.port()));
    let step =
        script(&sshd, text).file("infra.tfstate", state(&address)).env("SSH_KNOWN_HOSTS", sshd.known_hosts_line());
    assert!(step.run().exits(0).stderr.contains("│ deployed\n"));
}

#[test]
fn an_output_that_does_not_exist_deploys_nowhere() {
    let Some(sshd) = Sshd::start() else { return };
    let text = "stack-output serverz --state infra.tfstate | ssh-deploy -- true";
    let seen = script(&sshd, text).file("infra.tfstate", state(&serde_json::json!(["x"]))).run();
    assert_ne!(seen.code, 0);
    assert_eq!(sshd.connections(), 0, "{}", seen.log);
}
