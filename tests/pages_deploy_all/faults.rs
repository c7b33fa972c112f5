//! What goes wrong at the service: exit code, message and report are right in all of it, and nothing is live in silence.

use std::time::Duration;

use emulators::Cloudflare;
use emulators::cloudflare::Progress;
use emulators::http::Fault;
use serde_json::json;

use super::honest;
use super::interruption::until;
use super::{posts, step};
use crate::support::{Seen, Step};

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

/// Only after the answer to a deployment was lost.
const LIST: &str = "GET */projects/docs/deployments";

pub(super) fn refused(status: u16, code: u64, message: &str) -> Fault {
    let errors = json!([{"code": code, "message": message}]);
    Fault::json(status, &json!({"success": false, "errors": errors, "messages": [], "result": null}))
}

fn docs(cloudflare: &Cloudflare) -> Step {
    step(cloudflare).args(["--only", "docs"])
}

/// Runs each scenario at the same time: most of them wait.
fn together<T: Copy + Send>(scenarios: impl IntoIterator<Item = T>, run: impl Fn(T) + Sync) {
    std::thread::scope(|scope| {
        let run = &run;
        for scenario in scenarios {
            scope.spawn(move || run(scenario));
        }
    });
}

#[test]
fn a_429_on_any_call_is_waited_for_and_nothing_happens_twice() {
    together(CALLS.into_iter().chain([LIST]).flat_map(|call| [(call, true), (call, false)]), |(call, says_when)| {
        let cloudflare = Cloudflare::start();
        if call == LIST {
            cloudflare.fail("POST */projects/docs/deployments", Fault::reset().carried_out().times(1));
        }
        // One with the time to wait, as from the API; one bare, as from a gateway.
        let fault =
            if says_when { refused(429, 971, "Please wait").header("retry-after", "1") } else { Fault::status(429) };
        cloudflare.fail(call, fault.times(1));
        honest::run(&cloudflare, docs(&cloudflare)).exits(0);
        assert_eq!(cloudflare.deployments("docs").len(), 1, "{call}");
        let requests = cloudflare.requests();
        let limited = requests.iter().position(|request| request.status == 429).unwrap();
        let pause = requests[limited + 1].at.duration_since(requests[limited].at);
        assert!(pause.as_millis() >= 950, "{call} after {} ms", pause.as_millis());
    });
}

#[test]
fn a_limit_that_only_a_code_names_is_waited_for_too() {
    let cloudflare = Cloudflare::start();
    cloudflare.fail(CALLS[1], refused(403, 10_000, "Rate limited. Please wait").times(1));
    honest::run(&cloudflare, docs(&cloudflare)).exits(0);
}

#[test]
fn a_limit_past_the_deadline_exits_75_at_once_and_names_it() {
    let cloudflare = Cloudflare::start();
    cloudflare.limit(3, 3600);
    let mut step = step(&cloudflare);
    for site in 0..30 {
        cloudflare.project(&format!("s{site}"));
        step = step.file(&format!("sites/s{site}/dist/index.html"), "x");
    }
    // More sites than requests at once: those that wait for their turn must not wait an hour.
    let seen = honest::run(&cloudflare, step.args(["--timeout", "60"])).exits(75);
    assert!(seen.messages("error")[0].contains("wants 3600 s without requests"), "{:?}", seen.annotations);
    assert!(seen.messages("error")[0].contains("help: run it again in five minutes"), "{:?}", seen.annotations);
}

#[test]
fn a_gateways_page_on_any_call_is_asked_again_and_nothing_happens_twice() {
    let login = || Fault::status(200).body("text/html", "<h1>Sign in to the hotel</h1>");
    let unknown = || refused(500, 8_000_000, "An unknown error occurred");
    together([0, 1, 2, 3], |kind| {
        let cloudflare = Cloudflare::start();
        for call in CALLS {
            let fault = [Fault::status(502), Fault::status(503), login(), unknown()][kind].clone();
            cloudflare.fail(call, fault.times(1));
        }
        honest::run(&cloudflare, docs(&cloudflare)).exits(0);
        assert_eq!(cloudflare.deployments("docs").len(), 1);
    });
}

