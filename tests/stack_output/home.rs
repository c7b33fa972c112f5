//! The home folder by each vendor's rule, as a user whose entry in `/etc/passwd` is another folder than `$HOME`.

use std::process::Command;

use emulators::PulumiCloud;
use emulators::http::Server;
use serde_json::json;

use super::backends::STATE;
use crate::support::{Step, skipped};

/// How a process gets its own `/etc/passwd`: as root, as a user of a new namespace, or by sudo.
const WAYS: [&str; 3] = ["unshare --mount", "unshare --map-root-user --mount", "sudo -n -E unshare --mount"];

/// The first of the ways that this machine allows.
fn way() -> Option<&'static str> {
    let works = |way: &&str| {
        let command = format!("{way} sh -c 'mount --bind /dev/null /etc/passwd'");
        Command::new("sh").args(["-c", &command]).output().is_ok_and(|output| output.status.success())
    };
    let way = WAYS.into_iter().find(works);
    if way.is_none() {
        skipped("no mount namespace is allowed here");
    }
    way
}

/// A step that runs `call` as a user whose entry names the folder `entry`, which the entry `none` leaves out.
fn as_user(way: &str, entry: Option<&str>, call: &str) -> Step {
    let line = entry.map(|home| format!("user:x:0:0::$PWD/{home}:/bin/sh")).unwrap_or_default();
    let script = format!(
        "echo \"{line}\" > passwd; {way} /bin/bash -c 'mount --bind passwd /etc/passwd && exec \"$@\"' bash {call}"
    );
    Step::script(&script).without("PULUMI_HOME")
}

fn store(step: Step, home: &str) -> Step {
    let state = json!({"version": 3, "checkpoint": {"stack": "dev", "latest": {"manifest": {}, "resources": [
        {"type": "pulumi:pulumi:Stack", "urn": "u", "outputs": {"home": home}}]}}});
    step.file(&format!("{home}/store/.pulumi/stacks/shop/dev.json"), state.to_string())
}

#[test]
fn pulumis_home_is_the_users_entry_and_the_variable_only_without_one() {
    let Some(way) = way() else { return };
    let call = "stack-output home -s organization/shop/dev --backend file://~/store";
    for (entry, variable, expected) in [
        (Some("entry"), Some("variable"), "entry\n"),
        (Some("entry"), None, "entry\n"),
        (None, Some("variable"), "variable\n"),
    ] {
        let step = store(store(as_user(way, entry, call), "entry"), "variable");
        let step = match variable {
            Some(home) => {
                let home = step.folder().join(home);
                step.env("HOME", home)
            }
            None => step.without("HOME"),
        };
        assert_eq!(step.run().exits(0).stdout, expected, "{entry:?} {variable:?}");
    }
}

#[test]
fn pulumis_login_is_found_in_a_container_job_and_under_cron() {
    let Some(way) = way() else { return };
    let cloud = PulumiCloud::start();
    cloud.set("acme/shop/dev", "ip", json!("203.0.113.7"));
    let login = json!({"current": cloud.url(), "accounts": {cloud.url(): {"accessToken": cloud.token()}}});
    let step = || {
        let step = as_user(way, Some("entry"), "stack-output ip -s acme/shop/dev").knowing(cloud.secrets());
        step.file("entry/.pulumi/credentials.json", login.to_string())
    };
    assert_eq!(step().env("HOME", "/github/home").run().exits(0).stdout, "203.0.113.7\n");
    assert_eq!(step().without("HOME").run().exits(0).stdout, "203.0.113.7\n");
}

#[test]
fn the_home_of_terraform_and_aws_is_the_variable_and_the_users_entry_only_without_it() {
    let Some(way) = way() else { return };
    let server = super::backends::files("AWS4-HMAC-SHA256 Credential=AKIDOFHOME/", &[("/bucket/state", STATE.into())]);
    let key = "[default]\naws_access_key_id = AKIDOFHOME\naws_secret_access_key = aws-secret-of-home\n";
    let step = |home: &str| as_user(way, Some("entry"), &call(&server)).file(&format!("{home}/.aws/credentials"), key);
    let of_variable = step("variable").secret("aws-secret-of-home");
    let home = of_variable.folder().join("variable");
    assert_eq!(of_variable.env("HOME", home).run().exits(0).stdout, "203.0.113.9\n");
    let of_entry = step("entry").secret("aws-secret-of-home").without("HOME");
    assert_eq!(of_entry.run().exits(0).stdout, "203.0.113.9\n");
}

fn call(server: &Server) -> String {
    format!("stack-output ip --state 's3://bucket/state?region=eu-west-1&endpoint={}'", server.url())
}
