//! The reusable workflow, called in ten lines.

use std::fs;

use super::play::{Play, Played};

const CALL: &str = "on: [push, pull_request, pull_request_target, workflow_run]
permissions:
  contents: read
jobs:
  deploy:
    uses: consult/deploy-action/.github/workflows/deploy.yml@v1
    with:
      environment: dev
      validate: ./validate.sh
      provision: secrets-env -- ./provision.sh
      prepare: ./prepare.sh
      sites: sites
      stack: dev
      hosts-output: django_server_ip
      known-hosts: infra/known_hosts
      deploy-command: cd $DIR && sh deploy.sh
      checks: |
        file=test -e $DIR/deploy.sh
        root=test -d /
    secrets:
      DOPPLER_TOKEN: ${{ secrets.DOPPLER_TOKEN }}
";

/// The example repository with that call; the server deploys in a folder of the test.
fn start(change: impl Fn(&str) -> String) -> Option<(Play, tempfile::TempDir)> {
    let server = tempfile::tempdir().unwrap();
    let play = Play::start(&change(&CALL.replace("$DIR", server.path().to_str().unwrap())))?;
    play.file("validate.sh", "#!/bin/sh\ncat preflight/passing.json\n");
    play.file("prepare.sh", "#!/bin/sh\necho \"prepared without ${DOPPLER_TOKEN:-a token}\"\n");
    play.file("infra/provision.sh", "#!/bin/sh\necho \"provisioned, database of ${#DATABASE_URL} characters\"\n");
    fs::write(server.path().join("deploy.sh"), "echo deployed; echo 1 >release\n").unwrap();
    Some((play, server))
}

fn as_printed(text: &str) -> String {
    text.to_owned()
}

/// Nothing was changed: no site is live, and no command ran on the server.
fn nothing_changed(play: &Play, server: &tempfile::TempDir) {
    assert_eq!(play.site("consult-hauler"), None);
    assert!(!server.path().join("release").exists());
}

fn has_started(played: &Played, job: &str) -> bool {
    played.log.lines().any(|line| line.starts_with(&format!("[deploy/{job}")) || line.contains(&format!("/{job} ")))
}

#[test]
fn ten_lines_validate_provision_and_deploy_and_the_records_arrive_in_the_summary() {
    let Some((play, server)) = start(as_printed) else { return };
    let played = play.run("push").succeeds();
    let played = played.shows("prepared without a token").shows("provisioned, database of");
    assert!(play.site("consult-hauler").is_some() && play.site("consult-coffee-shop").is_some());
    assert!(server.path().join("release").exists());
    let summary = played.summary("✅ Deployment to dev passed");
    for part in ["ruff check", "CLOUDFLARE", "hauler", "127.0.0.1", "provision · servers · sites · start · validate"]
    {
        assert!(summary.contains(part), "{part} is missing in {summary}");
    }
    let mut artifacts: Vec<String> =
        fs::read_dir(play.store()).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    artifacts.sort();
    let expected = ["provision", "servers", "sites", "validate"].map(|job| format!("deploy-dev-{job}-1-1"));
    assert_eq!(artifacts, expected);
}

#[test]
fn a_failed_validation_changes_nothing_and_the_summary_names_the_check() {
    let Some((play, server)) = start(as_printed) else { return };
    play.file("validate.sh", "#!/bin/sh\ncat preflight/failing.json\n");
    let played = play.run("push").fails();
    nothing_changed(&play, &server);
    let summary = played.summary("❌ Deployment to dev failed");
    assert!(summary.contains("src/index.ts") && summary.contains("provision"), "{summary}");
    assert!(!played.called("preflight-report --title Provision"));
}

#[test]
fn what_a_later_job_would_stumble_on_is_found_before_anything_is_changed() {
    let Some((play, server)) = start(as_printed) else { return };
    play.file("sites/hauler/wrangler.toml", "name = \"consult-hauler\"\npages_build_output_dir = \"nowhere\"\n");
    play.file("infra/known_hosts", "");
    let played = play.run("push").fails();
    nothing_changed(&play, &server);
    assert!(!played.called("preflight-report --title Provision"));
    let summary = played.summary("❌ Deployment to dev failed");
    assert!(summary.contains("nowhere") && summary.contains("host key"), "{summary}");
}

#[test]
fn a_failed_provision_deploys_nothing() {
    let Some((play, server)) = start(as_printed) else { return };
    play.file("infra/provision.sh", "#!/bin/sh\necho 'quota exceeded' >&2\nexit 5\n");
    let played = play.run("push").fails().shows("quota exceeded");
    nothing_changed(&play, &server);
    let summary = played.summary("❌ Deployment to dev failed");
    assert!(summary.contains("Provision") && summary.contains("exit code 5"), "{summary}");
}

