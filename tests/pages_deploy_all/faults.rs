//! What goes wrong at the service, and that exit code and report are right in all of it.

use std::time::Duration;

use emulators::Cloudflare;
use emulators::cloudflare::Progress;
use emulators::http::Fault;
use serde_json::json;

use super::interruption::until;
use super::{posts, step};

/// Every call of a cold deployment.
const CALLS: [&str; 7] = [
    "GET */projects/docs",
    "GET */projects/docs/upload-token",
    "POST */assets/check-missing",
    "POST */assets/upload",
    "POST */assets/upsert-hashes",
    "POST */projects/docs/deployments",
    "GET */projects/docs/deployments/*",
];

fn refused(status: u16, code: u64, message: &str) -> Fault {
    let errors = json!([{"code": code, "message": message}]);
    Fault::json(status, &json!({"success": false, "errors": errors, "messages": [], "result": null}))
}

#[test]
fn a_429_on_any_call_is_waited_for_and_nothing_happens_twice() {
    let cloudflare = Cloudflare::start();
    for call in CALLS {
        cloudflare.fail(call, refused(429, 971, "Please wait").header("retry-after", "0").times(1));
    }
    step(&cloudflare).args(["--only", "docs"]).run().exits(0);
    assert_eq!(cloudflare.deployments("docs").len(), 1);
}

#[test]
fn a_429_that_names_no_time_is_waited_for_too() {
    let cloudflare = Cloudflare::start();
    cloudflare.fail(CALLS[1], refused(429, 10_000, "Rate limited. Please wait").times(1));
    step(&cloudflare).args(["--only", "docs"]).run().exits(0);
}

#[test]
fn a_limit_past_the_deadline_exits_75_at_once_and_says_so() {
    let cloudflare = Cloudflare::start();
    cloudflare.limit(3, 3600);
    let mut step = step(&cloudflare);
    for site in 0..30 {
        cloudflare.project(&format!("s{site}"));
        step = step.file(&format!("sites/s{site}/dist/index.html"), "x");
    }
    // More sites than requests at once: those that wait for their turn must not wait an hour.
    let seen = step.args(["--timeout", "60"]).run().exits(75);
    assert!(seen.messages("error")[0].contains("wants 3600 s without requests"), "{:?}", seen.annotations);
    assert_eq!(cloudflare.deployments("docs").len() + cloudflare.deployments("shop").len(), 0);
}

#[test]
fn a_gateways_error_on_any_call_but_the_deployment_is_asked_again() {
    for status in [502, 503] {
        let cloudflare = Cloudflare::start();
        for call in CALLS {
            cloudflare.fail(call, Fault::status(status).times(1));
        }
        step(&cloudflare).args(["--only", "docs"]).run().exits(0);
        assert_eq!(cloudflare.deployments("docs").len(), 1, "{status}");
    }
}

#[test]
fn a_deployment_whose_answer_is_lost_is_found_and_not_made_twice() {
    for fault in [Fault::reset(), Fault::status(502)] {
        let cloudflare = Cloudflare::start();
        cloudflare.fail("POST */projects/docs/deployments", fault.carried_out().times(1));
        let seen = step(&cloudflare).args(["--only", "docs"]).run().exits(0);
        assert_eq!(cloudflare.deployments("docs").len(), 1);
        assert!(seen.stdout.contains(cloudflare.deployments("docs")[0].short_id()), "{}", seen.stdout);
    }
}

#[test]
fn an_earlier_deployment_of_the_same_commit_is_not_taken_for_ours() {
    let cloudflare = Cloudflare::start();
    step(&cloudflare).args(["--only", "docs"]).run().exits(0);
    cloudflare.fail("POST */projects/docs/deployments", Fault::reset().times(1));
    step(&cloudflare).args(["--only", "docs"]).run().exits(0);
    assert_eq!(cloudflare.deployments("docs").len(), 2);
}

