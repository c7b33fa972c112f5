//! What starts a run: Debian's `webhook`, the real one, as examples/homelab sets it up.

use std::path::Path;
use std::process::Command;

use ring::hmac;

use super::homelab::copy;
use super::{Project, folders, until};
use crate::support::{Served, peer, program_path};

const SECRET: &str = "a-secret-of-the-webhook-\"&<";

/// webhook in the example's folder, with a plan that needs no other program.
fn webhook(project: &Project) -> Option<Served> {
    let program = peer("webhook")?;
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/homelab/webhook"), &project.path().join("webhook"));
    // The example lies in /srv/homelab, as its systemd unit has it.
    let hooks = project.read("webhook/hooks.json").replace("/srv/homelab", &project.path().display().to_string());
    std::fs::write(project.path().join("webhook/hooks.json"), hooks).unwrap();
    let tools = program_path("stage-run").parent().unwrap().display().to_string();
    let script = format!(
        "cd {}/webhook; exec {} -template -hooks hooks.json -ip 127.0.0.1 -port {{port}} -verbose -logfile ../webhook.log",
        project.path().display(),
        program.display()
    );
    let state = project.path().join("state").display().to_string();
    let variables = [
        ("WEBHOOK_SECRET", SECRET),
        ("PATH", &format!("{tools}:/usr/local/bin:/usr/bin:/bin")),
        ("XDG_STATE_HOME", &state),
    ];
    Served::start("sh", &["-c", &script], &variables)
}

/// Sends a body with a signature made with `secret`; the status of the answer.
fn post(served: &Served, hook: &str, header: &str, secret: &str, body: &str) -> String {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), body.as_bytes());
    let digits = tag.as_ref().iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    let url = format!("{}/hooks/{hook}", served.url());
    let output = Command::new("curl")
        .args(["-sS", "-o", "/dev/null", "-w", "%{http_code}", "-H", "Content-Type: application/json"])
        .args(["-H", &format!("{header}: sha256={digits}"), "--data-binary", body, &url])
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn runs(project: &Project) -> usize {
    folders(&project.path().join(".stage-run")).iter().flat_map(|key| folders(key)).count()
}

#[test]
fn a_signed_request_starts_it_once_and_a_wrong_or_repeated_one_does_not() {
    let plan = "target = [\"DEPLOY_TARGET\"]\n[[stage]]\nname = \"a\"\nrun = \"echo $DEPLOY_TARGET >> done\"\n";
    let project = Project::new(plan);
    let Some(served) = webhook(&project) else { return };
    let log = || project.read("webhook.log");
    let sends = |secret: &str, body: &str| post(&served, "deploy", "X-Signature-256", secret, body);
    let request = r#"{"id": "4f1c", "target": "lab"}"#;
    // webhook 2.8 takes a wrong signature for an error.
    assert_eq!(sends("wrong", request), "500");
    assert_eq!(sends(SECRET, request), "200");
    until(|| project.read("done") == "lab\n");
    assert_eq!(sends(SECRET, request), "200");
    until(|| log().contains("request 4f1c was served before"));
    assert_eq!(sends(SECRET, r#"{"id": "../x; touch y", "target": "lab"}"#), "200");
    until(|| log().contains("the request has no id"));
    assert_eq!(sends(SECRET, r#"{"id": "4f1d", "target": "prod"}"#), "200");
    until(|| project.read("done") == "lab\nprod\n");
    assert_eq!(runs(&project), 2);
}

#[test]
fn a_push_is_deployed_once_and_an_older_one_never_again() {
    let project = Project::new("[[stage]]\nname = \"a\"\nrun = \"cat version >> done\"\n");
    let git = |folder: &Path, arguments: &[&str]| {
        let identity = ["-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "commit.gpgsign=false"];
        let output = Command::new("git").arg("-C").arg(folder).args(identity).args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let origin = tempfile::tempdir().unwrap();
    git(origin.path(), &["init", "--quiet", "--initial-branch", "main"]);
    let push = |version: &str| {
        std::fs::write(origin.path().join("version"), format!("{version}\n")).unwrap();
        git(origin.path(), &["add", "--all"]);
        git(origin.path(), &["commit", "--quiet", "--message", version]);
        git(origin.path(), &["rev-parse", "HEAD"])
    };
    push("0");
    git(project.path(), &["init", "--quiet"]);
    git(project.path(), &["remote", "add", "origin", &origin.path().display().to_string()]);
    git(project.path(), &["fetch", "--quiet", "origin", "main:refs/remotes/origin/main"]);
    git(project.path(), &["checkout", "--quiet", "--detach", "origin/main"]);
    let Some(served) = webhook(&project) else { return };
    let sends = |branch: &str, commit: &str| {
        let body = format!("{{\"ref\": \"refs/heads/{branch}\", \"after\": \"{commit}\"}}");
        post(&served, "github", "X-Hub-Signature-256", SECRET, &body)
    };
    let log = || project.read("webhook.log");
    let first = push("1");
    assert_eq!(sends("other", &first), "403");
    assert_eq!(sends("main", &first), "200");
    until(|| project.read("done") == "1\n");
    let second = push("2");
    assert_eq!(sends("main", &second), "200");
    until(|| project.read("done") == "1\n2\n");
    for commit in [&first, &second] {
        assert_eq!(sends("main", commit), "200");
        until(|| log().contains(&format!("commit {commit} was deployed before")));
    }
    assert_eq!(sends("main", "$(touch x)"), "200");
    until(|| log().contains("the request has no commit"));
    assert_eq!((project.read("done"), runs(&project)), ("1\n2\n".to_owned(), 2));
}
