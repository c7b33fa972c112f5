//! `--delete-previews`: the previews of one branch go, and nothing else.

use emulators::Cloudflare;
use emulators::http::Fault;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::faults::refused;
use super::interruption::until;
use super::step;
use crate::support::Step;

/// A service where both sites are live, with two previews of `feature` and one of `other`.
fn deployed() -> Cloudflare {
    let cloudflare = Cloudflare::start();
    step(&cloudflare).run().exits(0);
    for branch in ["feature", "other", "feature"] {
        step(&cloudflare).args(["--branch", branch]).run().exits(0);
    }
    cloudflare
}

fn branches(cloudflare: &Cloudflare, project: &str) -> Vec<String> {
    cloudflare.deployments(project).iter().map(|one| one.branch.clone().unwrap()).collect()
}

fn delete(cloudflare: &Cloudflare, branch: &str) -> Step {
    step(cloudflare).args(["--delete-previews", "--branch", branch])
}

fn deletions(cloudflare: &Cloudflare) -> usize {
    cloudflare.requests().iter().filter(|request| request.method == "DELETE").count()
}

#[test]
fn the_previews_of_the_branch_are_deleted_and_nothing_else() {
    let cloudflare = deployed();
    let live = cloudflare.live("docs");
    let seen = delete(&cloudflare, "feature").run().exits(0);
    assert!(seen.stdout.contains("passed     docs  2 previews deleted"), "{}", seen.stdout);
    assert!(seen.summary.contains("2 deleted"), "{}", seen.summary);
    for project in ["docs", "shop"] {
        assert_eq!(branches(&cloudflare, project), ["main", "other"]);
    }
    assert_eq!(cloudflare.live("docs"), live);
    let seen = delete(&cloudflare, "feature").run().exits(0);
    assert!(seen.stdout.contains("docs  no previews deleted"), "{}", seen.stdout);
}

#[test]
fn a_dry_run_names_the_previews_and_deletes_none() {
    let cloudflare = deployed();
    let seen = delete(&cloudflare, "feature").args(["--dry-run", "--format", "json"]).run().exits(0);
    let docs = &seen.json()["sites"][0];
    assert_eq!(
        (&docs["status"], &docs["reason"]["text"]),
        (&json!("skipped"), &json!("would delete 2 previews of `feature`"))
    );
    let listed: Vec<&Value> = docs["previews"].as_array().unwrap().iter().map(|one| &one["id"]).collect();
    let ids: Vec<String> = cloudflare.deployments("docs").iter().rev().map(|one| one.id.clone()).collect();
    assert_eq!(listed, [&json!(ids[0]), &json!(ids[2])]);
    let named = format!("docs: would delete http://{}.docs.localhost", &ids[0][..8]);
    assert!(seen.stderr.contains(&named), "{}", seen.stderr);
    assert_eq!(deletions(&cloudflare), 0);
}

#[test]
fn the_production_branch_is_refused_and_production_stays() {
    let cloudflare = deployed();
    let seen = delete(&cloudflare, "main").run().exits(2);
    let error = seen.messages("error").concat();
    assert!(error.contains("`main` is the production branch") && error.contains("never deletes"), "{error}");
    assert!(error.starts_with("failed to delete the previews of 2 sites"), "{error}");
    assert_eq!(deletions(&cloudflare), 0);
    // Without a branch, or with a blank one, nothing is guessed.
    step(&cloudflare).arg("--delete-previews").run().exits(2);
    delete(&cloudflare, "").run().exits(2);
    assert_eq!(branches(&cloudflare, "docs").len(), 4);
}

#[test]
fn what_the_service_lists_wrongly_is_not_deleted() {
    let cloudflare = deployed();
    // A list that ignores the filter: of all branches, production among them.
    let deployment = |id: &str, environment: &str, branch: &str| json!({"id": id, "environment": environment, "deployment_trigger": {"metadata": {"branch": branch}}});
    let listed =
        [deployment("1", "production", "feature"), deployment("2", "preview", "other"), deployment("3", "", "feature")];
    let answer = json!({"success": true, "errors": [], "messages": [], "result": listed});
    cloudflare.fail("GET */projects/*/deployments", Fault::json(200, &answer));
    delete(&cloudflare, "feature").run().exits(0);
    assert_eq!(deletions(&cloudflare), 0);
}

#[test]
fn many_previews_are_all_found_and_a_missing_project_has_none() {
    let cloudflare = Cloudflare::start();
    let docs = || step(&cloudflare).args(["--only", "docs", "--probe", "0"]);
    docs().run().exits(0);
    for _ in 0..27 {
        docs().args(["--branch", "feature"]).run().exits(0);
    }
    let step = delete(&cloudflare, "feature").file("sites/new/dist/index.html", "x");
    let seen = step.run().exits(0);
    assert!(seen.stdout.contains("docs  27 previews deleted"), "{}", seen.stdout);
    assert!(seen.stdout.contains("skipped    new   the Pages project `new` does not exist"), "{}", seen.stdout);
    assert_eq!(branches(&cloudflare, "docs"), ["main"]);
}

#[test]
fn an_interrupted_run_reports_what_it_deleted() {
    let cloudflare = deployed();
    // The first is deleted, and the answer to the second does not come.
    cloudflare.fail("DELETE */projects/docs/deployments/*", Fault::hang().after(1));
    let step = delete(&cloudflare, "feature").args(["--only", "docs", "--format", "json"]);
    let started = step.spawn();
    until(|| deletions(&cloudflare) == 2);
    kill_process(Pid::from_child(&started.child), Signal::TERM).unwrap();
    let seen = started.finish().exits(143);
    let docs = &seen.json()["sites"][0];
    assert_eq!((&docs["status"], &docs["deleted"]), (&json!("cancelled"), &json!(1)));
    assert!(docs["reason"]["text"].as_str().unwrap().contains("after 1 preview had been deleted"), "{docs:#}");
    assert_eq!(docs["previews"].as_array().unwrap().len(), 1);
}

#[test]
fn one_that_cannot_be_deleted_fails_its_site_and_one_that_is_gone_does_not() {
    let cloudflare = deployed();
    cloudflare.fail("DELETE */projects/docs/deployments/*", refused(400, 8_000_000, "no").times(1));
    cloudflare.fail("DELETE */projects/shop/deployments/*", refused(404, 8_000_009, "Deployment not found").times(1));
    let seen = delete(&cloudflare, "feature").run().exits(1);
    assert!(seen.messages("error").concat().contains("could not be deleted, after 0 others"), "{:?}", seen.annotations);
    assert!(seen.stdout.contains("shop  2 previews deleted"), "{}", seen.stdout);
}
