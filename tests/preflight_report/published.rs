//! What a publishing step sends to GitHub: the step, the event, and the checks that hold after every run.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use emulators::github::Pull;
use emulators::{GitHub, Request, leaks};
use serde_json::{Value, json};

use crate::support::{Seen, Step, peer};

pub(super) const HEAD: &str = "5ae7847aa0d1f1c5b7b5b2d7f6a1c3e4d5f60718";
pub(super) const BASE: &str = "0b5e0000000000000000000000000000000000aa";
pub(super) const MERGE_BASE: &str = "00e6900000000000000000000000000000000bbb";

/// Records of a run in which `a/unit` ended so, and found this.
pub(super) fn records(status: &str, findings: &[(&str, u64, &str)]) -> String {
    let mut lines = vec![json!({"v":1,"run":"r.1","event":"run_started","title":"Checks","plan":["a/unit"]})];
    lines.extend(findings.iter().map(|(path, line, message)| {
        json!({"v":1,"run":"r.1","event":"finding","check":"a/unit","level":"error","path":path,"line":line,"rule":"R1","message":message})
    }));
    lines.push(json!({"v":1,"run":"r.1","event":"check_finished","check":"a/unit","status":status}));
    lines.push(json!({"v":1,"run":"r.1","event":"run_finished","result":status}));
    lines.iter().map(|line| format!("{line}\n")).collect::<Vec<_>>().concat()
}

/// The event of pull request 7.
pub(super) fn pull_request(head_repository: &str) -> Value {
    json!({
        "repository": { "full_name": "acme/shop" },
        "pull_request": {
            "number": 7,
            "head": { "sha": HEAD, "ref": "fix", "repo": { "full_name": head_repository } },
            "base": { "sha": BASE, "ref": "main", "repo": { "full_name": "acme/shop" } },
        },
    })
}

/// The event of a finished run of `CI` for a fork's pull request.
pub(super) fn workflow_run(conclusion: &str) -> Value {
    json!({ "workflow_run": {
        "name": "CI", "event": "pull_request", "head_sha": HEAD, "head_branch": "fix", "run_number": 12, "run_attempt": 1,
        "conclusion": conclusion, "html_url": "https://github.com/acme/shop/actions/runs/99",
        "head_repository": { "full_name": "mallory/shop" },
    } })
}

/// The pull request that the fork opened.
pub(super) fn forks_pull(number: u64) -> Pull {
    Pull {
        number,
        head_repository: "mallory/shop".to_owned(),
        branch: "fix".to_owned(),
        sha: HEAD.to_owned(),
        base_sha: BASE.to_owned(),
        is_open: true,
    }
}

/// A step of the job `report` of the workflow `CI`, run 12.
pub(super) fn step(github: &GitHub, event: &str, payload: &Value, arguments: &[&str]) -> Step {
    Step::new("preflight-report")
        .args(arguments.iter().copied())
        .github(github)
        .file("event.json", payload.to_string())
        .env("GITHUB_EVENT_NAME", event)
        .env("GITHUB_EVENT_PATH", "event.json")
        .env("GITHUB_SHA", "3e7900000000000000000000000000000000ffff")
        .env("GITHUB_WORKFLOW", "CI")
        .env("GITHUB_JOB", "report")
        .env("GITHUB_RUN_ID", "4711")
        .env("GITHUB_RUN_NUMBER", "12")
        .env("GITHUB_RUN_ATTEMPT", "1")
}

/// A step for pull request 7 of a branch of the repository itself.
pub(super) fn pull_step(github: &GitHub, arguments: &[&str]) -> Step {
    step(github, "pull_request", &pull_request("acme/shop"), arguments)
}

/// Runs the step, and checks what every publication must keep: no secret but in the header that is for it, and nothing that GitHub's
/// description does not have.
pub(super) fn run(github: &GitHub, step: Step) -> Seen {
    let seen = step.run();
    hold(github);
    seen
}

/// The checks of [`run`].
pub(super) fn hold(github: &GitHub) {
    let requests = github.requests();
    for request in &requests {
        for secret in github.secrets().all() {
            let sent = [request.path.as_bytes(), request.query.as_bytes(), &request.body].concat();
            assert!(leaks(&sent, &secret).is_none(), "a secret in {} {}", request.method, request.path);
            let others = request.headers.iter().filter(|(name, _)| name != "authorization");
            assert!(others.into_iter().all(|(_, value)| !value.contains(&secret)));
        }
    }
    let rest: Vec<&Request> = requests.iter().filter(|request| request.path != "/graphql").collect();
    check_description(&rest);
}

/// The published description, from the tools that `./check` installs.
#[expect(clippy::disallowed_methods, reason = "the tests find their peers in the environment")]
fn description() -> Option<PathBuf> {
    let named = std::env::var_os("DEPLOY_ACTION_TOOLS").map(PathBuf::from);
    let tools = named.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools"));
    let file = tools.join("node_modules/@octokit/openapi/generated/api.github.com.json");
    if file.is_file() {
        return Some(file);
    }
    assert!(std::env::var_os("CI").is_none_or(|value| value != "true"), "{} is absent", file.display());
    crate::support::skipped(&format!("{} is absent", file.display()));
    None
}

fn check_description(requests: &[&Request]) {
    // The virtual environment has the validator.
    let (Some(description), Some(program)) = (description(), peer("check-jsonschema")) else { return };
    let parsed = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap_or_default();
    let exchanges: Vec<Value> = requests
        .iter()
        .map(|request| {
            json!({
                "method": request.method, "path": request.path, "query": request.query, "body": parsed(&request.body),
                "status": request.status, "answer": parsed(&request.answer),
            })
        })
        .collect();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/preflight_report/openapi.py");
    let mut checker = Command::new(program.with_file_name("python3"))
        .arg(script)
        .arg(description)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    checker.stdin.take().unwrap().write_all(Value::Array(exchanges).to_string().as_bytes()).unwrap();
    let output = checker.wait_with_output().unwrap();
    assert!(output.status.success(), "the description cannot be read");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "", "GitHub's description has it otherwise");
}

/// The comments of pull request 7 that are ours.
pub(super) fn ours(github: &GitHub) -> Vec<String> {
    github.comments(7).into_iter().filter(|body| body.starts_with("<!-- preflight-report:")).collect()
}

/// How many requests match.
pub(super) fn count(github: &GitHub, pattern: &str) -> usize {
    github.requests().iter().filter(|request| request.matches(pattern)).count()
}

/// What the program `name` left behind, to be read by a later step.
pub(super) fn document(name: &str, records: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(name);
    let seen =
        Step::new("preflight-report").arg("--write").arg(format!("json={}", file.display())).stdin(records).run();
    assert!(seen.code < 2, "{}", seen.stderr);
    fs::read_to_string(file).unwrap()
}
