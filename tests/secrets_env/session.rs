//! Signing in: tokens, OIDC identities, and what each may see.

use emulators::doppler::Visibility;
use emulators::{Doppler, Fault, GitHub};

use super::{API_KEY, doppler, refused, step};
use crate::support::Step;

const IDENTITY: &str = "5f1e4c9a-2b1d-4c8e-9f00-7d2a6b1c3e55";

fn paths(doppler: &Doppler) -> Vec<String> {
    doppler.requests().iter().map(|request| request.path.clone()).collect()
}

/// A step of a job with `id-token: write` and no token of Doppler's.
pub(super) fn with_identity(doppler: &Doppler, github: &GitHub, arguments: &[&str]) -> Step {
    doppler.trust(IDENTITY, None);
    let step = step(doppler, &["-p", "app", "-c", "dev"]).args(arguments);
    step.without("DOPPLER_TOKEN").identity(github).env("DOPPLER_IDENTITY_ID", IDENTITY)
}

#[test]
fn without_a_token_the_advice_names_the_variable() {
    let doppler = doppler();
    let step = step(&doppler, &["--", "true"]).without("DOPPLER_TOKEN");
    refused(step, 77, &["DOPPLER_TOKEN is missing", "secrets.DOPPLER_TOKEN"]);
}

#[test]
fn a_rejected_token_exits_77_and_names_the_variable() {
    let doppler = doppler();
    let rejected =
        step(&doppler, &["--", "true"]).workflow_secret("DOPPLER_TOKEN", "dp.st.dev.garbage0000000000000000000000");
    refused(rejected, 77, &["rejects the token from DOPPLER_TOKEN", "answered 401 (Invalid Auth token), request id"]);
    let revoked = doppler.service_token("dev");
    doppler.revoke(&revoked);
    let revoked = step(&doppler, &["--", "true"]).workflow_secret("DOPPLER_TOKEN", &revoked);
    refused(revoked, 77, &["rejects the token from DOPPLER_TOKEN", "valid, unrevoked"]);
    let broken = step(&doppler, &["--", "true"]).workflow_secret("DOPPLER_TOKEN", "dp.st.dev.with a blank");
    refused(broken, 77, &["the token from DOPPLER_TOKEN is malformed"]);
}

#[test]
fn a_token_from_a_file_is_named_by_its_option() {
    let doppler = doppler();
    let from_file =
        |token: &str| step(&doppler, &["--token-file", "token"]).without("DOPPLER_TOKEN").file("token", token);
    from_file(&format!("{}\n", doppler.token())).args(["--", "true"]).run().exits(0);
    refused(from_file("dp.st.garbage"), 77, &["--token-file"]);
    refused(step(&doppler, &["--token-file", "nowhere"]), 77, &["cannot read the token in nowhere"]);
    refused(step(&doppler, &["--token-file", "."]), 2, &["cannot read the token in .", "directory"]);
}

#[test]
fn a_config_that_the_token_may_not_see_exits_77_and_names_project_and_config() {
    let doppler = doppler();
    let step = step(&doppler, &["-p", "app", "-c", "prd", "--", "true"]);
    refused(step, 77, &["project `app`, config `prd`", "the token is for config `dev`"]);
}

#[test]
fn an_unknown_config_is_wrong_usage() {
    let doppler = doppler();
    let account = doppler.service_account_token();
    let step = |arguments: &[&str]| step(&doppler, arguments).workflow_secret("DOPPLER_TOKEN", &account);
    refused(step(&["-p", "app", "-c", "prod"]), 2, &["project `app`, config `prod`", "did you mean --config prd?"]);
    refused(step(&["-p", "app", "-c", "elsewhere"]), 2, &["config `elsewhere`", "check --project and --config"]);
    refused(step(&["-p", "ap", "-c", "dev"]), 2, &["project `ap`, config `dev`", "check --project"]);
    refused(step(&["-c", "dev"]), 2, &["the token from DOPPLER_TOKEN can read many configs", "--project"]);
}

#[test]
fn a_value_that_is_withheld_is_an_error_that_names_it() {
    let doppler = doppler();
    doppler.set_with("dev", "HIDDEN", "restricted-k3y-4711", Visibility::Restricted);
    let token = doppler.personal_token();
    let step = |arguments: &[&str]| {
        step(&doppler, &["-p", "app", "-c", "dev"]).workflow_secret("DOPPLER_TOKEN", &token).args(arguments)
    };
    refused(step(&["--", "true"]), 77, &["HIDDEN", "--except HIDDEN"]);
    step(&["--except", "HIDDEN", "--", "true"]).run().exits(0);
}

#[test]
fn plain_http_is_spoken_to_this_machine_only() {
    let doppler = doppler();
    let step = step(&doppler, &["--", "true"]).env("DOPPLER_API_HOST", "http://api.doppler.com");
    refused(step, 2, &["DOPPLER_API_HOST cannot be used", "loopback"]);
}

#[test]
fn an_identity_is_traded_used_once_and_revoked() {
    let (doppler, github) = (doppler(), GitHub::start());
    let script =
        "test -z \"$DOPPLER_TOKEN$ACTIONS_ID_TOKEN_REQUEST_TOKEN$ACTIONS_ID_TOKEN_REQUEST_URL\" && echo $API_KEY";
    let seen = with_identity(&doppler, &github, &["--", "sh", "-c", script]).run().exits(0);
    assert_eq!(seen.stdout, "***\n");
    assert_eq!(paths(&doppler), ["/v3/auth/oidc", "/v3/configs/config/secrets", "/v3/auth/revoke"]);
    assert!(doppler.live_tokens().iter().all(|token| !token.starts_with("dp.said.")));
}

