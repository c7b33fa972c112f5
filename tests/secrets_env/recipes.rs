//! The examples of the page and of `--help` work as written: run in bash, with programs that only check what they are given.

use emulators::{Doppler, GitHub};

use crate::support::Step;

const PAGE: &str = include_str!("../../docs/secrets-env.md");

/// Stand-ins for the programs that the recipes call: each fails unless it was given what it needs, and nothing to sign in with.
const PROGRAMS: [(&str, &str); 7] = [
    ("bin/pulumi", "test ${#API_KEY} = 22 && test -z \"$DOPPLER_TOKEN\""),
    ("bin/wrangler", "test \"$*\" = 'secret bulk' && jq -e '(keys == [\"API_KEY\", \"SESSION_KEY\"])' >/dev/null"),
    (
        "bin/gcloud",
        "cat \"$GOOGLE_APPLICATION_CREDENTIALS\" \"$GOOGLE_APPLICATION_CREDENTIALS\" | grep -c key >/dev/null",
    ),
    ("bin/terraform", "test ${#TF_VAR_api_key} = 22 && test ${#TF_VAR_db_url} -gt 10"),
    ("bin/sops", "echo 'API_KEY: k3y-in-the-file-471100'"),
    ("serve.sh", "grep -q private_key \"$GOOGLE_APPLICATION_CREDENTIALS\""),
    ("deploy.sh", "test ${#API_KEY} -ge 20 && test -z \"$DOPPLER_TOKEN$ACTIONS_ID_TOKEN_REQUEST_TOKEN\""),
];

fn shop() -> Doppler {
    let doppler = Doppler::of("shop");
    for config in ["base", "prd"] {
        doppler.set(config, "API_KEY", "k3y-of-the-shop-471100");
        doppler.set(config, "DB_URL", "postgres://shop:Tr0ub4dor-3xyz@db.internal/shop");
    }
    doppler.set("prd", "SESSION_KEY", "s3ssion-k3y-4711-0815");
    doppler.set("prd", "NPM_TOKEN", "npm_1a2B3c4D5e6F7g8H9i0J");
    doppler.set("prd", "GOOGLE_APPLICATION_CREDENTIALS", "{\"private_key\": \"MIIEvQIBADANBgkqhkiG9w0BAQEF\"}");
    doppler
}

/// A step of a job of the shop that runs `script`.
fn step(doppler: &Doppler, script: &str) -> Step {
    let account = doppler.service_account_token();
    let prologue = "chmod +x bin/* deploy.sh serve.sh; PATH=$PWD/bin:$PATH";
    let step = Step::script(&format!("{prologue}\n{script}")).doppler(doppler).env("DOPPLER_PROJECT", "shop");
    let step = step.env("DOPPLER_CONFIG", "prd").workflow_secret("DOPPLER_TOKEN", &account);
    let step = step.workflow_secret("DOPPLER_PASSPHRASE", "a long and random passphrase 4711");
    let write = |step: Step, (path, test): &(&str, &str)| step.file(path, format!("#!/bin/sh\n{test}\n"));
    PROGRAMS.iter().fold(step, write)
}

/// The blocks of the page in `language`.
fn blocks(language: &str) -> Vec<&'static str> {
    let fence = format!("```{language}\n");
    PAGE.split(fence.as_str()).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

#[test]
fn every_recipe_of_the_page_runs_as_it_is_written() {
    let recipes = blocks("sh");
    assert!(recipes.len() >= 10, "{recipes:?}");
    for recipe in recipes {
        let doppler = shop();
        let seen = step(&doppler, recipe).may_print_secrets().run();
        assert_eq!(seen.code, 0, "{recipe}\n{}\n{}", seen.stdout, seen.stderr);
    }
}

#[test]
fn the_recipe_without_a_stored_secret_runs_as_it_is_written() {
    let workflow = blocks("yaml").into_iter().find(|block| block.contains("DOPPLER_IDENTITY_ID")).unwrap();
    let command = workflow.lines().find_map(|line| line.trim().strip_prefix("- run: ")).unwrap();
    let (doppler, github) = (shop(), GitHub::start());
    doppler.trust("an-identity", None);
    let step = step(&doppler, command).without("DOPPLER_TOKEN").identity(&github);
    step.env("DOPPLER_IDENTITY_ID", "an-identity").run().exits(0);
    assert!(doppler.live_tokens().iter().all(|token| !token.starts_with("dp.said.")));
}

#[test]
fn every_example_of_the_help_runs_as_it_is_written() {
    let help = Step::new("secrets-env").arg("--help").run().exits(0).stdout;
    let examples: Vec<&str> = help.split("Examples:").nth(1).unwrap().lines().map(str::trim).collect();
    let examples: Vec<&str> = examples.into_iter().filter(|line| line.starts_with("secrets-env")).collect();
    assert_eq!(examples.len(), 3);
    for example in examples {
        let seen = step(&shop(), example).may_print_secrets().run();
        assert_eq!(seen.code, 0, "{example}\n{}", seen.stderr);
    }
}

#[test]
fn every_option_that_the_page_names_is_one() {
    let help = Step::new("secrets-env").arg("--help").run().exits(0).stdout;
    // The right-hand columns of the tables for those who come from elsewhere.
    let rows = PAGE.lines().filter(|line| line.starts_with("| `")).filter_map(|line| line.split(" | ").nth(1));
    let mut named = 0;
    for row in rows {
        for word in row.split(['`', ' ', ',']).filter(|word| word.starts_with("--") && word.len() > 2) {
            named += 1;
            assert!(help.contains(word), "{word} in {row}");
        }
    }
    assert!(named > 10, "{named}");
}

#[test]
fn a_pipe_into_a_second_start_reaches_the_command_of_that_one() {
    // Code and secrets of a Worker in one version: the second start reads nothing of its standard input.
    let doppler = shop();
    let line = "secrets-env --only API_KEY,SESSION_KEY --format json \
                | secrets-env --only NPM_TOKEN -- sh -c 'test ${#NPM_TOKEN} = 24 && jq -c keys /dev/stdin'";
    for mode in ["", "--redact"] {
        let seen =
            step(&doppler, &line.replace("--only NPM_TOKEN", &format!("{mode} --only NPM_TOKEN"))).run().exits(0);
        assert_eq!(seen.stdout, "[\"API_KEY\",\"SESSION_KEY\"]\n", "{}", seen.stderr);
    }
}