#[test]
fn a_service_that_stays_unavailable_exits_75_with_its_last_answer_and_nothing_deployed() {
    // The last call is not among them: then the deployment is there, which the next test is about. Nor is upsert-hashes.
    together(CALLS.into_iter().filter(|call| !call.ends_with('*') && !call.contains("upsert")), |call| {
        let cloudflare = Cloudflare::start();
        cloudflare.fail(call, Fault::status(503));
        let seen = honest::run(&cloudflare, docs(&cloudflare).args(["--timeout", "3"])).exits(75);
        assert!(seen.messages("error")[0].contains("answered 503"), "{call}: {:?}", seen.annotations);
        assert!(cloudflare.deployments("docs").is_empty(), "{call}");
    });
}

#[test]
fn a_service_that_never_answers_ends_the_run_within_its_timeout() {
    // A lost deployment may have been created: `honest` checks that the report admits it.
    together(CALLS.into_iter().filter(|call| !call.contains("upsert")), |call| {
        let cloudflare = Cloudflare::start();
        cloudflare.fail(call, Fault::hang());
        let seen = honest::run(&cloudflare, docs(&cloudflare).args(["--timeout", "2"])).exits(75);
        assert!(!seen.messages("error").is_empty(), "{call}");
    });
}

#[test]
fn files_that_cannot_be_marked_as_in_use_are_a_warning() {
    let cloudflare = Cloudflare::start();
    cloudflare.fail("POST */assets/upsert-hashes", Fault::status(503));
    let seen = honest::run(&cloudflare, docs(&cloudflare).args(["--timeout", "4"])).exits(0);
    assert!(seen.messages("warning")[0].contains("were not marked as in use"), "{:?}", seen.annotations);
}

#[test]
fn a_deployment_that_cannot_be_observed_is_reported_by_its_id() {
    let cloudflare = Cloudflare::start();
    cloudflare.fail("GET */projects/docs/deployments/*", Fault::status(503));
    let seen = honest::run(&cloudflare, docs(&cloudflare).args(["--timeout", "3"])).exits(75);
    let id = &cloudflare.deployments("docs")[0].id;
    let expected = format!("deployment {id} was created and not seen to be live");
    assert!(seen.messages("error")[0].contains(&expected), "{:?}", seen.annotations);
}

#[test]
fn what_cannot_be_asked_for_a_while_is_asked_until_the_timeout() {
    // More failures than a request alone would be repeated for.
    const FAILURES: usize = 14;
    together([500, 502, 503], |status| {
        let cloudflare = Cloudflare::start();
        let calls = ["GET */projects/docs", "POST */assets/upload", "GET */projects/docs/deployments/*"];
        for call in calls {
            cloudflare.fail(call, Fault::status(status).header("retry-after", "0").times(FAILURES));
        }
        honest::run(&cloudflare, docs(&cloudflare)).exits(0);
        for call in calls {
            let asked = cloudflare.requests().iter().filter(|request| request.matches(call)).count();
            assert!(asked > FAILURES, "{call}: {asked}");
        }
    });
}

#[test]
fn a_lost_deployment_is_looked_for_until_the_timeout() {
    let cloudflare = Cloudflare::start();
    cloudflare.fail("POST */projects/docs/deployments", Fault::reset().carried_out().times(1));
    cloudflare.fail(LIST, Fault::status(500).header("retry-after", "0").times(14));
    honest::run(&cloudflare, docs(&cloudflare)).exits(0);
    assert_eq!(cloudflare.deployments("docs").len(), 1);
}

#[test]
fn what_cannot_get_better_is_asked_once() {
    let cloudflare = Cloudflare::start();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let plain = cloudflare.url().replace("http://", "https://");
    for (address, why) in [(format!("http://127.0.0.1:{port}"), "refused"), (plain, "corrupt message")] {
        let seen = docs(&cloudflare).env("CLOUDFLARE_API_BASE_URL", &address).run().exits(75);
        let error = seen.messages("error").concat();
        assert!(error.contains(why) && !error.contains("tried"), "{error}");
    }
}

#[test]
fn a_call_that_is_repeated_for_long_is_reported_with_its_reason() {
    let cloudflare = Cloudflare::start();
    cloudflare.fail("GET */projects/docs/upload-token", Fault::status(503).header("retry-after", "1"));
    let seen = honest::run(&cloudflare, docs(&cloudflare).args(["--timeout", "12"])).exits(75);
    assert!(seen.stderr.contains("repeating a call: GET http://"), "{}", seen.stderr);
    let seen = honest::run(&cloudflare, docs(&cloudflare).args(["--deadline", "2"])).exits(3);
    assert!(honest::end_of(&seen, "docs").1.contains("passed; GET http://"), "{}", seen.stdout);
}