#[test]
fn one_sign_in_with_an_identity_reads_configs_of_several_projects() {
    let (doppler, github) = (doppler(), GitHub::start());
    doppler.set_in("infra", "prd", "CDN_KEY", "cdn-k3y-of-the-infrastructure");
    let arguments = ["-c", "infra/prd", "--", "sh", "-c", "echo $API_KEY ${#CDN_KEY}"];
    assert_eq!(with_identity(&doppler, &github, &arguments).run().exits(0).stdout, "*** 29\n");
    let read = "/v3/configs/config/secrets";
    assert_eq!(paths(&doppler), ["/v3/auth/oidc", read, read, "/v3/auth/revoke"]);
    // Each config is named with its project in errors.
    let step = with_identity(&doppler, &github, &["-c", "infra/prod", "--", "true"]);
    refused(step, 2, &["project `infra`, config `prod`", "did you mean --config prd?"]);
    // Without --project, every config has to name its own.
    let without = |configs: [&'static str; 2]| {
        let account = doppler.service_account_token();
        super::step(&doppler, &["-c", configs[0], "-c", configs[1], "--format", "names"])
            .workflow_secret("DOPPLER_TOKEN", &account)
    };
    assert!(without(["app/dev", "infra/prd"]).run().exits(0).stdout.contains("API_KEY\nCDN_KEY\n"));
    refused(without(["app/dev", "prd"]), 2, &["none was chosen"]);
}

#[test]
fn the_token_is_revoked_when_the_read_fails_too() {
    let (doppler, github) = (doppler(), GitHub::start());
    let step = with_identity(&doppler, &github, &["-c", "nowhere", "--", "true"]);
    refused(step, 2, &["config `nowhere`"]);
    assert_eq!(paths(&doppler).last().map(String::as_str), Some("/v3/auth/revoke"));
    assert!(doppler.live_tokens().iter().all(|token| !token.starts_with("dp.said.")));
}

#[test]
fn a_token_that_cannot_be_revoked_is_a_warning() {
    let (doppler, github) = (doppler(), GitHub::start());
    doppler.fail("/v3/auth/revoke", Fault::status(404));
    let seen = with_identity(&doppler, &github, &["--", "true"]).run().exits(0);
    assert!(seen.messages("warning")[0].contains("could not be revoked"));
}

#[test]
fn an_identity_that_is_not_trusted_or_not_offered_exits_77() {
    let (doppler, github) = (doppler(), GitHub::start());
    let step = with_identity(&doppler, &github, &["--identity", "someone-else", "--", "true"]);
    refused(step, 77, &["someone-else", "DOPPLER_IDENTITY_ID"]);
    let step = with_identity(&doppler, &github, &["--", "true"]).without("ACTIONS_ID_TOKEN_REQUEST_URL");
    refused(step, 77, &["id-token: write"]);
}

#[test]
fn the_audience_is_the_one_that_was_asked_for() {
    let (doppler, github) = (doppler(), GitHub::start());
    let with = |audience: &[&str]| {
        let step = with_identity(&doppler, &github, audience).args(["--", "true"]);
        doppler.trust(IDENTITY, Some("https://doppler.example"));
        step
    };
    with(&["--audience", "https://doppler.example"]).run().exits(0);
    refused(with(&[]), 77, &["does not accept this job's OIDC token", "audience"]);
}

#[test]
fn the_explanation_names_every_source_and_no_token() {
    let doppler = doppler();
    let explained = |step: Step| step.arg("--explain").plain().run().exits(0).stdout;
    let text = explained(step(&doppler, &["-p", "app"]).env("DOPPLER_CONFIG", "stg"));
    assert!(text.contains("a service token  (DOPPLER_TOKEN)"), "{text}");
    assert!(text.contains("app  (--project)") && text.contains("stg  (DOPPLER_CONFIG)"), "{text}");
    assert!(text.contains(&format!("{}  (DOPPLER_API_HOST)", doppler.url())), "{text}");
    let file = step(&doppler, &["--token-file", "token"]).without("DOPPLER_TOKEN").file("token", doppler.token());
    assert!(explained(file).contains("(--token-file)"));
    let identity = step(&doppler, &[]).without("DOPPLER_TOKEN").env("DOPPLER_IDENTITY_ID", IDENTITY);
    assert!(explained(identity).contains(&format!("identity {IDENTITY}  (DOPPLER_IDENTITY_ID)")));
    let repository = step(&doppler, &[]).workflow_secret("DOPPLER_TOKEN", &doppler.personal_token());
    let text = explained(repository.file("doppler.yaml", "setup:\n  project: app\n  config: dev\n"));
    assert!(text.contains("doppler.yaml)") && text.contains("config   dev"), "{text}");
    assert!(explained(step(&doppler, &[]).without("DOPPLER_TOKEN")).contains("token    none"));
    assert!(doppler.requests().is_empty());
}

#[test]
fn a_step_with_a_token_and_an_identity_uses_the_token() {
    let (doppler, github) = (doppler(), GitHub::start());
    let step = step(&doppler, &["--only", "API_KEY", "--format", "raw"])
        .identity(&github)
        .env("DOPPLER_IDENTITY_ID", IDENTITY);
    assert_eq!(step.may_print(API_KEY).run().exits(0).stdout, API_KEY);
    assert_eq!(paths(&doppler), ["/v3/configs/config/secrets"]);
}
