//! `secrets-env`, as a workflow's step, a recipe and a pipe run it.

#[cfg(target_os = "linux")]
mod background;
mod doppler_cli;
#[cfg(target_os = "linux")]
mod files;
mod input;
mod memory;
mod outage;
mod recipes;
mod running;
mod session;
#[cfg(target_os = "linux")]
mod terminal;
mod watch;

use emulators::Doppler;
use emulators::doppler::Visibility;

use crate::support::{Seen, Step};

const API_KEY: &str = "sk_live_4eC39HqLyjWDarjtT1zdp7dc";
const DB_URL: &str = "postgres://shop:Tr0ub4dor&3xyz@db.internal:5432/shop";

/// A Doppler whose config `dev` holds a key, a URL, and a region that is no secret.
fn doppler() -> Doppler {
    let doppler = Doppler::start();
    doppler.set("dev", "API_KEY", API_KEY);
    doppler.set("dev", "DB_URL", DB_URL);
    doppler.set_with("dev", "REGION", "eu-central-1", Visibility::Unmasked);
    doppler
}

fn step(doppler: &Doppler, arguments: &[&str]) -> Step {
    Step::new("secrets-env").doppler(doppler).args(arguments)
}

/// Stops the test unless the step failed with `code`, printed nothing on stdout, and printed each of `words` on stderr.
#[track_caller]
fn refused(step: Step, code: i32, words: &[&str]) -> Seen {
    let seen = step.run().exits(code);
    assert_eq!(seen.stdout, "");
    for word in words {
        assert!(seen.stderr.contains(word), "{word} is missing in {}", seen.stderr);
    }
    seen
}

#[test]
fn without_a_command_names_are_shown_and_no_value() {
    let seen = step(&doppler(), &[]).plain().run().exits(0);
    insta::assert_snapshot!(seen.stdout, @r"
    NAME                 VISIBILITY   BYTES
    API_KEY              masked          32
    DB_URL               masked          52
    DOPPLER_CONFIG       unmasked         3
    DOPPLER_ENVIRONMENT  unmasked         3
    DOPPLER_PROJECT      unmasked         3
    REGION               unmasked        12
    ");
}

#[test]
fn json_dotenv_and_shell_print_the_values_and_mask_them_first() {
    let doppler = doppler();
    let printed =
        |format| step(&doppler, &["--only", "API_KEY,REGION", "--format", format]).may_print_secrets().run().exits(0);
    let seen = printed("json");
    assert_eq!(seen.json(), serde_json::json!({ "API_KEY": API_KEY, "REGION": "eu-central-1" }));
    assert!(seen.masks.iter().any(|mask| mask == API_KEY));
    assert!(!seen.masks.iter().any(|mask| mask == "eu-central-1"));
    assert!(seen.stderr.contains("not masked: REGION (unmasked in Doppler)"));
    assert!(!seen.log.contains(API_KEY));
    assert_eq!(printed("dotenv").stdout, format!("API_KEY='{API_KEY}'\nREGION='eu-central-1'\n"));
    assert_eq!(printed("shell").stdout, format!("export API_KEY='{API_KEY}'\nexport REGION='eu-central-1'\n"));
    assert_eq!(printed("names").stdout, "API_KEY\nREGION\n");
}

#[test]
fn only_what_is_asked_for_leaves_doppler() {
    let doppler = doppler();
    step(&doppler, &["--only", "API_KEY", "--format", "raw"]).may_print(API_KEY).plain().run().exits(0);
    let requests = doppler.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].parameter("secrets").as_deref(), Some("API_KEY"));
    assert_eq!(requests[0].parameter("include_dynamic_secrets").as_deref(), Some("false"));
}