#[test]
fn what_takes_long_is_reported_with_its_time_limit() {
    let cloudflare = Cloudflare::start();
    cloudflare.fail("GET */projects/docs/deployments/*", Fault::none().delayed(Duration::from_secs(7)).times(1));
    let slow = r#"{"scripts": {"build": "sleep 7; mkdir -p dist; echo x > dist/index.html"}}"#;
    let seen = step(&cloudflare).file("sites/shop/package.json", slow).args(["--deadline", "10m"]).run().exits(0);
    for (step, left) in [("building shop", "9m"), ("deploying docs", "9m")] {
        let line = seen.stderr.lines().find(|line| line.starts_with(&format!("still {step} (")));
        let line = line.unwrap_or_else(|| panic!("{step}: {}", seen.stderr));
        assert!(line.contains(&format!(", for at most another {left}")), "{line}");
    }
}

#[test]
fn a_deployment_whose_answer_is_lost_is_found_and_not_made_twice() {
    together([0, 1, 2], |kind| {
        let cloudflare = Cloudflare::start();
        let fault = [Fault::reset(), Fault::status(502), refused(400, 8_000_000, "unknown")][kind].clone();
        cloudflare.fail("POST */projects/docs/deployments", fault.carried_out().times(1));
        honest::run(&cloudflare, docs(&cloudflare)).exits(0);
        assert_eq!(cloudflare.deployments("docs").len(), 1);
        assert_eq!(posts(&cloudflare, "*/projects/docs/deployments"), 1);
    });
}

#[test]
fn an_earlier_deployment_of_the_same_commit_is_not_taken_for_ours() {
    let cloudflare = Cloudflare::start();
    docs(&cloudflare).run().exits(0);
    cloudflare.fail("POST */projects/docs/deployments", Fault::reset().times(1));
    honest::run(&cloudflare, docs(&cloudflare)).exits(0);
    assert_eq!(cloudflare.deployments("docs").len(), 2);
}

#[test]
fn a_lost_deployment_that_cannot_be_looked_for_is_not_posted_again() {
    let cloudflare = Cloudflare::start();
    cloudflare.fail("POST */projects/docs/deployments", Fault::reset().carried_out());
    cloudflare.fail("GET */projects/docs/deployments", Fault::status(503));
    let seen = honest::run(&cloudflare, docs(&cloudflare).args(["--timeout", "5"])).exits(75);
    assert!(seen.messages("error")[0].contains("it is unknown whether `docs` was deployed"), "{:?}", seen.annotations);
    assert_eq!(cloudflare.deployments("docs").len(), 1);
}

#[test]
fn an_expired_upload_token_is_renewed_whatever_the_refusal_looks_like() {
    let bare = || Fault::status(403).body("text/plain", "Expired JWT");
    for fault in [refused(403, 8_000_013, "Authorization failed"), bare(), Fault::status(401)] {
        let cloudflare = Cloudflare::start();
        cloudflare.fail("POST */assets/upload", fault.times(1));
        honest::run(&cloudflare, docs(&cloudflare)).exits(0);
        assert_eq!(tokens(&cloudflare), 2);
    }
}

#[test]
fn uploads_whose_token_has_expired_share_one_new_token() {
    let cloudflare = Cloudflare::start();
    cloudflare.fail("POST */assets/check-missing", Fault::none().delayed(Duration::from_millis(500)).times(1));
    let large = |fill: u8| vec![fill; 5_000_000];
    let started = docs(&cloudflare)
        .file("sites/docs/dist/a.bin", large(1))
        .file("sites/docs/dist/b.bin", large(2))
        .file("sites/docs/dist/c.bin", large(3))
        .spawn();
    until(|| posts(&cloudflare, "*/assets/check-missing") == 1);
    cloudflare.expire_upload_tokens();
    started.finish().exits(0);
    assert_eq!(tokens(&cloudflare), 2);
}