#[test]
fn a_failed_site_and_a_failed_server_are_each_named_and_do_not_stop_each_other() {
    let Some((play, server)) = start(as_printed) else { return };
    fs::write(server.path().join("deploy.sh"), "echo no room >&2\nexit 9\n").unwrap();
    let played = play.run("push").fails();
    assert!(play.site("consult-hauler").is_some());
    let summary = played.summary("❌ Deployment to dev failed");
    assert!(summary.contains("127.0.0.1") && summary.contains("exit code 9"), "{summary}");

    fs::write(server.path().join("deploy.sh"), "echo 1 >release\n").unwrap();
    // The dry run passes: the build fails only when it is to be deployed.
    let build = "#!/bin/sh\nif [ -e built-once ]; then echo 'out of luck'; exit 3; fi\n";
    play.file("sites/coffee-shop/build.sh", build);
    fs::remove_dir_all(play.store()).unwrap();
    fs::create_dir(play.store()).unwrap();
    play.file("prepare.sh", "#!/bin/sh\n[ \"$GITHUB_JOB\" != sites ] || touch sites/coffee-shop/built-once\nmkdir -p sites/coffee-shop/dist\necho x >sites/coffee-shop/dist/index.html\n");
    let played = play.run("push").fails();
    assert!(server.path().join("release").exists());
    let summary = played.summary("❌ Deployment to dev failed");
    assert!(summary.contains("coffee-shop") && summary.contains("exit code 3"), "{summary}");
}

#[test]
fn events_that_run_foreign_code_are_refused_before_a_secret_is_read() {
    let Some((mut play, server)) = start(as_printed) else { return };
    let event = play.repository().join("../event.json");
    play.option("--eventpath", event.to_str().unwrap());
    for (name, payload, reason) in [
        ("pull_request_target", "{}", "does not run on pull_request_target"),
        ("workflow_run", "{}", "does not run on workflow_run"),
        (
            "pull_request",
            r#"{"pull_request": {"number": 1, "head": {"repo": {"full_name": "mallory/shop"}}}}"#,
            "does not run on a pull request from another repository",
        ),
    ] {
        fs::write(&event, payload).unwrap();
        let played = play.run(name).fails().shows(reason);
        assert!(!has_started(&played, "Validate"), "{}", played.log);
        nothing_changed(&play, &server);
    }
}

#[test]
fn without_any_credential_the_first_job_names_the_three_ways() {
    let Some((play, server)) = start(as_printed) else { return };
    let played = play.run_with("push", &[]).fails();
    played.shows("pass the secret DOPPLER_TOKEN, add it to the environment, or give the input `identity`");
    nothing_changed(&play, &server);
}

#[test]
fn inputs_that_contradict_each_other_are_refused_at_the_start() {
    for (change, reason) in [
        (("      hosts-output: django_server_ip\n", ""), "`deploy-command` needs `hosts-output`"),
        (("      environment: dev\n", "      environment: dev\n      setup: perl\n"), "neither python, node nor none"),
    ] {
        let Some((play, _server)) = start(|text| text.replace(change.0, change.1)) else { return };
        let played = play.run("push").fails().shows(reason);
        assert!(!has_started(&played, "Validate"), "{}", played.log);
    }
}

#[test]
fn what_the_inputs_leave_out_may_be_skipped_and_the_last_attempt_counts() {
    let only = |text: &str| {
        let lines = text.split_inclusive('\n');
        let left = ["hosts-output", "known-hosts", "deploy-command", "checks", "file=", "root="];
        let kept = lines.filter(|line| !left.iter().any(|name| line.trim().starts_with(name)));
        kept.collect::<String>().replace("environment: dev", "environment: dev/eu\n      skip-provision: true")
    };
    let Some((play, _server)) = start(only) else { return };
    // An earlier attempt failed; an artifact of another environment and of no attempt is none of ours.
    let record = |name: &str, check: &str, status: &str| {
        let folder = play.store().join(name);
        fs::create_dir_all(&folder).unwrap();
        let line = |event: &str| format!("{{\"v\":1,\"run\":\"{check}\",\"event\":{event}}}\n");
        let text = line(&format!("\"run_started\",\"plan\":[\"{check}\"]"))
            + &line(&format!("\"check_finished\",\"check\":\"{check}\",\"status\":\"{status}\""))
            + &line("\"run_finished\",\"result\":\"passed\"");
        fs::write(folder.join("records.jsonl"), text).unwrap();
    };
    let ours = format!("deploy-dev_eu-{}", checksum("dev/eu"));
    record(&format!("{ours}-sites-1-0"), "earlier/attempt", "failed");
    record(&format!("{ours}-sites-2-9"), "another/shard", "passed");
    record(&format!("{ours}-sites-2-10"), "tenth/attempt", "passed");
    record(&format!("{ours}-sites-sites-1-1"), "other/environment", "failed");
    let played = play.run("push").succeeds();
    let summary = played.summary("✅ Deployment to dev/eu passed");
    assert!(summary.contains("Tenth") && summary.contains("hauler"), "{summary}");
    for foreign in ["Earlier", "Another", "Other"] {
        assert!(!summary.contains(foreign), "{summary}");
    }
}

/// What `cksum` prints for a text.
fn checksum(text: &str) -> String {
    let output = std::process::Command::new("sh").args(["-c", "printf %s \"$0\" | cksum", text]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().split(' ').next().unwrap().to_owned()
}