#[test]
fn exported_values_arrive_in_later_steps_and_are_masked() {
    let doppler = doppler();
    doppler.set("dev", "PEM", "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEF\n-----END KEY-----\n");
    let seen = step(&doppler, &["--to", "env", "--only", "API_KEY,PEM,REGION"]).run().exits(0);
    assert_eq!(seen.variables["API_KEY"], API_KEY);
    assert_eq!(seen.variables["PEM"], "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEF\n-----END KEY-----\n");
    assert_eq!(seen.variables.len(), 3);
    assert!(seen.masks.contains(&"MIIEvQIBADANBgkqhkiG9w0BAQEF".to_owned()));
    assert_eq!((seen.stdout.as_str(), seen.complaints.as_slice()), ("", &[][..]));
    let seen = step(&doppler, &["--to", "output", "--only", "API_KEY", "--rename", "API_KEY=key"]).run().exits(0);
    assert_eq!(seen.outputs["key"], API_KEY);
}

#[test]
fn nothing_is_exported_when_anything_is_refused() {
    let doppler = doppler();
    for (name, words) in [
        ("PATH", &["PATH is not exported", "--prefix or --rename PATH=NEW"][..]),
        ("NODE_OPTIONS", &["NODE_OPTIONS"]),
        ("LD_PRELOAD", &["LD_PRELOAD"]),
        ("GITHUB_TOKEN", &["GITHUB_TOKEN"]),
        ("BASH_ENV", &["BASH_ENV"]),
        ("a-b", &["`a-b` cannot name a variable", "--rename"]),
        ("x=y", &["`x=y` cannot name a variable"]),
    ] {
        doppler.set("dev", name, "harmless-looking-value");
        let seen = refused(step(&doppler, &["--to", "env", "--only", &format!("API_KEY,{name}")]), 2, words);
        assert!(seen.variables.is_empty(), "{name}");
    }
    doppler.set("dev", "BIG", &"x9".repeat(60_000));
    let message =
        ["BIG is too large to export", "120000 bytes; over 102400, later steps would not start", "--file BIG"];
    assert!(refused(step(&doppler, &["--to", "env", "--only", "API_KEY,BIG"]), 2, &message).variables.is_empty());
    let seen = step(&doppler, &["--to", "env", "--only", "PATH", "--prefix", "DEPLOY_"]).run().exits(0);
    assert_eq!(seen.variables["DEPLOY_PATH"], "harmless-looking-value");
}

#[test]
fn a_format_for_what_is_exported_is_wrong_usage() {
    for to in ["env", "output"] {
        let seen = refused(step(&doppler(), &["--to", to, "--format", "json"]), 2, &["take no --format"]);
        assert!(seen.variables.is_empty() && seen.outputs.is_empty());
    }
}

#[test]
fn export_outside_actions_says_that_there_is_nowhere_to_write() {
    refused(step(&doppler(), &["--to", "env"]).plain(), 2, &["--to env", "GITHUB_ENV is not set"]);
}

#[test]
fn names_are_chosen_renamed_transformed_and_required() {
    let doppler = doppler();
    let names = |arguments: &[&str]| step(&doppler, arguments).args(["--format", "names"]).run().exits(0).stdout;
    assert_eq!(names(&["--only", "API_KEY,REGION", "--transform", "tf-var"]), "TF_VAR_api_key\nTF_VAR_region\n");
    assert_eq!(names(&["--only", "API_KEY,REGION", "--rename", "API_KEY=key", "--prefix", "X_"]), "X_REGION\nkey\n");
    assert!(!names(&["--except", "API_KEY"]).contains("API_KEY"));
    refused(step(&doppler, &["--only", "API_KEY,NOPE", "--format", "names"]), 1, &["not among the secrets: NOPE"]);
    doppler.set("dev", "LATER", "CHANGE_ME");
    refused(step(&doppler, &["--require", "LATER,API_KEY", "--", "false"]), 1, &["LATER is a placeholder"]);
}

#[test]
fn of_several_configs_the_later_one_wins() {
    let doppler = doppler();
    doppler.set("prd", "API_KEY", "prd-k3y-of-another-kind");
    let account = doppler.service_account_token();
    let base = |arguments: &[&str]| {
        Step::new("secrets-env")
            .doppler(&doppler)
            .workflow_secret("DOPPLER_TOKEN", &account)
            .args(["-p", "app"])
            .args(arguments)
    };
    let seen =
        base(&["-c", "dev", "-c", "prd", "--only", "API_KEY,DB_URL", "--format", "json"]).may_print_secrets().run();
    assert_eq!(seen.exits(0).json(), serde_json::json!({ "API_KEY": "prd-k3y-of-another-kind", "DB_URL": DB_URL }));
    refused(base(&["-c", "dev", "-c", "prd", "--strict"]), 2, &["in more than one config: API_KEY"]);
}