#[test]
fn a_token_that_lives_for_less_than_a_minute_is_replaced_before_it_is_refused() {
    let cloudflare = Cloudflare::start();
    cloudflare.upload_tokens_will(Duration::from_secs(30), 20_000);
    honest::run(&cloudflare, docs(&cloudflare)).exits(0);
    let refused = cloudflare.requests().into_iter().filter(|request| request.status == 403).count();
    assert_eq!(refused, 0);
}

fn tokens(cloudflare: &Cloudflare) -> usize {
    cloudflare.requests().iter().filter(|request| request.matches("GET */upload-token")).count()
}

#[test]
fn a_token_that_is_refused_fresh_from_the_service_ends_the_run() {
    let cloudflare = Cloudflare::start();
    cloudflare.fail("POST */assets/check-missing", refused(403, 8_000_013, "Authorization failed"));
    honest::run(&cloudflare, docs(&cloudflare)).exits(77);
    assert_eq!(posts(&cloudflare, "*/deployments"), 0);
}

#[test]
fn a_connection_that_breaks_during_an_upload_is_tried_again() {
    for fault in [Fault::reset(), Fault::none().cut_mid_body(), Fault::reset_mid_request()] {
        let cloudflare = Cloudflare::start();
        cloudflare.fail("POST */assets/upload", fault.times(1));
        let large = vec![7; 9_000_000];
        honest::run(&cloudflare, docs(&cloudflare).file("sites/docs/dist/a.bin", large)).exits(0);
    }
}

#[test]
fn a_deployment_that_never_ends_exits_3_and_names_its_stage() {
    let cloudflare = Cloudflare::start();
    cloudflare.deployments_will(Progress::Hang);
    let seen = honest::run(&cloudflare, step(&cloudflare).args(["--timeout", "3"])).exits(3);
    assert!(seen.messages("error")[0].contains("s it is at stage"), "{:?}", seen.annotations);
    let (status, text) = honest::end_of(&seen, "docs");
    assert_eq!((status.as_str(), text.as_str()), ("failed", "the deployment of `docs` did not come to an end"));
}

#[test]
fn a_deployment_that_fails_exits_1_with_the_logs_last_line() {
    let cloudflare = Cloudflare::start();
    cloudflare.deployments_will(Progress::Fail);
    let seen = honest::run(&cloudflare, step(&cloudflare)).exits(1);
    assert!(seen.messages("error")[0].contains("Failed to publish assets"), "{:?}", seen.annotations);
    assert_eq!(cloudflare.live("docs"), None);
}

#[test]
fn a_success_that_answers_500_is_a_failure() {
    let cloudflare = Cloudflare::start();
    cloudflare.deployments_will(Progress::SucceedBroken);
    let seen = honest::run(&cloudflare, step(&cloudflare).args(["--timeout", "3"])).exits(1);
    assert!(seen.messages("error")[0].contains("does not answer as a deployed site does"), "{:?}", seen.annotations);
    assert!(seen.summary.contains("2 of 2 checks failed"), "{}", seen.summary);
}

#[test]
fn an_upload_that_is_refused_does_not_end_in_success() {
    // wrangler's exit code is 8000000 modulo 256, which is 0.
    let cloudflare = Cloudflare::start();
    cloudflare.fail("POST */assets/upload", refused(400, 8_000_000, "An unknown error occurred"));
    honest::run(&cloudflare, step(&cloudflare)).exits(1);
    assert_eq!(posts(&cloudflare, "*/deployments"), 0);
}

#[test]
fn a_blocked_account_exits_77() {
    let cloudflare = Cloudflare::start();
    cloudflare.fail("GET */projects/docs", refused(403, 8_000_119, "This project is blocked"));
    let seen: Seen = honest::run(&cloudflare, step(&cloudflare)).exits(77);
    assert!(seen.messages("error")[0].contains("support"), "{:?}", seen.annotations);
}

#[test]
fn a_login_page_instead_of_the_api_exits_75() {
    let cloudflare = Cloudflare::start();
    cloudflare.fail("GET */projects/*", Fault::status(200).body("text/html", "<h1>Sign in to the hotel</h1>"));
    let seen = honest::run(&cloudflare, step(&cloudflare).args(["--timeout", "3"])).exits(75);
    assert!(seen.messages("error")[0].contains("login page"), "{:?}", seen.annotations);
}
