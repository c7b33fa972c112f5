//! GitHub deployments of a report's sites.

use emulators::GitHub;
use emulators::http::Fault;
use serde_json::{Value, json};

use super::super::published::{HEAD, count, pull_step, run, step};

const SITES: &str = r#"{"v":1,"event":"run_started","tool":"pages-deploy-all","title":"Sites","plan":["sites/shop","sites/docs","sites/blog"]}
{"v":1,"event":"check_finished","check":"sites/shop","status":"passed","url":"https://shop.pages.dev"}
{"v":1,"event":"check_finished","check":"sites/docs","status":"failed","url":"https://docs.pages.dev","reason":{"code":"probe","text":"answers 500"}}
{"v":1,"event":"check_finished","check":"sites/blog","status":"passed","url":"https://blog.pages.dev"}
{"v":1,"event":"run_finished","result":"failed"}
"#;

fn ends(github: &GitHub) -> Vec<(String, Vec<String>, Value)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let of = github.deployments().into_iter().map(|one| {
        let states = one.statuses.iter().map(|status| text(&status["state"])).collect();
        (text(&one.request["environment"]), states, one.statuses.last().unwrap()["environment_url"].clone())
    });
    of.collect()
}

fn states(states: &[&str]) -> Vec<String> {
    states.iter().map(|&state| state.to_owned()).collect()
}

#[test]
fn three_sites_become_three_deployments_with_their_addresses() {
    let github = GitHub::start();
    let arguments = ["--deployments", "--environment-prefix", "preview/"];
    let seen = run(&github, pull_step(&github, &arguments).stdin(SITES)).exits(1);
    assert_eq!(seen.messages("warning"), [""; 0]);
    let expected = [
        ("preview/sites/shop", "success", "https://shop.pages.dev/"),
        ("preview/sites/docs", "failure", "https://docs.pages.dev/"),
        ("preview/sites/blog", "success", "https://blog.pages.dev/"),
    ]
    .map(|(name, state, url)| (name.to_owned(), states(&["in_progress", state]), json!(url)));
    assert_eq!(ends(&github), expected);
    for one in github.deployments() {
        assert_eq!((&one.request["ref"], &one.request["auto_merge"]), (&json!(HEAD), &json!(false)));
        assert_eq!(
            (&one.request["required_contexts"], &one.request["transient_environment"]),
            (&json!([]), &json!(true))
        );
        assert_eq!(one.statuses[1]["log_url"], "https://github.com/acme/shop/actions/runs/4711");
    }
    assert_eq!(github.deployments()[1].statuses[1]["description"], "answers 500");
    let github = GitHub::start();
    run(&github, step(&github, "push", &json!({}), &["--deployments"]).stdin(SITES)).exits(1);
    assert_eq!(github.deployments()[0].request["transient_environment"], false);
    assert_eq!(github.deployments()[0].request["environment"], "sites/shop");
}

#[test]
fn a_deployment_that_was_created_comes_to_an_end_even_if_calls_fail() {
    let github = GitHub::start();
    // The second status of the first site is refused, with its address.
    github.fail(
        "POST /repos/*/statuses",
        Fault::json(422, &json!({ "message": "Validation Failed", "documentation_url": "https://docs.github.com" }))
            .after(1)
            .times(1),
    );
    let seen = run(&github, pull_step(&github, &["--deployments"]).stdin(SITES)).exits(1);
    assert!(
        seen.messages("warning")[0].starts_with("cannot create the deployment to `sites/shop`\n"),
        "{}",
        seen.stderr
    );
    let last: Vec<_> = ends(&github).into_iter().map(|(_, states, _)| states.last().unwrap().clone()).collect();
    assert_eq!(last, ["error", "failure", "success"]);
}

#[test]
fn a_lost_deployment_is_looked_for_and_a_lost_status_is_sent_again() {
    let github = GitHub::start();
    github.fail("POST /repos/acme/shop/deployments", Fault::status(504).carried_out().times(1));
    github.fail("POST /repos/*/statuses", Fault::status(502).times(1));
    let seen = run(&github, pull_step(&github, &["--deployments"]).stdin(SITES)).exits(1);
    assert_eq!(seen.messages("warning"), [""; 0]);
    assert_eq!((github.deployments().len(), count(&github, "POST /repos/acme/shop/deployments")), (3, 3));
    assert!(ends(&github).iter().all(|(_, states, _)| states.last().unwrap() != "in_progress"));
}

#[test]
fn an_outage_in_the_middle_counts_what_is_left_out() {
    let github = GitHub::start();
    github.fail("POST /repos/acme/shop/deployments", Fault::status(503).after(1));
    let seen = run(&github, pull_step(&github, &["--deployments", "--deadline", "10s"]).stdin(SITES)).exits(1);
    let warning = seen.messages("warning")[0];
    assert!(warning.contains("deployment to `sites/docs`, and 1 more are left out"), "{warning}");
    assert_eq!(ends(&github).len(), 1);
}