#[test]
fn secrets_come_from_a_pipe_as_well() {
    let from = |text: &str| Step::new("secrets-env").args(["--from", "-"]).stdin(text).secret("hunter2-SECRET");
    for text in ["PASSWORD=hunter2-SECRET\n", "{\"PASSWORD\":\"hunter2-SECRET\"}", "PASSWORD: hunter2-SECRET\n"] {
        let seen = from(text).args(["--", "sh", "-c", "echo \"it is $PASSWORD\""]).run().exits(0);
        assert_eq!(seen.stdout, "it is ***\n", "{text}");
    }
    refused(from("PASSWORD: [hunter2-SECRET]").args(["--format", "json"]), 2, &["PASSWORD is not one value"]);
    refused(from("PASSWORD='hunter2-SECRET"), 2, &["cannot read the secrets in standard input"]);
    refused(from(&"[".repeat(100_000)), 2, &["standard input"]);
}

#[test]
fn what_the_doppler_cli_stored_on_this_machine_is_honoured_and_explained() {
    let doppler = doppler();
    let token = doppler.personal_token();
    let stored = |step: Step| {
        let (home, work) = (step.folder().parent().unwrap().join("home"), step.folder().display().to_string());
        std::fs::create_dir(home.join(".doppler")).unwrap();
        let text = format!("scoped:\n  /:\n    token: {token}\n  {work}:\n    enclave.project: app\n");
        std::fs::write(home.join(".doppler/.doppler.yaml"), text).unwrap();
        step.file("doppler.yaml", "setup:\n  project: other\n  config: dev\n")
    };
    let local = || stored(Step::new("secrets-env").doppler(&doppler).without("DOPPLER_TOKEN").plain());
    assert_eq!(local().args(["--only", "REGION", "--format", "raw"]).run().exits(0).stdout, "eu-central-1");
    let seen = local().arg("--explain").run().exits(0);
    assert!(seen.stdout.starts_with("token    a personal token  ("), "{}", seen.stdout);
    assert!(seen.stdout.contains("project  app  (") && seen.stdout.contains("config   dev  ("), "{}", seen.stdout);
    assert_eq!(
        local().args(["--explain", "-c", "prd"]).run().exits(0).stdout.matches("config   prd  (--config)").count(),
        1
    );
}

#[test]
fn a_check_reads_names_only_and_its_records_are_a_report() {
    let doppler = doppler();
    let seen = step(&doppler, &["--check-names", "API_KEY,API_KYE", "--format", "jsonl"]).run().exits(1);
    let records = seen.records();
    assert_eq!(records[0]["plan"], serde_json::json!(["secrets/API_KEY", "secrets/API_KYE"]));
    assert_eq!((&records[1]["status"], &records[2]["status"]), (&"passed".into(), &"failed".into()));
    assert!(records[2]["reason"]["text"].as_str().unwrap().contains("it has API_KEY"), "{records:?}");
    assert!(doppler.requests().iter().all(|request| request.path.ends_with("/names")));
    // The former spelling of --check-names.
    assert!(step(&doppler, &["--check", "API_KEY"]).run().exits(0).summary.contains("Secrets"));
    refused(step(&doppler, &["--check-names", "API_KEY", "--format", "json"]), 2, &["--format jsonl"]);
}

#[test]
fn short_help_fits_a_screen_and_examples_are_in_the_long_one() {
    let short = Step::new("secrets-env").arg("-h").run().exits(0).stdout;
    assert!(short.lines().count() <= 24, "{short}");
    let long = Step::new("secrets-env").arg("--help").run().exits(0).stdout;
    for word in ["Environment:", "Exit codes:", "Examples:", "secrets-env --to env --only NPM_TOKEN"] {
        assert!(long.contains(word), "{word}");
    }
}
