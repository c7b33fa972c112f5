//! `--atomic`: all sites or none, and what is reported if that is not possible.

use emulators::Cloudflare;
use emulators::cloudflare::Progress;
use emulators::http::Fault;
use serde_json::json;

use super::faults::refused;
use super::honest::{self, end_of};
use super::interruption::until;
use super::{posts, step};
use crate::support::Step;

/// From now on the deployment of `shop` fails.
fn shop_fails(cloudflare: &Cloudflare) {
    let failed = json!({"id": "x", "latest_stage": {"name": "deploy", "status": "failure"}});
    let answer = json!({"success": true, "errors": [], "messages": [], "result": failed});
    cloudflare.fail("GET */projects/shop/deployments/*", Fault::json(200, &answer).carried_out());
}

/// A service where both sites have been deployed once, and what they serve.
fn deployed() -> (Cloudflare, [Option<String>; 2]) {
    let cloudflare = Cloudflare::start();
    step(&cloudflare).run().exits(0);
    let live = live(&cloudflare);
    (cloudflare, live)
}

fn live(cloudflare: &Cloudflare) -> [Option<String>; 2] {
    ["docs", "shop"].map(|project| cloudflare.live(project))
}

#[test]
fn every_site_is_rolled_back_when_one_fails() {
    let (cloudflare, before) = deployed();
    shop_fails(&cloudflare);
    let seen = honest::run(&cloudflare, step(&cloudflare).arg("--atomic")).exits(1);
    assert_eq!(cloudflare.deployments("docs").len(), 2);
    assert_eq!(live(&cloudflare), before);
    assert!(end_of(&seen, "docs").1.starts_with("rolled back: production serves deployment"), "{}", seen.stdout);
    assert!(end_of(&seen, "shop").1.contains("; rolled back: production serves deployment"), "{}", seen.stdout);
    assert_eq!((end_of(&seen, "docs").0.as_str(), end_of(&seen, "shop").0.as_str()), ("cancelled", "failed"));
    assert!(seen.summary.contains("rolled back: production serves"), "{}", seen.summary);
}

#[test]
fn without_atomic_the_other_sites_stay() {
    let (cloudflare, before) = deployed();
    shop_fails(&cloudflare);
    let seen = honest::run(&cloudflare, step(&cloudflare)).exits(1);
    assert_ne!(cloudflare.live("docs"), before[0]);
    assert_eq!(end_of(&seen, "docs").0, "passed");
    assert_eq!(posts(&cloudflare, "*/rollback"), 0);
}

#[test]
fn a_first_deployment_cannot_be_rolled_back_and_is_reported() {
    let cloudflare = Cloudflare::start();
    shop_fails(&cloudflare);
    let seen = honest::run(&cloudflare, step(&cloudflare).arg("--atomic")).exits(1);
    let (status, text) = end_of(&seen, "docs");
    assert_eq!(status, "failed");
    assert!(text.contains("its first deployment cannot be rolled back, and production serves it"), "{text}");
}

#[test]
fn previews_are_not_rolled_back() {
    let (cloudflare, before) = deployed();
    shop_fails(&cloudflare);
    let seen = honest::run(&cloudflare, step(&cloudflare).env("GITHUB_HEAD_REF", "x").arg("--atomic")).exits(1);
    assert_eq!(live(&cloudflare), before);
    assert_eq!((end_of(&seen, "docs").0.as_str(), posts(&cloudflare, "*/rollback")), ("passed", 0));
}

#[test]
fn a_limit_during_the_rollback_is_waited_for() {
    for fault in [refused(429, 971, "Please wait").header("retry-after", "1"), Fault::status(429), Fault::status(502)] {
        let (cloudflare, before) = deployed();
        shop_fails(&cloudflare);
        cloudflare.fail("POST */projects/docs/deployments/*/rollback", fault.times(1));
        honest::run(&cloudflare, step(&cloudflare).arg("--atomic")).exits(1);
        assert_eq!(live(&cloudflare), before);
    }
}

