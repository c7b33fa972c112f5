//! The Step itself: what it hands on, and that it does notice a leak.

use std::panic::{AssertUnwindSafe, catch_unwind};

use emulators::{Cloudflare, Doppler, GitHub, PulumiCloud, Sshd};

use crate::support::{Seen, Step};

const SECRET: &str = "hunter2-SECRET-value";

/// Whether the step's end stopped the test.
fn is_caught(step: Step) -> bool {
    catch_unwind(AssertUnwindSafe(|| step.run())).is_err()
}

fn script(text: &str) -> Step {
    Step::script(text).secret(SECRET).env("SECRET", SECRET)
}

#[test]
fn a_step_starts_from_a_clean_environment_and_an_empty_folder() {
    let seen = Step::script("env | cut -d= -f1 | sort | tr '\\n' ' '; ls").without("LANG").run().exits(0);
    let expected = "CI GITHUB_ACTIONS GITHUB_ENV GITHUB_OUTPUT GITHUB_PATH GITHUB_STEP_SUMMARY HOME PATH PULUMI_HOME PWD \
                    RUNNER_TEMP SHLVL TMPDIR _ ";
    assert_eq!(seen.stdout, expected);
    assert_eq!(Step::script("echo ${CI-none}${GITHUB_ENV-none}").plain().run().stdout, "nonenone\n");
}

#[test]
fn the_runners_files_and_commands_are_read_after_the_end() {
    let seen = Step::script(
        "echo 'A<<D\nx\ny\nD' >> $GITHUB_OUTPUT; echo B=c >> $GITHUB_ENV; echo '# s' >> $GITHUB_STEP_SUMMARY
         echo '::add-mask::t0psecret' >&2; echo '::error title=T::bad t0psecret'; cat; exit 3",
    )
    .stdin("{\"k\":1}")
    .run()
    .exits(3);
    assert_eq!((seen.outputs["A"].as_str(), seen.variables["B"].as_str()), ("x\ny", "c"));
    assert_eq!((seen.summary.as_str(), seen.messages("error")), ("# s\n", vec!["bad ***"]));
    assert_eq!(seen.masks, ["t0psecret"]);
    assert_eq!(seen.complaints, [""; 0]);
    assert!(seen.stderr.contains("t0psecret") && !seen.log.contains("t0psecret"));
}

#[test]
fn json_is_read_from_standard_output() {
    assert_eq!(Step::script("echo '{\"a\":1}'").run().json()["a"], 1);
    assert_eq!(Step::script("echo '{\"a\":1}'; echo '{\"a\":2}'").run().records().len(), 2);
}

#[test]
fn a_leak_is_noticed_wherever_it_is() {
    for leak in [
        "echo $SECRET",
        "echo $SECRET >&2",
        "printf %s \"user:$SECRET\" | base64",
        "echo $SECRET > left-behind",
        "echo $SECRET > $RUNNER_TEMP/left-behind",
        "echo $SECRET >> $GITHUB_STEP_SUMMARY",
        "echo $SECRET; echo ::add-mask::$SECRET",
        "echo ::add-mask::$SECRET; echo \"::error title=$SECRET::x\"",
    ] {
        assert!(is_caught(script(leak)), "{leak}");
    }
    assert!(is_caught(script("true").args(["x", SECRET])), "as an argument");
}

#[test]
fn what_is_masked_first_exported_or_asked_for_is_no_leak() {
    script("echo ::add-mask::$SECRET; echo $SECRET").run().exits(0);
    script("echo ::add-mask::$SECRET >&2; echo OUT=$SECRET >> $GITHUB_OUTPUT").run().exits(0);
    script("echo $SECRET").may_print(SECRET).run().exits(0);
    script("echo $SECRET").may_print_secrets().run().exits(0);
    script("cat fixture > /dev/null").file("fixture", SECRET).run().exits(0);
    Step::script("echo $TOKEN").workflow_secret("TOKEN", SECRET).run().exits(0);
}

#[test]
fn what_a_stand_in_serves_is_a_secret_without_being_told() {
    let (doppler, cloudflare) = (Doppler::start(), Cloudflare::start());
    doppler.set("dev", "KEY", SECRET);
    assert!(is_caught(Step::script("echo hunter2-SECRET-value").doppler(&doppler)));
    let token = cloudflare.token().to_owned();
    assert!(is_caught(Step::script("echo $1").cloudflare(&cloudflare).args(["x", &token])));
    Step::script("echo $CLOUDFLARE_API_TOKEN").cloudflare(&cloudflare).cloudflare_token(&cloudflare).run().exits(0);
    let (github, pulumi) = (GitHub::start(), PulumiCloud::start());
    pulumi.set_secret("acme/shop/prod", "password", &SECRET.into());
    assert!(is_caught(Step::script("echo hunter2-SECRET-value").pulumi(&pulumi)));
    let asked = "curl -sf -H \"Authorization: Bearer $ACTIONS_ID_TOKEN_REQUEST_TOKEN\" $ACTIONS_ID_TOKEN_REQUEST_URL";
    assert!(is_caught(Step::script(asked).identity(&github)), "the identity token itself");
    Step::script("echo $GITHUB_TOKEN").github(&github).run().exits(0);
    let Some(sshd) = Sshd::start() else { return };
    assert!(is_caught(Step::script("cat").stdin(sshd.user_key()).sshd(&sshd)));
    Step::script("echo \"$SSH_PRIVATE_KEY\"").ssh_key(&sshd).run().exits(0);
}

#[test]
fn a_step_can_be_signalled_and_runs_where_it_is_told() {
    let mut started = Step::script("echo ready; read line").plain().spawn();
    started.child.kill().unwrap();
    assert_eq!(started.finish().code, 137);
    let folder = tempfile::tempdir().unwrap();
    let step = Step::script("pwd -P").cwd(folder.path());
    assert_eq!(step.folder(), folder.path());
    let seen: Seen = step.run();
    assert_eq!(seen.stdout.trim(), folder.path().canonicalize().unwrap().to_str().unwrap());
}

#[test]
fn all_five_programs_are_on_the_path_of_a_script() {
    for name in ["secrets-env", "preflight-report", "stack-output", "pages-deploy-all", "ssh-deploy"] {
        Step::script(&format!("command -v {name}")).run().exits(0);
        Step::new(name).arg("--version").run().exits(0);
    }
}