#[test]
fn a_lost_deployment_that_cannot_be_looked_for_is_not_posted_again() {
    let cloudflare = Cloudflare::start();
    cloudflare.fail("POST */projects/docs/deployments", Fault::reset().carried_out());
    cloudflare.fail("GET */projects/docs/deployments", Fault::status(503));
    let seen = step(&cloudflare).args(["--only", "docs", "--timeout", "5"]).run().exits(75);
    assert!(seen.messages("error")[0].contains("it is unknown whether `docs` was deployed"), "{:?}", seen.annotations);
    assert_eq!(cloudflare.deployments("docs").len(), 1);
}

#[test]
fn an_expired_upload_token_is_renewed_whatever_the_refusal_looks_like() {
    let bare = || Fault::status(403).body("text/plain", "Expired JWT");
    for fault in [refused(403, 8_000_013, "Authorization failed"), bare(), Fault::status(401)] {
        let cloudflare = Cloudflare::start();
        cloudflare.fail("POST */assets/upload", fault.times(1));
        step(&cloudflare).args(["--only", "docs"]).run().exits(0);
        assert_eq!(tokens(&cloudflare), 2);
    }
}

#[test]
fn uploads_whose_token_has_expired_share_one_new_token() {
    let cloudflare = Cloudflare::start();
    cloudflare.fail("POST */assets/check-missing", Fault::none().delayed(Duration::from_millis(500)).times(1));
    let large = |fill: u8| vec![fill; 5_000_000];
    let started = step(&cloudflare)
        .file("sites/docs/dist/a.bin", large(1))
        .file("sites/docs/dist/b.bin", large(2))
        .file("sites/docs/dist/c.bin", large(3))
        .args(["--only", "docs"])
        .spawn();
    until(|| posts(&cloudflare, "*/assets/check-missing") == 1);
    cloudflare.expire_upload_tokens();
    started.finish().exits(0);
    assert_eq!(tokens(&cloudflare), 2);
}

fn tokens(cloudflare: &Cloudflare) -> usize {
    cloudflare.requests().iter().filter(|request| request.matches("GET */upload-token")).count()
}

#[test]
fn a_token_that_is_refused_fresh_from_the_service_ends_the_run() {
    let cloudflare = Cloudflare::start();
    cloudflare.fail("POST */assets/check-missing", refused(403, 8_000_013, "Authorization failed"));
    step(&cloudflare).args(["--only", "docs"]).run().exits(77);
    assert_eq!(posts(&cloudflare, "*/deployments"), 0);
}

#[test]
fn a_connection_that_breaks_during_an_upload_is_tried_again() {
    for fault in [Fault::reset(), Fault::none().cut_mid_body()] {
        let cloudflare = Cloudflare::start();
        cloudflare.fail("POST */assets/upload", fault.times(1));
        step(&cloudflare).run().exits(0);
    }
}

#[test]
fn a_deployment_that_never_ends_exits_3_and_names_its_stage() {
    let cloudflare = Cloudflare::start();
    cloudflare.deployments_will(Progress::Hang);
    let seen = step(&cloudflare).args(["--timeout", "5"]).run().exits(3);
    assert!(seen.messages("error")[0].contains("it stands at stage"), "{:?}", seen.annotations);
}

#[test]
fn a_success_that_answers_500_is_none() {
    let cloudflare = Cloudflare::start();
    cloudflare.deployments_will(Progress::SucceedBroken);
    let seen = step(&cloudflare).args(["--timeout", "5"]).run().exits(1);
    assert!(seen.messages("error")[0].contains("does not answer as a deployed site does"), "{:?}", seen.annotations);
    assert!(seen.summary.contains("2 of 2 checks failed"), "{}", seen.summary);
}

#[test]
fn an_upload_that_is_refused_does_not_end_in_success() {
    // wrangler's exit code is 8000000 modulo 256, which is 0.
    let cloudflare = Cloudflare::start();
    cloudflare.fail("POST */assets/upload", refused(400, 8_000_000, "An unknown error occurred"));
    step(&cloudflare).run().exits(1);
    assert_eq!(posts(&cloudflare, "*/deployments"), 0);
}