/// The command that a rollback which failed leaves to a person.
fn by_hand(message: &str) -> String {
    message.split("help: put it back by hand: ").nth(1).unwrap().lines().next().unwrap().to_owned()
}

#[test]
fn a_rollback_that_fails_is_reported_with_the_command_that_does_it() {
    let (cloudflare, before) = deployed();
    shop_fails(&cloudflare);
    cloudflare.fail("POST */projects/docs/deployments/*/rollback", refused(400, 8_000_000, "no"));
    let seen = honest::run(&cloudflare, step(&cloudflare).arg("--atomic")).exits(1);
    assert_ne!(cloudflare.live("docs"), before[0]);
    let told = seen.messages("error").join("\n");
    let id = before[0].clone().unwrap();
    assert!(told.contains(&format!("`docs` could not be put back to deployment {id}")), "{told}");
    cloudflare.recover();
    let command = by_hand(&told);
    Step::script(&command).cloudflare(&cloudflare).cloudflare_token(&cloudflare).run().exits(0);
    assert_eq!(live(&cloudflare), before);
}

#[test]
fn a_rollback_leads_to_what_another_run_deployed_during_the_build() {
    let (cloudflare, before) = deployed();
    let waits = r#"{"scripts": {"build": "touch started; until [ -e go ]; do sleep 0.02; done; mkdir -p dist; echo new > dist/index.html"}}"#;
    let step_of_long_build = step(&cloudflare).file("sites/shop/package.json", waits).arg("--atomic");
    let shop = step_of_long_build.folder().join("sites/shop");
    let looks = |path: &str| cloudflare.requests().iter().filter(|request| request.matches(path)).count();
    let earlier = looks("GET */projects/shop");
    let (_, started) = honest::spawn(&cloudflare, step_of_long_build);
    until(|| shop.join("started").exists() && looks("GET */projects/shop") > earlier);
    let theirs = step(&cloudflare).file("sites/docs/dist/index.html", "somebody else's");
    theirs.run().exits(0);
    let meanwhile = live(&cloudflare);
    assert_ne!(meanwhile, before);
    shop_fails(&cloudflare);
    std::fs::write(shop.join("go"), "").unwrap();
    let seen = started.finish().exits(1);
    assert_eq!(live(&cloudflare), meanwhile, "{}", seen.stdout);
}

#[test]
fn what_another_run_deploys_after_ours_stays() {
    let (cloudflare, _) = deployed();
    cloudflare.fail("GET */projects/shop/deployments/*", Fault::status(503).carried_out());
    let started = step(&cloudflare).args(["--atomic", "--format", "json"]).spawn();
    until(|| posts(&cloudflare, "*/deployments") == 4);
    // Another workflow, of another commit.
    step(&cloudflare).args(["--only", "docs"]).env("GITHUB_SHA", "f".repeat(40)).run().exits(0);
    let theirs = cloudflare.live("docs");
    // Only now our run learns how its other deployment ended.
    cloudflare.recover();
    shop_fails(&cloudflare);
    let seen = started.finish().exits(1);
    assert_eq!(cloudflare.live("docs"), theirs, "{}", seen.stdout);
    assert!(end_of(&seen, "docs").1.contains("which this run did not make"), "{}", seen.stdout);
}

#[test]
fn a_deployment_that_may_still_go_live_is_reported() {
    let (cloudflare, before) = deployed();
    cloudflare.deployments_will(Progress::SucceedAfter(1000));
    let seen = honest::run(&cloudflare, step(&cloudflare).args(["--atomic", "--timeout", "2"])).exits(3);
    // The judge has let time pass: they are live now.
    assert_ne!(live(&cloudflare), before);
    let ours = &cloudflare.deployments("docs")[1].id;
    let (_, text) = end_of(&seen, "docs");
    assert!(text.ends_with(&format!("; deployment {ours} may still go live")), "{text}");
}
