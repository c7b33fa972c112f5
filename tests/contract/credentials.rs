//! A credential that is missing, rejected or too weak, wherever one is needed.

use emulators::Doppler;

use super::{error, state};
use crate::support::Step;

/// Each program at the point where it needs a credential: its arguments, what it needs.
fn needy() -> Vec<(Step, &'static str)> {
    let state = state().display().to_string();
    let site = Step::new("pages-deploy-all").args(["--no-build", "--branch", "main"]);
    vec![
        (Step::new("secrets-env").args(["--", "true"]), "DOPPLER_TOKEN"),
        (site.file("sites/docs/dist/index.html", "x"), "CLOUDFLARE_API_TOKEN"),
        (Step::new("ssh-deploy").args(["web1", "--env", "API_KEY", "--", "true"]), "API_KEY"),
        (
            Step::new("stack-output").args(["--state", &state, "db_password", "--show-secrets"]),
            "PULUMI_CONFIG_PASSPHRASE",
        ),
    ]
}

#[test]
fn a_missing_credential_exits_77_and_names_what_to_set() {
    for (step, name) in needy() {
        let seen = step.plain().run().exits(77);
        let text = error(&seen);
        assert!(text.contains(name) && text.contains("help: set ") && text.contains("DOPPLER_TOKEN"), "{text}");
        assert_eq!(seen.stdout, "");
    }
}

#[test]
fn a_rejected_token_exits_77_and_names_its_variable_and_the_request() {
    let doppler = Doppler::start();
    for (step, _) in needy() {
        let step = step.doppler(&doppler).workflow_secret("DOPPLER_TOKEN", "dp.st.dev.rejected-1234567890");
        let text = error(&step.plain().run().exits(77));
        for part in ["Doppler rejects the token from DOPPLER_TOKEN", "GET http://", "answered 401", "\n  help: put "] {
            assert!(text.contains(part), "{text}");
        }
    }
}

#[test]
fn a_config_that_the_token_may_not_see_exits_77_and_names_it() {
    let doppler = Doppler::start();
    for (step, _) in needy() {
        let step = step.doppler(&doppler).env("DOPPLER_PROJECT", "app").env("DOPPLER_CONFIG", "prd");
        let text = error(&step.plain().run().exits(77));
        for part in ["may not read project `app`, config `prd`", "answered 400", "\n  help: the token is for"] {
            assert!(text.contains(part), "{text}");
        }
    }
}

#[test]
fn a_service_that_is_away_exits_75_and_names_the_request() {
    let state = state().display().to_string();
    for step in [
        Step::new("secrets-env").args(["--deadline", "1", "--", "true"]),
        Step::new("stack-output").args(["--deadline", "1", "--state", &state, "db_password", "--show-secrets"]),
    ] {
        // Nothing listens there.
        let step = step.env("DOPPLER_API_HOST", "http://127.0.0.1:1").secret("dp.st.dev.0123456789abcdef");
        let step = step.env("DOPPLER_TOKEN", "dp.st.dev.0123456789abcdef");
        let text = error(&step.plain().run().exits(75));
        assert!(text.contains("GET http://127.0.0.1:1/") && text.contains("Connection refused"), "{text}");
    }
}

#[test]
fn a_token_that_could_be_read_on_the_way_is_not_sent() {
    for (step, _) in needy() {
        let step = step.env("DOPPLER_API_HOST", "http://doppler.example.org");
        let step = step.secret("dp.st.dev.0123456789abcdef").env("DOPPLER_TOKEN", "dp.st.dev.0123456789abcdef");
        let text = error(&step.plain().run().exits(2));
        assert!(text.contains("DOPPLER_API_HOST") && text.contains("plain http"), "{text}");
    }
}
