//! The workflow of examples/, exactly as it is there.

use std::fs;

use super::play::Play;
use crate::support::{has_private_opt, peer};

/// The example with a `dagger`, a `pulumi` and an `npx`: the last starts the real wrangler.
fn start() -> Option<Play> {
    let wrangler = peer("wrangler")?;
    let play = Play::start(include_str!("../../../examples/.github/workflows/deploy.yml"))?;
    play.program("dagger", "#!/bin/sh\necho \"dagger $*\" >&2\ncat preflight/passing.json\n");
    play.program("pulumi", "#!/bin/sh\necho \"pulumi $* with ${#PULUMI_CONFIG_PASSPHRASE} characters\"\n");
    let folder = wrangler.parent().unwrap().display();
    let npx = format!(
        "#!/bin/sh\n[ \"$1 $2\" = '--yes wrangler@4' ] || exit 99\nshift 2\nPATH={folder}:$PATH\n\
         export PATH WRANGLER_SEND_METRICS=false WRANGLER_WRITE_LOGS=false\nexec wrangler \"$@\"\n"
    );
    play.program("npx", &npx);
    fs::copy(play.repository().join("deploy.sh"), "/opt/consult/deploy.sh").unwrap();
    Some(play)
}

#[test]
fn the_workflow_of_the_example_deploys_as_it_is() {
    if !has_private_opt("action::act::example::the_workflow_of_the_example_deploys_as_it_is") {
        return;
    }
    let Some(play) = start() else { return };
    let played = play.run("push").succeeds().shows("dagger call pre-deploy --source=. --json-output");
    let played = played.shows("pulumi up --stack dev --yes with 28 characters").shows("Uploaded acme-api");
    assert!(played.called("secrets-env --only CLOUDFLARE_API_TOKEN,CLOUDFLARE_ACCOUNT_ID -- npx"));
    assert!(play.site("consult-coffee-shop").is_some());
    assert!(played.called("live-wait http http://"), "{:?}", played.calls);
    played.shows("live after");
    assert_eq!(fs::read_to_string("/opt/consult/release").unwrap(), "1\n");
}

#[test]
fn the_workflow_of_the_example_rolls_back_and_leaves_the_worker_when_the_server_fails() {
    const NAME: &str =
        "action::act::example::the_workflow_of_the_example_rolls_back_and_leaves_the_worker_when_the_server_fails";
    if !has_private_opt(NAME) {
        return;
    }
    let Some(play) = start() else { return };
    fs::write("/opt/consult/release.previous", "the good one\n").unwrap();
    fs::write("/opt/consult/deploy.sh", "#!/bin/sh\necho broken >release\nexit 4\n").unwrap();
    let played = play.run("push").fails();
    assert_eq!(fs::read_to_string("/opt/consult/release").unwrap(), "the good one\n");
    assert!(!played.called("secrets-env --only API_KEY"));
    let summary = played.summary("❌ Servers failed");
    assert!(summary.contains("exit code 4"), "{summary}");
}

#[test]
fn the_workflow_of_the_example_ends_at_a_failed_validation_or_provision() {
    const NAME: &str = "action::act::example::the_workflow_of_the_example_ends_at_a_failed_validation_or_provision";
    if !has_private_opt(NAME) {
        return;
    }
    let Some(play) = start() else { return };
    play.program("pulumi", "#!/bin/sh\nexit 255\n");
    let played = play.run("push").fails();
    assert!(played.called("secrets-env -- pulumi") && !played.called("pages-deploy-all"));
    // It prints that all is well, and fails: what the deploy that we replace did not see.
    play.program("dagger", "#!/bin/sh\ncat preflight/passing.json\nexit 1\n");
    let played = play.run("push").fails();
    assert!(!played.called("secrets-env -- pulumi"));
}