#[test]
fn a_blocked_account_exits_77() {
    let cloudflare = Cloudflare::start();
    cloudflare.fail("GET */projects/docs", refused(403, 8_000_119, "This project is blocked"));
    let seen = step(&cloudflare).run().exits(77);
    assert!(seen.messages("error")[0].contains("support"), "{:?}", seen.annotations);
}

#[test]
fn a_login_page_instead_of_the_api_exits_75() {
    let cloudflare = Cloudflare::start();
    cloudflare.fail("GET */projects/*", Fault::status(200).body("text/html", "<h1>Sign in to the hotel</h1>"));
    let seen = step(&cloudflare).args(["--timeout", "3"]).run().exits(75);
    assert!(seen.messages("error")[0].contains("login page"), "{:?}", seen.annotations);
}

#[test]
fn more_files_than_the_token_allows_are_named_before_any_upload() {
    let cloudflare = Cloudflare::start();
    cloudflare.upload_tokens_will(Duration::from_mins(5), 1);
    let seen = step(&cloudflare).file("sites/docs/dist/second.html", "2").run().exits(1);
    assert!(seen.messages("error")[0].contains("has 2 files, and Pages takes 1"), "{:?}", seen.annotations);
    assert_eq!(posts(&cloudflare, "*/assets/check-missing"), 1, "the other site's");
}

/// The second run: `shop` says that it failed.
fn second_run_fails(cloudflare: &Cloudflare) {
    let failed = json!({"id": "x", "latest_stage": {"name": "deploy", "status": "failure"}});
    let answer = json!({"success": true, "errors": [], "messages": [], "result": failed});
    cloudflare.fail("GET */projects/shop/deployments/*", Fault::json(200, &answer).carried_out());
}

#[test]
fn atomic_puts_every_site_back_when_one_fails() {
    let cloudflare = Cloudflare::start();
    step(&cloudflare).run().exits(0);
    let before = [cloudflare.live("docs"), cloudflare.live("shop")];
    second_run_fails(&cloudflare);
    let seen = step(&cloudflare).arg("--atomic").run().exits(1);
    assert_eq!(cloudflare.deployments("docs").len(), 2);
    assert_eq!([cloudflare.live("docs"), cloudflare.live("shop")], before);
    assert!(seen.stdout.contains("rolled back: production serves deployment"), "{}", seen.stdout);
    assert!(seen.summary.contains("2 of 2 checks failed"), "{}", seen.summary);
}

#[test]
fn without_atomic_the_other_sites_stay() {
    let cloudflare = Cloudflare::start();
    second_run_fails(&cloudflare);
    let seen = step(&cloudflare).run().exits(1);
    assert!(cloudflare.live("docs").is_some());
    assert!(seen.stdout.contains("passed     docs"), "{}", seen.stdout);
    assert_eq!(posts(&cloudflare, "*/rollback"), 0);
}

#[test]
fn atomic_says_that_a_first_deployment_cannot_be_put_back() {
    let cloudflare = Cloudflare::start();
    second_run_fails(&cloudflare);
    let seen = step(&cloudflare).arg("--atomic").run().exits(1);
    assert!(seen.stdout.contains("cannot be rolled back"), "{}", seen.stdout);
}

#[test]
fn a_rollback_that_fails_is_told_with_the_deployment_to_go_back_to() {
    let cloudflare = Cloudflare::start();
    step(&cloudflare).run().exits(0);
    second_run_fails(&cloudflare);
    cloudflare.fail("POST */projects/docs/deployments/*/rollback", refused(400, 8_000_000, "no"));
    let seen = step(&cloudflare).arg("--atomic").run().exits(1);
    let before = cloudflare.deployments("docs")[0].id.clone();
    let told = seen
        .messages("error")
        .iter()
        .any(|text| text.contains(&format!("could not be put back to deployment {before}")));
    assert!(told, "{:?}", seen.annotations);
}
