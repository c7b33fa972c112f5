//! Pulumi Cloud without a stored token: the job's own identity is traded for one.

use emulators::{Doppler, GitHub, PulumiCloud};
use serde_json::json;

use super::refused;
use crate::support::Step;

const STACK: &str = "acme/shop/prod";
const SUBJECT: &str = "repo:acme/shop:ref:refs/heads/main";

/// A cloud that trusts this repository's jobs with that token of `acme`.
fn cloud(token: &str) -> PulumiCloud {
    let cloud = PulumiCloud::start();
    cloud.set(STACK, "ip", json!("203.0.113.7"));
    cloud.set_secret(STACK, "pw", &json!("hunter2-of-cloud"));
    cloud.trust("acme", &SUBJECT.replace("ref:refs/heads/main", "*"), token);
    cloud
}

/// A step with `id-token: write` and no token of Pulumi's.
fn step(cloud: &PulumiCloud, github: &GitHub, arguments: &[&str]) -> Step {
    let step = Step::new("stack-output").args(arguments).args(["--stack", STACK]);
    let step = step.env("PULUMI_BACKEND_URL", cloud.url()).identity(github);
    cloud.secrets().all().iter().fold(step, |step, secret| step.secret(secret))
}

fn calls(cloud: &PulumiCloud) -> Vec<String> {
    cloud.requests().iter().map(|request| request.path.rsplit('/').next().unwrap().to_owned()).collect()
}

#[test]
fn the_jobs_oidc_token_is_exchanged_for_one_that_is_masked_before_it_is_used() {
    let (cloud, github) = (cloud("organization"), GitHub::start());
    let seen = step(&cloud, &github, &["ip", "pw", "--show-secrets"]).run().exits(0);
    assert_eq!(seen.stdout, "203.0.113.7\nhunter2-of-cloud\n");
    assert_eq!(calls(&cloud)[..2], ["token", "outputs"]);
    let issued = cloud.secrets().all();
    let issued = issued.iter().filter(|secret| secret.starts_with("pul-") && *secret != cloud.token());
    for secret in
        issued.chain(&github.secrets().all()).filter(|secret| secret.starts_with("pul-") || secret.starts_with("ey"))
    {
        assert!(seen.masks.contains(secret), "not masked");
    }
    let asked = &github.requests()[0];
    assert_eq!(asked.parameter("audience").as_deref(), Some("urn:pulumi:org:acme"));
}

#[test]
fn a_teams_or_a_users_token_can_be_requested() {
    for (token, option, name) in [("team:deploy", "--oidc-team", "deploy"), ("user:ann", "--oidc-user", "ann")] {
        let (cloud, github) = (cloud(token), GitHub::start());
        assert_eq!(step(&cloud, &github, &["ip", option, name]).run().exits(0).stdout, "203.0.113.7\n");
        // As the pulumi program names the variable.
        let variable = format!("PULUMI_OPTION_{}", option.trim_start_matches('-').to_uppercase().replace('-', "_"));
        let seen = step(&cloud, &github, &["ip"]).env(&variable, name).run().exits(0);
        assert_eq!(seen.stdout, "203.0.113.7\n");
        refused(step(&cloud, &github, &["ip"]), 77, &["access_denied"]);
    }
}

#[test]
fn a_job_that_no_policy_allows_exits_77_and_is_told_what_to_allow_where() {
    let (cloud, github) = (cloud("team:deploy"), GitHub::start());
    refused(
        step(&cloud, &github, &["ip"]),
        77,
        &[
            "token of the organization `acme`",
            "access_denied: no policy allows this token",
            SUBJECT,
            "urn:pulumi:org:acme",
            "OIDC Issuers of `acme`",
            "https://token.actions.githubusercontent.com",
            "organization tokens",
        ],
    );
}

#[test]
fn an_existing_token_takes_precedence_over_an_exchange() {
    let (cloud, github) = (cloud("organization"), GitHub::start());
    let given = step(&cloud, &github, &["ip"]).workflow_secret("PULUMI_ACCESS_TOKEN", cloud.token());
    assert_eq!(given.run().exits(0).stdout, "203.0.113.7\n");
    let doppler = Doppler::start();
    doppler.set("dev", "PULUMI_ACCESS_TOKEN", cloud.token());
    assert_eq!(step(&cloud, &github, &["ip"]).doppler(&doppler).run().exits(0).stdout, "203.0.113.7\n");
    assert_eq!(calls(&cloud), ["outputs", "outputs"]);
}

#[test]
fn without_the_permission_the_error_names_it() {
    let cloud = cloud("organization");
    let step = Step::new("stack-output").args(["ip", "--stack", STACK]).env("PULUMI_BACKEND_URL", cloud.url());
    refused(step, 77, &["PULUMI_ACCESS_TOKEN is missing", "id-token: write"]);
}

#[test]
fn without_an_organization_the_error_asks_for_it() {
    let (cloud, github) = (cloud("organization"), GitHub::start());
    let step = || {
        let step = Step::new("stack-output").args(["ip", "--stack", "prod"]).file("Pulumi.yaml", "name: shop\n");
        step.env("PULUMI_BACKEND_URL", cloud.url()).identity(&github)
    };
    refused(step(), 77, &["organization's name", "--oidc-org"]);
    let seen = step().env("PULUMI_DEFAULT_ORGANIZATION", "acme").run().exits(0);
    assert_eq!(seen.stdout, "203.0.113.7\n");
}

#[test]
fn the_identity_is_not_sent_to_an_address_that_only_the_projects_file_names() {
    let (cloud, github) = (cloud("organization"), GitHub::start());
    let project = format!("name: shop\nbackend:\n  url: {}\n", cloud.url());
    let step = step(&cloud, &github, &["ip"]).without("PULUMI_BACKEND_URL").file("Pulumi.yaml", project);
    refused(step, 77, &["OIDC token is not sent to", "PULUMI_BACKEND_URL"]);
    assert!(cloud.requests().is_empty());
    assert!(github.requests().is_empty());
}
