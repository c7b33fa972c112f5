//! `--notify`: a message about the verdict, by the crate that stage-run uses.

use crate::stage_run::notices::server;
use crate::support::Step;

const FAILING: &str = r#"<testsuites><testsuite name="s" tests="2"><testcase name="ok"/><testcase name="secret-name"><failure message="secret output"/></testcase></testsuite></testsuites>"#;
const PASSING: &str = r#"<testsuites><testsuite name="s" tests="1"><testcase name="ok"/></testsuite></testsuites>"#;

#[test]
fn a_failure_is_told_with_counts_and_without_findings_and_a_pass_only_if_asked_for() {
    let (address, received) = server("200 OK");
    let run = |report: &str, options: &[&str]| {
        let step = Step::new("preflight-report").file("unit.xml", report).arg("unit.xml").args(options.to_vec());
        step.args(["--title", "Checks @everyone", "--notify", "discord=DISCORD_WEBHOOK", "--notify", "json=EVENTS"])
            .env("GITHUB_SHA", "8f4e2a91c0de8f4e2a91c0de8f4e2a91c0de8f4e")
            .workflow_secret("DISCORD_WEBHOOK", &format!("{address}/api/webhooks/1/discord-token-1"))
            .workflow_secret("EVENTS", &format!("{address}/events/json-token-1"))
            .run()
    };
    run(FAILING, &[]).exits(1);
    let sent: Vec<_> = received.try_iter().collect();
    let of = |path: &str| sent.iter().find(|(sent, _)| sent == path).map(|(_, body)| body.clone()).unwrap();
    let discord = of("/api/webhooks/1/discord-token-1");
    assert_eq!(discord["allowed_mentions"], serde_json::json!({ "parse": [] }));
    let event = of("/events/json-token-1");
    assert_eq!((&event["result"], &event["detail"]), (&"failed".into(), &"1 failed of 1 check".into()), "{event}");
    assert_eq!(event["commit"], "8f4e2a91c0de8f4e2a91c0de8f4e2a91c0de8f4e");
    let all = serde_json::to_string(&sent.iter().map(|(_, body)| body).collect::<Vec<_>>()).unwrap();
    assert!(!all.contains("secret"), "{all}");
    run(PASSING, &[]).exits(0);
    assert_eq!(received.try_iter().count(), 0);
    run(PASSING, &["--notify-on", "passed,failed"]).exits(0);
    assert!(received.try_iter().all(|(_, body)| body["result"] != "failed"));
}

#[test]
fn a_message_that_cannot_be_sent_is_a_warning_and_an_address_on_the_command_line_is_refused() {
    let report = |value: &str| {
        Step::new("preflight-report").plain().file("unit.xml", PASSING).args(["unit.xml", "--notify", value])
    };
    let seen = report("slack=NO_SUCH_HOOK").args(["--notify-on", "passed"]).run().exits(0);
    assert!(seen.stderr.contains("`NO_SUCH_HOOK` is set neither here nor in Doppler"), "{}", seen.stderr);
    let address = "slack=https://hooks.slack.com/services/T/B/hidden";
    let seen = report(address).run().exits(2);
    assert!(seen.stderr.contains("never the address"), "{}", seen.stderr);
    report("teams=HOOK").run().exits(2);
}
